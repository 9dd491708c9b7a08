/* SPDX-License-Identifier: Apache-2.0 */
/* Host side of the token kernel: which models it takes, how their matrices are dealt out, and the
 * launch of a step. */
#include "kernels/cuda/strips.cuh"
#include "kernels/cuda/token.cuh"

/* Attentions that are cut alike. */
typedef struct {
    int window, cells; /* cells: KV heads times tiles of heads */
} attend_class;

struct token_state {
    token_args args; /* what stays the same from step to step */
    size_t smem;
    unsigned formats; /* bit per wfmt */
    unsigned turn;    /* which of the two barrier counters comes next */
    int ops_body;     /* without the head */
    attend_class classes[TOKEN_CLASSES_MAX];
    int n_classes;
};

/* ---- which models ---------------------------------------------------------------------------- */

static bool has_strips(const k_tensor *t) {
    return t->rows == 0 || strip_tile_size(cuda_format(t->type)).chunks > 0;
}

/* A step is EMBED, five ops a layer, HEAD: who hands over to whom follows from an op's place. */
static k_op_kind kind_at(int i, int n_ops) {
    static const k_op_kind layer[] = {OP_QKV, OP_ATTEND, OP_ATTN_OUT, OP_GATE_UP, OP_FFN_DOWN};
    if (i == 0) return OP_EMBED;
    return i == n_ops - 1 ? OP_HEAD : layer[(i - 1) % 5];
}

static bool op_fits(const k_op *op, const k_plan *p) {
    for (int i = 0; i < 3; i++) {
        if (!has_strips(&op->w[i])) return false;
        if (op->w[i].cols % CHUNK) return false;
    }
    if (op->q_norm.weight.rows || op->k_norm.weight.rows) return false;
    if (op->norm.weight.rows && op->norm.kind != NORM_RMS) return false; /* its mean is of all x */
    bool post = op->kind == OP_ATTN_OUT || op->kind == OP_FFN_DOWN;
    if (post && op->norm.weight.rows) return false;
    if (op->kind == OP_GATE_UP) {
        bool gated = op->w[0].rows && op->w[0].type == op->w[1].type;
        if (!gated || op->bias[0].rows || op->bias[1].rows) return false;
    }
    return op->kind != OP_HEAD || !op->bias[0].rows || p->vocab % STRIP == 0;
}

/* The number of this attention's class, which is added where it is new; -1: there are too many. */
static int class_of(attend_class *classes, int *n, int window, int heads, int kv_heads) {
    int cells = kv_heads * ((heads / kv_heads + STRIP - 1) / STRIP);
    for (int i = 0; i < *n; i++)
        if (classes[i].window == window && classes[i].cells == cells) return i;
    if (*n == TOKEN_CLASSES_MAX) return -1;
    classes[*n] = {window, cells};
    return (*n)++;
}

/* Shared memory of a CTA for activations and rings: an H100 has 227 KB, an sm_120 card 99. */
#define SMEM_MIN (160u << 10)

/* True where the token kernel runs this model; the launch path takes the others. */
bool cuda_token_fits(const cuda_backend *b, const k_model_options *opt) {
    const k_plan *p = opt->plan;
    const char *wanted = getenv("INLINED_CUDA_TOKEN"); /* "0": for tests of the launch path */
    if (b->cc < 90 || !b->cooperative || b->smem_max < SMEM_MIN) return false;
    if (wanted && strcmp(wanted, "0") == 0) return false;
    if (opt->kv_type == KV_Q8) return false;
    if (p->dim > TOKEN_DIM_MAX || opt->kv_pages > TOKEN_PAGES_MAX) return false;
    if (cuda_head_dim_padded(p->head_dim) != p->head_dim) return false;
    int segs = 0, n = 0;
    attend_class classes[TOKEN_CLASSES_MAX];
    for (int i = 0; i < p->n_ops; i++) {
        const k_op *op = &p->ops[i];
        if (op->kind != kind_at(i, p->n_ops) || !op_fits(op, p)) return false;
        segs += op->kind == OP_QKV ? 3 : 1;
        bool attends = op->kind == OP_ATTEND;
        if (attends && class_of(classes, &n, op->window, op->n_head, op->n_head_kv) < 0)
            return false;
    }
    return segs <= TOKEN_SEGS_MAX;
}

/* Parts that a row's attention may be cut into. */
int cuda_token_parts(int kv_pages) {
    int all = (kv_pages + token_part_pages(kv_pages) - 1) / token_part_pages(kv_pages);
    return MAX(all, MIN((kv_pages + 3) / 4, 128));
}

/* ---- sizes ---------------------------------------------------------------------------------- */

static int padded_chunks(const wmat *w) {
    return w->tiles * strip_tile_size(w->fmt).chunks;
}

static int attend_bytes(int hd, int kv_pages, int parts) {
    int tokens = token_part_pages(kv_pages) * K_PAGE_TOKENS;
    int scores = tokens * 4 + (tokens + 8) * 2, merge = parts * 4;
    int queries = STRIP * token_q_stride(hd) + 2 * hd;
    return STRIP * (2 * 4 + hd * 4 + MAX(scores, merge)) + queries * (int)sizeof(__half);
}

/* Shared memory: activations first, the rings take what is left.  False: too little. */
static bool share_memory(cuda_model *m, token_state *t, int widest, int dim_chunks) {
    token_args *a = &t->args;
    int many = TOKEN_ROWS * 48;
    a->act_bytes = MAX(widest * 48, attend_bytes(m->s.hd, m->s.kv_pages, m->s.splits));
    a->act_bytes = MAX(a->act_bytes, dim_chunks * many);
    a->act_bytes = (a->act_bytes + 127) / 128 * 128;
    a->stage_chunks = a->act_bytes / many;
    size_t lists = (size_t)a->n_segs * sizeof(token_seg) + (size_t)a->list_words * 4;
    lists = (lists + 127) / 128 * 128;
    size_t fixed = cuda_token_static_smem() + lists + (size_t)a->act_bytes;
    if (fixed >= m->b->smem_max) return false;
    size_t left = m->b->smem_max - fixed;
    a->slots = (int)MIN(left / TOKEN_WARPS / (size_t)a->slot_bytes, (size_t)TOKEN_SLOTS_MAX);
    t->smem = (size_t)TOKEN_WARPS * (size_t)a->slots * (size_t)a->slot_bytes +
              (size_t)a->act_bytes + lists;
    a->defer = 2;
    return a->slots >= 2;
}

/* Warps that share a strip, at least `from` and at most `to`: whatever leaves the fewest strips to
 * the busiest CTA. */
static int fair_split(int strips, int ctas, int from, int to) {
    int best = from, least = INT32_MAX;
    for (int split = from; split <= to; split *= 2) {
        int abreast = TOKEN_WARPS / split, units = (strips + abreast - 1) / abreast;
        int busiest = (units + ctas - 1) / ctas * abreast;
        if (busiest < least) least = busiest, best = split;
    }
    return best;
}

/* Warps that share a strip of this op's matrices. */
static int split_of(k_op_kind kind, int strips, int ctas) {
    if (kind == OP_GATE_UP) return fair_split(strips, ctas, 4, 8); /* two strips make a HALF */
    return kind == OP_HEAD ? fair_split(strips, ctas, 2, 8) : TOKEN_WARPS;
}

static int units_of(k_op_kind kind, int rows, int ctas) {
    int strips = (rows + STRIP - 1) / STRIP, abreast = TOKEN_WARPS / split_of(kind, strips, ctas);
    return (strips + abreast - 1) / abreast;
}

static token_seg cut_up(const wmat *w, k_op_kind kind, int rows, int ctas) {
    token_seg s;
    memset(&s, 0, sizeof s);
    s.base = w->q;
    s.strips = (rows + STRIP - 1) / STRIP;
    s.tiles = (uint16_t)w->tiles;
    s.tile_bytes = (uint16_t)strip_tile_size(w->fmt).bytes;
    s.fmt = (uint8_t)w->fmt;
    while (1 << s.split_log < split_of(kind, s.strips, ctas))
        s.split_log++;
    return s;
}

/* Matrices that an op has in strips, and rows of matrix k: gate and up share theirs. */
static int count_segs(k_op_kind kind) {
    return kind == OP_EMBED || kind == OP_ATTEND ? 0 : kind == OP_QKV ? 3 : 1;
}

static int seg_rows(k_op_kind kind, int rows) {
    return kind == OP_GATE_UP ? 2 * rows : rows;
}

static int turns_words(int n_ops) {
    return TURN_WORDS * (n_ops + 1);
}

/* Words of a CTA's list at most. */
int cuda_token_words(const k_plan *p, int ctas) {
    int n = turns_words(p->n_ops);
    for (int i = 0; i < p->n_ops; i++) {
        const k_op *op = &p->ops[i];
        for (int k = 0; k < count_segs(op->kind); k++) {
            int units = units_of(op->kind, seg_rows(op->kind, op->w[k].rows), ctas);
            n += (units + ctas - 1) / ctas;
        }
    }
    return n;
}

/* ---- building -------------------------------------------------------------------------------- */

static void fill_op(token_op *t, const dev_op *op) {
    memset(t, 0, sizeof *t);
    t->kind = op->kind;
    t->norm = op->norm;
    t->scale = op->scale;
    t->softcap = op->softcap;
    for (int i = 0; i < 3; i++)
        t->bias[i] = op->strip_bias[i] ? op->strip_bias[i] : op->bias[i];
    t->rope = op->rope;
    t->common_rope = op->common_rope && op->rope.n_rot / 2 <= TOKEN_THREADS / TOKEN_ROWS;
    t->kv = op->kv;
    t->act = op->act;
    t->window = op->window;
    t->rows = op->w[0].rows;
    t->halves = op->w[0].cols / HALF;
}

/* What ops know of their neighbours. */
static void link_ops(const cuda_model *m, token_op *ops) {
    for (int i = 0; i < m->n_ops; i++) {
        token_op *t = &ops[i];
        bool gives = t->kind == OP_EMBED || t->kind == OP_ATTN_OUT || t->kind == OP_FFN_DOWN;
        if (gives) t->next = ops[i + 1].norm.w;
        if (t->kind == OP_ATTEND) t->rope = ops[i - 1].rope;
    }
}

/* Reads of 32 bytes by everybody that the L2 cache serves easily, again and again. */
enum { CROWD = 60000 };

/* Memory of a token_act, and of the mail that is none. */
size_t cuda_token_act_bytes(const dev_shape *s) {
    size_t chunk = 32 * sizeof(uint2) + TOKEN_ROWS * sizeof(float4);
    chunk += 2 * (TOKEN_ROWS * sizeof(float) + 2 * sizeof(uint4));
    return (size_t)s->token_chunks * chunk;
}

size_t cuda_token_mail_bytes(const dev_shape *s) {
    size_t pairs = (size_t)(s->n_head + 2 * s->n_head_kv) * (size_t)s->hd / 2;
    return ((size_t)s->dim + pairs) * sizeof(uint2);
}

static void place_acts(token_act *t, uint8_t *at, int chunks) {
    size_t n = (size_t)chunks;
    t->frag = (uint2 *)at;
    t->meta = (float4 *)(t->frag + n * 32);
    t->mail = (uint4 *)(t->meta + n * TOKEN_ROWS);
    t->halves = 2 * chunks;
    t->squares = (float *)(t->mail + n * 4);
}

static void fill_args(cuda_model *m, token_args *a, int n_segs) {
    const dev_work *w = &m->w;
    memset(a, 0, sizeof *a);
    a->rope.kind = ROPE_NONE;
    a->ops = (const token_op *)w->token_ops;
    a->segs = (const token_seg *)w->token_segs;
    a->n_segs = n_segs;
    a->lists = (const uint32_t *)w->token_lists;
    a->list_words = m->s.token_words;
    a->n_ops = m->n_ops;
    for (int i = 0; i < m->n_ops; i++)
        if (m->ops[i].kind == OP_QKV && m->ops[i].common_rope) a->rope = m->ops[i].rope;
    if (a->rope.n_rot / 2 > TOKEN_THREADS / TOKEN_ROWS) a->rope.kind = ROPE_NONE;
    a->pages = w->step + m->at.pages;
    a->pages_stride = m->s.kv_pages;
    a->embed = m->ops[0].w[0];
    a->embed_scale = m->ops[0].scale;
    a->x = w->x;
    a->dim = m->s.dim;
    a->one_by_dim = 1.0f / (float)m->s.dim;
    a->vocab = m->s.vocab;
    a->hd = m->s.hd;
    place_acts(&a->h, w->token_h, m->s.token_chunks);
    place_acts(&a->att, w->token_att, m->s.token_chunks);
    a->mail_x = (uint2 *)w->token_mail;
    a->mail_qkv = a->mail_x + m->s.dim;
    a->q = w->q;
    a->logits = w->logits;
    a->part = w->part;
    a->part_cells = m->s.splits;
    a->ticket = w->tickets;
}

/* Every matrix of the model, cut up; `units` of each op. */
static void cut_all(cuda_model *m, token_state *t, token_op *ops, token_seg *segs, int *units,
                    int *n_segs) {
    int n = 0, ctas = m->b->sms;
    for (int i = 0; i < m->n_ops; i++) {
        const dev_op *op = &m->ops[i];
        fill_op(&ops[i], op);
        ops[i].seg = n;
        for (int k = 0; k < count_segs(op->kind); k++, n++) {
            int rows = seg_rows(op->kind, op->w[k].rows);
            segs[n] = cut_up(&op->w[k], op->kind, rows, ctas);
            units[n] = units_of(op->kind, rows, ctas);
            t->formats |= 1u << segs[n].fmt;
            t->args.slot_bytes = MAX(t->args.slot_bytes, (int)segs[n].tile_bytes);
            ops[i].in_chunks = MAX(ops[i].in_chunks, padded_chunks(&op->w[k]));
            ops[i].crowded = (int64_t)ops[i].halves * MIN(units[n], ctas) > CROWD;
        }
    }
    link_ops(m, ops);
    *n_segs = n;
}

/* Who works in op i. */
static token_turn turn_of(token_state *t, const dev_op *op, int units, int ctas) {
    token_turn turn = {0, (uint16_t)MIN(units, ctas), 0, 0};
    if (op->kind == OP_EMBED) turn.workers = TURN_COUNTED;
    if (op->kind == OP_ATTEND)
        turn.workers =
            (uint16_t)(TURN_COUNTED | (1 + class_of(t->classes, &t->n_classes, op->window,
                                                    op->kv.n_head, op->kv.n_head_kv)));
    return turn;
}

/* The lists of all CTAs, [ctas][words].  Units go round: the next matrix starts where this one
 * ends; attention takes CTAs that have nothing to do before and behind it, while there are any.
 * Returns the most words that a CTA needs. */
static int deal_out(cuda_model *m, token_state *t, const token_op *ops, const int *units,
                    uint32_t *lists, int words) {
    int ctas = m->b->sms, shift = 0, most = 0;
    int *count = (int *)xcalloc((size_t)ctas, sizeof *count);
    for (int i = 0; i <= m->n_ops; i++) {
        int segs = i < m->n_ops ? count_segs(m->ops[i].kind) : 0, all = 0;
        int rank0 = shift; /* of the CTA whose rank is 0, where ranks count */
        if (i < m->n_ops && m->ops[i].kind == OP_ATTEND) rank0 += units[ops[i + 1].seg];
        for (int k = 0; k < segs; k++)
            all += units[ops[i].seg + k];
        token_turn turn = {0, 0, 0, 0};
        if (i < m->n_ops) turn = turn_of(t, &m->ops[i], all, ctas);
        for (int c = 0; c < ctas; c++) {
            turn.unit = (uint16_t)count[c];
            turn.rank = (uint16_t)((c + 2 * ctas - rank0 % ctas) % ctas);
            memcpy(lists + (size_t)c * (size_t)words + TURN_WORDS * i, &turn, sizeof turn);
        }
        for (int k = 0; k < segs; k++) {
            for (int u = 0; u < units[ops[i].seg + k]; u++) {
                int c = (u + shift) % ctas, turned = u / ctas % TOKEN_WARPS;
                uint32_t *list = lists + (size_t)c * (size_t)words + turns_words(m->n_ops);
                list[count[c]++] = (uint32_t)turned << UNIT_TURN |
                                   (uint32_t)(ops[i].seg + k) << UNIT_SEG | (uint32_t)u;
            }
            shift = (shift + units[ops[i].seg + k]) % ctas;
        }
    }
    for (int c = 0; c < ctas; c++)
        most = MAX(most, count[c]);
    xfree(count);
    return turns_words(m->n_ops) + most;
}

static status build_tables(cuda_model *m, token_state *t, token_op *ops, token_seg *segs,
                           int *units, err *e) {
    int n, widest = 0, dim_chunks = 0;
    cut_all(m, t, ops, segs, units, &n);
    for (int i = 0; i < m->n_ops; i++) {
        widest = MAX(widest, ops[i].in_chunks);
        bool normed = ops[i].kind == OP_QKV || ops[i].kind == OP_GATE_UP;
        if (normed) dim_chunks = MAX(dim_chunks, ops[i].in_chunks);
    }
    int slot_bytes = t->args.slot_bytes, words = m->s.token_words;
    size_t bytes = (size_t)m->b->sms * (size_t)words * sizeof(uint32_t);
    uint32_t *lists = (uint32_t *)xcalloc(1, bytes);
    ASSERT(deal_out(m, t, ops, units, lists, words) <= words);
    fill_args(m, &t->args, n);
    t->args.slot_bytes = slot_bytes;
    status s = OK;
    if (!share_memory(m, t, widest, dim_chunks) && !share_memory(m, t, widest, 0))
        s = err_set(e, ERR_LIMIT, "the device has too little shared memory for rows of %d columns",
                    widest * CHUNK);
    cudaError_t code =
        cudaMemcpy(m->w.token_ops, ops, (size_t)m->n_ops * sizeof *ops, cudaMemcpyHostToDevice);
    if (code == cudaSuccess)
        code = cudaMemcpy(m->w.token_segs, segs, (size_t)n * sizeof *segs, cudaMemcpyHostToDevice);
    if (code == cudaSuccess)
        code = cudaMemcpy(m->w.token_lists, lists, bytes, cudaMemcpyHostToDevice);
    if (code == cudaSuccess) code = cuda_token_prepare(t->formats, m->s.hd, m->b->smem_max);
    if (s == OK && code != cudaSuccess) s = cuda_fail(e, code, "tables", __FILE__, __LINE__);
    xfree(lists);
    return s;
}

/* Deals out every matrix of the model; the tables go to the device. */
status cuda_token_build(cuda_model *m, err *e) {
    token_state *t = (token_state *)xcalloc(1, sizeof *t);
    token_op *ops = (token_op *)xcalloc((size_t)m->n_ops, sizeof *ops);
    token_seg *segs = (token_seg *)xcalloc((size_t)m->n_ops * 3, sizeof *segs);
    int *units = (int *)xcalloc((size_t)m->n_ops * 3, sizeof *units);
    m->token = t;
    t->formats = 1u << m->ops[0].w[0].fmt;
    t->ops_body = m->n_ops - 1;
    status s = build_tables(m, t, ops, segs, units, e);
    xfree(ops);
    xfree(segs);
    xfree(units);
    return s;
}

void cuda_token_free(cuda_model *m) {
    xfree(m->token);
    m->token = NULL;
}

size_t cuda_token_op_bytes(void) {
    return sizeof(token_op);
}

size_t cuda_token_seg_bytes(void) {
    return sizeof(token_seg);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static status launch(cuda_model *m, token_args *a, err *e) {
    token_state *t = m->token;
    unsigned *bars = (unsigned *)m->w.token_bars; /* 128 bytes apart */
    a->bar = bars + 32 * (t->turn & 1);
    a->bar_other = bars + 32 * (~t->turn & 1);
    a->stamp = ++t->turn * (uint32_t)m->n_ops;
    CU_TRY(e, cuda_token_launch(m->b->stream, a, m->b->sms, t->smem, t->formats));
    if (a->n_want == 0) return OK;
    launch_ctx l = {m->b->stream, true}; /* its launch is under way when the kernel ends */
    CU_TRY(e, cuda_top_one(&l, m->w.logits, a->n_want, m->s.vocab, m->s.vocab, m->w.top_cells,
                           m->w.top_tickets, m->top_dev));
    return OK;
}

/* How much there is to do where that depends on the rows. */
static void count_work(const token_state *t, token_args *a) {
    a->counts[0] = a->n * a->embed.chunks;
    for (int k = 0; k < t->n_classes; k++) {
        a->counts[1 + k] = 0;
        for (int i = 0; i < a->n; i++)
            a->counts[1 + k] +=
                t->classes[k].cells * token_cut_of(a->pos[i], t->classes[k].window).parts;
    }
}

/* The rows of a batch of at most TOKEN_ROWS; page tables are on the device already. */
status cuda_token_step(cuda_model *m, const k_batch *b, err *e) {
    token_args a = m->token->args;
    a.n = b->n;
    a.n_want = m->n_want;
    for (int i = 0; i < b->n; i++) {
        a.token[i] = b->token[i];
        a.pos[i] = b->pos[i];
        a.seq[i] = b->seq[i];
    }
    for (int i = 0; i < TOKEN_ROWS; i++)
        a.wanted_as[i] = -1;
    for (int i = 0; i < m->n_want; i++) {
        a.want[i] = m->want_rows[i];
        a.wanted_as[a.want[i]] = i;
    }
    a.last = m->n_want ? m->n_ops : m->token->ops_body;
    count_work(m->token, &a);
    return launch(m, &a, e);
}

/* Only the head, for n rows of x. */
status cuda_token_head(cuda_model *m, const int *rows, int n, err *e) {
    token_args a = m->token->args;
    a.n = a.n_want = n;
    for (int i = 0; i < n; i++)
        a.want[i] = rows[i];
    a.first = m->token->ops_body;
    a.last = m->n_ops;
    a.counts[0] = n * a.embed.chunks;
    return launch(m, &a, e);
}
