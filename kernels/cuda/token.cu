/* SPDX-License-Identifier: Apache-2.0 */
/* The token kernel: one launch computes a whole step of 1 to 8 rows.
 *
 * One CTA of 16 warps a multiprocessor stays for the whole step.  A layer is five phases (q k v;
 * attention; attention output; gate and up; down) with a barrier over the grid between two, about a
 * microsecond each; the weights flow underneath, without regard to phases, through a ring of tiles
 * in every warp (token_stream.cuh).  What a phase needs that does not depend on the one before is
 * fetched before the wait.
 *
 * One row: every CTA norms and quantises the row itself (cheaper than a barrier more).  Several
 * rows: a CTA a row does it for all, in a phase of its own.
 *
 * All sums are made in an order that depends on the matrix and the number of CTAs only, so a row
 * has the same bits in any batch.
 */
#include "kernels/cuda/token_attend.cuh"

/* Below sm_90 the kernel is empty, and nothing of this file is called. */
#pragma nv_diag_suppress 177

enum { BATCH = 8 }; /* units of one row whose ends are made together */
enum { NORM_STEPS = TOKEN_DIM_MAX / (TOKEN_THREADS * 4), ONE_ROW_BYTES = 48 /* a chunk */ };

#define ALL_FORMATS (~0u)

typedef struct {
    uint64_t full[TOKEN_WARPS][TOKEN_SLOTS_MAX];
    token_op op[2];
    float sums[TOKEN_WARPS * STRIP * TOKEN_ROWS]; /* one row: [units][16][16] */
    float u[TOKEN_ROWS][CHUNK];                   /* of a row; one row: of a unit */
    float2 norm[TOKEN_WARPS];
    int last;
} token_shared;

/* What every phase needs. */
typedef struct {
    const token_args &a;
    token_shared &sh;
    const token_seg *segs;
    uint8_t *act;    /* activations, or what attention needs */
    unsigned target; /* arrivals that the next wait is for; 0: nothing to wait for */
} token_ctx;

/* ---- barrier over the grid ------------------------------------------------------------------- */

static __device__ __forceinline__ void grid_arrive(token_ctx &c) {
    c.target += gridDim.x;
    __syncthreads();
#if __CUDA_ARCH__ >= 900
    if (threadIdx.x == 0)
        asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(c.a.bar) : "memory");
#endif
}

/* A CTA that never comes would hang the device: after seconds the kernel gives up, which the host
 * sees as a failed device. */
static __device__ __forceinline__ void grid_wait(token_ctx &c) {
#if __CUDA_ARCH__ >= 900
    if (threadIdx.x == 0 && c.target) {
        unsigned seen = 0;
        for (int tries = 0; seen < c.target; tries++) {
            asm volatile("ld.acquire.gpu.global.u32 %0, [%1];"
                         : "=r"(seen)
                         : "l"(c.a.bar)
                         : "memory");
            if (tries > 1 << 23) __trap();
        }
    }
#endif
    __syncthreads();
}

/* ---- activations ----------------------------------------------------------------------------- */

/* The norm's weights, fetched before a wait.  They pass it in shared memory, behind the
 * activations: every thread keeps its own, and registers are short. */
static __device__ __forceinline__ float4 *norm_place(const token_ctx &c, const token_op &op) {
    return (float4 *)(c.act + (ONE_ROW_BYTES * op.in_chunks)) + threadIdx.x;
}

static __device__ __forceinline__ void fetch_norm(const token_ctx &c, const token_op &op) {
    float4 *to = norm_place(c, op);
#pragma unroll
    for (int k = 0; k < NORM_STEPS; k++) {
        int i = ((int)threadIdx.x + k * TOKEN_THREADS) * 4;
        if (op.norm.kind >= 0 && i < c.a.dim)
            to[k * TOKEN_THREADS] = *(const float4 *)(op.norm.w + i);
    }
}

/* Mean and inverse deviation over the CTA. */
static __device__ __forceinline__ float2 norm_facts(token_shared &sh, const float4 v[NORM_STEPS],
                                                    const norm_dev &norm, float one_by_dim) {
    float sum = 0, squares = 0;
#pragma unroll
    for (int k = 0; k < NORM_STEPS; k++) {
        sum += v[k].x + v[k].y + v[k].z + v[k].w;
        squares += v[k].x * v[k].x + v[k].y * v[k].y + v[k].z * v[k].z + v[k].w * v[k].w;
    }
    squares = warp_sum(squares);
    if (norm.kind == NORM_LAYER) sum = warp_sum(sum);
    if ((threadIdx.x & 31) == 0) sh.norm[threadIdx.x >> 5] = make_float2(sum, squares);
    __syncthreads();
    sum = squares = 0;
#pragma unroll
    for (int i = 0; i < TOKEN_WARPS; i++) {
        sum += sh.norm[i].x;
        squares += sh.norm[i].y;
    }
    if (norm.kind < 0) return make_float2(0, 1);
    float mean = norm.kind == NORM_LAYER ? sum * one_by_dim : 0;
    float spread = fmaxf(squares * one_by_dim - mean * mean, 0);
    return make_float2(mean, rsqrtf(spread + norm.eps));
}

/* One row of x, normed, as int8: chunk c's fragment at frag + c * frag_step (4 uint2), its facts at
 * meta + c * meta_step; columns up to `chunks` are filled with zeros. */
static __device__ __forceinline__ void norm_row(const token_ctx &c, const token_op &op,
                                                const float *x, uint2 *frag, int frag_step,
                                                float4 *meta, int meta_step) {
    const norm_dev &norm = op.norm;
    int dim = c.a.dim, chunks = op.in_chunks;
    float4 v[NORM_STEPS];
#pragma unroll
    for (int k = 0; k < NORM_STEPS; k++) {
        int i = ((int)threadIdx.x + k * TOKEN_THREADS) * 4;
        v[k] = i < dim ? __ldcg((const float4 *)(x + i)) : make_float4(0, 0, 0, 0);
    }
    float2 f = norm_facts(c.sh, v, norm, c.a.one_by_dim);
    const float4 *weights = norm_place(c, op);
#pragma unroll
    for (int k = 0; k < NORM_STEPS; k++) {
        int i = ((int)threadIdx.x + k * TOKEN_THREADS) * 4, at = i / CHUNK;
        if ((i & ~(32 * 4 - 1)) >= chunks * CHUNK) break; /* the same for a whole warp */
        float four[4] = {0, 0, 0, 0};
        if (i < dim) {
            float4 b = make_float4(0, 0, 0, 0), w = make_float4(1, 1, 1, 1);
            if (norm.kind >= 0) w = weights[k * TOKEN_THREADS];
            if (norm.kind >= 0 && norm.b) b = *(const float4 *)(norm.b + i);
            four[0] = (v[k].x - f.x) * f.y * w.x + b.x;
            four[1] = (v[k].y - f.x) * f.y * w.y + b.y;
            four[2] = (v[k].z - f.x) * f.y * w.z + b.z;
            four[3] = (v[k].w - f.x) * f.y * w.w + b.w;
        }
        put_chunk(frag + (size_t)at * frag_step, meta + (size_t)at * meta_step, four, at < chunks);
    }
}

static __device__ __forceinline__ bool is_normed(const token_op &op) {
    return op.kind == OP_QKV || op.kind == OP_GATE_UP || op.kind == OP_HEAD;
}

/* Batch row of activation row m of this op. */
static __device__ __forceinline__ int row_of_op(const token_args &a, const token_op &op, int m) {
    return op.kind == OP_HEAD ? a.want[m] : m;
}

/* One row: into shared memory. */
static __device__ __forceinline__ act_view fill_one(token_ctx &c, const token_op &op) {
    const token_args &a = c.a;
    uint2 *frag = (uint2 *)c.act;
    float4 *meta = (float4 *)(frag + 4 * op.in_chunks);
    if (is_normed(op)) {
        const float *x = a.x + (size_t)row_of_op(a, op, 0) * a.dim;
        norm_row(c, op, x, frag, 4, meta, 1);
    } else {
        for (int i = threadIdx.x; i < 2 * op.in_chunks; i += TOKEN_THREADS)
            ((uint4 *)frag)[i] = __ldcg((const uint4 *)a.att.frag + (i >> 1) * 16 + (i & 1));
        for (int i = threadIdx.x; i < op.in_chunks; i += TOKEN_THREADS)
            meta[i] = __ldcg(a.att.meta + i * TOKEN_ROWS);
    }
    return {frag, meta};
}

/* Several rows: copied into shared memory where they fit, else read where they are. */
static __device__ __forceinline__ act_view fill_many(token_ctx &c, const token_op &op) {
    const token_act &from = is_normed(op) ? c.a.h : c.a.att;
    if (op.in_chunks > c.a.stage_chunks) return {from.frag, from.meta};
    uint2 *frag = (uint2 *)c.act;
    float4 *meta = (float4 *)(frag + 32 * op.in_chunks);
    for (int i = threadIdx.x; i < 16 * op.in_chunks; i += TOKEN_THREADS)
        ((uint4 *)frag)[i] = __ldcg((const uint4 *)from.frag + i);
    for (int i = threadIdx.x; i < TOKEN_ROWS * op.in_chunks; i += TOKEN_THREADS)
        meta[i] = __ldcg(from.meta + i);
    return {frag, meta};
}

/* The norm of several rows, a CTA each. */
static __device__ __forceinline__ void norm_phase(token_ctx &c, const token_op &op, int n) {
    fetch_norm(c, op);
    grid_wait(c);
    for (int m = blockIdx.x; m < n; m += gridDim.x) {
        const float *x = c.a.x + (size_t)row_of_op(c.a, op, m) * c.a.dim;
        norm_row(c, op, x, c.a.h.frag + 4 * m, 32, c.a.h.meta + m, TOKEN_ROWS);
        __syncthreads();
    }
    grid_arrive(c);
}

/* ---- the end of a product -------------------------------------------------------------------- */

/* A pair of rows, 8 apart in their strip, of one activation row: one thread finishes it.  What it
 * needs from memory is fetched before the products. */
typedef struct {
    int m, strip, row; /* activation row; row: place of the first in the strip, 0..7 */
    int place, unit;   /* of the strip in its unit; of the unit in its batch */
    float b0, b1;      /* bias */
    float c0, c1;      /* ATTN_OUT, FFN_DOWN: what is added to; QKV: cosine and sine */
    __half *to0, *to1; /* QKV: where the two go */
    bool on;
} pair_end;

static __device__ __forceinline__ void prepare_head(pair_end &p, const token_args &a,
                                                    const token_op &op, int which) {
    const kv_dev &kv = op.kv;
    int strips_log = kv.hd == 64 ? 2 : kv.hd == 128 ? 3 : kv.hd == 256 ? 4 : 0;
    int head = strips_log ? p.strip >> strips_log : p.strip / (kv.hd / STRIP);
    int in_head = p.strip - head * (kv.hd / STRIP), pair = in_head * 8 + p.row;
    int half = op.rope.n_rot / 2, pos = a.pos[p.m];
    bool apart = op.rope.kind == ROPE_NEOX && pair < half;
    int d0 = apart ? pair : 2 * pair, d1 = apart ? pair + half : 2 * pair + 1;
    p.c0 = 1;
    p.c1 = 0;
    if (which < 2 && op.rope.kind != ROPE_NONE && pair < half) {
        sincosf((float)pos * op.rope.inv_freq[pair], &p.c1, &p.c0);
        p.c0 *= op.rope.mscale;
        p.c1 *= op.rope.mscale;
    }
    if (which == 0) {
        __half *q = a.q + (p.m * kv.n_head + head) * kv.hd;
        p.to0 = q + d0;
        p.to1 = q + d1;
        return;
    }
    int page = a.pages[(size_t)a.seq[p.m] * a.pages_stride + pos / K_PAGE_TOKENS];
    size_t slab = ((size_t)page * kv.n_head_kv + head) * kv.hd * K_PAGE_TOKENS;
    int t = pos % K_PAGE_TOKENS;
    if (which == 1) {
        p.to0 = kv.k + slab + t * kv.hd + d0;
        p.to1 = kv.k + slab + t * kv.hd + d1;
    } else { /* plain rows */
        p.to0 = kv.v + slab + (in_head * STRIP + p.row) * K_PAGE_TOKENS + t;
        p.to1 = p.to0 + 8 * K_PAGE_TOKENS;
    }
}

template <bool ONE>
static __device__ __forceinline__ pair_end prepare_pair(const token_args &a, const token_op &op,
                                                        const token_seg &s, int which, int unit,
                                                        int n) {
    pair_end p;
    int abreast_log = seg_abreast_log(s), at = (int)threadIdx.x >> 3;
    p.row = threadIdx.x & 7;
    p.m = ONE ? 0 : at >> abreast_log;
    p.unit = ONE ? at >> abreast_log : 0;
    p.place = at & ((1 << abreast_log) - 1);
    p.strip = ((unit + p.unit * (int)gridDim.x) << abreast_log) + p.place;
    p.on = p.m < n && p.unit < BATCH && p.strip < s.strips;
    if (!p.on) return p;
    const float *bias = which == 0 ? op.bias[0] : which == 1 ? op.bias[1] : op.bias[2];
    p.b0 = p.b1 = 0;
    if (bias) {
        p.b0 = bias[p.strip * STRIP + p.row];
        p.b1 = bias[p.strip * STRIP + p.row + 8];
    }
    if (op.kind == OP_QKV) prepare_head(p, a, op, which);
    if (op.kind == OP_ATTN_OUT || op.kind == OP_FFN_DOWN) {
        const float *x = a.x + (size_t)p.m * a.dim + p.strip * STRIP + p.row;
        p.c0 = __ldcg(x);
        p.c1 = __ldcg(x + 8);
    }
    return p;
}

static __device__ __forceinline__ void end_head(const token_args &a, const token_op &op,
                                                const pair_end &p, float y, int row) {
    if (row >= op.rows) return;
    y *= op.scale;
    if (op.softcap > 0) y = op.softcap * tanhf(y / op.softcap);
    a.logits[(size_t)p.m * a.vocab + row] = y;
}

static __device__ __forceinline__ void end_pair(token_ctx &c, const token_op &op,
                                                const pair_end &p, float y0, float y1) {
    y0 += p.b0;
    y1 += p.b1;
    int row = p.strip * STRIP + p.row;
    if (op.kind == OP_QKV) {
        *p.to0 = __float2half(y0 * p.c0 - y1 * p.c1);
        *p.to1 = __float2half(y0 * p.c1 + y1 * p.c0);
    } else if (op.kind == OP_GATE_UP) {
        c.sh.u[p.m + p.unit][p.place * 8 + p.row] = apply_act(op.act, y0) * y1;
    } else if (op.kind == OP_HEAD) {
        end_head(c.a, op, p, y0, row);
        end_head(c.a, op, p, y1, row + 8);
    } else {
        float *x = c.a.x + (size_t)p.m * c.a.dim + row;
        x[0] = p.c0 + op.scale * y0;
        x[8] = p.c1 + op.scale * y1;
    }
}

/* The 32 values of a gate-and-up unit are one chunk of the next input. */
template <bool ONE>
static __device__ __forceinline__ void end_gate_up(token_ctx &c, const token_seg &s, int unit,
                                                   int n) {
    __syncthreads();
    if (threadIdx.x >= TOKEN_ROWS * 8) return;
    int at = threadIdx.x >> 3, m = ONE ? 0 : at;
    if (ONE) unit += at * (int)gridDim.x;
    const float *u = c.sh.u[at] + 4 * (threadIdx.x & 7);
    const float four[4] = {u[0], u[1], u[2], u[3]};
    put_chunk(c.a.att.frag + (size_t)unit * 32 + 4 * m,
              c.a.att.meta + (size_t)unit * TOKEN_ROWS + m, four, m < n && unit < s.units);
}

/* ---- phases ---------------------------------------------------------------------------------- */

template <bool ONE, unsigned FORMATS>
static __device__ __forceinline__ void unit_products(token_ctx &c, stream &st, const token_seg &s,
                                                     int unit, const act_view &x, float *sums) {
    tile_range r = range_of(s, unit);
    switch (s.fmt) {
#define X(F)                                                                                       \
    case F:                                                                                        \
        if constexpr ((FORMATS >> F & 1) != 0)                                                     \
            strip_products<F, ONE>(st, c.segs, c.a, r, x, sums);                                   \
        break;
        STRIP_FORMATS(X)
#undef X
    default: break;
    }
}

/* The sums of SPLIT warps for a pair, in order; unrolled, as one warp alone waits for it. */
template <int SPLIT, bool ONE>
static __device__ __forceinline__ float2 add_warps(const float *from) {
    constexpr int width = ONE ? 1 : TOKEN_ROWS;
    float y0 = 0, y1 = 0;
#pragma unroll
    for (int i = 0; i < SPLIT; i++) {
        y0 += from[i * STRIP * width];
        y1 += from[i * STRIP * width + 8 * width];
    }
    return make_float2(y0, y1);
}

/* Adds up the warps that shared a strip. */
template <bool ONE>
static __device__ __forceinline__ float2 pair_sums(const float *sums, const token_seg &s,
                                                   const pair_end &p) {
    constexpr int width = ONE ? 1 : TOKEN_ROWS, warp_floats = STRIP * width;
    const float *from = sums + (p.place << s.split_log) * warp_floats + p.row * width;
    from += ONE ? p.unit * TOKEN_WARPS * warp_floats : p.m;
    switch (s.split_log) {
    case 1: return add_warps<2, ONE>(from);
    case 2: return add_warps<4, ONE>(from);
    case 3: return add_warps<8, ONE>(from);
    default: return add_warps<TOKEN_WARPS, ONE>(from);
    }
}

template <bool ONE, unsigned FORMATS>
static __device__ __forceinline__ void matrix_phase(token_ctx &c, const token_op &op, stream &st) {
    const token_args &a = c.a;
    int n = op.kind == OP_HEAD ? a.n_want : a.n, warp = threadIdx.x >> 5;
    if (ONE && is_normed(op)) fetch_norm(c, op);
    act_view x = {NULL, NULL};
    constexpr int batch = ONE ? BATCH : 1, warp_floats = STRIP * (ONE ? 1 : TOKEN_ROWS);
    const int step = gridDim.x;
#pragma unroll 1
    for (int which = 0; which < op.segs; which++) {
        const token_seg &s = c.segs[op.seg + which];
#pragma unroll 1
        for (int unit = first_unit(s); unit < s.units; unit += batch * step) {
            pair_end p = prepare_pair<ONE>(a, op, s, which, unit, n);
            if (!x.frag) {
                grid_wait(c);
                x = ONE ? fill_one(c, op) : fill_many(c, op);
                __syncthreads();
            }
            float *mine = c.sh.sums + warp * warp_floats;
#pragma unroll 1
            for (int u = unit; u < min(s.units, unit + batch * step); u += step) {
                unit_products<ONE, FORMATS>(c, st, s, u, x, mine);
                mine += TOKEN_WARPS * warp_floats;
            }
            __syncthreads();
            if (p.on) {
                float2 y = pair_sums<ONE>(c.sh.sums, s, p);
                end_pair(c, op, p, y.x, y.y);
            }
            if (op.kind == OP_GATE_UP) end_gate_up<ONE>(c, s, unit, n);
            __syncthreads(); /* the sums are used again */
        }
    }
    if (!x.frag) grid_wait(c);
}

template <unsigned FORMATS>
static __device__ __forceinline__ void embed_phase(const token_args &a) {
    int item = threadIdx.x * gridDim.x + blockIdx.x;
    if (item >= a.n * a.embed.chunks) return;
    int m = item / a.embed.chunks, chunk = item % a.embed.chunks;
    float v[CHUNK];
    switch (a.embed.fmt) {
#define X(F)                                                                                       \
    case F:                                                                                        \
        if constexpr ((FORMATS >> F & 1) != 0)                                                     \
            strip_floats<F>(v, a.embed, a.token[m], chunk);                                        \
        break;
        STRIP_FORMATS(X)
#undef X
    default: return;
    }
    for (int i = 0; i < CHUNK && CHUNK * chunk + i < a.dim; i++)
        a.x[(size_t)m * a.dim + CHUNK * chunk + i] = v[i] * a.embed_scale;
}

/* What part is first and where its first page lies is known before the wait. */
template <int HD>
static __device__ __forceinline__ void attend_all(token_ctx &c, const token_op &op) {
    attend_part p;
    int item = blockIdx.x;
    bool more = attend_find(c.a, op, item, p);
    int page = more ? attend_page(c.a, p) : 0;
    grid_wait(c);
#pragma unroll 1
    while (more) {
        attend_one<HD>(c.a, op, p, page, c.act, &c.sh.last);
        __syncthreads(); /* shared memory is used again */
        item += gridDim.x;
        more = attend_find(c.a, op, item, p);
        if (more) page = attend_page(c.a, p);
    }
}

template <bool ALL>
static __device__ __forceinline__ void attend_phase(token_ctx &c, const token_op &op) {
    if (op.kv.hd == 64)
        attend_all<64>(c, op);
    else if (op.kv.hd == 128)
        attend_all<128>(c, op);
    else if (ALL && op.kv.hd == 96)
        attend_all<96>(c, op);
    else if (ALL)
        attend_all<256>(c, op);
}

template <bool ONE, unsigned FORMATS>
static __global__ void __launch_bounds__(TOKEN_THREADS, 1)
    token_kernel(const __grid_constant__ token_args a) {
#if __CUDA_ARCH__ >= 900 /* cuda_token_fits: what comes before takes the launch path */
    extern __shared__ __align__(128) uint8_t smem[];
    __shared__ token_shared sh;
    constexpr int op_words = sizeof(token_op) / 4;
    int warp = threadIdx.x >> 5;
    size_t ring_bytes = (size_t)a.slots * a.slot_bytes;
    uint8_t *act = smem + TOKEN_WARPS * ring_bytes;
    token_seg *segs = (token_seg *)(act + a.act_bytes);
    for (int i = threadIdx.x; i < a.n_segs * (int)(sizeof(token_seg) / 4); i += TOKEN_THREADS)
        ((uint32_t *)segs)[i] = ((const uint32_t *)a.segs)[i];
    if (threadIdx.x < op_words)
        ((uint32_t *)&sh.op[a.first & 1])[threadIdx.x] =
            ((const uint32_t *)(a.ops + a.first))[threadIdx.x];
    if (blockIdx.x == 0 && threadIdx.x == 0) *a.bar_other = 0;
    __syncthreads();
    token_ctx c = {a, sh, segs, act, 0};
    stream st;
    stream_open(st, segs, a, smem + warp * ring_bytes, sh.full[warp]);
#pragma unroll 1
    for (int i = a.first; i < a.last; i++) {
        uint32_t ahead = 0;
        if (i + 1 < a.last && threadIdx.x < op_words)
            ahead = ((const uint32_t *)(a.ops + i + 1))[threadIdx.x];
        const token_op &op = sh.op[i & 1];
        if (!ONE && is_normed(op)) norm_phase(c, op, op.kind == OP_HEAD ? a.n_want : a.n);
        if (op.kind == OP_EMBED)
            embed_phase<FORMATS>(a);
        else if (op.kind == OP_ATTEND)
            attend_phase<FORMATS == ALL_FORMATS>(c, op);
        else
            matrix_phase<ONE, FORMATS>(c, op, st);
        if (i + 1 == a.last) break;
        if (threadIdx.x < op_words) ((uint32_t *)&sh.op[(i + 1) & 1])[threadIdx.x] = ahead;
        grid_arrive(c);
    }
#endif
}

/* ---- launch ---------------------------------------------------------------------------------- */

size_t cuda_token_static_smem(void) {
    return sizeof(token_shared);
}

typedef void (*token_entry)(const token_args);

/* The smallest kernel for these formats: unused code costs registers and instruction cache. */
static token_entry choose_kernel(bool one, unsigned formats, int hd) {
    constexpr unsigned bytes = 1u << FMT_Q8_0;
    constexpr unsigned usual = 1u << FMT_Q4_K | 1u << FMT_Q6_K;
    constexpr unsigned all = ALL_FORMATS;
    if (hd != 64 && hd != 128) return one ? token_kernel<true, all> : token_kernel<false, all>;
    if ((formats & ~bytes) == 0)
        return one ? token_kernel<true, bytes> : token_kernel<false, bytes>;
    if ((formats & ~usual) == 0)
        return one ? token_kernel<true, usual> : token_kernel<false, usual>;
    return one ? token_kernel<true, all> : token_kernel<false, all>;
}

/* Cooperative: all CTAs must be there at the same time. */
cudaError_t cuda_token_launch(cudaStream_t st, const token_args *a, int ctas, size_t smem,
                              unsigned formats) {
    token_entry kernel = choose_kernel(a->n == 1, formats, a->hd);
    cudaError_t code = cudaFuncSetAttribute(
        kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)smem);
    if (code != cudaSuccess) return code;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3((unsigned)ctas);
    config.blockDim = dim3(TOKEN_THREADS);
    config.dynamicSmemBytes = smem;
    config.stream = st;
    cudaLaunchAttribute attr[1];
    attr[0].id = cudaLaunchAttributeCooperative;
    attr[0].val.cooperative = 1;
    config.attrs = attr;
    config.numAttrs = 1;
    return cudaLaunchKernelEx(&config, kernel, *a);
}
