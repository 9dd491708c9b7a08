/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Vector words of AVX-512 with VNNI: 16 rows a panel.  vf: 16 floats; vi: 16 int32; vb: 64 bytes,
 * four columns of each of 16 rows. */
#include <immintrin.h>

#include "kernels/cpu/isa.h"

#define V_UNROLL _Pragma("GCC unroll 16")
#define V_ROWS 16
#ifdef V_AMX
# define V_NAME "avx512-vnni, amx-int8"
# define V_TABLE cpu_isa_amx
# define V_TILE 16
#else
# define V_NAME "avx512-vnni"
# define V_TABLE cpu_isa_avx512
# define V_TILE 12
#endif
#define V_QUERIES 12
#define V_FLOAT_TILE 4
#define V_SIGNED8 0

typedef __m512 vf;
typedef __m512i vi;
typedef __m512i vb;

static inline vf v_zero(void) {
    return _mm512_setzero_ps();
}
static inline vf v_set1(float x) {
    return _mm512_set1_ps(x);
}
static inline vf v_load(const float *p) {
    return _mm512_loadu_ps(p);
}
static inline void v_store(float *p, vf x) {
    _mm512_storeu_ps(p, x);
}
static inline vf v_add(vf a, vf b) {
    return _mm512_add_ps(a, b);
}
static inline vf v_sub(vf a, vf b) {
    return _mm512_sub_ps(a, b);
}
static inline vf v_mul(vf a, vf b) {
    return _mm512_mul_ps(a, b);
}
static inline vf v_div(vf a, vf b) {
    return _mm512_div_ps(a, b);
}
static inline vf v_fma(vf a, vf b, vf c) {
    return _mm512_fmadd_ps(a, b, c);
}
static inline vf v_max(vf a, vf b) {
    return _mm512_max_ps(a, b);
}
static inline vf v_min(vf a, vf b) {
    return _mm512_min_ps(a, b);
}
static inline vf v_round(vf a) {
    return _mm512_roundscale_ps(a, 8);
}
/* a * 2^n for an integral n. */
static inline vf v_scale2(vf a, vf n) {
    return _mm512_scalef_ps(a, n);
}
static inline float v_hsum(vf a) {
    return _mm512_reduce_add_ps(a);
}
static inline float v_hmax(vf a) {
    return _mm512_reduce_max_ps(a);
}
static inline vf v_half(const k_half *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
static inline void v_half_store(k_half *p, vf x) {
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
static inline vf v_bf16(const uint16_t *p) {
    __m512i w = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(w, 16));
}
static inline vf v_codes(const int8_t *p) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}

static inline vi i_zero(void) {
    return _mm512_setzero_si512();
}
static inline vi i_set1(int32_t x) {
    return _mm512_set1_epi32(x);
}
#define i_shl(x, n) _mm512_slli_epi32(x, n)
static inline vf i_float(vi x) {
    return _mm512_cvtepi32_ps(x);
}

static inline vb b_load(const uint8_t *p) {
    return _mm512_loadu_si512(p);
}
static inline vb b_low(vb x) {
    return _mm512_and_si512(x, _mm512_set1_epi8(15));
}
static inline vb b_high(vb x) {
    return b_low(_mm512_srli_epi16(x, 4));
}
static inline vb b_or(vb a, vb b) {
    return _mm512_or_si512(a, b);
}
/* Bits 4 and 5 from crumb `place` (0..3) of each byte. */
static inline vb b_crumb(vb x, int place) {
    vb mask = _mm512_set1_epi8(0x30);
    if (place == 0) return _mm512_and_si512(_mm512_slli_epi16(x, 4), mask);
    if (place == 1) return _mm512_and_si512(_mm512_slli_epi16(x, 2), mask);
    if (place == 2) return _mm512_and_si512(x, mask);
    return _mm512_and_si512(_mm512_srli_epi16(x, 2), mask);
}
/* 16 added where the byte's bit is set; bits: one per byte of x, in order. */
static inline vb b_bit16(vb x, const uint8_t *bits) {
    uint64_t mask;
    memcpy(&mask, bits, sizeof mask);
    return _mm512_mask_add_epi8(x, mask, x, _mm512_set1_epi8(16));
}
static inline vb b_table(const uint8_t *table16) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)table16));
}
static inline vb b_lookup(vb table, vb index) {
    return _mm512_shuffle_epi8(table, index);
}

/* acc + four products per row; w unsigned, the activations (four in `a`) signed. */
static inline vi i_dot(vi acc, vb w, int32_t a) {
    return _mm512_dpbusd_epi32(acc, w, _mm512_set1_epi32(a));
}
/* The same for full 8-bit codes, which are unsigned with 128 added here. */
static inline vi i_dot8(vi acc, vb w, int32_t a) {
    return i_dot(acc, w, a);
}

/* Codes of 32 activations; returns the scale and the sums of both halves. */
static inline float v_quantise32(const float *x, int8_t *q, int32_t sums[2], float *residual) {
    __m512 a = _mm512_loadu_ps(x), b = _mm512_loadu_ps(x + 16);
    float top = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
    float d = top / 127.0f;
    __m512 inverse = _mm512_set1_ps(top > 0 ? 127.0f / top : 0.0f);
    __m512i qa = _mm512_cvtps_epi32(_mm512_mul_ps(a, inverse));
    __m512i qb = _mm512_cvtps_epi32(_mm512_mul_ps(b, inverse));
    __m256i codes = _mm256_set_m128i(_mm512_cvtepi32_epi8(qb), _mm512_cvtepi32_epi8(qa));
    _mm256_storeu_si256((__m256i *)(void *)q, codes);
    __m256i four = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), codes);
    four = _mm256_hadd_epi32(four, four);
    four = _mm256_hadd_epi32(four, four);
    sums[0] = _mm256_extract_epi32(four, 0);
    sums[1] = _mm256_extract_epi32(four, 4);
    if (residual) {
        __m512 minus = _mm512_set1_ps(-d);
        _mm512_storeu_ps(residual, _mm512_fmadd_ps(_mm512_cvtepi32_ps(qa), minus, a));
        _mm512_storeu_ps(residual + 16, _mm512_fmadd_ps(_mm512_cvtepi32_ps(qb), minus, b));
    }
    return d;
}
