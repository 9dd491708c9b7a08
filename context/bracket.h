/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Brackets and quotes of a short piece of text, read without a tree. */
#include "context/language.h"

#define BRACKET_DEPTH_MAX 64

typedef struct {
    char open[BRACKET_DEPTH_MAX]; /* '(' '[' '{', outermost first */
    size_t depth;                 /* above BRACKET_DEPTH_MAX nothing more is kept */
    char quote;                   /* of a string that is still open, or 0 */
    bool comment;                 /* inside a line comment */
    /* Both are byte offsets into the piece read last, SIZE_MAX when there is none: */
    size_t closes_earlier; /* first closer or quote that ends what an earlier piece opened */
    size_t closes_unknown; /* first closer that ends something opened before all pieces */
} brackets;

/* Reads `text` on from the state in `b` (zeroed at first). */
void brackets_read(brackets *b, const language *l, str text);
char bracket_closer(char opener);
bool bracket_is_closer(char c);
