/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* $/progress of one long task of one connection (the model's load). */
#include "mcp/rpc.h"

typedef enum { PROGRESS_NONE, PROGRESS_CREATING, PROGRESS_SHOWN } progress_state;

typedef struct {
    rpc *rpc; /* NULL: the client shows no progress */
    progress_state state;
    int percent;    /* the last that was sent or waits to be */
    char token[48]; /* a fresh one for each task */
    char title[160], message[160];
    unsigned serial;
    bool ending; /* the task ended while the client was still asked for a token */
} work_progress;

void work_progress_init(work_progress *p, rpc *rpc);
/* The task runs; begins showing it when needed. */
void work_progress_report(work_progress *p, const char *title, const char *message, int percent);
/* The task ended; `message` is shown for a moment. */
void work_progress_end(work_progress *p, const char *message);
