/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Matrix times activations, for every weight type, over the vector words of one simd_*.h.  Included
 * once by each isa_*.c.
 *
 * One function per type and tile width: T tokens against one panel of rows.  The integer dots of a
 * block are exact; the f32 sums run over the blocks in order, in one accumulator per (row, token).
 * So a token's result does not depend on the tile it stands in: prefill and decode agree to the
 * bit.
 */

/* What the inner loop must know about a type.  All fields fold to constants. */
typedef struct {
    int bits;   /* of a stored code: 4, 5, 6 or 8                                                 */
    int group;  /* columns that share a scale: 16 or 32                                           */
    int shift;  /* codes are stored with 2^shift added; -1: nothing                               */
    char scale; /* 'h': f16 per block; 'k': i8 per group times f16 per 256; 'f': f32 per block    */
    bool min;   /* a minimum beside every scale                                                   */
    bool table; /* codes index a table of 8-bit values                                            */
} v_form;

/* Where a tile's results go. */
typedef struct {
    float *to;
    size_t ld;
    int used, planes;
} v_out;

#define V_SHIFT8 (V_SIGNED8 ? -1 : 7)
/* How far ahead of the codes in use memory is asked for when few tokens share them: with the
 * hardware's own prefetching alone a core reads a fifth less. */
#define V_AHEAD 6144
#define V_INLINE static inline __attribute__((always_inline))

V_INLINE v_form form_of(k_type type) {
    switch (type) {
    case K_Q4_0: return (v_form){4, 32, 3, 'h', false, false};
    case K_Q4_1: return (v_form){4, 32, -1, 'h', true, false};
    case K_Q5_0: return (v_form){5, 32, 4, 'h', false, false};
    case K_Q5_1: return (v_form){5, 32, -1, 'h', true, false};
    case K_Q8_0: return (v_form){8, 32, V_SHIFT8, 'h', false, false};
    case K_Q2_K: return (v_form){4, 16, -1, 'k', true, false};
    case K_Q3_K: return (v_form){4, 16, 2, 'k', false, false};
    case K_Q4_K: return (v_form){4, 32, -1, 'k', true, false};
    case K_Q5_K: return (v_form){5, 32, -1, 'k', true, false};
    case K_Q6_K: return (v_form){6, 16, 5, 'k', false, false};
    case K_IQ4_NL: return (v_form){4, 32, V_SHIFT8, 'h', false, true};
    case K_IQ4_XS: return (v_form){4, 32, V_SHIFT8, 'k', false, true};
    case K_MXFP4: return (v_form){4, 32, V_SHIFT8, 'f', false, true};
    case K_F32:
    case K_F16:
    case K_BF16: break;
    }
    return (v_form){0};
}

/* Columns 4s..4s+3 of a block, for all rows of the panel. */
V_INLINE vb step_codes(v_form f, const uint8_t *q, vb table, int s) {
    const int bytes = 4 * V_ROWS;
    if (f.bits == 8) return b_load(q + s * bytes);
    vb pair = b_load(q + (s & 3) * bytes);
    vb code = s < 4 ? b_low(pair) : b_high(pair);
    if (f.table) return b_lookup(table, code);
    if (f.bits == 5) return b_bit16(code, q + 4 * bytes + s * (bytes / 8));
    if (f.bits == 6) return b_or(code, b_crumb(b_load(q + (4 + s / 4) * bytes), s & 3));
    return code;
}

V_INLINE vi step_dot(v_form f, vi acc, vb code, const uint8_t *act) {
    int32_t four;
    memcpy(&four, act, sizeof four);
    return f.bits == 8 || f.table ? i_dot8(acc, code, four) : i_dot(acc, code, four);
}

/* Scales (which 0) or minima (1) of group g, counted from the start of the row. */
V_INLINE vf group_scale(v_form f, const cpu_matrix *w, const uint8_t *panel, int g, int which) {
    size_t plane = which ? w->min : w->scale, at = (size_t)g * V_ROWS;
    if (f.scale == 'f') return v_load((const float *)(const void *)(panel + plane) + at);
    if (f.scale == 'h') return v_half((const k_half *)(const void *)(panel + plane) + at);
    size_t super = (size_t)(g / (256 / f.group)) * V_ROWS;
    vf d = v_half((const k_half *)(const void *)(panel + (which ? w->dmin : w->d)) + super);
    return v_mul(d, v_codes((const int8_t *)(panel + plane) + at));
}

/* out[t * ld + row] for t < used of T places; with two planes, pairs of places are added. */
V_INLINE void tile_store(const int T, const vf *acc, const v_out *out) {
    V_UNROLL
    for (int t = 0; t < T; t++) {
        if (out->planes == 1 && t < out->used) v_store(out->to + (size_t)t * out->ld, acc[t]);
        if (out->planes == 2 && t < out->used && t % 2 == 1)
            v_store(out->to + (size_t)(t / 2) * out->ld, v_add(acc[t - 1], acc[t]));
    }
}

/* A panel against one tile of T places. */
V_INLINE void tile_dot(k_type type, const int T, const cpu_matrix *w, const uint8_t *panel,
                       const uint8_t *act, const v_out *out) {
    const v_form f = form_of(type);
    const int groups = 32 / f.group, steps = f.group / 4;
    const int code_bytes = 4 * V_ROWS * f.bits;
    const vb table = b_table(type == K_MXFP4 ? mxfp4_table : iq4_table);
    vf acc[V_TILE];
    V_UNROLL
    for (int t = 0; t < T; t++)
        acc[t] = v_zero();
    const uint8_t *q = panel;
    for (int b = 0; b < w->blocks; b++) {
        if (T <= 2) {
            V_UNROLL
            for (int i = 0; i < code_bytes; i += 64)
                __builtin_prefetch(q + V_AHEAD + i);
        }
        const float *d = (const float *)(const void *)(act + T * CPU_BLOCK);
        for (int g = 0; g < groups; g++) {
            /* words after d: neg[T], sum[T], neg16[2][T], sum16[2][T] */
            const float *neg = d + T * (groups == 1 ? 1 : 3 + g);
            const float *sum = d + T * (groups == 1 ? 2 : 5 + g);
            vi dot[V_TILE];
            V_UNROLL
            for (int t = 0; t < T; t++) {
                int32_t n;
                memcpy(&n, neg + t, sizeof n);
                dot[t] = f.shift < 0 ? i_zero() : i_shl(i_set1(n), f.shift);
            }
            V_UNROLL
            for (int s = g * steps; s < (g + 1) * steps; s++) {
                vb code = step_codes(f, q, table, s);
                V_UNROLL
                for (int t = 0; t < T; t++)
                    dot[t] = step_dot(f, dot[t], code, act + t * CPU_BLOCK + s * 4);
            }
            vf scale = group_scale(f, w, panel, b * groups + g, 0);
            vf min = f.min ? group_scale(f, w, panel, b * groups + g, 1) : v_zero();
            V_UNROLL
            for (int t = 0; t < T; t++) {
                acc[t] = v_fma(i_float(dot[t]), v_mul(scale, v_set1(d[t])), acc[t]);
                if (f.min) acc[t] = v_fma(min, v_set1(sum[t]), acc[t]);
            }
        }
        q += code_bytes;
        act += T * CPU_ACT_BLOCK_BYTES;
    }
    tile_store(T, acc, out);
}

typedef void (*tile_fn)(const cpu_matrix *w, const uint8_t *panel, const uint8_t *act,
                        const v_out *out);

#define V_TILE_FN(type, T)                                                                         \
 static __attribute__((noinline)) void tile_##type##_##T(                                          \
     const cpu_matrix *w, const uint8_t *panel, const uint8_t *act, const v_out *out) {            \
  tile_dot(type, T, w, panel, act, out);                                                           \
 }
#if V_TILE == 12
# define V_TILE_FNS(type)                                                                          \
  V_TILE_FN(type, 1) V_TILE_FN(type, 2) V_TILE_FN(type, 4) V_TILE_FN(type, 8) V_TILE_FN(type, 12)
# define V_TILE_ROW(type)                                                                          \
  [type] = {[1] = tile_##type##_1,                                                                 \
            [2] = tile_##type##_2,                                                                 \
            [4] = tile_##type##_4,                                                                 \
            [8] = tile_##type##_8,                                                                 \
            [12] = tile_##type##_12}
#elif V_TILE == 16 /* the full width is AMX's */
# define V_TILE_FNS(type)                                                                          \
  V_TILE_FN(type, 1) V_TILE_FN(type, 2) V_TILE_FN(type, 4) V_TILE_FN(type, 8)
# define V_TILE_ROW(type)                                                                          \
  [type] = {                                                                                       \
      [1] = tile_##type##_1, [2] = tile_##type##_2, [4] = tile_##type##_4, [8] = tile_##type##_8}
#else
# define V_TILE_FNS(type) V_TILE_FN(type, 1) V_TILE_FN(type, 2) V_TILE_FN(type, 4)
# define V_TILE_ROW(type)                                                                          \
  [type] = {[1] = tile_##type##_1, [2] = tile_##type##_2, [4] = tile_##type##_4}
#endif

V_TILE_FNS(K_Q4_0)
V_TILE_FNS(K_Q4_1)
V_TILE_FNS(K_Q5_0)
V_TILE_FNS(K_Q5_1)
V_TILE_FNS(K_Q8_0)
V_TILE_FNS(K_Q2_K)
V_TILE_FNS(K_Q3_K)
V_TILE_FNS(K_Q4_K)
V_TILE_FNS(K_Q5_K)
V_TILE_FNS(K_Q6_K)
V_TILE_FNS(K_IQ4_NL)
V_TILE_FNS(K_IQ4_XS)
V_TILE_FNS(K_MXFP4)

static const tile_fn tiles[K_MXFP4 + 1][V_TILE + 1] = {
    V_TILE_ROW(K_Q4_0),  V_TILE_ROW(K_Q4_1), V_TILE_ROW(K_Q5_0),   V_TILE_ROW(K_Q5_1),
    V_TILE_ROW(K_Q8_0),  V_TILE_ROW(K_Q2_K), V_TILE_ROW(K_Q3_K),   V_TILE_ROW(K_Q4_K),
    V_TILE_ROW(K_Q5_K),  V_TILE_ROW(K_Q6_K), V_TILE_ROW(K_IQ4_NL), V_TILE_ROW(K_IQ4_XS),
    V_TILE_ROW(K_MXFP4),
};

/* clang-format off */
#include "kernels/cpu/body_float.h"
#ifdef V_AMX
# include "kernels/cpu/body_amx.h"
#endif
/* clang-format on */

/* ---- a range of panels ----------------------------------------------------------------------- */

/* Places t.. of all tokens. */
static void panel_codes(const cpu_matrix *w, const uint8_t *panel, const cpu_act *a, int t,
                        float *out, size_t ld) {
    int places = a->n * a->planes;
    const uint8_t *act = a->tiles + (size_t)t * (size_t)w->blocks * CPU_ACT_BLOCK_BYTES;
    while (t < places) {
        int width = cpu_tile_width(V_TILE, places - t);
        v_out to = {out + (size_t)(t / a->planes) * ld, ld, MIN(width, places - t), a->planes};
        tiles[w->type][width](w, panel, act, &to);
        act += (size_t)width * (size_t)w->blocks * CPU_ACT_BLOCK_BYTES;
        t += width;
    }
}

static void v_matmul(const cpu_matrix *w, int64_t p0, int64_t p1, const cpu_act *a, float *out,
                     size_t ld) {
    int done = 0;
#ifdef V_AMX
    if (w->blocks && a->n * a->planes > V_TILE / 2) done = amx_matmul(w, p0, p1, a, out, ld);
#endif
    for (int64_t p = p0; p < p1; p++) {
        const uint8_t *panel = w->data + (size_t)p * w->panel_bytes;
        float *to = out + (p - p0) * V_ROWS;
        if (w->type == K_F32)
            panel_K_F32(w, panel, a, to, ld);
        else if (w->type == K_F16)
            panel_K_F16(w, panel, a, to, ld);
        else if (w->type == K_BF16)
            panel_K_BF16(w, panel, a, to, ld);
        else
            panel_codes(w, panel, a, done, to, ld);
    }
}

/* Token t of a tile of the given width: codes and words of every block. */
static void v_quantise(const float *x, int cols, uint8_t *tile, int width, int t, float *residual) {
    for (int b = 0; b < cols / CPU_BLOCK; b++, tile += width * CPU_ACT_BLOCK_BYTES) {
        int32_t sums[2], neg[3];
        float d = v_quantise32(x + b * CPU_BLOCK, (int8_t *)tile + t * CPU_BLOCK, sums,
                               residual ? residual + b * CPU_BLOCK : NULL);
        float *words = (float *)(void *)(tile + width * CPU_BLOCK) + t;
        neg[0] = -(sums[0] + sums[1]);
        neg[1] = -sums[0];
        neg[2] = -sums[1];
        words[0] = d;
        memcpy(words + 1 * width, &neg[0], sizeof neg[0]);
        words[2 * width] = d * (float)(sums[0] + sums[1]);
        memcpy(words + 3 * width, &neg[1], sizeof neg[1]);
        memcpy(words + 4 * width, &neg[2], sizeof neg[2]);
        words[5 * width] = d * (float)sums[0];
        words[6 * width] = d * (float)sums[1];
    }
}
