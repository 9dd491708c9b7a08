/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU kernels for AVX2 with FMA, F16C and AVX-VNNI: processors with 256-bit byte dot products
 * but
 * without AVX-512.  The file is compiled with these flags, so nothing here may run before machine.c
 * has seen that processor and OS have them.  Pure functions.  Thread: any.
 */
#include "kernels/cpu/isa.h"

#if defined(__x86_64__)
# define V_VNNI
# include "kernels/cpu/simd_avx2.h"
/* after the vector words */
# include "kernels/cpu/body_table.h"
#else
const cpu_isa *cpu_isa_avxvnni(void) {
    return NULL;
}
#endif
