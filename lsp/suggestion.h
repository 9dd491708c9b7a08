/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Suggestions that were shown, kept to answer again without the model. */
#include "engine/base/arena.h"

typedef struct suggestion_cache suggestion_cache;

suggestion_cache *suggestion_cache_new(int entries_max);
void suggestion_cache_free(suggestion_cache *c); /* accepts NULL */
void suggestion_cache_resize(suggestion_cache *c, int entries_max);
void suggestion_cache_clear(suggestion_cache *c); /* model or settings changed */

/* A suggestion in terms of the document: `text` (\n line ends) replaces bytes [from, to), and
 * from <= offset <= to. */
typedef struct {
    size_t offset, from, to;
    str text;
} suggestion;

/* How many brackets and quotes that an editor has put behind the cursor by itself are looked
 * through, and what such a one is. */
#define SUGGESTION_CLOSERS 3
bool suggestion_is_closer(char c);

/* Remembers what was shown at s->offset of `document` (of which it copies the surroundings). */
void suggestion_cache_put(suggestion_cache *c, str key, str document, const suggestion *s);
/* Up to `max` remembered suggestions that were shown where the cursor at `offset` is, or where
 * somebody gets to `offset` from by typing along them (while the editor may close brackets behind
 * the cursor by itself); newest first.  out[i] is what remains of
 * each, byte for byte, in `a`.  `key` tells documents apart (the URI).  Returns their number. */
size_t suggestion_cache_find(suggestion_cache *c, str key, str document, size_t offset, arena *a,
                             suggestion *out, size_t max);
/* Remembers that the model had nothing to say at `offset`, and why (a static word); and whether it
 * is known: the reason, or NULL.  The same place is where the text around it is the same. */
void suggestion_cache_put_nothing(suggestion_cache *c, str key, str document, size_t offset,
                                  const char *reason);
const char *suggestion_cache_find_nothing(const suggestion_cache *c, str key, str document,
                                          size_t offset);
size_t suggestion_cache_count(const suggestion_cache *c);
