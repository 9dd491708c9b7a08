/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What was changed in a document lately, as small diffs.  Thread: the document's. */
#include "engine/base/arena.h"
#include "engine/base/vec.h"

typedef struct document document;

#define EDITS_MAX 4 /* places of one document */

/* Lines [first, last] now stand where `before` stood. */
typedef struct {
    size_t first, last;
    strbuf before;
    uint64_t at_us; /* of the newest change */
} edit_place;

typedef struct {
    VEC(edit_place) places; /* oldest first */
} edit_log;

/* Call before bytes [from, to) of `d` become `text`. */
void edit_log_note(edit_log *log, const document *d, size_t from, size_t to, str text);
/* Call after it: a \r and a \n that met are one line end, so a place may lie outside; it goes. */
void edit_log_settle(edit_log *log, size_t lines);
void edit_log_clear(edit_log *log);
/* The place as lines "-old" and "+new", without what did not change; empty: nothing did. */
str edit_place_diff(const edit_place *p, const document *d, arena *a);
