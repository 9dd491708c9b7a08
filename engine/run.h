/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One job while the engine works on it: prompt, session, steps, result.  Thread: engine. */
#include "engine/constraint.h"
#include "engine/draft.h"
#include "engine/job.h"
#include "engine/load.h"
#include "engine/stop.h"

typedef struct {
    job *job; /* owned by the worker */
    model *model;
    session *session;
    prompt prompt;
    sampler sampler;
    heal heal;
    stop stop;
    constraint constraint;
    int32_t *ids; /* [n_prompt + tokens_max] prompt and what was generated; in the job's arena */
    int n_prompt, n_ids;
    int32_t *piece_start; /* [tokens_max] where each token's text begins */
    float *shown_logprob; /* [tokens_max] among the tokens that were allowed */
    draft_record drafts;
    uint8_t tail[4]; /* bytes of an incomplete character */
    int n_tail;
    double start_ms, first_ms; /* first step begins; first token is there (0: not yet) */
    bool done;
} run;

/* Builds the prompt, allocates everything that the job will ever need and takes a session.  After a
 * failure run_end gives the job its result all the same.  *out is NULL without error when no
 * session is free. */
status run_start(run **out, job *j, model *m, err *e) MUST_USE;

/* Ids that are not computed yet, at least 1: the last one's logits choose the next token. */
int run_left(const run *r);

typedef enum {
    STEP_MORE,
    STEP_DONE,     /* r->job->result is complete but for run_end */
    STEP_YIELDED,  /* given up because of `interrupt`; nothing is lost but this step's work */
    STEP_NO_PAGES, /* the KV cache is full of other running jobs; the others' rows were computed */
} step_outcome;

/* What one run has in a step. */
typedef struct {
    run *run;
    step_outcome outcome;
    int from, rows, guesses; /* inside: its first position; rows of its ids, and behind them */
} run_part;

/* One step of n (1..LIMIT_ENGINE_SEQUENCES) runs of one model: a chunk of one prompt, or of each
 * run one decoded token and those guesses behind it that the model confirms.  Several are all at
 * their last id (run_left is 1); each gets what it would get alone, to the bit.  A chunk is cut so
 * that it takes about chunk_ms, as far as its rows' time is known (0: the model's own).  Sets each
 * outcome; allocates nothing. */
void run_step(run_part *parts, int n, double chunk_ms, const atomic_bool *interrupt);

/* Forgets the computed KV, which a more urgent job needs; the run goes on and computes it again. */
void run_give_up_pages(run *r);
/* Completes the job's result (s: how it ended) and releases the session.  Frees r. */
void run_end(run *r, status s, const err *e);
/* The result of a job that never got a run. */
void run_refuse(job *j, status s, const err *e);
