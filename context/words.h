/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Identifiers of a text, and how much two texts have in common by them.  Pure. */
#include "engine/base/str.h"

/* Takes the next identifier of at least three characters off `*rest`; false: there is none. */
bool word_next(str *rest, str *word);

/* A set of identifiers as 1,024 bits: equal words set equal bits. */
typedef struct {
    uint64_t bits[16];
} word_set;
void word_set_add(word_set *s, str text);
/* |a and b| / |a or b|, 0 to 1 (Jaccard). */
float word_set_likeness(const word_set *a, const word_set *b);
