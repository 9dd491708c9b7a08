/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* $/progress of one long task of one connection: a model's load, work that somebody asked for. */
#include "mcp/rpc.h"

typedef enum { PROGRESS_NONE, PROGRESS_CREATING, PROGRESS_SHOWN } progress_state;

typedef struct {
    rpc *rpc; /* NULL: the client shows no progress */
    progress_state state;
    int percent;    /* the last that was sent or waits to be */
    char token[48]; /* a fresh one for each task */
    char title[160], message[160];
    const char *kind; /* "load", "server" or "task"; with serial it makes the token */
    unsigned serial;  /* of the last token */
    bool ending;      /* the task ended while the client was still asked for a token */
    cJSON *given;     /* the client's own token (a text or a number), or NULL */
    int64_t asking;   /* CREATING: the request */
} work_progress;

/* For things that come one after another, such as loads of models; `kind` lives on. */
void work_progress_init(work_progress *p, rpc *rpc, const char *kind);
/* The same for one task.  `token` is what the client wants to be told with (copied), or NULL: it is
 * asked for one. */
void work_progress_init_task(work_progress *p, rpc *rpc, unsigned serial, const cJSON *token);
/* Forgets a task, whatever state it is in; what is shown ends. */
void work_progress_deinit(work_progress *p);
/* Whether the client means this task. */
bool work_progress_is(const work_progress *p, const cJSON *token);
/* The task runs; begins showing it when needed. */
void work_progress_report(work_progress *p, const char *title, const char *message, int percent);
/* The task ended; `message` is shown for a moment. */
void work_progress_end(work_progress *p, const char *message);
