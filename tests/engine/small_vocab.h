/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A byte-level vocabulary small enough to think about: ids 0..255 are the bytes, then one token for
 * each merge, then the special ones.  For test_tokenizer.c and fuzz_tokenizer.c. */
#include "engine/tokenizer.h"
#include "tests/engine/gguf_builder.h"

enum {
    SMALL_MERGES = 24,
    SMALL_IM_START = 256 + SMALL_MERGES, /* control */
    SMALL_IM_END,                        /* control */
    SMALL_TOOL,                          /* user-defined: "<tool>" */
    SMALL_TOOLS,                         /* user-defined: "<tool>s" */
    SMALL_FIM_PRE,                       /* "<fim_prefix>", said to be normal */
    SMALL_FIM_SUF,
    SMALL_FIM_MID,
    SMALL_TOKENS
};

/* "a b", rank = index, in GPT-2 spelling. */
extern const char *const small_merges[SMALL_MERGES];

/* Adds model, tokens, types and merges; `pre` may be NULL. */
void small_vocab_add(gguf_builder *b, const char *pre);
/* The whole way: build, parse, open.  Close it with tokenizer_close(). */
tokenizer *small_vocab_open(const char *pre);
