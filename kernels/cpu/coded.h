/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Pages of keys and values as int8 (KV_Q8), for one layer and KV head.
 *
 * The codes stand as the halves of a plain page do, K transposed [head_dim][32], then V
 * [32][value_dim]; behind them a binary16 scale per position and 32 dimensions, for K
 * [head_dim / 32, up][32], for V [32][value_dim / 32].  Attention widens the pages of a span to
 * halves before it reads them: a little work for half the memory.  Pure.  Thread: any. */
#include "kernels/cpu/isa.h"

/* Sizes of a page in halves. */
static inline size_t plain_page_halves(int head_dim, int value_dim) {
    return (size_t)K_PAGE_TOKENS * (size_t)(head_dim + value_dim);
}
static inline size_t coded_page_halves(int head_dim, int value_dim) {
    size_t scales = (size_t)(2 * (value_dim / CPU_BLOCK));
    return plain_page_halves(head_dim, value_dim) / 2 + (size_t)K_PAGE_TOKENS * scales;
}

/* Puts one position's K and V, f32 [head_dim], into a page. */
void coded_keep(k_half *page, int place, const float *k, const float *v, int head_dim,
                int value_dim);
/* The whole page as a plain one. */
void coded_widen(const cpu_isa *isa, k_half *plain, const k_half *page, int head_dim,
                 int value_dim);
