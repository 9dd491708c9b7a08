/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Reads a unified diff as git prints it, line by line.  Pure; bytes of any kind are taken.
 *
 *     unified_reader r = {.rest = diff};
 *     while ((kind = unified_next(&r, &line))) ...
 *
 * Lines of a hunk are counted by its header, so a changed line that looks like a header is a
 * changed line all the same. */
#include "engine/base/str.h"

typedef enum {
    UNIFIED_END,
    UNIFIED_FILE,    /* r->path is its new path, "" when it is deleted or its name is unusual */
    UNIFIED_HUNK,    /* r->new_line, 0-based, is where it begins in the new text */
    UNIFIED_ADDED,   /* the line has its '+' */
    UNIFIED_REMOVED, /* ... or its '-' */
    UNIFIED_SAME,    /* a line around a change, with its ' ' */
} unified_kind;

typedef struct {
    str rest; /* set to the diff at first */
    str path;
    size_t new_line;
    size_t old_left, new_left; /* lines of the hunk that are still to come */
} unified_reader;

unified_kind unified_next(unified_reader *r, str *line);
