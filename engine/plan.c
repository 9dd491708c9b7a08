/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the plan: embed, then per layer QKV, attend, out, gate/up, down, then the head.  Latent
 * attention and mixtures of experts have lists of their own (kernels.h says what they compute).
 *
 * All architectures share this list; a row of engine/arch.c decides which norms, biases, fusions
 * and scales are there.  A tensor that is bound has exactly the shape that the hyper-parameters
 * promise, so no kernel ever checks a size again.  A bias is taken when the file has one: no
 * architecture here has biases that must not be used.
 */
#include "engine/plan.h"

#include <math.h>

#define OPS_OF_LAYER 8 /* at most: latent attention and a mixture with shared experts */

/* Binding state; the first failure sticks. */
typedef struct {
    plan *p;
    const arch *a;
    const gguf *g;
    k_op *ops;
    int n_ops, context;
    status status;
    err *e;
    uint64_t bytes_of[64]; /* per GGUF type number */
} binder;

static bool is_known_type(int type) {
    return type >= 0 && type < 64 && k_type_block((k_type)type) > 0;
}

/* Finds `count` matrices one below the other; absent is fine.  True when they were there. */
static bool find_stack(binder *b, k_tensor *out, const char *name, int64_t rows, int64_t cols,
                       int64_t count) {
    *out = (k_tensor){0};
    const gguf_tensor *t = gguf_tensor_find(b->g, name);
    if (!t || b->status != OK) return false;
    bool fits = t->ne[0] == (uint64_t)cols && t->ne[1] == (uint64_t)rows &&
                t->ne[2] == (uint64_t)count && t->ne[3] == 1;
    if (!fits)
        b->status =
            err_set(b->e, ERR_FORMAT,
                    "%s: tensor %s is [%llu, %llu, %llu, %llu], but the model's parameters need "
                    "[%lld, %lld, %lld]",
                    gguf_path(b->g), name, (unsigned long long)t->ne[0],
                    (unsigned long long)t->ne[1], (unsigned long long)t->ne[2],
                    (unsigned long long)t->ne[3], (long long)cols, (long long)rows,
                    (long long)count);
    else if (!is_known_type(t->type) || k_row_bytes((k_type)t->type, cols) == 0)
        b->status = err_set(b->e, ERR_UNSUPPORTED,
                            "%s: tensor %s has the type %s, which is not "
                            "supported; use a Q4_K_M, Q8_0 or F16 file of this model",
                            gguf_path(b->g), name, k_type_name(t->type));
    if (b->status != OK) return false;
    b->bytes_of[t->type] += t->bytes;
    *out = (k_tensor){(k_type)t->type, rows * count, cols, t->data,
                      arena_printf(&b->p->mem, "%s", name)};
    return true;
}

static bool find(binder *b, k_tensor *out, const char *name, int64_t rows, int64_t cols) {
    return find_stack(b, out, name, rows, cols, 1);
}

static k_tensor get_stack(binder *b, const char *name, int64_t rows, int64_t cols, int64_t count) {
    k_tensor t;
    if (!find_stack(b, &t, name, rows, cols, count) && b->status == OK)
        b->status =
            err_set(b->e, ERR_FORMAT, "%s: the tensor %s is missing", gguf_path(b->g), name);
    return t;
}

static k_tensor get(binder *b, const char *name, int64_t rows, int64_t cols) {
    return get_stack(b, name, rows, cols, 1);
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

/* In a mixture a rounding may choose another expert; without rotation in every fourth layer the
 * attention's output was what put SmolLM3's worst log-probability behind llama.cpp's. */
static bool is_fine(const arch *a, k_op_kind kind) {
    return a->experts > 0 || (kind == OP_ATTN_OUT && (a->row->bits & ARCH_ROPE_SKIPS_4TH));
}

static void add(binder *b, const k_op *op) {
    b->ops[b->n_ops] = *op;
    b->ops[b->n_ops++].fine = is_fine(b->a, op->kind);
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
    if (a->yarn_scale > 0) return 1.0f; /* the attention's scale has it */
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

/* ---- latent attention ------------------------------------------------------------------------ */

/* The rows from..from+count-1 of each of `heads` matrices of `rows` rows, in memory of the plan;
 * with `turn` each piece transposed.  The inputs of these small matrices are kept as floats, so
 * quantised ones become F16 (whose rounding is far below that of their codes), others F32. */
static k_tensor rearranged(binder *b, k_tensor t, int64_t from, int64_t count, bool turn) {
    if (b->status != OK) return (k_tensor){0};
    int64_t heads = b->a->heads, rows = t.rows / heads, cols = t.cols;
    k_type type = k_type_block(t.type) > 1 ? K_F16 : K_F32;
    size_t size = k_type_bytes(type);
    uint8_t *to = arena_alloc(&b->p->mem, (size_t)(heads * count * cols) * size);
    float *row = arena_alloc(&b->p->mem, (size_t)cols * sizeof *row);
    for (int64_t i = 0; i < heads * count; i++) {
        int64_t head = i / count, r = i % count;
        size_t at = (size_t)(head * rows + from + r) * k_row_bytes(t.type, cols);
        k_dequant(t.type, (const char *)t.data + at, row, cols);
        uint8_t *piece = to + (size_t)(head * count * cols) * size;
        for (int64_t c = 0; c < cols; c++) {
            size_t place = (size_t)(turn ? c * count + r : r * cols + c) * size;
            k_half half = k_float_to_half(row[c]);
            memcpy(piece + place, type == K_F32 ? (void *)&row[c] : (void *)&half, size);
        }
    }
    return (k_tensor){type, heads * (turn ? cols : count), turn ? count : cols, to, t.name};
}

/* Per head from the plain part of a query to the latent vector, and from there to a value.  Newer
 * files have them as they are used; older ones as one matrix per head: keys, then values. */
static void latent_matrices(binder *b, int layer, k_tensor *keys, k_tensor *values) {
    const arch *a = b->a;
    const char *name = name_of(b, layer, "attn_k_b", "weight");
    if (find_stack(b, keys, name, a->latent_dim, a->plain_dim, a->heads)) {
        k_tensor v = get_stack(b, name_of(b, layer, "attn_v_b", "weight"), a->value_dim,
                               a->latent_dim, a->heads);
        *keys = rearranged(b, *keys, 0, a->latent_dim, false);
        *values = rearranged(b, v, 0, a->value_dim, false);
        return;
    }
    int64_t rows = a->plain_dim + a->value_dim;
    k_tensor both = get(b, name_of(b, layer, "attn_kv_b", "weight"), a->heads * rows,
                        a->latent_dim);
    *keys = rearranged(b, both, 0, a->plain_dim, true);
    *values = rearranged(b, both, a->plain_dim, a->value_dim, false);
}

static k_op latent_in(binder *b, int layer, const k_rope *turn, k_tensor *values) {
    const arch *a = b->a;
    k_op op = {.kind = OP_LATENT,
               .n_head = a->heads,
               .n_head_kv = 1,
               .head_dim = a->head_dim,
               .kv_layer = layer,
               .rope = *turn};
    op.norm = norm(b, layer, "attn_norm", a->dim);
    weight(b, &op, 0, layer, "attn_q", (int64_t)a->heads * (a->plain_dim + a->rope_dims), a->dim);
    weight(b, &op, 1, layer, "attn_kv_a_mqa", a->head_dim, a->dim);
    op.k_norm = norm(b, layer, "attn_kv_a_norm", a->latent_dim);
    latent_matrices(b, layer, &op.w[2], values);
    return op;
}

/* ---- mixtures of experts --------------------------------------------------------------------- */

/* The shared experts are an FFN beside the mixture: its first half is computed before the mixture
 * changes x, its second half is added after. */
static void add_mixture(binder *b, int layer) {
    const arch *a = b->a;
    int64_t shared = (int64_t)a->experts_shared * a->expert_dim;
    k_norm before = norm(b, layer, "ffn_norm", a->dim);
    k_op route = {.kind = OP_ROUTE,
                  .norm = before,
                  .scale = a->expert_scale,
                  .n_experts = a->experts,
                  .n_used = a->experts_used,
                  .shares = a->expert_shares};
    k_op mix = {.kind = OP_EXPERTS,
                .norm = before,
                .act = a->row->act,
                .n_experts = a->experts,
                .n_used = a->experts_used};
    weight(b, &route, 0, layer, "ffn_gate_inp", a->experts, a->dim);
    static const char *const stems[] = {"ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"};
    for (int i = 0; i < 3; i++)
        mix.w[i] = get_stack(b, name_of(b, layer, stems[i], "weight"),
                             i == 2 ? a->dim : a->expert_dim, i == 2 ? a->expert_dim : a->dim,
                             a->experts);
    if (shared > 0) {
        k_op beside = {.kind = OP_GATE_UP, .norm = before, .act = a->row->act, .scale = 1.0f};
        weight(b, &beside, 0, layer, "ffn_gate_shexp", shared, a->dim);
        weight(b, &beside, 1, layer, "ffn_up_shexp", shared, a->dim);
        add(b, &beside);
    }
    add(b, &route);
    add(b, &mix);
    if (shared > 0) {
        k_op beside = {.kind = OP_FFN_DOWN, .scale = 1.0f};
        weight(b, &beside, 0, layer, "ffn_down_shexp", a->dim, shared);
        add(b, &beside);
    }
}

/* ---- all layers ------------------------------------------------------------------------------ */

static void add_attention(binder *b, int layer, const k_rope *turn) {
    const arch *a = b->a;
    bool latent = a->row->bits & ARCH_LATENT;
    int64_t width = (int64_t)a->heads * (latent ? a->value_dim : a->head_dim);
    k_tensor values = {0};
    k_op in = latent ? latent_in(b, layer, turn, &values) : attention_in(b, layer, turn);
    k_op attend = {.kind = OP_ATTEND,
                   .scale = a->attn_scale,
                   .softcap = a->attn_softcap,
                   .n_head = a->heads,
                   .n_head_kv = a->heads_kv,
                   .head_dim = a->head_dim,
                   .kv_layer = layer,
                   .window = arch_layer_is_local(a, layer) ? a->window : 0};
    k_op expand = {.kind = OP_VALUES, .n_head = a->heads, .head_dim = a->head_dim, .w = {values}};
    k_op out = {.kind = OP_ATTN_OUT, .scale = a->residual_scale};
    weight(b, &out, 0, layer, "attn_output", a->dim, width);
    if (a->row->bits & ARCH_POST_NORM) out.norm = norm(b, layer, "post_attention_norm", a->dim);
    add(b, &in);
    add(b, &attend);
    if (latent) add(b, &expand);
    add(b, &out);
}

static void add_layer(binder *b, int layer, const k_rope *turn) {
    const arch *a = b->a;
    add_attention(b, layer, turn);
    if (arch_layer_is_mixture(a, layer)) {
        add_mixture(b, layer);
        return;
    }
    k_op in = ffn_in(b, layer);
    k_op down = {.kind = OP_FFN_DOWN, .scale = a->residual_scale};
    weight(b, &down, 0, layer, "ffn_down", a->dim, a->ffn_dim);
    if (a->row->bits & ARCH_POST_NORM) down.norm = norm(b, layer, "post_ffw_norm", a->dim);
    add(b, &in);
    add(b, &down);
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

/* Sizes that follow from the parameters alone. */
static k_plan sizes_of(const arch *a) {
    int64_t heads = a->heads, latent = a->row->bits & ARCH_LATENT;
    int64_t query = latent ? MAX(a->plain_dim + a->rope_dims, a->value_dim) : a->head_dim;
    int ffn = a->experts > 0 ? MAX(a->ffn_dim, MAX(a->experts_shared, 1) * a->expert_dim)
                             : a->ffn_dim;
    return (k_plan){.dim = a->dim,
                    .vocab = a->vocab,
                    .n_kv_layers = a->layers,
                    .n_head_kv = a->heads_kv,
                    .head_dim = a->head_dim,
                    .q_dim_max = (int)(heads * MAX(query, a->head_dim)),
                    .ffn_dim_max = ffn,
                    .n_experts = a->experts,
                    .n_used = a->experts_used};
}

status plan_build(plan *out, const arch *a, const gguf *g, int context, err *e) {
    plan p = {.plan = sizes_of(a)};
    arena_init(&p.mem);
    binder b = {.p = &p, .a = a, .g = g, .context = context, .e = e};
    b.ops = arena_alloc(&p.mem, (2 + OPS_OF_LAYER * (size_t)a->layers) * sizeof *b.ops);
    k_op embed, head;
    add_ends(&b, &embed, &head);
    add(&b, &embed);
    const k_rope none = {.kind = ROPE_NONE, .mscale = 1.0f};
    k_rope global = rope(&b, -1), local = global;
    for (int i = 0; i < a->layers && b.status == OK; i++) {
        bool use_local = arch_layer_is_local(a, i);
        if (use_local && i == 0) local = rope(&b, 0);
        const k_rope *turn = use_local ? &local : &global;
        add_layer(&b, i, arch_layer_turns(a, i) ? turn : &none);
    }
    add(&b, &head);
    if (b.status != OK) {
        arena_deinit(&p.mem);
        return b.status;
    }
    p.main_type = biggest_type(&b);
    p.plan.ops = b.ops;
    p.plan.n_ops = b.n_ops;
    *out = p;
    return OK;
}

void plan_deinit(plan *p) {
    arena_deinit(&p->mem);
    *p = (plan){0};
}
