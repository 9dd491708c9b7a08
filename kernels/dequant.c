/* SPDX-License-Identifier: Apache-2.0 */
/* k_dequant: the definition of each block format.  One function per type turns one block into f32;
 * the products are formed in the order of the format's definition (scale times sub-scale first), so
 * that results equal those of other implementations bit by bit.  Pure.  Thread: any.
 *
 * Order of elements: in the 32-blocks, low nibbles are elements 0..15 and high nibbles 16..31; in
 * the 256-blocks, each group's loop below is the order.
 */
#include "engine/base/base.h"
#include "kernels/blocks.h"

/* Code books of the non-uniform 4-bit formats. */
static const int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};
static const int8_t mxfp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static void dequant_f32(const void *src, float *y) {
    memcpy(y, src, sizeof *y);
}

static void dequant_f16(const void *src, float *y) {
    k_half h;
    memcpy(&h, src, sizeof h);
    *y = k_half_to_float(h);
}

static void dequant_bf16(const void *src, float *y) {
    uint16_t h;
    memcpy(&h, src, sizeof h);
    uint32_t bits = (uint32_t)h << 16;
    memcpy(y, &bits, sizeof *y);
}

static void dequant_q4_0(const void *src, float *y) {
    const block_q4_0 *b = src;
    float d = k_half_to_float(b->d);
    for (int j = 0; j < 16; j++) {
        y[j] = d * (float)((b->qs[j] & 15) - 8);
        y[j + 16] = d * (float)((b->qs[j] >> 4) - 8);
    }
}

static void dequant_q4_1(const void *src, float *y) {
    const block_q4_1 *b = src;
    float d = k_half_to_float(b->d), m = k_half_to_float(b->m);
    for (int j = 0; j < 16; j++) {
        y[j] = d * (float)(b->qs[j] & 15) + m;
        y[j + 16] = d * (float)(b->qs[j] >> 4) + m;
    }
}

/* The 5-bit code of element j: a nibble of qs and a bit of qh. */
static int code5(const uint8_t *qs, const uint8_t *qh, int j) {
    int low = j < 16 ? qs[j] & 15 : qs[j - 16] >> 4;
    return low | (qh[j / 8] >> (j % 8) & 1) << 4;
}

static void dequant_q5_0(const void *src, float *y) {
    const block_q5_0 *b = src;
    float d = k_half_to_float(b->d);
    for (int j = 0; j < 32; j++)
        y[j] = d * (float)(code5(b->qs, b->qh, j) - 16);
}

static void dequant_q5_1(const void *src, float *y) {
    const block_q5_1 *b = src;
    float d = k_half_to_float(b->d), m = k_half_to_float(b->m);
    for (int j = 0; j < 32; j++)
        y[j] = d * (float)code5(b->qs, b->qh, j) + m;
}

static void dequant_q8_0(const void *src, float *y) {
    const block_q8_0 *b = src;
    float d = k_half_to_float(b->d);
    for (int j = 0; j < 32; j++)
        y[j] = d * (float)b->qs[j];
}

/* 2- and 3-bit codes lie four to a byte: group g of 16 elements is 16 bytes at half * 32 +
 * (g % 2) * 16, shifted by twice its place in the half. */
static int code2(const uint8_t *qs, int g, int j) {
    int half = g / 8, place = g % 8 / 2;
    return qs[half * 32 + g % 2 * 16 + j] >> (2 * place) & 3;
}

static void dequant_q2_k(const void *src, float *y) {
    const block_q2_k *b = src;
    float d = k_half_to_float(b->d), dmin = k_half_to_float(b->dmin);
    for (int g = 0; g < 16; g++) {
        float scale = d * (float)(b->scales[g] & 15), min = dmin * (float)(b->scales[g] >> 4);
        for (int j = 0; j < 16; j++)
            *y++ = scale * (float)code2(b->qs, g, j) - min;
    }
}

/* Scale g: 4 low bits in a nibble of bytes 0..7, 2 high bits in a crumb of bytes 8..11. */
static int q3_k_scale(const uint8_t *scales, int g) {
    int low = scales[g % 8] >> (g / 8 * 4) & 15;
    int high = scales[8 + g % 4] >> (g / 4 * 2) & 3;
    return (low | high << 4) - 32;
}

static void dequant_q3_k(const void *src, float *y) {
    const block_q3_k *b = src;
    float d = k_half_to_float(b->d);
    for (int g = 0; g < 16; g++) {
        float scale = d * (float)q3_k_scale(b->scales, g);
        for (int j = 0; j < 16; j++) {
            int high = b->hmask[g % 2 * 16 + j] >> (g / 2) & 1; /* 0: four less */
            *y++ = scale * (float)(code2(b->qs, g, j) - (high ? 0 : 4));
        }
    }
}

/* The eight 6-bit scales and minima of Q4_K and Q5_K. */
static void scale_min(const uint8_t *q, int j, int *scale, int *min) {
    if (j < 4) {
        *scale = q[j] & 63;
        *min = q[j + 4] & 63;
    } else {
        *scale = (q[j + 4] & 15) | (q[j - 4] >> 6) << 4;
        *min = q[j + 4] >> 4 | (q[j] >> 6) << 4;
    }
}

static void dequant_q4_k(const void *src, float *y) {
    const block_q4_k *b = src;
    float d = k_half_to_float(b->d), dmin = k_half_to_float(b->dmin);
    for (int s = 0; s < 8; s++) {
        int scale, min;
        scale_min(b->scales, s, &scale, &min);
        float ds = d * (float)scale, dm = dmin * (float)min;
        for (int j = 0; j < 32; j++) {
            int q = b->qs[s / 2 * 32 + j] >> (s % 2 * 4) & 15;
            *y++ = ds * (float)q - dm;
        }
    }
}

static void dequant_q5_k(const void *src, float *y) {
    const block_q5_k *b = src;
    float d = k_half_to_float(b->d), dmin = k_half_to_float(b->dmin);
    for (int s = 0; s < 8; s++) {
        int scale, min;
        scale_min(b->scales, s, &scale, &min);
        float ds = d * (float)scale, dm = dmin * (float)min;
        for (int j = 0; j < 32; j++) {
            int q = (b->qs[s / 2 * 32 + j] >> (s % 2 * 4) & 15) | (b->qh[j] >> s & 1) << 4;
            *y++ = ds * (float)q - dm;
        }
    }
}

static void dequant_q6_k(const void *src, float *y) {
    const block_q6_k *b = src;
    float d = k_half_to_float(b->d);
    for (int i = 0; i < 256; i++) {
        int half = i / 128, quarter = i % 128 / 32, j = i % 32;
        int low = b->ql[half * 64 + quarter % 2 * 32 + j] >> (quarter / 2 * 4) & 15;
        int high = b->qh[half * 32 + j] >> (quarter * 2) & 3;
        y[i] = d * (float)b->scales[i / 16] * (float)((low | high << 4) - 32);
    }
}

static void dequant_iq4_nl(const void *src, float *y) {
    const block_iq4_nl *b = src;
    float d = k_half_to_float(b->d);
    for (int j = 0; j < 16; j++) {
        y[j] = d * (float)iq4_values[b->qs[j] & 15];
        y[j + 16] = d * (float)iq4_values[b->qs[j] >> 4];
    }
}

static void dequant_iq4_xs(const void *src, float *y) {
    const block_iq4_xs *b = src;
    float d = k_half_to_float(b->d);
    for (int s = 0; s < 8; s++, y += 32) {
        int low = b->scales_l[s / 2] >> (s % 2 * 4) & 15, high = b->scales_h >> (2 * s) & 3;
        float ds = d * (float)((low | high << 4) - 32);
        for (int j = 0; j < 16; j++) {
            y[j] = ds * (float)iq4_values[b->qs[s * 16 + j] & 15];
            y[j + 16] = ds * (float)iq4_values[b->qs[s * 16 + j] >> 4];
        }
    }
}

static void dequant_mxfp4(const void *src, float *y) {
    const block_mxfp4 *b = src;
    /* 2^(e - 128): half of the exponent's value, because the code book holds doubled values. */
    uint32_t bits = b->e < 2 ? 0x00200000u << b->e : (uint32_t)(b->e - 1) << 23;
    float d;
    memcpy(&d, &bits, sizeof d);
    for (int j = 0; j < 16; j++) {
        y[j] = d * (float)mxfp4_values[b->qs[j] & 15];
        y[j + 16] = d * (float)mxfp4_values[b->qs[j] >> 4];
    }
}

typedef void (*dequant_block)(const void *src, float *y);

/* clang-format off */
static const dequant_block dequants[] = {
    [K_F32] = dequant_f32,       [K_F16] = dequant_f16,       [K_Q4_0] = dequant_q4_0,
    [K_Q4_1] = dequant_q4_1,     [K_Q5_0] = dequant_q5_0,     [K_Q5_1] = dequant_q5_1,
    [K_Q8_0] = dequant_q8_0,     [K_Q2_K] = dequant_q2_k,     [K_Q3_K] = dequant_q3_k,
    [K_Q4_K] = dequant_q4_k,     [K_Q5_K] = dequant_q5_k,     [K_Q6_K] = dequant_q6_k,
    [K_IQ4_NL] = dequant_iq4_nl, [K_IQ4_XS] = dequant_iq4_xs, [K_BF16] = dequant_bf16,
    [K_MXFP4] = dequant_mxfp4,
};
/* clang-format on */

void k_dequant(k_type t, const void *src, float *dst, int64_t n) {
    int block = k_type_block(t);
    ASSERT(block > 0 && n % block == 0);
    size_t bytes = k_type_bytes(t);
    dequant_block one = dequants[t];
    const uint8_t *from = src;
    for (int64_t i = 0; i < n; i += block, from += bytes)
        one(from, dst + i);
}
