/* SPDX-License-Identifier: Apache-2.0 */
/* See small_vocab.h.  Every part of a merge is a token, as in real vocabularies. */
#include "tests/engine/small_vocab.h"

#include "engine/vocab.h"

const char *const small_merges[SMALL_MERGES] = {
    "h e",
    "l l",
    "he ll",
    "hell o",
    "o r",
    "w or",
    "\xC4\xA0 wor",
    "l d",
    "\xC4\xA0wor ld",
    "a a",
    "aa aa",
    "aaaa aaaa",
    "a b",
    "ab ab",
    "\xC4\xA0 \xC4\xA0",
    "\xC4\xA0\xC4\xA0 \xC4\xA0\xC4\xA0",
    "\xC4\x8A \xC4\x8A",
    "i n",
    "t h",
    "th in",
    "thin g",
    "\xC3\xA9 \xC3\xA9",
    "1 2",
    "12 3",
};

typedef struct {
    str text[SMALL_TOKENS];
    char bytes[SMALL_TOKENS][32];
    int32_t type[SMALL_TOKENS];
} token_table;

static void set(token_table *t, int id, const char *text, size_t n, int type) {
    ASSERT(n < sizeof t->bytes[id]);
    memcpy(t->bytes[id], text, n);
    t->text[id] = (str){t->bytes[id], n};
    t->type[id] = type;
}

static void fill(token_table *t) {
    for (int i = 0; i < 256; i++) {
        char c[4];
        set(t, i, c, (size_t)vocab_spell_byte((uint8_t)i, c), TOKEN_NORMAL);
    }
    for (int i = 0; i < SMALL_MERGES; i++) {
        char joined[32];
        size_t n = 0;
        for (const char *p = small_merges[i]; *p; p++) {
            if (*p != ' ') joined[n++] = *p;
        }
        set(t, 256 + i, joined, n, TOKEN_NORMAL);
    }
    static const struct {
        int id, type;
        const char *text;
    } specials[] = {
        {SMALL_IM_START, TOKEN_CONTROL, "<|im_start|>"},
        {SMALL_IM_END, TOKEN_CONTROL, "<|im_end|>"},
        {SMALL_TOOL, TOKEN_USER, "<tool>"},
        {SMALL_TOOLS, TOKEN_USER, "<tool>s"},
        {SMALL_FIM_PRE, TOKEN_NORMAL, "<fim_prefix>"},
        {SMALL_FIM_SUF, TOKEN_NORMAL, "<fim_suffix>"},
        {SMALL_FIM_MID, TOKEN_NORMAL, "<fim_middle>"},
    };
    for (size_t i = 0; i < COUNTOF(specials); i++)
        set(t, specials[i].id, specials[i].text, strlen(specials[i].text), specials[i].type);
}

void small_vocab_add(gguf_builder *b, const char *pre) {
    token_table *t = xcalloc(1, sizeof *t);
    fill(t);
    str merges[SMALL_MERGES];
    for (int i = 0; i < SMALL_MERGES; i++)
        merges[i] = str_of(small_merges[i]);
    builder_str(b, "tokenizer.ggml.model", "gpt2");
    if (pre) builder_str(b, "tokenizer.ggml.pre", pre);
    builder_strs(b, "tokenizer.ggml.tokens", t->text, SMALL_TOKENS);
    builder_i32s(b, "tokenizer.ggml.token_type", t->type, SMALL_TOKENS);
    builder_strs(b, "tokenizer.ggml.merges", merges, SMALL_MERGES);
    xfree(t);
}

tokenizer *small_vocab_open(const char *pre) {
    gguf_builder b;
    builder_init(&b);
    small_vocab_add(&b, pre);
    str file = builder_finish(&b);
    gguf *g;
    tokenizer *t;
    status s = gguf_parse(&g, file.ptr, file.len, "small", NULL);
    ASSERT(s == OK);
    s = tokenizer_open(&t, g, NULL);
    ASSERT(s == OK);
    gguf_close(g); /* the tokenizer must not need it */
    builder_deinit(&b);
    return t;
}
