/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Cuts text into the words inside which BPE may merge.  Every model family has its own regular
 * expressions for this; here they are hand-written matchers, in linear time, without a regex
 * engine.  Thread: any. */
#include "engine/base/str.h"

typedef struct pretokenizer pretokenizer;

/* By the name in tokenizer.ggml.pre; an empty name is "default".  NULL: unknown. */
const pretokenizer *pretokenizer_find(str name);
/* The family's own name (static): "llama3" for "lfm2" and so on. */
const char *pretokenizer_name(const pretokenizer *p);
/* A word that is itself a token is not built by merges. */
bool pretokenizer_ignores_merges(const pretokenizer *p);
/* Such models want BOS unless the file says otherwise. */
bool pretokenizer_adds_bos(const pretokenizer *p);

/* Calls emit(ud, word) for each word, in order; together they are `text`. */
void pretokenize(const pretokenizer *p, str text, void (*emit)(void *ud, str word), void *ud);
