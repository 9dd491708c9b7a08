/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The ids of words that were encoded in this run: code repeats its words.  A direct-mapped table of
 * short words with few ids; what does not fit is encoded again.  Belongs to one encoding call. */
#include "engine/tokenizer.h"

#define WORD_CACHE_SLOTS 2048
#define WORD_CACHE_BYTES 24
#define WORD_CACHE_IDS 6

typedef struct {
    uint8_t len, count; /* len == 0: free */
    char word[WORD_CACHE_BYTES];
    int32_t ids[WORD_CACHE_IDS];
} word_cache_slot;

typedef struct {
    word_cache_slot slots[WORD_CACHE_SLOTS]; /* zeroed at the start */
} word_cache;

/* Appends the ids of `word` and returns true, when it is there. */
bool word_cache_find(const word_cache *c, str word, token_vec *out);
/* Remembers that `word` became the ids from `first` on. */
void word_cache_put(word_cache *c, str word, const token_vec *ids, size_t first);
