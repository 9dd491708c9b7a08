/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where the codes and scales of the packed formats lie inside a block: shared by k_dequant and by
 * the repacking of backends.  Private to kernels/. */
#include "kernels/blocks.h"

/* Code books of the non-uniform 4-bit formats. */
static const int8_t k_iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                        1,    13,   25,  38,  53,  69,  89,  113};
static const int8_t k_mxfp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* Element j of a 32-block of nibbles: low ones first. */
static inline int k_code4(const uint8_t *qs, int j) {
    return j < 16 ? qs[j] & 15 : qs[j - 16] >> 4;
}

/* The 5-bit code of element j of a 32-block: a nibble of qs and a bit of qh. */
static inline int k_code5(const uint8_t *qs, const uint8_t *qh, int j) {
    return k_code4(qs, j) | (qh[j / 8] >> (j % 8) & 1) << 4;
}

/* 2- and 3-bit codes lie four to a byte: group g of 16 elements is 16 bytes at half * 32 +
 * (g % 2) * 16, shifted by twice its place in the half. */
static inline int k_code2(const uint8_t *qs, int g, int j) {
    int half = g / 8, place = g % 8 / 2;
    return qs[half * 32 + g % 2 * 16 + j] >> (2 * place) & 3;
}

/* The 3-bit code of Q3_K plus 4: 0..7. */
static inline int k_code3(const block_q3_k *b, int g, int j) {
    int high = b->hmask[g % 2 * 16 + j] >> (g / 2) & 1; /* 0: four less */
    return k_code2(b->qs, g, j) + (high ? 4 : 0);
}

/* Scale g of Q3_K: 4 low bits in a nibble of bytes 0..7, 2 high bits in a crumb of bytes 8..11. */
static inline int k_q3_k_scale(const uint8_t *scales, int g) {
    int low = scales[g % 8] >> (g / 8 * 4) & 15;
    int high = scales[8 + g % 4] >> (g / 4 * 2) & 3;
    return (low | high << 4) - 32;
}

/* Scale and minimum j of the eight in Q4_K and Q5_K, 6 bits each. */
static inline void k_scale_min(const uint8_t *q, int j, int *scale, int *min) {
    if (j < 4) {
        *scale = q[j] & 63;
        *min = q[j + 4] & 63;
    } else {
        *scale = (q[j + 4] & 15) | (q[j - 4] >> 6) << 4;
        *min = q[j + 4] >> 4 | (q[j] >> 6) << 4;
    }
}

/* Element i of Q6_K plus 32: 0..63. */
static inline int k_code6(const block_q6_k *b, int i) {
    int half = i / 128, quarter = i % 128 / 32, j = i % 32;
    int low = b->ql[half * 64 + quarter % 2 * 32 + j] >> (quarter / 2 * 4) & 15;
    int high = b->qh[half * 32 + j] >> (quarter * 2) & 3;
    return low | high << 4;
}

/* Scale s of the eight in IQ4_XS. */
static inline int k_iq4_xs_scale(const block_iq4_xs *b, int s) {
    int low = b->scales_l[s / 2] >> (s % 2 * 4) & 15, high = b->scales_h >> (2 * s) & 3;
    return (low | high << 4) - 32;
}

/* The scale of an MXFP4 block as float bits: 2^(e - 128), half of the exponent's value, because
 * the code book holds doubled values. */
static inline uint32_t k_mxfp4_scale_bits(uint8_t e) {
    return e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23;
}
