/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One operation of a step, while it runs: what its loops share.  forward.c has the plain
 * transformer, latent.c and experts.c what only some models have.  Thread: engine, with the pool's
 * workers. */
#include "kernels/cpu/model.h"

typedef struct {
    cpu_model *m;
    const cpu_op *op;
    const k_batch *batch;
    int slot, slots; /* the matrices that read the prepared input: w[slot .. slots) */
    const float *in; /* rows that enter, before the norm */
    size_t ld_in;
    int cols, n;
    const k_norm *norm; /* NULL: none */
    bool codes;         /* some matrix wants quantised rows */
    cpu_act act;        /* what step_prepare makes */
} step;

/* A loop that is worth sharing only when there are more than a few rows. */
static inline void step_rows(cpu_model *m, pool_fn fn, void *arg, int64_t units, int rows) {
    if (rows <= CPU_FEW_ROWS)
        fn(arg, 0, units, 0);
    else
        pool_run(m->pool, fn, arg, units, 1);
}

/* The input of the matrices, as f32 rows and, where needed, as tiles. */
void step_prepare(step *s, const float *in, size_t ld, const k_norm *norm, int planes);
/* y[t][rows of p0..p1-1] = W act + bias for all tokens. */
void step_multiply(const step *s, int slot, int64_t p0, int64_t p1, float *y, size_t ld);
/* Rotates row t's head. */
void step_rope(const step *s, int t, float *head);

void latent_run(step *s);
void latent_values(step *s);
void experts_route(step *s);
void experts_run(step *s);
