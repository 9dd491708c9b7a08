/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine promises about results, on a graphics card: however a text came about (from a
 * cold cache, from a prefix that was there, from a sequence on disk, with guesses or without,
 * through graphs, launches or the token kernel), its tokens are the same; every architecture runs
 * there or is refused by name and runs on the CPU.
 *
 * Once on the CPU, as a test of the test, and once on the card, which says why where there is none.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/engine.h"
#include "tests/engine/tiny_model.h"

enum { GENERATED = 48, PROMPT = 900, CONTEXT = 2048 };

typedef struct {
    status status;
    err error;
    int32_t tokens[GENERATED];
    float logprobs[GENERATED];
    int n_tokens, n_prompt, reused, guessed_steps;
    bool done;
} answer;

typedef struct {
    k_device device;
    engine *g;
    answer last;
    int loads, failures, moves, moved_tokens;
    engine_model_info info;
    char error[sizeof((err *)NULL)->text];
    char path[128];
} fixture;

static k_device device_now; /* of the group that runs */

static void on_event(void *ud, const engine_event *ev) {
    fixture *f = ud;
    const engine_result *r = ev->result;
    switch (ev->kind) {
    case EV_LOADED:
        f->loads++;
        f->info = *ev->info;
        break;
    case EV_LOAD_FAILED:
        f->failures++;
        snprintf(f->error, sizeof f->error, "%s", ev->error->text);
        break;
    case EV_SAVED:
    case EV_RESTORED:
        f->moves++;
        f->moved_tokens = ev->tokens;
        snprintf(f->error, sizeof f->error, "%s", ev->error ? ev->error->text : "");
        break;
    case EV_DONE:
        f->last = (answer){.status = r->status,
                           .error = r->error,
                           .n_tokens = r->n_tokens,
                           .n_prompt = r->n_prompt,
                           .reused = r->reused,
                           .done = true};
        for (int i = 0; i < MIN(r->n_tokens, GENERATED); i++) {
            f->last.tokens[i] = r->tokens[i];
            f->last.logprobs[i] = r->probs[i * r->n_probs_per_token].logprob;
        }
        break;
    case EV_LOAD_PROGRESS:
    case EV_UNLOADED:
    case EV_TEXT: break;
    }
}

static void drain_until(fixture *f, const int *counter, int value) {
    double end = clock_ms() + 60000;
    while (*counter < value) {
        engine_drain(f->g, on_event, f);
        if (clock_ms() > end) fail_msg("nothing came for a minute");
        usleep(200);
    }
}

static void load(fixture *f, int slot, const tiny_options *opt) {
    if (f->path[0]) unlink(f->path);
    tiny_model_write(opt, f->path);
    int before = f->loads;
    engine_load(f->g, slot, &(engine_model_options){.path = f->path, .name = "tiny"});
    drain_until(f, &f->loads, before + 1);
}

static const tiny_options plain = {.context = CONTEXT, .seed = 3, .card = true};

static int start(void **state) {
    fixture *f = xcalloc(1, sizeof *f);
    err e;
    *state = f;
    f->device = device_now;
    const engine_options options = {.device = f->device, .threads = 2};
    if (engine_start(&f->g, &options, &e) != OK) {
        printf("SKIP: not tested on a card: %s\n", e.text);
        f->g = NULL;
    }
    return 0;
}

static int stop(void **state) {
    fixture *f = *state;
    engine_stop(f->g);
    if (f->path[0]) unlink(f->path);
    xfree(f);
    return 0;
}

/* The group of the card says nothing where there is none. */
static fixture *begin(void **state) {
    fixture *f = *state;
    if (!f->g) skip();
    load(f, 0, &plain);
    if (f->device == K_CUDA) assert_true(f->info.on_device);
    return f;
}

static answer run_tokens(fixture *f, int slot, const int32_t *ids, int n, bool guesses,
                         int tokens) {
    const engine_job job = {
        .slot = slot,
        .prompt = {.kind = PROMPT_TOKENS, .tokens = ids, .n_tokens = (size_t)n},
        .sampling = {.top_p = 1, .repeat_penalty = 1},
        .tokens_max = tokens,
        .ignore_eog = true,
        .no_guesses = !guesses,
    };
    err e;
    job_id id;
    f->last.done = false;
    if (engine_submit(f->g, &job, &id, &e) != OK) fail_msg("%s", e.text);
    double end = clock_ms() + 60000;
    while (!f->last.done) {
        engine_drain(f->g, on_event, f);
        if (clock_ms() > end) fail_msg("the job did not end in a minute");
        usleep(100);
    }
    if (f->last.status != OK) fail_msg("%s", f->last.error.text);
    assert_int_equal(f->last.n_tokens, tokens);
    return f->last;
}

static answer run_in(fixture *f, int slot, const int32_t *ids, int n, bool guesses) {
    return run_tokens(f, slot, ids, n, guesses, GENERATED);
}

/* Code-like: words come again, so that guesses are made and confirmed. */
static void make_prompt(int32_t ids[PROMPT], int salt) {
    for (int i = 0; i < PROMPT; i++) {
        int at = i % 40 < 25 ? i % 40 : i;
        ids[i] = 5 + (at * 37 + salt * 11) % 300;
    }
}

static void check_same(const char *what, const answer *a, const answer *b) {
    for (int i = 0; i < GENERATED; i++) {
        if (a->tokens[i] != b->tokens[i])
            fail_msg("%s: token %d is %d instead of %d (log p %.4f, %.4f)", what, i, b->tokens[i],
                     a->tokens[i], (double)b->logprobs[i], (double)a->logprobs[i]);
    }
}

/* ---- the same tokens, however ---------------------------------------------------------------- */

static void a_prefix_that_was_there(void **state) {
    fixture *f = begin(state);
    int32_t ids[PROMPT];
    /* New behind the prefix: one token (decode), a few, a key's worth, a chunk, nearly all. */
    static const int shared[] = {PROMPT - 1, PROMPT - 5, PROMPT - 13, PROMPT - 47, 600, 64, 3};
    for (int k = 0; k < (int)COUNTOF(shared); k++) {
        make_prompt(ids, k);
        load(f, 0, &plain); /* nothing is cached */
        answer cold = run_in(f, 0, ids, PROMPT, true);
        assert_int_equal(cold.reused, 0);
        load(f, 0, &plain);
        run_in(f, 0, ids, shared[k], true);
        answer warm = run_in(f, 0, ids, PROMPT, true), hit = run_in(f, 0, ids, PROMPT, true);
        assert_true(warm.reused >= shared[k] - 1);
        assert_int_equal(hit.reused, PROMPT - 1);
        check_same("prefix", &cold, &warm);
        check_same("whole prompt", &cold, &hit);
    }
}

static void a_sequence_from_disk(void **state) {
    fixture *f = begin(state);
    int32_t ids[PROMPT];
    char file[64];
    snprintf(file, sizeof file, "/tmp/inlined-card-%ld", (long)getpid());
    make_prompt(ids, 9);
    answer cold = run_in(f, 0, ids, PROMPT, true), first = run_in(f, 0, ids, PROMPT, true);
    engine_save(f->g, 0, file);
    drain_until(f, &f->moves, 1);
    assert_string_equal(f->error, "");
    load(f, 0, &plain);
    engine_restore(f->g, 0, file);
    drain_until(f, &f->moves, 2);
    assert_string_equal(f->error, "");
    assert_int_equal(f->moved_tokens, f->device == K_CUDA ? PROMPT - 1 : PROMPT + GENERATED - 1);
    answer again = run_in(f, 0, ids, PROMPT, true);
    assert_int_equal(again.reused, PROMPT - 1);
    check_same("in the cache", &cold, &first);
    check_same("restored", &first, &again);
    assert_memory_equal(cold.logprobs, first.logprobs, sizeof cold.logprobs);
    assert_memory_equal(first.logprobs, again.logprobs, sizeof first.logprobs);
    unlink(file);
}

static void guesses_or_none(void **state) {
    fixture *f = begin(state);
    int32_t ids[PROMPT];
    for (int k = 0; k < 6; k++) {
        make_prompt(ids, 20 + k);
        answer with = run_in(f, 0, ids, 300 + k, true), without = run_in(f, 0, ids, 300 + k, false);
        check_same("guesses", &with, &without);
        assert_memory_equal(with.logprobs, without.logprobs, sizeof with.logprobs);
    }
}

static void graphs_launches_or_one_kernel(void **state) {
    fixture *f = begin(state);
    static const char *const ways[][2] = {{"1", "1"}, {"0", "1"}, {"0", "0"}};
    int32_t ids[PROMPT];
    answer first = {0};
    make_prompt(ids, 40);
    for (int k = 0; k < (int)COUNTOF(ways); k++) {
        setenv("INLINED_CUDA_TOKEN", ways[k][0], 1);
        setenv("INLINED_CUDA_GRAPH", ways[k][1], 1);
        load(f, 0, &plain);
        answer a = run_in(f, 0, ids, 500, true);
        if (k == 0) first = a;
        check_same("way of launching", &first, &a);
    }
    unsetenv("INLINED_CUDA_TOKEN");
    unsetenv("INLINED_CUDA_GRAPH");
}

/* ---- every architecture ---------------------------------------------------------------------- */

enum { PROMPTS = 8 };

/* Of the first tokens behind PROMPTS prompts: behind one that differs, texts go their own ways. */
typedef struct {
    int same;   /* of them are the reference's */
    double off; /* mean |difference of log p| of those */
} distance;

static distance from_reference(fixture *f, int slot, const answer reference[PROMPTS]) {
    int32_t ids[PROMPT];
    distance d = {0};
    for (int k = 0; k < PROMPTS; k++) {
        make_prompt(ids, 60 + k);
        answer a = run_tokens(f, slot, ids, 100 + k, false, 1);
        if (a.tokens[0] != reference[k].tokens[0]) continue;
        d.same++;
        d.off += fabs((double)a.logprobs[0] - (double)reference[k].logprobs[0]) / PROMPTS;
    }
    return d;
}

/* No further from the reference than twice what the CPU is: both round activations to int8. */
static void every_architecture(void **state) {
    fixture *f = begin(state);
    static const struct {
        const char *name, *refused; /* a word of the sentence why a card does not run it */
    } archs[] = {{"deepseek2", "latent"}, {"gemma", NULL},   {"gemma2", NULL},
                 {"gemma3", NULL},        {"granite", NULL}, {"llama", NULL},
                 {"phi3", NULL},          {"qwen2", NULL},   {"qwen3", NULL},
                 {"qwen3moe", "experts"}, {"smollm3", NULL}, {"starcoder2", NULL}};
    fixture ref = {.device = K_REF};
    err e;
    if (engine_start(&ref.g, &(engine_options){.device = K_REF}, &e) != OK) fail_msg("%s", e.text);
    for (size_t i = 0; i < COUNTOF(archs); i++) {
        const tiny_options opt = {
            .arch = archs[i].name, .context = CONTEXT, .layers = 4, .seed = 5, .card = true};
        int32_t ids[PROMPT];
        answer reference[PROMPTS];
        load(f, 0, &opt);
        load(&ref, 0, &opt);
        bool card = f->device == K_CUDA && !archs[i].refused;
        assert_int_equal(f->info.on_device, card);
        if (f->device == K_CUDA && archs[i].refused)
            assert_non_null(strstr(f->info.why, archs[i].refused));
        for (int k = 0; k < PROMPTS; k++) {
            make_prompt(ids, 60 + k);
            reference[k] = run_tokens(&ref, 0, ids, 100 + k, false, 1);
        }
        int before = f->loads;
        engine_load(f->g, 1, &(engine_model_options){.path = f->path, .name = "tiny", .cpu = true});
        drain_until(f, &f->loads, before + 1);
        assert_false(f->info.on_device);
        distance here = from_reference(f, 0, reference), cpu = from_reference(f, 1, reference);
        printf(
            "%-10s %-4s %d of %d first tokens are the reference's, log p %.4f off (CPU %d, %.4f)\n",
            archs[i].name, card ? "card" : "cpu", here.same, PROMPTS, here.off, cpu.same, cpu.off);
        assert_true(here.same >= cpu.same - 2 && here.off < 2 * cpu.off + 0.01);
    }
    engine_stop(ref.g);
    unlink(ref.path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_prefix_that_was_there, start, stop),
        cmocka_unit_test_setup_teardown(a_sequence_from_disk, start, stop),
        cmocka_unit_test_setup_teardown(guesses_or_none, start, stop),
        cmocka_unit_test_setup_teardown(graphs_launches_or_one_kernel, start, stop),
        cmocka_unit_test_setup_teardown(every_architecture, start, stop),
    };
    static const k_device devices[] = {K_CPU, K_CUDA};
    int failed = 0;
    for (size_t i = 0; i < COUNTOF(devices); i++) {
        device_now = devices[i];
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
