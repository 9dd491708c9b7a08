/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Tokens that are found in text as a whole, before any other rule: control and user-defined. */
#include "engine/vocab.h"

typedef struct {
    int32_t *ids; /* sorted by text */
    size_t count;
    bool first[256]; /* bytes that one of them begins with */
} special_set;

/* User-defined tokens, and with `control` the control tokens too. */
void special_set_init(special_set *s, const vocab *v, bool control);
void special_set_deinit(special_set *s);
/* Length of the longest one at the start of `text` and its id; 0: none. */
size_t special_match(const special_set *s, const vocab *v, str text, int32_t *id);

/* Ids sorted by the bytes they stand for (text == false) or by text; ties by id.  Caller frees. */
int32_t *vocab_sort(const vocab *v, bool (*keep)(const vocab *v, int32_t id), bool text,
                    size_t *count);
