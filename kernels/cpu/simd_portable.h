/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Vector words in plain C for every other processor: 8 rows a panel, as GCC/clang vector types
 * where that reads naturally and as loops where it does not.  Correct first; the compiler
 * vectorises what it can. */
#include <math.h>

#include "kernels/cpu/isa.h"

#define V_UNROLL /* loops stay loops: the words are not registers here */
#define V_NAME "portable"
#define V_TABLE cpu_isa_portable
#define V_ROWS 8
#define V_TILE 4
#define V_QUERIES 2
#define V_FLOAT_TILE 2
#define V_SIGNED8 1

typedef float vf __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));
typedef int8_t vb __attribute__((vector_size(32)));

static inline vf v_zero(void) {
    return (vf){0};
}
static inline vf v_set1(float x) {
    return (vf){x, x, x, x, x, x, x, x};
}
static inline vf v_load(const float *p) {
    vf x;
    memcpy(&x, p, sizeof x);
    return x;
}
static inline void v_store(float *p, vf x) {
    memcpy(p, &x, sizeof x);
}
static inline vf v_add(vf a, vf b) {
    return a + b;
}
static inline vf v_sub(vf a, vf b) {
    return a - b;
}
static inline vf v_mul(vf a, vf b) {
    return a * b;
}
static inline vf v_div(vf a, vf b) {
    return a / b;
}
static inline vf v_fma(vf a, vf b, vf c) {
    return a * b + c;
}
static inline vf v_max(vf a, vf b) {
    for (int i = 0; i < 8; i++)
        a[i] = a[i] > b[i] ? a[i] : b[i];
    return a;
}
static inline vf v_min(vf a, vf b) {
    for (int i = 0; i < 8; i++)
        a[i] = a[i] < b[i] ? a[i] : b[i];
    return a;
}
static inline vf v_round(vf a) { /* to even, for |a| < 2^22 */
    vf magic = v_set1(0x1.8p23f);
    return (a + magic) - magic;
}
/* a * 2^n for an integral n in -126..127. */
static inline vf v_scale2(vf a, vf n) {
    for (int i = 0; i < 8; i++)
        a[i] = ldexpf(a[i], (int)n[i]);
    return a;
}
static inline float v_hsum(vf a) {
    return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
}
static inline float v_hmax(vf a) {
    float m = a[0];
    for (int i = 1; i < 8; i++)
        m = a[i] > m ? a[i] : m;
    return m;
}
static inline vf v_half(const k_half *p) {
    vf x = {0};
    for (int i = 0; i < 8; i++)
        x[i] = k_half_to_float(p[i]);
    return x;
}
static inline void v_half_store(k_half *p, vf x) {
    for (int i = 0; i < 8; i++)
        p[i] = k_float_to_half(x[i]);
}
static inline vf v_bf16(const uint16_t *p) {
    uint32_t w[8];
    for (int i = 0; i < 8; i++)
        w[i] = (uint32_t)p[i] << 16;
    vf x;
    memcpy(&x, w, sizeof x);
    return x;
}
static inline vf v_codes(const int8_t *p) {
    vf x = {0};
    for (int i = 0; i < 8; i++)
        x[i] = (float)p[i];
    return x;
}

static inline vi i_zero(void) {
    return (vi){0};
}
static inline vi i_set1(int32_t x) {
    return (vi){x, x, x, x, x, x, x, x};
}
#define i_shl(x, n) ((x) * (1 << (n)))
static inline vf i_float(vi x) {
    return __builtin_convertvector(x, vf);
}

static inline vb b_load(const uint8_t *p) {
    vb x;
    memcpy(&x, p, sizeof x);
    return x;
}
static inline vb b_low(vb x) {
    return x & 15;
}
static inline vb b_high(vb x) {
    return (x >> 4) & 15;
}
static inline vb b_or(vb a, vb b) {
    return a | b;
}
/* Bits 4 and 5 from crumb `place` (0..3) of each byte. */
static inline vb b_crumb(vb x, int place) {
    vb y = {0};
    for (int i = 0; i < 32; i++)
        y[i] = (int8_t)(((uint8_t)x[i] >> (2 * place) & 3) << 4);
    return y;
}
/* 16 added where the byte's bit is set; bits: one per byte of x, in order. */
static inline vb b_bit16(vb x, const uint8_t *bits) {
    for (int i = 0; i < 32; i++)
        x[i] = (int8_t)(x[i] | (bits[i / 8] >> (i % 8) & 1) << 4);
    return x;
}
static inline vb b_table(const uint8_t *table16) {
    vb t = {0};
    memcpy(&t, table16, 16);
    return t;
}
static inline vb b_lookup(vb table, vb index) {
    vb y = {0};
    for (int i = 0; i < 32; i++)
        y[i] = table[index[i]];
    return y;
}

/* acc + four products per row; all codes fit int8 here. */
static inline vi i_dot8(vi acc, vb w, int32_t a) {
    int8_t four[4];
    memcpy(four, &a, sizeof four);
    for (int r = 0; r < 8; r++)
        acc[r] += w[4 * r] * four[0] + w[4 * r + 1] * four[1] + w[4 * r + 2] * four[2] +
                  w[4 * r + 3] * four[3];
    return acc;
}
static inline vi i_dot(vi acc, vb w, int32_t a) {
    return i_dot8(acc, w, a);
}

/* Codes of 32 activations; returns the scale and the sums of both halves. */
static inline float v_quantise32(const float *x, int8_t *q, int32_t sums[2], float *residual) {
    float top = 0;
    for (int i = 0; i < 32; i++)
        top = fabsf(x[i]) > top ? fabsf(x[i]) : top;
    float d = top / 127.0f, inverse = top > 0 ? 127.0f / top : 0.0f;
    sums[0] = sums[1] = 0;
    for (int i = 0; i < 32; i++) {
        q[i] = (int8_t)lrintf(x[i] * inverse);
        sums[i / 16] += q[i];
        if (residual) residual[i] = x[i] - (float)q[i] * d;
    }
    return d;
}
