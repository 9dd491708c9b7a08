/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A grammar beside a running job: which tokens may come, and when the text is complete.
 * With a trigger the text is free until the trigger has been written.  Thread: engine. */
#include "engine/engine.h"
#include "engine/grammar.h"
#include "engine/sampler.h"
#include "engine/tokenizer.h"

#define CONSTRAINT_LEVELS 8 /* bytes of a token whose states are shared with its neighbours */

typedef struct {
    const grammar *grammar; /* NULL: none */
    str trigger;
    bool active;
    grammar_state *now, *scratch; /* in the job's arena, as is `level` */
    grammar_state *level;         /* [CONSTRAINT_LEVELS + 1] */
} constraint;

/* All memory comes from `mem` here; the job owns grammar and trigger. */
void constraint_init(constraint *c, const engine_job *job, arena *mem);
bool constraint_is_active(const constraint *c);
bool constraint_allows(constraint *c, const tokenizer *t, int32_t id);
/* Writes all tokens that may come, with their logits, to out [vocab]; returns their number. */
int constraint_candidates(constraint *c, const tokenizer *t, const float *logits, int vocab,
                          candidate *out);
/* A token with the bytes `piece` was taken; `text` is everything so far, its last `fresh` bytes are
 * new (those of an unfinished character come later).  True: nothing more may come. */
bool constraint_take(constraint *c, str text, size_t fresh, str piece);
