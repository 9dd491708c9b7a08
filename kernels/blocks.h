/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* GGUF block layouts, for C and CUDA.  All are little endian and packed without gaps; the type
 * table (kernels/types.c) is derived from sizeof, so a wrong layout cannot hide in a number.
 * Source: GGUF specification and ggml's block definitions, as facts. */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
# define K_ASSERT_SIZE(type, bytes) static_assert(sizeof(type) == (bytes), #type)
extern "C" {
#else
# define K_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
# include <stdbool.h>
#endif

typedef uint16_t k_half; /* IEEE binary16 bits */

/* Numbers are GGUF's. */
typedef enum {
    K_F32 = 0,
    K_F16 = 1,
    K_Q4_0 = 2,
    K_Q4_1 = 3,
    K_Q5_0 = 6,
    K_Q5_1 = 7,
    K_Q8_0 = 8,
    K_Q2_K = 10,
    K_Q3_K = 11,
    K_Q4_K = 12,
    K_Q5_K = 13,
    K_Q6_K = 14,
    K_IQ4_NL = 20,
    K_IQ4_XS = 23,
    K_BF16 = 30,
    K_MXFP4 = 39,
} k_type;

/* y[j] = d*((qs[j]&15)-8), y[j+16]: high nibble */
typedef struct { k_half d; uint8_t qs[16]; } block_q4_0;
typedef struct { k_half d, m; uint8_t qs[16]; } block_q4_1;             /* d*q + m */
/* bit j of qh: 5th bit of y[j]; -16 */
typedef struct { k_half d; uint8_t qh[4]; uint8_t qs[16]; } block_q5_0;
typedef struct { k_half d, m; uint8_t qh[4]; uint8_t qs[16]; } block_q5_1;
typedef struct { k_half d; int8_t qs[32]; } block_q8_0;                 /* d*q */
typedef struct { uint8_t scales[16]; uint8_t qs[64]; k_half d, dmin; } block_q2_k;
typedef struct { uint8_t hmask[32]; uint8_t qs[64]; uint8_t scales[12]; k_half d; } block_q3_k;
typedef struct { k_half d, dmin; uint8_t scales[12]; uint8_t qs[128]; } block_q4_k;
typedef struct { k_half d, dmin; uint8_t scales[12]; uint8_t qh[32]; uint8_t qs[128]; } block_q5_k;
typedef struct { uint8_t ql[128]; uint8_t qh[64]; int8_t scales[16]; k_half d; } block_q6_k;
typedef struct { k_half d; uint8_t qs[16]; } block_iq4_nl;
typedef struct { k_half d; uint16_t scales_h; uint8_t scales_l[4]; uint8_t qs[128]; } block_iq4_xs;
typedef struct { uint8_t e; uint8_t qs[16]; } block_mxfp4;

K_ASSERT_SIZE(block_q4_0, 18);
K_ASSERT_SIZE(block_q4_1, 20);
K_ASSERT_SIZE(block_q5_0, 22);
K_ASSERT_SIZE(block_q5_1, 24);
K_ASSERT_SIZE(block_q8_0, 34);
K_ASSERT_SIZE(block_q2_k, 84);
K_ASSERT_SIZE(block_q3_k, 110);
K_ASSERT_SIZE(block_q4_k, 144);
K_ASSERT_SIZE(block_q5_k, 176);
K_ASSERT_SIZE(block_q6_k, 210);
K_ASSERT_SIZE(block_iq4_nl, 18);
K_ASSERT_SIZE(block_iq4_xs, 136);
K_ASSERT_SIZE(block_mxfp4, 17);

/* Elements and bytes of one block; 0 for a type that is not in the table. */
int k_type_block(k_type t);
size_t k_type_bytes(k_type t);
/* "Q4_1", also for types that are not in the table; for a number that nobody uses "type 37" (a
 * static buffer per thread). */
const char *k_type_name(int t);
/* Bytes of a row of `cols` elements; 0 when the type is unknown or cols is no multiple of its
 * block. */
size_t k_row_bytes(k_type t, int64_t cols);
/* The definition of each format: n elements (a multiple of the block) to f32.  Thread: any. */
void k_dequant(k_type t, const void *src, float *dst, int64_t n);

float k_half_to_float(k_half h);
k_half k_float_to_half(float f); /* round to nearest even; overflow gives infinity */

#ifdef __cplusplus
}
#endif
