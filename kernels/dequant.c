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
#include "kernels/codes.h"

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

static void dequant_q5_0(const void *src, float *y) {
    const block_q5_0 *b = src;
    float d = k_half_to_float(b->d);
    for (int j = 0; j < 32; j++)
        y[j] = d * (float)(k_code5(b->qs, b->qh, j) - 16);
}

static void dequant_q5_1(const void *src, float *y) {
    const block_q5_1 *b = src;
    float d = k_half_to_float(b->d), m = k_half_to_float(b->m);
    for (int j = 0; j < 32; j++)
        y[j] = d * (float)k_code5(b->qs, b->qh, j) + m;
}

static void dequant_q8_0(const void *src, float *y) {
    const block_q8_0 *b = src;
    float d = k_half_to_float(b->d);
    for (int j = 0; j < 32; j++)
        y[j] = d * (float)b->qs[j];
}

static void dequant_q2_k(const void *src, float *y) {
    const block_q2_k *b = src;
    float d = k_half_to_float(b->d), dmin = k_half_to_float(b->dmin);
    for (int g = 0; g < 16; g++) {
        float scale = d * (float)(b->scales[g] & 15), min = dmin * (float)(b->scales[g] >> 4);
        for (int j = 0; j < 16; j++)
            *y++ = scale * (float)k_code2(b->qs, g, j) - min;
    }
}

static void dequant_q3_k(const void *src, float *y) {
    const block_q3_k *b = src;
    float d = k_half_to_float(b->d);
    for (int g = 0; g < 16; g++) {
        float scale = d * (float)k_q3_k_scale(b->scales, g);
        for (int j = 0; j < 16; j++) {
            *y++ = scale * (float)(k_code3(b, g, j) - 4);
        }
    }
}

static void dequant_q4_k(const void *src, float *y) {
    const block_q4_k *b = src;
    float d = k_half_to_float(b->d), dmin = k_half_to_float(b->dmin);
    for (int s = 0; s < 8; s++) {
        int scale, min;
        k_scale_min(b->scales, s, &scale, &min);
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
        k_scale_min(b->scales, s, &scale, &min);
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
    for (int i = 0; i < 256; i++)
        y[i] = d * (float)b->scales[i / 16] * (float)(k_code6(b, i) - 32);
}

static void dequant_iq4_nl(const void *src, float *y) {
    const block_iq4_nl *b = src;
    float d = k_half_to_float(b->d);
    for (int j = 0; j < 16; j++) {
        y[j] = d * (float)k_iq4_values[b->qs[j] & 15];
        y[j + 16] = d * (float)k_iq4_values[b->qs[j] >> 4];
    }
}

static void dequant_iq4_xs(const void *src, float *y) {
    const block_iq4_xs *b = src;
    float d = k_half_to_float(b->d);
    for (int s = 0; s < 8; s++, y += 32) {
        float ds = d * (float)k_iq4_xs_scale(b, s);
        for (int j = 0; j < 16; j++) {
            y[j] = ds * (float)k_iq4_values[b->qs[s * 16 + j] & 15];
            y[j + 16] = ds * (float)k_iq4_values[b->qs[s * 16 + j] >> 4];
        }
    }
}

static void dequant_mxfp4(const void *src, float *y) {
    const block_mxfp4 *b = src;
    uint32_t bits = k_mxfp4_scale_bits(b->e);
    float d;
    memcpy(&d, &bits, sizeof d);
    for (int j = 0; j < 16; j++) {
        y[j] = d * (float)k_mxfp4_values[b->qs[j] & 15];
        y[j + 16] = d * (float)k_mxfp4_values[b->qs[j] >> 4];
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
