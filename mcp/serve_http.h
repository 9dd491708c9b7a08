/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What we offer, over Streamable HTTP, on loopback only, at /mcp, in both eras.
 *
 * Older revisions: sessions (Mcp-Session-Id), an answer as JSON or as a stream of events, a stream
 * of news (GET), an end (DELETE); streams cannot be resumed.  2026-07-28: one POST, one answer.
 * Bounds: LIMIT_OWN_CONNECTIONS, _SESSIONS, _BODY_BYTES, _HTTP_MS, _STREAM_BYTES.  Thread: loop. */
#include "mcp/own.h"

typedef struct serve_http serve_http;

/* Port 0: any; serve_http_port says which.  `token` (NULL: none) must come as a bearer token.
 * ERR_IO: it cannot listen there. */
status serve_http_new(serve_http **out, uv_loop_t *loop, own_tools *tools, int port,
                      const char *token, err *e) MUST_USE;
int serve_http_port(const serve_http *s);
/* Open requests end without an answer; `closed` comes from the loop. */
void serve_http_close(serve_http *s, void (*closed)(void *ud), void *ud);
