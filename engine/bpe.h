/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Byte pair encoding of one word: merges by rank, lowest first, leftmost of equals. */
#include "engine/tokenizer.h"
#include "engine/vocab.h"

typedef struct bpe bpe;
/* Scratch of one encoding run, so that the merges stay immutable. */
typedef struct bpe_work bpe_work;

/* Reads the merges.  Borrows the vocabulary for its whole life; kinds are final. */
status bpe_new(bpe **out, const vocab *v, const gguf *g, err *e) MUST_USE;
void bpe_free(bpe *b); /* accepts NULL */

bpe_work *bpe_work_new(void);
void bpe_work_free(bpe_work *w); /* accepts NULL */

/* Appends the ids of a word (any bytes). */
void bpe_encode(const bpe *b, bpe_work *w, str word, token_vec *out);
