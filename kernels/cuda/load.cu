/* SPDX-License-Identifier: Apache-2.0 */
/* A plan onto the device: measure, check against free memory, allocate three arenas, upload.
 *
 * The same walk over the plan runs twice: once with an empty arena (which only adds up) and once
 * with the real one, so the plan that is printed is the plan that is allocated.  Weights travel
 * from the page cache through two pinned buffers; a kernel turns each piece into planes while the
 * next one is copied.  Float16 mirrors for the prefill are resident when they fit in half of what
 * is free, otherwise made per use in a scratch of the largest.  Float models shall have logits
 * within 1e-3 and float16 products made 1.8e-3: there, rows and F32 matrices are split in two.
 */
#include <sys/mman.h>

#include "kernels/cuda/model.cuh"
#include "kernels/cuda/strips.cuh"

enum { STAGE_BYTES = 32 << 20, PLANES_BYTES = 48 << 20, HEADROOM = 512 << 20 };

/* With more, the products of mirrors are faster for small models. */
enum { STRIP_ROWS = 32 };

void *arena_take(arena_dev *a, size_t bytes) {
    size_t at = a->used;
    a->used += (bytes + 255) / 256 * 256;
    return a->base ? a->base + at : NULL;
}

/* ---- shape ---------------------------------------------------------------------------------- */

static int pad32(int n) {
    return (n + CHUNK - 1) / CHUNK * CHUNK;
}

static bool is_float_type(k_type t) {
    return t == K_F32 || t == K_F16 || t == K_BF16;
}

/* Are all matrices between embedding and head float?  (A quantised one would lose more than float16
 * products do.) */
static bool has_float_body(const k_plan *p) {
    for (int i = 0; i < p->n_ops; i++) {
        const k_op *op = &p->ops[i];
        if (op->kind == OP_EMBED || op->kind == OP_HEAD) continue;
        for (int k = 0; k < 3; k++)
            if (op->w[k].rows && !is_float_type(op->w[k].type)) return false;
    }
    return true;
}

static status read_shape(const cuda_backend *b, const k_model_options *opt, dev_shape *s, err *e) {
    const k_plan *p = opt->plan;
    memset(s, 0, sizeof *s);
    s->dim = p->dim;
    s->dim_pad = pad32(p->dim);
    s->vocab = p->vocab;
    s->rows_max = MAX(opt->rows_max, (int)DECODE_ROWS_MAX); /* a decode step is padded to these */
    s->ff = p->ffn_dim_max;
    s->n_head_kv = p->n_head_kv;
    s->head_dim = p->head_dim;
    s->hd = cuda_head_dim_padded(p->head_dim);
    s->kv_pages = opt->kv_pages;
    s->n_kv_layers = p->n_kv_layers;
    s->coded = opt->kv_type == KV_Q8;
    s->fine = has_float_body(p);
    for (int i = 0; i < p->n_ops; i++) {
        if (p->ops[i].kind == OP_QKV) s->n_head = MAX(s->n_head, p->ops[i].n_head);
        if (p->ops[i].kind >= OP_LATENT) {
            return err_set(e, ERR_UNSUPPORTED,
                           "the CUDA backend has no latent attention and no mixtures of experts; "
                           "the model runs on the CPU");
        }
    }
    bool whole = s->dim % CHUNK == 0 && s->ff % CHUNK == 0 && p->q_dim_max % CHUNK == 0;
    if (!whole) {
        return err_set(
            e, ERR_UNSUPPORTED,
            "the CUDA backend needs widths that are multiples of 32 and the model has %d, "
            "%d and %d; it runs on the CPU",
            s->dim, p->q_dim_max, s->ff);
    }
    if (s->hd == 0 || s->n_head == 0 || s->n_head % s->n_head_kv != 0) {
        return err_set(e, ERR_UNSUPPORTED,
                       "the CUDA backend has no attention for %d heads of %d dimensions over %d KV "
                       "heads; the model runs on the CPU",
                       s->n_head, s->head_dim, s->n_head_kv);
    }
    s->group = s->n_head / s->n_head_kv;
    s->q_dim = s->n_head * s->head_dim;
    s->qkv_dim = s->q_dim + 2 * s->n_head_kv * s->head_dim;
    s->chunks_max = MAX(MAX(pad32(s->q_dim), pad32(s->ff)), s->dim_pad) / CHUNK;
    s->tiles_row = (s->group + 15) / 16;
    s->tiles_max = s->rows_max * s->group / 16 + (PREFILL_TILES + s->tiles_row) * s->rows_max;
    s->n_ops = p->n_ops;
    s->token = cuda_token_fits(b, opt);
    s->token_chunks = s->chunks_max + 8; /* a tile has up to 8 chunks */
    /* Fixed for the model: results must not depend on how many rows a batch has. */
    s->splits = MAX(1, MIN(32, 264 / s->n_head_kv));
    if (s->token) s->splits = cuda_token_parts(s->kv_pages);
    s->sms = b->sms;
    s->token_words = s->token ? cuda_token_words(p, b->sms) : 0;
    return OK;
}

/* ---- the walk ------------------------------------------------------------------------------- */

typedef struct {
    cuda_model *m; /* NULL: only measuring */
    const k_model_options *opt;
    arena_dev weights;
    const dev_shape *s;
    size_t mirror_bytes, mirror_largest; /* halves of the largest op */
    bool mirrors;                        /* resident */
    uint64_t file_bytes, file_done;
    uint8_t *pinned[2], *stage[2], *planes;
    cudaEvent_t free_again[2];
    int turn;
    err *e;
} walk;

static status upload_bytes(walk *w, void *to, const void *from, size_t n) {
    CU_TRY(w->e, cudaMemcpyAsync(to, from, n, cudaMemcpyHostToDevice, w->m->b->stream));
    CU_TRY(w->e, cudaStreamSynchronize(w->m->b->stream));
    return OK;
}

/* A vector (norm, bias, frequencies) as float32 on the device. */
static status take_vector(walk *w, const k_tensor *t, const float **out) {
    *out = NULL;
    if (t->rows == 0) return OK;
    size_t n = (size_t)(t->rows * t->cols);
    float *dev = (float *)arena_take(&w->weights, n * sizeof *dev);
    if (!w->m) return OK;
    float *host = (float *)xmalloc(n * sizeof *host);
    k_dequant(t->type, t->data, host, (int64_t)n);
    status s = upload_bytes(w, dev, host, n * sizeof *host);
    xfree(host);
    *out = dev;
    return s;
}

static status take_norm(walk *w, const k_norm *n, norm_dev *out) {
    out->kind = n->weight.rows ? (int)n->kind : -1;
    out->eps = n->eps;
    status s = take_vector(w, &n->weight, &out->w);
    if (s == OK) s = take_vector(w, &n->bias, &out->b);
    return s;
}

static size_t place_planes(wmat *m, uint8_t *at) {
    size_t plane[4], all = cuda_plane_bytes((wfmt)m->fmt, m->rows, m->chunks, plane);
    m->q = at;
    m->h = m->q + plane[0];
    m->s = m->h + plane[1];
    m->d = m->s + plane[2];
    m->tiles = 0;
    return all;
}

static status upload_matrix(walk *w, const k_tensor *t, const wmat *to) {
    size_t row_bytes = k_row_bytes(t->type, t->cols);
    int rows_a_piece = (int)MAX((size_t)1, STAGE_BYTES / row_bytes);
    cudaStream_t st = w->m->b->stream;
    for (int row = 0; row < t->rows; row += rows_a_piece) {
        int n = (int)MIN((int64_t)rows_a_piece, t->rows - row), slot = w->turn++ & 1;
        size_t bytes = row_bytes * (size_t)n;
        CU_TRY(w->e, cudaEventSynchronize(w->free_again[slot]));
        memcpy(w->pinned[slot], (const uint8_t *)t->data + row_bytes * (size_t)row, bytes);
        CU_TRY(w->e,
               cudaMemcpyAsync(w->stage[slot], w->pinned[slot], bytes, cudaMemcpyHostToDevice, st));
        if (to->tiles == 0) {
            cuda_repack(st, t->type, w->stage[slot], row_bytes, to, row, n);
        } else {
            wmat planes = *to;
            planes.rows = n;
            place_planes(&planes, w->planes);
            cuda_repack(st, t->type, w->stage[slot], row_bytes, &planes, 0, n);
            cuda_put_strips(st, &planes, to, row);
        }
        CU_TRY(w->e, cudaGetLastError());
        CU_TRY(w->e, cudaEventRecord(w->free_again[slot], st));
        w->file_done += bytes;
        if (w->opt->progress && !w->opt->progress(w->opt->progress_ud, w->file_done, w->file_bytes))
            return err_set(w->e, ERR_CANCELLED, "loading was cancelled");
    }
    return OK;
}

/* Memory for a matrix: strips for the token kernel (gate and up share theirs), else planes. */
static void place_matrix(walk *w, const k_op *op, const dev_op *dev, int i, wmat *out) {
    if (!w->s->token) {
        size_t all = place_planes(out, NULL);
        place_planes(out, (uint8_t *)arena_take(&w->weights, all));
        return;
    }
    out->map.kind = MAP_PLAIN;
    if (op->kind == OP_QKV && i < 2) {
        out->map.kind = MAP_HEADS;
        out->map.head_dim = op->head_dim;
        out->map.turning = op->rope.kind == ROPE_NEOX ? op->rope.n_rot / 2 : 0;
    }
    bool pair = op->kind == OP_GATE_UP;
    size_t all = cuda_strip_bytes(out->fmt, out->rows * (pair ? 2 : 1), out->chunks, &out->tiles);
    if (pair) out->map.kind = i == 0 ? MAP_UPPER : MAP_LOWER;
    if (pair && i == 1)
        out->q = dev->w[0].q;
    else
        out->q = (uint8_t *)arena_take(&w->weights, all);
}

static status take_matrix(walk *w, const k_op *op, const dev_op *dev, int i, wmat *out) {
    const k_tensor *t = &op->w[i];
    memset(out, 0, sizeof *out);
    if (t->rows == 0) return OK;
    wfmt f = cuda_format(t->type);
    if (f == FMT_NONE || t->rows > INT32_MAX || t->cols > INT32_MAX) {
        return err_set(w->e, ERR_UNSUPPORTED,
                       "tensor %s has type %s, which the CUDA backend does not read", t->name,
                       k_type_name(t->type));
    }
    out->fmt = f;
    out->rows = (int)t->rows;
    out->cols = (int)t->cols;
    out->chunks = pad32(out->cols) / CHUNK;
    place_matrix(w, op, dev, i, out);
    if (!w->m) {
        w->file_bytes += k_row_bytes(t->type, t->cols) * (uint64_t)t->rows;
        return OK;
    }
    return upload_matrix(w, t, out);
}

/* Rows of an op's matrices as float16, and behind them what that lost where it is kept. */
void cuda_fill_mirror(cudaStream_t st, const dev_op *op, __half *to) {
    for (int i = 0; i < 3; i++) {
        if (op->w[i].rows == 0) continue;
        cuda_to_f16(st, &op->w[i], to, op->mirror_low ? to + op->mirror_low : NULL, op->cols);
        to += (size_t)op->w[i].rows * (size_t)op->cols;
    }
}

static status take_mirror(walk *w, dev_op *op) {
    if (op->kind == OP_EMBED || op->kind == OP_HEAD || op->kind == OP_ATTEND) return OK;
    const wmat *first = op->w[0].rows ? &op->w[0] : &op->w[1];
    op->cols = first->chunks * CHUNK;
    op->mirror_rows = op->w[0].rows + op->w[1].rows + op->w[2].rows;
    size_t halves = (size_t)op->mirror_rows * (size_t)op->cols;
    bool split = false; /* F16 is exact as it is, and BF16 as good as */
    for (int i = 0; i < 3; i++)
        split |= w->s->fine && op->w[i].rows && op->w[i].fmt == FMT_F32;
    op->mirror_low = split ? halves : 0;
    halves += op->mirror_low;
    w->mirror_bytes += (halves * sizeof(__half) + 255) / 256 * 256;
    w->mirror_largest = MAX(w->mirror_largest, halves);
    if (!w->mirrors) return OK;
    op->mirror = (__half *)arena_take(&w->weights, halves * sizeof(__half));
    if (!w->m) return OK;
    cuda_fill_mirror(w->m->b->stream, op, op->mirror);
    CU_TRY(w->e, cudaGetLastError());
    return OK;
}

/* The head of a tied model is the embedding: one copy. */
static bool same_tensor(const k_tensor *a, const k_tensor *b) {
    return a->data == b->data && a->type == b->type && a->rows == b->rows;
}

/* A bias of q or k in the order of its strips. */
static status take_strip_bias(walk *w, const k_op *op, const wmat *m, int i, const float **out) {
    const k_tensor *t = &op->bias[i];
    *out = NULL;
    if (t->rows == 0) return OK;
    size_t n = (size_t)(t->rows * t->cols);
    float *natural = (float *)xmalloc(2 * n * sizeof *natural), *turned = natural + n;
    k_dequant(t->type, t->data, natural, (int64_t)n);
    for (size_t r = 0; r < n; r++) {
        strip_row at = strip_row_of(m->map, (int)r);
        turned[at.strip * STRIP + at.at] = natural[r];
    }
    k_tensor as_strips = {K_F32, 1, (int64_t)n, turned, t->name};
    status s = take_vector(w, &as_strips, out);
    xfree(natural);
    return s;
}

/* Does this layer turn like the first one? */
static bool has_common_rope(const k_plan *p, const k_op *in) {
    const k_op *first = p->ops;
    while (first->kind != OP_QKV)
        first++;
    const k_rope *a = &first->rope, *b = &in->rope;
    size_t bytes = (size_t)(a->n_rot / 2) * sizeof *a->inv_freq;
    return a->kind == b->kind && a->n_rot == b->n_rot && a->mscale == b->mscale &&
           memcmp(a->inv_freq, b->inv_freq, bytes) == 0;
}

static status take_op(walk *w, const k_op *in, dev_op *op, const k_op *embed,
                      const dev_op *embed_dev) {
    op->kind = in->kind;
    op->scale = in->scale;
    op->softcap = in->softcap;
    op->act = in->act;
    op->window = in->window;
    status s = take_norm(w, &in->norm, &op->norm);
    if (s == OK) s = take_norm(w, &in->q_norm, &op->q_norm);
    if (s == OK) s = take_norm(w, &in->k_norm, &op->k_norm);
    for (int i = 0; i < 3 && s == OK; i++) {
        if (in->kind == OP_HEAD && i == 0 && embed && same_tensor(&in->w[0], &embed->w[0]))
            op->w[0] = embed_dev->w[0];
        else
            s = take_matrix(w, in, op, i, &op->w[i]);
        if (s == OK) s = take_vector(w, &in->bias[i], &op->bias[i]);
        if (s == OK && in->kind == OP_QKV && i < 2 && w->s->token)
            s = take_strip_bias(w, in, &op->w[i], i, &op->strip_bias[i]);
        bool body = in->kind != OP_EMBED && in->kind != OP_HEAD;
        if (w->m && body && in->w[i].rows && is_float_type(in->w[i].type)) w->m->gemm_only = true;
    }
    if (s == OK && in->kind == OP_GATE_UP && op->w[0].rows && op->w[0].fmt != op->w[1].fmt && w->m)
        w->m->gemm_only = true; /* one launch reads both: they must look alike */
    if (s == OK && in->kind == OP_QKV && in->rope.kind != ROPE_NONE) {
        k_tensor freq = {K_F32, 1, in->rope.n_rot / 2, in->rope.inv_freq, "rope"};
        op->rope.kind = in->rope.kind;
        op->rope.n_rot = in->rope.n_rot;
        op->rope.mscale = in->rope.mscale;
        op->common_rope = has_common_rope(w->opt->plan, in);
        s = take_vector(w, &freq, &op->rope.inv_freq);
    }
    if (in->kind == OP_QKV || in->kind == OP_ATTEND) {
        size_t layer = kv_slab_halves(w->s) * (size_t)w->s->kv_pages;
        __half *kv = w->m ? (__half *)w->m->kv : NULL;
        op->kv.k = kv ? kv + 2 * layer * (size_t)in->kv_layer : NULL;
        op->kv.v = kv ? op->kv.k + layer : NULL;
        op->kv.n_head = in->n_head;
        op->kv.n_head_kv = in->n_head_kv;
        op->kv.head_dim = in->head_dim;
        op->kv.hd = w->s->hd;
        op->kv.coded = w->s->coded;
    }
    if (s == OK) s = take_mirror(w, op);
    return s;
}

static status walk_plan(walk *w) {
    const k_plan *p = w->opt->plan;
    const k_op *embed = NULL;
    dev_op scratch, embed_dev;
    memset(&embed_dev, 0, sizeof embed_dev);
    for (int i = 0; i < p->n_ops; i++) {
        dev_op *op = w->m ? &w->m->ops[i] : &scratch;
        memset(op, 0, sizeof *op);
        status s = take_op(w, &p->ops[i], op, embed, &embed_dev);
        if (s != OK) return s;
        if (p->ops[i].kind == OP_EMBED) {
            embed = &p->ops[i];
            embed_dev = *op;
        }
    }
    return OK;
}

/* ---- workspace ------------------------------------------------------------------------------ */

static void layout_step(cuda_model *m) {
    const dev_shape *s = &m->s;
    size_t r = (size_t)s->rows_max;
    m->at.token = 0;
    m->at.pos = r;
    m->at.seq = 2 * r;
    m->at.want = 3 * r;
    m->at.tiles = 4 * r;
    m->at.pages = 4 * r + 3 * (size_t)s->tiles_max;
    m->at.ints = m->at.pages + (size_t)SEQUENCES * (size_t)s->kv_pages;
}

static half_rows take_rows(arena_dev *a, size_t count, bool split) {
    half_rows r = {(__half *)arena_take(a, count * sizeof(__half)), NULL};
    if (split) r.low = (__half *)arena_take(a, count * sizeof(__half));
    return r;
}

static void take_work(arena_dev *a, const dev_shape *s, const step_layout *at, dev_work *w) {
    size_t r = (size_t)s->rows_max;
    size_t widest = (size_t)MAX(MAX(s->dim_pad, pad32(s->q_dim)), pad32(s->ff));
    w->x = (float *)arena_take(a, r * s->dim * sizeof(float));
    w->y = (float *)arena_take(a, r * s->dim * sizeof(float));
    w->qkv = (float *)arena_take(a, r * s->qkv_dim * sizeof(float));
    w->h = take_rows(a, r * widest, s->fine);
    w->q = (__half *)arena_take(a, r * s->n_head * s->hd * sizeof(__half));
    w->att = take_rows(a, r * pad32(s->q_dim), s->fine);
    w->gu = arena_take(a, r * 2 * s->ff * (s->fine ? sizeof(float) : sizeof(__half)));
    w->u = take_rows(a, r * pad32(s->ff), s->fine);
    w->scratch =
        s->scratch_halves ? (__half *)arena_take(a, s->scratch_halves * sizeof(__half)) : NULL;
    if (s->token) {
        w->token_ops = (uint8_t *)arena_take(a, (size_t)s->n_ops * cuda_token_op_bytes());
        w->token_segs = (uint8_t *)arena_take(a, (size_t)s->n_ops * 3 * cuda_token_seg_bytes());
        w->token_lists = (uint8_t *)arena_take(a, (size_t)s->sms * (size_t)s->token_words * 4);
        w->token_bars = (uint8_t *)arena_take(a, 256);
        w->token_h = (uint8_t *)arena_take(a, cuda_token_act_bytes(s));
        w->token_att = (uint8_t *)arena_take(a, cuda_token_act_bytes(s));
        w->token_mail = (uint8_t *)arena_take(a, cuda_token_mail_bytes(s));
    }
    w->act_stride = (act_bytes(s->chunks_max) + 15) / 16 * 16;
    w->act_q = (uint8_t *)arena_take(a, w->act_stride * DECODE_ROWS_MAX);
    w->logits = (float *)arena_take(a, (size_t)HEAD_ROWS * s->vocab * sizeof(float));
    size_t cells = (size_t)DECODE_ROWS_MAX * s->tiles_row * s->n_head_kv;
    w->part = (float *)arena_take(a, cells * s->splits * 16 * (s->hd + 2) * sizeof(float));
    w->tickets = (int *)arena_take(a, cells * sizeof(int));
    w->top_tickets = (int *)arena_take(a, HEAD_ROWS * sizeof(int));
    w->top_cells = (top_one *)arena_take(a, HEAD_ROWS * TOP_CELLS * sizeof(top_one));
    w->many_cells = (float2 *)arena_take(a, TOP_CELLS * 64 * sizeof(float2));
    w->many = (float2 *)arena_take(a, 64 * sizeof(float2));
    w->step = (int *)arena_take(a, at->ints * sizeof(int));
}

static size_t kv_arena_bytes(const dev_shape *s) {
    return (size_t)s->n_kv_layers * 2 * s->kv_pages * kv_slab_halves(s) * sizeof(__half);
}

/* Fills the sizes of m (weights, kv, work) and decides about mirrors. */
static status measure(cuda_model *m, const cuda_backend *b, const k_model_options *opt,
                      size_t free_bytes, bool *mirrors, uint64_t *file_bytes, err *e) {
    status s = read_shape(b, opt, &m->s, e);
    if (s != OK) return s;
    walk w;
    memset(&w, 0, sizeof w);
    w.opt = opt;
    w.s = &m->s;
    w.e = e;
    s = walk_plan(&w);
    if (s != OK) return s;
    m->kv_bytes = kv_arena_bytes(&m->s);
    *mirrors = w.mirror_bytes + w.weights.used + m->kv_bytes < free_bytes / 2;
    m->weight_bytes = w.weights.used + (*mirrors ? w.mirror_bytes : 0);
    m->s.scratch_halves = *mirrors ? 0 : w.mirror_largest;
    *file_bytes = w.file_bytes;
    layout_step(m);
    arena_dev work = {NULL, 0};
    dev_work ignored;
    take_work(&work, &m->s, &m->at, &ignored);
    m->work_bytes = work.used;
    return OK;
}

k_memory cuda_model_measure(const cuda_backend *b, const k_model_options *opt) {
    cuda_model m;
    memset(&m, 0, sizeof m);
    size_t free_bytes = 0, all = 0;
    bool mirrors;
    uint64_t file;
    k_memory out = {0, 0, 0};
    if (cudaMemGetInfo(&free_bytes, &all) != cudaSuccess) return out;
    if (measure(&m, b, opt, free_bytes, &mirrors, &file, NULL) != OK) return out;
    out.weight_bytes = m.weight_bytes;
    out.kv_bytes = m.kv_bytes;
    out.work_bytes = m.work_bytes;
    return out;
}

/* ---- open, close ---------------------------------------------------------------------------- */

/* What is free, less the buffers of loading and what the driver and cuBLAS may still take. */
static size_t available_bytes(void) {
    const size_t kept = 2 * (size_t)STAGE_BYTES + PLANES_BYTES + HEADROOM;
    size_t left = 0, all = 0;
    if (cudaMemGetInfo(&left, &all) != cudaSuccess) return 0;
    return left > kept ? left - kept : 0;
}

/* Says what will be taken, or that it is too much. */
static status check_memory(const cuda_model *m, err *e) {
    size_t need = m->weight_bytes + m->kv_bytes + m->work_bytes;
    size_t available = available_bytes();
    log_info("cuda", "memory plan weights_mb=%zu kv_mb=%zu work_mb=%zu available_mb=%zu",
             m->weight_bytes >> 20, m->kv_bytes >> 20, m->work_bytes >> 20, available >> 20);
    if (need <= available) return OK;
    return err_set(
        e, ERR_LIMIT,
        "the model needs %zu MB on the GPU (weights %zu, KV %zu, work %zu) and %zu MB are "
        "available; use a smaller model or a shorter context",
        need >> 20, m->weight_bytes >> 20, m->kv_bytes >> 20, m->work_bytes >> 20, available >> 20);
}

static size_t logits_bytes(const cuda_model *m) {
    return (size_t)m->s.rows_max * (size_t)m->s.vocab * sizeof(float);
}

static status allocate(cuda_model *m, err *e) {
    status s = check_memory(m, e);
    if (s != OK) return s;
    CU_TRY(e, cudaMalloc(&m->weights, m->weight_bytes));
    CU_TRY(e, cudaMalloc(&m->kv, m->kv_bytes));
    CU_TRY(e, cudaMalloc(&m->work, m->work_bytes));
    if (m->s.token) CU_TRY(e, cudaMemsetAsync(m->weights, 0, m->weight_bytes, m->b->stream));
    CU_TRY(e, cudaMemsetAsync(m->kv, 0, m->kv_bytes, m->b->stream)); /* padding of heads stays 0 */
    CU_TRY(e, cudaMemsetAsync(m->work, 0, m->work_bytes, m->b->stream));
    arena_dev work = {m->work, 0};
    take_work(&work, &m->s, &m->at, &m->w);
    CU_TRY(e, cudaHostAlloc(&m->step_host, m->at.ints * sizeof(int), cudaHostAllocDefault));
    memset(m->step_host, 0xff, m->at.ints * sizeof(int)); /* no page table: none is on the device */
    CU_TRY(e, cudaHostAlloc(&m->top_host, HEAD_ROWS * sizeof(top_one), cudaHostAllocMapped));
    CU_TRY(e, cudaHostGetDevicePointer(&m->top_dev, m->top_host, 0));
    CU_TRY(e, cudaHostAlloc(&m->many_host, 64 * sizeof(float2), cudaHostAllocDefault));
    void *rows = mmap(NULL, logits_bytes(m), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (rows == MAP_FAILED) return err_set(e, ERR_LIMIT, "there is no address space for logits");
    m->logits_host = (float *)rows;
    /* The first row is read at each step of healing and of grammars. */
    m->logits_pinned = cudaHostRegister(rows, (size_t)m->s.vocab * sizeof(float),
                                        cudaHostRegisterDefault) == cudaSuccess;
    if (!m->logits_pinned) (void)cudaGetLastError();
    for (int i = 0; i < 2; i++)
        CU_TRY(e, cudaEventCreateWithFlags(&m->pace[i], cudaEventDisableTiming));
    m->want_rows = (int *)xcalloc((size_t)m->s.rows_max, sizeof(int));
    return OK;
}

/* Short prompts read strips where there are some (of the token kernel: from sm_90 on, no float
 * matrices) and the device has room for their product; else mirrors, like the others. */
static void share_strips(cuda_model *m) {
    const char *wanted = getenv("INLINED_STRIP_ROWS"); /* a number: for tests and benchmarks */
    m->strip_rows = wanted ? atoi(wanted) : STRIP_ROWS;
    cudaError_t code = cuda_strip_gemm_prepare(m->b->sms, m->b->smem_max, &m->room);
    if (code != cudaSuccess) {
        (void)cudaGetLastError(); /* or the next launch would find it */
        log_info("cuda", "short prompts read mirrors: %s", cudaGetErrorString(code));
        m->strip_rows = 0;
    }
    for (int i = 0; i < m->n_ops && m->strip_rows > 0; i++) {
        dev_op *op = &m->ops[i];
        if (op->mirror_rows == 0) continue;
        op->share = cuda_strip_share(op->w, op->kind == OP_GATE_UP, &m->room);
        if (op->share.strips == 0) m->strip_rows = 0;
    }
}

static status open_stages(walk *w) {
    for (int i = 0; i < 2; i++) {
        CU_TRY(w->e, cudaHostAlloc(&w->pinned[i], STAGE_BYTES, cudaHostAllocDefault));
        CU_TRY(w->e, cudaMalloc(&w->stage[i], STAGE_BYTES));
        CU_TRY(w->e, cudaEventCreateWithFlags(&w->free_again[i], cudaEventDisableTiming));
        CU_TRY(w->e, cudaEventRecord(w->free_again[i], w->m->b->stream));
    }
    if (w->s->token) CU_TRY(w->e, cudaMalloc(&w->planes, PLANES_BYTES));
    return OK;
}

static void close_stages(walk *w) {
    for (int i = 0; i < 2; i++) {
        if (w->pinned[i]) cudaFreeHost(w->pinned[i]);
        if (w->stage[i]) cudaFree(w->stage[i]);
        if (w->free_again[i]) cudaEventDestroy(w->free_again[i]);
    }
    if (w->planes) cudaFree(w->planes);
}

status cuda_model_open(cuda_model **out, cuda_backend *b, const k_model_options *opt, err *e) {
    size_t free_bytes = 0, all = 0;
    walk w;
    memset(&w, 0, sizeof w);
    CU_TRY(e, cudaMemGetInfo(&free_bytes, &all));
    cuda_model *m = (cuda_model *)xcalloc(1, sizeof *m);
    m->b = b;
    m->head_group = -1;
    const char *graph = getenv("INLINED_CUDA_GRAPH"); /* "0": for tests */
    m->eager = graph && strcmp(graph, "0") == 0;
    m->ops = (dev_op *)xcalloc((size_t)opt->plan->n_ops, sizeof *m->ops);
    m->n_ops = opt->plan->n_ops;

    status s = measure(m, b, opt, free_bytes, &w.mirrors, &w.file_bytes, e);
    if (s == OK) s = allocate(m, e);
    if (s == OK) {
        w.m = m;
        w.opt = opt;
        w.s = &m->s;
        w.e = e;
        w.weights.base = m->weights;
        s = open_stages(&w);
        if (s == OK) s = walk_plan(&w);
        if (s == OK && m->s.token) s = cuda_token_build(m, e);
        if (s == OK && m->s.token) share_strips(m);
        cudaStreamSynchronize(b->stream);
        close_stages(&w);
    }
    if (s == OK) {
        cudaError_t code = cudaStreamSynchronize(b->stream);
        if (code != cudaSuccess) s = cuda_fail(e, code, "upload", __FILE__, __LINE__);
    }
    if (s != OK) {
        cuda_model_close(m);
        return s;
    }
    *out = m;
    return OK;
}

void cuda_model_close(cuda_model *m) {
    if (!m) return;
    cuda_token_free(m);
    cudaStreamSynchronize(m->b->stream);
    for (int i = 0; i < GRAPHS; i++) {
        if (m->graph[i]) cudaGraphExecDestroy(m->graph[i]);
    }
    if (m->weights) cudaFree(m->weights);
    if (m->kv) cudaFree(m->kv);
    if (m->work) cudaFree(m->work);
    if (m->step_host) cudaFreeHost(m->step_host);
    if (m->top_host) cudaFreeHost(m->top_host);
    if (m->many_host) cudaFreeHost(m->many_host);
    for (int i = 0; i < 2; i++) {
        if (m->pace[i]) cudaEventDestroy(m->pace[i]);
    }
    if (m->logits_pinned) cudaHostUnregister(m->logits_host);
    if (m->logits_host) munmap(m->logits_host, logits_bytes(m));
    xfree(m->want_rows);
    xfree(m->ops);
    xfree(m);
}
