/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU kernels for AVX2 with FMA and F16C.  The file is compiled with these flags, so nothing
 * here may run before cpu.c has seen that processor and OS have them.  Pure functions.  Thread:
 * any.
 */
#include "kernels/cpu/isa.h"

#if defined(__x86_64__)
# include "kernels/cpu/simd_avx2.h"
/* after the vector words */
# include "kernels/cpu/body_table.h"
#else
const cpu_isa *cpu_isa_avx2(void) {
    return NULL;
}
#endif
