/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Vector words of AArch64's Advanced SIMD, and with V_DOTPROD of its byte dot products too: 8 rows
 * a panel, as two registers.  vf: 8 floats; vi: 8 int32; vb: 32 bytes, four columns of each of 8
 * rows. */
#include <arm_neon.h>

#include "kernels/cpu/isa.h"

#define V_UNROLL _Pragma("GCC unroll 16")
#ifdef V_DOTPROD
# define V_NAME "neon, dotprod"
# define V_TABLE cpu_isa_neondot
#else
# define V_NAME "neon"
# define V_TABLE cpu_isa_neon
#endif
#define V_ROWS 8
#define V_TILE 4
#define V_QUERIES 2
#define V_FLOAT_TILE 2
#define V_SIGNED8 1

typedef struct {
    float32x4_t lo, hi;
} vf;
typedef struct {
    int32x4_t lo, hi;
} vi;
typedef struct {
    uint8x16_t lo, hi;
} vb;

static inline vf v_set1(float x) {
    return (vf){vdupq_n_f32(x), vdupq_n_f32(x)};
}
static inline vf v_zero(void) {
    return v_set1(0);
}
static inline vf v_load(const float *p) {
    return (vf){vld1q_f32(p), vld1q_f32(p + 4)};
}
static inline void v_store(float *p, vf x) {
    vst1q_f32(p, x.lo);
    vst1q_f32(p + 4, x.hi);
}
static inline vf v_add(vf a, vf b) {
    return (vf){vaddq_f32(a.lo, b.lo), vaddq_f32(a.hi, b.hi)};
}
static inline vf v_sub(vf a, vf b) {
    return (vf){vsubq_f32(a.lo, b.lo), vsubq_f32(a.hi, b.hi)};
}
static inline vf v_mul(vf a, vf b) {
    return (vf){vmulq_f32(a.lo, b.lo), vmulq_f32(a.hi, b.hi)};
}
static inline vf v_div(vf a, vf b) {
    return (vf){vdivq_f32(a.lo, b.lo), vdivq_f32(a.hi, b.hi)};
}
static inline vf v_fma(vf a, vf b, vf c) {
    return (vf){vfmaq_f32(c.lo, a.lo, b.lo), vfmaq_f32(c.hi, a.hi, b.hi)};
}
/* The other operand where one is not a number, as x86 does for the first. */
static inline vf v_max(vf a, vf b) {
    return (vf){vmaxnmq_f32(a.lo, b.lo), vmaxnmq_f32(a.hi, b.hi)};
}
static inline vf v_min(vf a, vf b) {
    return (vf){vminnmq_f32(a.lo, b.lo), vminnmq_f32(a.hi, b.hi)};
}
static inline vf v_round(vf a) {
    return (vf){vrndnq_f32(a.lo), vrndnq_f32(a.hi)};
}
static inline float32x4_t v_power2(float32x4_t n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23));
}
/* a * 2^n for an integral n in -126..127. */
static inline vf v_scale2(vf a, vf n) {
    return v_mul(a, (vf){v_power2(n.lo), v_power2(n.hi)});
}
static inline float v_hsum(vf a) {
    return vaddvq_f32(vaddq_f32(a.lo, a.hi));
}
static inline float v_hmax(vf a) {
    return vmaxnmvq_f32(vmaxnmq_f32(a.lo, a.hi));
}
static inline vf v_half(const k_half *p) {
    uint16x8_t x = vld1q_u16(p);
    return (vf){vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(x))),
                vcvt_f32_f16(vreinterpret_f16_u16(vget_high_u16(x)))};
}
static inline void v_half_store(k_half *p, vf x) {
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x.lo)));
    vst1_u16(p + 4, vreinterpret_u16_f16(vcvt_f16_f32(x.hi)));
}
static inline vf v_bf16(const uint16_t *p) {
    uint16x8_t x = vld1q_u16(p);
    return (vf){vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(x), 16)),
                vreinterpretq_f32_u32(vshll_n_u16(vget_high_u16(x), 16))};
}
static inline vf v_codes(const int8_t *p) {
    int16x8_t x = vmovl_s8(vld1_s8(p));
    return (vf){vcvtq_f32_s32(vmovl_s16(vget_low_s16(x))),
                vcvtq_f32_s32(vmovl_s16(vget_high_s16(x)))};
}

static inline vi i_set1(int32_t x) {
    return (vi){vdupq_n_s32(x), vdupq_n_s32(x)};
}
static inline vi i_zero(void) {
    return i_set1(0);
}
static inline vi i_shl(vi x, int n) {
    return (vi){vshlq_s32(x.lo, vdupq_n_s32(n)), vshlq_s32(x.hi, vdupq_n_s32(n))};
}
static inline vf i_float(vi x) {
    return (vf){vcvtq_f32_s32(x.lo), vcvtq_f32_s32(x.hi)};
}

static inline vb b_load(const uint8_t *p) {
    return (vb){vld1q_u8(p), vld1q_u8(p + 16)};
}
static inline vb b_and(vb a, uint8_t mask) {
    return (vb){vandq_u8(a.lo, vdupq_n_u8(mask)), vandq_u8(a.hi, vdupq_n_u8(mask))};
}
static inline vb b_low(vb x) {
    return b_and(x, 15);
}
static inline vb b_high(vb x) {
    return (vb){vshrq_n_u8(x.lo, 4), vshrq_n_u8(x.hi, 4)};
}
static inline vb b_or(vb a, vb b) {
    return (vb){vorrq_u8(a.lo, b.lo), vorrq_u8(a.hi, b.hi)};
}
/* Bits 4 and 5 from crumb `place` (0..3) of each byte. */
static inline vb b_crumb(vb x, int place) {
    int8x16_t left = vdupq_n_s8((int8_t)(4 - 2 * place));
    return b_and((vb){vshlq_u8(x.lo, left), vshlq_u8(x.hi, left)}, 0x30);
}
static inline uint8x16_t b_bit16_half(uint8x16_t x, const uint8_t *bits) {
    const uint8x16_t one_bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t spread = vcombine_u8(vdup_n_u8(bits[0]), vdup_n_u8(bits[1]));
    return vorrq_u8(x, vandq_u8(vtstq_u8(spread, one_bit), vdupq_n_u8(16)));
}
/* 16 added where the byte's bit is set; bits: one per byte of x, in order. */
static inline vb b_bit16(vb x, const uint8_t *bits) {
    return (vb){b_bit16_half(x.lo, bits), b_bit16_half(x.hi, bits + 2)};
}
static inline vb b_table(const uint8_t *table16) {
    return (vb){vld1q_u8(table16), vld1q_u8(table16)};
}
static inline vb b_lookup(vb table, vb index) {
    return (vb){vqtbl1q_u8(table.lo, index.lo), vqtbl1q_u8(table.hi, index.hi)};
}

/* acc + four products of each of four rows. */
static inline int32x4_t i_dot_half(int32x4_t acc, int8x16_t w, int8x16_t a) {
#ifdef V_DOTPROD
    return vdotq_s32(acc, w, a);
#else
    int16x8_t first = vmull_s8(vget_low_s8(w), vget_low_s8(a)), last = vmull_high_s8(w, a);
    return vaddq_s32(acc, vpaddq_s32(vpaddlq_s16(first), vpaddlq_s16(last)));
#endif
}
/* acc + four products per row; all codes fit int8 here. */
static inline vi i_dot8(vi acc, vb w, int32_t a) {
    int8x16_t four = vreinterpretq_s8_s32(vdupq_n_s32(a));
    return (vi){i_dot_half(acc.lo, vreinterpretq_s8_u8(w.lo), four),
                i_dot_half(acc.hi, vreinterpretq_s8_u8(w.hi), four)};
}
static inline vi i_dot(vi acc, vb w, int32_t a) {
    return i_dot8(acc, w, a);
}

/* Codes of 32 activations; returns the scale and the sums of both halves. */
static inline float v_quantise32(const float *x, int8_t *q, int32_t sums[2], float *residual) {
    float32x4_t in[8], top = vdupq_n_f32(0);
    int32x4_t code[8];
    for (int i = 0; i < 8; i++) {
        in[i] = vld1q_f32(x + 4 * i);
        top = vmaxnmq_f32(top, vabsq_f32(in[i]));
    }
    float max = vmaxnmvq_f32(top), d = max / 127.0f, inverse = max > 0 ? 127.0f / max : 0.0f;
    for (int i = 0; i < 8; i++)
        code[i] = vcvtnq_s32_f32(vmulq_n_f32(in[i], inverse));
    for (int i = 0; i < 8; i += 2)
        vst1_s8(q + 4 * i, vmovn_s16(vcombine_s16(vmovn_s32(code[i]), vmovn_s32(code[i + 1]))));
    for (int h = 0; h < 2; h++)
        sums[h] = vaddvq_s32(vaddq_s32(vaddq_s32(code[4 * h], code[4 * h + 1]),
                                       vaddq_s32(code[4 * h + 2], code[4 * h + 3])));
    for (int i = 0; i < 8 && residual; i++)
        vst1q_f32(residual + 4 * i, vfmsq_f32(in[i], vcvtq_f32_s32(code[i]), vdupq_n_f32(d)));
    return d;
}
