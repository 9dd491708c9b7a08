/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Guessing the next tokens without a model, so that one step can check several of them.
 * Pure.  Thread: engine. */
#include "engine/base/base.h"

#define DRAFT_MAX 8

typedef struct {
    int proposed, accepted; /* so far */
} draft_record;

/* Guesses up to `room` tokens that follow ids[0 .. n): those that followed the same last tokens the
 * time before.  Writes them to out [DRAFT_MAX] and returns their number; 0: no idea, or the guesses
 * of this job have been too bad to go on. */
int draft_find(const draft_record *r, const int32_t *ids, int n, int room, int32_t *out);
