/* SPDX-License-Identifier: Apache-2.0 */
/* The type table: block sizes of the GGUF formats, derived from the structs of blocks.h, and the
 * conversion between binary16 and binary32.  Pure functions on values.  Thread: any.
 */
#include "engine/base/base.h"
#include "kernels/blocks.h"

typedef struct {
    const char *name;
    int block;    /* elements */
    size_t bytes; /* of a block */
} type_row;

/* clang-format off */
static const type_row types[] = {
    [K_F32]    = {"F32",    1,   sizeof(float)},
    [K_F16]    = {"F16",    1,   sizeof(k_half)},
    [K_Q4_0]   = {"Q4_0",   32,  sizeof(block_q4_0)},
    [K_Q4_1]   = {"Q4_1",   32,  sizeof(block_q4_1)},
    [K_Q5_0]   = {"Q5_0",   32,  sizeof(block_q5_0)},
    [K_Q5_1]   = {"Q5_1",   32,  sizeof(block_q5_1)},
    [K_Q8_0]   = {"Q8_0",   32,  sizeof(block_q8_0)},
    [K_Q2_K]   = {"Q2_K",   256, sizeof(block_q2_k)},
    [K_Q3_K]   = {"Q3_K",   256, sizeof(block_q3_k)},
    [K_Q4_K]   = {"Q4_K",   256, sizeof(block_q4_k)},
    [K_Q5_K]   = {"Q5_K",   256, sizeof(block_q5_k)},
    [K_Q6_K]   = {"Q6_K",   256, sizeof(block_q6_k)},
    [K_IQ4_NL] = {"IQ4_NL", 32,  sizeof(block_iq4_nl)},
    [K_IQ4_XS] = {"IQ4_XS", 256, sizeof(block_iq4_xs)},
    [K_BF16]   = {"BF16",   1,   sizeof(uint16_t)},
    [K_MXFP4]  = {"MXFP4",  32,  sizeof(block_mxfp4)},
};
/* clang-format on */

static const type_row *row_of(int t) {
    if (t < 0 || t >= (int)COUNTOF(types) || types[t].block == 0) return NULL;
    return &types[t];
}

int k_type_block(k_type t) {
    const type_row *r = row_of((int)t);
    return r ? r->block : 0;
}

size_t k_type_bytes(k_type t) {
    const type_row *r = row_of((int)t);
    return r ? r->bytes : 0;
}

/* Types that exist and are not read here, so that messages can name them. */
static const char *const other_names[] = {
    [9] = "Q8_1",    [15] = "Q8_K",   [16] = "IQ2_XXS", [17] = "IQ2_XS", [18] = "IQ3_XXS",
    [19] = "IQ1_S",  [21] = "IQ3_S",  [22] = "IQ2_S",   [24] = "I8",     [25] = "I16",
    [26] = "I32",    [27] = "I64",    [28] = "F64",     [29] = "IQ1_M",  [34] = "TQ1_0",
    [35] = "TQ2_0",  [40] = "NVFP4",  [41] = "Q1_0",    [42] = "Q2_0",
};

const char *k_type_name(int t) {
    static _Thread_local char unknown[24];
    const type_row *r = row_of(t);
    if (r) return r->name;
    if (t >= 0 && t < (int)COUNTOF(other_names) && other_names[t]) return other_names[t];
    snprintf(unknown, sizeof unknown, "type %d", t);
    return unknown;
}

size_t k_row_bytes(k_type t, int64_t cols) {
    const type_row *r = row_of((int)t);
    if (!r || cols <= 0 || cols % r->block != 0) return 0;
    return (size_t)(cols / r->block) * r->bytes;
}

/* ---- binary16 ---------------------------------------------------------------------------------
 * A half is 1 sign, 5 exponent (bias 15) and 10 mantissa bits. */

static float float_of_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

float k_half_to_float(k_half h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t exponent = (h >> 10) & 31, mantissa = h & 0x3ff;
    if (exponent == 31) return float_of_bits(sign | 0x7f800000u | mantissa << 13);
    if (exponent) return float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
    float tiny = (float)mantissa * 0x1p-24f; /* subnormal or zero: exact in float */
    return sign ? -tiny : tiny;
}

k_half k_float_to_half(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000u) /* a NaN stays one, quiet, with the upper bits of its payload */
        return (k_half)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x47800000u) return (k_half)(sign | 0x7c00); /* 65536 and above */
    if (magnitude < 0x38800000u) { /* below 2^-14: the sum is rounded at 2^-24, the last bit */
        float shifted = float_of_bits(magnitude) + 0.5f;
        memcpy(&bits, &shifted, sizeof bits);
        return (k_half)(sign | (bits - 0x3f000000u));
    }
    uint32_t odd = magnitude >> 13 & 1;
    return (k_half)(sign | (magnitude - 0x38000000u + 0xfff + odd) >> 13);
}
