/* SPDX-License-Identifier: Apache-2.0 */
/* Mixtures of experts on the CPU: the rows that go to one expert are gathered and take the same way
 * as any matrix; experts come in ascending order, so a row's sum does not depend on its batch.
 */
#include "kernels/cpu/step.h"

static void router_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const step *s = arg;
    UNUSED(worker);
    step_multiply(s, 0, from, to, s->m->route, s->m->ld_route);
}

void experts_route(step *s) {
    cpu_model *m = s->m;
    size_t used = (size_t)s->op->op.n_used;
    step_prepare(s, m->x, m->ld_x, &s->op->op.norm, 2);
    pool_run(m->pool, router_stretch, s, s->op->w[0]->panels, 1);
    for (size_t t = 0; t < (size_t)s->n; t++)
        k_route(&s->op->op, m->route + t * m->ld_route, m->expert + t * used, m->share + t * used);
}

/* One expert's part of the step. */
typedef struct {
    step s;         /* its rows: s.n of them, gathered */
    int64_t expert; /* number */
} part;

/* Units: panels of one expert.  Writes from the beginning of each row. */
static void product(const part *p, int slot, int64_t from, int64_t to, float *y, size_t ld) {
    const cpu_matrix *w = p->s.op->w[slot];
    int64_t first = p->expert * (w->panels / p->s.op->op.n_experts);
    p->s.m->isa->matmul(w, first + from, first + to, &p->s.act, y + from * w->panel_rows, ld);
}

static void gate_up_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const part *p = arg;
    const cpu_model *m = p->s.m;
    int rows = p->s.op->w[1]->panel_rows, count = (int)(to - from) * rows;
    UNUSED(worker);
    product(p, 0, from, to, m->gate, m->ld_u);
    product(p, 1, from, to, m->mix_u, m->ld_u);
    for (size_t t = 0; t < (size_t)p->s.n; t++) {
        size_t at = t * m->ld_u + (size_t)(from * rows);
        m->isa->activate(p->s.op->op.act, m->mix_u + at, m->gate + at, count);
    }
}

static void down_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const part *p = arg;
    UNUSED(worker);
    product(p, 2, from, to, p->s.m->y, p->s.m->ld_x);
}

/* Adds one expert's share to the `n` rows of x that are listed. */
static void run_expert(const step *s, int64_t expert, const int32_t *rows, const float *shares,
                       int n) {
    cpu_model *m = s->m;
    int experts = s->op->op.n_experts, planes = s->op->op.fine ? 2 : 1;
    part p = {.s = *s, .expert = expert};
    p.s.n = n;
    p.s.slot = 0;
    p.s.slots = 2;
    for (int i = 0; i < n; i++)
        memcpy(m->mix_in + (size_t)i * m->ld_x, m->h + (size_t)rows[i] * m->ld_x,
               (size_t)m->plan.dim * sizeof *m->h);
    step_prepare(&p.s, m->mix_in, m->ld_x, NULL, planes);
    pool_run(m->pool, gate_up_stretch, &p, s->op->w[0]->panels / experts, 1);
    p.s.slot = 2;
    p.s.slots = 3;
    step_prepare(&p.s, m->mix_u, m->ld_u, NULL, planes);
    pool_run(m->pool, down_stretch, &p, s->op->w[2]->panels / experts, 1);
    for (int i = 0; i < n; i++)
        m->isa->add_scaled(m->x + (size_t)rows[i] * m->ld_x, m->y + (size_t)i * m->ld_x, shares[i],
                           m->plan.dim);
}

void experts_run(step *s) {
    cpu_model *m = s->m;
    const k_op *op = &s->op->op;
    int32_t rows[K_ROWS_MAX];
    float shares[K_ROWS_MAX];
    for (int t = 0; t < s->n; t++)
        m->isa->norm(&op->norm, m->h + (size_t)t * m->ld_x, m->x + (size_t)t * m->ld_x,
                     m->plan.dim);
    for (int32_t e = 0; e < op->n_experts; e++) {
        int n = 0;
        for (int i = 0; i < s->n * op->n_used; i++) {
            if (m->expert[i] != e) continue;
            rows[n] = i / op->n_used;
            shares[n++] = m->share[i];
        }
        if (n > 0) run_expert(s, e, rows, shares, n);
    }
}
