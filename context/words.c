/* SPDX-License-Identifier: Apache-2.0 */
/* Words as bits: twenty lines have about sixty different words, of 1,024 bits few meet. */
#include "context/words.h"

#include "engine/base/hash.h"

#define WORD_MIN 3

static bool is_start(char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool word_next(str *rest, str *word) {
    size_t i = 0;
    while (i < rest->len) {
        if (!is_start(rest->ptr[i])) {
            bool number = is_digit(rest->ptr[i++]); /* 0x1f is a number to its end, not a word */
            while (number && i < rest->len && (is_start(rest->ptr[i]) || is_digit(rest->ptr[i])))
                i++;
            continue;
        }
        size_t from = i;
        while (i < rest->len && (is_start(rest->ptr[i]) || is_digit(rest->ptr[i])))
            i++;
        if (i - from < WORD_MIN) continue;
        *word = str_sub(*rest, from, i);
        *rest = str_sub(*rest, i, rest->len);
        return true;
    }
    *rest = (str){0};
    return false;
}

void word_set_add(word_set *s, str text) {
    str word;
    while (word_next(&text, &word)) {
        uint64_t h = hash64(0, word.ptr, word.len);
        s->bits[h / 64 % COUNTOF(s->bits)] |= UINT64_C(1) << (h % 64);
    }
}

float word_set_likeness(const word_set *a, const word_set *b) {
    int both = 0, either = 0;
    for (size_t i = 0; i < COUNTOF(a->bits); i++) {
        both += __builtin_popcountll(a->bits[i] & b->bits[i]);
        either += __builtin_popcountll(a->bits[i] | b->bits[i]);
    }
    return either ? (float)both / (float)either : 0.0f;
}
