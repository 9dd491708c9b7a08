/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The weight stream of the token kernel and the products that consume it.
 *
 * Every warp has its own ring of tiles in shared memory, filled by bulk copies.  Which tiles a warp
 * will need, over all layers, is known before the kernel starts: so its ring runs ahead of the
 * arithmetic, through barriers and phases, and the memory never waits for them.
 *
 * Products go through mma.m16n8k32 (int8): 16 rows of a strip by 8 columns of activations.
 *   several rows   column n is activation row n, in two halves of 16 columns of the matrix
 *   one row        columns 2j and 2j + 1 are the halves of chunk j of four chunks: four products
 *                  into one accumulator (in two halves: integers) leave the sums of chunk t in
 *                  lane t of each quad, which then scales only that chunk
 * The sum of a row is, in both, over four classes of chunks (number modulo 4), each in ascending
 * order, then (0 + 1) + (2 + 3): a row has the same bits alone or among eight.
 */
#include "kernels/cuda/strips.cuh"
#include "kernels/cuda/token.cuh"

/* ---- mbarrier and bulk copy ------------------------------------------------------------------ */

static __device__ __forceinline__ uint32_t smem_at(const void *p) {
    return (uint32_t)__cvta_generic_to_shared(p);
}

/* policy: weights pass through, they must not push activations out of L2. */
static __device__ __forceinline__ void bulk_load(uint8_t *to, const uint8_t *from, uint32_t bytes,
                                                 uint64_t *full, uint64_t policy) {
#if __CUDA_ARCH__ >= 900
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(smem_at(full)),
                 "r"(bytes)
                 : "memory");
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
                 "[%0], [%1], %2, [%3], %4;" ::"r"(smem_at(to)),
                 "l"(from), "r"(bytes), "r"(smem_at(full)), "l"(policy)
                 : "memory");
#endif
}

static __device__ __forceinline__ void wait_full(uint64_t *full, uint32_t parity) {
#if __CUDA_ARCH__ >= 900
    uint32_t done = 0;
    while (!done) {
        asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; "
                     "selp.u32 %0, 1, 0, p; }"
                     : "=r"(done)
                     : "r"(smem_at(full)), "r"(parity)
                     : "memory");
    }
#endif
}

/* ---- who reads which tiles ------------------------------------------------------------------- */

/* The CTA's list in shared memory. */
typedef struct {
    const token_turn *turns;
    const uint32_t *units;
    const token_seg *segs;
} token_list;

static __device__ __forceinline__ const token_seg &seg_of_unit(const token_list &l, uint32_t unit) {
    return l.segs[unit >> UNIT_SEG & UNIT_SEGS];
}

/* One row: a slot that was read is filled again at once, but for the last of a phase, which is
 * filled while the warp waits for the next phase.  Several rows: at once only as long as this phase
 * needs more than the ring holds; the others are filled behind the arrival (stream_flush).  A fence
 * waits for copies under way, and everybody waits for the CTA with the slowest fence. */
typedef struct {
    uint8_t *ring;
    uint64_t *full;
    uint32_t slot, parity; /* read next */
    int owed;              /* slots that were read and not filled again */
    int need;              /* tiles that this phase still reads, about */
    int defer;             /* so many of which at most are not filled at once */
    /* lane 0: what is fetched next */
    const uint8_t *from;
    uint64_t policy;
    uint32_t bytes;      /* of a tile */
    uint32_t fill;       /* slot */
    int left, next, end; /* tiles; units */
} stream;

/* Moves to the next tiles of this warp; left stays 0 at the end. */
static __device__ __forceinline__ void stream_seek(stream &st, const token_list &l, int warp) {
    while (st.left == 0 && st.next < st.end) {
        uint32_t unit = l.units[st.next++];
        const token_seg &s = seg_of_unit(l, unit);
        tile_range r = token_range_of(s, unit, warp);
        st.left = r.count;
        st.bytes = s.tile_bytes;
        st.from = s.base + (size_t)((uint32_t)r.strip * s.tiles + (uint32_t)r.tile) * st.bytes;
    }
}

/* Lane 0 only: fetches one tile into the slot whose turn it is. */
static __device__ __forceinline__ void stream_fetch(stream &st, const token_list &l,
                                                    const token_args &a, int warp) {
    if (st.left == 0) stream_seek(st, l, warp);
    if (st.left == 0) return;
    bulk_load(st.ring + st.fill * (uint32_t)a.slot_bytes, st.from, st.bytes, st.full + st.fill,
              st.policy);
    st.from += st.bytes;
    st.left--;
    if (++st.fill == (uint32_t)a.slots) st.fill = 0;
}

static __device__ __forceinline__ void
stream_open(stream &st, const token_list &l, const token_args &a, uint8_t *ring, uint64_t *full) {
    st.ring = ring;
    st.full = full;
    st.slot = st.parity = st.fill = 0;
    st.owed = st.need = 0;
    st.defer = a.n == 1 ? 0 : a.defer;
    st.from = NULL;
    st.left = 0;
    st.next = l.turns[a.first].unit;
    st.end = l.turns[a.last].unit;
    st.bytes = 0;
#if __CUDA_ARCH__ >= 900
    asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(st.policy));
    if ((threadIdx.x & 31) == 0) {
        for (int i = 0; i < a.slots; i++)
            asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(smem_at(full + i)));
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        asm volatile("fence.proxy.async;" ::: "memory");
# pragma unroll 1
        for (int i = 0; i < a.slots; i++)
            stream_fetch(st, l, a, (int)threadIdx.x >> 5);
    }
#endif
    __syncwarp();
}

static __device__ __forceinline__ const uint8_t *stream_tile(const stream &st,
                                                             const token_args &a) {
    wait_full(st.full + st.slot, st.parity);
    return st.ring + st.slot * (uint32_t)a.slot_bytes;
}

static __device__ __forceinline__ void stream_next(stream &st, const token_list &l,
                                                   const token_args &a, int warp, int lane) {
    __syncwarp(); /* all lanes have read the tile */
    if (++st.slot == (uint32_t)a.slots) {
        st.slot = 0;
        st.parity ^= 1;
    }
    st.need--;
    if (++st.owed < a.slots && st.need <= min(a.slots - st.owed, st.defer)) return;
    st.owed--;
    if (lane == 0) stream_fetch(st, l, a, warp);
}

/* Fills one of the slots that were read. */
static __device__ __forceinline__ void stream_catch_up(stream &st, const token_list &l,
                                                       const token_args &a, int warp, int lane) {
    if (st.owed == 0) return;
    st.owed--;
    if (lane == 0) stream_fetch(st, l, a, warp);
}

/* Fills all of them. */
static __device__ __forceinline__ void stream_flush(stream &st, const token_list &l,
                                                    const token_args &a, int warp, int lane) {
#pragma unroll 1
    while (st.owed > 0)
        stream_catch_up(st, l, a, warp, lane);
}

/* ---- products -------------------------------------------------------------------------------- */

template <bool UNSIGNED>
static __device__ __forceinline__ void mma_k32(int c[4], const uint32_t a[4], uint32_t b0,
                                               uint32_t b1) {
    if (UNSIGNED) {
        asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 "
            "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    } else {
        asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
            "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    }
}

/* A registers of two neighbouring chunks (pair: which two of the tile). */
template <int FMT>
static __device__ __forceinline__ void two_chunks(uint32_t a[2][4], const uint8_t *tile, int pair,
                                                  int lane) {
    typedef tile_of<FMT> T;
    if (T::bytes8) {
#pragma unroll
        for (int k = 0; k < 2; k++) {
            uint4 q = *(const uint4 *)(tile + (2 * pair + k) * 512 + lane * 16);
            a[k][0] = q.x, a[k][1] = q.y, a[k][2] = q.z, a[k][3] = q.w;
        }
        return;
    }
    uint4 q4 = *(const uint4 *)(tile + pair * 512 + lane * 16);
    const uint32_t q[4] = {q4.x, q4.y, q4.z, q4.w};
#pragma unroll
    for (int r = 0; r < 4; r++) {
        a[0][r] = q[r] & 0x0f0f0f0f;
        a[1][r] = T::by_16 ? q[r] & 0xf0f0f0f0 : q[r] >> 4 & 0x0f0f0f0f;
    }
    if (T::five) {
        uint32_t h = *(const uint32_t *)(tile + T::h_at + pair * T::h_pair + lane * 4);
#pragma unroll
        for (int r = 0; r < 4; r++) {
            a[0][r] |= (h >> r & 0x01010101) << 4;
            a[1][r] |= (h >> (4 + r) & 0x01010101) << 4;
        }
    }
    if (T::halves) {
        uint2 h = *(const uint2 *)(tile + T::h_at + pair * T::h_pair + lane * 8);
#pragma unroll
        for (int r = 0; r < 4; r++) {
            a[0][r] |= (h.x >> (2 * r) & 0x03030303) << 4;
            a[1][r] |= (h.y >> (2 * r) & 0x03030303) << 4;
        }
    }
}

/* value = a * q + b of chunk j, for rows g (index 0) and g + 8 (1); halves: a of the first and
 * second 16 columns are a[row], a[2 + row], and b likewise. */
typedef struct {
    float a[4], b[4];
} two_scales;

/* The factors of a tile that all its chunks share. */
template <int FMT>
static __device__ __forceinline__ float4 tile_factors(const uint8_t *tile, int lane) {
    typedef tile_of<FMT> T;
    int g = lane >> 2;
    if (!T::k_quant) return make_float4(0, 0, 0, 0);
    uint32_t low = *(const uint32_t *)(tile + T::d_at + g * T::d_cell), high = low >> 16;
    if (T::halves) return make_float4(half_bits(low & 0xffff), half_bits(high), 0, 0);
    uint32_t next = *(const uint32_t *)(tile + T::d_at + g * T::d_cell + 4);
    return make_float4(half_bits(low & 0xffff), half_bits(next & 0xffff), half_bits(high),
                       half_bits(next >> 16));
}

template <int FMT>
static __device__ __forceinline__ void chunk_scales(two_scales &s, const uint8_t *cell, int j,
                                                    const float4 &d) {
    typedef tile_of<FMT> T;
    uint32_t v = *(const uint32_t *)cell;
    if (T::halves) {
        s.a[0] = __fmul_rn(d.x, (float)(int8_t)v);
        s.a[2] = __fmul_rn(d.x, (float)(int8_t)(v >> 8));
        s.a[1] = __fmul_rn(d.y, (float)(int8_t)(v >> 16));
        s.a[3] = __fmul_rn(d.y, (float)(int8_t)(v >> 24));
#pragma unroll
        for (int i = 0; i < 4; i++)
            s.b[i] = -32 * s.a[i];
        return;
    }
    if (T::k_quant) {
        s.a[0] = __fmul_rn(d.x, (float)(v & 0xff));
        s.a[1] = __fmul_rn(d.y, (float)(v >> 8 & 0xff));
        s.b[0] = __fmul_rn(-d.z, (float)(v >> 16 & 0xff));
        s.b[1] = __fmul_rn(-d.w, (float)(v >> 24));
    } else {
        s.a[0] = half_bits(v & 0xffff), s.a[1] = half_bits(v >> 16);
        s.b[0] = s.b[1] = 0;
        if (FMT == FMT_Q4_0) s.b[0] = -8 * s.a[0], s.b[1] = -8 * s.a[1];
        if (FMT == FMT_Q5_0) s.b[0] = -16 * s.a[0], s.b[1] = -16 * s.a[1];
        if (T::minimum) {
            uint32_t m = *(const uint32_t *)(cell + 4);
            s.b[0] = half_bits(m & 0xffff), s.b[1] = half_bits(m >> 16);
        }
    }
    if (T::by_16) { /* the second chunk of two is multiplied as 16 times its value */
        float f = j & 1 ? 0.0625f : 1.0f;
        s.a[0] *= f, s.a[1] *= f;
    }
}

/* acc += a (the dots of the two halves, each times its scale) + b sum, in the one order that every
 * path uses. */
static __device__ __forceinline__ float add_chunk(float acc, float a, int dot, float scale,
                                                  int dot2, float scale2, float b, float sum,
                                                  bool offset) {
    float both = __fmaf_rn((float)dot2, scale2, __fmul_rn((float)dot, scale));
    acc = __fmaf_rn(a, both, acc);
    return offset ? __fmaf_rn(b, sum, acc) : acc;
}

/* The same where the halves have factors of their own. */
static __device__ __forceinline__ float add_half(float acc, float a, int dot, float scale, float b,
                                                 float sum) {
    acc = __fmaf_rn((float)dot, __fmul_rn(a, scale), acc);
    return __fmaf_rn(b, sum, acc);
}

/* Activations as the products read them: one row in shared memory (words [chunks][2][4], meta
 * [chunks]), several in shared or global memory (token_act). */
typedef struct {
    const uint2 *frag;
    const float4 *meta;
} act_view;

/* Four chunks of one activation row. */
template <int FMT>
static __device__ __forceinline__ void group_one(float acc[2], const uint8_t *tile, int group,
                                                 const act_view &x, int chunk, const float4 &d,
                                                 int lane) {
    typedef tile_of<FMT> T;
    int g = lane >> 2, t = lane & 3, own = g >> 1;
    uint32_t b = ((const uint32_t *)x.frag)[chunk * 8 + lane]; /* half g of the eight */
    uint32_t low = g & 1 ? 0 : b, high = g & 1 ? b : 0;
    int c[2][4] = {}; /* two chains: one would be a third of a short phase */
    uint32_t a[4][4];
    two_chunks<FMT>(a, tile, 2 * group, lane);
    two_chunks<FMT>(a + 2, tile, 2 * group + 1, lane);
#pragma unroll
    for (int j = 0; j < GROUP_CHUNKS; j++)
        mma_k32<!T::bytes8>(c[j & 1], a[j], own == j ? low : 0, own == j ? high : 0);
    float4 m = x.meta[chunk + t];
    two_scales s;
    chunk_scales<FMT>(s, tile + T::s_at + group * T::s_group + lane * T::s_cell, t, d);
    constexpr bool offset = FMT != FMT_Q8_0;
#pragma unroll
    for (int r = 0; r < 2; r++) {
        int dot = c[0][2 * r] + c[1][2 * r], dot2 = c[0][2 * r + 1] + c[1][2 * r + 1];
        if (T::halves) {
            acc[r] = add_half(acc[r], s.a[r], dot, m.x, s.b[r], m.z);
            acc[r] = add_half(acc[r], s.a[2 + r], dot2, m.y, s.b[2 + r], m.w);
        } else {
            acc[r] =
                add_chunk(acc[r], s.a[r], dot, m.x, dot2, m.y, s.b[r], __fadd_rn(m.z, m.w), offset);
        }
    }
}

/* One half of 16 columns. */
template <bool UNSIGNED>
static __device__ __forceinline__ void mma_k16(int c[4], uint32_t a0, uint32_t a1, uint32_t b) {
    if (UNSIGNED) {
        asm("mma.sync.aligned.m16n8k16.row.col.s32.u8.s8.s32 "
            "{%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
            : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
            : "r"(a0), "r"(a1), "r"(b));
    } else {
        asm("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 "
            "{%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
            : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
            : "r"(a0), "r"(a1), "r"(b));
    }
}

/* Four chunks of eight activation rows: acc[class][4] are (row g, columns 2t, 2t + 1), then those
 * of row g + 8. */
template <int FMT>
static __device__ __forceinline__ void group_many(float acc[4][4], const uint8_t *tile, int group,
                                                  const act_view &x, int chunk, const float4 &d,
                                                  int lane) {
    typedef tile_of<FMT> T;
    int g = lane >> 2, t = lane & 3;
    constexpr bool offset = FMT != FMT_Q8_0;
#pragma unroll
    for (int pair = 0; pair < 2; pair++) {
        uint32_t a[2][4];
        two_chunks<FMT>(a, tile, 2 * group + pair, lane);
#pragma unroll
        for (int k = 0; k < 2; k++) {
            const int j = 2 * pair + k;
            uint2 b = x.frag[(size_t)(chunk + j) * 32 + lane];
            const float4 *meta = x.meta + (size_t)(chunk + j) * TOKEN_ROWS + 2 * t;
            const float4 m[2] = {meta[0], meta[1]};
            two_scales s;
            chunk_scales<FMT>(s, tile + T::s_at + group * T::s_group + (g * 4 + j) * T::s_cell, j,
                              d);
            int c[4] = {0, 0, 0, 0}, e[4] = {0, 0, 0, 0};
            mma_k16<!T::bytes8>(c, a[k][0], a[k][1], b.x);
            mma_k16<!T::bytes8>(e, a[k][2], a[k][3], b.y);
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int r = i >> 1, n = i & 1;
                float v = acc[j][i];
                if (T::halves) {
                    v = add_half(v, s.a[r], c[i], m[n].x, s.b[r], m[n].z);
                    v = add_half(v, s.a[2 + r], e[i], m[n].y, s.b[2 + r], m[n].w);
                } else {
                    v = add_chunk(v, s.a[r], c[i], m[n].x, e[i], m[n].y, s.b[r],
                                  __fadd_rn(m[n].z, m[n].w), offset);
                }
                acc[j][i] = v;
            }
        }
    }
}

/* This warp's tiles of one unit; the sums of its rows go to sums[16] (one row) or sums[16][8]. */
template <int FMT, bool ONE>
static __device__ __forceinline__ void strip_products(stream &st, const token_list &l,
                                                      const token_args &a, tile_range range,
                                                      act_view x, float *sums, int warp, int lane) {
    typedef tile_of<FMT> T;
    int g = lane >> 2, t = lane & 3;
    float acc[ONE ? 1 : 4][4] = {};
#pragma unroll 1
    for (int i = 0; i < range.count; i++) {
        const uint8_t *tile = stream_tile(st, a);
        float4 d = tile_factors<FMT>(tile, lane);
#pragma unroll
        for (int group = 0; group < T::groups; group++) {
            int chunk = (range.tile + i) * T::chunks + group * GROUP_CHUNKS;
            if constexpr (ONE)
                group_one<FMT>(acc[0], tile, group, x, chunk, d, lane);
            else
                group_many<FMT>(acc, tile, group, x, chunk, d, lane);
        }
        stream_next(st, l, a, warp, lane);
    }
    if (ONE) {
#pragma unroll
        for (int r = 0; r < 2; r++) {
            acc[0][r] += __shfl_xor_sync(0xffffffffu, acc[0][r], 1);
            acc[0][r] += __shfl_xor_sync(0xffffffffu, acc[0][r], 2);
            if (t == 0) sums[g + 8 * r] = acc[0][r];
        }
    } else {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float v = (acc[0][i] + acc[1][i]) + (acc[2][i] + acc[3][i]);
            sums[(g + 8 * (i >> 1)) * TOKEN_ROWS + 2 * t + (i & 1)] = v;
        }
    }
}
