/* SPDX-License-Identifier: Apache-2.0 */
/* The token kernel: one launch computes a whole step of 1 to 8 rows.
 *
 * One CTA of 16 warps a multiprocessor stays for the whole step.  A layer is five phases (q k v;
 * attention; attention output; gate and up; down) with a barrier over the grid between two, about a
 * microsecond each; the weights flow underneath, without regard to phases, through a ring of tiles
 * in every warp (token_stream.cuh).  What a CTA does in each phase is a list that the host made.
 * What a phase needs that does not depend on the one before is fetched before the wait, and what it
 * leaves to do is done behind its arrival: a short model is bound by the chain of instructions
 * between a wait and the next arrival, not by memory (docs/PERFORMANCE.md).
 *
 * A CTA without work in a phase does not arrive there.  So a phase must not touch, before its wait,
 * what any phase before it writes, and its wait is for all arrivals of all phases before it.
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

enum { ROPE_PAIRS = TOKEN_THREADS / TOKEN_ROWS };

#define ALL_FORMATS (~0u)

/* A pair of rows, 8 apart in their strip, of q, k or v: its rotation and where the two go. */
typedef struct {
    float c0, c1;
    __half *to0, *to1;
} head_pair;

typedef struct {
    uint64_t full[TOKEN_WARPS][TOKEN_SLOTS_MAX];
    token_op op[2];
    /* Of the strips that are finished next, by unit of the batch or by row: what is added. */
    float bias[TOKEN_ROWS][STRIP], before[TOKEN_ROWS][STRIP];
    head_pair pair[TOKEN_ROWS * 8];
    float sums[TOKEN_WARPS * STRIP * TOKEN_ROWS]; /* one row: [units][16][16] */
    float u[TOKEN_ROWS][CHUNK];                   /* of a row; one row: of a unit */
    float2 norm[TOKEN_WARPS];
    float2 rope[TOKEN_ROWS][ROPE_PAIRS]; /* cosine and sine */
    int page[TOKEN_ROWS];                /* where the rows are written */
    int last;
} token_shared;

/* What every phase needs. */
typedef struct {
    const token_args &a;
    token_shared &sh;
    token_list list;
    uint8_t *act;    /* activations, or what attention needs */
    unsigned target; /* arrivals that the next wait is for; 0: nothing to wait for */
} token_ctx;

/* The number of this thread, anew in every phase: what is computed from it would otherwise be kept
 * in registers over all phases, and there are too few. */
static __device__ __forceinline__ int thread_now(void) {
    int t;
    asm volatile("mov.u32 %0, %%tid.x;" : "=r"(t));
    return t;
}

/* 16 bytes to shared memory behind the back of the registers; wait with copies_wait. */
static __device__ __forceinline__ void copy_16(void *to, const void *from) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(smem_at(to)), "l"(from)
                 : "memory");
}

static __device__ __forceinline__ void copies_wait(void) {
    asm volatile("cp.async.wait_all;" ::: "memory");
}

/* ---- barrier over the grid ------------------------------------------------------------------- */

static __device__ __forceinline__ void grid_arrive(token_ctx &c, int workers) {
    c.target += (unsigned)workers;
    __syncthreads();
#if __CUDA_ARCH__ >= 900
    if (threadIdx.x == 0)
        asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(c.a.bar) : "memory");
    __syncthreads(); /* no copies while the fence is under way: it would wait for them */
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

/* The norm's weights are fetched before a wait, into shared memory behind the activations; every
 * thread its own. */
static __device__ __forceinline__ float4 *norm_place(const token_ctx &c, const token_op &op,
                                                     int tid) {
    return (float4 *)(c.act + (ONE_ROW_BYTES * op.in_chunks)) + tid;
}

static __device__ __forceinline__ void fetch_norm(const token_ctx &c, const token_op &op, int tid) {
    float4 *to = norm_place(c, op, tid);
#pragma unroll
    for (int k = 0; k < NORM_STEPS; k++) {
        int i = (tid + k * TOKEN_THREADS) * 4;
        if (op.norm.kind >= 0 && i < c.a.dim) copy_16(to + k * TOKEN_THREADS, op.norm.w + i);
    }
}

/* Mean and inverse deviation over the CTA. */
static __device__ __forceinline__ float2 norm_facts(token_shared &sh, const float4 v[NORM_STEPS],
                                                    const norm_dev &norm, float one_by_dim,
                                                    int tid) {
    float sum = 0, squares = 0;
#pragma unroll
    for (int k = 0; k < NORM_STEPS; k++) {
        sum += v[k].x + v[k].y + v[k].z + v[k].w;
        squares += v[k].x * v[k].x + v[k].y * v[k].y + v[k].z * v[k].z + v[k].w * v[k].w;
    }
    squares = warp_sum(squares);
    if (norm.kind == NORM_LAYER) sum = warp_sum(sum);
    if ((tid & 31) == 0) sh.norm[tid >> 5] = make_float2(sum, squares);
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
                                                float4 *meta, int meta_step, int tid) {
    const norm_dev &norm = op.norm;
    int dim = c.a.dim, chunks = op.in_chunks;
    float4 v[NORM_STEPS];
#pragma unroll
    for (int k = 0; k < NORM_STEPS; k++) {
        int i = (tid + k * TOKEN_THREADS) * 4;
        v[k] = i < dim ? __ldcg((const float4 *)(x + i)) : make_float4(0, 0, 0, 0);
    }
    float2 f = norm_facts(c.sh, v, norm, c.a.one_by_dim, tid);
    const float4 *weights = norm_place(c, op, tid);
    copies_wait();
#pragma unroll
    for (int k = 0; k < NORM_STEPS; k++) {
        int i = (tid + k * TOKEN_THREADS) * 4, at = i / CHUNK;
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
static __device__ __forceinline__ act_view fill_one(token_ctx &c, const token_op &op, int tid) {
    const token_args &a = c.a;
    uint2 *frag = (uint2 *)c.act;
    float4 *meta = (float4 *)(frag + 4 * op.in_chunks);
    if (is_normed(op)) {
        const float *x = a.x + (size_t)row_of_op(a, op, 0) * a.dim;
        norm_row(c, op, x, frag, 4, meta, 1, tid);
    } else {
        for (int i = tid; i < 2 * op.in_chunks; i += TOKEN_THREADS)
            copy_16((uint4 *)frag + i, (const uint4 *)a.att.frag + (i >> 1) * 16 + (i & 1));
        for (int i = tid; i < op.in_chunks; i += TOKEN_THREADS)
            copy_16(meta + i, a.att.meta + i * TOKEN_ROWS);
    }
    return {frag, meta};
}

/* Several rows: copied into shared memory where they fit, else read where they are. */
static __device__ __forceinline__ act_view fill_many(token_ctx &c, const token_op &op, int tid) {
    const token_act &from = is_normed(op) ? c.a.h : c.a.att;
    if (op.in_chunks > c.a.stage_chunks) return {from.frag, from.meta};
    uint2 *frag = (uint2 *)c.act;
    float4 *meta = (float4 *)(frag + 32 * op.in_chunks);
    for (int i = tid; i < 16 * op.in_chunks; i += TOKEN_THREADS)
        copy_16((uint4 *)frag + i, (const uint4 *)from.frag + i);
    for (int i = tid; i < TOKEN_ROWS * op.in_chunks; i += TOKEN_THREADS)
        copy_16(meta + i, from.meta + i);
    return {frag, meta};
}

/* The norm of several rows, a CTA each. */
static __device__ __forceinline__ void norm_phase(token_ctx &c, const token_op &op, int n) {
    int tid = thread_now();
    fetch_norm(c, op, tid);
    grid_wait(c);
    for (int m = blockIdx.x; m < n; m += gridDim.x) {
        const float *x = c.a.x + (size_t)row_of_op(c.a, op, m) * c.a.dim;
        norm_row(c, op, x, c.a.h.frag + 4 * m, 32, c.a.h.meta + m, TOKEN_ROWS, tid);
        __syncthreads();
    }
}

/* ---- the end of a product -------------------------------------------------------------------- */

/* Which pair of rows, 8 apart in their strip, of which activation row a thread finishes. */
typedef struct {
    int m, k, place; /* activation row; unit of the batch; strip in the unit */
    int which;       /* QKV: matrix */
    int strip, row;  /* row: place of the first in the strip, 0..7 */
    bool on;
} pair_place;

/* Units of 1 << abreast_log strips. */
template <bool ONE>
static __device__ __forceinline__ pair_place find_pair(const token_ctx &c, const token_op &op,
                                                       int abreast_log, int first, int count, int n,
                                                       int tid) {
    pair_place p;
    int at = tid >> 3;
    p.row = tid & 7;
    p.m = ONE ? 0 : at >> abreast_log;
    p.k = ONE ? at >> abreast_log : 0;
    p.place = at & ((1 << abreast_log) - 1);
    p.on = p.m < n && p.k < count;
    uint32_t unit = c.list.units[p.on ? first + p.k : first];
    p.which = (int)(unit >> UNIT_SEG & UNIT_SEGS) - op.seg;
    p.strip = ((int)(unit & UNIT_NUMBER) << abreast_log) + p.place;
    return p;
}

/* Cosine and sine of a pair at a position. */
static __device__ __forceinline__ float2 rotation(const rope_dev &rope, int pos, int pair) {
    float2 r;
    sincosf((float)pos * rope.inv_freq[pair], &r.y, &r.x);
    return make_float2(r.x * rope.mscale, r.y * rope.mscale);
}

/* What all layers have in common, once a step. */
static __device__ __forceinline__ void prepare_rows(token_shared &sh, const token_args &a) {
    int m = (int)threadIdx.x / ROPE_PAIRS, pair = (int)threadIdx.x % ROPE_PAIRS;
    if (m >= a.n || a.first > 0) return;
    const int *pages = a.pages + (size_t)a.seq[m] * a.pages_stride;
    if (pair == 0) sh.page[m] = pages[a.pos[m] / K_PAGE_TOKENS];
    if (a.rope.kind != ROPE_NONE && pair < a.rope.n_rot / 2)
        sh.rope[m][pair] = rotation(a.rope, a.pos[m], pair);
}

static __device__ __forceinline__ head_pair find_head(const token_shared &sh, const token_args &a,
                                                      const token_op &op, const pair_place &p) {
    const kv_dev &kv = op.kv;
    int strips_log = kv.hd == 64 ? 2 : kv.hd == 128 ? 3 : kv.hd == 256 ? 4 : 0;
    int head = strips_log ? p.strip >> strips_log : p.strip / (kv.hd / STRIP);
    int in_head = p.strip - head * (kv.hd / STRIP), pair = in_head * 8 + p.row;
    int half = op.rope.n_rot / 2, pos = a.pos[p.m];
    bool apart = op.rope.kind == ROPE_NEOX && pair < half;
    int d0 = apart ? pair : 2 * pair, d1 = apart ? pair + half : 2 * pair + 1;
    float2 turn = make_float2(1, 0);
    if (p.which < 2 && op.rope.kind != ROPE_NONE && pair < half)
        turn = op.common_rope ? sh.rope[p.m][pair] : rotation(op.rope, pos, pair);
    __half *to = a.q + (p.m * kv.n_head + head) * kv.hd;
    if (p.which == 0) return {turn.x, turn.y, to + d0, to + d1};
    size_t slab = ((size_t)sh.page[p.m] * kv.n_head_kv + head) * kv.hd * K_PAGE_TOKENS;
    int t = pos % K_PAGE_TOKENS;
    to = kv.k + slab + t * kv.hd;
    if (p.which == 1) return {turn.x, turn.y, to + d0, to + d1};
    to = kv.v + slab + (in_head * STRIP + p.row) * K_PAGE_TOKENS + t; /* plain rows */
    return {turn.x, turn.y, to, to + 8 * K_PAGE_TOKENS};
}

static __device__ __forceinline__ const float *bias_of(const token_op &op, int which) {
    return which == 0 ? op.bias[0] : which == 1 ? op.bias[1] : op.bias[2];
}

/* Ops whose units are one strip: what their ends need is fetched while nothing else is to do.
 * Before the wait: what no phase writes. */
template <bool ONE>
static __device__ __forceinline__ void prepare_ends(token_ctx &c, const token_op &op, int first,
                                                    int count, int n, int tid) {
    if (tid >= TOKEN_ROWS * 8) return;
    pair_place p = find_pair<ONE>(c, op, 0, first, count, n, tid);
    if (!p.on) return;
    const float *bias = bias_of(op, p.which);
    if (bias && p.row < 4)
        copy_16(&c.sh.bias[p.m + p.k][4 * p.row], bias + p.strip * STRIP + 4 * p.row);
    if (op.kind == OP_QKV) c.sh.pair[tid] = find_head(c.sh, c.a, op, p);
}

/* Behind the wait: what is added to. */
template <bool ONE>
static __device__ __forceinline__ void fetch_before(token_ctx &c, const token_op &op, int first,
                                                    int count, int n, int tid) {
    if (tid >= TOKEN_ROWS * 8 || op.kind == OP_QKV) return;
    pair_place p = find_pair<ONE>(c, op, 0, first, count, n, tid);
    if (p.on && p.row < 4)
        copy_16(&c.sh.before[p.m + p.k][4 * p.row],
                c.a.x + (size_t)p.m * c.a.dim + p.strip * STRIP + 4 * p.row);
}

static __device__ __forceinline__ void end_head(const token_args &a, const token_op &op,
                                                const pair_place &p, float y, int row) {
    if (row >= op.rows) return;
    y *= op.scale;
    if (op.softcap > 0) y = op.softcap * tanhf(y / op.softcap);
    a.logits[(size_t)p.m * a.vocab + row] = y;
}

/* Units of several strips: gate and up, or the head. */
static __device__ __forceinline__ void end_pair(token_ctx &c, const token_op &op,
                                                const pair_place &p, float2 y) {
    if (op.kind == OP_GATE_UP) {
        c.sh.u[p.m + p.k][p.place * 8 + p.row] = apply_act(op.act, y.x) * y.y;
        return;
    }
    int row = p.strip * STRIP + p.row;
    const float *bias = op.bias[0];
    end_head(c.a, op, p, bias && row < op.rows ? y.x + bias[row] : y.x, row);
    end_head(c.a, op, p, bias && row + 8 < op.rows ? y.y + bias[row + 8] : y.y, row + 8);
}

/* Units of one strip. */
static __device__ __forceinline__ void end_single(token_ctx &c, const token_op &op,
                                                  const pair_place &p, float2 y, int tid) {
    int at = p.m + p.k;
    if (bias_of(op, p.which)) {
        y.x += c.sh.bias[at][p.row];
        y.y += c.sh.bias[at][p.row + 8];
    }
    if (op.kind == OP_QKV) {
        head_pair h = c.sh.pair[tid];
        *h.to0 = __float2half(y.x * h.c0 - y.y * h.c1);
        *h.to1 = __float2half(y.x * h.c1 + y.y * h.c0);
    } else {
        float *x = c.a.x + (size_t)p.m * c.a.dim + p.strip * STRIP + p.row;
        x[0] = c.sh.before[at][p.row] + op.scale * y.x;
        x[8] = c.sh.before[at][p.row + 8] + op.scale * y.y;
    }
}

/* The 32 values of a gate-and-up unit are one chunk of the next input. */
template <bool ONE>
static __device__ __forceinline__ void end_gate_up(token_ctx &c, int first, int count, int n,
                                                   int tid) {
    __syncthreads();
    if (tid >= TOKEN_ROWS * 8) return;
    int at = tid >> 3, m = ONE ? 0 : at, k = ONE ? at : 0;
    bool on = m < n && k < count;
    int unit = (int)(c.list.units[on ? first + k : first] & UNIT_NUMBER);
    const float *u = c.sh.u[at] + 4 * (tid & 7);
    const float four[4] = {u[0], u[1], u[2], u[3]};
    put_chunk(c.a.att.frag + (size_t)unit * 32 + 4 * m,
              c.a.att.meta + (size_t)unit * TOKEN_ROWS + m, four, on);
}

/* ---- phases ---------------------------------------------------------------------------------- */

template <bool ONE, unsigned FORMATS>
static __device__ __forceinline__ void unit_products(token_ctx &c, stream &st, int fmt,
                                                     tile_range r, const act_view &x, float *sums,
                                                     int warp, int lane) {
    switch (fmt) {
#define X(F)                                                                                       \
 case F:                                                                                           \
  if constexpr ((FORMATS >> F & 1) != 0)                                                           \
   strip_products<F, ONE>(st, c.list, c.a, r, x, sums, warp, lane);                                \
  break;
        STRIP_FORMATS(X)
#undef X
    default: break;
    }
}

/* The sums of SPLIT warps for a pair, as a tree: one warp alone waits for it. */
template <int SPLIT, bool ONE>
static __device__ __forceinline__ float2 add_warps(const float *from) {
    constexpr int width = ONE ? 1 : TOKEN_ROWS;
    float y[2][SPLIT];
#pragma unroll
    for (int i = 0; i < SPLIT; i++) {
        y[0][i] = from[i * STRIP * width];
        y[1][i] = from[i * STRIP * width + 8 * width];
    }
#pragma unroll
    for (int step = 1; step < SPLIT; step *= 2) {
#pragma unroll
        for (int i = 0; i < SPLIT; i += 2 * step) {
            y[0][i] += y[0][i + step];
            y[1][i] += y[1][i + step];
        }
    }
    return make_float2(y[0][0], y[1][0]);
}

/* Adds up the warps that shared a strip. */
template <bool ONE>
static __device__ __forceinline__ float2 pair_sums(const float *sums, const pair_place &p,
                                                   int split_log) {
    constexpr int width = ONE ? 1 : TOKEN_ROWS, warp_floats = STRIP * width;
    const float *from = sums + (p.place << split_log) * warp_floats + p.row * width;
    from += ONE ? p.k * TOKEN_WARPS * warp_floats : p.m;
    switch (split_log) {
    case 1: return add_warps<2, ONE>(from);
    case 2: return add_warps<4, ONE>(from);
    case 3: return add_warps<8, ONE>(from);
    default: return add_warps<TOKEN_WARPS, ONE>(from);
    }
}

/* Behind the products of a batch: sums, and what becomes of them. */
template <bool ONE>
static __device__ __forceinline__ void end_batch(token_ctx &c, const token_op &op, int split_log,
                                                 int first, int count, int n, int tid) {
    int abreast_log = TOKEN_WARPS_LOG - split_log; /* all this is known before the barrier */
    pair_place p = find_pair<ONE>(c, op, abreast_log, first, count, n, tid);
    copies_wait();
    __syncthreads();
    if (p.on && abreast_log == 0)
        end_single(c, op, p, pair_sums<ONE>(c.sh.sums, p, TOKEN_WARPS_LOG), tid);
    else if (p.on)
        end_pair(c, op, p, pair_sums<ONE>(c.sh.sums, p, split_log));
    if (op.kind == OP_GATE_UP) end_gate_up<ONE>(c, first, count, n, tid);
}

/* Units [first, last) of the CTA's list. */
template <bool ONE, unsigned FORMATS>
static __device__ __forceinline__ void matrix_phase(token_ctx &c, const token_op &op, stream &st,
                                                    int first, int last) {
    constexpr int batch = ONE ? BATCH : 1, warp_floats = STRIP * (ONE ? 1 : TOKEN_ROWS);
    const int tid = thread_now(), warp = tid >> 5, lane = tid & 31;
    const int n = op.kind == OP_HEAD ? c.a.n_want : c.a.n;
    if (ONE && is_normed(op)) fetch_norm(c, op, tid);
    uint32_t unit = c.list.units[first];
    const token_seg *seg = &seg_of_unit(c.list, unit);
    tile_range range = token_range_of(*seg, unit, warp);
    const int split_log = seg->split_log;
    bool single = split_log == TOKEN_WARPS_LOG;
    st.need = range.count * (last - first);
    act_view x = {NULL, NULL};
#pragma unroll 1
    for (int from = first; from < last; from += batch) {
        int count = min(last - from, batch);
        if (single) prepare_ends<ONE>(c, op, from, count, n, tid);
        if (from == first) grid_wait(c);
        if (single) fetch_before<ONE>(c, op, from, count, n, tid);
        if (from == first) {
            x = ONE ? fill_one(c, op, tid) : fill_many(c, op, tid);
            copies_wait();
            __syncthreads();
        }
        float *mine = c.sh.sums + warp * warp_floats;
#pragma unroll 1
        for (int k = 0; k < count; k++) {
            unit_products<ONE, FORMATS>(c, st, seg->fmt, range, x, mine, warp, lane);
            mine += TOKEN_WARPS * warp_floats;
            if (from + k + 1 == last) break;
            unit = c.list.units[from + k + 1];
            seg = &seg_of_unit(c.list, unit);
            range = token_range_of(*seg, unit, warp);
        }
        end_batch<ONE>(c, op, split_log, from, count, n, tid);
        if (from + batch < last) __syncthreads(); /* the sums are used again */
    }
}

template <unsigned FORMATS>
static __device__ __forceinline__ void embed_phase(const token_args &a) {
    int item = threadIdx.x * gridDim.x + blockIdx.x;
    if (item >= a.counts[0]) return;
    int m = item / a.embed.chunks, chunk = item % a.embed.chunks;
    float v[CHUNK];
    switch (a.embed.fmt) {
#define X(F)                                                                                       \
 case F:                                                                                           \
  if constexpr ((FORMATS >> F & 1) != 0) strip_floats<F>(v, a.embed, a.token[m], chunk);           \
  break;
        STRIP_FORMATS(X)
#undef X
    default: return;
    }
    for (int i = 0; i < CHUNK && CHUNK * chunk + i < a.dim; i++)
        a.x[(size_t)m * a.dim + CHUNK * chunk + i] = v[i] * a.embed_scale;
}

/* What part is first and where its pages lie is known before the wait. */
template <int HD>
static __device__ __forceinline__ void attend_all(token_ctx &c, const token_op &op, int items) {
    int tid = thread_now();
    attend_part p;
    attend_find(c.a, op, blockIdx.x, p);
    grid_wait(c);
#pragma unroll 1
    for (int item = blockIdx.x;;) {
        attend_one<HD>(c.a, op, p, c.act, &c.sh.last, tid);
        item += gridDim.x;
        if (item >= items) return;
        __syncthreads(); /* shared memory is used again */
        attend_find(c.a, op, item, p);
    }
}

template <bool ALL>
static __device__ __forceinline__ void attend_phase(token_ctx &c, const token_op &op, int items) {
    if (op.kv.hd == 64)
        attend_all<64>(c, op, items);
    else if (op.kv.hd == 128)
        attend_all<128>(c, op, items);
    else if (ALL && op.kv.hd == 96)
        attend_all<96>(c, op, items);
    else if (ALL)
        attend_all<256>(c, op, items);
}

/* Pieces of work in op i, where that depends on the rows; else CTAs with work. */
static __device__ __forceinline__ int turn_count(const token_ctx &c, token_turn t) {
    return t.workers & TURN_COUNTED ? c.a.counts[t.workers & TURN_WORKERS]
                                    : t.workers & TURN_WORKERS;
}

/* CTAs that norm rows, in a phase of its own before the op's products. */
template <bool ONE>
static __device__ __forceinline__ int norm_workers(const token_ctx &c, int bits) {
    if (ONE || !(bits & TURN_NORMED)) return 0;
    return min(bits & TURN_HEAD ? c.a.n_want : c.a.n, (int)gridDim.x);
}

/* The first op from i on in which this CTA has work, or the end; `passed` counts the arrivals of
 * those before it. */
template <bool ONE>
static __device__ __forceinline__ int find_turn(const token_ctx &c, int i, int &passed) {
    for (passed = 0; i < c.a.last; i++) {
        token_turn t = c.list.turns[i];
        int norms = norm_workers<ONE>(c, t.workers), count = turn_count(c, t);
        bool counted = t.workers & TURN_COUNTED;
        if (counted ? (int)blockIdx.x < count : t.unit != c.list.turns[i + 1].unit) return i;
        if ((int)blockIdx.x < norms) return i;
        passed += norms + min(count, (int)gridDim.x);
    }
    return i;
}

static __device__ __forceinline__ void fetch_op(token_ctx &c, int i, int buffer) {
    constexpr int pieces = sizeof(token_op) / 16;
    int at = (int)threadIdx.x - (TOKEN_THREADS - 32); /* the last warp */
    if (at < 0 || at >= pieces || i >= c.a.last) return;
    copy_16((uint8_t *)&c.sh.op[buffer] + 16 * at, (const uint8_t *)(c.a.ops + i) + 16 * at);
}

template <bool ONE, unsigned FORMATS>
static __device__ __forceinline__ void run_op(token_ctx &c, const token_op &op, int i, stream &st) {
    token_turn t = c.list.turns[i];
    int count = turn_count(c, t), norms = norm_workers<ONE>(c, t.workers);
    if ((int)blockIdx.x < norms) {
        norm_phase(c, op, op.kind == OP_HEAD ? c.a.n_want : c.a.n);
        grid_arrive(c, norms);
    } else {
        c.target += (unsigned)norms;
    }
    int last = c.list.turns[i + 1].unit, workers = min(count, (int)gridDim.x);
    bool works = true;
    if (op.kind == OP_EMBED)
        embed_phase<FORMATS>(c.a);
    else if (op.kind == OP_ATTEND)
        attend_phase<FORMATS == ALL_FORMATS>(c, op, count);
    else if (t.unit != last)
        matrix_phase<ONE, FORMATS>(c, op, st, t.unit, last);
    else
        works = false;
    copies_wait(); /* the next op */
    if (works && i + 1 < c.a.last) {
        grid_arrive(c, workers);
    } else {
        c.target += (unsigned)workers;
        __syncthreads();
    }
}

template <bool ONE, unsigned FORMATS>
static __global__ void __launch_bounds__(TOKEN_THREADS, 1)
    token_kernel(const __grid_constant__ token_args a) {
#if __CUDA_ARCH__ >= 900 /* cuda_token_fits: what comes before takes the launch path */
    extern __shared__ __align__(128) uint8_t smem[];
    __shared__ token_shared sh;
    int warp = threadIdx.x >> 5;
    size_t ring_bytes = (size_t)a.slots * a.slot_bytes;
    uint8_t *act = smem + TOKEN_WARPS * ring_bytes;
    token_seg *segs = (token_seg *)(act + a.act_bytes);
    uint32_t *turns = (uint32_t *)(segs + a.n_segs);
    const uint32_t *mine = a.lists + (size_t)blockIdx.x * (size_t)a.list_words;
    for (int i = threadIdx.x; i < a.n_segs * (int)(sizeof(token_seg) / 4); i += TOKEN_THREADS)
        ((uint32_t *)segs)[i] = ((const uint32_t *)a.segs)[i];
    for (int i = threadIdx.x; i < a.list_words; i += TOKEN_THREADS)
        turns[i] = mine[i];
    if (blockIdx.x == 0 && threadIdx.x == 0) *a.bar_other = 0;
    prepare_rows(sh, a);
    __syncthreads();
    token_ctx c = {a, sh, {(const token_turn *)turns, turns + a.n_ops + 1, segs}, act, 0};
    stream st;
    stream_open(st, c.list, a, smem + warp * ring_bytes, sh.full[warp]);
    int passed, buffer = 0, i = find_turn<ONE>(c, a.first, passed);
    c.target += (unsigned)passed;
    fetch_op(c, i, 0);
    copies_wait();
    __syncthreads();
# pragma unroll 1
    while (i < a.last) {
        int next = find_turn<ONE>(c, i + 1, passed);
        fetch_op(c, next, buffer ^ 1);
        run_op<ONE, FORMATS>(c, sh.op[buffer], i, st);
        stream_flush(st, c.list, a, warp, (int)threadIdx.x & 31);
        c.target += (unsigned)passed;
        buffer ^= 1;
        i = next;
    }
#endif
}

/* ---- launch ---------------------------------------------------------------------------------- */

/* What the compiler takes for it, which rounds. */
size_t cuda_token_static_smem(void) {
    return (sizeof(token_shared) + 1023) / 1024 * 1024;
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

/* As much shared memory as there is, for every model that shares the kernel. */
cudaError_t cuda_token_prepare(unsigned formats, int hd, size_t smem_max) {
    cudaError_t code = cudaSuccess;
    int bytes = (int)(smem_max - cuda_token_static_smem());
    for (int one = 0; one < 2 && code == cudaSuccess; one++)
        code = cudaFuncSetAttribute(choose_kernel(one, formats, hd),
                                    cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    return code;
}

/* Cooperative: all CTAs must be there at the same time. */
cudaError_t cuda_token_launch(cudaStream_t st, const token_args *a, int ctas, size_t smem,
                              unsigned formats) {
    token_entry kernel = choose_kernel(a->n == 1, formats, a->hd);
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
