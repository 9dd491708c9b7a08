/* SPDX-License-Identifier: Apache-2.0 */
/* The token kernel: one launch computes a whole step of 1 to 8 rows.
 *
 * One CTA of 16 warps a multiprocessor stays for the whole step.  A layer is five phases (q k v;
 * attention; attention output; gate and up; down); the weights flow underneath, without regard to
 * phases, through a ring of tiles in every warp (token_stream.cuh).  What a CTA does in each phase
 * is a list that the host made.  What a phase needs that does not depend on the one before is
 * fetched before the wait, and what it leaves to do is done behind it: a short model is bound by
 * the chain of instructions between a wait and what the next one waits for, not by memory
 * (docs/PERFORMANCE.md).
 *
 * One row: phases hand over their results by mail (token_mail.cuh).  Several rows: in plain memory,
 * with a barrier over the grid between two phases.  A CTA without work in a phase does not arrive
 * there.  So a phase must not touch, before its wait, what any phase before it writes, and its wait
 * is for all arrivals of all phases before it.
 *
 * Whoever finishes 16 values of x multiplies them by the weights of the norm that comes next and
 * makes int8 codes of them; the norm's other factor, which needs all of x, is a number a row, by
 * which the next phase multiplies what comes out of its products.
 *
 * All sums are made in an order that depends on the matrix and the number of CTAs only, so a row
 * has the same bits in any batch.
 */
#include "kernels/cuda/token_attend.cuh"

/* Below sm_90 the kernel is empty, and nothing of this file is called. */
#pragma nv_diag_suppress 177

enum { BATCH = 8 }; /* units of one row whose ends are made together */

enum { ROPE_PAIRS = TOKEN_THREADS / TOKEN_ROWS };

#define ALL_FORMATS (~0u)

/* What the end of a product needs to know of a pair of rows, 8 apart in their strip, where units
 * are one strip. */
typedef struct {
    float2 bias;
    union {
        struct { /* q, k, v: its rotation, and where the two go */
            float c0, c1;
            __half *to0, *to1;
            int mail; /* number of the pair among all of q, k and v */
        } head;
        struct { /* what it is added to, and the weights of the norm that comes next */
            float2 before, next;
        } x;
    };
} pair_facts;

enum { PAIRS = TOKEN_ROWS * 8, OPS = 3 };

typedef struct {
    uint64_t full[TOKEN_WARPS][TOKEN_SLOTS_MAX];
    token_op op[OPS]; /* one before, this one, the next */
    pair_facts facts[OPS][PAIRS];
    float sums[TOKEN_WARPS * STRIP * TOKEN_ROWS]; /* one row: [units][16][16] */
    float squares[TOKEN_DIM_MAX / HALF];          /* one row: of x, before the norm */
    float factor[TOKEN_ROWS];                     /* the norm's */
    float2 rope[TOKEN_ROWS][ROPE_PAIRS];          /* cosine and sine */
    int page[TOKEN_ROWS];                         /* where the rows are written */
    int last;
} token_shared;

/* What every phase needs. */
typedef struct {
    const token_args &a;
    token_shared &sh;
    token_list list;
    uint8_t *act;    /* activations, or what attention needs */
    unsigned target; /* several rows: arrivals that the next wait is for; 0: nothing to wait for */
    int i;           /* number of the op */
    int buffer;      /* where it is */
} token_ctx;

/* The stamp of the op `back` before this one. */
static __device__ __forceinline__ uint32_t stamp_of(const token_ctx &c, int back) {
    return c.a.stamp + (uint32_t)(c.i - back);
}

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

static __device__ __forceinline__ bool is_normed(const token_op &op) {
    return op.kind == OP_QKV || op.kind == OP_GATE_UP || op.kind == OP_HEAD;
}

/* One row: into shared memory, as it comes. */
static __device__ __forceinline__ act_view fill_one(token_ctx &c, const token_op &op, stream &st,
                                                    int tid) {
    bool normed = is_normed(op);
    uint4 *words = (uint4 *)c.act;
    float4 *meta = (float4 *)(words + 2 * op.in_chunks);
    row_room room = {words, meta, normed ? c.sh.squares : NULL, op.halves, 2 * op.in_chunks};
    mail_fill(normed ? c.a.h : c.a.att, room, stamp_of(c, 1), op.crowded, st, c.list, c.a, tid);
    return {(const uint2 *)words, meta};
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

/* Warp m: the factor of row m's norm, for who ends the products. */
template <bool ONE>
static __device__ __forceinline__ void find_factor(token_ctx &c, const token_op &op, int n,
                                                   int warp, int lane) {
    if (!is_normed(op) || warp >= n) return;
    float sum = 0;
    for (int i = lane; i < c.a.dim / HALF; i += 32)
        sum += ONE ? c.sh.squares[i] : __ldcg(c.a.h.squares + i * TOKEN_ROWS + warp);
    sum = warp_sum(sum);
    float factor = op.norm.kind < 0 ? 1 : rsqrtf(sum * c.a.one_by_dim + op.norm.eps);
    if (lane == 0) c.sh.factor[warp] = factor;
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

static __device__ __forceinline__ void find_head(pair_facts &f, const token_shared &sh,
                                                 const token_args &a, const token_op &op,
                                                 const pair_place &p) {
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
    int first = p.which == 0 ? 0 : kv.n_head + (p.which == 2 ? kv.n_head_kv : 0);
    int mail = (first + head) * (kv.hd / 2) + pair;
    __half *to = a.q + (p.m * kv.n_head + head) * kv.hd;
    size_t slab = ((size_t)sh.page[p.m] * kv.n_head_kv + head) * kv.hd * K_PAGE_TOKENS;
    int t = pos % K_PAGE_TOKENS;
    if (p.which == 1) to = kv.k + slab + t * kv.hd;
    if (p.which == 2) { /* plain rows */
        to = kv.v + slab + t;
        d0 = (in_head * STRIP + p.row) * K_PAGE_TOKENS, d1 = d0 + 8 * K_PAGE_TOKENS;
    }
    f.head = {turn.x, turn.y, to + d0, to + d1, mail};
}

static __device__ __forceinline__ const float *bias_of(const token_op &op, int which) {
    return which == 0 ? op.bias[0] : which == 1 ? op.bias[1] : op.bias[2];
}

/* Facts of pairs are found by warps that do not end products, for ops whose units are one strip. */
static __device__ __forceinline__ pair_facts &facts_of(token_ctx &c, int pair) {
    return c.sh.facts[c.buffer][pair];
}

/* Before the wait: what no phase writes. */
template <bool ONE>
static __device__ __forceinline__ void prepare_ends(token_ctx &c, const token_op &op, int first,
                                                    int count, int n, int at) {
    if (at < 0 || at >= PAIRS) return;
    pair_place p = find_pair<ONE>(c, op, 0, first, count, n, at);
    if (!p.on) return;
    pair_facts &f = facts_of(c, at);
    const float *bias = bias_of(op, p.which);
    int row = p.strip * STRIP + p.row;
    float2 b = bias ? make_float2(bias[row], bias[row + 8]) : make_float2(0, 0);
    if (op.kind == OP_QKV)
        find_head(f, c.sh, c.a, op, p);
    else
        f.x.next = op.next ? make_float2(op.next[row], op.next[row + 8]) : make_float2(1, 1);
    f.bias = b;
}

/* What is added to.  One row: written two phases ago at least, and there for long. */
template <bool ONE>
static __device__ __forceinline__ void fetch_before(token_ctx &c, const token_op &op, int first,
                                                    int count, int n, int at) {
    if (at < 0 || at >= PAIRS || op.kind == OP_QKV) return;
    pair_place p = find_pair<ONE>(c, op, 0, first, count, n, at);
    if (!p.on) return;
    int row = p.strip * STRIP + p.row;
    float2 before;
    if (ONE) {
        uint32_t stamp = stamp_of(c, op.kind == OP_ATTN_OUT ? 3 : 2);
        uint2 v = mail_look(c.a.mail_x + row), w = mail_look(c.a.mail_x + row + 8);
        before.x = __uint_as_float(mail_wait(c.a.mail_x + row, v, stamp).x);
        before.y = __uint_as_float(mail_wait(c.a.mail_x + row + 8, w, stamp).x);
    } else {
        const float *x = c.a.x + (size_t)p.m * c.a.dim + row;
        before = make_float2(__ldcg(x), __ldcg(x + 8));
    }
    facts_of(c, at).x.before = before;
}

static __device__ __forceinline__ void end_head(const token_args &a, const token_op &op,
                                                const pair_place &p, float y, int row) {
    if (row >= op.rows) return;
    y *= op.scale;
    if (op.softcap > 0) y = op.softcap * tanhf(y / op.softcap);
    a.logits[(size_t)p.m * a.vocab + row] = y;
}

/* 16 lanes have 16 neighbouring values of gate and up: a half of the next input. */
template <bool ONE>
static __device__ __forceinline__ void end_gate_up(token_ctx &c, const token_op &op,
                                                   const pair_place &p, float2 y) {
    float v[1] = {p.on ? apply_act(op.act, y.x) * y.y : 0};
    half_codes h = half_quantise<HALF, !ONE>(v);
    if (p.on && h.part >= 0) half_put<ONE>(c.a.att, p.strip >> 1, p.m, h, 0, stamp_of(c, 0));
}

static __device__ __forceinline__ void end_logits(token_ctx &c, const token_op &op,
                                                  const pair_place &p, float2 y) {
    int row = p.strip * STRIP + p.row;
    const float *bias = op.bias[0];
    end_head(c.a, op, p, bias && row < op.rows ? y.x + bias[row] : y.x, row);
    end_head(c.a, op, p, bias && row + 8 < op.rows ? y.y + bias[row + 8] : y.y, row + 8);
}

template <bool ONE>
static __device__ __forceinline__ void end_qkv(token_ctx &c, const pair_place &p, float2 y,
                                               const pair_facts &f) {
    if (!p.on) return;
    y.x += f.bias.x;
    y.y += f.bias.y;
    float c0 = f.head.c0, c1 = f.head.c1;
    __half2 v = __floats2half2_rn(y.x * c0 - y.y * c1, y.x * c1 + y.y * c0);
    if (ONE) mail_put(c.a.mail_qkv + f.head.mail, make_uint2(*(uint32_t *)&v, stamp_of(c, 0)));
    if (ONE && p.which == 0) return;
    *f.head.to0 = __low2half(v);
    *f.head.to1 = __high2half(v);
}

/* x, and its codes for the norm that comes next; 8 lanes have a strip. */
template <bool ONE>
static __device__ __forceinline__ void
end_residual(token_ctx &c, const token_op &op, const pair_place &p, float2 y, const pair_facts &f) {
    const token_args &a = c.a;
    float x0 = 0, x1 = 0, w0 = 0, w1 = 0;
    if (p.on) {
        x0 = f.x.before.x + op.scale * (y.x + f.bias.x), w0 = f.x.next.x;
        x1 = f.x.before.y + op.scale * (y.y + f.bias.y), w1 = f.x.next.y;
    }
    const float v[2] = {__fmul_rn(x0, w0), __fmul_rn(x1, w1)};
    half_codes h = half_quantise<8, !ONE>(v);
    float squares = __fmaf_rn(x1, x1, __fmul_rn(x0, x0));
#pragma unroll
    for (int o = 1; o < 8; o *= 2)
        squares += __shfl_xor_sync(0xffffffffu, squares, o);
    if (!p.on) return;
    bool to_head = c.i + 2 == a.n_ops;
    int m = ONE ? 0 : to_head ? a.wanted_as[p.m] : p.m, at = p.strip * STRIP + p.row;
    if (h.part >= 0 && m >= 0) half_put<ONE>(a.h, p.strip, m, h, squares, stamp_of(c, 0));
    if (ONE) {
        mail_put(a.mail_x + at, make_uint2(__float_as_uint(x0), stamp_of(c, 0)));
        mail_put(a.mail_x + at + 8, make_uint2(__float_as_uint(x1), stamp_of(c, 0)));
    }
    float *x = a.x + (size_t)p.m * a.dim + at; /* for other rows, other launches */
    x[0] = x0;
    x[8] = x1;
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
    __syncthreads();
    if (tid >= PAIRS << abreast_log) return;
    float2 y = make_float2(0, 0);
    if (p.on) {
        y = abreast_log ? pair_sums<ONE>(c.sh.sums, p, split_log)
                        : pair_sums<ONE>(c.sh.sums, p, TOKEN_WARPS_LOG);
        float factor = is_normed(op) ? c.sh.factor[p.m] : 1;
        y.x *= factor;
        y.y *= factor;
    }
    if (op.kind == OP_GATE_UP)
        end_gate_up<ONE>(c, op, p, y);
    else if (op.kind == OP_QKV)
        end_qkv<ONE>(c, p, y, facts_of(c, tid));
    else if (op.kind != OP_HEAD)
        end_residual<ONE>(c, op, p, y, facts_of(c, tid));
    else if (p.on)
        end_logits(c, op, p, y);
}

/* Units [first, last) of the CTA's list. */
template <bool ONE, unsigned FORMATS>
static __device__ __forceinline__ void matrix_phase(token_ctx &c, const token_op &op, stream &st,
                                                    int first, int last) {
    constexpr int batch = ONE ? BATCH : 1, warp_floats = STRIP * (ONE ? 1 : TOKEN_ROWS);
    const int tid = thread_now(), warp = tid >> 5, lane = tid & 31;
    const int n = op.kind == OP_HEAD ? c.a.n_want : c.a.n;
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
        if (single) prepare_ends<ONE>(c, op, from, count, n, tid - ENDERS);
        if (!ONE && from == first) grid_wait(c);
        if (single) fetch_before<ONE>(c, op, from, count, n, tid - ENDERS);
        if (from == first) {
            x = ONE ? fill_one(c, op, st, tid) : fill_many(c, op, tid);
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
        if (from == first) find_factor<ONE>(c, op, n, warp, lane);
        end_batch<ONE>(c, op, split_log, from, count, n, tid);
        if (from + batch < last) __syncthreads(); /* the sums are used again */
    }
}

/* 32 values of a row for the norm that comes next, whose weights are w; to: the row in h. */
template <bool ONE>
static __device__ __forceinline__ void give_chunk(const token_ctx &c, const float *w, int to,
                                                  int chunk, const float v[CHUNK], uint32_t stamp) {
    float weights[CHUNK];
#pragma unroll
    for (int i = 0; i < CHUNK; i++)
        weights[i] = w ? w[CHUNK * chunk + i] : 1;
#pragma unroll
    for (int k = 0; k < 2; k++)
        half_give<ONE>(c.a.h, 2 * chunk + k, to, v + k * HALF, weights + k * HALF, stamp);
}

template <bool ONE, unsigned FORMATS>
static __device__ __forceinline__ void embed_phase(token_ctx &c, const token_op &op, int rank) {
    const token_args &a = c.a;
    int item = threadIdx.x * gridDim.x + rank;
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
    uint32_t stamp = stamp_of(c, 0);
#pragma unroll
    for (int i = 0; i < CHUNK; i++) {
        int at = CHUNK * chunk + i;
        v[i] *= a.embed_scale;
        a.x[(size_t)m * a.dim + at] = v[i];
        if (ONE) mail_put(a.mail_x + at, make_uint2(__float_as_uint(v[i]), stamp));
    }
    give_chunk<ONE>(c, op.next, m, chunk, v, stamp);
}

/* A launch of the head alone: rows of x as the last phase of a step would have left them. */
template <bool ONE>
static __device__ __forceinline__ void give_rows(token_ctx &c, const token_op &op) {
    int item = threadIdx.x * gridDim.x + blockIdx.x;
    if (item >= c.a.counts[0]) return;
    int m = item / c.a.embed.chunks, chunk = item % c.a.embed.chunks;
    const float *x = c.a.x + (size_t)c.a.want[m] * c.a.dim + CHUNK * chunk;
    float v[CHUNK];
#pragma unroll
    for (int i = 0; i < CHUNK; i++)
        v[i] = x[i];
    give_chunk<ONE>(c, op.norm.w, m, chunk, v, stamp_of(c, 1));
}

/* What part is first and where its pages lie is known before the wait. */
template <bool ONE, int HD>
static __device__ __forceinline__ void attend_all(token_ctx &c, const token_op &op, stream &st,
                                                  int rank, int items) {
    int tid = thread_now();
    attend_part p;
    attend_ahead<HD> ahead;
    attend_find(c.a, op, rank, p);
    if (ONE) {
        attend_fetch<ONE, HD>(ahead, c.a, op, p, tid);
        stream_flush(st, c.list, c.a, tid >> 5, tid & 31);
    } else {
        grid_wait(c);
    }
#pragma unroll 1
    for (int item = rank;;) {
        if (!ONE) attend_fetch<ONE, HD>(ahead, c.a, op, p, tid);
        attend_smem s = attend_layout<HD>(c.act, p.pages);
        attend_queries<ONE, HD>(c.a, op, p, s, stamp_of(c, 1), tid);
        __syncthreads();
        attend_one<ONE, HD>(c.a, op, p, s, ahead, &c.sh.last, stamp_of(c, 0), tid);
        item += gridDim.x;
        if (item >= items) return;
        __syncthreads(); /* shared memory is used again */
        attend_find(c.a, op, item, p);
        if (ONE) attend_fetch<ONE, HD>(ahead, c.a, op, p, tid);
    }
}

template <bool ONE, bool ALL>
static __device__ __forceinline__ void attend_phase(token_ctx &c, const token_op &op, stream &st,
                                                    int rank, int items) {
    if (op.kv.hd == 64)
        attend_all<ONE, 64>(c, op, st, rank, items);
    else if (op.kv.hd == 128)
        attend_all<ONE, 128>(c, op, st, rank, items);
    else if (ALL && op.kv.hd == 96)
        attend_all<ONE, 96>(c, op, st, rank, items);
    else if (ALL)
        attend_all<ONE, 256>(c, op, st, rank, items);
}

/* Pieces of work in an op, where that depends on the rows; else CTAs with work. */
static __device__ __forceinline__ int turn_count(const token_ctx &c, token_turn t) {
    return t.workers & TURN_COUNTED ? c.a.counts[t.workers & TURN_WORKERS]
                                    : t.workers & TURN_WORKERS;
}

/* The first op from i on in which this CTA has work, or the end; `passed` counts the arrivals of
 * those before it. */
static __device__ __forceinline__ int find_turn(const token_ctx &c, int i, int &passed) {
    for (passed = 0; i < c.a.last; i++) {
        token_turn t = c.list.turns[i];
        int count = turn_count(c, t);
        bool counted = t.workers & TURN_COUNTED;
        if (counted ? t.rank < count : t.unit != c.list.turns[i + 1].unit) return i;
        passed += min(count, (int)gridDim.x);
    }
    return i;
}

static __device__ __forceinline__ void fetch_op(token_ctx &c, int i, int buffer) {
    constexpr int pieces = sizeof(token_op) / 16;
    int at = (int)threadIdx.x - (TOKEN_THREADS - 32); /* the last warp */
    if (at < 0 || at >= pieces || i >= c.a.last) return;
    copy_16((uint8_t *)&c.sh.op[buffer] + 16 * at, (const uint8_t *)(c.a.ops + i) + 16 * at);
}

/* Behind an op in which this CTA had work.  One row: who does not end products goes on; memory is
 * used again behind the next barrier of the CTA, or there are two of it. */
template <bool ONE>
static __device__ __forceinline__ void leave_op(token_ctx &c, const token_op &op, int workers) {
    if (ONE && op.kind != OP_EMBED && op.kind != OP_ATTEND) return;
    copies_wait(); /* the next op */
    if (ONE || c.i + 1 >= c.a.last)
        __syncthreads();
    else
        grid_arrive(c, workers);
}

template <bool ONE, unsigned FORMATS>
static __device__ __forceinline__ void run_op(token_ctx &c, const token_op &op, stream &st) {
    token_turn t = c.list.turns[c.i];
    int count = turn_count(c, t);
    if (op.kind == OP_EMBED)
        embed_phase<ONE, FORMATS>(c, op, t.rank);
    else if (op.kind == OP_ATTEND)
        attend_phase<ONE, FORMATS == ALL_FORMATS>(c, op, st, t.rank, count);
    else
        matrix_phase<ONE, FORMATS>(c, op, st, t.unit, c.list.turns[c.i + 1].unit);
    leave_op<ONE>(c, op, min(count, (int)gridDim.x));
}

/* The rows of x, for a launch that begins with the head. */
template <bool ONE> static __device__ __forceinline__ void before_head(token_ctx &c) {
    int workers = min(c.a.counts[0], (int)gridDim.x);
    c.i = c.a.first;
    if ((int)blockIdx.x >= workers) {
        c.target += (unsigned)workers;
        return;
    }
    give_rows<ONE>(c, c.a.ops[c.a.first]);
    if (!ONE) grid_arrive(c, workers);
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
    token_ctx c = {
        a, sh, {(const token_turn *)turns, turns + TURN_WORDS * (a.n_ops + 1), segs}, act, 0, 0, 0};
    stream st;
    stream_open(st, c.list, a, smem + warp * ring_bytes, sh.full[warp]);
    if (a.first > 0) before_head<ONE>(c);
    int passed;
    c.i = find_turn(c, a.first, passed);
    c.target += (unsigned)passed;
    fetch_op(c, c.i, 0);
    copies_wait();
    __syncthreads();
# pragma unroll 1
    while (c.i < a.last) {
        int next = find_turn(c, c.i + 1, passed);
        int after = c.buffer + 1 == OPS ? 0 : c.buffer + 1;
        fetch_op(c, next, after);
        run_op<ONE, FORMATS>(c, sh.op[c.buffer], st);
        if (!ONE) stream_flush(st, c.list, a, warp, (int)threadIdx.x & 31);
        c.target += (unsigned)passed;
        c.buffer = after;
        c.i = next;
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
