/* SPDX-License-Identifier: Apache-2.0 */
/* Writes GGUF v3: metadata, a GPT-2 style vocabulary whose merges build a few words of code, and F32
 * tensors with random numbers for any architecture of engine/arch.c.  Test code; one thread.
 */
#include "tests/engine/tiny_model.h"

#include <unistd.h>

#include "engine/base/mem.h"
#include "engine/base/utf8.h"

#define DIM 32
#define HEADS 4
#define HEADS_KV 2
#define HEAD_DIM 8
#define FFN 64
#define VOCAB_MAX 512

/* Those with a blank first, so that "Ġ r" is merged before "r e", as in real vocabularies. */
static const char *const words[] = {" return", " the",   " = ",   " intermediate", "\n    ",
                                    "    ",    "return", "def ",  "int",           "self",
                                    "):",      "()",     "(self", "\n\n"};

typedef struct {
    strbuf out;
    uint32_t n_keys, n_tensors;
    strbuf keys, infos, data;
    char *tokens[VOCAB_MAX]; /* in the byte-to-unicode spelling */
    int types[VOCAB_MAX];
    int n_tokens;
    strbuf merges; /* one a line */
    int n_merges;
    uint32_t rng;
} writer;

static void u32(strbuf *b, uint32_t v) {
    strbuf_add(b, &v, 4);
}
static void u64(strbuf *b, uint64_t v) {
    strbuf_add(b, &v, 8);
}
static void text(strbuf *b, str s) {
    u64(b, s.len);
    strbuf_add_str(b, s);
}
static void key(writer *w, const char *name, uint32_t type) {
    text(&w->keys, str_of(name));
    u32(&w->keys, type);
    w->n_keys++;
}
static void key_u32(writer *w, const char *name, uint32_t v) {
    key(w, name, 4);
    u32(&w->keys, v);
}
static void key_f32(writer *w, const char *name, float v) {
    key(w, name, 6);
    strbuf_add(&w->keys, &v, 4);
}
static void key_str(writer *w, const char *name, const char *v) {
    key(w, name, 8);
    text(&w->keys, str_of(v));
}

/* ---- vocabulary ---------------------------------------------------------------------------------- */

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

static char *spell(str s) {
    strbuf b;
    strbuf_init(&b, 256);
    for (size_t i = 0; i < s.len; i++) {
        char utf8[4];
        strbuf_add(&b, utf8, (size_t)utf8_encode(spelling((unsigned char)s.ptr[i]), utf8));
    }
    return strbuf_take(&b);
}

static bool add_token(writer *w, char *spelled, int type) { /* takes spelled */
    for (int i = 0; i < w->n_tokens; i++) {
        if (strcmp(w->tokens[i], spelled) != 0) continue;
        xfree(spelled);
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
        char *left = spell((str){word, n - 1}), *right = spell((str){word + n - 1, 1});
        if (add_token(w, spell((str){word, n}), 1)) {
            strbuf_addf(&w->merges, "%s %s\n", left, right);
            w->n_merges++;
        }
        xfree(left);
        xfree(right);
    }
}

static void make_vocab(writer *w, bool fim) {
    static const char *const control[] = {"<|endoftext|>", "<fim_prefix>", "<fim_suffix>",
                                          "<fim_middle>", "<file_sep>"};
    for (size_t i = 0; i < COUNTOF(control); i++) {
        char none[16];
        snprintf(none, sizeof none, "<none%zu>", i);
        add_token(w, xstrdup(fim || i == 0 ? control[i] : none), 3);
    }
    for (int b = 0; b < 256; b++)
        add_token(w, spell((str){&(char){(char)b}, 1}), 1);
    for (size_t i = 0; i < COUNTOF(words); i++)
        add_word(w, words[i]);
    key(w, "tokenizer.ggml.tokens", 9);
    u32(&w->keys, 8);
    u64(&w->keys, (uint64_t)w->n_tokens);
    for (int i = 0; i < w->n_tokens; i++)
        text(&w->keys, str_of(w->tokens[i]));
    key(w, "tokenizer.ggml.token_type", 9);
    u32(&w->keys, 5);
    u64(&w->keys, (uint64_t)w->n_tokens);
    for (int i = 0; i < w->n_tokens; i++)
        u32(&w->keys, (uint32_t)w->types[i]);
    key(w, "tokenizer.ggml.merges", 9);
    u32(&w->keys, 8);
    u64(&w->keys, (uint64_t)w->n_merges);
    str rest = strbuf_str(&w->merges), line;
    while (str_split(&rest, '\n', &line))
        if (line.len) text(&w->keys, line);
    key_str(w, "tokenizer.ggml.model", "gpt2");
    key_str(w, "tokenizer.ggml.pre", "gpt-2");
    key_u32(w, "tokenizer.ggml.eos_token_id", TINY_END);
    if (!fim) return;
    key_u32(w, "tokenizer.ggml.fim_pre_token_id", TINY_PRE);
    key_u32(w, "tokenizer.ggml.fim_suf_token_id", TINY_SUF);
    key_u32(w, "tokenizer.ggml.fim_mid_token_id", TINY_MID);
    key_u32(w, "tokenizer.ggml.fim_sep_token_id", TINY_SEP);
}

/* ---- tensors ------------------------------------------------------------------------------------- */

static float random_weight(writer *w) {
    w->rng = w->rng * 1664525u + 1013904223u;
    return ((float)(w->rng >> 8) * 0x1p-24f - 0.5f) * 0.5f;
}

static void tensor(writer *w, const char *name, int rows, int cols) {
    bool norm = strstr(name, "norm.weight") != NULL;
    text(&w->infos, str_of(name));
    u32(&w->infos, rows > 1 ? 2 : 1);
    u64(&w->infos, (uint64_t)cols);
    if (rows > 1) u64(&w->infos, (uint64_t)rows);
    u32(&w->infos, 0);
    u64(&w->infos, w->data.len);
    for (int i = 0; i < rows * cols; i++) {
        float v = norm ? 1.0f + random_weight(w) * 0.1f : random_weight(w);
        strbuf_add(&w->data, &v, 4);
    }
    while (w->data.len % 32)
        strbuf_add_char(&w->data, 0);
    w->n_tensors++;
}

static void block_tensor(writer *w, int layer, const char *stem, int rows, int cols, bool bias) {
    char name[96];
    snprintf(name, sizeof name, "blk.%d.%s.weight", layer, stem);
    tensor(w, name, rows, cols);
    if (!bias) return;
    snprintf(name, sizeof name, "blk.%d.%s.bias", layer, stem);
    tensor(w, name, 1, rows > 1 ? rows : cols);
}

static bool is_one_of(const char *arch, const char *list) {
    return strstr(list, arch) != NULL;
}

static void make_layer(writer *w, const char *arch, int i) {
    bool layer_norm = is_one_of(arch, "starcoder2"), all_bias = layer_norm;
    bool qkv_bias = all_bias || is_one_of(arch, "qwen2");
    int q = HEADS * HEAD_DIM, kv = HEADS_KV * HEAD_DIM;
    block_tensor(w, i, "attn_norm", 1, DIM, layer_norm);
    block_tensor(w, i, "ffn_norm", 1, DIM, layer_norm);
    if (is_one_of(arch, "phi3")) {
        block_tensor(w, i, "attn_qkv", q + 2 * kv, DIM, false);
        block_tensor(w, i, "ffn_up", 2 * FFN, DIM, false);
    } else {
        block_tensor(w, i, "attn_q", q, DIM, qkv_bias);
        block_tensor(w, i, "attn_k", kv, DIM, qkv_bias);
        block_tensor(w, i, "attn_v", kv, DIM, qkv_bias);
        block_tensor(w, i, "ffn_up", FFN, DIM, all_bias);
        if (!layer_norm) block_tensor(w, i, "ffn_gate", FFN, DIM, false);
    }
    block_tensor(w, i, "attn_output", DIM, q, all_bias);
    block_tensor(w, i, "ffn_down", DIM, FFN, all_bias);
    if (is_one_of(arch, "qwen3 gemma3")) {
        block_tensor(w, i, "attn_q_norm", 1, HEAD_DIM, false);
        block_tensor(w, i, "attn_k_norm", 1, HEAD_DIM, false);
    }
    if (is_one_of(arch, "gemma2 gemma3")) {
        block_tensor(w, i, "post_attention_norm", 1, DIM, false);
        block_tensor(w, i, "post_ffw_norm", 1, DIM, false);
    }
}

/* ---- the file ------------------------------------------------------------------------------------ */

static void make_parameters(writer *w, const char *arch, int layers, int context) {
    static const struct {
        const char *suffix;
        uint32_t value;
    } numbers[] = {
        {"embedding_length", DIM},          {"feed_forward_length", FFN},
        {"attention.head_count", HEADS},    {"attention.head_count_kv", HEADS_KV},
        {"attention.key_length", HEAD_DIM}, {"attention.value_length", HEAD_DIM},
        {"attention.sliding_window", 16},
    };
    char name[96];
    for (size_t i = 0; i < COUNTOF(numbers); i++) {
        snprintf(name, sizeof name, "%s.%s", arch, numbers[i].suffix);
        key_u32(w, name, numbers[i].value);
    }
    snprintf(name, sizeof name, "%s.block_count", arch);
    key_u32(w, name, (uint32_t)layers);
    snprintf(name, sizeof name, "%s.context_length", arch);
    key_u32(w, name, (uint32_t)context);
    snprintf(name, sizeof name, "%s.attention.layer_norm_%sepsilon", arch,
             is_one_of(arch, "starcoder2") ? "" : "rms_");
    key_f32(w, name, 1e-5f);
}

char *tiny_model_make(const tiny_options *opt, size_t *n) {
    writer w = {.rng = opt->seed * 2654435761u + 1};
    strbuf *all[] = {&w.out, &w.keys, &w.infos, &w.data, &w.merges};
    for (size_t i = 0; i < COUNTOF(all); i++)
        strbuf_init(all[i], 16u << 20);
    const char *arch = opt->arch ? opt->arch : "llama";
    int layers = opt->layers ? opt->layers : 2;
    key_str(&w, "general.architecture", arch);
    key_str(&w, "general.name", opt->name ? opt->name : "tiny");
    make_parameters(&w, arch, layers, opt->context ? opt->context : 256);
    make_vocab(&w, opt->fim);
    tensor(&w, "token_embd.weight", w.n_tokens, DIM);
    tensor(&w, "output_norm.weight", 1, DIM);
    if (is_one_of(arch, "starcoder2")) tensor(&w, "output_norm.bias", 1, DIM);
    for (int i = 0; i < layers; i++)
        make_layer(&w, arch, i);
    strbuf_add_str(&w.out, STR("GGUF"));
    u32(&w.out, 3);
    u64(&w.out, w.n_tensors);
    u64(&w.out, w.n_keys);
    strbuf_add_str(&w.out, strbuf_str(&w.keys));
    strbuf_add_str(&w.out, strbuf_str(&w.infos));
    while (w.out.len % 32)
        strbuf_add_char(&w.out, 0);
    strbuf_add_str(&w.out, strbuf_str(&w.data));
    ASSERT(!w.out.overflow && !w.data.overflow);
    *n = w.out.len;
    char *bytes = strbuf_take(&w.out);
    for (size_t i = 1; i < COUNTOF(all); i++)
        strbuf_deinit(all[i]);
    for (int i = 0; i < w.n_tokens; i++)
        xfree(w.tokens[i]);
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
