/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A stream and the LSP server that speaks on it: one editor.  Thread: loop. */
#include "lsp/loop.h"
#include "lsp/server.h"
#include "lsp/stream.h"
#include "lsp/tools.h"

typedef struct connection connection;

typedef struct {
    void *ud;
    /* Its stream is closed; it is freed right after this.  exit_code as daemon_run tells. */
    void (*closed)(void *ud, connection *c, int exit_code);
} connection_hooks;

/* Opens with in_fd and out_fd, or accepts from `listener` when that is not NULL. */
typedef struct {
    int in_fd, out_fd;
    uv_stream_t *listener;
} connection_source;

status connection_open(connection **out, loop *l, const connection_source *from,
                       const server_options *options, const connection_hooks *hooks,
                       err *e) MUST_USE;
server *connection_server(connection *c); /* NULL while it closes */
tools *connection_tools(connection *c);   /* the same */
int connection_fd(const connection *c);   /* of its stream, to look at */
/* Now and then: deadlines, and whether the client's process still lives. */
void connection_tick(connection *c);
/* Also watches this process (0: none). */
void connection_watch(connection *c, int64_t pid);
/* Closes it from our side with this exit code; closed() follows from the loop. */
void connection_end(connection *c, int exit_code);
