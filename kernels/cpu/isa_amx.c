/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU kernels for AVX-512 with VNNI and AMX: full tiles of tokens (prefill) go through AMX, the
 * rest is as without.  The file is compiled with these flags, so nothing here may run before
 * machine.c has seen that the processor has them and the OS permits them.  Pure functions.  Thread:
 * any.
 */
#include "kernels/cpu/isa.h"

#if defined(__x86_64__)
# define V_AMX
# include "kernels/cpu/simd_avx512.h"
/* after the vector words */
# include "kernels/cpu/body_table.h"
#else
const cpu_isa *cpu_isa_amx(void) {
    return NULL;
}
#endif
