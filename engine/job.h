/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A job on its way through the engine: the caller's order (copied), room for everything that the
 * engine will write, and the two letters that carry it back.  One owner at a time: the loop until
 * mailbox_post, the engine until mailbox_emit_done, then the loop again.  Thread: its owner's. */
#include <stdatomic.h>

#include "engine/base/arena.h"
#include "engine/engine.h"

typedef struct job job;

typedef enum { MAIL_TEXT, MAIL_DONE, MAIL_LOAD } mail_kind;
/* A node of the mailbox's list of events.  Embedded, so that sending one allocates nothing. */
typedef struct mail {
    struct mail *next;
    mail_kind kind;
    bool queued; /* mailbox.lock */
    job *job;    /* MAIL_TEXT, MAIL_DONE */
} mail;

struct job {
    job_id id;
    arena mem;       /* owns every copy below                             */
    engine_job spec; /* its pointers point into mem                       */
    grammar *grammar; /* held; NULL: none */
    double posted_ms;
    atomic_bool cancel;   /* set by any thread                                 */
    engine_result result; /* written by the engine until MAIL_DONE             */

    mail text_mail, done_mail;
    char *text;                /* [text_cap] valid UTF-8; grows, never moves        */
    size_t text_cap, text_len; /* text_len: engine                            */
    size_t shared, taken;      /* mailbox.lock: bytes sent, bytes delivered   */
    int shared_tokens;         /* mailbox.lock: tokens behind the bytes sent  */
    int guessed, confirmed;    /* tokens that were drafted, for the log */
    job *next;                 /* mailbox.lock: queue of posted jobs                */
};

/* Checks the order's numbers and copies it. */
status job_new(job **out, const engine_job *spec, err *e) MUST_USE;
void job_free(job *j); /* accepts NULL */
