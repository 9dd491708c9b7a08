/* SPDX-License-Identifier: Apache-2.0 */
/* Ids with a meaning.  The file's keys count first; where they are missing, well-known texts do,
 * because many files were made before the keys existed.  A token that is found by its text is a
 * control token, whatever the file says: a user's text must never produce it.
 * Source: GGUF key names; token texts of the published models. */
#include "engine/tokenizer_facts.h"

#define KEY(name) "tokenizer.ggml." name
#define TEXTS_MAX 14

/* An id in the file, or -1. */
static int32_t find_id(const gguf *g, const vocab *v, const char *key) {
    int64_t id;
    if (!key || !gguf_find_i64(g, key, &id) || id < 0 || id >= v->n) return -1;
    return (int32_t)id;
}

/* The first of the texts that is a token, made a control token; or -1. */
static int32_t find_text(vocab *v, const char *const *texts) {
    for (int i = 0; i < TEXTS_MAX && texts[i]; i++) {
        int32_t id = vocab_find(v, str_of(texts[i]));
        if (id < 0) continue;
        v->kind[id] = TOKEN_CONTROL;
        return id;
    }
    return -1;
}

typedef struct {
    size_t offset; /* in tokenizer_facts */
    const char *key, *old_key;
    const char *texts[TEXTS_MAX];
} fim_rule;

/* clang-format off */
static const fim_rule fim_rules[] = {
    {offsetof(tokenizer_facts, fim_pre), KEY("fim_pre_token_id"), KEY("prefix_token_id"),
     {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>",
      "<|code_prefix|>", "<|prefix|>", "<[fim-prefix]>", "[PREFIX]"}},
    {offsetof(tokenizer_facts, fim_suf), KEY("fim_suf_token_id"), KEY("suffix_token_id"),
     {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>",
      "<|code_suffix|>", "<|suffix|>", "<[fim-suffix]>", "[SUFFIX]"}},
    {offsetof(tokenizer_facts, fim_mid), KEY("fim_mid_token_id"), KEY("middle_token_id"),
     {"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>",
      "<|code_middle|>", "<|middle|>", "<[fim-middle]>", "[MIDDLE]"}},
    {offsetof(tokenizer_facts, fim_pad), KEY("fim_pad_token_id"), NULL,
     {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>"}},
    {offsetof(tokenizer_facts, fim_rep), KEY("fim_rep_token_id"), NULL,
     {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>", "<repo_name>"}},
    {offsetof(tokenizer_facts, fim_sep), KEY("fim_sep_token_id"), NULL,
     {"<|file_sep|>", "<file_sep>", "<|file_separator|>"}},
};
/* clang-format on */

static void read_fim(tokenizer_facts *f, vocab *v, const gguf *g) {
    for (size_t i = 0; i < COUNTOF(fim_rules); i++) {
        const fim_rule *r = &fim_rules[i];
        int32_t id = find_id(g, v, r->key);
        if (id < 0) id = find_id(g, v, r->old_key);
        if (id >= 0)
            v->kind[id] = TOKEN_CONTROL;
        else
            id = find_text(v, r->texts);
        memcpy((char *)f + r->offset, &id, sizeof id);
    }
}

/* clang-format off */
static const char *const eog_texts[] = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>",
    "<end_of_turn>", "<|endoftext|>", "<|eom_id|>", "<EOT>", "▁<EOT>", "_<EOT>", "[EOT]",
    "[EOS]",
    "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>",
    "<｜end▁of▁sentence｜>", "[e~[",
};
/* clang-format on */

static bool both(const vocab *v, const char *a, const char *b) {
    return vocab_find(v, str_of(a)) >= 0 && vocab_find(v, str_of(b)) >= 0;
}

static void mark(uint8_t *eog, int32_t id) {
    if (id >= 0) eog[id] = 1;
}

static void read_eog(const tokenizer_facts *f, uint8_t *eog, vocab *v, const gguf *g) {
    for (size_t i = 0; i < COUNTOF(eog_texts); i++) {
        int32_t id = vocab_find(v, str_of(eog_texts[i]));
        if (id < 0) continue;
        v->kind[id] = TOKEN_CONTROL;
        eog[id] = 1;
    }
    /* Where messages end with <|return|> or <|call|>, <|end|> only separates them. */
    int32_t end = vocab_find(v, STR("<|end|>"));
    if (end >= 0 && (both(v, "<|return|>", "<|call|>") || both(v, "<|calls|>", "<|flush|>")))
        eog[end] = 0;
    /* Gemma's vocabularies have an HTML tag that looks like Llama's end: only the kind tells. */
    int32_t s = vocab_find(v, STR("</s>"));
    if (s >= 0 && v->kind[s] == TOKEN_CONTROL) eog[s] = 1;
    mark(eog, f->eos);
    mark(eog, f->eot);
    mark(eog, find_id(g, v, KEY("eom_token_id")));
    mark(eog, f->fim_pad);
    mark(eog, f->fim_rep);
    mark(eog, f->fim_sep);
}

/* An end of turn that no key names. */
static int32_t find_eot(vocab *v) {
    static const char *const texts[TEXTS_MAX] = {
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<EOT>", "▁<EOT>"};
    return find_text(v, texts);
}

void tokenizer_facts_read(tokenizer_facts *f, uint8_t *eog, vocab *v, const gguf *g) {
    f->vocab = v->n;
    f->bos = find_id(g, v, KEY("bos_token_id"));
    f->eos = find_id(g, v, KEY("eos_token_id"));
    f->eot = find_id(g, v, KEY("eot_token_id"));
    f->pad = find_id(g, v, KEY("padding_token_id"));
    f->unk = find_id(g, v, KEY("unknown_token_id"));
    gguf_find_bool(g, KEY("add_bos_token"), &f->add_bos);
    gguf_find_bool(g, KEY("add_eos_token"), &f->add_eos);
    gguf_find_bool(g, KEY("add_space_prefix"), &f->add_space_prefix);
    if (f->eot < 0) f->eot = find_eot(v);
    read_fim(f, v, g);
    read_eog(f, eog, v, g);
}
