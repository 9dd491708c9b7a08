/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a model wrote becomes code, or a sentence that says why it cannot.  Pure; everything made
 * lives in the arena. */
#include "engine/base/arena.h"

typedef struct {
    str code;    /* as it goes into the document: line ends, indentation, no last line end */
    bool fenced; /* it stood between marks; else it is all that the model wrote */
} answer_code;

/* How the code must look. */
typedef struct {
    str original;    /* the code that it replaces, without its first line's indentation */
    str indentation; /* of that first line */
    const char *eol;
} answer_place;

/* NULL: `out` is good.  Else a sentence (static): prose, nothing, half an answer, tokens of the
 * model's template, the same line over and over. */
const char *answer_read_code(str raw, bool complete, const answer_place *at, arena *a,
                             answer_code *out);
/* The answer as prose: without fences, comment marks and quotes around it, lines of at most
 * `columns`, joined by \n.  Empty: there is none. */
str answer_read_prose(str raw, size_t columns, arena *a);
/* `prose` as the documentation of something in this language: the comment, each line but the first
 * behind `indentation`.  "" for languages that have no comments. */
str answer_comment(const char *language, str prose, str indentation, const char *eol, arena *a);
/* Whether the text holds what looks like a control token of a chat template. */
bool answer_has_template(str text);
/* Whether the text ends with the same line so often that nothing good can follow. */
bool answer_runs_away(str text);
