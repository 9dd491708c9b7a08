/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A few pages over HTTP for this machine alone: GET and HEAD, on loopback or on a Unix socket that
 * only this user can open.  Thread: loop. */
#include <uv.h>

#include "engine/base/status.h"
#include "engine/base/str.h"

typedef struct http_pages http_pages;

typedef struct {
    unsigned code;    /* 200, 503 */
    const char *type; /* static */
    strbuf body;      /* set up by the caller of `get`; filled there */
} http_page;

typedef struct {
    void *ud;
    /* False: there is no such page.  From the loop; must not block. */
    bool (*get)(void *ud, str path, http_page *out);
} http_pages_hooks;

/* `where`: a port of 127.0.0.1 (0: any), or the absolute path of a socket that is made there.
 * ERR_USAGE: neither; ERR_IO: it cannot listen. */
status http_pages_new(http_pages **out, uv_loop_t *loop, const char *where,
                      const http_pages_hooks *hooks, err *e) MUST_USE;
/* Where it can be reached, for people. */
const char *http_pages_where(const http_pages *p);
/* Also removes the socket.  `closed` comes from the loop. */
void http_pages_close(http_pages *p, void (*closed)(void *ud), void *ud);
