/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What reviews have found, as diagnostics: kept with their places while the text changes around
 * them, gone when the text that they are about changes.  Thread: loop. */
#include "engine/base/vec.h"
#include "lsp/protocol_actions.h"
#include "lsp/reply.h"

typedef struct {
    uint64_t id;
    document *document;
    size_t from, to; /* bytes: whole lines, without the first one's indentation and the last end */
    int severity;
    char *message;
    char *replacement; /* of those lines; NULL: there is no fix */
    bool breaks;       /* which would add syntax errors: a person must look first */
} finding;

typedef struct {
    VEC(finding) all; /* in no order */
    uint64_t last;    /* id */
} findings;

/* Copies.  False: ignored, as there are too many already, or the same is said of the place. */
bool findings_add(server *s, document *d, const finding *f);
/* Forgets those that begin in [from, to]. */
void findings_drop(server *s, const document *d, size_t from, size_t to);
/* Sends what is known now, in the way that the client takes. */
void findings_publish(server *s, document *d);
const finding *findings_at(const server *s, size_t i); /* NULL past the end */
/* As a diagnostic. */
struct cJSON *findings_json(const server *s, const finding *f);
/* The fix as an edit of the document; NULL: there is none, or it changes nothing. */
struct cJSON *findings_fix(server *s, const finding *f);

/* Bytes [from, to) became `added` bytes; then the whole message has been applied. */
void findings_edited(server *s, const document *d, size_t from, size_t to, size_t added);
void findings_changed(server *s, document *d);
void findings_replaced(server *s, const document *d); /* the whole text is another */
void findings_closing(server *s, document *d);
void findings_deinit(server *s);

void findings_request(server *s, const cJSON *params, reply *r); /* textDocument/diagnostic */
