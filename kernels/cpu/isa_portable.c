/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU kernels for every other processor, in C alone.  Pure functions.  Thread: any.
 */
#include "kernels/cpu/isa.h"
/* the vector words, then the bodies */
#include "kernels/cpu/simd_portable.h"
/* after the vector words */
#include "kernels/cpu/body_table.h"
