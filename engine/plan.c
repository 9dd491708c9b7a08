/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the plan: embed, then per layer QKV, attend, out, gate/up, down, then the head.
 *
 * All architectures share this list; a row of engine/arch.c decides which norms, biases, fusions
 * and scales are there.  A tensor that is bound has exactly the shape that the hyper-parameters
 * promise, so no kernel ever checks a size again.  A bias is taken when the file has one: no
 * architecture here has biases that must not be used.
 */
#include "engine/plan.h"

#include <math.h>

/* Binding state; the first failure sticks. */
typedef struct {
    plan *p;
    const arch *a;
    const gguf *g;
    int context;
    status status;
    err *e;
    uint64_t bytes_of[64]; /* per GGUF type number */
} binder;

static bool is_known_type(int type) {
    return type >= 0 && type < 64 && k_type_block((k_type)type) > 0;
}

/* Finds NAME; absent is fine.  True when it was there. */
static bool find(binder *b, k_tensor *out, const char *name, int64_t rows, int64_t cols) {
    *out = (k_tensor){0};
    const gguf_tensor *t = gguf_tensor_find(b->g, name);
    if (!t || b->status != OK) return false;
    bool flat = t->ne[2] == 1 && t->ne[3] == 1;
    if (!flat || t->ne[0] != (uint64_t)cols || t->ne[1] != (uint64_t)rows)
        b->status =
            err_set(b->e, ERR_FORMAT,
                    "%s: tensor %s is [%llu, %llu, %llu, %llu], but the model's parameters need "
                    "[%lld, %lld]",
                    gguf_path(b->g), name, (unsigned long long)t->ne[0],
                    (unsigned long long)t->ne[1], (unsigned long long)t->ne[2],
                    (unsigned long long)t->ne[3], (long long)cols, (long long)rows);
    else if (!is_known_type(t->type) || k_row_bytes((k_type)t->type, cols) == 0)
        b->status = err_set(b->e, ERR_UNSUPPORTED,
                            "%s: tensor %s has the type %s, which is not "
                            "supported; use a Q4_K_M, Q8_0 or F16 file of this model",
                            gguf_path(b->g), name, k_type_name(t->type));
    if (b->status != OK) return false;
    b->bytes_of[t->type] += t->bytes;
    *out = (k_tensor){(k_type)t->type, rows, cols, t->data, arena_printf(&b->p->mem, "%s", name)};
    return true;
}

static k_tensor get(binder *b, const char *name, int64_t rows, int64_t cols) {
    k_tensor t;
    if (!find(b, &t, name, rows, cols) && b->status == OK)
        b->status =
            err_set(b->e, ERR_FORMAT, "%s: the tensor %s is missing", gguf_path(b->g), name);
    return t;
}

static k_tensor vector(binder *b, const char *name, int64_t cols, bool must) {
    k_tensor t;
    if (!find(b, &t, name, 1, cols)) {
        if (must && b->status == OK)
            b->status =
                err_set(b->e, ERR_FORMAT, "%s: the tensor %s is missing", gguf_path(b->g), name);
        return t;
    }
    if (t.type != K_F32 && b->status == OK)
        b->status = err_set(b->e, ERR_UNSUPPORTED, "%s: tensor %s has the type %s instead of F32",
                            gguf_path(b->g), name, k_type_name((int)t.type));
    return t;
}

/* "blk.7.attn_q.weight"; layer -1: no prefix. */
static const char *name_of(binder *b, int layer, const char *stem, const char *kind) {
    if (layer < 0) return arena_printf(&b->p->mem, "%s.%s", stem, kind);
    return arena_printf(&b->p->mem, "blk.%d.%s.%s", layer, stem, kind);
}

static k_norm norm(binder *b, int layer, const char *stem, int64_t cols) {
    return (k_norm){
        .kind = b->a->row->norm,
        .weight = vector(b, name_of(b, layer, stem, "weight"), cols, true),
        .bias = vector(b, name_of(b, layer, stem, "bias"), cols, b->a->row->norm == NORM_LAYER),
        .eps = b->a->norm_eps,
    };
}

static void weight(binder *b, k_op *op, int i, int layer, const char *stem, int64_t rows,
                   int64_t cols) {
    op->w[i] = get(b, name_of(b, layer, stem, "weight"), rows, cols);
    op->bias[i] = vector(b, name_of(b, layer, stem, "bias"), rows, false);
}

/* `count` rows from `from` on, of a tensor that holds several matrices one below the other. */
static k_tensor rows_of(k_tensor t, int64_t from, int64_t count) {
    if (t.rows == 0) return t;
    t.data = (const char *)t.data + (size_t)from * k_row_bytes(t.type, t.cols);
    t.rows = count;
    return t;
}

/* The same for a bias: elements of a vector. */
static k_tensor elements_of(k_tensor t, int64_t from, int64_t count) {
    if (t.rows == 0) return t;
    t.data = (const float *)t.data + from;
    t.cols = count;
    return t;
}

/* ---- rope ------------------------------------------------------------------------------------ */

/* Source: YaRN (Peng et al. 2023), equations 17-23, with beta 32 and 1. */
static double yarn_frequency(const arch *a, int i, double base, double freq) {
    double n = a->rope_dims, before = a->rope_context_before;
    double low = floor(n * log(before / (32 * 2 * M_PI)) / (2 * log(base)));
    double high = ceil(n * log(before / (1 * 2 * M_PI)) / (2 * log(base)));
    low = fmax(low, 0);
    high = fmin(high, n - 1);
    double ramp = 1 - fmin(fmax((i - low) / fmax(high - low, 0.001), 0), 1);
    return freq / a->rope_factor * (1 - ramp) + freq * ramp;
}

static float rope_mscale(const binder *b) {
    const arch *a = b->a;
    if (a->rope_yarn) return (float)(1.0 + 0.1 * log(a->rope_factor));
    if (a->rope_attn_factor > 0) return (float)a->rope_attn_factor;
    return 1.0f;
}

static k_rope rope(binder *b, int layer) {
    const arch *a = b->a;
    int half = a->rope_dims / 2;
    bool local = layer >= 0 && arch_layer_is_local(a, layer) && (a->row->bits & ARCH_LOCAL_ROPE);
    bool long_context = a->rope_context_before > 0 && b->context > a->rope_context_before;
    k_tensor factors = vector(b, "rope_freqs.weight", half, false);
    if (factors.rows == 0)
        factors = vector(b, long_context ? "rope_factors_long.weight" : "rope_factors_short.weight",
                         half, false);
    if (b->status != OK) return (k_rope){0};
    float *freq = arena_alloc(&b->p->mem, (size_t)half * sizeof *freq);
    double base = local ? a->rope_base_local : a->rope_base;
    for (int i = 0; i < half; i++) {
        double f = pow(base, -2.0 * i / a->rope_dims);
        if (factors.rows && !local) f /= (double)((const float *)factors.data)[i];
        if (a->rope_yarn && a->rope_context_before > 0)
            f = yarn_frequency(a, i, base, f);
        else if (!local)
            f /= a->rope_factor;
        freq[i] = (float)f;
        if (!isfinite(freq[i]) && b->status == OK)
            b->status = err_set(b->e, ERR_FORMAT, "%s: rope factor %d is no usable number",
                                gguf_path(b->g), i);
    }
    return (k_rope){a->row->rope, a->rope_dims, freq, local ? 1.0f : rope_mscale(b)};
}

/* ---- layers ---------------------------------------------------------------------------------- */

static k_op attention_in(binder *b, int layer, const k_rope *turn) {
    const arch *a = b->a;
    int64_t q = (int64_t)a->heads * a->head_dim, kv = (int64_t)a->heads_kv * a->head_dim;
    k_op op = {.kind = OP_QKV,
               .n_head = a->heads,
               .n_head_kv = a->heads_kv,
               .head_dim = a->head_dim,
               .kv_layer = layer,
               .rope = *turn,
               .scale = 1.0f};
    op.norm = norm(b, layer, "attn_norm", a->dim);
    if (a->row->bits & ARCH_FUSED_QKV) {
        weight(b, &op, 0, layer, "attn_qkv", q + 2 * kv, a->dim);
        k_tensor all = op.w[0], bias = op.bias[0];
        const int64_t from[3] = {0, q, q + kv}, count[3] = {q, kv, kv};
        for (int i = 0; i < 3; i++) {
            op.w[i] = rows_of(all, from[i], count[i]);
            op.bias[i] = elements_of(bias, from[i], count[i]);
        }
    } else {
        weight(b, &op, 0, layer, "attn_q", q, a->dim);
        weight(b, &op, 1, layer, "attn_k", kv, a->dim);
        weight(b, &op, 2, layer, "attn_v", kv, a->dim);
    }
    if (a->row->bits & ARCH_QK_NORM) {
        op.q_norm = norm(b, layer, "attn_q_norm", a->head_dim);
        op.k_norm = norm(b, layer, "attn_k_norm", a->head_dim);
    }
    return op;
}

static k_op ffn_in(binder *b, int layer) {
    const arch *a = b->a;
    k_op op = {.kind = OP_GATE_UP, .act = a->row->act, .scale = 1.0f};
    op.norm = norm(b, layer, "ffn_norm", a->dim);
    if (a->row->bits & ARCH_FUSED_GATE_UP) {
        weight(b, &op, 1, layer, "ffn_up", 2 * (int64_t)a->ffn_dim, a->dim);
        op.w[0] = rows_of(op.w[1], 0, a->ffn_dim);
        op.w[1] = rows_of(op.w[1], a->ffn_dim, a->ffn_dim);
        op.bias[0] = elements_of(op.bias[1], 0, a->ffn_dim);
        op.bias[1] = elements_of(op.bias[1], a->ffn_dim, a->ffn_dim);
        return op;
    }
    if (!(a->row->bits & ARCH_NO_GATE)) weight(b, &op, 0, layer, "ffn_gate", a->ffn_dim, a->dim);
    weight(b, &op, 1, layer, "ffn_up", a->ffn_dim, a->dim);
    return op;
}

static void add_layer(binder *b, int layer, k_op *ops, const k_rope *turn) {
    const arch *a = b->a;
    bool post = a->row->bits & ARCH_POST_NORM;
    ops[0] = attention_in(b, layer, turn);
    ops[1] = (k_op){.kind = OP_ATTEND,
                    .scale = a->attn_scale,
                    .softcap = a->attn_softcap,
                    .n_head = a->heads,
                    .n_head_kv = a->heads_kv,
                    .head_dim = a->head_dim,
                    .kv_layer = layer,
                    .window = arch_layer_is_local(a, layer) ? a->window : 0};
    ops[2] = (k_op){.kind = OP_ATTN_OUT, .scale = a->residual_scale};
    weight(b, &ops[2], 0, layer, "attn_output", a->dim, (int64_t)a->heads * a->head_dim);
    if (post) ops[2].norm = norm(b, layer, "post_attention_norm", a->dim);
    ops[3] = ffn_in(b, layer);
    ops[4] = (k_op){.kind = OP_FFN_DOWN, .scale = a->residual_scale};
    weight(b, &ops[4], 0, layer, "ffn_down", a->dim, a->ffn_dim);
    if (post) ops[4].norm = norm(b, layer, "post_ffw_norm", a->dim);
}

static void add_ends(binder *b, k_op *embed, k_op *head) {
    const arch *a = b->a;
    *embed = (k_op){.kind = OP_EMBED, .scale = a->embed_scale};
    embed->w[0] = get(b, "token_embd.weight", a->vocab, a->dim);
    *head = (k_op){.kind = OP_HEAD, .scale = a->logit_scale, .softcap = a->final_softcap};
    head->norm = norm(b, -1, "output_norm", a->dim);
    if (!find(b, &head->w[0], "output.weight", a->vocab, a->dim))
        head->w[0] = embed->w[0]; /* tied */
    head->bias[0] = vector(b, "output.bias", a->vocab, false);
}

static k_type biggest_type(const binder *b) {
    int best = 0;
    for (int i = 1; i < (int)COUNTOF(b->bytes_of); i++)
        if (b->bytes_of[i] > b->bytes_of[best]) best = i;
    return (k_type)best;
}

status plan_build(plan *out, const arch *a, const gguf *g, int context, err *e) {
    plan p = {0};
    arena_init(&p.mem);
    binder b = {.p = &p, .a = a, .g = g, .context = context, .e = e};
    int n_ops = 2 + 5 * a->layers;
    k_op *ops = arena_alloc(&p.mem, (size_t)n_ops * sizeof *ops);
    add_ends(&b, &ops[0], &ops[n_ops - 1]);
    const k_rope none = {.kind = ROPE_NONE, .mscale = 1.0f};
    k_rope global = rope(&b, -1), local = global;
    for (int i = 0; i < a->layers && b.status == OK; i++) {
        bool use_local = arch_layer_is_local(a, i);
        if (use_local && i == 0) local = rope(&b, 0);
        const k_rope *turn = use_local ? &local : &global;
        add_layer(&b, i, ops + 1 + 5 * i, arch_layer_turns(a, i) ? turn : &none);
    }
    if (b.status != OK) {
        arena_deinit(&p.mem);
        return b.status;
    }
    p.main_type = biggest_type(&b);
    p.plan = (k_plan){.ops = ops,
                      .n_ops = n_ops,
                      .dim = a->dim,
                      .vocab = a->vocab,
                      .n_kv_layers = a->layers,
                      .n_head_kv = a->heads_kv,
                      .head_dim = a->head_dim,
                      .q_dim_max = a->heads * a->head_dim,
                      .ffn_dim_max = a->ffn_dim};
    *out = p;
    return OK;
}

void plan_deinit(plan *p) {
    arena_deinit(&p->mem);
    *p = (plan){0};
}
