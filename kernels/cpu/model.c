/* SPDX-License-Identifier: Apache-2.0 */
/* A model of the CPU backend in memory: three mappings (weights, KV, work), each carved by a
 * function that runs twice, first to measure and then to place.  Mappings are zero and cost nothing
 * until they are touched; the kernel is asked for huge pages, because a step reads all weights
 * once. A tensor that several operations use (tied embeddings) is packed once.  Thread: engine;
 * packing is spread over the pool.
 */
#define _GNU_SOURCE /* MADV_HUGEPAGE */
#include "kernels/cpu/model.h"

#include <errno.h>
#include <sys/mman.h>

#include "engine/base/mem.h"
#include "kernels/cpu/coded.h"
#include "kernels/cpu/pack.h"

/* ---- carving --------------------------------------------------------------------------------- */

typedef struct {
    uint8_t *base; /* NULL: only measure */
    size_t used;
} carver;

static void *carve(carver *c, size_t bytes) {
    void *p = c->base ? c->base + c->used : NULL;
    c->used += (bytes + 63) / 64 * 64;
    return p;
}

static float *carve_floats(carver *c, size_t n) {
    return carve(c, n * sizeof(float));
}

static size_t row_pad(int64_t n) {
    return (size_t)(n + CPU_ROW_ALIGN - 1) / CPU_ROW_ALIGN * CPU_ROW_ALIGN;
}

static status map_memory(void **out, size_t bytes, const char *what, err *e) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return err_set(e, ERR_LIMIT,
                       "cannot have %zu MB of memory for %s: %s; use a smaller model "
                       "or a shorter context",
                       bytes >> 20, what, strerror(errno));
#ifdef MADV_HUGEPAGE
    madvise(p, bytes, MADV_HUGEPAGE); /* advice: no harm when refused */
#endif
    *out = p;
    return OK;
}

/* ---- weights --------------------------------------------------------------------------------- */

static bool same_tensor(const k_tensor *a, const k_tensor *b) {
    return a->data == b->data && a->type == b->type && a->rows == b->rows && a->cols == b->cols;
}

/* The place (op * 3 + slot) of the first operation that uses this tensor. */
static int first_use(const k_plan *p, int op, int slot) {
    const k_tensor *t = &p->ops[op].w[slot];
    for (int i = 0; i < op * 3 + slot; i++)
        if (same_tensor(&p->ops[i / 3].w[i % 3], t)) return i;
    return op * 3 + slot;
}

static const float *carve_vector(carver *c, const k_tensor *t) {
    if (t->rows == 0) return NULL;
    float *v = carve_floats(c, row_pad(t->cols));
    if (v) memcpy(v, t->data, (size_t)t->cols * sizeof *v);
    return v;
}

static void carve_norm(carver *c, k_norm *n) {
    n->weight.data = carve_vector(c, &n->weight);
    n->bias.data = carve_vector(c, &n->bias);
}

/* The weights of a plan; with a model, its ops and matrices are filled in (not yet packed). */
static size_t carve_weights(const cpu_isa *isa, const k_plan *p, cpu_model *m, uint8_t *base) {
    carver c = {.base = base};
    for (int i = 0; i < p->n_ops; i++) {
        k_op op = p->ops[i];
        cpu_op *to = m ? &m->ops[i] : NULL;
        for (int j = 0; j < 3; j++) {
            const float *bias = carve_vector(&c, &op.bias[j]);
            if (to) to->bias[j] = bias;
            if (op.w[j].rows == 0) continue;
            int use = first_use(p, i, j);
            if (to) to->w[j] = m->ops[use / 3].w[use % 3];
            if (use != i * 3 + j) continue;
            cpu_matrix matrix;
            pack_layout(&matrix, &op.w[j], isa->panel_rows);
            matrix.data = carve(&c, pack_bytes(&matrix));
            if (!to) continue;
            m->matrices[m->n_matrices] = matrix;
            to->w[j] = &m->matrices[m->n_matrices++];
        }
        carve_norm(&c, &op.norm);
        carve_norm(&c, &op.q_norm);
        carve_norm(&c, &op.k_norm);
        if (to) to->op = op;
    }
    return c.used;
}

typedef struct {
    const cpu_matrix *matrix;
    const k_tensor *tensor;
    bool signed8;
} pack_job;

static void pack_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const pack_job *j = arg;
    UNUSED(worker);
    pack_panels(j->matrix, j->tensor, j->signed8, from, to);
}

static status pack_all(cpu_model *m, const k_model_options *opt, err *e) {
    const int64_t stretch_bytes = 4 << 20; /* packed between looks at the progress function */
    uint64_t done = 0;
    for (int i = 0; i < m->plan.n_ops * 3; i++) {
        const cpu_op *op = &m->ops[i / 3];
        if (!op->w[i % 3] || first_use(opt->plan, i / 3, i % 3) != i) continue;
        pack_job j = {op->w[i % 3], &opt->plan->ops[i / 3].w[i % 3], m->isa->signed8};
        int64_t step = MAX(1, stretch_bytes / (int64_t)MAX(j.matrix->panel_bytes, 1));
        for (int64_t p = 0; p < j.matrix->panels; p += step) {
            cpu_matrix part = *j.matrix;
            k_tensor rows = *j.tensor;
            int64_t first = p * part.panel_rows;
            part.panels = MIN(step, part.panels - p);
            part.rows = MIN(part.panels * part.panel_rows, part.rows - first);
            part.data += (size_t)p * part.panel_bytes;
            rows.data = (const char *)rows.data + (size_t)first * k_row_bytes(rows.type, rows.cols);
            pack_job stretch = {&part, &rows, j.signed8};
            pool_run(m->pool, pack_stretch, &stretch, part.panels, 1);
            done += pack_bytes(&part);
            if (opt->progress &&
                !opt->progress(opt->progress_ud, done, m->base.memory.weight_bytes))
                return err_set(e, ERR_CANCELLED, "loading was cancelled");
        }
    }
    return OK;
}

/* ---- KV and work ----------------------------------------------------------------------------- */

static void layout_kv(cpu_model *m, const k_plan *p, k_kv_type type) {
    m->value_dim = (p->head_dim + 31) / 32 * 32;
    m->coded = type == KV_Q8;
    m->head_halves = m->coded ? coded_page_halves(p->head_dim, m->value_dim)
                              : plain_page_halves(p->head_dim, m->value_dim);
    m->page_halves = m->head_halves * (size_t)p->n_head_kv * (size_t)p->n_kv_layers;
}

static size_t kv_bytes(const cpu_model *m, int pages) {
    return m->page_halves * sizeof(k_half) * (size_t)pages;
}

static size_t widest_input(const k_plan *p) {
    return MAX(row_pad(p->dim), MAX(row_pad(p->q_dim_max), row_pad(p->ffn_dim_max)));
}

/* Tiles of the widest input in two planes, with the last tile's padding. */
static size_t tile_bytes(const k_plan *p, int rows, int tile) {
    size_t blocks = widest_input(p) / CPU_BLOCK + 1;
    return blocks * CPU_ACT_BLOCK_BYTES * (size_t)(2 * rows + tile);
}

static void carve_scratch(cpu_model *m, carver *c, int threads) {
    size_t queries = (size_t)CPU_QUERIES_MAX * (size_t)m->value_dim;
    m->scratch = carve(c, (size_t)threads * sizeof *m->scratch);
    for (int i = 0; i < threads; i++) {
        cpu_scratch s = {.acc = carve_floats(c, queries),
                         .total = carve_floats(c, queries),
                         .residual = carve_floats(c, widest_input(&m->plan))};
        if (m->coded)
            s.span = carve(c, CPU_SPAN_PAGES * sizeof *s.span *
                                  plain_page_halves(m->plan.head_dim, m->value_dim));
        if (c->base) m->scratch[i] = s;
    }
}

static void carve_mixture(cpu_model *m, carver *c, const k_plan *p, size_t n) {
    if (p->n_experts == 0) return;
    m->ld_route = row_pad(p->n_experts);
    m->route = carve_floats(c, n * m->ld_route);
    m->share = carve_floats(c, n * (size_t)p->n_used);
    m->expert = carve(c, n * (size_t)p->n_used * sizeof *m->expert);
    m->mix_in = carve_floats(c, n * m->ld_x);
    m->mix_u = carve_floats(c, n * m->ld_u);
}

/* The workspace of m; m->plan and the layout of KV are set. */
static size_t carve_work(cpu_model *m, const cpu_isa *isa, int threads, const k_model_options *opt,
                         uint8_t *base) {
    carver c = {.base = base};
    const k_plan *p = opt->plan;
    size_t n = (size_t)opt->rows_max;
    m->ld_x = row_pad(p->dim);
    m->ld_q = row_pad(p->q_dim_max);
    m->ld_kv = row_pad((int64_t)p->n_head_kv * p->head_dim);
    m->ld_u = row_pad(p->ffn_dim_max);
    m->ld_logits = row_pad(p->vocab);
    m->spans_max = opt->kv_pages / CPU_SPAN_PAGES + 1;
    m->heads_max = p->q_dim_max / MAX(p->head_dim, 1);
    m->partial_ld = (size_t)m->value_dim + CPU_ROW_ALIGN;
    m->x = carve_floats(&c, n * m->ld_x);
    m->h = carve_floats(&c, n * m->ld_x);
    m->y = carve_floats(&c, n * m->ld_x);
    m->q = carve_floats(&c, n * m->ld_q);
    m->att = carve_floats(&c, n * m->ld_q);
    m->k = carve_floats(&c, n * m->ld_kv);
    m->v = carve_floats(&c, n * m->ld_kv);
    m->u = carve_floats(&c, n * m->ld_u);
    m->gate = carve_floats(&c, n * m->ld_u);
    m->logits = carve_floats(&c, n * m->ld_logits);
    m->partial = carve_floats(&c, CPU_FEW_ROWS * (size_t)m->heads_max * (size_t)m->spans_max *
                                      m->partial_ld);
    carve_mixture(m, &c, p, n);
    m->tiles = carve(&c, tile_bytes(p, opt->rows_max, isa->tile));
    carve_scratch(m, &c, threads);
    for (int i = 0; i < m->n_ropes; i++) {
        size_t half = (size_t)(m->ropes[i].rope.n_rot / 2);
        float *freq = carve_floats(&c, half);
        m->ropes[i].cos_sin = carve_floats(&c, n * half * 2);
        if (!base) continue;
        memcpy(freq, m->ropes[i].rope.inv_freq, half * sizeof *freq);
        m->ropes[i].rope.inv_freq = freq;
    }
    return c.used;
}

k_memory cpu_model_plan(const cpu_isa *isa, int threads, const k_model_options *opt) {
    cpu_model m = {.plan = *opt->plan};
    layout_kv(&m, opt->plan, opt->kv_type);
    return (k_memory){.weight_bytes = carve_weights(isa, opt->plan, NULL, NULL),
                      .kv_bytes = kv_bytes(&m, opt->kv_pages),
                      .work_bytes = carve_work(&m, isa, threads, opt, NULL)};
}

/* ---- ropes ----------------------------------------------------------------------------------- */

static bool same_rope(const k_rope *a, const k_rope *b) {
    return a->kind == b->kind && a->n_rot == b->n_rot && a->mscale == b->mscale &&
           memcmp(a->inv_freq, b->inv_freq, (size_t)(a->n_rot / 2) * sizeof(float)) == 0;
}

/* Most plans have one rope table, some two: layers share them. Before carve_work. */
static void find_ropes(cpu_model *m, const k_plan *p) {
    m->ropes = xcalloc((size_t)p->n_ops, sizeof *m->ropes);
    for (int i = 0; i < p->n_ops; i++) {
        const k_rope *r = &p->ops[i].rope;
        bool turns = p->ops[i].kind == OP_QKV || p->ops[i].kind == OP_LATENT;
        if (!turns || r->kind == ROPE_NONE) continue;
        int at = 0;
        while (at < m->n_ropes && !same_rope(&m->ropes[at].rope, r))
            at++;
        if (at == m->n_ropes) m->ropes[m->n_ropes++].rope = *r;
        m->ops[i].rope = &m->ropes[at];
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static status map_all(cpu_model *m, const k_model_options *opt, err *e) {
    k_memory need = m->base.memory;
    void *kv = NULL;
    status s = map_memory(&m->weights, need.weight_bytes, "the weights", e);
    if (s != OK) return s;
    m->weights_mapped = need.weight_bytes;
    s = map_memory(&kv, need.kv_bytes, "the KV cache", e);
    if (s != OK) return s;
    m->kv = kv;
    m->kv_mapped = need.kv_bytes;
    size_t work = carve_work(m, m->isa, pool_threads(m->pool), opt, NULL); /* with the ropes */
    s = map_memory(&m->work, work, "intermediate results", e);
    if (s != OK) return s;
    m->work_mapped = work;
    m->base.memory.work_bytes = work;
    carve_work(m, m->isa, pool_threads(m->pool), opt, m->work);
    return OK;
}

status cpu_model_new(k_model **out, k_backend *base, const k_model_options *opt, err *e) {
    const cpu_backend *b = (const cpu_backend *)base;
    const k_plan *p = opt->plan;
    cpu_model *m = xcalloc(1, sizeof *m);
    m->base = (k_model){.backend = base,
                        .memory = cpu_model_plan(b->isa, pool_threads(b->pool), opt),
                        .vocab = p->vocab,
                        .kv_pages = opt->kv_pages,
                        .rows_max = opt->rows_max};
    m->isa = b->isa;
    m->pool = b->pool;
    m->plan = *p;
    m->plan.ops = NULL;
    m->ops = xcalloc((size_t)p->n_ops, sizeof *m->ops);
    m->matrices = xcalloc((size_t)p->n_ops * 3, sizeof *m->matrices);
    layout_kv(m, p, opt->kv_type);
    find_ropes(m, p);
    status s = map_all(m, opt, e);
    if (s == OK) {
        carve_weights(m->isa, p, m, m->weights);
        s = pack_all(m, opt, e);
    }
    if (s != OK) {
        cpu_model_free(&m->base);
        return s;
    }
    *out = &m->base;
    return OK;
}

void cpu_model_free(k_model *base) {
    cpu_model *m = (cpu_model *)base;
    if (m->weights_mapped) munmap(m->weights, m->weights_mapped);
    if (m->kv_mapped) munmap(m->kv, m->kv_mapped);
    if (m->work_mapped) munmap(m->work, m->work_mapped);
    xfree(m->ropes);
    xfree(m->matrices);
    xfree(m->ops);
    xfree(m);
}
