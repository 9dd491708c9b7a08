/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A request's promise: made by the dispatcher, consumed by exactly one of the functions below. */
#include "mcp/rpc.h"

typedef struct server server;

typedef struct reply {
    server *server;
    rpc_id id;
    char method[64];
    double received_ms;
    char note[160]; /* for the log line: what the answer cost */
} reply;

/* Counts as unanswered in the server from now on. */
reply *reply_new(server *s, const rpc_id *id, const char *method);
/* Each of these takes `r` (and `result`). */
void reply_result(reply *r, cJSON *result);
void reply_error(reply *r, int code, const char *sentence);
void reply_status(reply *r, status s, const err *e); /* the LSP error code that fits a status */
void reply_drop(reply *r);                           /* superseded or cancelled: -32800 */
void reply_abandon(reply *r);                        /* the connection is gone: nobody to answer */
