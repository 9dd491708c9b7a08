/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The decode path: 1, 4 or 8 activation rows against a matrix, bound by reading the weights once.
 *
 * A CTA has 8 warps.  Its prologue brings the activations into shared memory as int8 per 32 (norm
 * and quantisation are redone in every CTA: cheaper than one more launch); then each warp takes a
 * pair of rows and its lanes walk them chunk by chunk, 16 bytes a load, the next chunk already in
 * flight while this one is multiplied.  Wide rows are split over 2, 4 or 8 warps.  Before the wait
 * for the previous kernel every warp asks for its weights to be brought into L2: they do not depend
 * on it.
 *
 * The order of additions of a row depends on the matrix alone, never on the number of activation
 * rows: a batch of 8 gives the same bits as 8 single steps.
 *
 * Shared memory: [n] rows of lo[chunks][16], hi[chunks][16], meta[chunks][16]; the float formats
 * use float activations [n][cols] instead.
 */
#include "kernels/cuda/formats.cuh"

enum { WARPS = 8, THREADS = WARPS * 32, U_ROWS = 32 };

typedef enum { MODE_QKV, MODE_PROJ, MODE_GATE_UP, MODE_HEAD } mode;

typedef struct {
    int split;        /* warps that share a pair of rows */
    int rounds;       /* pairs that a warp takes, some at the same time (pairs_abreast) */
    int pairs;        /* of the whole launch */
    size_t row_bytes; /* shared memory of one activation row */
} geometry;

typedef struct {
    int4 *lo, *hi;
    float4 *meta; /* scale; sums of half 0, half 1, both, times the scale */
} act_row;

static __device__ __forceinline__ act_row act_row_at(const uint8_t *base, int chunks) {
    act_row r;
    r.lo = (int4 *)base;
    r.hi = r.lo + chunks;
    r.meta = (float4 *)(r.hi + chunks);
    return r;
}

/* Quantises 4 neighbouring values per thread, 8 threads a chunk: symmetric, scale = max / 127.  All
 * lanes of the warp call it; `inside` says which may write. */
static __device__ __forceinline__ void quantise_chunk(const float v[4], int c, int part,
                                                      const act_row &r, bool inside) {
    float4 meta;
    int packed = act_quantise(v, meta);
    if (!inside) return;
    ((int *)(part < 4 ? r.lo : r.hi))[4 * c + (part & 3)] = packed;
    if (part == 0) r.meta[c] = meta;
}

/* Row statistics for all N rows at once: 8 / N warps a row, every thread gets its row's {mean,
 * inverse deviation}.  The row is summed as 8 interleaved strands, whoever takes them, so that the
 * result does not depend on N.  red: [2][N][8]. */
template <int N>
static __device__ __forceinline__ float2 norm_statistics(const float *x, int dim,
                                                         const norm_dev &norm, float *red) {
    constexpr int PER_ROW = WARPS / N; /* warps */
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, m = warp / PER_ROW;
    if (norm.kind < 0) return make_float2(0, 1);
#pragma unroll
    for (int strand = warp % PER_ROW; strand < WARPS; strand += PER_ROW) {
        float sum = 0, squares = 0;
        for (int i = (strand * 32 + lane) * 4; i < dim; i += WARPS * 128) {
            float4 v = *(const float4 *)(x + i); /* dim is a multiple of 32 */
            sum += v.x + v.y + v.z + v.w;
            squares += v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
        }
        squares = warp_sum(squares);
        if (norm.kind == NORM_LAYER) sum = warp_sum(sum);
        if (lane == 0) red[m * WARPS + strand] = squares;
        if (lane == 0) red[(N + m) * WARPS + strand] = sum;
    }
    __syncthreads();
    float all = 0, mean = 0;
#pragma unroll
    for (int i = 0; i < WARPS; i++)
        all += red[m * WARPS + i];
    all /= (float)dim;
    if (norm.kind == NORM_LAYER) {
        for (int i = 0; i < WARPS; i++)
            mean += red[(N + m) * WARPS + i];
        mean /= (float)dim;
        all = fmaxf(all - mean * mean, 0);
    }
    return make_float2(mean, rsqrtf(all + norm.eps));
}

/* x -> norm -> int8 (or float) rows in shared memory, N rows side by side.  The norm's weights are
 * read before the wait for the previous kernel where they fit in registers. */
template <int N, bool FLOAT>
static __device__ __forceinline__ void prologue_norm(const decode_args &a, int chunks,
                                                     uint8_t *smem, size_t row_bytes, float *red) {
    constexpr int PER_ROW = WARPS / N, KEEP = N == 1 ? 4 : 0;
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int m = warp / PER_ROW, first = (warp % PER_ROW) * 128 + lane * 4, stride = PER_ROW * 128;
    const norm_dev &norm = a.norm;
    float4 kept[KEEP ? KEEP : 1];
#pragma unroll
    for (int k = 0; k < KEEP; k++) {
        int i = first + k * stride;
        kept[k] = make_float4(1, 1, 1, 1);
        if (norm.kind >= 0 && i < a.dim) kept[k] = *(const float4 *)(norm.w + i);
    }
    pdl_wait();
    int row = a.gather ? a.gather[m] : m;
    const float *x = a.x + (size_t)row * a.dim;
    float2 stat = norm_statistics<N>(x, a.dim, norm, red);
    act_row r = act_row_at(smem + m * row_bytes, chunks);
    float *as_float = (float *)(smem + m * row_bytes);
    int steps = (chunks * CHUNK + stride - 1) / stride;
    auto one = [&](int i, float4 w) {
        float4 v = make_float4(0, 0, 0, 0), b = v;
        if (i < a.dim) {
            v = *(const float4 *)(x + i);
            if (norm.kind >= 0 && norm.b) b = *(const float4 *)(norm.b + i);
            v.x = (v.x - stat.x) * stat.y * w.x + b.x;
            v.y = (v.y - stat.x) * stat.y * w.y + b.y;
            v.z = (v.z - stat.x) * stat.y * w.z + b.z;
            v.w = (v.w - stat.x) * stat.y * w.w + b.w;
        }
        const float four[4] = {v.x, v.y, v.z, v.w};
        if (!FLOAT)
            quantise_chunk(four, i / CHUNK, lane & 7, r, i < chunks * CHUNK);
        else if (i < chunks * CHUNK)
            *(float4 *)(as_float + i) = v;
    };
#pragma unroll
    for (int k = 0; k < KEEP; k++) {
        if (k < steps) one(first + k * stride, kept[k]);
    }
    for (int k = KEEP; k < steps; k++) {
        int i = first + k * stride;
        bool weighted = norm.kind >= 0 && i < a.dim;
        one(i, weighted ? *(const float4 *)(norm.w + i) : make_float4(1, 1, 1, 1));
    }
}

/* One row of int8 activations from global memory; for the float formats turned back into floats. */
template <bool FLOAT>
static __device__ void prologue_copy(const uint8_t *src, int chunks, uint8_t *smem) {
    if (!FLOAT) {
        int n = (int)((act_bytes(chunks) + 15) / 16); /* rows are padded to 16 bytes */
        for (int i = threadIdx.x; i < n; i += THREADS)
            ((int4 *)smem)[i] = ((const int4 *)src)[i];
        return;
    }
    act_row r = act_row_at(src, chunks);
    for (int i = threadIdx.x; i < chunks * CHUNK; i += THREADS) {
        int c = i / CHUNK, k = i % CHUNK;
        const int8_t *q = (const int8_t *)(k < 16 ? r.lo : r.hi) + 16 * c + (k & 15);
        ((float *)smem)[i] = r.meta[c].x * (float)*q;
    }
}

/* ---- dot products --------------------------------------------------------------------------- */

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

/* R rows at a time: their loads are all in flight together, and those of the next chunk too. */
template <int FMT, int N, int R>
static __device__ __forceinline__ void dot_rows(const wrow p[R], int chunks, int c0, int step,
                                                const uint8_t *smem, size_t row_bytes,
                                                float acc[R][N]) {
    wraw now[R], next[R];
    int c = c0;
#pragma unroll
    for (int r = 0; r < R; r++) {
        if (c < chunks) load_chunk<FMT>(now[r], p[r], c);
    }
#pragma unroll 1
    while (c < chunks) {
        int ahead = c + step;
#pragma unroll
        for (int r = 0; r < R; r++) {
            if (ahead < chunks) load_chunk<FMT>(next[r], p[r], ahead);
        }
        float sum[R][N];
        int4 lo, hi;
        float4 meta;
        if (N == 1) {
            act_row a = act_row_at(smem, chunks);
            lo = a.lo[c], hi = a.hi[c], meta = a.meta[c];
        }
#pragma unroll
        for (int r = 0; r < R; r++) {
            int v[8];
            float s[4];
            wunpack<FMT>(v, now[r]);
            wscales<FMT>(now[r], s[0], s[1], s[2], s[3]);
#pragma unroll
            for (int m = 0; m < N; m++) {
                if (N > 1) {
                    act_row a = act_row_at(smem + m * row_bytes, chunks);
                    lo = a.lo[c], hi = a.hi[c], meta = a.meta[c];
                }
                sum[r][m] = wdot<FMT>(v, s, lo, hi, meta);
            }
        }
#pragma unroll
        for (int r = 0; r < R; r++) {
#pragma unroll
            for (int m = 0; m < N; m++)
                acc[r][m] += sum[r][m];
            now[r] = next[r];
        }
        c = ahead;
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
                acc[m] +=
                    v[4 * k] * f.x + v[4 * k + 1] * f.y + v[4 * k + 2] * f.z + v[4 * k + 3] * f.w;
            }
        }
    }
}

/* ---- which rows a pair is, and what happens to its sums ------------------------------------- */

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
        int2 d = rope_pair(a.rope, pair % half);
        r0 = head * a.kv.head_dim + d.x;
        r1 = head * a.kv.head_dim + d.y;
    }
    p0 = which == 0 ? row_of(a.w[0], r0) : which == 1 ? row_of(a.w[1], r0) : row_of(a.w[2], r0);
    p1 = which == 0 ? row_of(a.w[0], r1) : which == 1 ? row_of(a.w[1], r1) : row_of(a.w[2], r1);
}

/* What the end of a QKV pair needs from memory, fetched by lane m for row m before the products: it
 * would otherwise be a chain of loads behind them. */
typedef struct {
    float b0, b1, sine, cosine;
    size_t slab; /* of the KV page and head */
    int d0, d1, t, head;
} qkv_end;

static __device__ __forceinline__ qkv_end prepare_qkv(const decode_args &a, int which, int r0,
                                                      int r1, int m) {
    qkv_end end = {0, 0, 0, 1, 0, 0, 0, 0, 0};
    if (a.raw) return end; /* the rotation kernel does the rest */
    const float *bias = which == 0 ? a.bias[0] : which == 1 ? a.bias[1] : a.bias[2];
    const kv_dev &kv = a.kv;
    int pos = a.step.pos[m], seq = a.step.seq[m];
    if (bias) end.b0 = bias[r0], end.b1 = bias[r1];
    end.head = r0 / kv.head_dim;
    end.d0 = r0 - end.head * kv.head_dim;
    end.d1 = r1 - end.head * kv.head_dim;
    int turn = a.rope.kind == ROPE_NEOX ? end.d0 : end.d0 / 2;
    bool turns = a.rope.kind == ROPE_NEOX ? end.d0 < a.rope.n_rot / 2 : end.d0 < a.rope.n_rot;
    if (which < 2 && a.rope.kind != ROPE_NONE && turns) {
        sincosf((float)pos * a.rope.inv_freq[turn], &end.sine, &end.cosine);
        end.sine *= a.rope.mscale;
        end.cosine *= a.rope.mscale;
    }
    if (which == 0) return end;
    int page = a.step.pages[seq * a.step.pages_stride + pos / K_PAGE_TOKENS];
    end.slab = ((size_t)page * kv.n_head_kv + end.head) * kv.hd * K_PAGE_TOKENS;
    end.t = pos % K_PAGE_TOKENS;
    return end;
}

static __device__ __forceinline__ void store_qkv(const decode_args &a, int which, int r0, int r1,
                                                 int m, float y0, float y1, const qkv_end &end) {
    if (a.raw) {
        int base = which == 0 ? 0 : which == 1 ? a.q_rows : a.q_rows + a.k_rows;
        float *row = a.q_raw + (size_t)m * a.raw_stride + base;
        row[r0] = y0;
        row[r1] = y1;
        return;
    }
    const kv_dev &kv = a.kv;
    y0 += end.b0;
    y1 += end.b1;
    float turned = y0 * end.cosine - y1 * end.sine;
    y1 = y0 * end.sine + y1 * end.cosine;
    y0 = turned;
    if (which == 0) {
        __half *q = a.q + ((size_t)m * kv.n_head + end.head) * kv.hd;
        q[end.d0] = __float2half(y0);
        q[end.d1] = __float2half(y1);
    } else if (which == 1) {
        kv.k[end.slab + (size_t)end.t * kv.hd + end.d0] = __float2half(y0);
        kv.k[end.slab + (size_t)end.t * kv.hd + end.d1] = __float2half(y1);
    } else {
        kv.v[end.slab + (size_t)end.d0 * K_PAGE_TOKENS + end.t] = __float2half(y0);
        kv.v[end.slab + (size_t)end.d1 * K_PAGE_TOKENS + end.t] = __float2half(y1);
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
static __device__ __forceinline__ void store_u(const decode_args &a, int m, int r0, int r1,
                                               float y0, float y1, float *u, int first) {
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

/* ---- the kernel ----------------------------------------------------------------------------- */

/* Asks for `chunks` chunks from the start of a row on (at most 4 KB of each plane) to come to L2.
 *  */
template <int FMT> static __device__ __forceinline__ void prefetch_rows(const wrow &r, int chunks) {
    const int piece = FMT == FMT_F32 ? 128 : FMT >= FMT_F16 ? 64 : 16;
    size_t at = (size_t)(threadIdx.x & 31) * 128, bytes = (size_t)chunks * piece;
    if (at >= bytes) return;
    asm volatile("prefetch.global.L2 [%0];" ::"l"(r.q + r.base * piece + at));
    if (FMT == FMT_Q8_0 || FMT == FMT_G)
        asm volatile("prefetch.global.L2 [%0];" ::"l"(r.h + r.base * piece + at));
}

template <int MODE, int N, bool FLOAT>
static __device__ __forceinline__ void
fill_activations(const decode_args &a, int chunks, uint8_t *smem, size_t row_bytes, float *red) {
    if (MODE == MODE_PROJ) {
        pdl_wait();
        for (int m = 0; m < N; m++)
            prologue_copy<FLOAT>(a.act_q + m * a.act_stride, chunks, smem + m * row_bytes);
    } else {
        prologue_norm<N, FLOAT>(a, chunks, smem, row_bytes, red);
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

/* Pairs of rows that a warp multiplies at the same time. */
template <int MODE, int N> static __host__ __device__ constexpr int pairs_abreast() {
    return N == 1 && (MODE == MODE_GATE_UP || MODE == MODE_HEAD) ? 2 : 1;
}

template <int MODE, int N>
static __device__ __forceinline__ void store_pair(const decode_args &a, int which, int r0, int r1,
                                                  const float y0[N], const float y1[N], float *u,
                                                  const qkv_end &end) {
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int m = 0; m < N;
         m++) { /* lane m writes row m: static indices keep the sums in registers */
        if (lane != m) continue;
        if (MODE == MODE_QKV) store_qkv(a, which, r0, r1, m, y0[m], y1[m], end);
        if (MODE == MODE_GATE_UP) store_u(a, m, r0, r1, y0[m], y1[m], u, blockIdx.x * U_ROWS);
        if (MODE == MODE_PROJ || MODE == MODE_HEAD) {
            store_row(a, m, r0, y0[m], MODE == MODE_HEAD);
            if (r1 != r0) store_row(a, m, r1, y1[m], MODE == MODE_HEAD);
        }
    }
}

template <int MODE, int FMT, int N>
static __global__ void __launch_bounds__(THREADS, N == 1 ? 3 : 2)
    decode_kernel(const __grid_constant__ decode_args a, geometry g) {
    extern __shared__ __align__(16) uint8_t smem[];
    __shared__ float red[2 * N * WARPS];
    __shared__ float sums[WARPS * 2 * N];
    __shared__ float u[MODE == MODE_GATE_UP ? N * U_ROWS : 1];
    constexpr bool FLOAT = FMT >= FMT_F16;
    constexpr int P = pairs_abreast<MODE, N>();
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int abreast = WARPS / g.split, part = warp % g.split;
    /* A warp's pairs are neighbours: its rows are one piece of memory. */
    int first = (blockIdx.x * abreast + warp / g.split) * g.rounds * P;
    int chunks = MODE == MODE_GATE_UP ? a.w[1].chunks : a.w[0].chunks;
    int which[P];
    wrow p[2 * P];

    pdl_trigger();
    pair_rows<MODE>(a, min(first, g.pairs - 1), p[0], p[1], which[0]);
    prefetch_rows<FMT>(p[0], chunks * (MODE == MODE_GATE_UP ? g.rounds * P : 2 * g.rounds * P));
    if (MODE == MODE_GATE_UP || MODE == MODE_QKV)
        prefetch_rows<FMT>(p[1], chunks * (MODE == MODE_GATE_UP ? g.rounds * P : 1));
    qkv_end end; /* a QKV warp has one pair: rounds is 1 */
    if (MODE == MODE_QKV && lane < N) {
        end = prepare_qkv(a, which[0], p[0].row, p[1].row, lane);
    }
    fill_activations<MODE, N, FLOAT>(a, chunks, smem, g.row_bytes, red);

#pragma unroll 1
    for (int round = 0; round < g.rounds; round++) {
        int pair = first + round * P;
        float acc[2 * P][N];
#pragma unroll
        for (int i = 0; i < P; i++) {
            int at = min(pair + i, g.pairs - 1);
            pair_rows<MODE>(a, at, p[2 * i], p[2 * i + 1], which[i]);
#pragma unroll
            for (int m = 0; m < N; m++)
                acc[2 * i][m] = acc[2 * i + 1][m] = 0;
        }
        int c0 = part * 32 + lane, step = 32 * g.split;
        if constexpr (FLOAT) {
#pragma unroll
            for (int r = 0; r < 2 * P; r++)
                dot_float<FMT, N>(p[r], chunks, c0, step, smem, g.row_bytes, acc[r]);
        } else {
            dot_rows<FMT, N, 2 * P>(p, chunks, c0, step, smem, g.row_bytes, acc);
        }
#pragma unroll
        for (int r = 0; r < 2 * P; r++) {
#pragma unroll
            for (int m = 0; m < N; m++)
                acc[r][m] = warp_sum(acc[r][m]);
        }
        if (g.split > 1) sum_split<N>(acc, g.split, sums);
#pragma unroll
        for (int i = 0; i < P; i++) {
            if (pair + i >= g.pairs || part != 0) continue;
            store_pair<MODE, N>(a, which[i], p[2 * i].row, p[2 * i + 1].row, acc[2 * i],
                                acc[2 * i + 1], u, end);
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

/* ---- launches ------------------------------------------------------------------------------- */

template <int MODE, int FMT, int N>
static cudaError_t launch(const launch_ctx *l, const decode_args *a, geometry g) {
    size_t smem = g.row_bytes * N;
    if (smem > 40 * 1024) { /* the rest of the 48 KB default is taken by the static arrays */
        cudaError_t code = cudaFuncSetAttribute(
            decode_kernel<MODE, FMT, N>, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)smem);
        if (code != cudaSuccess) return code;
    }
    g.rounds /= pairs_abreast<MODE, N>();
    int per_cta = WARPS / g.split * g.rounds * pairs_abreast<MODE, N>();
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

/* Every instance costs the compiler seconds on each architecture, so there is none that is not
 * used: a model with float matrices in its body decodes on the float16 path (cuda_model.gemm_only),
 * so only a head is ever float here, and a head may compute rows that nobody asked for. */
template <int MODE, int FMT>
static cudaError_t launch_n(const launch_ctx *l, const decode_args *a, geometry g) {
    if constexpr (FMT >= FMT_F16) {
        if constexpr (MODE == MODE_HEAD) {
            if (a->n == 1) return launch<MODE, FMT, 1>(l, a, g);
            return launch<MODE, FMT, 8>(l, a, g);
        }
        return cudaErrorInvalidValue;
    } else {
        switch (a->n) {
        case 1: return launch<MODE, FMT, 1>(l, a, g);
        case 4: return launch<MODE, FMT, 4>(l, a, g);
        default: return launch<MODE, FMT, 8>(l, a, g);
        }
    }
}

/* Enough warps to keep the memory busy, as long as every lane of each still has a chunk.  Depends
 * on the matrix alone, so that results do not change with the batch. */
static inline int choose_split(int pairs, int chunks) {
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
    g.row_bytes =
        w->fmt >= FMT_F16 ? (size_t)w->chunks * 128 : (act_bytes(w->chunks) + 15) / 16 * 16;
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
