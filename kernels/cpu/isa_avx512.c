/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU kernels for AVX-512 (F, BW, VL, DQ, VNNI).  The file is compiled with these flags, so
 * nothing here may run before cpu.c has seen that processor and OS have them.  Pure functions.
 * Thread: any.
 */
#include "kernels/cpu/isa.h"

#if defined(__x86_64__)
# include "kernels/cpu/simd_avx512.h"
/* after the vector words */
# include "kernels/cpu/body_table.h"
#else
const cpu_isa *cpu_isa_avx512(void) {
    return NULL;
}
#endif
