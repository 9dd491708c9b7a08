/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where generated text ends, by its text alone.  Pure.  Thread: any. */
#include "engine/engine.h"

typedef struct {
    stop_rule rule;
    int indent, lines_max;
    const str *strings; /* borrowed */
    size_t n_strings, longest;
    size_t seen;        /* bytes already judged */
    bool content;       /* a non-blank byte has been seen */
    size_t line_start;  /* of the line that is being read */
    size_t content_end; /* after the last non-blank byte */
    int lines;          /* newlines seen */
    bool line_content;  /* the line being read has a non-blank byte */
} stop;

void stop_init(stop *s, const engine_job *job);
/* Judges what has been appended to `text` (always the whole text so far).  True: the text ends at
 * *cut, because of *why. */
bool stop_check(stop *s, str text, size_t *cut, finish_reason *why);
/* Bytes of the text that no later byte can cut off: they may be shown already. */
size_t stop_safe(const stop *s, str text);
