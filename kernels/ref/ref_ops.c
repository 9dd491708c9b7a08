/* SPDX-License-Identifier: Apache-2.0 */
/* The definitions behind the reference backend, one row at a time.  Pure.  Thread: any.
 */
#include "kernels/ref/ref_ops.h"

#include <math.h>

static const float *floats(const k_tensor *t) {
    return t->data;
}

void ref_norm(const k_norm *n, float *y, const float *x, int cols) {
    if (n->weight.rows == 0) {
        if (y != x) memmove(y, x, (size_t)cols * sizeof *y);
        return;
    }
    double mean = 0, square = 0;
    if (n->kind == NORM_LAYER) {
        for (int i = 0; i < cols; i++)
            mean += (double)x[i];
        mean /= cols;
    }
    for (int i = 0; i < cols; i++)
        square += ((double)x[i] - mean) * ((double)x[i] - mean);
    double scale = 1 / sqrt(square / cols + (double)n->eps);
    const float *w = floats(&n->weight), *b = n->bias.rows ? floats(&n->bias) : NULL;
    for (int i = 0; i < cols; i++)
        y[i] = (float)(((double)x[i] - mean) * scale) * w[i] + (b ? b[i] : 0);
}

/* Eight sums, so that a processor need not wait for one addition after the other. */
static float dot(const float *a, const float *b, int64_t n) {
    double sum[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            sum[j] += (double)a[i + j] * (double)b[i + j];
    for (; i < n; i++)
        sum[0] += (double)a[i] * (double)b[i];
    return (float)(((sum[0] + sum[1]) + (sum[2] + sum[3])) +
                   ((sum[4] + sum[5]) + (sum[6] + sum[7])));
}

void ref_matmul(const k_tensor *w, const k_tensor *bias, float *y, const float *x, int n,
                float *row) {
    size_t bytes = k_row_bytes(w->type, w->cols);
    for (int64_t r = 0; r < w->rows; r++) {
        k_dequant(w->type, (const char *)w->data + (size_t)r * bytes, row, w->cols);
        for (int i = 0; i < n; i++)
            y[i * w->rows + r] =
                dot(row, x + i * w->cols, w->cols) + (bias->rows ? floats(bias)[r] : 0);
    }
}

void ref_rope(const k_rope *r, float *head, int pos) {
    if (r->kind == ROPE_NONE) return;
    int half = r->n_rot / 2;
    for (int i = 0; i < half; i++) {
        float angle = (float)pos * r->inv_freq[i];
        float c = cosf(angle) * r->mscale, s = sinf(angle) * r->mscale;
        float *a = r->kind == ROPE_NORM ? head + 2 * i : head + i;
        float *b = r->kind == ROPE_NORM ? head + 2 * i + 1 : head + i + half;
        float a0 = *a, b0 = *b;
        *a = a0 * c - b0 * s;
        *b = a0 * s + b0 * c;
    }
}

float ref_act(k_act act, float x) {
    double v = (double)x;
    if (act == ACT_SILU) return (float)(v / (1 + exp(-v)));
    const double sqrt_2_over_pi = 0.79788456080286535588;
    return (float)(0.5 * v * (1 + tanh(sqrt_2_over_pi * (v + 0.044715 * v * v * v))));
}

float ref_softcap(float cap, float s) {
    return cap > 0 ? cap * tanhf(s / cap) : s;
}
