/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Attention of the token kernel: 16 warps take 4 (or 8) pages of one row and KV head.  The heads of
 * the group are the rows of a tile of 16.  Four short steps: queries into shared memory; warps take
 * 8 tokens each and put scores there; warps take a row each and make weights of them; warps take 8
 * dimensions each over all tokens.  The CTA that is last merges a row of several parts.
 *
 * What was in the cache before the step is fetched before the wait.  One row: queries come by mail,
 * and so do key and value of the row's own position, which are not yet to be seen in the cache.
 *
 * Fragments and page layout: attention.cu.  How a row is cut depends on its position alone.
 */
#include "kernels/cuda/token_mail.cuh"

#define LOG2E 1.4426950408889634f

enum { ATTEND_AHEAD = 4 }; /* pages that are fetched ahead */

/* One part of one row's attention. */
typedef struct {
    int m, kv_head, tile; /* activation row, KV head, which 16 heads of the group */
    int part, parts;
    int page0, pages; /* of the sequence */
    int heads;        /* of the group in this tile */
    int first_head;
    int fresh;              /* token of the part that is the row's own; beyond the part: none is */
    int page[ATTEND_AHEAD]; /* the first pages in the cache */
} attend_part;

/* Where the step keeps its things in shared memory. */
typedef struct {
    float *m, *l, *score, *out; /* [16], [16], [16][tokens], [16][HD] */
    __half *q;                  /* [16][token_q_stride(HD)] */
    __half *fresh;              /* [2][HD]: key and value of the row's own position */
    __half *weight;             /* [16][tokens + 8] */
    float *scale;               /* merge: [16][parts], over the scores */
    int tokens;
} attend_smem;

template <int HD>
static __device__ __forceinline__ attend_smem attend_layout(uint8_t *smem, int pages) {
    attend_smem s;
    s.tokens = pages * K_PAGE_TOKENS;
    s.m = (float *)smem;
    s.l = s.m + STRIP;
    s.out = s.l + STRIP;
    s.q = (__half *)(s.out + STRIP * HD);
    s.fresh = s.q + STRIP * token_q_stride(HD);
    s.score = s.scale = (float *)(s.fresh + 2 * HD);
    s.weight = (__half *)(s.score + STRIP * s.tokens);
    return s;
}

static __device__ __forceinline__ const int *attend_pages(const token_args &a,
                                                          const attend_part &p) {
    return a.pages + (size_t)a.seq[p.m] * a.pages_stride + p.page0;
}

/* Part number `item` over all rows; there is one. */
static __device__ __forceinline__ void attend_find(const token_args &a, const token_op &op,
                                                   int item, attend_part &p) {
    int group = op.kv.n_head / op.kv.n_head_kv, tiles = (group + STRIP - 1) / STRIP;
    token_cut cut;
    for (p.m = 0;; p.m++) {
        cut = token_cut_of(a.pos[p.m], op.window);
        int all = cut.parts * tiles * op.kv.n_head_kv;
        if (item < all || p.m + 1 >= a.n) break;
        item -= all;
    }
    int per = token_part_pages(cut.pages), rest = item / cut.parts;
    p.part = item - rest * cut.parts;
    p.parts = cut.parts;
    p.kv_head = tiles == 1 ? rest : rest / tiles;
    p.tile = rest - p.kv_head * tiles;
    p.page0 = cut.from + p.part * per;
    p.pages = min(per, cut.from + cut.pages - p.page0);
    p.first_head = p.kv_head * group + p.tile * STRIP;
    p.heads = min((int)STRIP, group - p.tile * STRIP);
    p.fresh = a.pos[p.m] - p.page0 * K_PAGE_TOKENS;
    const int *pages = attend_pages(a, p);
#pragma unroll
    for (int i = 0; i < ATTEND_AHEAD; i++)
        p.page[i] = pages[min(i, p.pages - 1)];
}

static __device__ __forceinline__ int attend_page(const token_args &a, const attend_part &p,
                                                  int i) {
    int page = p.page[0];
#pragma unroll
    for (int k = 1; k < ATTEND_AHEAD; k++)
        page = i == k ? p.page[k] : page;
    return i < ATTEND_AHEAD ? page : attend_pages(a, p)[i];
}

/* A value's rows are plain: those of a strip that are 8 apart. */
static __device__ __forceinline__ int2 plain_dims(int pair) {
    int d = (pair & ~7) * 2 + (pair & 7);
    return make_int2(d, d + 8);
}

/* One row: pair `at` of the part's queries, then of its own key and value. */
template <int HD>
static __device__ __forceinline__ const uint2 *pair_mail(const token_args &a, const token_op &op,
                                                         const attend_part &p, int at) {
    int row = at / (HD / 2), heads = op.kv.n_head, head = p.first_head + row;
    if (row >= p.heads) head = heads + (row - p.heads) * op.kv.n_head_kv + p.kv_head;
    return a.mail_qkv + (size_t)head * (HD / 2) + at % (HD / 2);
}

template <int HD>
static __device__ __forceinline__ void pair_store(const token_op &op, const attend_part &p,
                                                  const attend_smem &s, int at, uint32_t two) {
    int row = at / (HD / 2), pair = at % (HD / 2);
    int2 d = row == p.heads + 1 ? plain_dims(pair) : rope_pair(op.rope, pair);
    __half *to = row < p.heads ? s.q + row * token_q_stride(HD) : s.fresh + (row - p.heads) * HD;
    __half2 v = *(__half2 *)&two;
    to[d.x] = __low2half(v);
    to[d.y] = __high2half(v);
}

template <bool ONE, int HD>
static __device__ __forceinline__ void attend_queries(const token_args &a, const token_op &op,
                                                      const attend_part &p, const attend_smem &s,
                                                      uint32_t stamp, int tid) {
    if (ONE) {
        bool own = p.fresh < s.tokens;
        int n = (p.heads + (own ? 2 : 0)) * (HD / 2);
        for (int at = tid; at < n; at += 2 * TOKEN_THREADS) {
            int next = at + TOKEN_THREADS;
            const uint2 *from = pair_mail<HD>(a, op, p, at);
            const uint2 *from2 = pair_mail<HD>(a, op, p, min(next, n - 1));
            uint2 v = mail_look(from), v2 = mail_look(from2);
            v = mail_wait(from, v, stamp);
            v2 = mail_wait(from2, v2, stamp);
            pair_store<HD>(op, p, s, at, v.x);
            if (next < n) pair_store<HD>(op, p, s, next, v2.x);
        }
    } else {
        const uint4 *q = (const uint4 *)(a.q + ((size_t)p.m * op.kv.n_head + p.first_head) * HD);
        for (int i = tid; i < p.heads * (HD / 8); i += TOKEN_THREADS)
            *(uint4 *)(s.q + i / (HD / 8) * token_q_stride(HD) + i % (HD / 8) * 8) = __ldcg(q + i);
    }
}

/* Keys of tokens 8i .. 8i + 7 of the part, as B fragments. */
template <int HD>
static __device__ __forceinline__ void attend_keys(uint4 k[HD / 32], const token_args &a,
                                                   const token_op &op, const attend_part &p, int i,
                                                   int lane) {
    int page = attend_page(a, p, i >> 2);
    const __half *from = op.kv.k +
                         ((size_t)page * op.kv.n_head_kv + p.kv_head) * HD * K_PAGE_TOKENS +
                         (size_t)(8 * (i & 3) + (lane >> 2)) * HD + 8 * (lane & 3);
#pragma unroll
    for (int e = 0; e < HD / 32; e++)
        k[e] = *(const uint4 *)(from + 32 * e);
}

/* ahead: the first keys of this warp, where they were fetched. */
template <bool ONE, int HD>
static __device__ __forceinline__ void attend_scores(const token_args &a, const token_op &op,
                                                     const attend_part &p, const attend_smem &s,
                                                     const uint4 ahead[HD / 32], int tid) {
    int warp = tid >> 5, lane = tid & 31, n = lane >> 2, c = lane & 3;
    const __half *q = s.q + n * token_q_stride(HD) + 8 * c;
#pragma unroll 1
    for (int i = warp; i < 4 * p.pages; i += TOKEN_WARPS) {
        uint4 k[HD / 32];
        if (ONE && i == warp) {
#pragma unroll
            for (int e = 0; e < HD / 32; e++)
                k[e] = ahead[e];
        } else {
            attend_keys<HD>(k, a, op, p, i, lane);
        }
        if (ONE && 8 * i + n == p.fresh) {
#pragma unroll
            for (int e = 0; e < HD / 32; e++)
                k[e] = *(const uint4 *)(s.fresh + 8 * c + 32 * e);
        }
        float sc[4] = {0, 0, 0, 0};
#pragma unroll
        for (int e = 0; e < HD / 32; e++) {
            uint4 top = *(const uint4 *)(q + 32 * e);
            uint4 low = *(const uint4 *)(q + 8 * token_q_stride(HD) + 32 * e);
            const uint32_t first[4] = {top.x, low.x, top.y, low.y};
            const uint32_t second[4] = {top.z, low.z, top.w, low.w};
            mma_f16(sc, first, k[e].x, k[e].y);
            mma_f16(sc, second, k[e].z, k[e].w);
        }
        int at = 8 * i + 2 * c;
        int pos = p.page0 * K_PAGE_TOKENS + at, limit = a.pos[p.m];
#pragma unroll
        for (int x = 0; x < 4; x++) {
            int here = pos + (x & 1);
            float v = sc[x] * op.scale;
            if (op.softcap > 0) v = op.softcap * tanhf(v / op.softcap);
            bool seen = here <= limit && (op.window <= 0 || here > limit - op.window);
            sc[x] = seen ? v * LOG2E : -INFINITY;
        }
        *(float2 *)(s.score + n * s.tokens + at) = make_float2(sc[0], sc[1]);
        *(float2 *)(s.score + (n + 8) * s.tokens + at) = make_float2(sc[2], sc[3]);
    }
}

/* Warp r makes weights of row r; rows that are no head get zeros. */
static __device__ __forceinline__ void attend_weights(const attend_part &p, const attend_smem &s,
                                                      int tid) {
    int r = tid >> 5, lane = tid & 31;
    const float *score = s.score + r * s.tokens;
    __half *weight = s.weight + r * (s.tokens + 8);
    float m = -INFINITY, l = 0;
    if (r < p.heads) {
        for (int i = lane; i < s.tokens; i += 32)
            m = fmaxf(m, score[i]);
        m = warp_max(m);
    }
    for (int i = lane; i < s.tokens; i += 32) {
        float w = m == -INFINITY ? 0 : exp2f(score[i] - m);
        l += w;
        weight[i] = __float2half(w);
    }
    l = warp_sum(l);
    if (lane == 0) s.m[r] = m, s.l[r] = l;
}

/* Values of dimension 8e + n of the row's KV head, tokens 8c .. 8c + 7 of a page. */
template <int HD>
static __device__ __forceinline__ uint4 attend_value(const token_op &op, const attend_part &p,
                                                     int page, int e, int lane) {
    size_t slab = ((size_t)page * op.kv.n_head_kv + p.kv_head) * HD * K_PAGE_TOKENS;
    int at = (8 * e + (lane >> 2)) * K_PAGE_TOKENS + 8 * (lane & 3);
    return *(const uint4 *)(op.kv.v + slab + at);
}

/* Tokens 8c .. 8c + 7 of a dimension, with the value of token `at` put right. */
static __device__ __forceinline__ uint4 with_value(uint4 v, int at, __half own) {
    uint32_t w[4] = {v.x, v.y, v.z, v.w}, bits = __half_as_ushort(own);
#pragma unroll
    for (int k = 0; k < 4; k++) {
        if (at >> 1 == k) w[k] = __byte_perm(w[k], bits, at & 1 ? 0x5410 : 0x3254);
    }
    return make_uint4(w[0], w[1], w[2], w[3]);
}

/* Warp e sums dimensions 8e .. 8e + 7 of all rows into `to` [16][HD]; ahead: the first values. */
template <bool ONE, int HD>
static __device__ __forceinline__ void
attend_values(const token_args &a, const token_op &op, const attend_part &p, const attend_smem &s,
              const uint4 ahead[ATTEND_AHEAD], float *to, int tid) {
    int warp = tid >> 5, lane = tid & 31, n = lane >> 2, c = lane & 3;
#pragma unroll 1
    for (int e = warp; e < HD / 8; e += TOKEN_WARPS) {
        float o[4] = {0, 0, 0, 0};
        auto add = [&](int i, uint4 b) {
            int own = p.fresh - i * K_PAGE_TOKENS - 8 * c;
            if (ONE && own >= 0 && own < 8) b = with_value(b, own, s.fresh[HD + 8 * e + n]);
            const __half *w = s.weight + n * (s.tokens + 8) + i * K_PAGE_TOKENS + 8 * c;
            uint4 top = *(const uint4 *)w, low = *(const uint4 *)(w + 8 * (s.tokens + 8));
            const uint32_t first[4] = {top.x, low.x, top.y, low.y};
            const uint32_t second[4] = {top.z, low.z, top.w, low.w};
            mma_f16(o, first, b.x, b.y);
            mma_f16(o, second, b.z, b.w);
        };
#pragma unroll
        for (int i = 0; i < ATTEND_AHEAD; i++) {
            if (i >= p.pages) break;
            add(i, e == warp ? ahead[i] : attend_value<HD>(op, p, p.page[i], e, lane));
        }
#pragma unroll 1
        for (int i = ATTEND_AHEAD; i < p.pages; i++)
            add(i, attend_value<HD>(op, p, attend_page(a, p, i), e, lane));
        float *out = to + 8 * e + 2 * c;
        if (n < p.heads) *(float2 *)(out + n * HD) = make_float2(o[0], o[1]);
        if (n + 8 < p.heads) *(float2 *)(out + (n + 8) * HD) = make_float2(o[2], o[3]);
    }
}

template <int HD> static __host__ __device__ constexpr int attend_part_floats() {
    return STRIP * (HD + 2);
}

/* The factors of all parts of the rows, and the sums of weights. */
template <int HD>
static __device__ __forceinline__ void merge_facts(const attend_part &p, const attend_smem &s,
                                                   const float *parts, int tid) {
    int r = tid >> 5, lane = tid & 31;
    const float *facts = parts + STRIP * HD + r;
    float top = -INFINITY, sum = 0, m = -INFINITY, l = 0;
    if (lane < p.parts) { /* together: each is a way to memory and back */
        m = __ldcg(facts + (size_t)lane * attend_part_floats<HD>());
        l = __ldcg(facts + (size_t)lane * attend_part_floats<HD>() + STRIP);
    }
    top = m;
    for (int i = lane + 32; i < p.parts; i += 32)
        top = fmaxf(top, __ldcg(facts + (size_t)i * attend_part_floats<HD>()));
    top = warp_max(top);
    for (int i = lane; i < p.parts; i += 32) {
        if (i != lane) {
            m = __ldcg(facts + (size_t)i * attend_part_floats<HD>());
            l = __ldcg(facts + (size_t)i * attend_part_floats<HD>() + STRIP);
        }
        float scale = m == -INFINITY ? 0 : exp2f(m - top);
        s.scale[r * p.parts + i] = scale;
        sum += scale * l;
    }
    sum = warp_sum(sum);
    if (lane == 0) s.l[r] = sum;
}

/* The last CTA of a row: sums[16][HD] and l[16] of all parts together; four threads share the parts
 * of four dimensions. */
template <int HD>
static __device__ __forceinline__ void attend_merge(const attend_part &p, const attend_smem &s,
                                                    const float *parts, int tid) {
    merge_facts<HD>(p, s, parts, tid);
    __syncthreads();
    int quarter = tid & 3;
    for (int at = tid >> 2; at < STRIP * (HD / 4); at += TOKEN_THREADS / 4) {
        int row = at / (HD / 4), d = at % (HD / 4), some = row < p.heads ? p.parts : 0;
        float4 o = make_float4(0, 0, 0, 0);
#pragma unroll 8
        for (int i = quarter; i < some; i += 4) {
            const float *f = parts + (size_t)i * attend_part_floats<HD>() + row * HD + 4 * d;
            float4 v = __ldcg((const float4 *)f);
            float w = s.scale[row * p.parts + i];
            o.x += w * v.x, o.y += w * v.y, o.z += w * v.z, o.w += w * v.w;
        }
#pragma unroll
        for (int step = 1; step < 4; step *= 2) {
            o.x += __shfl_xor_sync(0xffffffffu, o.x, step);
            o.y += __shfl_xor_sync(0xffffffffu, o.y, step);
            o.z += __shfl_xor_sync(0xffffffffu, o.z, step);
            o.w += __shfl_xor_sync(0xffffffffu, o.w, step);
        }
        if (quarter == 0) *(float4 *)(s.out + row * HD + 4 * d) = o;
    }
}

/* out / l of the heads, as int8 activations of the next product. */
template <bool ONE, int HD>
static __device__ __forceinline__ void attend_emit(const token_args &a, const attend_part &p,
                                                   const attend_smem &s, uint32_t stamp, int tid) {
    for (int at = tid; at < STRIP * (HD / 4); at += TOKEN_THREADS) {
        int row = at / (HD / 4), d = at % (HD / 4);
        if ((at - (tid & 31)) / (HD / 4) >= p.heads) break; /* the same for a whole warp */
        bool there = row < p.heads;
        float4 v = *(const float4 *)(s.out + row * HD + 4 * d);
        float scale = there ? __fdividef(1.0f, s.l[row]) : 0;
        const float four[4] = {v.x * scale, v.y * scale, v.z * scale, v.w * scale};
        half_codes h = half_quantise<4, !ONE>(four);
        int half = (p.first_head + row) * (HD / HALF) + d / 4;
        if (there && h.part >= 0) half_put<ONE>(a.att, half, p.m, h, 0, stamp);
    }
}

/* What can be fetched before the wait. */
template <int HD> struct attend_ahead { uint4 values[ATTEND_AHEAD], keys[HD / 32]; };

template <bool ONE, int HD>
static __device__ __forceinline__ void attend_fetch(attend_ahead<HD> &ahead, const token_args &a,
                                                    const token_op &op, const attend_part &p,
                                                    int tid) {
    int warp = tid >> 5, lane = tid & 31;
    if (ONE && warp < 4 * p.pages) attend_keys<HD>(ahead.keys, a, op, p, warp, lane);
#pragma unroll
    for (int i = 0; i < ATTEND_AHEAD; i++)
        ahead.values[i] = attend_value<HD>(op, p, p.page[i], warp % (HD / 8), lane);
}

template <bool ONE, int HD>
static __device__ __forceinline__ void
attend_one(const token_args &a, const token_op &op, const attend_part &p, const attend_smem &s,
           const attend_ahead<HD> &ahead, int *last, uint32_t stamp, int tid) {
    int tiles = (op.kv.n_head / op.kv.n_head_kv + STRIP - 1) / STRIP;
    size_t cell = ((size_t)p.m * op.kv.n_head_kv + p.kv_head) * tiles + p.tile;
    float *parts = a.part + cell * a.part_cells * attend_part_floats<HD>();
    float *mine = parts + (size_t)p.part * attend_part_floats<HD>();
    attend_scores<ONE, HD>(a, op, p, s, ahead.keys, tid);
    __syncthreads();
    attend_weights(p, s, tid);
    __syncthreads();
    attend_values<ONE, HD>(a, op, p, s, ahead.values, p.parts == 1 ? s.out : mine, tid);
    if (p.parts > 1) {
        if (tid < STRIP) {
            mine[STRIP * HD + tid] = s.m[tid];
            mine[STRIP * HD + STRIP + tid] = s.l[tid];
        }
        __syncthreads();
        if (tid == 0) {
            __threadfence(); /* for the whole CTA, behind its barrier */
            *last = atomicAdd(&a.ticket[cell], 1) == p.parts - 1;
            __threadfence();
        }
        __syncthreads();
        if (!*last) return;
        if (tid == 0) a.ticket[cell] = 0;
        attend_merge<HD>(p, s, parts, tid);
    }
    __syncthreads();
    attend_emit<ONE, HD>(a, p, s, stamp, tid);
}
