/* SPDX-License-Identifier: Apache-2.0 */
/* See word_cache.h.  Collisions overwrite: the last word of a slot wins, which suits text, where
 * words repeat close to each other.  Thread: that of the encoding call; no allocation. */
#include "engine/word_cache.h"

static size_t slot_of(str word) {
    uint64_t h = word.len;
    for (size_t i = 0; i < word.len; i++)
        h = (h ^ (uint8_t)word.ptr[i]) * 0x100000001B3u;
    return (h ^ h >> 24) % WORD_CACHE_SLOTS;
}

bool word_cache_find(const word_cache *c, str word, token_vec *out) {
    if (word.len == 0 || word.len > WORD_CACHE_BYTES) return false;
    const word_cache_slot *s = &c->slots[slot_of(word)];
    if (s->len != word.len || memcmp(s->word, word.ptr, word.len) != 0) return false;
    for (int i = 0; i < s->count; i++)
        vec_push(out, s->ids[i]);
    return true;
}

void word_cache_put(word_cache *c, str word, const token_vec *ids, size_t first) {
    if (word.len == 0 || word.len > WORD_CACHE_BYTES) return;
    size_t count = ids->count - first;
    if (count == 0 || count > WORD_CACHE_IDS) return;
    word_cache_slot *s = &c->slots[slot_of(word)];
    s->len = (uint8_t)word.len;
    s->count = (uint8_t)count;
    memcpy(s->word, word.ptr, word.len);
    memcpy(s->ids, ids->at + first, count * sizeof *s->ids);
}
