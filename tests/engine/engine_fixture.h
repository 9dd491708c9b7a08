/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An engine with the reference backend and a small model in slot 0, and everything that it said.
 * For cmocka's tests: what goes wrong fails the one that runs. */
#include "engine/engine.h"
#include "tests/engine/tiny_model.h"

enum { KEPT = 600, TOKENS = 600 };

/* A copy of what EV_DONE said. */
typedef struct {
    job_id id;
    status status;
    err error;
    finish_reason finish;
    char text[2048], streamed[2048];
    int32_t tokens[TOKENS], prompt[TOKENS];
    float logprobs[TOKENS];
    int n_tokens, n_prompt, reused, prefilled, healed;
    float mean, least;
    int steps, shared_steps;
    int order; /* of arrival */
} answer;

typedef struct {
    engine *g;
    answer at[KEPT];
    int count, loads, failures, unloads, progress;
    int moves, moved_tokens; /* sequences saved and restored */
    char move_error[sizeof((err *)NULL)->text];
    bool building;   /* the last progress was of repacking */
    int done_beside; /* jobs that ended meanwhile */
    err load_error;
    status load_status;
    uint64_t missing;
    engine_model_info info;
    atomic_int gate; /* see stand_still */
} fixture;

int fixture_start(void **state); /* cmocka's setup: slot 0 has a context of 512 */
int fixture_start_on(void **state, k_device device, const tiny_options *opt);
int fixture_stop(void **state);
/* Waits for the end of the load. */
void load(fixture *f, int slot, const tiny_options *opt);

answer *answer_of(fixture *f, job_id id);
void drain(fixture *f); /* takes what was said */
void drain_until(fixture *f, const int *counter, int value);
answer *wait_for(fixture *f, job_id id);

engine_job text_job(const char *text, int tokens);
job_id submit(fixture *f, const engine_job *job);
answer *run(fixture *f, const engine_job *job); /* submits it and waits for it */
/* The engine's thread stands still, so that what the test does comes before its next step. */
void stand_still(fixture *f);
void go_on_to_next_event(fixture *f); /* which the engine sends, and stands still again */
void go_on(fixture *f);

/* The same tokens with the same probabilities. */
void check_same(const answer *a, const answer *b);
