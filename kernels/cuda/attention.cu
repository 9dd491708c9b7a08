/* SPDX-License-Identifier: Apache-2.0 */
/* Attention over paged KV, for decode (one or a few positions, pages split over CTAs and warps) and
 * prefill (every warp its own tile of rows; the pages of a short prompt split over a cluster's
 * CTAs), by one warp-level routine on tensor cores.
 *
 * A tile is 16 rows: row r is query position t = r / group, head g = r % group of the KV head's
 * group, packed over a run of batch rows of one sequence, so that each K and V element is read once
 * for all heads that share it.
 *
 * Page layout of a KV head: K [32 tokens][hd], V transposed [hd][32 tokens], in binary16 or
 * in codes that become binary16 where they are read (CODED).  Both are read as
 * 16-byte pieces straight into mma.m16n8k16 fragments, without shared memory: a dot product does
 * not care in which order its terms come, so the k index of the mma is permuted to fit 8
 * neighbouring halves of a lane, in K over dimensions and in V over tokens (the columns of the
 * score tiles are the tokens 8c .. 8c+7 of lane c for the same reason).
 *
 * Online softmax after Milakov and Gimelshein (2018); split-KV merge after Flash-Decoding.
 */
#include "kernels/cuda/cuda.cuh"

enum { WARPS = PREFILL_TILES, TILE = 16 };

#define LOG2E 1.4426950408889634f

typedef struct {
    int seq, row0; /* batch row of the tile's first position */
    int first;     /* packed row (within the run) of the tile's row 0 */
    int left;      /* packed rows from there to the end of the run */
} tile_info;

static __device__ __forceinline__ uint32_t pack_half2(float x, float y) {
    __half2 h = __floats2half2_rn(x, y);
    return *(uint32_t *)&h;
}

/* ---- cells of keys and values ---------------------------------------------------------------- */

/* Eight int8 numbers as halves, exact: 1024 + 128 + x is 0x6480 + x. */
static __device__ __forceinline__ void widen(const int8_t *codes, __half2 out[4]) {
    uint2 raw = *(const uint2 *)codes;
    const uint32_t word[2] = {raw.x ^ 0x80808080u, raw.y ^ 0x80808080u};
    const __half2 offset = __half2half2(__ushort_as_half(0x6480));
#pragma unroll
    for (int i = 0; i < 4; i++) {
        uint32_t pair = __byte_perm(word[i >> 1], 0x64646464u, i & 1 ? 0x4342 : 0x4140);
        out[i] = __hsub2(*(const __half2 *)&pair, offset);
    }
}

static __device__ __forceinline__ uint4 as_uint4(const __half2 h[4]) {
    return *(const uint4 *)h;
}

template <int HD, bool CODED>
static __device__ __forceinline__ const __half *cell_of(const __half *all, const attend_args &a,
                                                        int page, int kv_head) {
    return all + ((size_t)page * a.kv.n_head_kv + kv_head) * kv_cell_halves(HD, CODED);
}

/* Dimensions d .. d + 7 of the key of position t. */
template <int HD, bool CODED>
static __device__ __forceinline__ uint4 key_piece(const __half *cell, int t, int d) {
    if (!CODED) return *(const uint4 *)(cell + (size_t)t * HD + d);
    __align__(16) __half2 h[4];
    widen((const int8_t *)cell + t * HD + d, h);
    __half scale = cell[K_PAGE_TOKENS / 2 * HD + d / CHUNK * K_PAGE_TOKENS + t];
#pragma unroll
    for (int i = 0; i < 4; i++)
        h[i] = __hmul2(h[i], __half2half2(scale));
    return as_uint4(h);
}

/* Positions t .. t + 7 of dimension d of the values. */
template <int HD, bool CODED>
static __device__ __forceinline__ uint4 value_piece(const __half *cell, int d, int t) {
    if (!CODED) return *(const uint4 *)(cell + (size_t)d * K_PAGE_TOKENS + t);
    __align__(16) __half2 h[4];
    widen((const int8_t *)cell + d * K_PAGE_TOKENS + t, h);
    const __half *scales = cell + K_PAGE_TOKENS / 2 * HD + d / CHUNK * K_PAGE_TOKENS + t;
    uint4 by = *(const uint4 *)scales;
#pragma unroll
    for (int i = 0; i < 4; i++)
        h[i] = __hmul2(h[i], ((const __half2 *)&by)[i]);
    return as_uint4(h);
}

/* What a warp carries through the pages; every lane has rows g = lane / 4 and g + 8. */
template <int HD> struct attend_state {
    uint32_t q[HD / 32][2][4];
    float o[HD / 8][4];
    float m[2], l[2];
    int pos[2]; /* query position of the two rows; -1: no such row */
};

template <int HD>
static __device__ __forceinline__ void load_q(attend_state<HD> &s, const attend_args &a,
                                              const tile_info &t, int kv_head) {
    int lane = threadIdx.x & 31, group = a.kv.n_head / a.kv.n_head_kv;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = lane / 4 + 8 * half;
        bool there = r < t.left;
        int packed = there ? t.first + r : 0;
        int row = t.row0 + packed / group, head = kv_head * group + packed % group;
        s.pos[half] = there ? a.step.pos[row] : -1;
        const __half *q = a.q + ((size_t)row * a.kv.n_head + head) * HD + 8 * (lane & 3);
#pragma unroll
        for (int j = 0; j < HD / 32; j++) {
            uint4 v = there ? *(const uint4 *)(q + 32 * j) : make_uint4(0, 0, 0, 0);
            s.q[j][0][half] = v.x;
            s.q[j][0][half + 2] = v.y;
            s.q[j][1][half] = v.z;
            s.q[j][1][half + 2] = v.w;
        }
        s.m[half] = -INFINITY;
        s.l[half] = 0;
    }
#pragma unroll
    for (int d = 0; d < HD / 8; d++)
        s.o[d][0] = s.o[d][1] = s.o[d][2] = s.o[d][3] = 0;
}

/* Scores of the page's 32 tokens in base-2 units: sc[j] columns 2c, 2c+1 are tokens 8c + 2j + {0,
 * 1}. */
template <int HD, int STRIDE>
static __device__ __forceinline__ void page_scores(float sc[4][4], const attend_state<HD> &s,
                                                   const attend_args &a, const __half *k,
                                                   int pos0) {
    int lane = threadIdx.x & 31, n = lane / 4, c = lane & 3;
#pragma unroll
    for (int j = 0; j < 4; j++) {
        sc[j][0] = sc[j][1] = sc[j][2] = sc[j][3] = 0;
        const __half *row = k + (size_t)(8 * (n >> 1) + 2 * j + (n & 1)) * STRIDE + 8 * c;
#pragma unroll
        for (int d = 0; d < HD / 32; d++) {
            uint4 v = *(const uint4 *)(row + 32 * d);
            mma_f16(sc[j], s.q[d][0], v.x, v.y);
            mma_f16(sc[j], s.q[d][1], v.z, v.w);
        }
    }
#pragma unroll
    for (int j = 0; j < 4; j++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int pos = pos0 + 8 * c + 2 * j + (i & 1), limit = s.pos[i >> 1];
            float v = sc[j][i] * a.scale;
            if (a.softcap > 0) v = a.softcap * tanhf(v / a.softcap);
            bool seen = pos <= limit && (a.window <= 0 || pos > limit - a.window);
            sc[j][i] = seen ? v * LOG2E : -INFINITY;
        }
    }
}

/* Turns scores into weights, rescales what was gathered, and adds this page's values. */
template <int HD>
static __device__ __forceinline__ void page_values(float sc[4][4], attend_state<HD> &s,
                                                   const __half *v) {
    int lane = threadIdx.x & 31, n = lane / 4, c = lane & 3;
    float keep[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float top = -INFINITY;
#pragma unroll
        for (int j = 0; j < 4; j++)
            top = fmaxf(top, fmaxf(sc[j][2 * half], sc[j][2 * half + 1]));
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
        float m = fmaxf(s.m[half], top);
        float base = m == -INFINITY ? 0 : m; /* a row that sees nothing yet */
        keep[half] = exp2f(s.m[half] - base);
        float sum = 0;
#pragma unroll
        for (int j = 0; j < 4; j++) {
#pragma unroll
            for (int e = 0; e < 2; e++) {
                float p = exp2f(sc[j][2 * half + e] - base);
                sc[j][2 * half + e] = p;
                sum += p;
            }
        }
        s.m[half] = m;
        s.l[half] = s.l[half] * keep[half] + sum; /* per lane; lanes are added at the end */
    }
    uint32_t p[2][4];
#pragma unroll
    for (int step = 0; step < 2; step++) {
        p[step][0] = pack_half2(sc[2 * step][0], sc[2 * step][1]);
        p[step][1] = pack_half2(sc[2 * step][2], sc[2 * step][3]);
        p[step][2] = pack_half2(sc[2 * step + 1][0], sc[2 * step + 1][1]);
        p[step][3] = pack_half2(sc[2 * step + 1][2], sc[2 * step + 1][3]);
    }
#pragma unroll
    for (int d = 0; d < HD / 8; d++) {
        s.o[d][0] *= keep[0];
        s.o[d][1] *= keep[0];
        s.o[d][2] *= keep[1];
        s.o[d][3] *= keep[1];
        uint4 b = *(const uint4 *)(v + (size_t)(8 * d + n) * K_PAGE_TOKENS + 8 * c);
        mma_f16(s.o[d], p[0], b.x, b.y);
        mma_f16(s.o[d], p[1], b.z, b.w);
    }
}

static __device__ __forceinline__ tile_info read_tile(const attend_args &a, int tile) {
    const int *t = a.step.tiles + 3 * tile;
    tile_info info;
    info.row0 = t[0];
    info.first = t[1];
    info.left = t[2];
    info.seq = a.step.seq[info.row0];
    return info;
}

/* First and last page that any row of the tile can see. */
static __device__ __forceinline__ int2 page_range(const attend_args &a, const tile_info &t) {
    int group = a.kv.n_head / a.kv.n_head_kv;
    int low = a.step.pos[t.row0 + t.first / group];
    int high = a.step.pos[t.row0 + (t.first + min(t.left, (int)TILE) - 1) / group];
    int from = a.window > 0 ? max(0, low - a.window + 1) : 0;
    return make_int2(from / K_PAGE_TOKENS, high / K_PAGE_TOKENS);
}

/* ---- prefill: four tiles a CTA, pages through shared memory --------------------------------- */

/* K rows are padded by 64 bytes: two neighbouring rows then lie in different banks. */
template <int HD> static __device__ __forceinline__ constexpr int k_stride() {
    return HD + 32;
}
template <int HD> static __host__ __device__ constexpr int stage_halves() {
    return K_PAGE_TOKENS * (HD + 32) + K_PAGE_TOKENS * HD;
}

static __device__ __forceinline__ void copy16(void *smem, const void *global) {
    uint32_t to = (uint32_t)__cvta_generic_to_shared(smem);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(global));
}

template <int HD, bool CODED>
static __device__ __forceinline__ void fetch_page(const attend_args &a, const int *pages, int p,
                                                  int kv_head, __half *stage) {
    const __half *k = cell_of<HD, CODED>(a.kv.k, a, pages[p], kv_head);
    const __half *v = cell_of<HD, CODED>(a.kv.v, a, pages[p], kv_head);
    __half *to_v = stage + K_PAGE_TOKENS * k_stride<HD>();
    for (int i = threadIdx.x; i < K_PAGE_TOKENS * HD / 8; i += WARPS * 32) {
        int row = i / (HD / 8), col = i % (HD / 8) * 8;
        __half *to_k = stage + row * k_stride<HD>() + col;
        if (CODED) {
            *(uint4 *)to_k = key_piece<HD, true>(k, row, col);
            *(uint4 *)(to_v + 8 * i) = value_piece<HD, true>(v, i / 4, i % 4 * 8);
        } else {
            copy16(to_k, k + 8 * i);
            copy16(to_v + 8 * i, v + 8 * i);
        }
    }
    asm volatile("cp.async.commit_group;");
}

/* Where row r of a tile goes. */
static __device__ __forceinline__ size_t place_of(const attend_args &a, const tile_info &t,
                                                  int kv_head, int r) {
    int group = a.kv.n_head / a.kv.n_head_kv, packed = t.first + r;
    int row = t.row0 + packed / group, head = kv_head * group + packed % group;
    return ((size_t)row * a.kv.n_head + head) * a.kv.head_dim;
}

template <bool SPLIT>
static __device__ __forceinline__ void write_pair(const attend_args &a, size_t at, float v,
                                                  float next) {
    __half2 high = __floats2half2_rn(v, next);
    *(__half2 *)(a.att.high + at) = high;
    if constexpr (SPLIT)
        *(__half2 *)(a.att.low + at) =
            __halves2half2(lost_half(v, __low2half(high)), lost_half(next, __high2half(high)));
}

template <int HD, bool SPLIT>
static __device__ __forceinline__ void write_rows(const attend_state<HD> &s, const attend_args &a,
                                                  const tile_info &t, int kv_head) {
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = lane / 4 + 8 * half;
        if (r >= t.left) continue;
        size_t at = place_of(a, t, kv_head, r);
        float scale = 1.0f / s.l[half];
#pragma unroll
        for (int d = 0; d < HD / 8; d++) {
            int col = 8 * d + 2 * (lane & 3);
            if (col < a.kv.head_dim) /* which is even */
                write_pair<SPLIT>(a, at + col, s.o[d][2 * half] * scale,
                                  s.o[d][2 * half + 1] * scale);
        }
    }
}

/* ---- parts: the pages of few tiles are shared out in a cluster ------------------------------- */

/* A CTA's part in its own shared memory, where the pages were: o [64 rows][HD, and 8 so that rows
 * lie in different banks], m [64], l [64]. */
enum { PART_ROWS = WARPS * TILE, PARTS_MAX = 8 };
template <int HD> static __device__ __forceinline__ constexpr int part_stride() {
    return HD + 8;
}

static __device__ __forceinline__ float2 load_peer2(uint32_t at) {
    float2 v = make_float2(0, 0);
#if __CUDA_ARCH__ >= 900
    asm volatile("ld.shared::cluster.v2.f32 {%0, %1}, [%2];" : "=f"(v.x), "=f"(v.y) : "r"(at));
#endif
    return v;
}

template <int HD>
static __device__ __forceinline__ void keep_part(const attend_state<HD> &s, float *mine) {
    int lane = threadIdx.x & 31, first = (threadIdx.x >> 5) * TILE + lane / 4;
    float *factors = mine + PART_ROWS * part_stride<HD>();
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = first + 8 * half;
#pragma unroll
        for (int d = 0; d < HD / 8; d++)
            *(float2 *)(mine + row * part_stride<HD>() + 8 * d + 2 * (lane & 3)) =
                make_float2(s.o[d][2 * half], s.o[d][2 * half + 1]);
        if ((lane & 3) == 0) *(float2 *)(factors + 2 * row) = make_float2(s.m[half], s.l[half]);
    }
}

/* A warp's row of all parts: every lane has two columns of 64. */
template <int HD>
static __device__ __forceinline__ void merge_row(const attend_args &a, const float *mine, int row,
                                                 size_t at) {
    const int lane = threadIdx.x & 31, parts = a.splits;
    float2 factor = make_float2(-INFINITY, 0); /* m and l of part `lane` */
    if (lane < parts)
        factor = load_peer2(at_peer(mine + PART_ROWS * part_stride<HD>() + 2 * row, lane));
    float top = warp_max(factor.x); /* a row sees a page at least: its own */
    float scale = factor.x == -INFINITY ? 0 : exp2f(factor.x - top);
    float whole = 1.0f / warp_sum(factor.y * scale);
    float2 v[PARTS_MAX][(HD + 63) / 64];
#pragma unroll
    for (int q = 0; q < PARTS_MAX; q++) {
#pragma unroll
        for (int k = 0; k < (HD + 63) / 64; k++) {
            int col = 64 * k + 2 * lane;
            if (q < parts && col < HD)
                v[q][k] = load_peer2(at_peer(mine + row * part_stride<HD>() + col, q));
        }
    }
#pragma unroll
    for (int k = 0; k < (HD + 63) / 64; k++) {
        float x = 0, y = 0;
#pragma unroll
        for (int q = 0; q < PARTS_MAX; q++) {
            float by = __shfl_sync(0xffffffffu, scale, q);
            if (q >= parts) continue;
            x += by * v[q][k].x;
            y += by * v[q][k].y;
        }
        int col = 64 * k + 2 * lane;
        if (col < a.kv.head_dim) write_pair<false>(a, at + col, x * whole, y * whole);
    }
}

/* All CTAs of the cluster merge, each some of the rows. */
template <int HD>
static __device__ __forceinline__ void merge_parts(const attend_state<HD> &s, const attend_args &a,
                                                   int block, int kv_head, float *mine) {
    keep_part<HD>(s, mine);
    cluster_sync();
    int warp = threadIdx.x >> 5;
#pragma unroll 1
    for (int row = (int)blockIdx.z * WARPS + warp; row < PART_ROWS; row += a.splits * WARPS) {
        tile_info t = read_tile(a, block * WARPS + row / TILE);
        int r = row % TILE;
        if (r < t.left) merge_row<HD>(a, mine, row, place_of(a, t, kv_head, r));
    }
    cluster_sync(); /* nobody reads here any more */
}

/* The four tiles of a CTA are neighbours in one run (forward.cu pads runs to that), so they need
 * nearly the same pages; a tile with left <= 0 has no rows and only helps to copy.  SPLIT is for
 * float models, PARTS for short prompts: a question at run time would make the others' kernel a
 * third longer. */
template <int HD, bool CODED, bool SPLIT, bool PARTS>
static __global__ void __launch_bounds__(WARPS * 32) attend_prefill(attend_args a) {
    extern __shared__ __align__(16) __half stages[]; /* [2][stage_halves] */
    pdl_trigger();
    pdl_wait();
    int kv_head = blockIdx.y, group = a.kv.n_head / a.kv.n_head_kv;
    int block = gridDim.x - 1 - blockIdx.x; /* the longest first: a shorter tail */
    tile_info head = read_tile(a, block * WARPS),
              t = read_tile(a, block * WARPS + (threadIdx.x >> 5));
    int rows = min(head.left, WARPS * (int)TILE);
    int low = a.step.pos[head.row0 + head.first / group];
    int high = a.step.pos[head.row0 + (head.first + rows - 1) / group];
    int begin = (a.window > 0 ? max(0, low - a.window + 1) : 0) / K_PAGE_TOKENS;
    int from = begin, to = high / K_PAGE_TOKENS + 1;
    if constexpr (PARTS) {
        int count = to - begin, part = blockIdx.z;
        from = begin + part * count / a.splits;
        to = begin + (part + 1) * count / a.splits;
    }
    const int *pages = a.step.pages + (size_t)head.seq * a.step.pages_stride;

    attend_state<HD> s;
    load_q<HD>(s, a, t, kv_head);
    if (!PARTS || from < to) fetch_page<HD, CODED>(a, pages, from, kv_head, stages);
    for (int p = from; p < to; p++) {
        __half *now = stages + ((p - from) & 1) * stage_halves<HD>();
        __half *ahead = stages + ((p - from + 1) & 1) * stage_halves<HD>();
        if (p + 1 < to)
            fetch_page<HD, CODED>(a, pages, p + 1, kv_head, ahead);
        else
            asm volatile("cp.async.commit_group;");
        asm volatile("cp.async.wait_group 1;");
        __syncthreads();
        float sc[4][4];
        page_scores<HD, k_stride<HD>()>(sc, s, a, now, p * K_PAGE_TOKENS);
        page_values<HD>(sc, s, now + K_PAGE_TOKENS * k_stride<HD>());
        __syncthreads(); /* before `now` is overwritten */
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        s.l[half] += __shfl_xor_sync(0xffffffffu, s.l[half], 1);
        s.l[half] += __shfl_xor_sync(0xffffffffu, s.l[half], 2);
    }
    if constexpr (PARTS)
        merge_parts<HD>(s, a, block, kv_head, (float *)stages);
    else
        write_rows<HD, SPLIT>(s, a, t, kv_head);
}

/* ---- decode: pages split over CTAs, in three short loops ------------------------------------ */

/* A decode kernel runs its code once a launch, so straight-line code costs its own fetching: the
 * loops here are small on purpose.  (1) warps take pages and put scores into shared memory; (2)
 * warps take rows and turn scores into weights; (3) warps take 32 dimensions each, over all pages
 * of the CTA, so that no warp has to merge with another.
 *
 * Partial result of a CTA: o [16][HD], then m [16], l [16]. */
template <int HD> static __host__ __device__ constexpr int part_floats() {
    return TILE * (HD + 2);
}

typedef struct {
    float *score;   /* [16][tokens] base-2 units */
    __half *weight; /* [16][tokens + 8]: rows in different banks */
    float *m, *l;   /* [16] */
    int tokens;     /* of this CTA, whole pages */
} decode_stage;

static __device__ __forceinline__ int weight_stride(const decode_stage &d) {
    return d.tokens + 8;
}

template <int HD, bool CODED>
static __device__ __forceinline__ void
decode_scores(const attend_state<HD> &s, const attend_args &a, const tile_info &t, int kv_head,
              int from, int step, const decode_stage &d) {
    const int *pages = a.step.pages + (size_t)t.seq * a.step.pages_stride;
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, n = lane / 4, c = lane & 3;
#pragma unroll 1
    for (int i = warp; i < d.tokens / K_PAGE_TOKENS; i += WARPS) {
        int p = from + i * step;
        const __half *k = cell_of<HD, CODED>(a.kv.k, a, pages[p], kv_head);
#pragma unroll 2
        for (int j = 0; j < 4; j++) { /* 8 tokens: rows 8j .. 8j+7 */
            float sc[4] = {0, 0, 0, 0};
#pragma unroll
            for (int e = 0; e < HD / 32; e++) {
                uint4 v = key_piece<HD, CODED>(k, 8 * j + n, 32 * e + 8 * c);
                mma_f16(sc, s.q[e][0], v.x, v.y);
                mma_f16(sc, s.q[e][1], v.z, v.w);
            }
            int at = 8 * j + 2 * c, pos = p * K_PAGE_TOKENS + at;
#pragma unroll
            for (int x = 0; x < 4; x++) {
                int limit = s.pos[x >> 1], here = pos + (x & 1);
                float v = sc[x] * a.scale;
                if (a.softcap > 0) v = a.softcap * tanhf(v / a.softcap);
                bool seen = here <= limit && (a.window <= 0 || here > limit - a.window);
                sc[x] = seen ? v * LOG2E : -INFINITY;
            }
            float *out = d.score + i * K_PAGE_TOKENS + at;
            *(float2 *)(out + (size_t)n * d.tokens) = make_float2(sc[0], sc[1]);
            *(float2 *)(out + (size_t)(n + 8) * d.tokens) = make_float2(sc[2], sc[3]);
        }
    }
}

/* Rows that nobody asked for get weights of zero. */
static __device__ __forceinline__ void decode_weights(const decode_stage &d, int rows) {
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
#pragma unroll 1
    for (int r = warp; r < TILE; r += WARPS) {
        const float *score = d.score + (size_t)r * d.tokens;
        __half *weight = d.weight + (size_t)r * weight_stride(d);
        float m = -INFINITY, l = 0;
        if (r < rows) {
            for (int i = lane; i < d.tokens; i += 32)
                m = fmaxf(m, score[i]);
            m = warp_max(m);
        }
        for (int i = lane; i < d.tokens; i += 32) {
            float p = m == -INFINITY ? 0 : exp2f(score[i] - m);
            l += p;
            weight[i] = __float2half(p);
        }
        l = warp_sum(l);
        if (lane == 0) d.m[r] = m, d.l[r] = l;
    }
}

/* 32 dimensions (one chunk) of the 16 rows: o[e] are the columns 8e + 2c, 8e + 2c + 1. */
template <int HD, bool CODED>
static __device__ __forceinline__ void decode_values(float o[4][4], const attend_args &a,
                                                     const tile_info &t, int kv_head, int chunk,
                                                     int from, int step, const decode_stage &d) {
    const int *pages = a.step.pages + (size_t)t.seq * a.step.pages_stride;
    int lane = threadIdx.x & 31, n = lane / 4, c = lane & 3;
#pragma unroll
    for (int e = 0; e < 4; e++)
        o[e][0] = o[e][1] = o[e][2] = o[e][3] = 0;
#pragma unroll 2
    for (int i = 0; i < d.tokens / K_PAGE_TOKENS; i++) {
        int p = from + i * step;
        const __half *v = cell_of<HD, CODED>(a.kv.v, a, pages[p], kv_head);
        const __half *w = d.weight + (size_t)n * weight_stride(d) + i * K_PAGE_TOKENS + 8 * c;
        uint4 top = *(const uint4 *)w, low = *(const uint4 *)(w + 8 * weight_stride(d));
        const uint32_t first[4] = {top.x, low.x, top.y, low.y},
                       second[4] = {top.z, low.z, top.w, low.w};
#pragma unroll
        for (int e = 0; e < 4; e++) {
            uint4 b = value_piece<HD, CODED>(v, 32 * chunk + 8 * e + n, 8 * c);
            mma_f16(o[e], first, b.x, b.y);
            mma_f16(o[e], second, b.z, b.w);
        }
    }
}

/* One chunk of one row, 8 columns in each of 4 lanes, as int8 for the next product. */
static __device__ __forceinline__ void emit_chunk(const attend_args &a, int row, int c_out,
                                                  bool there, const float v[8]) {
    int c = threadIdx.x & 3, chunks = a.kv.n_head * a.kv.head_dim / CHUNK;
    float top = 0;
#pragma unroll
    for (int i = 0; i < 8; i++)
        top = fmaxf(top, fabsf(v[i]));
    top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
    top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
    float inverse = top > 0 ? __fdividef(127.0f, top) : 0.0f, scale = top * (1.0f / 127.0f);
    int q[8], sums[2];
#pragma unroll
    for (int i = 0; i < 8; i++)
        q[i] = __float2int_rn(v[i] * inverse);
#pragma unroll
    for (int h = 0; h < 2; h++) { /* v[0..3] lie in columns 0..15, v[4..7] in 16..31 */
        sums[h] = q[4 * h] + q[4 * h + 1] + q[4 * h + 2] + q[4 * h + 3];
        sums[h] += __shfl_xor_sync(0xffffffffu, sums[h], 1);
        sums[h] += __shfl_xor_sync(0xffffffffu, sums[h], 2);
    }
    if (!there) return;
    uint8_t *base = a.act_q + (size_t)row * a.act_stride;
#pragma unroll
    for (int e = 0; e < 4; e++) {
        uint8_t *plane = base + (size_t)(e >> 1) * chunks * 16 + 16 * c_out + 8 * (e & 1) + 2 * c;
        *(uint16_t *)plane = (uint16_t)((q[2 * e] & 0xff) | (q[2 * e + 1] & 0xff) << 8);
    }
    float s0 = scale * (float)sums[0], s1 = scale * (float)sums[1];
    if (c == 0)
        ((float4 *)(base + (size_t)chunks * 32))[c_out] = make_float4(scale, s0, s1, s0 + s1);
}

static __device__ __forceinline__ void emit_tile_chunk(const attend_args &a, const tile_info &t,
                                                       int kv_head, int chunk, const float o[4][4],
                                                       const float *l) {
    int n = (threadIdx.x & 31) / 4, group = a.kv.n_head / a.kv.n_head_kv;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = n + 8 * half;
        bool there = r < t.left && 32 * chunk < a.kv.head_dim;
        int packed = there ? t.first + r : 0;
        float scale = there ? __fdividef(1.0f, l[r]) : 0, v[8];
#pragma unroll
        for (int e = 0; e < 4; e++) {
            v[2 * e] = o[e][2 * half] * scale;
            v[2 * e + 1] = o[e][2 * half + 1] * scale;
        }
        int head = kv_head * group + packed % group;
        emit_chunk(a, t.row0 + packed / group, head * (a.kv.head_dim / CHUNK) + chunk, there, v);
    }
}

/* Scale of each CTA's partial result of row r, and the common denominator: for the last CTA. */
template <int HD>
static __device__ __forceinline__ void merge_scales(const float *parts, int count, float *scales,
                                                    float *l) {
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
#pragma unroll 1
    for (int r = warp; r < TILE; r += WARPS) { /* count is at most 32: a lane each */
        const float *p = parts + (size_t)lane * part_floats<HD>() + TILE * HD + r;
        float m = lane < count ? p[0] : -INFINITY, part = lane < count ? p[TILE] : 0;
        float top = warp_max(m);
        float scale = m == -INFINITY ? 0 : exp2f(m - top);
        float sum = warp_sum(part * scale);
        scales[r * 32 + lane] = scale;
        if (lane == 0) l[r] = sum;
    }
}

template <int HD>
static __device__ __forceinline__ void merge_chunk(const float *parts, int count,
                                                   const float *scales, int chunk, float o[4][4]) {
    int lane = threadIdx.x & 31, n = lane / 4, c = lane & 3;
#pragma unroll
    for (int e = 0; e < 4; e++)
        o[e][0] = o[e][1] = o[e][2] = o[e][3] = 0;
#pragma unroll 4
    for (int i = 0; i < count; i++) {
        const float *p = parts + (size_t)i * part_floats<HD>() + 32 * chunk + 2 * c;
        float a0 = scales[n * 32 + i], a1 = scales[(n + 8) * 32 + i];
#pragma unroll
        for (int e = 0; e < 4; e++) {
            float2 x = *(const float2 *)(p + n * HD + 8 * e);
            float2 y = *(const float2 *)(p + (n + 8) * HD + 8 * e);
            o[e][0] += a0 * x.x;
            o[e][1] += a0 * x.y;
            o[e][2] += a1 * y.x;
            o[e][3] += a1 * y.y;
        }
    }
}

template <int HD>
static __device__ __forceinline__ void write_part(float *part, int chunk, const float o[4][4]) {
    int lane = threadIdx.x & 31, n = lane / 4, c = lane & 3;
#pragma unroll
    for (int e = 0; e < 4; e++) {
        float *out = part + 32 * chunk + 8 * e + 2 * c;
        *(float2 *)(out + n * HD) = make_float2(o[e][0], o[e][1]);
        *(float2 *)(out + (n + 8) * HD) = make_float2(o[e][2], o[e][3]);
    }
}

/* Shared memory for `pages` pages of a CTA. */
static __host__ __device__ inline size_t decode_smem(int pages) {
    size_t tokens = (size_t)pages * K_PAGE_TOKENS;
    return TILE * tokens * sizeof(float) + TILE * (tokens + 8) * sizeof(__half);
}

template <int HD, bool CODED>
static __global__ void __launch_bounds__(WARPS * 32) attend_decode(attend_args a) {
    extern __shared__ __align__(16) float shared[];
    __shared__ float m[TILE], l[TILE], scales[TILE * 32];
    __shared__ int last;
    pdl_trigger();
    int split = blockIdx.x, kv_head = blockIdx.y, tile = blockIdx.z, warp = threadIdx.x >> 5;
    tile_info t = read_tile(a, tile); /* the step block was there before the first kernel */
    int2 range = page_range(a, t);
    int pages = range.y - range.x + 1;
    int active = min(a.splits, (pages + WARPS - 1) / WARPS); /* CTAs that have any page */
    if (split >= active) return;
    decode_stage d;
    d.tokens = (pages - split + active - 1) / active * K_PAGE_TOKENS;
    d.score = shared;
    d.weight = (__half *)(shared + (size_t)TILE * d.tokens);
    d.m = m;
    d.l = l;
    pdl_wait();

    attend_state<HD> s;
    load_q<HD>(s, a, t, kv_head);
    decode_scores<HD, CODED>(s, a, t, kv_head, range.x + split, active, d);
    __syncthreads();
    decode_weights(d, t.left);
    __syncthreads();
    size_t cell = (size_t)tile * a.kv.n_head_kv + kv_head;
    float *parts = a.part + cell * a.splits * part_floats<HD>();
    float *mine = parts + (size_t)split * part_floats<HD>();
#pragma unroll 1
    for (int chunk = warp; chunk < HD / 32; chunk += WARPS) {
        float o[4][4];
        decode_values<HD, CODED>(o, a, t, kv_head, chunk, range.x + split, active, d);
        if (active == 1)
            emit_tile_chunk(a, t, kv_head, chunk, o, l);
        else
            write_part<HD>(mine, chunk, o);
    }
    if (active == 1) return;
    if (threadIdx.x < TILE) {
        mine[TILE * HD + threadIdx.x] = m[threadIdx.x];
        mine[TILE * HD + TILE + threadIdx.x] = l[threadIdx.x];
    }
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) last = atomicAdd(&a.ticket[cell], 1) == active - 1;
    __syncthreads();
    if (!last) return;
    __threadfence();
    if (threadIdx.x == 0) a.ticket[cell] = 0;
    merge_scales<HD>(parts, active, scales, l);
    __syncthreads();
#pragma unroll 1
    for (int chunk = warp; chunk < HD / 32; chunk += WARPS) {
        float o[4][4];
        merge_chunk<HD>(parts, active, scales, chunk, o);
        emit_tile_chunk(a, t, kv_head, chunk, o, l);
    }
}

/* ---- launches ------------------------------------------------------------------------------- */

/* Heads are handled as 64, 96, 128 or 256 dimensions; the rest of a head is zeros. */
int cuda_head_dim_padded(int head_dim) {
    if (head_dim % CHUNK != 0) return 0;
    if (head_dim <= 64) return 64;
    if (head_dim <= 96) return 96;
    if (head_dim <= 128) return 128;
    return head_dim <= 256 ? 256 : 0;
}

template <int HD, bool CODED>
static cudaError_t attend_as(const launch_ctx *l, const attend_args *a) {
    cudaLaunchConfig_t config = {};
    config.blockDim = dim3(WARPS * 32);
    config.stream = l->stream;
    cudaLaunchAttribute attr[2];
    attr[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attr[0].val.programmaticStreamSerializationAllowed = 1;
    config.attrs = attr;
    config.numAttrs = l->pdl ? 1 : 0;
    if (a->att.high) {
        cudaLaunchAttribute *cluster = attr + config.numAttrs;
        cluster->id = cudaLaunchAttributeClusterDimension;
        cluster->val.clusterDim = {1, 1, (unsigned)a->splits};
        if (a->splits > 1) config.numAttrs++;
        size_t stages = 2 * stage_halves<HD>() * sizeof(__half);
        auto kernel = a->att.low      ? attend_prefill<HD, CODED, true, false>
                      : a->splits > 1 ? attend_prefill<HD, CODED, false, true>
                                      : attend_prefill<HD, CODED, false, false>;
        cudaError_t code =
            cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)stages);
        if (code != cudaSuccess) return code;
        config.dynamicSmemBytes = stages;
        config.gridDim =
            dim3((unsigned)(a->n_tiles / WARPS), (unsigned)a->kv.n_head_kv, (unsigned)a->splits);
        return cudaLaunchKernelEx(&config, kernel, *a);
    }
    size_t smem = decode_smem((a->step.pages_stride + a->splits - 1) / a->splits + 1);
    smem = MAX(smem, decode_smem(WARPS)); /* few pages: up to WARPS of them in one CTA */
    cudaError_t code = cudaFuncSetAttribute(attend_decode<HD, CODED>,
                                            cudaFuncAttributeMaxDynamicSharedMemorySize, (int)smem);
    if (code != cudaSuccess) return code;
    config.dynamicSmemBytes = smem;
    config.gridDim = dim3((unsigned)a->splits, (unsigned)a->kv.n_head_kv, (unsigned)a->n_tiles);
    return cudaLaunchKernelEx(&config, attend_decode<HD, CODED>, *a);
}

template <int HD> static cudaError_t attend(const launch_ctx *l, const attend_args *a) {
    return a->kv.coded ? attend_as<HD, true>(l, a) : attend_as<HD, false>(l, a);
}

cudaError_t cuda_attend(const launch_ctx *l, const attend_args *a) {
    switch (a->kv.hd) {
    case 64: return attend<64>(l, a);
    case 96: return attend<96>(l, a);
    case 128: return attend<128>(l, a);
    default: return attend<256>(l, a);
    }
}
