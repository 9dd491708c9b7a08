/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The engine thread's state, shared by worker.c (jobs) and worker_models.c (models).
 * Thread: engine. */
#include "engine/base/limits.h"
#include "engine/load.h"
#include "engine/opening.h"
#include "engine/run.h"
#include "engine/schedule.h"
#include "engine/worker.h"

#define CHUNK_MS 30.0 /* of a less urgent prompt, while somebody types */

typedef struct worker worker;

typedef struct {
    model *model;  /* NULL: none */
    status failed; /* why not; OK: nothing was asked for */
    err error;
    uint64_t load;   /* its number */
    bool loading;    /* jobs wait for it */
    bool restoring;  /* a sequence, which the jobs that wait may begin like */
    command *wanted; /* what was asked for, to load it again after a device failed; owned */
} model_slot;

typedef struct {
    job *job;
    run *run;     /* NULL: waiting */
    bool blocked; /* no session was free this turn */
    bool robbed;  /* of its pages: it waits until another run of its model has ended */
} entry;

struct worker {
    mailbox *mail;
    k_backend *backend;
    k_backend *beside; /* the CPU, for models that the device cannot run; NULL: not needed yet */
    k_options options;
    bool device_lost;
    err lost_why;     /* of a device that is gone: why the CPU is used; empty text: none was lost */
    opening *opening; /* of the model that is read now; NULL: none.  One at a time */
    double typed_ms;  /* when a job of PRIO_TYPE was taken last; 0: never */
    model_slot slots[LIMIT_ENGINE_MODELS];
    entry entries[LIMIT_ENGINE_JOBS];
    int n_entries;
    schedule schedule;
};

/* ---- worker.c ---- */
/* Gives the job back.  With s == OK a running one ends as its steps left it. */
void worker_end_job(worker *w, int index, status s, const err *e);
void worker_take_jobs(worker *w);
/* Ends the jobs that were cancelled, and those that are late. */
void worker_end_unwanted(worker *w);
/* One step of the jobs that are next, of those whose model is there; false: there are none. */
bool worker_advance(worker *w);
/* A job of this or a more urgent priority waits or runs, and its model is there. */
bool worker_has_job(const worker *w, job_priority least);

/* A call of the device failed: worker_replace_device comes next. */
void worker_lose_device(worker *w, const err *why);

/* ---- worker_models.c ---- */
/* What was asked for about models. */
void worker_obey(worker *w);
/* Jobs for this slot wait: its model is loading, or will be. */
bool worker_is_loading(const worker *w, int slot);
/* The device is gone: the CPU takes over, and loads what was there. */
void worker_replace_device(worker *w);
void worker_unload(worker *w, int slot);
/* Ends what is being read. */
void worker_stop_opening(worker *w);
