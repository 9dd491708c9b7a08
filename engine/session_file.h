/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A sequence on disk: its tokens and the pages with their keys and values, so that a new process
 * need not compute them again.  Thread: engine; blocks on the file. */
#include "engine/session.h"

/* Whose pages these are: `identity` names the model's bytes and the layout of its cache.  All
 * borrowed. */
typedef struct {
    session_table *table;
    k_model *kernels;
    const char *identity; /* 64 characters */
    int vocab;
    /* Between two pages, some milliseconds of work each: others may run.  False: give it up. */
    bool (*between)(void *ud);
    void *between_ud;
} session_store;

/* Writes the idle sequence that was used last to `path` (a file is there whole or not at all).
 * *tokens: how many it has.  Errors: ERR_NOT_FOUND (there is none), ERR_IO,
 * ERR_CANCELLED. */
status session_save(const session_store *s, const char *path, int *tokens, err *e) MUST_USE;
/* Reads it back into an idle sequence.  Errors: ERR_NOT_FOUND, ERR_IO, ERR_FORMAT (damaged, or
 * of another model), ERR_LIMIT (no room), ERR_CANCELLED; then the table is as it was, but for an
 * emptied sequence. */
status session_restore(const session_store *s, const char *path, int *tokens, err *e) MUST_USE;
