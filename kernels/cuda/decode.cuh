/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The decode path: 1, 2, 4 or 8 activation rows against a matrix, bound by reading the weights once.
 *
 * A CTA has 8 warps.  Its prologue brings the activations into shared memory as int8 per 32 (norm and
 * quantisation are redone in every CTA: cheaper than one more launch); then each warp takes a pair of
 * rows and its lanes walk them chunk by chunk, 16 bytes a load, the next chunk already in flight while
 * this one is multiplied.  Wide rows are split over 2, 4 or 8 warps.  Before the wait for the previous
 * kernel every warp asks for its weights to be brought into L2: they do not depend on it.
 *
 * The order of additions of a row depends on the matrix alone, never on the number of activation
 * rows: a batch of 8 gives the same bits as 8 single steps.
 *
 * Shared memory: [n] rows of lo[chunks][16], hi[chunks][16], meta[chunks][8]; the float formats use
 * float activations [n][cols] instead.
 */
#include "kernels/cuda/formats.cuh"

enum { WARPS = 8, THREADS = WARPS * 32, U_ROWS = 32 };

typedef enum { MODE_QKV, MODE_PROJ, MODE_GATE_UP, MODE_HEAD } mode;

typedef struct {
    int split;    /* warps that share a pair of rows */
    int rounds;   /* pairs that a warp takes one after the other */
    int pairs;    /* of the whole launch */
    size_t row_bytes; /* shared memory of one activation row */
} geometry;

typedef struct {
    int4 *lo, *hi;
    float2 *meta;
} act_row;

static __device__ __forceinline__ act_row act_row_at(const uint8_t *base, int chunks) {
    act_row r;
    r.lo = (int4 *)base;
    r.hi = r.lo + chunks;
    r.meta = (float2 *)(r.hi + chunks);
    return r;
}

/* Quantises 4 neighbouring values per thread, 8 threads a chunk: symmetric, scale = max / 127.  All
 * lanes of the warp call it; `inside` says which may write. */
static __device__ __forceinline__ void quantise_chunk(const float v[4], int c, int part,
                                                      const act_row &r, bool inside) {
    float top = fmaxf(fmaxf(fabsf(v[0]), fabsf(v[1])), fmaxf(fabsf(v[2]), fabsf(v[3])));
#pragma unroll
    for (int o = 4; o > 0; o >>= 1)
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, o));
    float scale = top / 127.0f, inverse = top > 0 ? 127.0f / top : 0.0f;
    int packed = 0, sum = 0;
#pragma unroll
    for (int k = 0; k < 4; k++) {
        int q = __float2int_rn(v[k] * inverse);
        packed |= (q & 0xff) << (8 * k);
        sum += q;
    }
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    sum += __shfl_xor_sync(0xffffffffu, sum, 2); /* over 4 threads: one half of 16 columns */
    int other = __shfl_xor_sync(0xffffffffu, sum, 4);
    if (!inside) return;
    ((int *)(part < 4 ? r.lo : r.hi))[4 * c + (part & 3)] = packed;
    if (part == 0) r.meta[c] = make_float2(scale, __int_as_float((sum & 0xffff) | other << 16));
}

/* Mean and inverse deviation (or inverse root mean square) of a row. */
static __device__ float2 norm_statistics(const float *x, int dim, const norm_dev &norm, float *red) {
    if (norm.kind < 0) return make_float2(0, 1);
    float sum = 0;
    for (int i = threadIdx.x; i < dim; i += THREADS)
        sum += norm.kind == NORM_RMS ? x[i] * x[i] : x[i];
    sum = block_sum(sum, red) / (float)dim;
    if (norm.kind == NORM_RMS) return make_float2(0, rsqrtf(sum + norm.eps));
    float spread = 0;
    for (int i = threadIdx.x; i < dim; i += THREADS)
        spread += (x[i] - sum) * (x[i] - sum);
    return make_float2(sum, rsqrtf(block_sum(spread, red) / (float)dim + norm.eps));
}

/* One row: x -> norm -> int8 (or float) in shared memory; columns past dim are zero. */
template <bool FLOAT>
static __device__ void prologue_norm(const float *x, int dim, int chunks, const norm_dev &norm,
                                     uint8_t *smem, float *red) {
    float2 stat = norm_statistics(x, dim, norm, red);
    act_row r = act_row_at(smem, chunks);
    int padded = chunks * CHUNK, lane = threadIdx.x & 31;
    for (int first = (threadIdx.x >> 5) * 128; first < padded; first += THREADS * 4) {
        int base = first + lane * 4;
        float v[4];
#pragma unroll
        for (int k = 0; k < 4; k++) {
            int i = base + k;
            v[k] = i < dim ? (x[i] - stat.x) * stat.y : 0;
            if (norm.kind >= 0 && i < dim) v[k] = v[k] * norm.w[i] + (norm.b ? norm.b[i] : 0);
        }
        if (FLOAT) {
            if (base < padded)
                *(float4 *)((float *)smem + base) = make_float4(v[0], v[1], v[2], v[3]);
        } else {
            quantise_chunk(v, base / CHUNK, lane & 7, r, base < padded);
        }
    }
}

/* One row of int8 activations from global memory; for the float formats turned back into floats. */
template <bool FLOAT>
static __device__ void prologue_copy(const uint8_t *src, int chunks, uint8_t *smem) {
    if (!FLOAT) {
        int n = (int)(act_bytes(chunks) / 8);
        for (int i = threadIdx.x; i < n; i += THREADS)
            ((int2 *)smem)[i] = ((const int2 *)src)[i];
        return;
    }
    act_row r = act_row_at(src, chunks);
    for (int i = threadIdx.x; i < chunks * CHUNK; i += THREADS) {
        int c = i / CHUNK, k = i % CHUNK;
        const int8_t *q = (const int8_t *)(k < 16 ? r.lo : r.hi) + 16 * c + (k & 15);
        ((float *)smem)[i] = r.meta[c].x * (float)*q;
    }
}

/* ---- dot products ------------------------------------------------------------------------------ */

/* One row of a matrix, in registers. */
typedef struct {
    const uint8_t *q, *h, *s, *d;
    size_t base; /* its first chunk */
    int row;
} wrow;

static __device__ __forceinline__ wrow row_of(const wmat &w, int row) {
    wrow r = {w.q, w.h, w.s, w.d, (size_t)row * w.chunks, row};
    return r;
}

template <int FMT>
static __device__ __forceinline__ void load_chunk(wraw &raw, const wrow &r, int c) {
    size_t at = r.base + c;
    wload<FMT>(raw, r.q, r.h, r.s, r.d, at);
}

template <int FMT, int N>
static __device__ __forceinline__ void dot_pair(const wrow &p0, const wrow &p1, int chunks, int c0,
                                                int step, const uint8_t *smem, size_t row_bytes,
                                                float acc[2][N]) {
    wraw r0, r1, n0, n1;
    int c = c0;
    if (c < chunks) {
        load_chunk<FMT>(r0, p0, c);
        load_chunk<FMT>(r1, p1, c);
    }
#pragma unroll 1
    while (c < chunks) {
        int next = c + step;
        if (next < chunks) {
            load_chunk<FMT>(n0, p0, next);
            load_chunk<FMT>(n1, p1, next);
        }
        int v0[8], v1[8];
        float s0[4], s1[4];
        wunpack<FMT>(v0, r0);
        wunpack<FMT>(v1, r1);
        wscales<FMT>(r0, s0[0], s0[1], s0[2], s0[3]);
        wscales<FMT>(r1, s1[0], s1[1], s1[2], s1[3]);
#pragma unroll
        for (int m = 0; m < N; m++) {
            act_row a = act_row_at(smem + m * row_bytes, chunks);
            int4 lo = a.lo[c], hi = a.hi[c];
            float2 meta = a.meta[c];
            acc[0][m] += wdot<FMT>(v0, s0[0], s0[1], s0[2], s0[3], lo, hi, meta);
            acc[1][m] += wdot<FMT>(v1, s1[0], s1[1], s1[2], s1[3], lo, hi, meta);
        }
        r0 = n0;
        r1 = n1;
        c = next;
    }
}

template <int FMT, int N>
static __device__ __forceinline__ void dot_float(const wrow &p, int chunks, int c0, int step,
                                                 const uint8_t *smem, size_t row_bytes,
                                                 float acc[N]) {
    for (int c = c0; c < chunks; c += step) {
        float v[32];
        wfloats<FMT>(v, p.q, p.base + c);
#pragma unroll
        for (int m = 0; m < N; m++) {
            const float4 *a = (const float4 *)(smem + m * row_bytes) + 8 * c;
#pragma unroll
            for (int k = 0; k < 8; k++) {
                float4 f = a[k];
                acc[m] += v[4 * k] * f.x + v[4 * k + 1] * f.y + v[4 * k + 2] * f.z +
                          v[4 * k + 3] * f.w;
            }
        }
    }
}

/* ---- which rows a pair is, and what happens to its sums --------------------------------------------- */

/* Dimensions of a head that pair number p covers: those that turn together stand together. */
static __device__ __forceinline__ int2 head_pair(const rope_dev &rope, int p) {
    int half = rope.n_rot / 2;
    if (rope.kind == ROPE_NEOX && p < half) return make_int2(p, p + half);
    return make_int2(2 * p, 2 * p + 1); /* NORM, and what does not turn behind n_rot */
}

/* Rows of pair number `pair`; `which` says of which matrix (QKV).  No array of the arguments is
 * indexed by a variable: that would move all of them to local memory. */
template <int MODE>
static __device__ __forceinline__ void pair_rows(const decode_args &a, int pair, wrow &p0, wrow &p1,
                                                 int &which) {
    which = 0;
    if (MODE == MODE_GATE_UP) {
        bool gated = a.w[0].rows != 0;
        int last = a.w[1].rows - 1;
        p0 = gated ? row_of(a.w[0], pair) : row_of(a.w[1], 2 * pair);
        p1 = row_of(a.w[1], gated ? pair : min(2 * pair + 1, last));
        return;
    }
    if (MODE != MODE_QKV) {
        p0 = row_of(a.w[0], 2 * pair);
        p1 = row_of(a.w[0], min(2 * pair + 1, a.w[0].rows - 1));
        return;
    }
    int q_pairs = a.w[0].rows / 2, k_pairs = a.w[1].rows / 2;
    which = pair < q_pairs ? 0 : pair < q_pairs + k_pairs ? 1 : 2;
    pair -= which == 0 ? 0 : which == 1 ? q_pairs : q_pairs + k_pairs;
    int r0 = 2 * pair, r1 = 2 * pair + 1;
    if (which < 2 && !a.raw) {
        int half = a.kv.head_dim / 2, head = pair / half;
        int2 d = head_pair(a.rope, pair % half);
        r0 = head * a.kv.head_dim + d.x;
        r1 = head * a.kv.head_dim + d.y;
    }
    p0 = which == 0 ? row_of(a.w[0], r0) : which == 1 ? row_of(a.w[1], r0) : row_of(a.w[2], r0);
    p1 = which == 0 ? row_of(a.w[0], r1) : which == 1 ? row_of(a.w[1], r1) : row_of(a.w[2], r1);
}

static __device__ __forceinline__ void store_qkv(const decode_args &a, int which, int r0, int r1,
                                                 int m, float y0, float y1) {
    const float *bias = which == 0 ? a.bias[0] : which == 1 ? a.bias[1] : a.bias[2];
    if (bias && !a.raw) { /* raw: the rotation kernel adds it */
        y0 += bias[r0];
        y1 += bias[r1];
    }
    if (a.raw) {
        int base = which == 0 ? 0 : which == 1 ? a.q_rows : a.q_rows + a.k_rows;
        float *row = a.q_raw + (size_t)m * a.raw_stride + base;
        row[r0] = y0;
        row[r1] = y1;
        return;
    }
    const kv_dev &kv = a.kv;
    int head = r0 / kv.head_dim, d0 = r0 % kv.head_dim, d1 = r1 % kv.head_dim;
    int pos = a.step.pos[m];
    int turn = a.rope.kind == ROPE_NEOX ? d0 : d0 / 2;
    bool turns = a.rope.kind == ROPE_NEOX ? d0 < a.rope.n_rot / 2 : d0 < a.rope.n_rot;
    if (which < 2 && a.rope.kind != ROPE_NONE && turns) {
        float sine, cosine;
        sincosf((float)pos * a.rope.inv_freq[turn], &sine, &cosine);
        sine *= a.rope.mscale;
        cosine *= a.rope.mscale;
        float t = y0 * cosine - y1 * sine;
        y1 = y0 * sine + y1 * cosine;
        y0 = t;
    }
    if (which == 0) {
        __half *q = a.q + ((size_t)m * kv.n_head + head) * kv.hd;
        q[d0] = __float2half(y0);
        q[d1] = __float2half(y1);
        return;
    }
    int page = a.step.pages[a.step.seq[m] * a.step.pages_stride + pos / K_PAGE_TOKENS];
    size_t slab = ((size_t)page * kv.n_head_kv + head) * kv.hd * K_PAGE_TOKENS;
    int t = pos % K_PAGE_TOKENS;
    if (which == 1) {
        kv.k[slab + (size_t)t * kv.hd + d0] = __float2half(y0);
        kv.k[slab + (size_t)t * kv.hd + d1] = __float2half(y1);
    } else {
        kv.v[slab + (size_t)d0 * K_PAGE_TOKENS + t] = __float2half(y0);
        kv.v[slab + (size_t)d1 * K_PAGE_TOKENS + t] = __float2half(y1);
    }
}

static __device__ __forceinline__ void store_row(const decode_args &a, int m, int row, float y,
                                                 bool head) {
    if (a.bias[0]) y += a.bias[0][row];
    y *= a.scale;
    float *out = a.out + (size_t)m * a.out_stride + row;
    if (head && a.softcap > 0) y = a.softcap * tanhf(y / a.softcap);
    *out = a.add ? *out + y : y;
}

/* Puts act(gate) * up of one pair into u[m][..]. */
static __device__ __forceinline__ void store_u(const decode_args &a, int m, int r0, int r1, float y0,
                                               float y1, float *u, int first) {
    if (a.w[0].rows) {
        if (a.bias[0]) y0 += a.bias[0][r0];
        if (a.bias[1]) y1 += a.bias[1][r1];
        u[m * U_ROWS + r0 - first] = apply_act(a.act, y0) * y1;
        return;
    }
    if (a.bias[1]) {
        y0 += a.bias[1][r0];
        y1 += a.bias[1][r1];
    }
    u[m * U_ROWS + r0 - first] = apply_act(a.act, y0);
    if (r1 != r0) u[m * U_ROWS + r1 - first] = apply_act(a.act, y1);
}

/* ---- the kernel ------------------------------------------------------------------------------------ */

template <int FMT>
static __device__ __forceinline__ void prefetch_row(const wrow &r, int chunks) {
    const int piece = FMT == FMT_F32 ? 128 : FMT >= FMT_F16 ? 64 : 16;
    size_t at = (size_t)(threadIdx.x & 31) * 128, bytes = (size_t)chunks * piece;
    if (at >= bytes) return;
    asm volatile("prefetch.global.L2 [%0];" ::"l"(r.q + r.base * piece + at));
    if (FMT == FMT_Q8_0 || FMT == FMT_G)
        asm volatile("prefetch.global.L2 [%0];" ::"l"(r.h + r.base * piece + at));
}

template <int MODE, int N, bool FLOAT>
static __device__ __forceinline__ void fill_activations(const decode_args &a, uint8_t *smem,
                                                        size_t row_bytes, float *red) {
    int chunks = MODE == MODE_GATE_UP ? a.w[1].chunks : a.w[0].chunks;
#pragma unroll 1
    for (int m = 0; m < N; m++) {
        if (MODE == MODE_PROJ) {
            prologue_copy<FLOAT>(a.act_q + m * a.act_stride, chunks, smem + m * row_bytes);
        } else {
            int row = a.gather ? a.gather[m] : m;
            prologue_norm<FLOAT>(a.x + (size_t)row * a.dim, a.dim, chunks, a.norm,
                                 smem + m * row_bytes, red);
        }
    }
    __syncthreads();
}

/* Adds up the warps that shared a pair, in a fixed order; part 0 holds the result. */
template <int N>
static __device__ __forceinline__ void sum_split(float acc[2][N], int split, float *sums) {
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    __syncthreads();
    if (lane == 0) {
#pragma unroll
        for (int m = 0; m < N; m++) {
            sums[warp * 2 * N + 2 * m] = acc[0][m];
            sums[warp * 2 * N + 2 * m + 1] = acc[1][m];
        }
    }
    __syncthreads();
    if (warp % split == 0) {
#pragma unroll
        for (int m = 0; m < N; m++) {
            for (int s = 1; s < split; s++) {
                acc[0][m] += sums[(warp + s) * 2 * N + 2 * m];
                acc[1][m] += sums[(warp + s) * 2 * N + 2 * m + 1];
            }
        }
    }
}

template <int MODE, int FMT, int N>
static __global__ void __launch_bounds__(THREADS, N == 1 ? 3 : 2)
    decode_kernel(const __grid_constant__ decode_args a, geometry g) {
    extern __shared__ __align__(16) uint8_t smem[];
    __shared__ float red[33];
    __shared__ float sums[WARPS * 2 * N];
    __shared__ float u[MODE == MODE_GATE_UP ? N * U_ROWS : 1];
    constexpr bool FLOAT = FMT >= FMT_F16;
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int abreast = WARPS / g.split, part = warp % g.split;
    int first = blockIdx.x * abreast * g.rounds; /* first pair of this CTA */
    int chunks = MODE == MODE_GATE_UP ? a.w[1].chunks : a.w[0].chunks;
    int which;
    wrow p0, p1;

    pdl_trigger();
    pair_rows<MODE>(a, min(first + warp / g.split, g.pairs - 1), p0, p1, which);
    prefetch_row<FMT>(p0, chunks);
    prefetch_row<FMT>(p1, chunks);
    pdl_wait();
    fill_activations<MODE, N, FLOAT>(a, smem, g.row_bytes, red);

#pragma unroll 1
    for (int round = 0; round < g.rounds; round++) {
        int pair = first + round * abreast + warp / g.split;
        bool there = pair < g.pairs;
        pair_rows<MODE>(a, there ? pair : g.pairs - 1, p0, p1, which);
        float acc[2][N];
#pragma unroll
        for (int m = 0; m < N; m++)
            acc[0][m] = acc[1][m] = 0;
        int c0 = part * 32 + lane, step = 32 * g.split;
        if constexpr (FLOAT) {
            dot_float<FMT, N>(p0, chunks, c0, step, smem, g.row_bytes, acc[0]);
            dot_float<FMT, N>(p1, chunks, c0, step, smem, g.row_bytes, acc[1]);
        } else {
            dot_pair<FMT, N>(p0, p1, chunks, c0, step, smem, g.row_bytes, acc);
        }
#pragma unroll
        for (int m = 0; m < N; m++) {
            acc[0][m] = warp_sum(acc[0][m]);
            acc[1][m] = warp_sum(acc[1][m]);
        }
        if (g.split > 1) sum_split<N>(acc, g.split, sums);
        if (!there || part != 0) continue;
#pragma unroll
        for (int m = 0; m < N; m++) { /* lane m writes row m: static indices keep acc in registers */
            if (lane != m) continue;
            if (MODE == MODE_QKV) store_qkv(a, which, p0.row, p1.row, m, acc[0][m], acc[1][m]);
            if (MODE == MODE_GATE_UP)
                store_u(a, m, p0.row, p1.row, acc[0][m], acc[1][m], u, blockIdx.x * U_ROWS);
            if (MODE == MODE_PROJ || MODE == MODE_HEAD) {
                store_row(a, m, p0.row, acc[0][m], MODE == MODE_HEAD);
                if (p1.row != p0.row) store_row(a, m, p1.row, acc[1][m], MODE == MODE_HEAD);
            }
        }
    }
    if (MODE == MODE_GATE_UP) { /* 32 neighbouring rows of u are one chunk of the next matrix */
        __syncthreads();
        int ff = a.w[1].rows, m = threadIdx.x >> 3, at = (threadIdx.x & 7) * 4;
        if (warp * 4 >= N) return;
        float v[4];
        for (int k = 0; k < 4; k++) {
            bool inside = m < N && (int)blockIdx.x * U_ROWS + at + k < ff;
            v[k] = inside ? u[(m < N ? m : 0) * U_ROWS + at + k] : 0;
        }
        act_row r = act_row_at(a.act_q + (m < N ? m : 0) * a.act_stride, (ff + CHUNK - 1) / CHUNK);
        quantise_chunk(v, blockIdx.x, threadIdx.x & 7, r, m < N);
    }
}

/* ---- launches ---------------------------------------------------------------------------------------- */

template <int MODE, int FMT, int N>
static cudaError_t launch(const launch_ctx *l, const decode_args *a, geometry g) {
    size_t smem = g.row_bytes * N;
    if (smem > 40 * 1024) { /* the rest of the 48 KB default is taken by the static arrays */
        cudaError_t code = cudaFuncSetAttribute(decode_kernel<MODE, FMT, N>,
                                                cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                (int)smem);
        if (code != cudaSuccess) return code;
    }
    int per_cta = WARPS / g.split * g.rounds;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3((unsigned)((g.pairs + per_cta - 1) / per_cta));
    config.blockDim = dim3(THREADS);
    config.dynamicSmemBytes = smem;
    config.stream = l->stream;
    cudaLaunchAttribute attr[1];
    attr[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attr[0].val.programmaticStreamSerializationAllowed = 1;
    config.attrs = attr;
    config.numAttrs = l->pdl ? 1 : 0;
    return cudaLaunchKernelEx(&config, decode_kernel<MODE, FMT, N>, *a, g);
}

template <int MODE, int FMT>
static cudaError_t launch_n(const launch_ctx *l, const decode_args *a, geometry g) {
    switch (a->n) {
    case 1: return launch<MODE, FMT, 1>(l, a, g);
    case 2: return launch<MODE, FMT, 2>(l, a, g);
    case 4: return launch<MODE, FMT, 4>(l, a, g);
    default: return launch<MODE, FMT, 8>(l, a, g);
    }
}

/* Enough warps to keep the memory busy, as long as every lane of each still has a chunk.  Depends on
 * the matrix alone, so that results do not change with the batch. */
static int choose_split(int pairs, int chunks) {
    int split = 1;
    while (split < WARPS && pairs * split < 2048 && chunks >= 64 * split)
        split *= 2;
    return split;
}

template <int MODE>
static cudaError_t decode(const launch_ctx *l, const decode_args *a, int pairs, int split,
                          int rounds) {
    const wmat *w = MODE == MODE_GATE_UP ? &a->w[1] : &a->w[0];
    geometry g = {split, rounds, pairs, 0};
    g.row_bytes = w->fmt >= FMT_F16 ? (size_t)w->chunks * 128
                                    : (act_bytes(w->chunks) + 15) / 16 * 16;
    switch (w->fmt) {
    case FMT_Q8_0: return launch_n<MODE, FMT_Q8_0>(l, a, g);
    case FMT_Q4_0: return launch_n<MODE, FMT_Q4_0>(l, a, g);
    case FMT_Q4_1: return launch_n<MODE, FMT_Q4_1>(l, a, g);
    case FMT_Q5_0: return launch_n<MODE, FMT_Q5_0>(l, a, g);
    case FMT_Q5_1: return launch_n<MODE, FMT_Q5_1>(l, a, g);
    case FMT_Q4_K: return launch_n<MODE, FMT_Q4_K>(l, a, g);
    case FMT_Q5_K: return launch_n<MODE, FMT_Q5_K>(l, a, g);
    case FMT_Q6_K: return launch_n<MODE, FMT_Q6_K>(l, a, g);
    case FMT_G: return launch_n<MODE, FMT_G>(l, a, g);
    case FMT_F16: return launch_n<MODE, FMT_F16>(l, a, g);
    case FMT_BF16: return launch_n<MODE, FMT_BF16>(l, a, g);
    case FMT_F32: return launch_n<MODE, FMT_F32>(l, a, g);
    default: return cudaErrorInvalidValue;
    }
}
