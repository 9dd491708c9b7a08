/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One file from Hugging Face or a mirror of it, by HTTP: resumed, checked, and never taken for the
 * model before it is whole. */
#include "engine/registry.h"
#include "engine/registry/http.h"

/* Where and as whom.  Texts are borrowed. */
typedef struct {
    char endpoint[LIMIT_HTTP_URL_BYTES / 2]; /* without a slash at its end */
    const char *token;                       /* NULL: nobody in particular */
    int stall_s;
} hub_access;

/* $HF_ENDPOINT, else `endpoint` (a list's; may be ""), else the hub itself; $HF_TOKEN.  ERR_USAGE
 * when one of them cannot be used, and the sentence names it. */
status hub_access_read(hub_access *out, const char *endpoint, err *e) MUST_USE;

/* What the file turned out to be. */
typedef struct {
    uint64_t bytes;
    char sha256[65];
    char commit[LIMIT_HTTP_FIELD_BYTES]; /* of the repository; may be "" */
} hub_facts;

/* Which file, and where it goes. */
typedef struct {
    const model_entry *m;
    const model_source *src;
    const char *folder; /* exists */
    const pull_hooks *hooks;
} hub_order;

/* Fetches the source's file into a hidden part in the folder, whose path *part gets (xfree).  OK:
 * the part is whole, durable, and has the SHA-256 that the list (or, where the list has none, the
 * server in its headers) promised.  On an error what has come stays there for the next try, unless
 * it is known to be wrong.  One caller at a time per model: the lock of pull.c.
 * Errors: ERR_NOT_FOUND, ERR_IO, ERR_FORMAT (not the promised file), ERR_CANCELLED. */
status hub_fetch(const hub_access *a, const hub_order *o, char **part, hub_facts *facts,
                 err *e) MUST_USE;

/* Bytes that lie there of a fetch that was not finished. */
uint64_t hub_part_bytes(const char *folder, const char *name);
/* Removes what unfinished fetches of this model left, but not `keep` (may be NULL). */
void hub_remove_parts(const char *folder, const char *name, const char *keep);

typedef enum { HUB_GOOD, HUB_AGAIN, HUB_FROM_START, HUB_FAILED } hub_next;
/* What to do after an answer (redirects are followed by then), and `tries` failures in a row.
 * HUB_AGAIN: after *wait_ms.  HUB_FAILED: the sentence is in `e`, its code in *code.  Pure. */
hub_next hub_judge(const http_reply *r, int tries, const hub_access *a, const model_source *src,
                   int *wait_ms, status *code, err *e);
