/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The other side of MCP: what we offer, served to somebody's host.
 *
 * Both eras on one stream: `initialize` (2024-11-05 to 2025-11-25), and requests that carry their
 * revision with them (2026-07-28).  Bytes come in by serve_bytes, messages go out by `write`; every
 * request gets exactly one answer, except one that its host has cancelled, which gets none.
 *
 * A host is a serve_client: what it has told about itself, and what it has subscribed to.  Over
 * standard input and output there is one stream and one client; over HTTP one stream for each
 * request, and a client for each session.
 * Thread: loop. */
#include "mcp/frame.h"
#include "mcp/own.h"

typedef struct serve serve;
typedef struct serve_client serve_client;

serve_client *serve_client_new(own_tools *tools);   /* borrows the tools */
void serve_client_free(serve_client *c);            /* after its streams; accepts NULL */
bool serve_client_has_begun(const serve_client *c); /* its initialize was answered */

typedef struct {
    void *ud;
    /* Copies; one message with its newline.  `last`: no other message of the stream's request comes
     * (empty: it was cancelled). */
    void (*write)(void *ud, str line, bool last);
} serve_hooks;

typedef struct {
    own_tools *tools;     /* borrowed */
    serve_client *client; /* borrowed */
    int64_t last_id;      /* ids of questions count on from here: streams of a client differ */
    bool mute;            /* the host takes one answer and nothing before it */
} serve_options;

serve *serve_new(const serve_options *o, const serve_hooks *hooks);
/* Cancels what runs; accepts NULL.  Not from inside a hook. */
void serve_free(serve *s);
/* What is no message is answered with an error, and the stream goes on.  Not OK: a line is longer
 * than LIMIT_MCP_LINE_BYTES; close the stream. */
status serve_bytes(serve *s, str bytes, err *e) MUST_USE;
/* No more bytes come: questions to the host are refused. */
void serve_input_ended(serve *s);
bool serve_is_idle(const serve *s);               /* every call has its answer */
bool serve_is_asking(const serve *s, int64_t id); /* the host's answer to this id belongs here */
bool serve_is_running(const serve *s, const cJSON *id); /* a request of this id */
/* News of what the client has subscribed to goes out here, until the stream is freed. */
void serve_takes_news(serve *s);
