/* SPDX-License-Identifier: Apache-2.0 */
/* Random tensors: the bytes of a block are random, then its binary16 scales are overwritten with
 * moderate values, so that every code and sub-scale occurs and nothing overflows.
 */
#include "tests/kernels/fixture.h"

#include <math.h>

const k_type all_types[] = {K_F32,  K_F16,  K_BF16, K_Q4_0, K_Q4_1, K_Q5_0,   K_Q5_1,   K_Q8_0,
                            K_Q2_K, K_Q3_K, K_Q4_K, K_Q5_K, K_Q6_K, K_IQ4_NL, K_IQ4_XS, K_MXFP4};
const int n_all_types = COUNTOF(all_types);

const char *const isa_names[] = {"amx", "avx512", "avxvnni", "avx2", "neondot", "neon", "scalar"};
const int n_isa_names = COUNTOF(isa_names);

uint32_t rng_next(rng *r) {
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(r->state >> 33) ^ (uint32_t)(r->state >> 52);
}

float rng_float(rng *r) {
    float sum = 0;
    for (int i = 0; i < 6; i++)
        sum += (float)(rng_next(r) & 0xffff) / 65536.0f - 0.5f;
    return sum * 1.41421356f;
}

int rng_below(rng *r, int bound) {
    return (int)(rng_next(r) % (uint32_t)bound);
}

/* Where a block keeps its binary16 scales, and how large a code times sub-scale gets. */
typedef struct {
    int at[2]; /* -1: none */
    float top;
} scale_place;

static scale_place place_of(k_type t) {
    switch (t) {
    case K_Q4_0: return (scale_place){{0, -1}, 8};
    case K_Q4_1: return (scale_place){{0, 2}, 15};
    case K_Q5_0: return (scale_place){{0, -1}, 16};
    case K_Q5_1: return (scale_place){{0, 2}, 31};
    case K_Q8_0: return (scale_place){{0, -1}, 128};
    case K_Q2_K: return (scale_place){{80, 82}, 45};
    case K_Q3_K: return (scale_place){{108, -1}, 128};
    case K_Q4_K: return (scale_place){{0, 2}, 900};
    case K_Q5_K: return (scale_place){{0, 2}, 1900};
    case K_Q6_K: return (scale_place){{208, -1}, 4000};
    case K_IQ4_NL: return (scale_place){{0, -1}, 127};
    case K_IQ4_XS: return (scale_place){{0, -1}, 4000};
    case K_F32:
    case K_F16:
    case K_BF16:
    case K_MXFP4: break;
    }
    return (scale_place){{-1, -1}, 1};
}

static void put_half(uint8_t *to, float f) {
    k_half h = k_float_to_half(f);
    memcpy(to, &h, sizeof h);
}

static void random_block(rng *r, k_type t, uint8_t *block, float size) {
    scale_place p = place_of(t);
    for (size_t i = 0; i < k_type_bytes(t); i++)
        block[i] = (uint8_t)rng_next(r);
    if (t == K_F32) {
        float f = size * rng_float(r);
        memcpy(block, &f, sizeof f);
    } else if (t == K_F16) {
        put_half(block, size * rng_float(r));
    } else if (t == K_BF16) {
        float f = size * rng_float(r);
        memcpy(block, (const uint8_t *)&f + 2, 2);
    } else if (t == K_MXFP4) {
        block[0] = (uint8_t)(128 + (int)floorf(log2f(size / 6)) + rng_below(r, 2));
    }
    float d = size / p.top * (1 + 0.5f * rng_float(r));
    if (p.at[0] >= 0) put_half(block + p.at[0], d);
    if (p.at[1] >= 0) put_half(block + p.at[1], t == K_Q4_1 || t == K_Q5_1 ? -d * p.top / 2 : d);
}

static void whole_block(rng *r, k_type t, uint8_t *block) {
    scale_place p = place_of(t);
    random_block(r, t, block, 1);
    float f = (float)(rng_below(r, 17) - 8);
    if (t == K_F32) memcpy(block, &f, sizeof f);
    if (t == K_F16) put_half(block, f);
    if (t == K_BF16) memcpy(block, (const uint8_t *)&f + 2, 2);
    if (t == K_MXFP4) block[0] = 128; /* its codes are halves, times two */
    for (int i = 0; i < 2; i++)
        if (p.at[i] >= 0) put_half(block + p.at[i], 1);
}

/* size 0: whole numbers */
static k_tensor tensor_of(arena *a, rng *r, k_type type, int64_t rows, int64_t cols, float size) {
    size_t bytes = k_row_bytes(type, cols) * (size_t)rows, block = k_type_bytes(type);
    ASSERT(bytes > 0);
    uint8_t *data = arena_alloc(a, bytes);
    for (size_t at = 0; at < bytes; at += block) {
        if (size > 0)
            random_block(r, type, data + at, size);
        else
            whole_block(r, type, data + at);
    }
    return (k_tensor){type, rows, cols, data, "random"};
}

k_tensor tensor_random(arena *a, rng *r, k_type type, int64_t rows, int64_t cols, float size) {
    return tensor_of(a, r, type, rows, cols, size);
}

k_tensor tensor_whole(arena *a, rng *r, k_type type, int64_t rows, int64_t cols) {
    return tensor_of(a, r, type, rows, cols, 0);
}

k_tensor vector_random(arena *a, rng *r, int64_t cols, float base, float size) {
    float *v = arena_alloc(a, (size_t)cols * sizeof *v);
    for (int64_t i = 0; i < cols; i++)
        v[i] = base + size * rng_float(r);
    return (k_tensor){K_F32, 1, cols, v, "random vector"};
}

static k_norm norm_random(arena *a, rng *r, k_norm_kind kind, int cols) {
    k_norm n = {.kind = kind, .weight = vector_random(a, r, cols, 1, 0.1f), .eps = 1e-5f};
    if (kind == NORM_LAYER) n.bias = vector_random(a, r, cols, 0, 0.1f);
    return n;
}

static void matrix_random(arena *a, rng *r, const shape *s, k_op *op, int slot, int rows,
                          int cols) {
    float size = 1.5f / sqrtf((float)cols);
    op->w[slot] = tensor_random(a, r, s->type, rows, cols, size);
    if (s->bias) op->bias[slot] = vector_random(a, r, rows, 0, 0.1f);
}

static k_rope rope_random(arena *a, const shape *s) {
    float *freq = arena_alloc(a, (size_t)(s->n_rot / 2 + 1) * sizeof *freq);
    for (int i = 0; i < s->n_rot / 2; i++)
        freq[i] = powf(10000, -2.0f * (float)i / (float)s->n_rot);
    return (k_rope){s->rope, s->n_rot, freq, 1};
}

static k_op latent_random(arena *a, rng *r, const shape *s, const k_rope *rope, k_op *values) {
    k_op op = {.kind = OP_LATENT, .norm = norm_random(a, r, s->norm, s->dim), .rope = *rope};
    int plain = s->head_dim - s->n_rot;
    float size = 1 / sqrtf((float)s->head_dim);
    matrix_random(a, r, s, &op, 0, s->heads * s->head_dim, s->dim);
    matrix_random(a, r, s, &op, 1, s->latent + s->n_rot, s->dim);
    op.w[2] = tensor_random(a, r, K_F16, s->heads * s->latent, plain, size);
    op.k_norm = norm_random(a, r, NORM_RMS, s->latent);
    *values = (k_op){.kind = OP_VALUES};
    values->w[0] = tensor_random(a, r, K_F32, s->heads * s->head_dim, s->latent, size);
    return op;
}

static k_op qkv_random(arena *a, rng *r, const shape *s, const k_rope *rope) {
    k_op op = {.kind = OP_QKV, .norm = norm_random(a, r, s->norm, s->dim), .rope = *rope};
    int q = s->heads * s->head_dim, kv = s->heads_kv * s->head_dim;
    matrix_random(a, r, s, &op, 0, q, s->dim);
    matrix_random(a, r, s, &op, 1, kv, s->dim);
    matrix_random(a, r, s, &op, 2, kv, s->dim);
    if (s->qk_norm) {
        op.q_norm = norm_random(a, r, NORM_RMS, s->head_dim);
        op.k_norm = norm_random(a, r, NORM_RMS, s->head_dim);
    }
    return op;
}

/* Returns how many operations it wrote. */
static int mixture_random(arena *a, rng *r, const shape *s, k_op *ops, const k_norm *norm) {
    ops[0] = (k_op){.kind = OP_ROUTE, .norm = *norm, .scale = 0.8f, .shares = s->tied};
    ops[0].w[0] = tensor_random(a, r, K_F32, s->experts, s->dim, 1 / sqrtf((float)s->dim));
    ops[1] = (k_op){.kind = OP_EXPERTS, .norm = *norm, .act = s->act};
    for (int i = 0; i < 2; i++) {
        ops[i].n_experts = s->experts;
        ops[i].n_used = s->used;
        ops[1].w[i] =
            tensor_random(a, r, s->type, s->experts * s->ffn, s->dim, 1.5f / sqrtf((float)s->dim));
    }
    ops[1].w[2] =
        tensor_random(a, r, s->type, s->experts * s->dim, s->ffn, 1.5f / sqrtf((float)s->ffn));
    return 2;
}

/* Returns how many operations it wrote. */
static int layer_random(arena *a, rng *r, const shape *s, k_op *ops, int layer,
                        const k_rope *rope) {
    int n = 0;
    k_op values = {0};
    ops[n++] = s->latent ? latent_random(a, r, s, rope, &values) : qkv_random(a, r, s, rope);
    ops[n++] = (k_op){.kind = OP_ATTEND,
                      .scale = 1 / sqrtf((float)s->head_dim),
                      .softcap = s->attn_softcap,
                      .window = layer % 2 ? s->window : 0};
    if (s->latent) ops[n++] = values;
    for (int i = 0; i < n; i++) {
        ops[i].n_head = s->heads;
        ops[i].n_head_kv = s->latent ? 1 : s->heads_kv;
        ops[i].head_dim = s->latent ? s->latent + s->n_rot : s->head_dim;
        ops[i].kv_layer = layer;
    }
    k_op *out = &ops[n++];
    *out = (k_op){.kind = OP_ATTN_OUT, .scale = 0.9f};
    matrix_random(a, r, s, out, 0, s->dim, s->heads * s->head_dim);
    k_op *in = &ops[n++];
    *in = (k_op){.kind = OP_GATE_UP, .act = s->act, .norm = norm_random(a, r, s->norm, s->dim)};
    if (!s->no_gate) matrix_random(a, r, s, in, 0, s->ffn, s->dim);
    matrix_random(a, r, s, in, 1, s->ffn, s->dim);
    if (s->experts) n += mixture_random(a, r, s, ops + n, &in->norm);
    k_op *down = &ops[n++];
    *down = (k_op){.kind = OP_FFN_DOWN, .scale = 1.1f};
    matrix_random(a, r, s, down, 0, s->dim, s->ffn);
    if (s->post_norm) {
        out->norm = norm_random(a, r, NORM_RMS, s->dim);
        down->norm = norm_random(a, r, NORM_RMS, s->dim);
    }
    return n;
}

k_plan plan_random(arena *a, rng *r, const shape *s) {
    int n = 1;
    k_op *ops = arena_alloc(a, (size_t)(2 + 8 * s->layers) * sizeof *ops);
    k_rope rope = rope_random(a, s);
    ops[0] = (k_op){.kind = OP_EMBED, .scale = 2};
    ops[0].w[0] = tensor_random(a, r, s->head_type, s->vocab, s->dim, 0.5f);
    for (int i = 0; i < s->layers; i++)
        n += layer_random(a, r, s, ops + n, i, &rope);
    k_op *head = &ops[n++];
    *head = (k_op){.kind = OP_HEAD,
                   .scale = 0.7f,
                   .softcap = s->final_softcap,
                   .norm = norm_random(a, r, s->norm, s->dim)};
    head->w[0] = s->tied ? ops[0].w[0] : tensor_random(a, r, s->head_type, s->vocab, s->dim, 0.2f);
    if (s->bias) head->bias[0] = vector_random(a, r, s->vocab, 0, 0.1f);
    return (k_plan){.ops = ops,
                    .n_ops = n,
                    .dim = s->dim,
                    .vocab = s->vocab,
                    .n_kv_layers = s->layers,
                    .n_head_kv = s->latent ? 1 : s->heads_kv,
                    .head_dim = s->latent ? s->latent + s->n_rot : s->head_dim,
                    .q_dim_max = s->heads * MAX(s->head_dim, s->latent + s->n_rot),
                    .ffn_dim_max = s->ffn,
                    .n_experts = s->experts,
                    .n_used = s->used};
}
