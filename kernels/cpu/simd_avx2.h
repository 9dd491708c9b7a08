/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Vector words of AVX2 with FMA and F16C, and with V_VNNI of AVX-VNNI too: 8 rows a panel.  vf: 8
 * floats; vi: 8 int32; vb: 32 bytes,
 * four columns of each of 8 rows. */
#include <immintrin.h>

#include "kernels/cpu/isa.h"

#define V_UNROLL _Pragma("GCC unroll 16")
#ifdef V_VNNI
# define V_NAME "avx2-vnni"
# define V_TABLE cpu_isa_avxvnni
# define V_SIGNED8 0
#else
# define V_NAME "avx2"
# define V_TABLE cpu_isa_avx2
# define V_SIGNED8 1
#endif
#define V_ROWS 8
#define V_TILE 4
#define V_QUERIES 2
#define V_FLOAT_TILE 2

typedef __m256 vf;
typedef __m256i vi;
typedef __m256i vb;

static inline vf v_zero(void) {
    return _mm256_setzero_ps();
}
static inline vf v_set1(float x) {
    return _mm256_set1_ps(x);
}
static inline vf v_load(const float *p) {
    return _mm256_loadu_ps(p);
}
static inline void v_store(float *p, vf x) {
    _mm256_storeu_ps(p, x);
}
static inline vf v_add(vf a, vf b) {
    return _mm256_add_ps(a, b);
}
static inline vf v_sub(vf a, vf b) {
    return _mm256_sub_ps(a, b);
}
static inline vf v_mul(vf a, vf b) {
    return _mm256_mul_ps(a, b);
}
static inline vf v_div(vf a, vf b) {
    return _mm256_div_ps(a, b);
}
static inline vf v_fma(vf a, vf b, vf c) {
    return _mm256_fmadd_ps(a, b, c);
}
static inline vf v_max(vf a, vf b) {
    return _mm256_max_ps(a, b);
}
static inline vf v_min(vf a, vf b) {
    return _mm256_min_ps(a, b);
}
static inline vf v_round(vf a) {
    return _mm256_round_ps(a, 8);
}
/* a * 2^n for an integral n in -126..127. */
static inline vf v_scale2(vf a, vf n) {
    __m256i e = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(e, 23)));
}
static inline float v_hsum(vf a) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
static inline float v_hmax(vf a) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
static inline vf v_half(const k_half *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}
static inline void v_half_store(k_half *p, vf x) {
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
static inline vf v_bf16(const uint16_t *p) {
    __m256i w = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(w, 16));
}
static inline vf v_codes(const int8_t *p) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}

static inline vi i_zero(void) {
    return _mm256_setzero_si256();
}
static inline vi i_set1(int32_t x) {
    return _mm256_set1_epi32(x);
}
#define i_shl(x, n) _mm256_slli_epi32(x, n)
static inline vf i_float(vi x) {
    return _mm256_cvtepi32_ps(x);
}

static inline vb b_load(const uint8_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}
static inline vb b_low(vb x) {
    return _mm256_and_si256(x, _mm256_set1_epi8(15));
}
static inline vb b_high(vb x) {
    return b_low(_mm256_srli_epi16(x, 4));
}
static inline vb b_or(vb a, vb b) {
    return _mm256_or_si256(a, b);
}
/* Bits 4 and 5 from crumb `place` (0..3) of each byte. */
static inline vb b_crumb(vb x, int place) {
    vb mask = _mm256_set1_epi8(0x30);
    if (place == 0) return _mm256_and_si256(_mm256_slli_epi16(x, 4), mask);
    if (place == 1) return _mm256_and_si256(_mm256_slli_epi16(x, 2), mask);
    if (place == 2) return _mm256_and_si256(x, mask);
    return _mm256_and_si256(_mm256_srli_epi16(x, 2), mask);
}
/* 16 added where the byte's bit is set; bits: one per byte of x, in order. */
static inline vb b_bit16(vb x, const uint8_t *bits) {
    int32_t word;
    memcpy(&word, bits, sizeof word);
    const vb spread = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2,
                                       2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const vb one_bit = _mm256_set1_epi64x((long long)0x8040201008040201u);
    vb w = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(word), spread), one_bit);
    vb set = _mm256_cmpeq_epi8(w, one_bit);
    return _mm256_or_si256(x, _mm256_and_si256(set, _mm256_set1_epi8(16)));
}
static inline vb b_table(const uint8_t *table16) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table16));
}
static inline vb b_lookup(vb table, vb index) {
    return _mm256_shuffle_epi8(table, index);
}

#ifdef V_VNNI
/* acc + four products per row; w unsigned, the activations (four in `a`) signed. */
static inline vi i_dot(vi acc, vb w, int32_t a) {
    return _mm256_dpbusd_avx_epi32(acc, w, _mm256_set1_epi32(a));
}
/* The same for full 8-bit codes, which are unsigned with 128 added here. */
static inline vi i_dot8(vi acc, vb w, int32_t a) {
    return i_dot(acc, w, a);
}
#else
/* acc + four products per row; w unsigned up to 63, so that two products fit 16 bits; the
 * activations (four in `a`) signed. */
static inline vi i_dot(vi acc, vb w, int32_t a) {
    __m256i pairs = _mm256_maddubs_epi16(w, _mm256_set1_epi32(a));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
/* The same for signed 8-bit codes: the sign moves to the activation, and 2 * 128 * 127 fits. */
static inline vi i_dot8(vi acc, vb w, int32_t a) {
    __m256i pairs =
        _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(_mm256_set1_epi32(a), w));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
#endif

/* Codes of 32 activations; returns the scale and the sums of both halves. */
static inline float v_quantise32(const float *x, int8_t *q, int32_t sums[2], float *residual) {
    const __m256 no_sign = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    __m256 in[4], top = _mm256_setzero_ps();
    for (int i = 0; i < 4; i++) {
        in[i] = _mm256_loadu_ps(x + 8 * i);
        top = _mm256_max_ps(top, _mm256_and_ps(in[i], no_sign));
    }
    float max = v_hmax(top), d = max / 127.0f;
    __m256 inverse = _mm256_set1_ps(max > 0 ? 127.0f / max : 0.0f);
    __m256i code[4];
    for (int i = 0; i < 4; i++)
        code[i] = _mm256_cvtps_epi32(_mm256_mul_ps(in[i], inverse));
    int32_t wide[32];
    for (int i = 0; i < 4; i++)
        _mm256_storeu_si256((__m256i *)(void *)(wide + 8 * i), code[i]);
    sums[0] = sums[1] = 0;
    for (int i = 0; i < 32; i++) {
        q[i] = (int8_t)wide[i];
        sums[i / 16] += wide[i];
    }
    for (int i = 0; i < 4 && residual; i++)
        _mm256_storeu_ps(residual + 8 * i,
                         _mm256_fmadd_ps(_mm256_cvtepi32_ps(code[i]), _mm256_set1_ps(-d), in[i]));
    return d;
}
