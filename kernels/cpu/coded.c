/* SPDX-License-Identifier: Apache-2.0 */
/* See coded.h. */
#include "kernels/cpu/coded.h"

#include <math.h>

typedef struct {
    int8_t *k, *v;         /* codes */
    k_half *k_scale, *v_scale;
} parts;

static parts parts_of(k_half *page, int head_dim, int value_dim) {
    int8_t *codes = (int8_t *)page;
    size_t keys = (size_t)K_PAGE_TOKENS * (size_t)head_dim;
    k_half *scales = page + plain_page_halves(head_dim, value_dim) / 2;
    return (parts){codes, codes + keys, scales,
                   scales + (size_t)K_PAGE_TOKENS * (size_t)(value_dim / CPU_BLOCK)};
}

/* n <= 32 numbers as codes, `stride` bytes apart; returns their scale. */
static k_half encode(int8_t *to, size_t stride, const float *x, int n) {
    float most = 0;
    for (int i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    k_half half = k_float_to_half(most / 127);
    float scale = k_half_to_float(half);
    for (int i = 0; i < n; i++) {
        float q = scale > 0 ? rintf(x[i] / scale) : 0;
        to[(size_t)i * stride] = (int8_t)fminf(fmaxf(q, -127), 127);
    }
    return half;
}

void coded_keep(k_half *page, int place, const float *k, const float *v, int head_dim,
                int value_dim) {
    parts p = parts_of(page, head_dim, value_dim);
    for (int d = 0; d < head_dim; d += CPU_BLOCK) {
        int n = MIN(CPU_BLOCK, head_dim - d), block = d / CPU_BLOCK;
        p.k_scale[block * K_PAGE_TOKENS + place] =
            encode(p.k + d * K_PAGE_TOKENS + place, K_PAGE_TOKENS, k + d, n);
        p.v_scale[place * (value_dim / CPU_BLOCK) + block] =
            encode(p.v + place * value_dim + d, 1, v + d, n);
    }
}

void coded_widen(const cpu_isa *isa, k_half *plain, const k_half *page, int head_dim,
                 int value_dim) {
    parts p = parts_of((k_half *)(uintptr_t)page, head_dim, value_dim);
    float row[CPU_BLOCK], scale[K_PAGE_TOKENS];
    for (int d = 0; d < head_dim; d++) {
        if (d % CPU_BLOCK == 0)
            for (int j = 0; j < K_PAGE_TOKENS; j++)
                scale[j] = k_half_to_float(p.k_scale[d / CPU_BLOCK * K_PAGE_TOKENS + j]);
        for (int j = 0; j < K_PAGE_TOKENS; j++)
            row[j] = scale[j] * (float)p.k[d * K_PAGE_TOKENS + j];
        isa->half_row(plain + d * K_PAGE_TOKENS, row, K_PAGE_TOKENS, 1);
    }
    k_half *values = plain + head_dim * K_PAGE_TOKENS;
    for (int at = 0; at < K_PAGE_TOKENS * value_dim; at += CPU_BLOCK) {
        float one = k_half_to_float(p.v_scale[at / CPU_BLOCK]);
        for (int j = 0; j < CPU_BLOCK; j++)
            row[j] = one * (float)p.v[at + j];
        isa->half_row(values + at, row, CPU_BLOCK, 1);
    }
}
