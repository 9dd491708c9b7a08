/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The arithmetic of the reference backend: each function is the definition of what its name says,
 * on one row, without regard to speed.  f32 values, sums in double. */
#include "kernels/kernels.h"

/* y[cols] = norm(x[cols]); y may be x.  A norm without weight copies. */
void ref_norm(const k_norm *n, float *y, const float *x, int cols);

/* y[i][rows] = W x[i] + bias for n rows of x; `row` is scratch of w->cols floats. */
void ref_matmul(const k_tensor *w, const k_tensor *bias, float *y, const float *x, int n,
                float *row);

/* Turns one head (head_dim floats) by its position. */
void ref_rope(const k_rope *r, float *head, int pos);

float ref_act(k_act act, float x);
float ref_softcap(float cap, float s); /* cap 0: s */
