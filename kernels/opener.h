/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What opens the device; NULL where this build has no CUDA backend.  Private to kernels/ and to
 * tests, which put a device that fails in its place. */
#include "kernels/kernels.h"

typedef status (*k_opener)(k_backend **out, const k_options *opt, err *e);
extern k_opener k_open_device;
