/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Pages that we write and the editor shows: a virtual document that grows while a model writes
 * (workspace/textDocumentContent), or a temporary file that is shown when it is finished.
 * Thread: loop. */
#include "engine/base/vec.h"
#include "lsp/reply.h"

typedef struct {
    char *uri, *file; /* file: NULL for a virtual document */
    char *text;
    bool shown;
    double told_ms; /* when the client was told that the text has changed */
} page;

typedef struct {
    VEC(page) all; /* oldest first */
    unsigned last;
    char folder[64]; /* of files; "": not made yet */
} pages;

/* Writes a page, or more of it.  `id` 0: a new one.  Returns its id, by which it is written again.
 * `finished`: no more comes. */
unsigned pages_write(server *s, unsigned id, const char *title, str text, bool finished);
/* The page's uri; NULL: it is shown nowhere, because the client can show none. */
const char *pages_uri(const server *s, unsigned id);
/* workspace/textDocumentContent */
void pages_request(server *s, const cJSON *params, reply *r);
void pages_deinit(server *s); /* removes the files */
