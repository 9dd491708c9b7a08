/* SPDX-License-Identifier: Apache-2.0 */
/* See engine_fixture.h.  Thread: the test's. */
#include "tests/engine/engine_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/utf8.h"

#define PATIENCE_MS 120000 /* with something that must come */

answer *answer_of(fixture *f, job_id id) {
    for (int i = 0; i < f->count; i++)
        if (f->at[i].id == id) return &f->at[i];
    assert_true(f->count < KEPT);
    f->at[f->count] = (answer){.id = id, .order = -1};
    return &f->at[f->count++];
}

static void keep(answer *a, const engine_result *r) {
    assert_int_equal(a->order, -1); /* exactly one EV_DONE */
    static int order;
    a->order = order++;
    a->status = r->status;
    a->error = r->error;
    a->finish = r->finish;
    snprintf(a->text, sizeof a->text, "%.*s", STR_ARG(r->text));
    assert_true(utf8_is_valid(r->text));
    a->n_tokens = r->n_tokens;
    a->n_prompt = r->n_prompt;
    for (int i = 0; i < MIN(r->n_tokens, TOKENS); i++) {
        a->tokens[i] = r->tokens[i];
        a->logprobs[i] = r->probs[i * r->n_probs_per_token].logprob;
    }
    for (int i = 0; i < MIN(r->n_prompt, TOKENS); i++)
        a->prompt[i] = r->prompt[i];
    a->reused = r->reused;
    a->prefilled = r->prefilled;
    a->healed = r->healed_bytes;
    a->mean = r->logprob_mean;
    a->least = r->logprob_min;
    a->steps = r->steps;
    a->shared_steps = r->shared_steps;
}

static void on_event(void *ud, const engine_event *ev) {
    fixture *f = ud;
    switch (ev->kind) {
    case EV_LOAD_PROGRESS:
        f->progress++;
        f->building = !strcmp(ev->what, "repacking");
        break;
    case EV_LOADED:
        f->loads++;
        f->building = false;
        f->info = *ev->info;
        break;
    case EV_LOAD_FAILED:
        f->failures++;
        f->load_error = *ev->error;
        f->load_status = ev->status;
        f->missing = ev->missing;
        break;
    case EV_UNLOADED: f->unloads++; break;
    case EV_SAVED:
    case EV_RESTORED:
        f->moves++;
        f->moved_tokens = ev->tokens;
        snprintf(f->move_error, sizeof f->move_error, "%s", ev->error ? ev->error->text : "");
        break;
    case EV_TEXT: {
        answer *a = answer_of(f, ev->job);
        size_t n = strlen(a->streamed);
        snprintf(a->streamed + n, sizeof a->streamed - n, "%.*s", STR_ARG(ev->text));
        break;
    }
    case EV_DONE:
        f->done_beside += f->building;
        keep(answer_of(f, ev->job), ev->result);
        break;
    }
}

void drain(fixture *f) {
    engine_drain(f->g, on_event, f);
}

void drain_until(fixture *f, const int *counter, int value) {
    double end = clock_ms() + PATIENCE_MS;
    while (*counter < value) {
        drain(f);
        if (clock_ms() > end) fail_msg("nothing came for two minutes");
        usleep(200);
    }
}

answer *wait_for(fixture *f, job_id id) {
    answer *a = answer_of(f, id);
    double end = clock_ms() + PATIENCE_MS;
    while (a->order < 0) {
        drain(f);
        if (clock_ms() > end) fail_msg("job %d did not end in two minutes", (int)id);
        usleep(200);
    }
    return a;
}

void load(fixture *f, int slot, const tiny_options *opt) {
    char path[128];
    tiny_model_write(opt, path);
    int before = f->loads;
    engine_load(f->g, slot, &(engine_model_options){.path = path, .name = "tiny"});
    drain_until(f, &f->loads, before + 1);
    unlink(path);
}

/* ---- a standstill ---------------------------------------------------------------------------- */

enum { GATE_OPEN, GATE_SHUT, GATE_STANDS }; /* STANDS: the engine's thread is here */

static void on_wake(void *ud) {
    atomic_int *gate = ud;
    int shut = GATE_SHUT;
    if (!atomic_compare_exchange_strong(gate, &shut, GATE_STANDS)) return;
    while (atomic_load(gate) == GATE_STANDS)
        usleep(100);
}

static void wait_for_standstill(fixture *f) {
    double end = clock_ms() + PATIENCE_MS;
    while (atomic_load(&f->gate) != GATE_STANDS) {
        if (clock_ms() > end) fail_msg("nothing happened for two minutes");
        usleep(100);
    }
}

void stand_still(fixture *f) {
    atomic_store(&f->gate, GATE_SHUT);
    engine_job job = text_job("x", 1);
    submit(f, &job);
    wait_for_standstill(f);
}

void go_on_to_next_event(fixture *f) {
    atomic_store(&f->gate, GATE_SHUT);
    wait_for_standstill(f);
}

void go_on(fixture *f) {
    atomic_store(&f->gate, GATE_OPEN);
}

/* ---- setup ----------------------------------------------------------------------------------- */

int fixture_start_on(void **state, k_device device, const tiny_options *opt) {
    fixture *f = xcalloc(1, sizeof *f);
    err e;
    const engine_options options = {
        .device = device, .threads = 1, .wake = on_wake, .wake_ud = &f->gate};
    if (engine_start(&f->g, &options, &e) != OK) {
        printf("%s\n", e.text);
        xfree(f);
        return -1;
    }
    load(f, 0, opt);
    f->count = 0;
    *state = f;
    return 0;
}

int fixture_start(void **state) {
    return fixture_start_on(state, K_REF, &(tiny_options){.context = 512, .seed = 3});
}

int fixture_stop(void **state) {
    fixture *f = *state;
    engine_stop(f->g);
    xfree(f);
    return 0;
}

engine_job text_job(const char *text, int tokens) {
    return (engine_job){.tokens_max = tokens,
                        .ignore_eog = true,
                        .prompt = {.kind = PROMPT_TEXT, .prefix = str_of(text)}};
}

job_id submit(fixture *f, const engine_job *job) {
    job_id id;
    err e;
    if (engine_submit(f->g, job, &id, &e) != OK) fail_msg("%s", e.text);
    return id;
}

answer *run(fixture *f, const engine_job *job) {
    return wait_for(f, submit(f, job));
}

void check_same(const answer *a, const answer *b) {
    assert_int_equal(a->n_tokens, b->n_tokens);
    assert_memory_equal(a->tokens, b->tokens, (size_t)a->n_tokens * 4);
    assert_memory_equal(a->logprobs, b->logprobs, (size_t)a->n_tokens * 4);
    assert_string_equal(a->text, b->text);
}
