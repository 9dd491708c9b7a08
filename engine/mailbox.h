/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where the two threads meet; see mailbox.c for the invariants.  "Caller" is the thread that
 * started the engine (the loop), "engine" is the worker thread. */
#include "engine/job.h"

typedef struct mailbox mailbox;

typedef enum { WISH_UNLOAD, WISH_LOAD, WISH_SAVE, WISH_RESTORE } wish;
/* A wish about a model slot. */
typedef struct command {
    struct command *next;
    wish wish;
    int slot;
    char *path, *name; /* path: the model's, or the sequence's */
    int context_tokens;
    k_kv_type kv_type;
    uint64_t load;       /* WISH_LOAD: its number */
    bool cpu;            /* WISH_LOAD: not on the device */
    uint64_t memory_max; /* WISH_LOAD: bytes that it may take; 0: what there is */
} command;
void command_free(command *c); /* accepts NULL */

/* What a slot has to say.  Heap: loading may allocate. */
typedef struct {
    mail mail; /* kind MAIL_LOAD; first member */
    event_kind kind;
    int slot;
    uint64_t load;
    float progress;
    status status;    /* EV_LOAD_FAILED */
    uint64_t missing; /* EV_LOAD_FAILED: bytes of memory */
    int tokens;       /* EV_SAVED, EV_RESTORED; error.text is empty when all went well */
    const char *what;
    engine_model_info info;
    err error;
    tokenizer *tokenizer; /* EV_LOADED: borrowed by the caller; EV_UNLOADED: the caller frees it */
} load_mail;

mailbox *mailbox_new(void (*wake)(void *ud), void *ud);
void mailbox_free(mailbox *m); /* after the engine thread has ended; frees undelivered mail */

/* ---- caller ---- */
/* Takes the job and numbers it.  ERR_LIMIT (the job stays the caller's): the table is full. */
status mailbox_post(mailbox *m, job *j, err *e) MUST_USE;
void mailbox_cancel(mailbox *m, job_id id);
void mailbox_command(mailbox *m, command *c); /* takes c */
void mailbox_close(mailbox *m);               /* the engine thread shall end */

int mailbox_count_jobs(mailbox *m, int slot); /* that have not been delivered */

/* Blocks until the engine thread says how its start went, and on what it runs. */
status mailbox_wait_started(mailbox *m, engine_device *device, err *e) MUST_USE;

typedef struct {
    mail_kind kind;
    job *job;        /* MAIL_TEXT: borrowed; MAIL_DONE: taken by the caller */
    str text;        /* MAIL_TEXT */
    int tokens;      /* MAIL_TEXT: generated so far */
    load_mail *load; /* MAIL_LOAD: taken by the caller */
} delivery;
size_t mailbox_waiting(mailbox *m);
bool mailbox_next(mailbox *m, delivery *out); /* false: empty */

/* ---- engine ---- */
void mailbox_set_started(mailbox *m, status s, const engine_device *device, const err *e);
/* Sleeps until something new is there, but no longer than `ms` (0: not at all; HUGE_VAL: whatever
 * it takes).  With `reading`, commands that were there before do not count: they wait for the file
 * that is read.  False: the mailbox is closed. */
bool mailbox_wait(mailbox *m, double ms, bool reading);
/* Ends a mailbox_wait, now or the next one.  Any thread. */
void mailbox_nudge(mailbox *m);
bool mailbox_is_closed(mailbox *m);
command *mailbox_take_command(mailbox *m);           /* NULL: none; takes ownership */
bool mailbox_has_command(mailbox *m, int slot);      /* a newer wish (un)loads this slot */
void mailbox_return_command(mailbox *m, command *c); /* it will be the next one again; takes c */
job *mailbox_take_job(mailbox *m);                   /* NULL: none; takes ownership */
/* Says which job is stepping (NULL: none).  The returned mark turns true when that step should be
 * given up: a more urgent job came, or the mailbox was closed.  Cancelling does not: the chunk that
 * runs is finished, because the job that follows a cancelled one mostly shares its prompt, and
 * somebody who types fast would never get past the first chunk. */
const atomic_bool *mailbox_set_running(mailbox *m, const job *j);
void mailbox_emit_text(mailbox *m, job *j, size_t upto); /* text[0 .. upto) may be shown */
void mailbox_emit_done(mailbox *m, job *j);              /* gives j back */
void mailbox_emit_load(mailbox *m, load_mail *l);        /* takes l */
