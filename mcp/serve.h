/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The other side of MCP: our own tools, served to somebody's host.
 *
 * Both eras on one stream: `initialize` (2024-11-05 to 2025-11-25), and requests that carry their
 * revision with them (2026-07-28).  Bytes come in by serve_bytes, answers go out by `write`; every
 * request gets exactly one answer, except one that its host has cancelled, which gets none.
 * Thread: loop. */
#include "mcp/frame.h"
#include "mcp/own.h"

typedef struct serve serve;

typedef struct {
    void *ud;
    void (*write)(void *ud, str line); /* copies; one message with its newline */
} serve_hooks;

serve *serve_new(own_tools *tools, const serve_hooks *hooks); /* borrows the tools */
/* Cancels what runs; accepts NULL.  Not from inside a hook. */
void serve_free(serve *s);
/* What is no message is answered with an error, and the stream goes on.  Not OK: a line is longer
 * than LIMIT_MCP_LINE_BYTES; close the stream. */
status serve_bytes(serve *s, str bytes, err *e) MUST_USE;
bool serve_is_idle(const serve *s); /* every request has its answer */
