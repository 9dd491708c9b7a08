/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF rows to planes (formats.cuh), once at load, and planes to float16 rows for tensor cores.
 *
 * One thread per chunk of 32 columns: this moves each weight once, at memory speed, and never
 * again. Block facts: kernels/blocks.h and the GGUF specification.
 */
#include "kernels/cuda/strips.cuh"

wfmt cuda_format(k_type t) {
    switch (t) {
    case K_F32: return FMT_F32;
    case K_F16: return FMT_F16;
    case K_BF16: return FMT_BF16;
    case K_Q4_0: return FMT_Q4_0;
    case K_Q4_1: return FMT_Q4_1;
    case K_Q5_0: return FMT_Q5_0;
    case K_Q5_1: return FMT_Q5_1;
    case K_Q8_0: return FMT_Q8_0;
    case K_Q4_K: return FMT_Q4_K;
    case K_Q5_K: return FMT_Q5_K;
    case K_Q6_K: return FMT_Q6_K;
    case K_Q2_K:
    case K_Q3_K:
    case K_IQ4_NL:
    case K_IQ4_XS:
    case K_MXFP4: return FMT_G;
    }
    return FMT_NONE;
}

/* Bytes of each plane (q, h, s, d) and their sum; every plane starts 256-byte aligned. */
size_t cuda_plane_bytes(wfmt f, int rows, int chunks, size_t plane[4]) {
    size_t n = (size_t)rows * (size_t)chunks;
    size_t q = 16, h = 0, s = 0, d = 0, d8 = 0; /* bytes a chunk; d8: bytes per 8 chunks */
    switch (f) {
    case FMT_Q8_0: h = 16, d = 2; break;
    case FMT_Q4_0: d = 2; break;
    case FMT_Q4_1: d = 4; break;
    case FMT_Q5_0: h = 4, d = 2; break;
    case FMT_Q5_1: h = 4, d = 4; break;
    case FMT_Q4_K: s = 2, d8 = 4; break;
    case FMT_Q5_K: h = 4, s = 2, d8 = 4; break;
    case FMT_Q6_K: h = 8, s = 2, d8 = 2; break;
    case FMT_G: h = 16, d = 16; break;
    case FMT_F16:
    case FMT_BF16: q = 64; break;
    case FMT_F32: q = 128; break;
    case FMT_NONE: q = 0; break;
    }
    size_t bytes[4] = {n * q, n * h, n * s, n * d + n / 8 * d8};
    size_t all = 0;
    for (int i = 0; i < 4; i++) {
        plane[i] = (bytes[i] + 255) / 256 * 256;
        all += plane[i];
    }
    return all;
}

/* Where a thread writes its chunk. */
typedef struct {
    uint8_t *q, *h, *s, *d;
    size_t at;
} planes_out;

static __device__ void put_nibbles(const planes_out &o, const uint8_t v[32]) {
    for (int i = 0; i < 16; i++)
        o.q[o.at * 16 + i] = (uint8_t)((v[i] & 15) | (v[i + 16] & 15) << 4);
}

/* Bit 4 of each value into the h plane of Q5: bit k of byte b is the 5th bit of v[4k + b]. */
static __device__ void put_fifth_bits(const planes_out &o, const uint8_t v[32]) {
    for (int b = 0; b < 4; b++) {
        int byte = 0;
        for (int k = 0; k < 8; k++)
            byte |= (v[4 * k + b] >> 4 & 1) << k;
        o.h[o.at * 4 + b] = (uint8_t)byte;
    }
}

static __device__ void put_d(const planes_out &o, const uint8_t *d, int bytes) {
    for (int i = 0; i < bytes; i++)
        o.d[o.at * bytes + i] = d[i];
}

static __device__ void put_int8(const planes_out &o, const int8_t v[32]) {
    for (int i = 0; i < 16; i++) {
        o.q[o.at * 16 + i] = (uint8_t)v[i];
        o.h[o.at * 16 + i] = (uint8_t)v[i + 16];
    }
}

static __device__ void put_g(const planes_out &o, const int8_t v[32], float s0, float s1, float m0,
                             float m1) {
    put_int8(o, v);
    ((float4 *)o.d)[o.at] = make_float4(s0, s1, m0, m1);
}

static __device__ float half_at(const uint8_t *p) {
    return half_bits((unsigned)p[0] | (unsigned)p[1] << 8);
}

/* Q4_0 .. Q5_1: 32-element blocks of d, [m], [qh], nibbles in Q4_0 order. */
static __device__ void repack_legacy(int type, const uint8_t *b, const planes_out &o) {
    int d_bytes = type == K_Q4_1 || type == K_Q5_1 ? 4 : 2;
    bool five = type == K_Q5_0 || type == K_Q5_1;
    const uint8_t *qh = b + d_bytes, *qs = qh + (five ? 4 : 0);
    unsigned high = five ? qh[0] | qh[1] << 8 | qh[2] << 16 | (unsigned)qh[3] << 24 : 0;
    uint8_t v[32];
    for (int j = 0; j < 16; j++) {
        v[j] = (uint8_t)((qs[j] & 15) | (high >> j & 1) << 4);
        v[j + 16] = (uint8_t)((qs[j] >> 4) | (high >> (j + 16) & 1) << 4);
    }
    put_nibbles(o, v);
    if (five) put_fifth_bits(o, v);
    put_d(o, b, d_bytes);
}

/* 6-bit scale and minimum of sub-block j of a Q4_K or Q5_K block. */
static __device__ void scale_min_k4(int j, const uint8_t *q, uint8_t *sc, uint8_t *mn) {
    if (j < 4) {
        *sc = q[j] & 63;
        *mn = q[j + 4] & 63;
    } else {
        *sc = (uint8_t)((q[j + 4] & 15) | (q[j - 4] >> 6) << 4);
        *mn = (uint8_t)((q[j + 4] >> 4) | (q[j] >> 6) << 4);
    }
}

/* sub: which 32 of the 256. */
static __device__ void repack_q45_k(int type, const uint8_t *b, int sub, const planes_out &o) {
    bool five = type == K_Q5_K;
    const uint8_t *scales = b + 4, *qh = b + 16, *qs = b + (five ? 48 : 16);
    uint8_t v[32], sc, mn;
    for (int i = 0; i < 32; i++) {
        uint8_t byte = qs[(sub >> 1) * 32 + i];
        v[i] = sub & 1 ? byte >> 4 : byte & 15;
        if (five) v[i] |= (uint8_t)((qh[i] >> sub & 1) << 4);
    }
    scale_min_k4(sub, scales, &sc, &mn);
    put_nibbles(o, v);
    if (five) put_fifth_bits(o, v);
    o.s[o.at * 2] = sc;
    o.s[o.at * 2 + 1] = mn;
    if (sub == 0) {
        for (int i = 0; i < 4; i++)
            o.d[(o.at >> 3) * 4 + i] = b[i];
    }
}

static __device__ void repack_q6_k(const uint8_t *b, int sub, const planes_out &o) {
    int half = sub >> 2, part = sub & 3; /* 128-element half, and which 32 of it */
    const uint8_t *ql = b + half * 64 + (part & 1) * 32, *qh = b + 128 + half * 32;
    const int8_t *sc = (const int8_t *)b + 192 + half * 8 + part * 2;
    uint8_t v[32];
    for (int l = 0; l < 32; l++) {
        int low = part >= 2 ? ql[l] >> 4 : ql[l] & 15;
        v[l] = (uint8_t)(low | (qh[l] >> (2 * part) & 3) << 4);
    }
    put_nibbles(o, v);
    for (int x = 0; x < 2; x++) { /* 16 columns each: 4 ints of 4 bytes */
        for (int byte = 0; byte < 4; byte++) {
            int bits = 0;
            for (int k = 0; k < 4; k++)
                bits |= (v[16 * x + 4 * k + byte] >> 4) << (2 * k);
            o.h[o.at * 8 + 4 * x + byte] = (uint8_t)bits;
        }
    }
    o.s[o.at * 2] = (uint8_t)sc[0];
    o.s[o.at * 2 + 1] = (uint8_t)sc[1];
    if (sub == 0) {
        o.d[(o.at >> 3) * 2] = b[208];
        o.d[(o.at >> 3) * 2 + 1] = b[209];
    }
}

static __device__ void repack_q2_k(const uint8_t *b, int sub, const planes_out &o) {
    const uint8_t *q = b + 16 + (sub >> 2) * 32;
    float d = half_at(b + 80), dmin = half_at(b + 82);
    int8_t v[32];
    for (int i = 0; i < 32; i++)
        v[i] = (int8_t)(q[i] >> (2 * (sub & 3)) & 3);
    uint8_t s0 = b[2 * sub], s1 = b[2 * sub + 1];
    put_g(o, v, d * (float)(s0 & 15), d * (float)(s1 & 15), -dmin * (float)(s0 >> 4),
          -dmin * (float)(s1 >> 4));
}

/* 6-bit scale number i (0..15) of a Q3_K block, still with its offset of 32. */
static __device__ int q3_k_scale(const uint8_t *s, int i) {
    int low = i < 8 ? s[i] & 15 : s[i - 8] >> 4;
    return low | (s[8 + (i & 3)] >> (2 * (i >> 2)) & 3) << 4;
}

static __device__ void repack_q3_k(const uint8_t *b, int sub, const planes_out &o) {
    const uint8_t *hmask = b, *q = b + 32 + (sub >> 2) * 32, *scales = b + 96;
    float d = half_at(b + 108);
    int8_t v[32];
    for (int i = 0; i < 32; i++)
        v[i] = (int8_t)((q[i] >> (2 * (sub & 3)) & 3) - (hmask[i] >> sub & 1 ? 0 : 4));
    put_g(o, v, d * (float)(q3_k_scale(scales, 2 * sub) - 32),
          d * (float)(q3_k_scale(scales, 2 * sub + 1) - 32), 0, 0);
}

static __device__ __constant__ int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                        1,    13,   25,  38,  53,  69,  89,  113};
static __device__ __constant__ int8_t mxfp4_values[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                                          0, -1, -2, -3, -4, -6, -8, -12};

static __device__ void repack_table(const uint8_t *qs, const int8_t *table, float scale,
                                    const planes_out &o) {
    int8_t v[32];
    for (int j = 0; j < 16; j++) {
        v[j] = table[qs[j] & 15];
        v[j + 16] = table[qs[j] >> 4];
    }
    put_g(o, v, scale, scale, 0, 0);
}

static __device__ void repack_iq4_xs(const uint8_t *b, int sub, const planes_out &o) {
    unsigned high = b[2] | b[3] << 8;
    int ls = (b[4 + sub / 2] >> (4 * (sub & 1)) & 15) | (int)(high >> (2 * sub) & 3) << 4;
    repack_table(b + 8 + 16 * sub, iq4_values, half_at(b) * (float)(ls - 32), o);
}

static __device__ void repack_mxfp4(const uint8_t *b, const planes_out &o) {
    unsigned e = b[0];
    unsigned bits = e < 2 ? 0x00200000u << e : (e - 1) << 23;
    repack_table(b + 1, mxfp4_values, __uint_as_float(bits), o);
}

static __device__ void repack_float(int bytes, const uint8_t *row, int c, int cols,
                                    const planes_out &o) {
    for (int i = 0; i < 32; i++) {
        int col = 32 * c + i;
        for (int k = 0; k < bytes; k++) {
            uint8_t value = col < cols ? row[(size_t)col * bytes + k] : 0;
            o.q[(o.at * 32 + i) * bytes + k] = value;
        }
    }
}

static __global__ void repack_kernel(int type, const uint8_t *raw, size_t raw_row_bytes, wmat w,
                                     int row0, int n_rows) {
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (size_t)n_rows * w.chunks) return;
    int row = (int)(i / w.chunks), c = (int)(i % w.chunks);
    const uint8_t *src = raw + (size_t)row * raw_row_bytes;
    planes_out o = {(uint8_t *)w.q, (uint8_t *)w.h, (uint8_t *)w.s, (uint8_t *)w.d,
                    (size_t)(row0 + row) * w.chunks + c};
    int sub = c & 7;
    const int super = c >> 3;
    switch (type) {
    case K_F32: repack_float(4, src, c, w.cols, o); break;
    case K_F16:
    case K_BF16: repack_float(2, src, c, w.cols, o); break;
    case K_Q4_0: repack_legacy(type, src + 18 * c, o); break;
    case K_Q4_1: repack_legacy(type, src + 20 * c, o); break;
    case K_Q5_0: repack_legacy(type, src + 22 * c, o); break;
    case K_Q5_1: repack_legacy(type, src + 24 * c, o); break;
    case K_Q8_0:
        put_int8(o, (const int8_t *)src + 34 * c + 2);
        put_d(o, src + 34 * c, 2);
        break;
    case K_Q2_K: repack_q2_k(src + 84 * super, sub, o); break;
    case K_Q3_K: repack_q3_k(src + 110 * super, sub, o); break;
    case K_Q4_K: repack_q45_k(type, src + 144 * super, sub, o); break;
    case K_Q5_K: repack_q45_k(type, src + 176 * super, sub, o); break;
    case K_Q6_K: repack_q6_k(src + 210 * super, sub, o); break;
    case K_IQ4_NL: repack_table(src + 18 * c + 2, iq4_values, half_at(src + 18 * c), o); break;
    case K_IQ4_XS: repack_iq4_xs(src + 136 * super, sub, o); break;
    case K_MXFP4: repack_mxfp4(src + 17 * c, o); break;
    default: break;
    }
}

void cuda_repack(cudaStream_t st, int type, const void *raw, size_t raw_row_bytes, const wmat *w,
                 int row0, int n_rows) {
    size_t n = (size_t)n_rows * w->chunks;
    repack_kernel<<<(unsigned)((n + 255) / 256), 256, 0, st>>>(type, (const uint8_t *)raw,
                                                               raw_row_bytes, *w, row0, n_rows);
}

static __global__ void to_f16_kernel(wmat w, __half *dst, __half *low, int dst_stride) {
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (size_t)w.rows * w.chunks) return;
    int row = (int)(i / w.chunks), c = (int)(i % w.chunks);
    float v[32];
    weight_values(v, w, row, c);
    __half2 packed[16];
    for (int k = 0; k < 16; k++)
        packed[k] = __floats2half2_rn(v[2 * k], v[2 * k + 1]);
    size_t at = (size_t)row * dst_stride + 32 * c;
    int4 *out = (int4 *)(dst + at);
    for (int k = 0; k < 4; k++)
        out[k] = ((const int4 *)packed)[k];
    if (!low) return;
    for (int k = 0; k < 16; k++)
        packed[k] = __halves2half2(lost_half(v[2 * k], __low2half(packed[k])),
                                   lost_half(v[2 * k + 1], __high2half(packed[k])));
    out = (int4 *)(low + at);
    for (int k = 0; k < 4; k++)
        out[k] = ((const int4 *)packed)[k];
}

/* dst_stride is a multiple of 32 and at least the padded columns. */
void cuda_to_f16(cudaStream_t st, const wmat *w, __half *dst, __half *low, int dst_stride) {
    size_t n = (size_t)w->rows * w->chunks;
    to_f16_kernel<<<(unsigned)((n + 255) / 256), 256, 0, st>>>(*w, dst, low, dst_stride);
}
