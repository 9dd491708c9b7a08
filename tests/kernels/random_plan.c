/* SPDX-License-Identifier: Apache-2.0 */
/* See random_plan.h. */
#include "tests/kernels/random_plan.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/base/vec.h"

struct random_plan {
    k_plan plan;
    VEC(void *) owned;
    uint64_t seed, weight_bytes;
    float *inv_freq;
};

uint64_t random_next(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

static float uniform(uint64_t *state) {
    return (float)(random_next(state) >> 40) / 8388608.0f - 1.0f; /* -1 .. 1 */
}

/* Where a block keeps its half-precision scales, and what value gives a deviation of 0.02. */
typedef struct {
    int at[2];
    float value[2];
} scale_spec;

static scale_spec scales_of(k_type t) {
    switch (t) {
    case K_Q4_0: return (scale_spec){{0, -1}, {0.0043f, 0}};
    case K_Q4_1: return (scale_spec){{0, 2}, {0.0043f, -0.0325f}};
    case K_Q5_0: return (scale_spec){{0, -1}, {0.0022f, 0}};
    case K_Q5_1: return (scale_spec){{0, 2}, {0.0022f, -0.0335f}};
    case K_Q8_0: return (scale_spec){{0, -1}, {0.00027f, 0}};
    case K_Q2_K: return (scale_spec){{80, 82}, {0.0024f, 0.0036f}};
    case K_Q3_K: return (scale_spec){{108, -1}, {0.0005f, 0}};
    case K_Q4_K: return (scale_spec){{0, 2}, {0.000136f, 0.00102f}};
    case K_Q5_K: return (scale_spec){{0, 2}, {0.000068f, 0.00105f}};
    case K_Q6_K: return (scale_spec){{208, -1}, {0.000015f, 0}};
    case K_IQ4_NL: return (scale_spec){{0, -1}, {0.0003f, 0}};
    case K_IQ4_XS: return (scale_spec){{0, -1}, {0.000016f, 0}};
    case K_F32:
    case K_F16:
    case K_BF16:
    case K_MXFP4: break;
    }
    return (scale_spec){{-1, -1}, {0, 0}};
}

static void fill_floats(random_plan *p, k_type t, void *data, size_t n, float std) {
    for (size_t i = 0; i < n; i++) {
        float v = uniform(&p->seed) * std * 1.732f;
        uint32_t bits;
        memcpy(&bits, &v, sizeof bits);
        if (t == K_F32) ((float *)data)[i] = v;
        if (t == K_F16) ((uint16_t *)data)[i] = k_float_to_half(v);
        if (t == K_BF16) ((uint16_t *)data)[i] = (uint16_t)(bits >> 16);
    }
}

static void fill_blocks(random_plan *p, k_type t, uint8_t *data, size_t bytes) {
    size_t block = k_type_bytes(t);
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        uint64_t r = random_next(&p->seed);
        memcpy(data + i, &r, sizeof r);
    }
    scale_spec spec = scales_of(t);
    for (size_t at = 0; at + block <= bytes; at += block) {
        for (int k = 0; k < 2; k++) {
            if (spec.at[k] < 0) continue;
            k_half h = k_float_to_half(spec.value[k] * (1.0f + 0.25f * uniform(&p->seed)));
            memcpy(data + at + spec.at[k], &h, sizeof h);
        }
        if (t == K_MXFP4) data[at] = 120; /* 2^-8 times values up to 12 */
    }
}

static k_tensor tensor(random_plan *p, k_type t, int rows, int cols, const char *name) {
    size_t bytes = k_row_bytes(t, cols) * (size_t)rows;
    ASSERT(bytes);
    uint8_t *data = xmalloc(bytes + 8);
    vec_push(&p->owned, data);
    if (t == K_F32 || t == K_F16 || t == K_BF16)
        fill_floats(p, t, data, (size_t)rows * (size_t)cols, 0.02f);
    else
        fill_blocks(p, t, data, bytes);
    p->weight_bytes += bytes;
    return (k_tensor){t, rows, cols, data, name};
}

static k_tensor vector(random_plan *p, int n, float middle, float spread, const char *name) {
    float *data = xmalloc((size_t)n * sizeof *data);
    vec_push(&p->owned, data);
    for (int i = 0; i < n; i++)
        data[i] = middle + spread * uniform(&p->seed);
    return (k_tensor){K_F32, 1, n, data, name};
}

static k_norm norm(random_plan *p, const plan_shape *s, int n) {
    k_norm out = {.kind = s->layer_norm ? NORM_LAYER : NORM_RMS, .eps = 1e-6f};
    out.weight = vector(p, n, 1.0f, 0.1f, "norm");
    if (s->layer_norm) out.bias = vector(p, n, 0, 0.1f, "norm bias");
    return out;
}

static void add_qkv(random_plan *p, const plan_shape *s, k_op *op, int layer, k_type v_type) {
    int q = s->heads * s->head_dim, kv = s->kv_heads * s->head_dim;
    op->kind = OP_QKV;
    op->norm = norm(p, s, s->dim);
    op->w[0] = tensor(p, s->low, q, s->dim, "attn_q");
    op->w[1] = tensor(p, s->low, kv, s->dim, "attn_k");
    op->w[2] = tensor(p, v_type, kv, s->dim, "attn_v");
    if (s->bias) {
        op->bias[0] = vector(p, q, 0, 0.5f, "attn_q.bias");
        op->bias[1] = vector(p, kv, 0, 2.0f, "attn_k.bias");
        op->bias[2] = vector(p, kv, 0, 0.5f, "attn_v.bias");
    }
    if (s->qk_norm) {
        op->q_norm = norm(p, s, s->head_dim);
        op->k_norm = norm(p, s, s->head_dim);
    }
    op->rope = (k_rope){s->rope, s->n_rot, p->inv_freq, 1.0f};
    op->n_head = s->heads;
    op->n_head_kv = s->kv_heads;
    op->head_dim = s->head_dim;
    op->kv_layer = layer;
}

static void add_layer(random_plan *p, const plan_shape *s, k_op *op, int layer) {
    int eighth = s->layers / 8;
    bool more = layer < eighth || layer >= 7 * s->layers / 8 || (layer - eighth) % 3 == 2;
    k_type fine = s->mixed && !more ? s->low : s->high;
    add_qkv(p, s, &op[0], layer, fine);
    op[1] = op[0];
    op[1].kind = OP_ATTEND;
    memset(op[1].w, 0, sizeof op[1].w);
    op[1].scale = 1.0f / sqrtf((float)s->head_dim);
    op[1].softcap = s->attn_cap;
    op[1].window = layer % 2 ? s->window : 0;
    op[2] = (k_op){.kind = OP_ATTN_OUT, .scale = 1};
    op[2].w[0] = tensor(p, s->low, s->dim, s->heads * s->head_dim, "attn_output");
    if (s->post_norm) op[2].norm = norm(p, s, s->dim);
    if (s->out_bias) op[2].bias[0] = vector(p, s->dim, 0, 0.1f, "attn_output.bias");
    op[3] = (k_op){.kind = OP_GATE_UP, .act = s->act, .norm = norm(p, s, s->dim)};
    if (!s->no_gate) op[3].w[0] = tensor(p, s->low, s->ff, s->dim, "ffn_gate");
    op[3].w[1] = tensor(p, s->low, s->ff, s->dim, "ffn_up");
    if (s->out_bias) op[3].bias[1] = vector(p, s->ff, 0, 0.1f, "ffn_up.bias");
    op[4] = (k_op){.kind = OP_FFN_DOWN, .scale = 1};
    op[4].w[0] = tensor(p, fine, s->dim, s->ff, "ffn_down");
    if (s->post_norm) op[4].norm = norm(p, s, s->dim);
    if (s->out_bias) op[4].bias[0] = vector(p, s->dim, 0, 0.1f, "ffn_down.bias");
}

random_plan *random_plan_new(const plan_shape *s) {
    random_plan *p = xcalloc(1, sizeof *p);
    p->seed = s->seed ? s->seed : 0x9e3779b97f4a7c15u;
    p->inv_freq = xcalloc((size_t)s->n_rot / 2 + 1, sizeof *p->inv_freq);
    for (int i = 0; i < s->n_rot / 2; i++)
        p->inv_freq[i] = powf(10000.0f, -2.0f * (float)i / (float)s->n_rot);
    k_plan *k = &p->plan;
    k->n_ops = 2 + 5 * s->layers;
    k->ops = xcalloc((size_t)k->n_ops, sizeof *k->ops);
    k->dim = s->dim;
    k->vocab = s->vocab;
    k->n_kv_layers = s->layers;
    k->n_head_kv = s->kv_heads;
    k->head_dim = s->head_dim;
    k->q_dim_max = s->heads * s->head_dim;
    k->ffn_dim_max = s->ff;
    k->ops[0] = (k_op){.kind = OP_EMBED, .scale = 30};
    k->ops[0].w[0] = tensor(p, s->untied ? s->low : s->high, s->vocab, s->dim, "token_embd");
    if (s->untied) p->weight_bytes = 0; /* an untied embedding is read one row a token */
    for (int i = 0; i < s->layers; i++)
        add_layer(p, s, &k->ops[1 + 5 * i], i);
    k_op *head = &k->ops[k->n_ops - 1];
    *head =
        (k_op){.kind = OP_HEAD, .scale = 1, .softcap = s->final_cap, .norm = norm(p, s, s->dim)};
    head->w[0] = s->untied ? tensor(p, s->high, s->vocab, s->dim, "output") : k->ops[0].w[0];
    return p;
}

void random_plan_free(random_plan *p) {
    if (!p) return;
    for (size_t i = 0; i < p->owned.count; i++)
        xfree(p->owned.at[i]);
    vec_free(&p->owned);
    xfree(p->inv_freq);
    xfree(p->plan.ops);
    xfree(p);
}

const k_plan *random_plan_get(const random_plan *p) {
    return &p->plan;
}

uint64_t random_plan_weight_bytes(const random_plan *p) {
    return p->weight_bytes;
}
