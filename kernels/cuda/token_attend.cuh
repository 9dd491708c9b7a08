/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Attention of the token kernel: 16 warps take 4 (or 8) pages of one row and KV head.  The heads of
 * the group are the rows of a tile of 16.  Three short steps: warps take 8 tokens each and put
 * scores into shared memory; warps take a row each and make weights of them; warps take 8
 * dimensions each over all tokens.  The CTA that is last merges a row of several parts.
 *
 * Fragments and page layout: attention.cu.  How a row is cut depends on its position alone.
 */
#include "kernels/cuda/token_stream.cuh"

#define LOG2E 1.4426950408889634f

/* Puts 4 values of a chunk (8 lanes have one) into B fragments and row facts. */
static __device__ __forceinline__ void put_chunk(uint2 *frag, float4 *meta, const float v[4],
                                                 bool inside) {
    float4 facts;
    int packed = act_quantise(v, facts), part = threadIdx.x & 7;
    if (!inside) return;
    ((int *)(frag + (part & 3)))[part >> 2] = packed;
    if (part == 0) *meta = facts;
}

static __device__ __forceinline__ void mma_f16(float c[4], const uint32_t a[4], uint32_t b0,
                                               uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

enum { ATTEND_AHEAD = 4 }; /* pages whose values are fetched along with the keys */

/* One part of one row's attention. */
typedef struct {
    int m, kv_head, tile; /* activation row, KV head, which 16 heads of the group */
    int part, parts;
    int page0, pages; /* of the sequence */
    int heads;        /* of the group in this tile */
    int first_head;
    int page[ATTEND_AHEAD]; /* the first pages in the cache */
} attend_part;

/* Where the step keeps its things in shared memory. */
typedef struct {
    float *m, *l, *score, *out; /* [16], [16], [16][tokens], [16][HD] */
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
    s.score = s.scale = s.out + STRIP * HD;
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

template <int HD>
static __device__ __forceinline__ void attend_scores(const token_args &a, const token_op &op,
                                                     const attend_part &p, const attend_smem &s,
                                                     int tid) {
    int warp = tid >> 5, lane = tid & 31, n = lane >> 2, c = lane & 3;
    uint32_t q[HD / 32][2][4];
    const __half *from = a.q + ((size_t)p.m * op.kv.n_head + p.first_head) * HD + 8 * c;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = n + 8 * half;
#pragma unroll
        for (int e = 0; e < HD / 32; e++) {
            uint4 v = make_uint4(0, 0, 0, 0);
            if (r < p.heads) v = *(const uint4 *)(from + (size_t)r * HD + 32 * e);
            q[e][0][half] = v.x, q[e][0][half + 2] = v.y;
            q[e][1][half] = v.z, q[e][1][half + 2] = v.w;
        }
    }
#pragma unroll 1
    for (int i = warp; i < 4 * p.pages; i += TOKEN_WARPS) {
        int j = i & 3; /* tokens 8j .. 8j + 7 of the page */
        int page = attend_page(a, p, i >> 2);
        const __half *k = op.kv.k +
                          ((size_t)page * op.kv.n_head_kv + p.kv_head) * HD * K_PAGE_TOKENS +
                          (size_t)(8 * j + n) * HD + 8 * c;
        float sc[4] = {0, 0, 0, 0};
#pragma unroll
        for (int e = 0; e < HD / 32; e++) {
            uint4 v = *(const uint4 *)(k + 32 * e);
            mma_f16(sc, q[e][0], v.x, v.y);
            mma_f16(sc, q[e][1], v.z, v.w);
        }
        int at = i / 4 * K_PAGE_TOKENS + 8 * j + 2 * c;
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

/* Warp e sums dimensions 8e .. 8e + 7 of all rows into `to` [16][HD]; ahead: the first values. */
template <int HD>
static __device__ __forceinline__ void
attend_values(const token_args &a, const token_op &op, const attend_part &p, const attend_smem &s,
              const uint4 ahead[ATTEND_AHEAD], float *to, int tid) {
    int warp = tid >> 5, lane = tid & 31, n = lane >> 2, c = lane & 3;
#pragma unroll 1
    for (int e = warp; e < HD / 8; e += TOKEN_WARPS) {
        float o[4] = {0, 0, 0, 0};
        auto add = [&](int i, const uint4 &b) {
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
template <int HD>
static __device__ __forceinline__ void attend_emit(const token_args &a, const attend_part &p,
                                                   const attend_smem &s, int tid) {
    for (int at = tid; at < STRIP * (HD / 4); at += TOKEN_THREADS) {
        int row = at / (HD / 4), d = at % (HD / 4);
        bool there = row < p.heads;
        float4 v = *(const float4 *)(s.out + row * HD + 4 * d);
        float scale = there ? __fdividef(1.0f, s.l[row]) : 0;
        const float four[4] = {v.x * scale, v.y * scale, v.z * scale, v.w * scale};
        size_t chunk = (size_t)(p.first_head + (there ? row : 0)) * (HD / CHUNK) + d / 8;
        put_chunk(a.att.frag + chunk * 32 + p.m * 4, a.att.meta + chunk * TOKEN_ROWS + p.m, four,
                  there);
    }
}

template <int HD>
static __device__ __forceinline__ void attend_one(const token_args &a, const token_op &op,
                                                  const attend_part &p, uint8_t *smem, int *last,
                                                  int tid) {
    attend_smem s = attend_layout<HD>(smem, p.pages);
    int tiles = (op.kv.n_head / op.kv.n_head_kv + STRIP - 1) / STRIP;
    size_t cell = ((size_t)p.m * op.kv.n_head_kv + p.kv_head) * tiles + p.tile;
    float *parts = a.part + cell * a.part_cells * attend_part_floats<HD>();
    float *mine = parts + (size_t)p.part * attend_part_floats<HD>();
    uint4 ahead[ATTEND_AHEAD]; /* nothing in the scores says which values are needed */
#pragma unroll
    for (int i = 0; i < ATTEND_AHEAD; i++)
        ahead[i] = attend_value<HD>(op, p, p.page[i], (tid >> 5) % (HD / 8), tid & 31);
    attend_scores<HD>(a, op, p, s, tid);
    __syncthreads();
    attend_weights(p, s, tid);
    __syncthreads();
    attend_values<HD>(a, op, p, s, ahead, p.parts == 1 ? s.out : mine, tid);
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
    attend_emit<HD>(a, p, s, tid);
}
