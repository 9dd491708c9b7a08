/* SPDX-License-Identifier: Apache-2.0 */
/* Architectures: the table, and reading hyper-parameters from a model file.
 *
 * Every architecture is a row of facts over one skeleton (engine/plan.c): x = embed; per layer x +=
 * attention(norm(x)), x += ffn(norm(x)); logits = head(norm(x)).  A new one is a row, and a bit for
 * what no row had before.  Every number is bounded before anything is allocated with it; products
 * of them fit 64 bits.
 *
 * Source: GGUF key names and per-architecture differences, as facts, from the GGUF specification
 * and the published model descriptions.
 */
#include "engine/arch.h"

#include <math.h>

#include "engine/base/limits.h"
#include "engine/base/nearest.h"
#include "engine/base/str.h"

/* clang-format off */
static const arch_row rows[] = {
    /* name        rope       norm        act            pattern, bits */
    {"deepseek2",  ROPE_NORM, NORM_RMS,   ACT_SILU,      0, ARCH_LATENT | ARCH_EXPERTS},
    {"gemma",      ROPE_NEOX, NORM_RMS,   ACT_GELU_TANH, 0, ARCH_EMBED_SQRT},
    {"gemma2",     ROPE_NEOX, NORM_RMS,   ACT_GELU_TANH, 2, ARCH_POST_NORM | ARCH_EMBED_SQRT},
    {"gemma3",     ROPE_NEOX, NORM_RMS,   ACT_GELU_TANH, 6, ARCH_POST_NORM | ARCH_EMBED_SQRT |
                                                            ARCH_QK_NORM | ARCH_LOCAL_ROPE},
    {"granite",    ROPE_NORM, NORM_RMS,   ACT_SILU,      0, ARCH_SCALES},
    {"llama",      ROPE_NORM, NORM_RMS,   ACT_SILU,      0, ARCH_EXPERTS | ARCH_EXPERT_SHARES},
    {"phi3",       ROPE_NEOX, NORM_RMS,   ACT_SILU,      0, ARCH_FUSED_QKV | ARCH_FUSED_GATE_UP},
    {"qwen2",      ROPE_NEOX, NORM_RMS,   ACT_SILU,      0, 0},
    {"qwen3",      ROPE_NEOX, NORM_RMS,   ACT_SILU,      0, ARCH_QK_NORM},
    {"qwen3moe",   ROPE_NEOX, NORM_RMS,   ACT_SILU,      0, ARCH_QK_NORM | ARCH_EXPERTS |
                                                            ARCH_EXPERT_SHARES},
    {"smollm3",    ROPE_NORM, NORM_RMS,   ACT_SILU,      0, ARCH_ROPE_SKIPS_4TH},
    {"starcoder2", ROPE_NEOX, NORM_LAYER, ACT_GELU_TANH, 0, ARCH_NO_GATE},
};
/* clang-format on */

/* Keys are looked up as "ARCH.suffix"; the first failure sticks. */
typedef struct {
    const gguf *g;
    const char *arch;
    status status;
    err *e;
    char key[160];
} reader;

static const char *key(reader *r, const char *suffix) {
    snprintf(r->key, sizeof r->key, "%s.%s", r->arch, suffix);
    return r->key;
}

static int check_int(reader *r, const char *suffix, int64_t v, int64_t min, int64_t max) {
    if (v >= min && v <= max) return (int)v;
    if (r->status == OK)
        r->status =
            err_set(r->e, ERR_FORMAT, "%s: %s.%s is %lld, which must be between %lld and %lld",
                    gguf_path(r->g), r->arch, suffix, (long long)v, (long long)min, (long long)max);
    return (int)min;
}

/* A whole number, or an array of them that are all the same (one per layer). */
static bool find_int(reader *r, const char *suffix, int64_t *out) {
    if (gguf_find_i64(r->g, key(r, suffix), out)) return true;
    gguf_type type;
    uint64_t count;
    if (!gguf_find_array(r->g, r->key, &type, &count) || count == 0 || count > LIMIT_MODEL_LAYERS)
        return false;
    int32_t values[LIMIT_MODEL_LAYERS];
    if (!gguf_array_i32(r->g, r->key, values, count)) return false;
    for (uint64_t i = 1; i < count; i++)
        if (values[i] != values[0] && r->status == OK)
            r->status = err_set(r->e, ERR_UNSUPPORTED,
                                "%s: %s differs from layer to layer, which is not supported yet",
                                gguf_path(r->g), r->key);
    *out = values[0];
    return true;
}

static int need_int(reader *r, const char *suffix, int64_t min, int64_t max) {
    int64_t v = min;
    if (!find_int(r, suffix, &v) && r->status == OK)
        r->status = err_set(r->e, ERR_FORMAT,
                            "%s: the key %s.%s is missing; the file is no complete "
                            "model",
                            gguf_path(r->g), r->arch, suffix);
    return check_int(r, suffix, v, min, max);
}

static int get_int(reader *r, const char *suffix, int fallback, int64_t min, int64_t max) {
    int64_t v;
    if (!find_int(r, suffix, &v)) return fallback;
    return check_int(r, suffix, v, min, max);
}

static double get_real(reader *r, const char *suffix, double fallback, double min, double max) {
    double v;
    if (!gguf_find_f64(r->g, key(r, suffix), &v)) return fallback;
    if (v >= min && v <= max) return v; /* false for NaN */
    if (r->status == OK)
        r->status = err_set(r->e, ERR_FORMAT, "%s: %s is %g, which must be between %g and %g",
                            gguf_path(r->g), r->key, v, min, max);
    return fallback;
}

static void refuse(reader *r, const char *what, const char *instead) {
    if (r->status == OK)
        r->status = err_set(r->e, ERR_UNSUPPORTED, "%s: %s is not supported for %s; use %s",
                            gguf_path(r->g), what, r->arch, instead);
}

/* Heads in two spellings: as the model computes them (key_length_mla), or, in older files, as only
 * key_length and value_length. */
static void read_latent(reader *r, arch *a) {
    a->latent_dim = need_int(r, "attention.kv_lora_rank", 2, 4096);
    int turned = need_int(r, "rope.dimension_count", 2, 1024);
    int key_dim = get_int(r, "attention.key_length_mla", a->head_dim, turned + 2, 1024);
    a->value_dim = get_int(r, "attention.value_length_mla", a->value_dim, 2, 1024);
    a->plain_dim = key_dim - turned;
    if (a->plain_dim < 2 && r->status == OK)
        r->status = err_set(r->e, ERR_FORMAT, "%s: keys of %d dimensions, %d of them rotated",
                            gguf_path(r->g), key_dim, turned);
    a->head_dim = a->latent_dim + turned;
    a->heads_kv = 1;
    if (get_int(r, "attention.q_lora_rank", 0, 0, 1 << 20) > 0)
        refuse(r, "a compressed query", "a Lite model, which has none");
}

static void read_shape(reader *r, arch *a) {
    a->layers = need_int(r, "block_count", 1, LIMIT_MODEL_LAYERS);
    a->dim = need_int(r, "embedding_length", 32, 65536);
    a->heads = need_int(r, "attention.head_count", 1, 1024);
    a->heads_kv = get_int(r, "attention.head_count_kv", a->heads, 1, a->heads);
    a->ffn_dim = need_int(r, "feed_forward_length", 32, 1 << 20);
    a->context_trained = need_int(r, "context_length", 1, 1 << 28);
    a->head_dim = get_int(r, "attention.key_length", MAX(a->dim / a->heads, 2), 2, 1024);
    a->value_dim = get_int(r, "attention.value_length", a->head_dim, 2, 1024);
    a->window = get_int(r, "attention.sliding_window", 0, 0, 1 << 28);
    if (r->status != OK) return;
    if (a->heads % a->heads_kv != 0)
        r->status = err_set(r->e, ERR_FORMAT, "%s: %d attention heads cannot share %d KV heads",
                            gguf_path(r->g), a->heads, a->heads_kv);
    else if (a->row->bits & ARCH_LATENT)
        read_latent(r, a);
    else if (a->value_dim != a->head_dim || a->head_dim % 2 != 0)
        r->status = err_set(r->e, ERR_UNSUPPORTED,
                            "%s: heads of %d key and %d value dimensions are "
                            "not supported",
                            gguf_path(r->g), a->head_dim, a->value_dim);
}

static void read_experts(reader *r, arch *a) {
    a->experts = get_int(r, "expert_count", 0, 0, LIMIT_MODEL_EXPERTS);
    if (a->experts == 0 || r->status != OK) return;
    if (!(a->row->bits & ARCH_EXPERTS)) refuse(r, "a mixture of experts", "a dense model");
    a->experts_used =
        need_int(r, "expert_used_count", 1, MIN(a->experts, LIMIT_MODEL_EXPERTS_USED));
    a->expert_dim = get_int(r, "expert_feed_forward_length", a->ffn_dim, 32, 1 << 20);
    a->experts_shared = get_int(r, "expert_shared_count", 0, 0, 64);
    a->dense_layers = get_int(r, "leading_dense_block_count", 0, 0, a->layers);
    a->expert_scale = (float)get_real(r, "expert_weights_scale", 1.0, 0.0, 1e3);
    if (a->expert_scale == 0.0f) a->expert_scale = 1.0f; /* how some files say "none" */
    a->expert_shares = a->row->bits & ARCH_EXPERT_SHARES;
    if (!a->expert_shares) gguf_find_bool(r->g, key(r, "expert_weights_norm"), &a->expert_shares);
    int gating = get_int(r, "expert_gating_func", 0, 0, 64);
    if (gating > 1) refuse(r, "this gating of experts", "a model whose router is a softmax");
    if (get_int(r, "expert_group_count", 1, 0, 64) > 1)
        refuse(r, "a choice of experts by groups", "a Lite model");
}

static void read_rope(reader *r, arch *a) {
    a->rope_dims = get_int(r, "rope.dimension_count", a->head_dim, 2, a->head_dim);
    a->yarn_scale = get_real(r, "rope.scaling.yarn_log_multiplier", 0.0, 0.0, 10.0);
    a->rope_base = get_real(r, "rope.freq_base", 10000.0, 1.0, 1e12);
    a->rope_base_local = a->row->bits & ARCH_LOCAL_ROPE
                             ? get_real(r, "rope.freq_base_swa", 10000.0, 1.0, 1e12)
                             : a->rope_base;
    a->rope_factor = get_real(r, "rope.scale_linear", 1.0, 0.0, 1e4); /* old files; 0: none */
    a->rope_context_before = get_int(r, "rope.scaling.original_context_length", 0, 0, 1 << 28);
    a->rope_attn_factor = get_real(r, "rope.scaling.attn_factor", 0.0, 0.0, 100.0);
    str type = STR("");
    if (gguf_find_str(r->g, key(r, "rope.scaling.type"), &type) && !str_eq(type, STR("none"))) {
        a->rope_factor = get_real(r, "rope.scaling.factor", a->rope_factor, 0.0, 1e4);
        a->rope_yarn = str_eq(type, STR("yarn"));
        if (!a->rope_yarn && !str_eq(type, STR("linear")) && !str_eq(type, STR("longrope")) &&
            r->status == OK)
            r->status = err_set(r->e, ERR_UNSUPPORTED, "%s: rope scaling \"%.*s\" is not supported",
                                gguf_path(r->g), STR_ARG(str_sub(type, 0, 32)));
    }
    if (a->rope_factor < 1.0) a->rope_factor = 1.0;
    bool finetuned;
    a->rope_off = (a->row->bits & ARCH_SCALES) &&
                  gguf_find_bool(r->g, key(r, "rope.scaling.finetuned"), &finetuned) && !finetuned;
    if (a->rope_dims % 2 != 0 && r->status == OK)
        r->status = err_set(r->e, ERR_FORMAT, "%s: %s.rope.dimension_count is odd", gguf_path(r->g),
                            r->arch);
}

static void read_scales(reader *r, arch *a) {
    const char *eps = a->row->norm == NORM_RMS ? "attention.layer_norm_rms_epsilon"
                                               : "attention.layer_norm_epsilon";
    a->norm_eps = (float)get_real(r, eps, 1e-5, 1e-12, 0.1);
    a->attn_softcap = (float)get_real(r, "attn_logit_softcapping", 0.0, 0.0, 1e6);
    a->final_softcap = (float)get_real(r, "final_logit_softcapping", 0.0, 0.0, 1e6);
    double scale = 1.0 / sqrt((double)a->head_dim);
    if (a->row->bits & ARCH_LATENT) {
        double sharper = 1.0 + a->yarn_scale * log(a->rope_factor);
        scale = sharper * sharper / sqrt((double)(a->plain_dim + a->rope_dims));
    }
    a->embed_scale = a->residual_scale = a->logit_scale = 1.0f;
    if (a->row->bits & ARCH_EMBED_SQRT) a->embed_scale = (float)sqrt((double)a->dim);
    if (a->row->bits & ARCH_SCALES) {
        scale = get_real(r, "attention.scale", scale, 1e-6, 1e6);
        a->residual_scale = (float)get_real(r, "residual_scale", 1.0, 1e-6, 1e6);
        a->embed_scale = (float)get_real(r, "embedding_scale", 1.0, 1e-6, 1e6);
        a->logit_scale = (float)(1.0 / get_real(r, "logit_scale", 1.0, 1e-6, 1e6));
    }
    /* Gemma 27B alone scales by the width per head instead of the head's own; 46 and 62 are its
     * layer counts in the second and third generation. */
    bool gemma_27b = (!strcmp(a->row->name, "gemma2") && a->layers == 46) ||
                     (!strcmp(a->row->name, "gemma3") && a->layers == 62);
    if (gemma_27b) scale = 1.0 / sqrt((double)a->dim / a->heads);
    a->attn_scale = (float)scale;
    if (a->row->window_pattern == 0)
        a->window = 0; /* windows that their makers trained but llama.cpp
                                                       and we ignore: context stays below them */
    if (!strcmp(a->row->name, "gemma2") && a->window == 0) a->window = 4096;
}

/* What people try that is not here, and the row that is nearest to it in what it is for. */
static const struct {
    const char *begins, *nearest;
} relatives[] = {
    {"qwen3", "qwen3"},     {"qwen", "qwen2"},       {"gemma", "gemma3"},
    {"llama", "llama"},     {"mllama", "llama"},     {"mistral", "llama"},
    {"deepseek", "deepseek2"}, {"phi", "phi3"},      {"granite", "granite"},
    {"starcoder", "starcoder2"}, {"codeshell", "starcoder2"}, {"refact", "starcoder2"},
    {"smollm", "smollm3"},  {"seed_oss", "qwen2"},   {"mellum", "llama"},
};

static const char *nearest_row(str name) {
    for (size_t i = 0; i < COUNTOF(relatives); i++)
        if (str_starts_with(name, str_of(relatives[i].begins))) return relatives[i].nearest;
    const char *best = "llama";
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        size_t distance = name_distance(name, str_of(rows[i].name));
        if (distance < least && name_is_near(name, distance)) {
            least = distance;
            best = rows[i].name;
        }
    }
    return best;
}

static status find_row(arch *a, const gguf *g, err *e) {
    str name;
    if (!gguf_find_str(g, "general.architecture", &name))
        return err_set(e, ERR_FORMAT,
                       "%s: the key general.architecture is missing; this is no model",
                       gguf_path(g));
    char known[160] = "";
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        if (str_eq(name, str_of(rows[i].name))) a->row = &rows[i];
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", rows[i].name);
    }
    if (!a->row)
        return err_set(e, ERR_UNSUPPORTED,
                       "%s: the architecture \"%.*s\" is not supported; the nearest that works is "
                       "%s (all: %s)",
                       gguf_path(g), STR_ARG(str_sub(name, 0, 32)), nearest_row(name), known);
    snprintf(a->name, sizeof a->name, "%s", a->row->name);
    return OK;
}

status arch_read(arch *out, const gguf *g, err *e) {
    arch a = {0};
    status s = find_row(&a, g, e);
    if (s != OK) return s;
    reader r = {.g = g, .arch = a.row->name, .e = e};
    read_shape(&r, &a);
    if (r.status != OK) return r.status;
    read_experts(&r, &a);
    read_rope(&r, &a);
    read_scales(&r, &a);
    if (r.status != OK) return r.status;
    const gguf_tensor *embed = gguf_tensor_find(g, "token_embd.weight");
    if (!embed)
        return err_set(e, ERR_FORMAT, "%s: the tensor token_embd.weight is missing", gguf_path(g));
    if (embed->ne[1] < 1 || embed->ne[1] > LIMIT_MODEL_VOCAB)
        return err_set(e, ERR_LIMIT, "%s: a vocabulary of %llu tokens is outside 1..%d",
                       gguf_path(g), (unsigned long long)embed->ne[1], LIMIT_MODEL_VOCAB);
    a.vocab = (int)embed->ne[1];
    *out = a;
    return OK;
}

bool arch_layer_turns(const arch *a, int layer) {
    bool skipped = (a->row->bits & ARCH_ROPE_SKIPS_4TH) && layer % 4 == 3;
    return !a->rope_off && !skipped;
}

bool arch_layer_is_local(const arch *a, int layer) {
    int n = a->row->window_pattern;
    return n > 0 && a->window > 0 && layer % n != n - 1;
}

bool arch_layer_is_mixture(const arch *a, int layer) {
    return a->experts > 0 && layer >= a->dense_layers;
}
