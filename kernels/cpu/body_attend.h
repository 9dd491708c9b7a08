/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Attention over one span of KV positions for 1..V_QUERIES queries of one KV head.  Included once
 * by each isa_*.c after body_rows.h.
 *
 * A span is scored, exponentiated against its own maximum and summed on its own; the caller merges
 * spans in order.  Spans start at multiples of CPU_SPAN, so a row's result does not depend on its
 * batch.  Positions that a query does not see weigh exactly zero.
 */

#define V_WORDS (32 / V_ROWS) /* vectors that hold 32 positions or 32 dimensions */

V_INLINE void words_zero(vf *words) {
    V_UNROLL
    for (int w = 0; w < V_WORDS; w++)
        words[w] = v_zero();
}

V_INLINE void words_store(float *to, const vf *words) {
    V_UNROLL
    for (int w = 0; w < V_WORDS; w++)
        v_store(to + w * V_ROWS, words[w]);
}

/* Where the span's page p begins in this layer and head; past the span's end, its last page. */
static const k_half *span_page(const cpu_span *s, int p, int last) {
    return s->kv + (size_t)s->pages[s->start / K_PAGE_TOKENS + MIN(p, last)] * s->page_stride;
}

/* score[n][0..31] = q[n] . K for one page; K is transposed: [head_dim][32].  `next` is what will be
 * read after it: few queries wait for memory. */
V_INLINE void page_scores(const cpu_span *s, const int N, const k_half *k, const k_half *next,
                          float *score) {
    vf acc[V_QUERIES][V_WORDS];
    V_UNROLL
    for (int n = 0; n < N; n++)
        words_zero(acc[n]);
    for (int d = 0; d < s->head_dim; d++, k += K_PAGE_TOKENS, next += K_PAGE_TOKENS) {
        vf key[V_WORDS];
        if (N <= 3) __builtin_prefetch(next);
        V_UNROLL
        for (int w = 0; w < V_WORDS; w++)
            key[w] = v_half(k + w * V_ROWS);
        V_UNROLL
        for (int n = 0; n < N; n++) {
            vf q = v_set1(s->q[n][d]);
            V_UNROLL
            for (int w = 0; w < V_WORDS; w++)
                acc[n][w] = v_fma(q, key[w], acc[n][w]);
        }
    }
    V_UNROLL
    for (int n = 0; n < N; n++)
        words_store(score + n * CPU_SPAN, acc[n]);
}

/* acc[n][0..31] of dimensions d.. = sum over positions from..to-1 of weight times V. */
V_INLINE void span_values(const cpu_span *s, const int N, const float *weight, int d, int from,
                          int to) {
    vf acc[V_QUERIES][V_WORDS];
    const int last = (to - 1) / K_PAGE_TOKENS;
    const size_t values = (size_t)s->head_dim * K_PAGE_TOKENS + (size_t)d;
    V_UNROLL
    for (int n = 0; n < N; n++)
        words_zero(acc[n]);
    for (int p = from / K_PAGE_TOKENS; p <= last; p++) {
        int j = MAX(from, p * K_PAGE_TOKENS), end = MIN(to, (p + 1) * K_PAGE_TOKENS);
        size_t at = values + (size_t)(j % K_PAGE_TOKENS * s->value_dim);
        const k_half *v = span_page(s, p, last) + at, *next = span_page(s, p + 1, last) + at;
        for (; j < end; j++, v += s->value_dim, next += s->value_dim) {
            vf value[V_WORDS];
            if (N <= 3) __builtin_prefetch(next);
            V_UNROLL
            for (int w = 0; w < V_WORDS; w++)
                value[w] = v_half(v + w * V_ROWS);
            V_UNROLL
            for (int n = 0; n < N; n++) {
                vf one = v_set1(weight[n * CPU_SPAN + j]);
                V_UNROLL
                for (int w = 0; w < V_WORDS; w++)
                    acc[n][w] = v_fma(one, value[w], acc[n][w]);
            }
        }
    }
    V_UNROLL
    for (int n = 0; n < N; n++)
        words_store(s->acc[n] + d, acc[n]);
}

/* Scores of query n become weights e^(score - max); from..to: the pages that were scored. */
static void span_weights(const cpu_span *s, int n, float *score, int from, int to) {
    int first = MAX(s->first[n] - s->start, from), end = MIN(s->last[n] + 1 - s->start, to);
    for (int j = from; j < to; j += V_ROWS) {
        vf v = v_mul(v_load(score + j), v_set1(s->scale));
        v_store(score + j, s->softcap > 0 ? v_softcap(v, s->softcap) : v);
    }
    for (int j = from; j < MIN(first, to); j++)
        score[j] = -INFINITY;
    for (int j = MAX(end, from); j < to; j++)
        score[j] = -INFINITY;
    float max = v_row_max(score + from, to - from);
    vf sum = v_zero();
    for (int j = from; j < to; j += V_ROWS)
        v_store(score + j, v_exp(v_sub(v_load(score + j), v_set1(max))));
    for (int j = from; j < MIN(first, to); j++)
        score[j] = 0;
    for (int j = MAX(end, from); j < to; j++)
        score[j] = 0;
    for (int j = from; j < to; j += V_ROWS)
        sum = v_add(sum, v_load(score + j));
    *s->max[n] = first < end ? max : -INFINITY;
    *s->sum[n] = first < end ? v_hsum(sum) : 0;
}

V_INLINE void span_attend(const cpu_span *s, const int N) {
    float score[V_QUERIES * CPU_SPAN];
    int from = CPU_SPAN, to = 0;
    for (int n = 0; n < N; n++) {
        from = MIN(from, MAX(s->first[n] - s->start, 0));
        to = MAX(to, MIN(s->last[n] + 1 - s->start, CPU_SPAN));
    }
    int page_from = from / K_PAGE_TOKENS, page_to = (to + K_PAGE_TOKENS - 1) / K_PAGE_TOKENS;
    for (int p = page_from; p < page_to; p++) {
        const k_half *next = span_page(s, p + 1, page_to - 1);
        if (p + 1 == page_to) /* the first values */
            next = span_page(s, page_from, page_to) + s->head_dim * K_PAGE_TOKENS;
        page_scores(s, N, span_page(s, p, page_to), next, score + p * K_PAGE_TOKENS);
    }
    for (int n = 0; n < N; n++)
        span_weights(s, n, score + n * CPU_SPAN, page_from * K_PAGE_TOKENS,
                     page_to * K_PAGE_TOKENS);
    for (int d = 0; d < s->value_dim; d += 32)
        span_values(s, N, score, d, from, to);
}

static void v_attend(const cpu_span *s) {
    switch (s->queries) {
    case 1: span_attend(s, 1); break;
    case 2: span_attend(s, 2); break;
#if V_QUERIES == 12
    case 3: span_attend(s, 3); break;
    case 4: span_attend(s, 4); break;
    case 5: span_attend(s, 5); break;
    case 6: span_attend(s, 6); break;
    case 7: span_attend(s, 7); break;
    case 8: span_attend(s, 8); break;
    case 9: span_attend(s, 9); break;
    case 10: span_attend(s, 10); break;
    case 11: span_attend(s, 11); break;
    case 12: span_attend(s, 12); break;
#endif
    default: ASSERT(0);
    }
}

static void v_merge(float *total, float *total_max, float *total_sum, const float *acc, float max,
                    float sum, int n) {
    if (!(sum > 0)) return;
    float top = *total_sum > 0 && *total_max > max ? *total_max : max;
    float keep = *total_sum > 0 ? expf(*total_max - top) : 0, add = expf(max - top);
    for (int i = 0; i < n; i += V_ROWS) {
        vf old = *total_sum > 0 ? v_load(total + i) : v_zero();
        v_store(total + i, v_fma(v_load(acc + i), v_set1(add), v_mul(old, v_set1(keep))));
    }
    *total_sum = *total_sum * keep + sum * add;
    *total_max = top;
}
