/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How much host memory this process may still take.  Thread: any. */
#include "engine/base/base.h"

/* Bytes that can be had without swapping: the smaller of what the system and the control group
 * leave; UINT64_MAX when neither can be read. */
uint64_t memory_available(void);
