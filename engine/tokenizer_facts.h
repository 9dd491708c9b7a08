/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which ids of a vocabulary mean something: BOS, EOS, FIM markers, ends of generation. */
#include "engine/tokenizer.h"
#include "engine/vocab.h"

/* Fills everything of `f` but model and pre (add_* keep their value when the file is silent), marks
 * ends of generation in eog[v->n], and corrects the kind of tokens that are control tokens by their
 * text alone. */
void tokenizer_facts_read(tokenizer_facts *f, uint8_t *eog, vocab *v, const gguf *g);
