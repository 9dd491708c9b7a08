/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU kernels for AArch64's Advanced SIMD, which every AArch64 processor has.  Pure functions.
 * Thread: any.
 */
#include "kernels/cpu/isa.h"

#if defined(__aarch64__)
# include "kernels/cpu/simd_neon.h"
/* after the vector words */
# include "kernels/cpu/body_table.h"
#else
const cpu_isa *cpu_isa_neon(void) {
    return NULL;
}
#endif
