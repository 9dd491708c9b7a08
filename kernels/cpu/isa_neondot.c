/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU kernels for AArch64's Advanced SIMD with byte dot products (Armv8.2).  The
 * file is compiled with that flag, so nothing here may run before machine.c has seen that processor
 * and OS have them.  Pure functions.  Thread: any.
 */
#include "kernels/cpu/isa.h"

#if defined(__aarch64__)
# define V_DOTPROD
# include "kernels/cpu/simd_neon.h"
/* after the vector words */
# include "kernels/cpu/body_table.h"
#else
const cpu_isa *cpu_isa_neondot(void) {
    return NULL;
}
#endif
