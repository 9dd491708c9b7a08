/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A byte stream in both directions over libuv: standard input and output, or a socket.
 * Thread: loop. */
#include "engine/base/str.h"
#include "lsp/loop.h"

typedef struct stream stream;

typedef struct {
    void *ud;
    void (*bytes)(void *ud, str bytes); /* valid during the call */
    /* Nothing more will come or can be written; at most once.  `why` is NULL at a regular end. */
    void (*ended)(void *ud, const char *why);
    void (*closed)(void *ud); /* after stream_close; the stream is freed */
} stream_hooks;

/* Takes the descriptors (in and out may be the same): pipes, sockets, terminals, files. */
status stream_open(stream **out, loop *l, int in_fd, int out_fd, const stream_hooks *hooks,
                   err *e) MUST_USE;
/* Accepts a connection that waits at `listener`. */
status stream_accept(stream **out, loop *l, uv_stream_t *listener, const stream_hooks *hooks,
                     err *e) MUST_USE;
/* What is read from, to look at; -1: it is being closed. */
int stream_fd(const stream *s);
/* Copies.  An editor that does not read ends the stream when LIMIT_WRITE_QUEUE_BYTES wait. */
void stream_write(stream *s, str bytes);
/* Writes what waits (for at most half a second), then closes and calls `closed`. */
void stream_close(stream *s);
