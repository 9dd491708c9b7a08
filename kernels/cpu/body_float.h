/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Matrix times activations for F32, F16 and BF16 weights.  Included once by each isa_*.c, through
 * body_matmul.h. */

V_INLINE vf elements(k_type type, const uint8_t *panel, size_t at) {
    if (type == K_F32) return v_load((const float *)(const void *)panel + at);
    if (type == K_F16) return v_half((const k_half *)(const void *)panel + at);
    return v_bf16((const uint16_t *)(const void *)panel + at);
}

/* Four sums per (row, token), by column modulo 4, in a fixed order. */
V_INLINE void tile_float(k_type type, const int T, const cpu_matrix *w, const uint8_t *panel,
                         const cpu_act *a, int t0, const v_out *out) {
    const float *x = a->rows + (size_t)t0 * a->ld;
    vf acc[4][V_FLOAT_TILE];
    V_UNROLL
    for (int i = 0; i < 4 * T; i++)
        acc[i / T][i % T] = v_zero();
    int cols = (int)w->cols, c = 0;
    for (; c + 4 <= cols; c += 4) {
        V_UNROLL
        for (int k = 0; k < 4; k++) {
            vf e = elements(type, panel, (size_t)(c + k) * V_ROWS);
            V_UNROLL
            for (int t = 0; t < T; t++)
                acc[k][t] = v_fma(e, v_set1(x[(size_t)t * a->ld + (size_t)(c + k)]), acc[k][t]);
        }
    }
    for (; c < cols; c++) {
        vf e = elements(type, panel, (size_t)c * V_ROWS);
        V_UNROLL
        for (int t = 0; t < T; t++)
            acc[0][t] = v_fma(e, v_set1(x[(size_t)t * a->ld + (size_t)c]), acc[0][t]);
    }
    V_UNROLL
    for (int t = 0; t < T; t++)
        v_store(out->to + (size_t)(t0 + t) * out->ld,
                v_add(v_add(acc[0][t], acc[1][t]), v_add(acc[2][t], acc[3][t])));
}

#define V_FLOAT_FN(type)                                                                           \
 static void panel_##type(const cpu_matrix *w, const uint8_t *panel, const cpu_act *a, float *out, \
                          size_t ld) {                                                             \
  const v_out to = {out, ld, a->n, 1};                                                             \
  int t = 0;                                                                                       \
  for (; t + V_FLOAT_TILE <= a->n; t += V_FLOAT_TILE)                                              \
   tile_float(type, V_FLOAT_TILE, w, panel, a, t, &to);                                            \
  for (; t < a->n; t++)                                                                            \
   tile_float(type, 1, w, panel, a, t, &to);                                                       \
 }
V_FLOAT_FN(K_F32)
V_FLOAT_FN(K_F16)
V_FLOAT_FN(K_BF16)
