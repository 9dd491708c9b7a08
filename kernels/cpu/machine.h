/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What this machine lets us use. */
#include "kernels/cpu/isa.h"

/* Physical cores that this process may run on, cut to its CPU quota; at least 1. */
int machine_cores(void);

/* The fastest instruction set that processor and OS allow.  The environment variable INLINED_CPU
 * (amx, avx512, avxvnni, avx2, neondot, neon, scalar) chooses one of them.  Errors: ERR_UNSUPPORTED
 * (not on this machine), ERR_USAGE (no such name). */
status machine_isa(const cpu_isa **out, err *e) MUST_USE;
