/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Work that a person asked for and that takes a while: a rewrite, a review, an explanation.
 *
 *     work_new --> the model writes --> (a question to the person) --> the editor applies --> end
 *          \______________\____________________\__________________________/
 *                   cancelled, the document moved on, the model or the editor refuses
 *
 * Each ends by exactly one of work_done and work_fail, which answer the request that began it.
 * Progress is shown from the beginning to the end.  Thread: loop.
 */
#include "context/change.h"
#include "context/context.h"
#include "lsp/agent.h"
#include "lsp/progress.h"
#include "lsp/reply.h"
#include "lsp/tiers.h"

typedef struct work work;

typedef struct {
    const char *title; /* copied; what the progress shows */
    model_role role;
    const cJSON *token;       /* the client's workDoneToken, or NULL */
    document *document;       /* or NULL */
    bool bound;               /* useless once the document has changed */
    void (*ended)(void *own); /* frees what belongs to it; after the answer */
    void *own;
} work_order;

/* Takes `r`.  NULL: it was answered with an error, and `ended` has been called. */
work *work_new(server *s, reply *r, const work_order *o);
server *work_server(const work *w);
document *work_document(const work *w);

/* ---- steps ----------------------------------------------------------------------------------- */

/* r->status is OK. */
typedef void (*work_answered)(void *own, const agent_result *r);
typedef void (*work_told)(void *own, str text); /* all that the model has written so far */
typedef struct {
    str system, user;           /* copied */
    const cJSON *schema;        /* the answer is JSON that fits; copied; NULL: text */
    bool tools;                 /* the model may call those of MCP servers */
    const change_target *about; /* of the document: what tools know of it is looked up and put in
                                   front of `user` (lsp/enrich.h); NULL: nothing is */
    int tokens_max, time_ms;    /* 0: as the settings say */
    work_answered answered;
    work_told told; /* may be NULL */
    /* What the work does without an answer; NULL: it fails.  With it nothing waits for a model that
     * is not ready.  A cancelled work fails all the same. */
    void (*unanswered)(void *own);
} work_question;
/* Asks the role's model, as soon as it is loaded; at most one question at a time.  Whatever goes
 * wrong ends the work, maybe before this returns. */
void work_ask(work *w, const work_question *q);
/* Sends a request to the client; the answer comes to `fn`, unless the work ends before.  While a
 * workspace/applyEdit is out, changes of the document do not count: they are our own. */
typedef void (*work_client_answer)(void *own, const rpc_answer *a);
void work_request(work *w, const char *method, cJSON *params, work_client_answer fn);
void work_progress_text(work *w, const char *message, int percent);

/* ---- ends: the pointer is dead after each --------------------------------------------------- */

void work_done(work *w, cJSON *result, const char *message); /* `result` is taken */
void work_fail(work *w, int code, const char *sentence);

/* ---- for the server ---------------------------------------------------------- */

/* True when `id` was the request of some work: it ends. */
bool works_cancel(server *s, const rpc_id *id);
void works_cancel_progress(server *s, const cJSON *token);
void works_document_changed(server *s, document *d);
void works_document_closing(server *s, document *d);
void works_end_all(server *s, const char *why); /* shutdown */
void works_abandon(server *s);                  /* the connection is gone */
/* Models have loaded, or failed to; tools are there. */
void works_model_changed(server *s);
void works_tools_changed(server *s);
