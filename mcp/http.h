/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A server behind a URL: each message is one POST, answers come as JSON or as streams of events.
 *
 * Legacy: a session id goes with every request, one more stream (GET) brings what the server says
 * by itself, and a stream that breaks off is taken up again where it ended.  Modern: no session,
 * headers repeat what a message is about, closing a stream cancels its request.  The old HTTP+SSE
 * (one stream, and an address that it names for the POSTs) is spoken when asked for.
 * Redirects are not followed: headers may be secrets.  Thread: loop. */
#include <uv.h>

#include "mcp/config.h"
#include "mcp/session.h"

typedef struct http_link http_link;

typedef struct {
    int status; /* of HTTP */
    int code;   /* of the JSON-RPC error in the body, or RPC_INTERNAL_ERROR */
    const char *why;
    const cJSON *data; /* or NULL */
} http_refusal;

/* A request that was refused with 401 or 403. */
typedef struct {
    int status;
    const char *challenge; /* WWW-Authenticate, or "" */
    uint64_t token;        /* what `authorize` returned for it */
} http_challenge;
typedef enum {
    HTTP_REFUSED, /* it stays refused */
    HTTP_AGAIN,   /* it goes out again, at once */
    HTTP_WAIT,    /* it waits for http_authorized */
} http_verdict;

typedef struct {
    void *ud;
    void (*bytes)(void *ud, str line); /* one message and a newline */
    /* The request was refused by the server before it did anything: an HTTP status, perhaps
     * with an error in the body. */
    void (*refused)(void *ud, int64_t id, const http_refusal *r);
    /* The answer will not come.  `unsent`: the request surely did not arrive. */
    void (*broken)(void *ud, int64_t id, bool unsent, const char *why);
    void (*session_gone)(void *ud, int64_t id); /* it must begin anew; `id` had no effect */
    bool (*is_open)(void *ud, int64_t id);      /* whether an answer is still waited for */
    void (*closed)(void *ud);                   /* after http_close; it is freed */
    /* All NULL, or none.  Headers of a request that is about to go out; the number of the token. */
    uint64_t (*authorize)(void *ud, const char *method, const char *url, strbuf *authorization,
                          strbuf *dpop);
    http_verdict (*challenged)(void *ud, const http_challenge *c);
    void (*accepted)(void *ud);                 /* a token was taken */
    void (*nonce)(void *ud, const char *nonce); /* a response brought one (DPoP) */
} http_hooks;

/* old: the old HTTP+SSE. */
http_link *http_open(uv_loop_t *loop, const mcp_definition *d, bool old, const http_hooks *hooks);
/* `modern` and `protocol` (may be "") as the session has them; `schema`: of the tool that is
 * called, or NULL. */
void http_send(http_link *l, const session_message *m, bool modern, const char *protocol,
               const cJSON *schema);
/* What waits goes out again; or is refused, with this sentence. */
void http_authorized(http_link *l, bool good, const char *why);
/* Ends every exchange, tells the server that a session is over, closes. */
void http_close(http_link *l);
