/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Text to token ids and back, as the model file describes it (BPE with its pre-tokeniser, SPM).
 * After opening it is immutable.  Thread: any. */
#include "engine/base/status.h"
#include "engine/base/vec.h"
#include "engine/gguf.h"

typedef struct tokenizer tokenizer;
typedef VEC(int32_t) token_vec;

/* The GGUF may be closed afterwards. */
status tokenizer_open(tokenizer **out, const gguf *g, err *e) MUST_USE;
void tokenizer_close(tokenizer *t); /* accepts NULL */

/* Appends the ids of `text`.  Without `special` nothing in the text is taken for a control token:
 * user text never is.  Adds no BOS.  Any bytes are accepted; ERR_LIMIT when it has more than
 * LIMIT_PROMPT_TOKENS, and then `out` is as before. */
status tokenizer_encode(const tokenizer *t, str text, bool special, token_vec *out,
                        err *e) MUST_USE;
/* The bytes that a token stands for (may be part of a UTF-8 sequence; control tokens: their text).
 * Empty for an id out of range. */
str tokenizer_piece(const tokenizer *t, int32_t id);
/* Appends the bytes of the ids; control tokens only with `special`. */
void tokenizer_decode(const tokenizer *t, const int32_t *ids, size_t n, bool special, strbuf *out);

typedef struct {
    int vocab;
    int32_t bos, eos, eot, pad, unk;                              /* -1: none */
    int32_t fim_pre, fim_suf, fim_mid, fim_pad, fim_rep, fim_sep; /* -1: none */
    bool add_bos, add_eos, add_space_prefix;
    const char *model; /* "gpt2", "llama", ... */
    const char *pre;   /* "smollm", "qwen2", ... */
} tokenizer_facts;
const tokenizer_facts *tokenizer_get_facts(const tokenizer *t);
bool tokenizer_is_control(const tokenizer *t, int32_t id);
bool tokenizer_is_eog(const tokenizer *t, int32_t id); /* ends a generation */
/* The id whose stored text is exactly this, or -1. */
int32_t tokenizer_find(const tokenizer *t, str text);

/* Where the next special token's text begins in `text`, and its length; text.len: there is none.
 * Runs of blanks that some vocabularies list among them do not count. */
size_t tokenizer_find_special(const tokenizer *t, str text, size_t *len);

/* Token healing: ids of the tokens that plain text is made of, sorted by their bytes.
 * [first, first + count) are those whose bytes begin with `prefix`.  O(log vocab). */
const int32_t *tokenizer_sorted(const tokenizer *t, size_t *count);
size_t tokenizer_prefix_range(const tokenizer *t, str prefix, size_t *first);
