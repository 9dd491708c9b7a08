/* SPDX-License-Identifier: Apache-2.0 */
/* See tiny_model.h.  The vocabulary is GPT-2's kind: control tokens, all bytes, and merges that
 * build a few words of code from left to right.  Tensors are F32 and get their numbers after the
 * file is laid out, from their names' order and the seed.  Thread: one at a time.
 */
#include "tests/engine/tiny_model.h"

#include <unistd.h>

#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include "tests/engine/gguf_builder.h"

#define HEADS 4
#define HEADS_KV 2
/* deepseek2: what is cached, a head's rotated and plain part, its value; experts' width */
#define LATENT 16
#define TURNED 8
#define PLAIN 8
#define VALUE 16
#define EXPERTS 4
#define EXPERT_FFN 32
#define VOCAB_MAX 512

/* Those with a blank first, so that a blank is merged before the letters, as in real vocabularies.
 * */
static const char *const words[] = {" return", " the",   " = ",   " intermediate", "\n    ",
                                    "    ",    "return", "def ",  "int",           "self",
                                    "):",      "()",     "(self", "\n\n"};

typedef struct {
    gguf_builder b;
    const tiny_options *opt;
    const char *arch;
    int dim, head_dim, ffn;
    k_type matrices;                          /* of matrices whose rows are long enough */
    str tokens[VOCAB_MAX], merges[VOCAB_MAX]; /* in the byte-to-unicode spelling; heap */
    int32_t types[VOCAB_MAX];
    size_t n_tokens, n_merges;
} writer;

static bool is_left_out(const writer *w, const char *name) {
    return w->opt->without && str_ends_with(str_of(name), str_of(w->opt->without));
}

static void number(writer *w, const char *suffix, uint32_t v) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", w->arch, suffix);
    if (is_left_out(w, name)) return;
    bool odd = w->opt->odd_key && strcmp(suffix, w->opt->odd_key) == 0;
    builder_u32(&w->b, name, odd ? w->opt->odd_value : v);
}

static void real(writer *w, const char *suffix, float v) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", w->arch, suffix);
    builder_key(&w->b, name, GGUF_F32);
    strbuf_add(&w->b.kvs, &v, sizeof v);
}

/* ---- vocabulary -------------------------------------------------------------------------------
 * */

/* GPT-2's spelling of a byte: printable ones stand for themselves, the others move up to U+0100. */
static uint32_t spelling(int byte) {
    uint32_t next = 256;
    for (int b = 0; b < 256; b++) {
        bool same = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (b == byte) return same ? (uint32_t)b : next;
        if (!same) next++;
    }
    return 0;
}

static str spell(str s) {
    strbuf b;
    strbuf_init(&b, 256);
    for (size_t i = 0; i < s.len; i++) {
        char utf8[4];
        strbuf_add(&b, utf8, (size_t)utf8_encode(spelling((unsigned char)s.ptr[i]), utf8));
    }
    return str_of(strbuf_take(&b));
}

static bool add_token(writer *w, str spelled, int type) { /* takes spelled */
    for (size_t i = 0; i < w->n_tokens; i++) {
        if (!str_eq(w->tokens[i], spelled)) continue;
        xfree((void *)(uintptr_t)spelled.ptr);
        return false;
    }
    ASSERT(w->n_tokens < VOCAB_MAX);
    w->tokens[w->n_tokens] = spelled;
    w->types[w->n_tokens++] = type;
    return true;
}

/* Merges a word from left to right: each prefix becomes a token. */
static void add_word(writer *w, const char *word) {
    for (size_t n = 2; n <= strlen(word); n++) {
        if (!add_token(w, spell((str){word, n}), 1)) continue;
        str left = spell((str){word, n - 1}), right = spell((str){word + n - 1, 1});
        strbuf merge;
        strbuf_init(&merge, 256);
        strbuf_addf(&merge, "%.*s %.*s", STR_ARG(left), STR_ARG(right));
        w->merges[w->n_merges++] = str_of(strbuf_take(&merge));
        xfree((void *)(uintptr_t)left.ptr);
        xfree((void *)(uintptr_t)right.ptr);
    }
}

static void make_vocab(writer *w) {
    static const char *const control[] = {"<|endoftext|>", "<fim_prefix>", "<fim_suffix>",
                                          "<fim_middle>", "<file_sep>"};
    bool fim = w->opt->fim;
    for (size_t i = 0; i < COUNTOF(control); i++) {
        char none[16];
        snprintf(none, sizeof none, "<none%zu>", i);
        add_token(w, str_of(xstrdup(fim || i == 0 ? control[i] : none)), 3);
    }
    for (int b = 0; b < 256; b++)
        add_token(w, spell((str){&(char){(char)b}, 1}), 1);
    for (size_t i = 0; i < COUNTOF(words); i++)
        add_word(w, words[i]);
    for (size_t i = 0; i < w->opt->n_rules; i++) {
        if (w->opt->rules[i].after) add_word(w, w->opt->rules[i].after);
        add_word(w, w->opt->rules[i].best);
    }
    builder_str(&w->b, "tokenizer.ggml.model", "gpt2");
    builder_str(&w->b, "tokenizer.ggml.pre", "gpt-2");
    builder_strs(&w->b, "tokenizer.ggml.tokens", w->tokens, w->n_tokens);
    builder_i32s(&w->b, "tokenizer.ggml.token_type", w->types, w->n_tokens);
    builder_strs(&w->b, "tokenizer.ggml.merges", w->merges, w->n_merges);
    builder_u32(&w->b, "tokenizer.ggml.eos_token_id", TINY_END);
    if (w->opt->chat) builder_str(&w->b, "tokenizer.chat_template", w->opt->chat);
    if (!fim) return;
    builder_u32(&w->b, "tokenizer.ggml.fim_pre_token_id", TINY_PRE);
    builder_u32(&w->b, "tokenizer.ggml.fim_suf_token_id", TINY_SUF);
    builder_u32(&w->b, "tokenizer.ggml.fim_mid_token_id", TINY_MID);
    builder_u32(&w->b, "tokenizer.ggml.fim_sep_token_id", TINY_SEP);
}

static void free_vocab(writer *w) {
    for (size_t i = 0; i < w->n_tokens; i++)
        xfree((void *)(uintptr_t)w->tokens[i].ptr);
    for (size_t i = 0; i < w->n_merges; i++)
        xfree((void *)(uintptr_t)w->merges[i].ptr);
}

/* ---- tensors ----------------------------------------------------------------------------------
 * */

static void stack(writer *w, const char *name, int rows, int cols, int count) {
    if (is_left_out(w, name)) return;
    int extra = w->opt->wide && strcmp(name, w->opt->wide) == 0 ? 32 : 0;
    k_type type = rows > 1 && cols % 32 == 0 ? w->matrices : K_F32;
    builder_tensor(&w->b, name, (int)type,
                   count > 1  ? 3
                   : rows > 1 ? 2
                              : 1,
                   (uint64_t[]){(uint64_t)(cols + extra), (uint64_t)rows, (uint64_t)count});
}

static void tensor(writer *w, const char *name, int rows, int cols) {
    stack(w, name, rows, cols, 1);
}

static void block_tensor(writer *w, int layer, const char *stem, int rows, int cols, bool bias) {
    char name[96];
    snprintf(name, sizeof name, "blk.%d.%s.weight", layer, stem);
    tensor(w, name, rows, cols);
    if (!bias) return;
    snprintf(name, sizeof name, "blk.%d.%s.bias", layer, stem);
    tensor(w, name, 1, rows > 1 ? rows : cols);
}

/* `list`: names with a blank between them. */
static bool is_one_of(const char *arch, const char *list) {
    str rest = str_of(list), name;
    while (str_split(&rest, ' ', &name))
        if (str_eq(name, str_of(arch))) return true;
    return false;
}

static void make_mixture(writer *w, int i, bool shared) {
    static const char *const stems[] = {"ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"};
    for (int k = 0; k < 3; k++) {
        char name[96];
        snprintf(name, sizeof name, "blk.%d.%s.weight", i, stems[k]);
        stack(w, name, k == 2 ? w->dim : EXPERT_FFN, k == 2 ? EXPERT_FFN : w->dim, EXPERTS);
    }
    block_tensor(w, i, "ffn_gate_inp", EXPERTS, w->dim, false);
    if (!shared) return;
    block_tensor(w, i, "ffn_gate_shexp", EXPERT_FFN, w->dim, false);
    block_tensor(w, i, "ffn_up_shexp", EXPERT_FFN, w->dim, false);
    block_tensor(w, i, "ffn_down_shexp", w->dim, EXPERT_FFN, false);
}

/* Dense in the first layer, then a mixture with a shared expert. */
static void make_latent_layer(writer *w, int i) {
    block_tensor(w, i, "attn_norm", 1, w->dim, false);
    block_tensor(w, i, "ffn_norm", 1, w->dim, false);
    block_tensor(w, i, "attn_q", HEADS * (PLAIN + TURNED), w->dim, false);
    block_tensor(w, i, "attn_kv_a_mqa", LATENT + TURNED, w->dim, false);
    block_tensor(w, i, "attn_kv_a_norm", 1, LATENT, false);
    block_tensor(w, i, "attn_kv_b", HEADS * (PLAIN + VALUE), LATENT, false);
    block_tensor(w, i, "attn_output", w->dim, HEADS * VALUE, false);
    if (i > 0) {
        make_mixture(w, i, true);
        return;
    }
    block_tensor(w, i, "ffn_gate", w->ffn, w->dim, false);
    block_tensor(w, i, "ffn_up", w->ffn, w->dim, false);
    block_tensor(w, i, "ffn_down", w->dim, w->ffn, false);
}

static void make_layer(writer *w, int i) {
    const char *arch = w->arch;
    if (is_one_of(arch, "deepseek2")) {
        make_latent_layer(w, i);
        return;
    }
    bool layer_norm = is_one_of(arch, "starcoder2"), all_bias = layer_norm;
    bool qkv_bias = all_bias || is_one_of(arch, "qwen2");
    int q = HEADS * w->head_dim, kv = HEADS_KV * w->head_dim;
    block_tensor(w, i, "attn_norm", 1, w->dim, layer_norm);
    block_tensor(w, i, "ffn_norm", 1, w->dim, layer_norm);
    if (is_one_of(arch, "phi3")) {
        block_tensor(w, i, "attn_qkv", q + 2 * kv, w->dim, false);
    } else {
        block_tensor(w, i, "attn_q", q, w->dim, qkv_bias);
        block_tensor(w, i, "attn_k", kv, w->dim, qkv_bias);
        block_tensor(w, i, "attn_v", kv, w->dim, qkv_bias);
    }
    block_tensor(w, i, "attn_output", w->dim, q, all_bias);
    if (is_one_of(arch, "qwen3moe")) {
        make_mixture(w, i, false);
    } else {
        bool fused = is_one_of(arch, "phi3");
        block_tensor(w, i, "ffn_up", fused ? 2 * w->ffn : w->ffn, w->dim, all_bias);
        if (!layer_norm && !fused) block_tensor(w, i, "ffn_gate", w->ffn, w->dim, false);
        block_tensor(w, i, "ffn_down", w->dim, w->ffn, all_bias);
    }
    if (is_one_of(arch, "qwen3 qwen3moe gemma3")) {
        block_tensor(w, i, "attn_q_norm", 1, w->head_dim, false);
        block_tensor(w, i, "attn_k_norm", 1, w->head_dim, false);
    }
    if (is_one_of(arch, "gemma2 gemma3")) {
        block_tensor(w, i, "post_attention_norm", 1, w->dim, false);
        block_tensor(w, i, "post_ffw_norm", 1, w->dim, false);
    }
}

/* ---- the file ---------------------------------------------------------------------------------
 * */

static void make_parameters(writer *w) {
    number(w, "embedding_length", w->dim);
    number(w, "feed_forward_length", w->ffn);
    number(w, "attention.head_count", HEADS);
    bool latent = is_one_of(w->arch, "deepseek2");
    bool mixture = is_one_of(w->arch, "deepseek2 qwen3moe");
    number(w, "attention.head_count_kv", latent ? HEADS : HEADS_KV);
    number(w, "attention.key_length", latent ? PLAIN + TURNED : w->head_dim);
    number(w, "attention.value_length", latent ? VALUE : w->head_dim);
    number(w, "attention.sliding_window", 16);
    number(w, "rope.dimension_count", latent ? TURNED : w->head_dim);
    number(w, "expert_count", mixture ? EXPERTS : 0);
    if (mixture) {
        number(w, "expert_used_count", 2);
        number(w, "expert_feed_forward_length", EXPERT_FFN);
    }
    if (latent) {
        number(w, "attention.kv_lora_rank", LATENT);
        number(w, "attention.q_lora_rank", 0);
        number(w, "leading_dense_block_count", 1);
        number(w, "expert_shared_count", 1);
        number(w, "expert_group_count", 1);
        number(w, "expert_gating_func", 1);
    }
    number(w, "block_count", (uint32_t)(w->opt->layers ? w->opt->layers : 2));
    number(w, "context_length", (uint32_t)(w->opt->context ? w->opt->context : 256));
    real(w,
         is_one_of(w->arch, "starcoder2") ? "attention.layer_norm_epsilon"
                                          : "attention.layer_norm_rms_epsilon",
         1e-5f);
    if (is_one_of(w->arch, "gemma2")) {
        real(w, "attn_logit_softcapping", 2.0f);
        real(w, "final_logit_softcapping", 3.0f);
    }
    if (is_one_of(w->arch, "gemma3")) real(w, "rope.freq_base", 1e6f);
    if (is_one_of(w->arch, "granite")) {
        real(w, "attention.scale", 0.25f);
        real(w, "residual_scale", 0.5f);
        real(w, "embedding_scale", 6.0f);
        real(w, "logit_scale", 3.0f);
    }
}

/* The next number between -1/4 and 1/4. */
static float next_weight(uint32_t *rng) {
    *rng = *rng * 1664525u + 1013904223u;
    return ((float)(*rng >> 8) * 0x1p-24f - 0.5f) * 0.5f;
}

/* Blocks of a scale of 1/512, which is 0x1800 as binary16, and codes. */
static void fill_q8_0(uint8_t *to, uint64_t bytes, uint32_t *rng) {
    for (uint64_t at = 0; at < bytes; at += 34) {
        to[at] = 0x00;
        to[at + 1] = 0x18;
        for (int k = 0; k < 32; k++)
            to[at + 2 + k] = (uint8_t)(int8_t)(next_weight(rng) * 508.0f);
    }
}

/* Norms are near 1, everything else near 0. */
static void fill_weights(char *bytes, size_t n, uint32_t seed) {
    gguf *g;
    err e;
    if (gguf_parse(&g, bytes, n, "tiny", &e) != OK) return; /* the test wants a bad file */
    uint32_t rng = seed * 2654435761u + 1;
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        bool norm = str_find(t->name, STR("norm.weight")) >= 0;
        if (t->type == K_Q8_0) {
            fill_q8_0((uint8_t *)(uintptr_t)t->data, t->bytes, &rng);
            continue;
        }
        float *to = (float *)(uintptr_t)t->data;
        for (uint64_t k = 0; k < t->bytes / 4; k++) {
            float v = next_weight(&rng);
            to[k] = norm ? 1.0f + 0.1f * v : v;
        }
    }
    gguf_close(g);
}

static size_t token_id(const writer *w, const char *text) {
    str spelled = spell(str_of(text));
    size_t id = 0;
    while (id < w->n_tokens && !str_eq(w->tokens[id], spelled))
        id++;
    xfree((void *)(uintptr_t)spelled.ptr);
    ASSERT(id < w->n_tokens);
    return id;
}

static float *floats_of(const gguf *g, const char *name) {
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        if (str_eq(t->name, str_of(name))) return (float *)(uintptr_t)t->data;
    }
    return NULL;
}

/* Layers add nothing.  A token's vector is 1 at the number of its rule (0: the one for all others),
 * and a row of the output says how much its token wants to follow each rule. */
static void fill_rules(const writer *w, char *bytes, size_t n) {
    gguf *g;
    err e;
    status s = gguf_parse(&g, bytes, n, "tiny", &e);
    ASSERT(s == OK && w->opt->n_rules < (size_t)w->dim);
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        bool norm = str_find(t->name, STR("norm.weight")) >= 0;
        float *to = (float *)(uintptr_t)t->data;
        for (uint64_t k = 0; k < t->bytes / 4; k++)
            to[k] = norm;
    }
    float *in = floats_of(g, "token_embd.weight"), *out = floats_of(g, "output.weight");
    size_t dim = (size_t)w->dim;
    for (size_t id = 0; id < w->n_tokens; id++)
        in[id * dim] = 1;
    for (size_t i = 0; i < w->opt->n_rules; i++) {
        const tiny_rule *r = &w->opt->rules[i];
        size_t at = r->after ? i + 1 : 0;
        if (r->after) {
            in[token_id(w, r->after) * dim] = 0;
            in[token_id(w, r->after) * dim + at] = 1;
        }
        out[token_id(w, r->best) * dim + at] = 2;
        if (r->second) out[token_id(w, r->second) * dim + at] = 1;
    }
    gguf_close(g);
}

char *tiny_model_make(const tiny_options *opt, size_t *n) {
    writer *w = xcalloc(1, sizeof *w);
    w->opt = opt;
    w->arch = opt->arch ? opt->arch : "llama";
    w->dim = opt->card ? 128 : 32;
    w->head_dim = opt->card ? 64 : 8;
    w->ffn = opt->card ? 256 : 64;
    w->matrices = opt->card ? K_Q8_0 : K_F32;
    builder_init(&w->b);
    if (!is_left_out(w, "general.architecture"))
        builder_str(&w->b, "general.architecture", w->arch);
    builder_str(&w->b, "general.name", opt->name ? opt->name : "tiny");
    make_parameters(w);
    make_vocab(w);
    tensor(w, "token_embd.weight", (int)w->n_tokens, w->dim);
    tensor(w, "output_norm.weight", 1, w->dim);
    if (is_one_of(w->arch, "starcoder2")) tensor(w, "output_norm.bias", 1, w->dim);
    for (int i = 0; i < (opt->layers ? opt->layers : 2); i++)
        make_layer(w, i);
    if (opt->n_rules) tensor(w, "output.weight", (int)w->n_tokens, w->dim);
    str file = builder_finish(&w->b);
    char *bytes = xmalloc(file.len);
    memcpy(bytes, file.ptr, file.len);
    *n = file.len;
    if (opt->n_rules)
        fill_rules(w, bytes, *n);
    else
        fill_weights(bytes, *n, opt->seed);
    builder_deinit(&w->b);
    free_vocab(w);
    xfree(w);
    return bytes;
}

void tiny_model_write(const tiny_options *opt, char path[static 128]) {
    const char *dir = getenv("TMPDIR");
    snprintf(path, 128, "%.100s/inlined-tiny-XXXXXX", dir ? dir : "/tmp");
    int fd = mkstemp(path);
    ASSERT(fd >= 0);
    size_t n;
    char *bytes = tiny_model_make(opt, &n);
    ASSERT(write(fd, bytes, n) == (ssize_t)n);
    close(fd);
    xfree(bytes);
}
