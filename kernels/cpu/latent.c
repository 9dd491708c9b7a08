/* SPDX-License-Identifier: Apache-2.0 */
/* Latent attention on the CPU: what stands before and behind the usual attention.  Its small
 * matrices per head are floats (k_plan_check), so their inputs need no codes.
 */
#include "kernels/cpu/attend.h"
#include "kernels/cpu/step.h"

/* Units: the panels of q, then of kv.  The raw queries go where attention's result comes later. */
static void project_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const step *s = arg;
    const cpu_model *m = s->m;
    int64_t panels = s->op->w[0]->panels;
    UNUSED(worker);
    if (from < panels) step_multiply(s, 0, from, MIN(to, panels), m->att, m->ld_q);
    if (to > panels)
        step_multiply(s, 1, MAX(from - panels, 0), to - panels, m->k, m->ld_kv);
}

/* Units are rows: norm and rope, then the vector goes to the cache as key and as value. */
static void keep_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const step *s = arg;
    const cpu_model *m = s->m;
    const k_op *op = &s->op->op;
    k_latent w = k_latent_of(op);
    UNUSED(worker);
    for (int t = (int)from; t < (int)to; t++) {
        int pos = s->batch->pos[t], place = pos % K_PAGE_TOKENS;
        int page = s->batch->pages[s->batch->seq[t]][pos / K_PAGE_TOKENS];
        float *k = m->k + (size_t)t * m->ld_kv;
        m->isa->norm(&op->k_norm, k, k, w.latent);
        step_rope(s, t, k + w.latent);
        attend_keep(m, op, page, place, 0, k, k);
    }
}

/* out[t][0 .. rows of a head) = W of head h times in[t], for all rows of the batch. */
static void head_product(const step *s, const cpu_matrix *w, int h, const float *in, float *out) {
    const cpu_model *m = s->m;
    int64_t panels = w->panels / s->op->op.n_head;
    cpu_act act = {.rows = in, .ld = m->ld_q, .n = s->n, .planes = 1, .cols = (int)w->cols};
    m->isa->matmul(w, h * panels, (h + 1) * panels, &act, out, m->ld_q);
}

/* Units are heads: the query against the cached vectors. */
static void query_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const step *s = arg;
    const cpu_model *m = s->m;
    const k_op *op = &s->op->op;
    k_latent w = k_latent_of(op);
    UNUSED(worker);
    for (int h = (int)from; h < (int)to; h++) {
        float *raw = m->att + h * (w.plain + w.turned), *q = m->q + h * op->head_dim;
        head_product(s, s->op->w[2], h, raw, q);
        for (size_t t = 0; t < (size_t)s->n; t++) {
            float *turned = raw + t * m->ld_q + w.plain;
            step_rope(s, (int)t, turned);
            memcpy(q + t * m->ld_q + w.latent, turned, (size_t)w.turned * sizeof *q);
        }
    }
}

void latent_run(step *s) {
    cpu_model *m = s->m;
    s->slots = 2;
    step_prepare(s, m->x, m->ld_x, &s->op->op.norm, 2);
    pool_run(m->pool, project_stretch, s, s->op->w[0]->panels + s->op->w[1]->panels, 1);
    step_rows(m, keep_stretch, s, s->n, s->n);
    pool_run(m->pool, query_stretch, s, s->op->op.n_head, 1);
}

static void value_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const step *s = arg;
    const cpu_model *m = s->m;
    int width = (int)s->op->w[0]->rows / s->op->op.n_head;
    UNUSED(worker);
    for (int h = (int)from; h < (int)to; h++)
        head_product(s, s->op->w[0], h, m->att + h * s->op->op.head_dim, m->q + h * width);
}

void latent_values(step *s) {
    cpu_model *m = s->m;
    pool_run(m->pool, value_stretch, s, s->op->op.n_head, 1);
    float *values = m->q; /* the queries are used up */
    m->q = m->att;
    m->att = values;
}
