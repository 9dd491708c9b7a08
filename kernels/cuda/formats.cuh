/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Weight planes.  A chunk is 32 consecutive columns of a row; plane p holds chunk after chunk, row
 * after row, so that a warp reads one dense piece of memory.
 *
 *   fmt      q (16 B)             h                      s            d
 *   Q8_0     int8 0..15           16 B: int8 16..31                   f16 a chunk
 *   Q4_0/1   nibbles: low w[i], high w[i+16]                          f16 | f16 scale, f16 min
 *   Q5_0/1   nibbles              4 B: bit k of byte b = 5th bit of w[4k+b]   as Q4_0/1
 *   Q4_K     nibbles                                     2 B: sc, mn  f16 d, f16 dmin a 8 chunks
 *   Q5_K     nibbles              4 B as Q5_0            2 B          as Q4_K
 *   Q6_K     nibbles              8 B: 2 bits each       2 B: int8 sc f16 a 8 chunks
 *   G        int8 0..15           16 B: int8 16..31                   f32 s0, s1, m0, m1
 *   F16/BF16 64 B a chunk;  F32: 128 B a chunk (plane q only)
 *
 * The dot product of a chunk with int8 activations is exact in int32; scales come in afterwards.
 * Source: GGUF block definitions (kernels/blocks.h); split planes after the measurements quoted in
 * docs/PERFORMANCE.md.
 */
#include "kernels/cuda/cuda.cuh"

/* Registers of one chunk. */
typedef struct {
    int4 q;
    int4 h;               /* x only, x and y, or all, as the format needs */
    float a0, a1, b0, b1; /* value = a * q + b for each half of 16 */
} wchunk;

template <int FMT> static __device__ __forceinline__ bool fmt_is_nibble() {
    return FMT == FMT_Q4_0 || FMT == FMT_Q4_1 || FMT == FMT_Q5_0 || FMT == FMT_Q5_1 ||
           FMT == FMT_Q4_K || FMT == FMT_Q5_K || FMT == FMT_Q6_K;
}

/* Raw bits of a chunk: everything that has to travel from memory. */
typedef struct {
    int4 q, h;
    float4 d;    /* FMT_G */
    uint32_t d2; /* f16 pair or single */
    uint16_t s;
} wraw;

template <int FMT>
static __device__ __forceinline__ void wload(wraw &r, const uint8_t *wq, const uint8_t *wh,
                                             const uint8_t *ws, const uint8_t *wd, size_t at) {
    r.q = __ldcs((const int4 *)wq + at);
    if (FMT == FMT_Q8_0 || FMT == FMT_G) r.h = __ldcs((const int4 *)wh + at);
    if (FMT == FMT_Q5_0 || FMT == FMT_Q5_1 || FMT == FMT_Q5_K) r.h.x = __ldcs((const int *)wh + at);
    if (FMT == FMT_Q6_K) {
        int2 h = __ldcs((const int2 *)wh + at);
        r.h.x = h.x;
        r.h.y = h.y;
    }
    if (FMT == FMT_Q8_0 || FMT == FMT_Q4_0 || FMT == FMT_Q5_0)
        r.d2 = __ldcs((const unsigned short *)wd + at);
    if (FMT == FMT_Q4_1 || FMT == FMT_Q5_1) r.d2 = __ldcs((const unsigned *)wd + at);
    if (FMT == FMT_G) r.d = __ldcs((const float4 *)wd + at);
    if (FMT == FMT_Q4_K || FMT == FMT_Q5_K || FMT == FMT_Q6_K)
        r.s = __ldcs((const unsigned short *)ws + at);
    if (FMT == FMT_Q4_K || FMT == FMT_Q5_K) r.d2 = __ldg((const unsigned *)wd + (at >> 3));
    if (FMT == FMT_Q6_K) r.d2 = __ldg((const unsigned short *)wd + (at >> 3));
}

static __device__ __forceinline__ float half_bits(uint32_t bits) {
    return __half2float(__ushort_as_half((unsigned short)bits));
}

static __device__ __forceinline__ int dp4a_us(int a, int b, int c) { /* unsigned by signed bytes */
    int d;
    asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
    return d;
}

/* True where the upper nibbles are multiplied in place, as 16 times their value: saves the shifts.
 *  */
static __host__ __device__ constexpr bool fmt_high_by_16_of(int fmt) {
    return fmt == FMT_Q4_0 || fmt == FMT_Q4_1 || fmt == FMT_Q4_K;
}
template <int FMT> static __device__ __forceinline__ constexpr bool fmt_high_by_16() {
    return fmt_high_by_16_of(FMT);
}

/* The 8 packed ints (4 bytes each, columns 4k..4k+3) of a chunk. */
template <int FMT> static __device__ __forceinline__ void wunpack(int v[8], const wraw &r) {
    const int q[4] = {r.q.x, r.q.y, r.q.z, r.q.w};
    if constexpr (FMT == FMT_Q8_0 || FMT == FMT_G) {
        const int h[4] = {r.h.x, r.h.y, r.h.z, r.h.w};
#pragma unroll
        for (int k = 0; k < 4; k++) {
            v[k] = q[k];
            v[k + 4] = h[k];
        }
    } else {
#pragma unroll
        for (int k = 0; k < 4; k++) {
            v[k] = q[k] & 0x0f0f0f0f;
            v[k + 4] = fmt_high_by_16<FMT>() ? q[k] & 0xf0f0f0f0 : (q[k] >> 4) & 0x0f0f0f0f;
        }
    }
    if (FMT == FMT_Q5_0 || FMT == FMT_Q5_1 || FMT == FMT_Q5_K) {
#pragma unroll
        for (int k = 0; k < 8; k++)
            v[k] |= ((r.h.x >> k) & 0x01010101) << 4;
    }
    if (FMT == FMT_Q6_K) {
#pragma unroll
        for (int k = 0; k < 4; k++) {
            v[k] |= ((r.h.x >> (2 * k)) & 0x03030303) << 4;
            v[k + 4] |= ((r.h.y >> (2 * k)) & 0x03030303) << 4;
        }
    }
}

/* value = a * v + b, per half of 16 columns. */
template <int FMT>
static __device__ __forceinline__ void wscales(const wraw &r, float &a0, float &a1, float &b0,
                                               float &b1) {
    if (FMT == FMT_G) {
        a0 = r.d.x, a1 = r.d.y, b0 = r.d.z, b1 = r.d.w;
        return;
    }
    float d = half_bits(r.d2 & 0xffff);
    float m = half_bits(r.d2 >> 16);
    if (FMT == FMT_Q8_0) a0 = d, b0 = 0;
    if (FMT == FMT_Q4_0) a0 = d, b0 = -8 * d;
    if (FMT == FMT_Q5_0) a0 = d, b0 = -16 * d;
    if (FMT == FMT_Q4_1 || FMT == FMT_Q5_1) a0 = d, b0 = m;
    if (FMT == FMT_Q4_K || FMT == FMT_Q5_K) {
        a0 = d * (float)(r.s & 0xff);
        b0 = -m * (float)(r.s >> 8);
    }
    a1 = a0, b1 = b0;
    if (FMT == FMT_Q6_K) {
        a0 = d * (float)(int8_t)(r.s & 0xff);
        a1 = d * (float)(int8_t)(r.s >> 8);
        b0 = -32 * a0, b1 = -32 * a1;
    }
}

template <int FMT> static __device__ __forceinline__ constexpr bool fmt_has_offset() {
    return FMT != FMT_Q8_0;
}
template <int FMT> static __device__ __forceinline__ constexpr bool fmt_has_halves() {
    return FMT == FMT_Q6_K || FMT == FMT_G;
}

/* One chunk times the int8 activations lo (columns 0..15), hi (16..31).  meta: their scale, and the
 * sums of the first half, the second half and both, times the scale. */
template <int FMT>
static __device__ __forceinline__ float wdot(const int v[8], const float s[4], const int4 &lo,
                                             const int4 &hi, const float4 &meta) {
    int s0 = 0, s1 = 0;
    if (FMT == FMT_Q8_0 || FMT == FMT_G) {
        s0 = __dp4a(v[0], lo.x, __dp4a(v[1], lo.y, __dp4a(v[2], lo.z, __dp4a(v[3], lo.w, 0))));
        s1 = __dp4a(v[4], hi.x, __dp4a(v[5], hi.y, __dp4a(v[6], hi.z, __dp4a(v[7], hi.w, 0))));
    } else {
        s0 = dp4a_us(v[0], lo.x, dp4a_us(v[1], lo.y, dp4a_us(v[2], lo.z, dp4a_us(v[3], lo.w, 0))));
        s1 = dp4a_us(v[4], hi.x, dp4a_us(v[5], hi.y, dp4a_us(v[6], hi.z, dp4a_us(v[7], hi.w, 0))));
        if (fmt_high_by_16<FMT>()) s1 >>= 4; /* exact: every term is a multiple of 16 */
    }
    if (fmt_has_halves<FMT>())
        return (s[0] * (float)s0 + s[1] * (float)s1) * meta.x + (s[2] * meta.y + s[3] * meta.z);
    float sum = s[0] * (float)(s0 + s1) * meta.x;
    return fmt_has_offset<FMT>() ? sum + s[2] * meta.w : sum;
}

/* 32 floats of a chunk of a float format. */
template <int FMT>
static __device__ __forceinline__ void wfloats(float out[32], const uint8_t *q, size_t at) {
    if constexpr (FMT == FMT_F32) {
        const float4 *p = (const float4 *)q + at * 8;
#pragma unroll
        for (int k = 0; k < 8; k++) {
            float4 f = __ldcs(p + k);
            out[4 * k] = f.x, out[4 * k + 1] = f.y, out[4 * k + 2] = f.z, out[4 * k + 3] = f.w;
        }
    } else {
        const uint4 *p = (const uint4 *)q + at * 4;
#pragma unroll
        for (int k = 0; k < 4; k++) {
            uint4 u = __ldcs(p + k);
            const unsigned bits[4] = {u.x, u.y, u.z, u.w};
#pragma unroll
            for (int i = 0; i < 8; i++) {
                unsigned h = bits[i >> 1] >> (16 * (i & 1)) & 0xffff;
                out[8 * k + i] = FMT == FMT_F16 ? half_bits(h) : __uint_as_float(h << 16);
            }
        }
    }
}

/* All 32 values of a chunk as floats (embedding rows, float16 mirrors, tests). */
template <int FMT>
static __device__ __forceinline__ void wvalues(float out[32], const wmat &w, int row, int c) {
    size_t at = (size_t)row * w.chunks + c;
    if constexpr (FMT >= FMT_F16) {
        wfloats<FMT>(out, w.q, at);
    } else {
        wraw r;
        int v[8];
        float a0, a1, b0, b1;
        wload<FMT>(r, w.q, w.h, w.s, w.d, at);
        wunpack<FMT>(v, r);
        wscales<FMT>(r, a0, a1, b0, b1);
#pragma unroll
        for (int k = 0; k < 8; k++) {
#pragma unroll
            for (int b = 0; b < 4; b++) {
                float q = (float)(int8_t)(v[k] >> (8 * b));
                if (fmt_high_by_16<FMT>() && k >= 4) q = (float)((v[k] >> (8 * b + 4)) & 15);
                out[4 * k + b] = k < 4 ? a0 * q + b0 : a1 * q + b1;
            }
        }
    }
}

static __device__ inline void wvalues_any(float out[32], const wmat &w, int row, int c) {
    switch (w.fmt) {
    case FMT_Q8_0: wvalues<FMT_Q8_0>(out, w, row, c); break;
    case FMT_Q4_0: wvalues<FMT_Q4_0>(out, w, row, c); break;
    case FMT_Q4_1: wvalues<FMT_Q4_1>(out, w, row, c); break;
    case FMT_Q5_0: wvalues<FMT_Q5_0>(out, w, row, c); break;
    case FMT_Q5_1: wvalues<FMT_Q5_1>(out, w, row, c); break;
    case FMT_Q4_K: wvalues<FMT_Q4_K>(out, w, row, c); break;
    case FMT_Q5_K: wvalues<FMT_Q5_K>(out, w, row, c); break;
    case FMT_Q6_K: wvalues<FMT_Q6_K>(out, w, row, c); break;
    case FMT_G: wvalues<FMT_G>(out, w, row, c); break;
    case FMT_F16: wvalues<FMT_F16>(out, w, row, c); break;
    case FMT_BF16: wvalues<FMT_BF16>(out, w, row, c); break;
    case FMT_F32: wvalues<FMT_F32>(out, w, row, c); break;
    default: break;
    }
}
