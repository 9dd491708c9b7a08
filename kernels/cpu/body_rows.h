/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Element-wise work on rows: norms, activations, exponentials.  Included once by each isa_*.c after
 * its simd_*.h.  Sums run in a fixed order of lanes. */

/* e^x for x in -87..88, clamped outside; relative error below 2e-7.  Source: Cephes, expf. */
static inline vf v_exp(vf x) {
    x = v_min(v_max(x, v_set1(-87.3f)), v_set1(88.3f));
    vf n = v_round(v_mul(x, v_set1(1.44269504f)));
    vf r = v_fma(n, v_set1(-0.693359375f), x);
    r = v_fma(n, v_set1(2.12194440e-4f), r);
    vf p = v_set1(1.9875691500e-4f);
    p = v_fma(p, r, v_set1(1.3981999507e-3f));
    p = v_fma(p, r, v_set1(8.3334519073e-3f));
    p = v_fma(p, r, v_set1(4.1665795894e-2f));
    p = v_fma(p, r, v_set1(1.6666665459e-1f));
    p = v_fma(p, r, v_set1(5.0000001201e-1f));
    return v_scale2(v_add(v_fma(p, v_mul(r, r), r), v_set1(1)), n);
}

/* cap * tanh(s / cap) */
static inline vf v_softcap(vf s, float cap) {
    vf e = v_exp(v_mul(s, v_set1(2 / cap)));
    vf t = v_sub(v_set1(1), v_div(v_set1(2), v_add(e, v_set1(1))));
    return v_mul(t, v_set1(cap));
}

static float row_sum(const float *x, int n) {
    vf sum = v_zero();
    int i = 0;
    for (; i + V_ROWS <= n; i += V_ROWS)
        sum = v_add(sum, v_load(x + i));
    float total = v_hsum(sum);
    for (; i < n; i++)
        total += x[i];
    return total;
}

static float row_square(const float *x, float mean, int n) {
    vf sum = v_zero(), m = v_set1(mean);
    int i = 0;
    for (; i + V_ROWS <= n; i += V_ROWS) {
        vf d = v_sub(v_load(x + i), m);
        sum = v_fma(d, d, sum);
    }
    float total = v_hsum(sum);
    for (; i < n; i++)
        total += (x[i] - mean) * (x[i] - mean);
    return total;
}

static void v_norm(const k_norm *norm, float *y, const float *x, int n) {
    if (norm->weight.rows == 0) {
        if (y != x) memmove(y, x, (size_t)n * sizeof *y);
        return;
    }
    float mean = norm->kind == NORM_LAYER ? row_sum(x, n) / (float)n : 0;
    float scale = 1 / sqrtf(row_square(x, mean, n) / (float)n + norm->eps);
    const float *w = norm->weight.data, *b = norm->bias.rows ? norm->bias.data : NULL;
    int i = 0;
    for (; i + V_ROWS <= n; i += V_ROWS) {
        vf v = v_mul(v_sub(v_load(x + i), v_set1(mean)), v_set1(scale));
        v_store(y + i, b ? v_fma(v, v_load(w + i), v_load(b + i)) : v_mul(v, v_load(w + i)));
    }
    for (; i < n; i++)
        y[i] = (x[i] - mean) * scale * w[i] + (b ? b[i] : 0);
}

/* x / (1 + e^-x), or the tanh form of GELU, which is x / (1 + e^-2z). */
static inline vf v_act(k_act act, vf x) {
    vf z = x;
    if (act == ACT_GELU_TANH) {
        vf cube = v_mul(v_mul(x, x), x);
        z = v_mul(v_fma(cube, v_set1(0.044715f), x), v_set1(1.5957691216f));
    }
    return v_div(x, v_add(v_set1(1), v_exp(v_sub(v_zero(), z))));
}

static void v_activate(k_act act, float *u, const float *gate, int n) {
    if (gate)
        for (int i = 0; i < n; i += V_ROWS)
            v_store(u + i, v_mul(v_act(act, v_load(gate + i)), v_load(u + i)));
    else
        for (int i = 0; i < n; i += V_ROWS)
            v_store(u + i, v_act(act, v_load(u + i)));
}

static void v_finish_logits(float *y, float scale, float softcap, int n) {
    for (int i = 0; i < n; i += V_ROWS) {
        vf v = v_mul(v_load(y + i), v_set1(scale));
        v_store(y + i, softcap > 0 ? v_softcap(v, softcap) : v);
    }
}

static void v_add_scaled(float *x, const float *y, float scale, int n) {
    for (int i = 0; i < n; i += V_ROWS)
        v_store(x + i, v_fma(v_load(y + i), v_set1(scale), v_load(x + i)));
}

static void v_half_row(k_half *dst, const float *src, int n, size_t stride) {
    k_half packed[V_ROWS];
    for (int i = 0; i < n; i += V_ROWS) {
        float part[V_ROWS] = {0};
        int some = MIN(V_ROWS, n - i);
        memcpy(part, src + i, (size_t)some * sizeof *src);
        v_half_store(packed, v_load(part));
        for (int j = 0; j < some; j++)
            dst[(size_t)(i + j) * stride] = packed[j];
    }
}

static float v_row_max(const float *x, int n) {
    vf m = v_set1(-INFINITY);
    int i = 0;
    for (; i + V_ROWS <= n; i += V_ROWS)
        m = v_max(v_load(x + i), m);
    float top = v_hmax(m);
    for (; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

static double v_sum_exp(const float *x, float max, int n) {
    double total = 0;
    int i = 0;
    while (i + V_ROWS <= n) { /* f32 within a stretch, double between stretches */
        vf sum = v_zero();
        for (int end = MIN(n - V_ROWS, i + 63 * V_ROWS); i <= end; i += V_ROWS)
            sum = v_add(sum, v_exp(v_sub(v_load(x + i), v_set1(max))));
        total += (double)v_hsum(sum);
    }
    for (; i < n; i++)
        total += exp((double)x[i] - (double)max);
    return total;
}
