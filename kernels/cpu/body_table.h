/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The bodies and the table of one instruction set.  Included once by each isa_*.c after its
 * simd_*.h; the order matters. */
#include <math.h>

#include "engine/base/base.h"

/* Code books of the non-uniform 4-bit types as stored bytes: with 128 added where 8-bit codes are
 * unsigned. */
#define V_CODE(x) ((uint8_t)((x) + (V_SIGNED8 ? 0 : 128)))
static const uint8_t iq4_table[16] = {V_CODE(-127), V_CODE(-104), V_CODE(-83), V_CODE(-65),
                                      V_CODE(-49),  V_CODE(-35),  V_CODE(-22), V_CODE(-10),
                                      V_CODE(1),    V_CODE(13),   V_CODE(25),  V_CODE(38),
                                      V_CODE(53),   V_CODE(69),   V_CODE(89),  V_CODE(113)};
static const uint8_t mxfp4_table[16] = {
    V_CODE(0), V_CODE(1),  V_CODE(2),  V_CODE(3),  V_CODE(4),  V_CODE(6),  V_CODE(8),  V_CODE(12),
    V_CODE(0), V_CODE(-1), V_CODE(-2), V_CODE(-3), V_CODE(-4), V_CODE(-6), V_CODE(-8), V_CODE(-12)};

/* clang-format off */
#include "kernels/cpu/body_matmul.h"
#include "kernels/cpu/body_rows.h"
#include "kernels/cpu/body_attend.h"
/* clang-format on */

const cpu_isa *V_TABLE(void) {
    static const cpu_isa isa = {
        .name = V_NAME,
        .panel_rows = V_ROWS,
        .tile = V_TILE,
        .queries = V_QUERIES,
        .signed8 = V_SIGNED8,
        .quantise = v_quantise,
        .matmul = v_matmul,
        .norm = v_norm,
        .activate = v_activate,
        .attend = v_attend,
        .merge = v_merge,
        .finish_logits = v_finish_logits,
        .add_scaled = v_add_scaled,
        .half_row = v_half_row,
        .max = v_row_max,
        .sum_exp = v_sum_exp,
    };
    return &isa;
}
