/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How one phase of the token kernel hands its results to the next.
 *
 * Several rows: plain memory, and a barrier over the grid.  One row: mail.  A piece of mail is 8 or
 * 16 bytes that one access writes and one reads (PTX: a scalar access of up to 128 bits is single),
 * the last 4 of them the stamp of the op and step that wrote it.  A reader looks at a piece until
 * it has the stamp that it wants: no fence, no counter, and the way through memory is gone once a
 * phase, not three times.  A piece is written again only a layer later, and every writer then has
 * read what all readers of the old piece wrote after reading it: so nobody misses one.
 */
#include "kernels/cuda/token_stream.cuh"

enum { LOOKS_MAX = 1 << 23 }; /* seconds */

static __device__ __forceinline__ uint4 mail_look(const uint4 *p) {
    uint4 v;
    asm volatile("ld.relaxed.gpu.global.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(p)
                 : "memory");
    return v;
}

static __device__ __forceinline__ uint2 mail_look(const uint2 *p) {
    uint2 v;
    asm volatile("ld.relaxed.gpu.global.v2.u32 {%0, %1}, [%2];"
                 : "=r"(v.x), "=r"(v.y)
                 : "l"(p)
                 : "memory");
    return v;
}

static __device__ __forceinline__ void mail_put(uint4 *p, uint4 v) {
    asm volatile("st.relaxed.gpu.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(p), "r"(v.x),
                 "r"(v.y), "r"(v.z), "r"(v.w)
                 : "memory");
}

static __device__ __forceinline__ void mail_put(uint2 *p, uint2 v) {
    asm volatile("st.relaxed.gpu.global.v2.u32 [%0], {%1, %2};" ::"l"(p), "r"(v.x), "r"(v.y)
                 : "memory");
}

/* A CTA that never comes would hang the device: after seconds the kernel gives up, which the host
 * sees as a failed device. */
static __device__ __forceinline__ void count_look(int &looks) {
    if (++looks > LOOKS_MAX) __trap();
}

/* The piece, looked at before as v, once it has the stamp. */
static __device__ __forceinline__ uint2 mail_wait(const uint2 *p, uint2 v, uint32_t stamp) {
    for (int looks = 0; v.y != stamp; count_look(looks))
        v = mail_look(p);
    return v;
}

/* ---- 16 activations -------------------------------------------------------------------------- */

/* What LANES neighbouring lanes make of 16 values: lanes with `part` 0 or 1 have eight codes and
 * what goes with them.  All lanes of the warp call it.
 *   LANES 4   lane j has values 4j .. 4j + 3
 *   LANES 8   lane j has values j and 8 + j
 *   LANES 16  lane j has value j */
typedef struct {
    int part; /* -1: this lane has nothing to write */
    int a, b; /* codes 4 * part .. and 8 + 4 * part .. */
    float scale;
    int sum; /* SUM: of all codes */
} half_codes;

static __device__ __forceinline__ float inverse_of(float top) {
    return top > 0 ? __fdividef(127.0f, top) : 0.0f;
}

static __device__ __forceinline__ int codes_sum(int four) {
    return __dp4a(four, 0x01010101, 0);
}

template <int LANES, bool SUM>
static __device__ __forceinline__ half_codes half_quantise(const float v[HALF / LANES]) {
    constexpr unsigned all = 0xffffffffu;
    int lane = (int)threadIdx.x & 31;
    float top = 0;
#pragma unroll
    for (int k = 0; k < HALF / LANES; k++)
        top = fmaxf(top, fabsf(v[k]));
#pragma unroll
    for (int o = 1; o < LANES; o *= 2)
        top = fmaxf(top, __shfl_xor_sync(all, top, o));
    float inverse = inverse_of(top);
    half_codes h;
    h.scale = top * (1.0f / 127.0f);
    h.a = h.b = 0;
    if constexpr (LANES == 4) {
#pragma unroll
        for (int k = 0; k < 4; k++)
            h.a |= (__float2int_rn(v[k] * inverse) & 0xff) << (8 * k);
        h.b = __shfl_xor_sync(all, h.a, 2);
        h.part = (lane & 3) < 2 ? lane & 3 : -1;
    } else {
        int shift = 8 * (lane & 3);
        h.a = (__float2int_rn(v[0] * inverse) & 0xff) << shift;
        if constexpr (LANES == 8) h.b = (__float2int_rn(v[1] * inverse) & 0xff) << shift;
#pragma unroll
        for (int o = 1; o < 4; o *= 2) {
            h.a |= __shfl_xor_sync(all, h.a, o);
            if constexpr (LANES == 8) h.b |= __shfl_xor_sync(all, h.b, o);
        }
        if constexpr (LANES == 16) h.b = __shfl_xor_sync(all, h.a, 8);
        h.part = lane & (LANES - 5) ? -1 : lane >> 2 & 1;
    }
    h.sum = 0;
    if constexpr (SUM) {
        h.sum = codes_sum(h.a) + codes_sum(h.b);
        h.sum += __shfl_xor_sync(all, h.sum, LANES == 4 ? 1 : 4);
    }
    return h;
}

/* Gives half number `half` of row m, of which this lane has a part, to the next phase. */
template <bool ONE>
static __device__ __forceinline__ void
half_put(const token_act &to, int half, int m, const half_codes &h, float squares, uint32_t stamp) {
    if (ONE) {
        uint32_t fact = __float_as_uint(h.part ? squares : h.scale);
        mail_put(to.mail + h.part * to.halves + half,
                 make_uint4((uint32_t)h.a, (uint32_t)h.b, fact, stamp));
        return;
    }
    size_t chunk = (size_t)(half >> 1);
    int side = half & 1, *frag = (int *)(to.frag + chunk * 32 + 4 * m + h.part) + side;
    frag[0] = h.a;
    frag[4] = h.b;
    if (h.part) return;
    float *meta = (float *)(to.meta + chunk * TOKEN_ROWS + m) + side;
    meta[0] = h.scale;
    meta[2] = h.scale * (float)h.sum;
    to.squares[half * TOKEN_ROWS + m] = squares;
}

/* The same by one thread for 16 values of x, w: the norm's weights of these columns, or NULL. */
template <bool ONE>
static __device__ __forceinline__ void half_give(const token_act &to, int half, int m,
                                                 const float *x, const float *w, uint32_t stamp) {
    float top = 0, squares[8];
#pragma unroll
    for (int i = 0; i < HALF; i++)
        top = fmaxf(top, fabsf(w ? __fmul_rn(x[i], w[i]) : x[i]));
    float inverse = inverse_of(top);
    int words[4] = {0, 0, 0, 0};
#pragma unroll
    for (int i = 0; i < HALF; i++) {
        float v = w ? __fmul_rn(x[i], w[i]) : x[i];
        words[i / 4] |= (__float2int_rn(v * inverse) & 0xff) << (8 * (i % 4));
    }
#pragma unroll
    for (int i = 0; i < 8; i++) /* in the order of end_residual */
        squares[i] = __fmaf_rn(x[i + 8], x[i + 8], __fmul_rn(x[i], x[i]));
#pragma unroll
    for (int o = 1; o < 8; o *= 2) {
#pragma unroll
        for (int i = 0; i < 8; i += 2 * o)
            squares[i] += squares[i + o];
    }
    half_codes h = {0, words[0], words[2], top * (1.0f / 127.0f), 0};
    h.sum = codes_sum(words[0]) + codes_sum(words[1]) + codes_sum(words[2]) + codes_sum(words[3]);
    half_put<ONE>(to, half, m, h, squares[0], stamp);
    h.part = 1, h.a = words[1], h.b = words[3];
    half_put<ONE>(to, half, m, h, squares[0], stamp);
}

/* ---- one row: reading ------------------------------------------------------------------------ */

/* Two halves of a thread, as they came. */
typedef struct {
    uint4 a, b;
    bool there;
} half_mail;

static __device__ __forceinline__ void half_look(half_mail &v, const token_act &from, int half) {
    if (v.there) return;
    v.a = mail_look(from.mail + half);
    v.b = mail_look(from.mail + from.halves + half);
}

/* Activations of one row in shared memory: words [chunks][2][4], meta [chunks]. */
static __device__ __forceinline__ void half_store(const half_mail &v, uint4 *words, float4 *meta,
                                                  int half) {
    words[half] = make_uint4(v.a.x, v.b.x, v.a.y, v.b.y);
    int sum = codes_sum((int)v.a.x) + codes_sum((int)v.a.y) + codes_sum((int)v.b.x) +
              codes_sum((int)v.b.y);
    float scale = __uint_as_float(v.a.z), *to = (float *)(meta + (half >> 1)) + (half & 1);
    to[0] = scale;
    to[2] = scale * (float)sum;
}

/* The warps that end the products of one phase (the first ones) come late to the next: the others
 * read what it needs. */
enum { ENDERS = 4 * 32, READERS = TOKEN_THREADS - ENDERS };

/* Where a row goes in shared memory: padded with zeros to `padded` halves; squares: of each half,
 * or NULL. */
typedef struct {
    uint4 *words;
    float4 *meta;
    float *squares;
    int halves, padded;
} row_room;

/* The row `from` into shared memory, once it has the stamp; tiles that are owed are fetched
 * meanwhile. */
static __device__ __forceinline__ void mail_fill(const token_act &from, const row_room &to,
                                                 uint32_t stamp, bool crowded, stream &st,
                                                 const token_list &l, const token_args &a,
                                                 int tid) {
    const int halves = to.halves, padded = to.padded;
    const int warp = tid >> 5, lane = tid & 31;
    int looks = 0, first = tid < ENDERS ? padded : tid - ENDERS;
#pragma unroll 1
    for (; (first & ~31) < padded; first += 2 * READERS) {
        if (crowded) {
            const uint4 *one = from.mail + min(first & ~31, halves - 1);
            while (mail_look(one).w != stamp) {
                stream_catch_up(st, l, a, warp, lane);
                count_look(looks);
            }
        }
        half_mail v[2];
#pragma unroll
        for (int k = 0; k < 2; k++) {
            v[k].there = first + k * READERS >= halves;
            v[k].a = v[k].b = make_uint4(0, 0, 0, 0);
        }
        do {
#pragma unroll
            for (int k = 0; k < 2; k++)
                half_look(v[k], from, first + k * READERS);
            stream_catch_up(st, l, a, warp, lane);
#pragma unroll
            for (int k = 0; k < 2; k++)
                v[k].there = v[k].there || (v[k].a.w == stamp && v[k].b.w == stamp);
            count_look(looks);
        } while (!__all_sync(0xffffffffu, v[0].there && v[1].there));
#pragma unroll
        for (int k = 0; k < 2; k++) {
            int half = first + k * READERS;
            if (half >= padded) continue;
            half_store(v[k], to.words, to.meta, half);
            if (to.squares && half < halves) to.squares[half] = __uint_as_float(v[k].b.z);
        }
    }
    stream_flush(st, l, a, warp, lane);
}
