/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Token healing: a prompt that ends where a token may not end is cut back, and the output is made
 * to begin with the bytes that were cut.  Thread: engine. */
#include "engine/sampler.h"
#include "engine/tokenizer.h"

#define HEAL_TOKENS_MAX 4
#define HEAL_BYTES_MAX 512

typedef struct {
    uint8_t owed[HEAL_BYTES_MAX]; /* [from, to) must still be reproduced */
    int from, to;
} heal;

/* How many of the n tokens to drop: the last one, and up to three more while the boundary before
 * them lies inside a word or a run of blanks.  Control tokens are never dropped.  0: nothing to
 * heal. */
int heal_count(const tokenizer *t, const int32_t *ids, int n);
/* Owes the bytes of the dropped tokens. */
void heal_init(heal *h, const tokenizer *t, const int32_t *dropped, int n);
bool heal_is_owing(const heal *h);
/* Writes the tokens that may come next, with their logits, to out [vocab]; returns their number.
 * At least one exists in every byte-level vocabulary; 0 means that the bytes cannot be reproduced.
 * */
int heal_candidates(const heal *h, const tokenizer *t, const float *logits, int vocab,
                    candidate *out);
/* The token was chosen: pays its bytes and returns how many of them were owed. */
int heal_pay(heal *h, str piece);
