/* SPDX-License-Identifier: Apache-2.0 */
/* The reference backend: interprets a plan with scalar arithmetic over weights that are dequantised
 * row by row as they are used, and keeps K and V in f32.  It is the definition that the other
 * backends are compared with, so nothing here is clever.  It borrows the weights from the mapped
 * file.  Thread: engine; it has no helpers.
 *
 * KV cache: [page][layer][K, V][kv head][position in page][head_dim] floats, so that a page is one
 * contiguous piece.
 */
#include <math.h>

#include "engine/base/mem.h"
#include "kernels/backend.h"
#include "kernels/ref/ref_ops.h"

typedef struct {
    k_model base;
    k_plan *plan;
    float *kv;
    size_t page_floats;
    float *x, *h, *q, *k, *v, *att, *u, *tmp; /* [rows_max][...] */
    float *row;                               /* one dequantised row of the widest matrix */
    float *score;                             /* [kv_pages * K_PAGE_TOKENS] */
    float *logits;                            /* [rows_max][vocab] */
    float *router;                            /* [n_experts] */
    float *share;                             /* [rows_max][n_used] weights of the experts */
    int32_t *expert;                          /* [rows_max][n_used] their numbers */
    float *mix;                               /* of one expert: gate, up, down */
} ref_model;

static ref_model *of(k_model *m) {
    return (ref_model *)m;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void ref_close(k_backend *b) {
    xfree(b);
}

static size_t widest_row(const k_plan *p) {
    int64_t widest = p->dim;
    for (int i = 0; i < p->n_ops; i++)
        for (int w = 0; w < 3; w++)
            widest = MAX(widest, p->ops[i].w[w].cols);
    return (size_t)widest;
}

static size_t page_floats(const k_plan *p) {
    return (size_t)p->n_kv_layers * 2 * (size_t)p->n_head_kv * K_PAGE_TOKENS * (size_t)p->head_dim;
}

/* Floats per row of a batch. */
static size_t work_floats(const k_plan *p) {
    size_t kv = (size_t)p->n_head_kv * (size_t)p->head_dim;
    return 3 * (size_t)p->dim + 2 * (size_t)p->q_dim_max + 2 * kv + 2 * (size_t)p->ffn_dim_max +
           (size_t)p->vocab + 2 * (size_t)p->n_used;
}

/* Floats for one expert at a time. */
static size_t mix_floats(const k_plan *p) {
    if (p->n_experts == 0) return 0;
    return 2 * (size_t)p->ffn_dim_max + (size_t)p->dim + (size_t)p->n_experts;
}

static k_memory ref_plan_memory(const k_backend *b, const k_model_options *opt) {
    UNUSED(b);
    size_t tokens = (size_t)opt->kv_pages * K_PAGE_TOKENS;
    return (k_memory){
        .kv_bytes = page_floats(opt->plan) * (size_t)opt->kv_pages * sizeof(float),
        .work_bytes =
            (work_floats(opt->plan) * (size_t)opt->rows_max + widest_row(opt->plan) + tokens +
             mix_floats(opt->plan)) *
            sizeof(float),
    };
}

static float *floats_new(size_t n, int rows) {
    return xcalloc(n * (size_t)rows, sizeof(float));
}

static void ref_model_free(k_model *base) {
    ref_model *m = of(base);
    float *all[] = {m->kv, m->x,   m->h,   m->q,     m->k,      m->v,      m->att,  m->u,
                    m->tmp, m->row, m->score, m->logits, m->router, m->share, m->mix};
    for (size_t i = 0; i < COUNTOF(all); i++)
        xfree(all[i]);
    xfree(m->expert);
    k_plan_free(m->plan);
    xfree(m);
}

static status ref_model_new(k_model **out, k_backend *b, const k_model_options *opt, err *e) {
    UNUSED(e);
    const k_plan *p = opt->plan;
    ref_model *m = xcalloc(1, sizeof *m);
    m->base = (k_model){.backend = b,
                        .memory = ref_plan_memory(b, opt),
                        .borrows_file = true,
                        .vocab = p->vocab,
                        .kv_pages = opt->kv_pages,
                        .rows_max = opt->rows_max};
    m->plan = k_plan_copy(p);
    m->page_floats = page_floats(p);
    size_t kv = (size_t)p->n_head_kv * (size_t)p->head_dim, dim = (size_t)p->dim;
    int n = opt->rows_max;
    m->kv = floats_new(m->page_floats, opt->kv_pages);
    m->x = floats_new(dim, n);
    m->h = floats_new(dim, n);
    m->tmp = floats_new(MAX(dim, (size_t)p->ffn_dim_max), n);
    m->q = floats_new((size_t)p->q_dim_max, n);
    m->att = floats_new((size_t)p->q_dim_max, n);
    m->k = floats_new(kv, n);
    m->v = floats_new(kv, n);
    m->u = floats_new((size_t)p->ffn_dim_max, n);
    m->row = floats_new(widest_row(p), 1);
    m->score = floats_new(K_PAGE_TOKENS, opt->kv_pages);
    m->logits = floats_new((size_t)p->vocab, n);
    if (p->n_experts > 0) {
        m->router = floats_new((size_t)p->n_experts, 1);
        m->share = floats_new((size_t)p->n_used, n);
        m->expert = xcalloc((size_t)p->n_used * (size_t)n, sizeof *m->expert);
        m->mix = floats_new(2 * (size_t)p->ffn_dim_max + (size_t)p->dim, 1);
    }
    *out = &m->base;
    return OK;
}

/* ---- KV -------------------------------------------------------------------------------------- */

/* K (which 0) or V (which 1) of one position and KV head. */
static float *kv_at(const ref_model *m, int page, int layer, int which, int head, int pos) {
    const k_plan *p = m->plan;
    size_t at = ((size_t)layer * 2 + (size_t)which) * (size_t)p->n_head_kv + (size_t)head;
    at = at * K_PAGE_TOKENS + (size_t)(pos % K_PAGE_TOKENS);
    return m->kv + (size_t)page * m->page_floats + at * (size_t)p->head_dim;
}

static void ref_kv_copy_page(k_model *base, int dst, int src) {
    ref_model *m = of(base);
    memmove(m->kv + (size_t)dst * m->page_floats, m->kv + (size_t)src * m->page_floats,
            m->page_floats * sizeof(float));
}

static size_t ref_kv_page_bytes(const k_model *base) {
    return ((const ref_model *)base)->page_floats * sizeof(float);
}

static status ref_kv_read_page(k_model *base, int page, void *host, err *e) {
    UNUSED(e);
    ref_model *m = of(base);
    memcpy(host, m->kv + (size_t)page * m->page_floats, m->page_floats * sizeof(float));
    return OK;
}

static status ref_kv_write_page(k_model *base, int page, const void *host, err *e) {
    UNUSED(e);
    ref_model *m = of(base);
    memcpy(m->kv + (size_t)page * m->page_floats, host, m->page_floats * sizeof(float));
    return OK;
}

/* ---- operations ------------------------------------------------------------------------------ */

static void op_embed(ref_model *m, const k_op *op, const k_batch *b) {
    const k_tensor *w = &op->w[0];
    size_t bytes = k_row_bytes(w->type, w->cols);
    int dim = m->plan->dim;
    for (int i = 0; i < b->n; i++) {
        float *x = m->x + (size_t)i * (size_t)dim;
        k_dequant(w->type, (const char *)w->data + (size_t)b->token[i] * bytes, x, dim);
        for (int j = 0; j < dim; j++)
            x[j] *= op->scale;
    }
}

/* h = norm(x) for every row. */
static void norm_rows(ref_model *m, const k_norm *norm, int n) {
    size_t dim = (size_t)m->plan->dim;
    for (int i = 0; i < n; i++)
        ref_norm(norm, m->h + (size_t)i * dim, m->x + (size_t)i * dim, (int)dim);
}

/* To the cache: K and V of row i and KV head h. */
static void keep(ref_model *m, const k_op *op, const k_batch *b, int i, int h) {
    int pos = b->pos[i], page = b->pages[b->seq[i]][pos / K_PAGE_TOKENS];
    size_t at = (size_t)(i * op->n_head_kv + h) * (size_t)op->head_dim;
    size_t bytes = (size_t)op->head_dim * sizeof(float);
    memcpy(kv_at(m, page, op->kv_layer, 0, h, pos), m->k + at, bytes);
    memcpy(kv_at(m, page, op->kv_layer, 1, h, pos), m->v + at, bytes);
}

static void op_qkv(ref_model *m, const k_op *op, const k_batch *b) {
    int hd = op->head_dim;
    norm_rows(m, &op->norm, b->n);
    ref_matmul(&op->w[0], &op->bias[0], m->q, m->h, b->n, m->row);
    ref_matmul(&op->w[1], &op->bias[1], m->k, m->h, b->n, m->row);
    ref_matmul(&op->w[2], &op->bias[2], m->v, m->h, b->n, m->row);
    for (int i = 0; i < b->n; i++) {
        for (int h = 0; h < op->n_head; h++) {
            float *q = m->q + (size_t)(i * op->n_head + h) * (size_t)hd;
            ref_norm(&op->q_norm, q, q, hd);
            ref_rope(&op->rope, q, b->pos[i]);
        }
        for (int h = 0; h < op->n_head_kv; h++) {
            size_t at = (size_t)(i * op->n_head_kv + h) * (size_t)hd;
            ref_norm(&op->k_norm, m->k + at, m->k + at, hd);
            ref_rope(&op->rope, m->k + at, b->pos[i]);
            keep(m, op, b, i, h);
        }
    }
}

/* Rows [part * rows, (part + 1) * rows) of a tensor that holds several matrices. */
static k_tensor part_of(const k_tensor *t, int part, int64_t rows) {
    k_tensor p = *t;
    size_t bytes = k_row_bytes(t->type, t->cols);
    p.data = (const char *)t->data + (size_t)part * (size_t)rows * bytes;
    p.rows = rows;
    return p;
}

/* y = W x of one matrix of several, one row. */
static void part_product(ref_model *m, const k_tensor *t, int part, int64_t rows, float *y,
                         const float *x) {
    const k_tensor one = part_of(t, part, rows), none = {0};
    ref_matmul(&one, &none, y, x, 1, m->row);
}

static void op_latent(ref_model *m, const k_op *op, const k_batch *b) {
    k_latent w = k_latent_of(op);
    size_t hd = (size_t)op->head_dim, raw_width = (size_t)(w.plain + w.turned);
    norm_rows(m, &op->norm, b->n);
    ref_matmul(&op->w[0], &op->bias[0], m->att, m->h, b->n, m->row); /* att: not yet in use */
    ref_matmul(&op->w[1], &op->bias[1], m->k, m->h, b->n, m->row);
    for (int i = 0; i < b->n; i++) {
        float *k = m->k + (size_t)i * hd;
        ref_norm(&op->k_norm, k, k, w.latent);
        ref_rope(&op->rope, k + w.latent, b->pos[i]);
        memcpy(m->v + (size_t)i * hd, k, hd * sizeof *k);
        keep(m, op, b, i, 0);
        for (int h = 0; h < op->n_head; h++) {
            float *raw = m->att + (size_t)(i * op->n_head + h) * raw_width;
            float *q = m->q + (size_t)(i * op->n_head + h) * hd;
            part_product(m, &op->w[2], h, w.latent, q, raw);
            ref_rope(&op->rope, raw + w.plain, b->pos[i]);
            memcpy(q + w.latent, raw + w.plain, (size_t)w.turned * sizeof *q);
        }
    }
}

static void op_values(ref_model *m, const k_op *op, int n) {
    int64_t width = op->w[0].rows / op->n_head;
    for (int i = 0; i < n * op->n_head; i++)
        part_product(m, &op->w[0], i % op->n_head, width, m->q + (size_t)i * (size_t)width,
                     m->att + (size_t)i * (size_t)op->head_dim);
    memcpy(m->att, m->q, (size_t)n * (size_t)op->w[0].rows * sizeof *m->att);
}

/* One head of one row: out = softmax(scores) V over the positions first..pos. */
static void attend_head(ref_model *m, const k_op *op, const k_batch *b, int i, int h) {
    int hd = op->head_dim, pos = b->pos[i], kv_head = h / (op->n_head / op->n_head_kv);
    const int32_t *pages = b->pages[b->seq[i]];
    const float *q = m->q + (size_t)(i * op->n_head + h) * (size_t)hd;
    float *out = m->att + (size_t)(i * op->n_head + h) * (size_t)hd;
    int first = op->window > 0 && pos - op->window + 1 > 0 ? pos - op->window + 1 : 0;
    float max = -INFINITY;
    for (int t = first; t <= pos; t++) {
        const float *k = kv_at(m, pages[t / K_PAGE_TOKENS], op->kv_layer, 0, kv_head, t);
        double sum = 0;
        for (int j = 0; j < hd; j++)
            sum += (double)q[j] * (double)k[j];
        m->score[t] = ref_softcap(op->softcap, op->scale * (float)sum);
        max = fmaxf(max, m->score[t]);
    }
    double total = 0;
    for (int t = first; t <= pos; t++) {
        m->score[t] = expf(m->score[t] - max);
        total += (double)m->score[t];
    }
    for (int j = 0; j < hd; j++) {
        double sum = 0;
        for (int t = first; t <= pos; t++) {
            const float *v = kv_at(m, pages[t / K_PAGE_TOKENS], op->kv_layer, 1, kv_head, t);
            sum += (double)m->score[t] * (double)v[j];
        }
        out[j] = (float)(sum / total);
    }
}

static void op_attend(ref_model *m, const k_op *op, const k_batch *b) {
    for (int i = 0; i < b->n; i++)
        for (int h = 0; h < op->n_head; h++)
            attend_head(m, op, b, i, h);
}

/* x += scale * post_norm(W in + bias) */
static void op_residual(ref_model *m, const k_op *op, const float *in, int n) {
    int dim = m->plan->dim;
    ref_matmul(&op->w[0], &op->bias[0], m->tmp, in, n, m->row);
    for (int i = 0; i < n; i++) {
        float *y = m->tmp + (size_t)i * (size_t)dim, *x = m->x + (size_t)i * (size_t)dim;
        ref_norm(&op->norm, y, y, dim);
        for (int j = 0; j < dim; j++)
            x[j] += op->scale * y[j];
    }
}

static void op_gate_up(ref_model *m, const k_op *op, int n) {
    norm_rows(m, &op->norm, n);
    size_t count = (size_t)n * (size_t)op->w[1].rows;
    ref_matmul(&op->w[1], &op->bias[1], m->u, m->h, n, m->row);
    if (op->w[0].rows == 0) {
        for (size_t i = 0; i < count; i++)
            m->u[i] = ref_act(op->act, m->u[i]);
        return;
    }
    ref_matmul(&op->w[0], &op->bias[0], m->tmp, m->h, n, m->row);
    for (size_t i = 0; i < count; i++)
        m->u[i] *= ref_act(op->act, m->tmp[i]);
}

static void op_route(ref_model *m, const k_op *op, int n) {
    size_t dim = (size_t)m->plan->dim, used = (size_t)op->n_used;
    norm_rows(m, &op->norm, n);
    for (size_t i = 0; i < (size_t)n; i++) {
        ref_matmul(&op->w[0], &op->bias[0], m->router, m->h + i * dim, 1, m->row);
        k_route(op, m->router, m->expert + i * used, m->share + i * used);
    }
}

static void op_experts(ref_model *m, const k_op *op, int n) {
    size_t dim = (size_t)m->plan->dim;
    int64_t width = op->w[2].cols;
    float *gate = m->mix, *up = gate + width, *down = up + width;
    norm_rows(m, &op->norm, n);
    for (size_t i = 0; i < (size_t)n * (size_t)op->n_used; i++) {
        size_t row = i / (size_t)op->n_used;
        const float *h = m->h + row * dim;
        part_product(m, &op->w[0], m->expert[i], width, gate, h);
        part_product(m, &op->w[1], m->expert[i], width, up, h);
        for (int64_t j = 0; j < width; j++)
            up[j] *= ref_act(op->act, gate[j]);
        part_product(m, &op->w[2], m->expert[i], (int64_t)dim, down, up);
        for (size_t j = 0; j < dim; j++)
            m->x[row * dim + j] += m->share[i] * down[j];
    }
}

static void op_head(ref_model *m, const k_op *op, const k_batch *b) {
    int dim = m->plan->dim, n = 0;
    for (int i = 0; i < b->n; i++)
        if (b->want[i])
            ref_norm(&op->norm, m->h + (size_t)n++ * (size_t)dim, m->x + (size_t)i * (size_t)dim,
                     dim);
    m->base.n_wanted = n;
    if (n == 0) return;
    size_t count = (size_t)n * (size_t)m->plan->vocab;
    ref_matmul(&op->w[0], &op->bias[0], m->logits, m->h, n, m->row);
    for (size_t i = 0; i < count; i++)
        m->logits[i] = ref_softcap(op->softcap, op->scale * m->logits[i]);
}

static status ref_forward(k_model *base, const k_batch *b, err *e) {
    ref_model *m = of(base);
    base->n_wanted = 0;
    for (int i = 0; i < m->plan->n_ops; i++) {
        if (b->cancel && atomic_load_explicit(b->cancel, memory_order_relaxed))
            return err_set(e, ERR_CANCELLED, "the step was cancelled");
        const k_op *op = &m->plan->ops[i];
        switch (op->kind) {
        case OP_EMBED: op_embed(m, op, b); break;
        case OP_QKV: op_qkv(m, op, b); break;
        case OP_ATTEND: op_attend(m, op, b); break;
        case OP_ATTN_OUT: op_residual(m, op, m->att, b->n); break;
        case OP_GATE_UP: op_gate_up(m, op, b->n); break;
        case OP_FFN_DOWN: op_residual(m, op, m->u, b->n); break;
        case OP_HEAD: op_head(m, op, b); break;
        case OP_LATENT: op_latent(m, op, b); break;
        case OP_VALUES: op_values(m, op, b->n); break;
        case OP_ROUTE: op_route(m, op, b->n); break;
        case OP_EXPERTS: op_experts(m, op, b->n); break;
        }
    }
    return OK;
}

static const float *ref_logits(k_model *m, int i) {
    return of(m)->logits + (size_t)i * (size_t)m->vocab;
}

static void ref_top(k_model *m, int i, int count, int32_t *ids, float *logprobs) {
    k_top_of_row(ref_logits(m, i), m->vocab, count, ids, logprobs);
}

static const k_backend_table table = {
    .close = ref_close,
    .plan_memory = ref_plan_memory,
    .model_new = ref_model_new,
    .model_free = ref_model_free,
    .forward = ref_forward,
    .logits = ref_logits,
    .top = ref_top,
    .kv_copy_page = ref_kv_copy_page,
    .kv_page_bytes = ref_kv_page_bytes,
    .kv_read_page = ref_kv_read_page,
    .kv_write_page = ref_kv_write_page,
};

status ref_open(k_backend **out, const k_options *opt, err *e) {
    UNUSED(opt);
    UNUSED(e);
    k_backend *b = xcalloc(1, sizeof *b);
    b->table = &table;
    snprintf(b->name, sizeof b->name, "ref (scalar f32)");
    snprintf(b->why, sizeof b->why, "the reference was asked for");
    *out = b;
    return OK;
}
