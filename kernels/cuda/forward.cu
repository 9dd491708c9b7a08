/* SPDX-License-Identifier: Apache-2.0 */
/* One step through the plan: up to 16 rows of which some want logits on the int8 decode path
 * (captured once per row count into a CUDA graph that reads tokens, positions and page tables from
 * device memory); more rows, and those of a prompt, on the float16 path through tensor cores.
 *
 * A batch of 2 or 3 rows runs as 4, one of 5 to 7 as 8: the last row is repeated, which writes the
 * same K and V twice.  One of 9 to 16 runs as two.  In the decode path every row has its own
 * attention tiles and the splits are fixed, so a row's bits do not depend on its batch.
 */
#include <cmath>

#include "kernels/cuda/model.cuh"

static step_dev step_of(const cuda_model *m) {
    const int *s = m->w.step;
    step_dev d = {s + m->at.token, s + m->at.pos,  s + m->at.seq, s + m->at.pages,
                  s + m->at.tiles, s + m->at.want, m->s.kv_pages};
    return d;
}

/* ---- decode --------------------------------------------------------------------------------- */

/* Rows that a decode step of `rows` computes, and which graph does. */
static int decode_rows(int rows, int *slot) {
    *slot = rows == 1 ? 0 : rows <= 4 ? 1 : 2;
    return rows == 1 ? 1 : rows <= 4 ? 4 : DECODE_ROWS_MAX;
}

static decode_args decode_base(cuda_model *m, const dev_op *op, int n) {
    decode_args a;
    memset(&a, 0, sizeof a);
    a.n = n;
    a.x = m->w.x;
    a.dim = m->s.dim;
    a.norm = op->norm;
    for (int i = 0; i < 3; i++) {
        a.w[i] = op->w[i];
        a.bias[i] = op->bias[i];
    }
    a.step = step_of(m);
    a.rope = op->rope;
    a.kv = op->kv;
    a.act = op->act;
    a.act_q = m->w.act_q;
    a.act_stride = m->w.act_stride;
    a.scale = op->scale;
    a.softcap = op->softcap;
    return a;
}

static rope_args rope_base(cuda_model *m, const dev_op *op, int n) {
    rope_args r;
    memset(&r, 0, sizeof r);
    r.qkv = m->w.qkv;
    r.stride = op->w[0].rows + op->w[1].rows + op->w[2].rows;
    r.n = n;
    for (int i = 0; i < 3; i++)
        r.bias[i] = op->bias[i];
    r.q_norm = op->q_norm;
    r.k_norm = op->k_norm;
    r.rope = op->rope;
    r.step = step_of(m);
    r.kv = op->kv;
    r.q = m->w.q;
    return r;
}

static attend_args attend_base(cuda_model *m, const dev_op *op, int n_tiles) {
    attend_args a;
    memset(&a, 0, sizeof a);
    a.kv = op->kv;
    a.step = step_of(m);
    a.q = m->w.q;
    a.n_tiles = n_tiles;
    a.splits = m->s.splits;
    a.scale = op->scale;
    a.softcap = op->softcap;
    a.window = op->window;
    a.part = m->w.part;
    a.ticket = m->w.tickets;
    a.act_q = m->w.act_q;
    a.act_stride = m->w.act_stride;
    return a;
}

static cudaError_t decode_proj(cuda_model *m, const launch_ctx *l, const dev_op *op, int n) {
    decode_args a = decode_base(m, op, n);
    bool post = op->norm.kind >= 0;
    a.out = post ? m->w.y : m->w.x;
    a.out_stride = m->s.dim;
    a.add = !post;
    if (post) a.bias[0] = NULL, a.scale = 1;
    cudaError_t code = cuda_decode_proj(l, &a);
    if (code == cudaSuccess && post)
        code = cuda_norm_add(l, m->w.x, m->w.y, n, m->s.dim, op->norm, op->bias[0], op->scale);
    return code;
}

static cudaError_t decode_qkv(cuda_model *m, const launch_ctx *l, const dev_op *op, int n) {
    decode_args a = decode_base(m, op, n);
    a.q = m->w.q;
    a.q_raw = m->w.qkv;
    /* A norm needs the whole head, a code the other 31 dimensions. */
    a.raw = op->q_norm.kind >= 0 || op->k_norm.kind >= 0 || op->kv.coded;
    cudaError_t code = cuda_decode_qkv(l, &a);
    if (code != cudaSuccess || !a.raw) return code;
    rope_args r = rope_base(m, op, n);
    return cuda_rope_kv(l, &r);
}

static cudaError_t head_rows(cuda_model *m, const launch_ctx *l, const dev_op *op, int n) {
    decode_args a = decode_base(m, op, n);
    a.out = m->w.logits;
    a.out_stride = m->s.vocab;
    a.gather = step_of(m).want;
    cudaError_t code = cuda_decode_head(l, &a);
    if (code != cudaSuccess) return code;
    return cuda_top_one(l, m->w.logits, n, m->s.vocab, m->s.vocab, m->w.top_cells, m->w.top_tickets,
                        m->top_dev);
}

static cudaError_t decode_op(cuda_model *m, const launch_ctx *l, const dev_op *op, int n) {
    decode_args a;
    attend_args t;
    switch (op->kind) {
    case OP_EMBED:
        return cuda_embed(l, &op->w[0], step_of(m).token, n, op->scale, m->w.x, m->s.dim);
    case OP_QKV: return decode_qkv(m, l, op, n);
    case OP_ATTEND: t = attend_base(m, op, n * m->s.tiles_row); return cuda_attend(l, &t);
    case OP_ATTN_OUT:
    case OP_FFN_DOWN: return decode_proj(m, l, op, n);
    case OP_GATE_UP: a = decode_base(m, op, n); return cuda_decode_gate_up(l, &a);
    case OP_HEAD: return head_rows(m, l, op, n);
    case OP_LATENT:
    case OP_VALUES:
    case OP_ROUTE:
    case OP_EXPERTS: break; /* refused at load */
    }
    return cudaErrorInvalidValue;
}

static cudaError_t decode_all(cuda_model *m, const launch_ctx *l, int n) {
    for (int i = 0; i < m->n_ops; i++) {
        cudaError_t code = decode_op(m, l, &m->ops[i], n);
        if (code != cudaSuccess) return code;
    }
    return cudaSuccess;
}

static status capture(cuda_model *m, int slot, int n, err *e) {
    cudaGraph_t graph;
    launch_ctx l = {m->b->stream, m->b->cc >= 90 && !getenv("INLINED_NO_PDL")};
    CU_TRY(e, cudaStreamBeginCapture(l.stream, cudaStreamCaptureModeThreadLocal));
    cudaError_t code = decode_all(m, &l, n);
    cudaError_t ended = cudaStreamEndCapture(l.stream, &graph);
    CU_TRY(e, code);
    CU_TRY(e, ended);
    code = cudaGraphInstantiate(&m->graph[slot], graph, 0);
    cudaGraphDestroy(graph);
    CU_TRY(e, code);
    return OK;
}

/* ---- prefill -------------------------------------------------------------------------------- */

/* The op's matrices as float16 rows, resident or made now. */
static const __half *mirror_of(cuda_model *m, const dev_op *op) {
    if (op->mirror) return op->mirror;
    cuda_fill_mirror(m->b->stream, op, m->w.scratch);
    return m->w.scratch;
}

static bool reads_strips(const cuda_model *m, int n) {
    return n <= m->strip_rows;
}

static strip_product strip_rows_of(const dev_op *op, half_rows in, int n) {
    strip_product p;
    memset(&p, 0, sizeof p);
    p.a = in.high;
    p.n = n;
    p.cols = op->cols;
    return p;
}

/* C = rows times the op's matrices, + beta * C.  What is split is multiplied part by part; the
 * product of two low parts is beyond float32's last bits. */
static status product(cuda_model *m, const launch_ctx *l, const dev_op *op, half_rows in, int n,
                      void *c, bool c_is_f16, float beta, err *e) {
    if (reads_strips(m, n)) {
        strip_product p = strip_rows_of(op, in, n);
        p.c = (float *)c;
        p.add = beta != 0;
        CU_TRY(e, cuda_strip_gemm(l, op->w, &op->share, &m->room, &p));
        return OK;
    }
    gemm *g = m->b->products;
    const __half *w = mirror_of(m, op);
    const int rows = op->mirror_rows, cols = op->cols;
    status s = cuda_gemm_run(g, w, rows, cols, in.high, n, c, c_is_f16, beta, e);
    if (s == OK && in.low) s = cuda_gemm_run(g, w, rows, cols, in.low, n, c, c_is_f16, 1, e);
    if (s == OK && op->mirror_low)
        s = cuda_gemm_run(g, w + op->mirror_low, rows, cols, in.high, n, c, c_is_f16, 1, e);
    return s;
}

static status prefill_proj(cuda_model *m, const launch_ctx *l, const dev_op *op, half_rows in,
                           int n, err *e) {
    bool direct = op->norm.kind < 0 && !op->bias[0] && op->scale == 1.0f;
    status s = product(m, l, op, in, n, direct ? m->w.x : m->w.y, false, direct ? 1.0f : 0.0f, e);
    if (s != OK || direct) return s;
    CU_TRY(e, cuda_norm_add(l, m->w.x, m->w.y, n, m->s.dim, op->norm, op->bias[0], op->scale));
    return OK;
}

static status prefill_gate_up(cuda_model *m, const launch_ctx *l, const dev_op *op, int n, err *e) {
    CU_TRY(e, cuda_norm_f16(l, m->w.x, n, m->s.dim, op->norm, m->w.h, op->cols));
    if (reads_strips(m, n)) { /* cuda_token_fits wants a gate and takes no bias here */
        strip_product p = strip_rows_of(op, m->w.h, n);
        p.u = m->w.u.high;
        p.act = op->act;
        CU_TRY(e, cuda_strip_gemm(l, op->w, &op->share, &m->room, &p));
        return OK;
    }
    status s = product(m, l, op, m->w.h, n, m->w.gu, !m->w.h.low, 0, e);
    if (s != OK) return s;
    CU_TRY(e, cuda_act_f16(l, m->w.gu, op->bias[0], op->bias[1], n, op->w[1].rows,
                           op->w[0].rows != 0, op->act, m->w.u));
    return OK;
}

/* CTAs that share the pages of a few rows: one for itself takes a microsecond a page, whoever else
 * is idle.  Each keeps four pages or more. */
static int prompt_parts(const cuda_model *m, const dev_op *op, int n_tiles, int deepest) {
    int parts = 1, ctas = n_tiles / PREFILL_TILES * m->s.n_head_kv;
    int pages = (op->window > 0 ? MIN(op->window, deepest) : deepest) / K_PAGE_TOKENS + 1;
    if (m->b->cc < 90 || m->s.fine) return 1;
    while (parts < 8 && ctas * parts * 2 <= m->b->sms && pages >= 8 * parts)
        parts *= 2;
    return parts;
}

/* deepest: the last position that a row has. */
static status prefill_op(cuda_model *m, const launch_ctx *l, const dev_op *op, int n, int n_tiles,
                         int deepest, err *e) {
    attend_args t;
    rope_args r;
    status s;
    switch (op->kind) {
    case OP_EMBED:
        CU_TRY(e, cuda_embed(l, &op->w[0], step_of(m).token, n, op->scale, m->w.x, m->s.dim));
        return OK;
    case OP_QKV:
        CU_TRY(e, cuda_norm_f16(l, m->w.x, n, m->s.dim, op->norm, m->w.h, op->cols));
        s = product(m, l, op, m->w.h, n, m->w.qkv, false, 0, e);
        if (s != OK) return s;
        r = rope_base(m, op, n);
        CU_TRY(e, cuda_rope_kv(l, &r));
        return OK;
    case OP_ATTEND:
        t = attend_base(m, op, n_tiles);
        t.splits = prompt_parts(m, op, n_tiles, deepest);
        t.att = m->w.att;
        CU_TRY(e, cuda_attend(l, &t));
        return OK;
    case OP_ATTN_OUT: return prefill_proj(m, l, op, m->w.att, n, e);
    case OP_GATE_UP: return prefill_gate_up(m, l, op, n, e);
    case OP_FFN_DOWN: return prefill_proj(m, l, op, m->w.u, n, e);
    case OP_HEAD: return OK; /* per group of wanted rows, later */
    case OP_LATENT:
    case OP_VALUES:
    case OP_ROUTE:
    case OP_EXPERTS: break; /* refused at load */
    }
    return err_set(e, ERR_DEVICE, "unknown operation in the plan");
}

/* ---- the step block ------------------------------------------------------------------------- */

/* Tiles of the attention: a run of rows of one sequence is cut into 16 packed rows; in the decode
 * path every row is a run of its own.  Tiles behind the end of a run have no rows (left <= 0). */
static int fill_tiles(cuda_model *m, const k_batch *b, int n, bool alone, int *tiles) {
    const int abreast = alone ? 1 : PREFILL_TILES; /* a run starts with a CTA of its own */
    int count = 0;
    for (int from = 0, to; from < n; from = to) {
        to = from + 1;
        while (!alone && to < n && b->seq[to] == b->seq[from])
            to++;
        int packed = (to - from) * m->s.group;
        int padded = (packed + 16 * abreast - 1) / (16 * abreast) * 16 * abreast;
        for (int first = 0; first < padded; first += 16) {
            tiles[3 * count] = from;
            tiles[3 * count + 1] = first;
            tiles[3 * count + 2] = packed - first;
            count++;
        }
    }
    return count;
}

/* Page tables as far as they changed. */
static status upload_pages(cuda_model *m, const k_batch *b, err *e) {
    int *h = m->step_host;
    int last[SEQUENCES] = {0}; /* highest position of each: how much of its table matters */
    for (int i = 0; i < b->n; i++) {
        if (b->seq[i] < SEQUENCES) last[b->seq[i]] = MAX(last[b->seq[i]], b->pos[i]);
    }
    for (int q = 0; q < b->n_seqs; q++) {
        size_t at = m->at.pages + (size_t)q * (size_t)m->s.kv_pages;
        int used = last[q] / K_PAGE_TOKENS + 1;
        if (memcmp(h + at, b->pages[q], (size_t)used * sizeof(int)) == 0)
            continue; /* there already */
        memcpy(h + at, b->pages[q], (size_t)used * sizeof(int));
        CU_TRY(e, cudaMemcpyAsync(m->w.step + at, h + at, (size_t)used * sizeof(int),
                                  cudaMemcpyHostToDevice, m->b->stream));
    }
    return OK;
}

static void list_wanted(cuda_model *m, const k_batch *b) {
    m->n_want = 0;
    for (int i = 0; i < b->n; i++) {
        if (b->want[i]) m->want_rows[m->n_want++] = i;
    }
}

/* Copies the batch to the device; `n` rows of which those behind batch->n repeat the last. */
static status upload_step(cuda_model *m, const k_batch *b, int n, bool alone, int *n_tiles,
                          err *e) {
    int *h = m->step_host;
    list_wanted(m, b);
    for (int i = 0; i < n; i++) {
        int from = MIN(i, b->n - 1);
        h[m->at.token + (size_t)i] = b->token[from];
        h[m->at.pos + (size_t)i] = b->pos[from];
        h[m->at.seq + (size_t)i] = b->seq[from];
    }
    k_batch padded = *b;
    padded.seq = h + m->at.seq;
    *n_tiles = fill_tiles(m, &padded, n, alone, h + m->at.tiles);
    for (int i = 0; i < HEAD_ROWS; i++)
        h[m->at.want + (size_t)i] = m->n_want ? m->want_rows[MIN(i, m->n_want - 1)] : 0;
    size_t head = m->at.tiles + 3 * (size_t)*n_tiles;
    CU_TRY(e,
           cudaMemcpyAsync(m->w.step, h, head * sizeof(int), cudaMemcpyHostToDevice, m->b->stream));
    return upload_pages(m, b, e);
}

/* The best tokens of a launch of the token kernel come as writes to host memory, the id last.
 * Looking there sees them before the device has ended the kernel and told the driver so, and
 * launching the next step overlaps with that.  What follows goes through the same stream, so that
 * it is behind the kernel all the same. */
enum { NOT_YET = -1, LOOKS = 1 << 12 };

static void expect_best(cuda_model *m, int n) {
    for (int i = 0; i < n; i++)
        __atomic_store_n(&m->top_host[i].id, (int)NOT_YET, __ATOMIC_RELEASE);
}

static status await_best(cuda_model *m, int n, err *e) {
    for (int i = 0; i < n; i++) {
        for (int looks = 1; __atomic_load_n(&m->top_host[i].id, __ATOMIC_ACQUIRE) == NOT_YET;
             looks++) {
            if (looks % LOOKS) continue;
            cudaError_t code = cudaStreamQuery(m->b->stream); /* a failed kernel writes nothing */
            if (code == cudaErrorNotReady) continue;
            CU_TRY(e, code);
            CU_TRY(e, cudaStreamSynchronize(m->b->stream));
            break; /* it has ended: the id is there */
        }
    }
    return OK;
}

/* A decode step of at most DECODE_ROWS_MAX rows; without `head` x is all that it leaves. */
static status decode_step(cuda_model *m, const k_batch *b, bool head, err *e) {
    int n_tiles, slot;
    int n = decode_rows(b->n, &slot);
    if (m->token) {
        list_wanted(m, b);
        if (!head) m->n_want = 0;
        expect_best(m, m->n_want);
        status s = upload_pages(m, b, e);
        if (s == OK) s = cuda_token_step(m, b, e);
        if (s == OK && m->n_want) {
            m->head_group = 0;
            return await_best(m, m->n_want, e);
        }
        if (s != OK) return s;
    } else {
        launch_ctx eager = {m->b->stream, false};
        status s = upload_step(m, b, n, true, &n_tiles, e);
        if (s == OK && !m->eager && !m->graph[slot]) s = capture(m, slot, n, e);
        if (s != OK) return s;
        CU_TRY(e,
               m->eager ? decode_all(m, &eager, n) : cudaGraphLaunch(m->graph[slot], m->b->stream));
    }
    CU_TRY(e, cudaStreamSynchronize(m->b->stream));
    if (head && m->n_want) m->head_group = 0;
    return OK;
}

static k_batch part_of(const k_batch *b, int from, int n) {
    k_batch part = *b;
    part.n = n;
    part.token += from;
    part.pos += from;
    part.seq += from;
    part.want += from;
    return part;
}

/* Two decode steps, the later rows last because they read what the earlier ones write; the kernels
 * know only the first rows of x, so the halves change places (by way of h, which only prompts
 * use). */
static status decode_halves(cuda_model *m, const k_batch *b, err *e) {
    const int first = DECODE_ROWS_MAX, rest = b->n - first;
    const size_t row = (size_t)m->s.dim;
    const k_batch halves[2] = {part_of(b, 0, first), part_of(b, first, rest)};
    const cudaMemcpyKind kind = cudaMemcpyDeviceToDevice;
    cudaStream_t st = m->b->stream;
    status s = decode_step(m, &halves[0], false, e);
    if (s != OK) return s;
    CU_TRY(e, cudaMemcpyAsync(m->w.h.high, m->w.x, first * row * sizeof(float), kind, st));
    s = decode_step(m, &halves[1], false, e);
    if (s != OK) return s;
    CU_TRY(e, cudaMemcpyAsync(m->w.x + first * row, m->w.x, (size_t)rest * row * sizeof(float),
                              kind, st));
    CU_TRY(e, cudaMemcpyAsync(m->w.x, m->w.h.high, first * row * sizeof(float), kind, st));
    list_wanted(m, b);
    if (m->n_want) return cuda_model_head(m, 0, e);
    CU_TRY(e, cudaStreamSynchronize(st));
    return OK;
}

/* Launching runs ahead of the device by two layers at most, so that a step that is not wanted any
 * more ends soon. */
static status keep_pace(cuda_model *m, const k_batch *b, int layer, err *e) {
    cudaEvent_t pace = m->pace[layer & 1];
    CU_TRY(e, cudaEventSynchronize(pace)); /* of the layer before the last */
    if (b->cancel && *b->cancel) {
        CU_TRY(e, cudaStreamSynchronize(m->b->stream));
        return err_set(e, ERR_CANCELLED, "the step was cancelled");
    }
    CU_TRY(e, cudaEventRecord(pace, m->b->stream));
    return OK;
}

static status prefill(cuda_model *m, const k_batch *b, err *e) {
    launch_ctx l = {m->b->stream, reads_strips(m, b->n) && !getenv("INLINED_NO_PDL")};
    int n_tiles, layer = 0, deepest = 0;
    for (int i = 0; i < b->n; i++)
        deepest = MAX(deepest, b->pos[i]);
    status s = upload_step(m, b, b->n, false, &n_tiles, e);
    for (int i = 0; i < m->n_ops && s == OK; i++) {
        s = prefill_op(m, &l, &m->ops[i], b->n, n_tiles, deepest, e);
        if (s == OK && m->ops[i].kind == OP_FFN_DOWN) s = keep_pace(m, b, layer++, e);
    }
    if (s != OK) return s;
    if (m->n_want) return cuda_model_head(m, 0, e);
    CU_TRY(e, cudaStreamSynchronize(m->b->stream));
    return OK;
}

status cuda_model_forward(cuda_model *m, const k_batch *b, err *e) {
    m->head_group = -1;
    if (b->n_seqs > SEQUENCES)
        return err_set(e, ERR_LIMIT, "%d sequences in one step; at most %d", b->n_seqs, SEQUENCES);
    list_wanted(m, b);
    /* A row of a prompt is multiplied as float16 in a step of one as in one of hundreds. */
    bool prompt = m->n_want == 0 || b->n > 2 * DECODE_ROWS_MAX;
    if (m->gemm_only || prompt) return prefill(m, b, e);
    if (b->n > DECODE_ROWS_MAX) return decode_halves(m, b, e);
    return decode_step(m, b, true, e);
}

/* Logits of wanted rows 8 * group .. + 7, unless they are there.  x of the last step is still in
 * place. */
status cuda_model_head(cuda_model *m, int group, err *e) {
    if (m->head_group == group) return OK;
    int left = MIN(m->n_want - group * HEAD_ROWS, (int)HEAD_ROWS), slot;
    int n = decode_rows(left, &slot);
    if (m->token) {
        expect_best(m, left);
        status s = cuda_token_head(m, m->want_rows + group * HEAD_ROWS, left, e);
        if (s == OK) s = await_best(m, left, e);
        if (s == OK) m->head_group = group;
        return s;
    }
    int *h = m->step_host + m->at.want;
    for (int i = 0; i < HEAD_ROWS; i++)
        h[i] = m->want_rows[group * HEAD_ROWS + MIN(i, left - 1)];
    CU_TRY(e, cudaMemcpyAsync(m->w.step + m->at.want, h, HEAD_ROWS * sizeof(int),
                              cudaMemcpyHostToDevice, m->b->stream));
    launch_ctx l = {m->b->stream, false};
    CU_TRY(e, head_rows(m, &l, &m->ops[m->n_ops - 1], n));
    CU_TRY(e, cudaStreamSynchronize(m->b->stream));
    m->head_group = group;
    return OK;
}

status cuda_model_top(cuda_model *m, int i, int count, int32_t *ids, float *logprobs, err *e) {
    status s = cuda_model_head(m, i / HEAD_ROWS, e);
    if (s != OK) return s;
    const top_one *t = &m->top_host[i % HEAD_ROWS];
    float base = t->max + logf(t->sum);
    if (count == 1) {
        ids[0] = t->id;
        logprobs[0] = t->logit - base;
        return OK;
    }
    launch_ctx l = {m->b->stream, false};
    const float *row = m->w.logits + (size_t)(i % HEAD_ROWS) * (size_t)m->s.vocab;
    CU_TRY(e, cuda_top_many(&l, row, m->s.vocab, count, m->w.many_cells, m->w.many));
    CU_TRY(e, cudaMemcpyAsync(m->many_host, m->w.many, (size_t)count * sizeof(float2),
                              cudaMemcpyDeviceToHost, l.stream));
    CU_TRY(e, cudaStreamSynchronize(l.stream));
    for (int k = 0; k < count; k++) {
        memcpy(&ids[k], &m->many_host[k].x, sizeof(int));
        logprobs[k] = m->many_host[k].y - base;
    }
    return OK;
}
