/* SPDX-License-Identifier: Apache-2.0 */
/* One step of the CPU backend: each operation of the plan as one to three loops over the pool.
 *
 *     prepare     norm and quantise the rows that enter a matrix     by tiles of tokens
 *     matrix      panels of rows against all tokens, with what       by panels
 *                 follows element-wise (bias, activation, residual)
 *     attention   few rows: row x head x span of positions, merged   by those
 *                 by the leader; many rows: KV head x block of rows
 *
 * Activations are int8 per 32 columns.  The inputs of q, k, v and of the head are coded twice, the
 * second time what the first left over: against the f32 reference, |delta log p| of the default
 * model falls from 0.095 to 0.069 in the mean and from 0.86 to 0.51 at most, for a seventh more
 * multiplications in prefill and none that count in decoding, which waits for memory.  The plan
 * asks for the same in other places of some models (k_op.fine).
 *
 * With few rows the leader prepares alone: the work is smaller than a hand-over.  No result depends
 * on how a loop is cut, so the number of threads changes no bit.  Allocates nothing.
 * Thread: engine, with the pool's workers.
 */
#include <math.h>

#include "kernels/cpu/attend.h"
#include "kernels/cpu/pack.h"
#include "kernels/cpu/step.h"

static bool is_float(k_type t) {
    return t == K_F32 || t == K_F16 || t == K_BF16;
}

/* ---- prepare --------------------------------------------------------------------------------- */

/* Where place `at` of all places stands: the byte where its tile begins, the tile's width, and the
 * place within it. */
static uint8_t *tile_of(const step *s, int at, int *width, int *within) {
    int wide = s->m->isa->tile, places = s->n * s->act.planes, first = at / wide * wide;
    *width = cpu_tile_width(wide, places - first);
    while (at >= first + *width) { /* behind the last full tile come narrower ones */
        first += *width;
        *width = cpu_tile_width(wide, places - first);
    }
    *within = at - first;
    return s->m->tiles + (size_t)first * (size_t)(s->cols / CPU_BLOCK) * CPU_ACT_BLOCK_BYTES;
}

/* Places of the last tile that no token takes are multiplied all the same: as zeros. */
static void clear_last_tile(const step *s) {
    int places = s->n * s->act.planes, width, within;
    uint8_t *tile = tile_of(s, places - 1, &width, &within);
    if (within + 1 < width)
        memset(tile, 0, (size_t)width * (size_t)(s->cols / CPU_BLOCK) * CPU_ACT_BLOCK_BYTES);
}

static void prepare_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const step *s = arg;
    const cpu_model *m = s->m;
    float *rest = m->scratch[worker].residual;
    for (int t = (int)from; t < (int)to; t++) {
        const float *row = s->in + (size_t)t * s->ld_in;
        if (s->norm) {
            float *h = m->h + (size_t)t * m->ld_x;
            m->isa->norm(s->norm, h, row, s->cols);
            row = h;
        }
        for (int p = 0; s->codes && p < s->act.planes; p++) {
            int width, within;
            uint8_t *tile = tile_of(s, t * s->act.planes + p, &width, &within);
            bool more = p + 1 < s->act.planes;
            m->isa->quantise(row, s->cols, tile, width, within, more ? rest : NULL);
            row = rest;
        }
    }
}

void step_prepare(step *s, const float *in, size_t ld, const k_norm *norm, int planes) {
    cpu_model *m = s->m;
    s->in = in;
    s->ld_in = ld;
    s->norm = norm && norm->weight.rows ? norm : NULL;
    s->codes = false;
    for (int i = s->slot; i < s->slots; i++) {
        if (!s->op->w[i]) continue;
        s->cols = (int)s->op->w[i]->cols;
        s->codes |= !is_float(s->op->w[i]->type);
    }
    s->act = (cpu_act){.tiles = m->tiles,
                       .rows = s->norm ? m->h : in,
                       .ld = s->norm ? m->ld_x : ld,
                       .n = s->n,
                       .planes = planes,
                       .cols = s->cols};
    if (s->codes) clear_last_tile(s);
    if (s->norm || s->codes) step_rows(m, prepare_stretch, s, s->n, s->n);
}

/* ---- matrices -------------------------------------------------------------------------------- */

void step_multiply(const step *s, int slot, int64_t p0, int64_t p1, float *y, size_t ld) {
    const cpu_matrix *w = s->op->w[slot];
    size_t first = (size_t)p0 * (size_t)w->panel_rows,
           count = (size_t)(p1 - p0) * (size_t)w->panel_rows;
    s->m->isa->matmul(w, p0, p1, &s->act, y + first, ld);
    const float *bias = s->op->bias[slot];
    for (int t = 0; bias && t < s->n; t++)
        for (size_t i = first; i < first + count; i++)
            y[(size_t)t * ld + i] += bias[i];
}

/* Units: the panels of q, then of k, then of v. */
static void qkv_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const step *s = arg;
    cpu_model *m = s->m;
    UNUSED(worker);
    float *out[3] = {m->q, m->k, m->v};
    for (int i = 0; i < 3; i++) {
        int64_t panels = s->op->w[i]->panels, last = MIN(to, panels);
        if (from < last) step_multiply(s, i, from, last, out[i], i == 0 ? m->ld_q : m->ld_kv);
        from = MAX(from - panels, 0);
        to = to - panels;
    }
}

static void rope_head(const k_rope *r, const float *cos_sin, float *head) {
    int half = r->n_rot / 2;
    for (int i = 0; i < half; i++) {
        float c = cos_sin[2 * i], s = cos_sin[2 * i + 1];
        int at = r->kind == ROPE_NORM ? 2 * i : i,
            beside = r->kind == ROPE_NORM ? at + 1 : i + half;
        float a = head[at], b = head[beside];
        head[at] = a * c - b * s;
        head[beside] = a * s + b * c;
    }
}

void step_rope(const step *s, int t, float *head) {
    const cpu_rope *r = s->op->rope;
    if (r) rope_head(&r->rope, r->cos_sin + (size_t)t * (size_t)(r->rope.n_rot / 2) * 2, head);
}

static void turn_head(const step *s, const k_norm *norm, int t, float *head) {
    if (norm->weight.rows) s->m->isa->norm(norm, head, head, s->op->op.head_dim);
    step_rope(s, t, head);
}

/* Units are rows: per-head norms and rope, then K and V go to the cache. */
static void turn_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const step *s = arg;
    const cpu_model *m = s->m;
    const k_op *op = &s->op->op;
    size_t hd = (size_t)op->head_dim;
    UNUSED(worker);
    for (int t = (int)from; t < (int)to; t++) {
        int pos = s->batch->pos[t], place = pos % K_PAGE_TOKENS;
        int page = s->batch->pages[s->batch->seq[t]][pos / K_PAGE_TOKENS];
        for (int h = 0; h < op->n_head; h++)
            turn_head(s, &op->q_norm, t, m->q + (size_t)t * m->ld_q + (size_t)h * hd);
        for (int h = 0; h < op->n_head_kv; h++) {
            float *k = m->k + (size_t)t * m->ld_kv + (size_t)h * hd;
            const float *v = m->v + (size_t)t * m->ld_kv + (size_t)h * hd;
            turn_head(s, &op->k_norm, t, k);
            attend_keep(m, op, page, place, h, k, v);
        }
    }
}

static void run_qkv(step *s) {
    cpu_model *m = s->m;
    step_prepare(s, m->x, m->ld_x, &s->op->op.norm, 2);
    int64_t panels = 0;
    for (int i = 0; i < 3; i++)
        panels += s->op->w[i]->panels;
    pool_run(m->pool, qkv_stretch, s, panels, 1);
    step_rows(m, turn_stretch, s, s->n, s->n);
}

/* Units are panels: y = W act + bias, and without a norm in between the sum goes to x at once. */
static void residual_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const step *s = arg;
    cpu_model *m = s->m;
    UNUSED(worker);
    step_multiply(s, 0, from, to, m->y, m->ld_x);
    if (s->op->op.norm.weight.rows) return;
    size_t first = (size_t)(from * m->isa->panel_rows);
    int count = (int)(to - from) * m->isa->panel_rows;
    for (size_t t = 0; t < (size_t)s->n; t++)
        m->isa->add_scaled(m->x + t * m->ld_x + first, m->y + t * m->ld_x + first, s->op->op.scale,
                           count);
}

static void post_norm_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const step *s = arg;
    cpu_model *m = s->m;
    UNUSED(worker);
    for (size_t t = (size_t)from; t < (size_t)to; t++) {
        float *y = m->y + t * m->ld_x;
        m->isa->norm(&s->op->op.norm, y, y, m->plan.dim);
        m->isa->add_scaled(m->x + t * m->ld_x, y, s->op->op.scale, (int)m->ld_x);
    }
}

static void run_residual(step *s, const float *in, size_t ld) {
    step_prepare(s, in, ld, NULL, s->op->op.fine ? 2 : 1);
    pool_run(s->m->pool, residual_stretch, s, s->op->w[0]->panels, 1);
    if (s->op->op.norm.weight.rows) step_rows(s->m, post_norm_stretch, s, s->n, s->n);
}

static void gate_up_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const step *s = arg;
    cpu_model *m = s->m;
    UNUSED(worker);
    bool gated = s->op->w[0] != NULL;
    step_multiply(s, 1, from, to, m->u, m->ld_u);
    if (gated) step_multiply(s, 0, from, to, m->gate, m->ld_u);
    size_t first = (size_t)(from * m->isa->panel_rows);
    int count = (int)(to - from) * m->isa->panel_rows;
    for (size_t t = 0; t < (size_t)s->n; t++) {
        const float *gate = gated ? m->gate + t * m->ld_u + first : NULL;
        m->isa->activate(s->op->op.act, m->u + t * m->ld_u + first, gate, count);
    }
}

static void run_gate_up(step *s) {
    step_prepare(s, s->m->x, s->m->ld_x, &s->op->op.norm, s->op->op.fine ? 2 : 1);
    pool_run(s->m->pool, gate_up_stretch, s, s->op->w[1]->panels, 1);
}

/* ---- embedding and head ---------------------------------------------------------------------- */

static void embed_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const step *s = arg;
    const cpu_model *m = s->m;
    UNUSED(worker);
    for (size_t t = (size_t)from; t < (size_t)to; t++) {
        float *x = m->x + t * m->ld_x;
        pack_row(s->op->w[0], m->isa->signed8, s->batch->token[t], x);
        for (int i = 0; i < m->plan.dim; i++)
            x[i] *= s->op->op.scale;
    }
}

/* Units are panels of the head; s->n counts the wanted rows. */
static void head_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const step *s = arg;
    cpu_model *m = s->m;
    UNUSED(worker);
    step_multiply(s, 0, from, to, m->logits, m->ld_logits);
    size_t first = (size_t)(from * m->isa->panel_rows);
    int count = (int)(to - from) * m->isa->panel_rows;
    for (size_t i = 0; i < (size_t)s->n; i++)
        m->isa->finish_logits(m->logits + i * m->ld_logits + first, s->op->op.scale,
                              s->op->op.softcap, count);
}

static void run_head(step *s) {
    cpu_model *m = s->m;
    int n = 0;
    for (int t = 0; t < s->batch->n; t++)
        if (s->batch->want[t])
            memcpy(m->y + (size_t)n++ * m->ld_x, m->x + (size_t)t * m->ld_x,
                   (size_t)m->plan.dim * sizeof *m->x);
    m->base.n_wanted = s->n = n;
    if (n == 0) return;
    step_prepare(s, m->y, m->ld_x, &s->op->op.norm, 2);
    pool_run(m->pool, head_stretch, s, s->op->w[0]->panels, 4);
}

/* ---- step ------------------------------------------------------------------------------------ */

static void turn_tables(cpu_model *m, const k_batch *b) {
    for (int i = 0; i < m->n_ropes; i++) {
        const k_rope *r = &m->ropes[i].rope;
        float *to = m->ropes[i].cos_sin;
        for (int t = 0; t < b->n; t++)
            for (int j = 0; j < r->n_rot / 2; j++) {
                float angle = (float)b->pos[t] * r->inv_freq[j];
                *to++ = cosf(angle) * r->mscale;
                *to++ = sinf(angle) * r->mscale;
            }
    }
}

static void run_op(step *s) {
    cpu_model *m = s->m;
    switch (s->op->op.kind) {
    case OP_EMBED: step_rows(m, embed_stretch, s, s->n, s->n); break;
    case OP_QKV: run_qkv(s); break;
    case OP_ATTEND: attend_run(m, &s->op->op, s->batch); break;
    case OP_ATTN_OUT: run_residual(s, m->att, m->ld_q); break;
    case OP_GATE_UP: run_gate_up(s); break;
    case OP_FFN_DOWN: run_residual(s, m->u, m->ld_u); break;
    case OP_HEAD: run_head(s); break;
    case OP_LATENT: latent_run(s); break;
    case OP_VALUES: latent_values(s); break;
    case OP_ROUTE: experts_route(s); break;
    case OP_EXPERTS: experts_run(s); break;
    }
}

status cpu_forward(k_model *base, const k_batch *batch, err *e) {
    cpu_model *m = (cpu_model *)base;
    base->n_wanted = 0;
    turn_tables(m, batch);
    for (int i = 0; i < m->plan.n_ops; i++) {
        if (batch->cancel && atomic_load_explicit(batch->cancel, memory_order_relaxed))
            return err_set(e, ERR_CANCELLED, "the step was cancelled");
        step s = {.m = m, .op = &m->ops[i], .batch = batch, .slots = 3, .n = batch->n};
        run_op(&s);
    }
    return OK;
}
