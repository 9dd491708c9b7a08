/* SPDX-License-Identifier: Apache-2.0 */
/* The table of models: roles and names, one load for one file, who goes when there is no room, what
 * serves instead; and the choice by memory.  The engine is scripted, the clock is the test's. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "lsp/tiers.h"
#include "tests/lsp/fake_engine.h"

#define GB ((uint64_t)1 << 30)

static uint64_t now_us;
static uint64_t fake_clock(void) {
    return now_us;
}
static void wait_s(double seconds) {
    now_us += (uint64_t)(seconds * 1e6);
}

typedef struct {
    engine *g;
    tiers *t;
    settings s;
    char path[3][64]; /* three model files */
    int told;
    engine_model_info info;
} fixture;

static void on_changed(void *ud, const model *m) {
    UNUSED(m);
    ((fixture *)ud)->told++;
}

static int setup(void **state) {
    fixture *f = xcalloc(1, sizeof *f);
    err e;
    now_us = 1000000000;
    clock_set_source(fake_clock);
    assert_int_equal(engine_start(&f->g, &(engine_options){.device = K_REF}, &e), OK);
    f->t = tiers_new(f->g, &(tiers_hooks){.ud = f, .changed = on_changed});
    settings_default(&f->s);
    for (int i = 0; i < 3; i++) {
        snprintf(f->path[i], sizeof f->path[i], "/tmp/inlined-tiers-%d-%d.gguf", (int)getpid(), i);
        FILE *file = fopen(f->path[i], "we");
        assert_non_null(file);
        fclose(file);
    }
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    tiers_free(f->t);
    engine_stop(f->g);
    for (int i = 0; i < 3; i++)
        unlink(f->path[i]);
    xfree(f);
    clock_set_source(NULL);
    return 0;
}

static void name_tiers(fixture *f, int small, int medium, int large) {
    const int index[] = {small, medium, large};
    for (int t = 0; t < TIER_COUNT; t++)
        snprintf(f->s.tiers[t].model, sizeof f->s.tiers[t].model, "%s",
                 index[t] < 0 ? "" : f->path[index[t]]);
}

/* The newest load ends well, with so much memory. */
static void loaded(fixture *f, uint64_t bytes, bool on_device) {
    size_t n = fake_engine_loads(f->g);
    f->info = (engine_model_info){.memory = {.weight_bytes = bytes}, .on_device = on_device};
    assert_true(tiers_event(f->t, &(engine_event){.kind = EV_LOADED,
                                                  .load = n,
                                                  .slot = fake_engine_load(f->g, n - 1)->slot,
                                                  .info = &f->info}));
}

static void refused(fixture *f, status s, uint64_t missing) {
    err e;
    (void)err_set(&e, s, "it does not fit");
    tiers_event(f->t, &(engine_event){.kind = EV_LOAD_FAILED,
                                      .load = fake_engine_loads(f->g),
                                      .status = s,
                                      .missing = missing,
                                      .error = &e});
}

static void one_model_serves_all_roles(void **state) {
    fixture *f = *state;
    snprintf(f->s.model, sizeof f->s.model, "%s", f->path[0]);
    const model *m = tiers_want(f->t, &f->s, ROLE_COMPLETION);
    assert_int_equal(m->state, MODEL_LOADING);
    for (model_role r = 0; r < ROLE_COUNT; r++)
        assert_ptr_equal(tiers_want(f->t, &f->s, r), m);
    assert_int_equal(fake_engine_loads(f->g), 1);
    loaded(f, GB, false);
    assert_int_equal(m->state, MODEL_READY);
    assert_int_equal(m->generation, 1);
}

static void a_file_is_loaded_once_under_two_names(void **state) {
    fixture *f = *state;
    name_tiers(f, 0, 1, 0);
    const model *small = tiers_want(f->t, &f->s, ROLE_COMPLETION);
    assert_ptr_equal(tiers_want(f->t, &f->s, ROLE_REVIEW), small);
    const model *medium = tiers_want(f->t, &f->s, ROLE_ACTIONS);
    assert_ptr_not_equal(medium, small);
    assert_int_not_equal(medium->slot, small->slot);
    settings other = f->s; /* another client, another way to write the name */
    snprintf(other.tiers[TIER_SMALL].model, sizeof other.tiers[0].model, "/tmp/../tmp/%s",
             f->path[0] + 5);
    const model *again = tiers_want(f->t, &other, ROLE_COMPLETION);
    assert_true(again == small || strcmp(again->path, small->path) != 0);
    assert_ptr_equal(tiers_look(f->t, &f->s, ROLE_EXPLAIN), small);
}

static void unnamed_tiers_take_the_nearest(void **state) {
    fixture *f = *state;
    name_tiers(f, -1, 1, -1);
    const model *m = tiers_want(f->t, &f->s, ROLE_ACTIONS);
    assert_ptr_equal(tiers_want(f->t, &f->s, ROLE_COMPLETION), m);
    assert_ptr_equal(tiers_want(f->t, &f->s, ROLE_REVIEW), m);
    const char *why;
    assert_string_equal(tiers_name(f->t, &f->s, TIER_LARGE, &why), f->path[1]);
    assert_non_null(strstr(why, "another tier"));
    err e;
    assert_int_equal(tiers_use(f->t, TIER_LARGE, f->path[2], &e), OK);
    assert_ptr_not_equal(tiers_want(f->t, &f->s, ROLE_REVIEW), m);
    assert_int_equal(tiers_use(f->t, TIER_LARGE, "no-such-model", &e), ERR_NOT_FOUND);
    assert_string_equal(tiers_name(f->t, &f->s, TIER_LARGE, NULL), f->path[2]);
    assert_int_equal(tiers_use(f->t, TIER_LARGE, "", &e), OK);
    assert_ptr_equal(tiers_want(f->t, &f->s, ROLE_REVIEW), m);
    tiers_fix(f->t, f->path[0]);
    assert_string_equal(tiers_want(f->t, &f->s, ROLE_REVIEW)->path, f->path[0]);
}

static void what_is_missing_is_served_by_the_nearest(void **state) {
    fixture *f = *state;
    name_tiers(f, 0, 1, 2);
    unlink(f->path[2]);
    const model *m = tiers_want(f->t, &f->s, ROLE_REVIEW);
    assert_string_equal(m->path, f->path[1]);
    assert_int_equal(m->state, MODEL_LOADING);
    const model *missed = tiers_missed(f->t, &f->s, ROLE_REVIEW);
    assert_int_equal(missed->state, MODEL_FAILED);
    assert_null(tiers_missed(f->t, &f->s, ROLE_ACTIONS));
    assert_ptr_equal(tiers_look(f->t, &f->s, ROLE_REVIEW), m);
    f->s.fallback = FALLBACK_NONE;
    assert_ptr_equal(tiers_want(f->t, &f->s, ROLE_REVIEW), missed);
    FILE *file = fopen(f->path[2], "we"); /* it was fetched */
    fclose(file);
    assert_int_equal(tiers_want(f->t, &f->s, ROLE_REVIEW)->state, MODEL_FAILED);
    wait_s(4);
    assert_int_equal(tiers_want(f->t, &f->s, ROLE_REVIEW)->state, MODEL_LOADING);
}

static void the_idle_one_makes_room_and_typing_stays(void **state) {
    fixture *f = *state;
    name_tiers(f, 0, 1, 2);
    f->s.memory.host_mb = 8192;
    (void)tiers_want(f->t, &f->s, ROLE_COMPLETION);
    assert_int_equal(fake_engine_load(f->g, 0)->options.memory_max, 8 * GB);
    loaded(f, GB, false);
    const model *medium = tiers_want(f->t, &f->s, ROLE_ACTIONS);
    loaded(f, 3 * GB, false);
    const model *large = tiers_want(f->t, &f->s, ROLE_REVIEW);
    assert_int_equal(fake_engine_load(f->g, 2)->options.memory_max, 4 * GB);
    refused(f, ERR_LIMIT, GB); /* everything was used just now */
    assert_int_equal(large->state, MODEL_FAILED);
    assert_int_equal(fake_engine_unloads(f->g), 0);
    wait_s(10);
    (void)tiers_want(f->t, &f->s, ROLE_REVIEW);
    fake_engine_set_busy(f->g, true);
    refused(f, ERR_LIMIT, GB); /* they have jobs */
    assert_int_equal(fake_engine_unloads(f->g), 0);
    fake_engine_set_busy(f->g, false);
    wait_s(10);
    (void)tiers_want(f->t, &f->s, ROLE_REVIEW);
    refused(f, ERR_LIMIT, GB);
    assert_int_equal(medium->state, MODEL_NONE);
    assert_int_equal(large->state, MODEL_LOADING);
    size_t n = fake_engine_loads(f->g);
    assert_int_equal(fake_engine_load(f->g, n - 1)->options.memory_max, 7 * GB);
    refused(f, ERR_LIMIT, GB); /* only typing is left */
    assert_int_equal(large->state, MODEL_FAILED);
    assert_int_equal(tiers_look(f->t, &f->s, ROLE_COMPLETION)->state, MODEL_READY);
    wait_s(400); /* nobody types any more */
    (void)tiers_want(f->t, &f->s, ROLE_REVIEW);
    refused(f, ERR_LIMIT, GB);
    assert_int_equal(large->state, MODEL_LOADING);
    loaded(f, 8 * GB, false);
    assert_int_equal(tiers_look(f->t, &f->s, ROLE_COMPLETION)->state, MODEL_NONE);
}

static void what_the_gpu_has_no_room_for_runs_on_the_cpu(void **state) {
    fixture *f = *state;
    name_tiers(f, 0, 1, 2);
    fake_engine_set_device(f->g, 8 * GB);
    f->s.tiers[TIER_LARGE].gpu_share = 50;
    f->s.tiers[TIER_MEDIUM].gpu_share = 0;
    f->s.tiers[TIER_LARGE].kv_cache = TIER_KV_Q8;
    f->s.tiers[TIER_LARGE].context_tokens = 4096;
    (void)tiers_want(f->t, &f->s, ROLE_COMPLETION);
    assert_false(fake_engine_load(f->g, 0)->options.cpu);
    loaded(f, 2 * GB, true);
    (void)tiers_want(f->t, &f->s, ROLE_ACTIONS);
    assert_true(fake_engine_load(f->g, 1)->options.cpu);
    loaded(f, GB, false);
    (void)tiers_want(f->t, &f->s, ROLE_REVIEW);
    const engine_model_options *o = &fake_engine_load(f->g, 2)->options;
    assert_false(o->cpu);
    assert_int_equal(o->context_tokens, 4096);
    assert_int_equal(o->kv_type, KV_Q8);
    assert_in_range(o->memory_max, 3 * GB, 4 * GB);
    refused(f, ERR_LIMIT, GB);
    assert_true(fake_engine_load(f->g, 3)->options.cpu);
    assert_int_equal(fake_engine_load(f->g, 3)->options.memory_max, 0); /* what is free */
    loaded(f, 4 * GB, false);
    assert_int_equal(fake_engine_unloads(f->g), 0);
}

static void unused_models_go(void **state) {
    fixture *f = *state;
    name_tiers(f, 0, -1, 1);
    const model *small = tiers_want(f->t, &f->s, ROLE_COMPLETION);
    loaded(f, GB, false);
    const model *large = tiers_want(f->t, &f->s, ROLE_REVIEW);
    loaded(f, GB, false);
    for (int i = 0; i < 300; i++) { /* ten minutes and a bit */
        wait_s(2);
        assert_int_equal(large->state, MODEL_READY);
        tiers_keep(f->t, &f->s);
        tiers_tick(f->t);
    }
    wait_s(2);
    fake_engine_set_busy(f->g, true);
    tiers_tick(f->t);
    assert_int_equal(large->state, MODEL_READY); /* a long job */
    fake_engine_set_busy(f->g, false);
    tiers_tick(f->t);
    assert_int_equal(large->state, MODEL_NONE);
    assert_int_equal(small->state, MODEL_READY); /* 0 minutes: it stays */
    wait_s(50);
    tiers_tick(f->t);
    assert_int_equal(small->state, MODEL_READY);
    wait_s(20);
    tiers_tick(f->t); /* the last connection went a minute ago */
    assert_int_equal(small->state, MODEL_NONE);
    assert_int_equal(tiers_want(f->t, &f->s, ROLE_COMPLETION)->state, MODEL_LOADING);
}

static void what_was_put_away_comes_back(void **state) {
    fixture *f = *state;
    char folder[] = "/tmp/inlined-spill-XXXXXX", left[64], ours[64];
    assert_non_null(mkdtemp(folder));
    snprintf(left, sizeof left, "%s/kv-999999999-1", folder); /* no process has that number */
    snprintf(ours, sizeof ours, "%s/kv-%ld-77", folder, (long)getpid());
    close(open(left, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    close(open(ours, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    tiers_spill_to(f->t, folder);
    assert_int_not_equal(access(left, F_OK), 0);
    assert_int_equal(access(ours, F_OK), 0);
    name_tiers(f, 0, -1, 1);
    const model *large = tiers_want(f->t, &f->s, ROLE_REVIEW);
    loaded(f, GB, false);
    for (int i = 0; i < 310; i++) {
        wait_s(2);
        tiers_keep(f->t, &f->s);
        tiers_tick(f->t);
    }
    assert_int_equal(large->state, MODEL_NONE);
    const char *path = fake_engine_saved(f->g);
    assert_true(str_starts_with(str_of(path), str_of(folder)));
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); /* as the engine writes it */
    assert_string_equal(fake_engine_restored(f->g), "");
    (void)tiers_want(f->t, &f->s, ROLE_REVIEW);
    loaded(f, GB, false);
    assert_string_equal(fake_engine_restored(f->g), path);
    tiers_event(f->t, &(engine_event){.kind = EV_RESTORED, .load = fake_engine_loads(f->g)});
    assert_int_not_equal(access(path, F_OK), 0);
    assert_true(tiers_unload(f->t, &f->s, TIER_LARGE)); /* a person wants the memory, now */
    unlink(ours);
    assert_int_equal(rmdir(folder), 0);
}

static void people_load_and_unload(void **state) {
    fixture *f = *state;
    name_tiers(f, 0, -1, 1);
    assert_false(tiers_unload(f->t, &f->s, TIER_LARGE));
    const model *m = tiers_load(f->t, &f->s, TIER_LARGE);
    assert_int_equal(m->state, MODEL_LOADING);
    assert_true(tiers_unload(f->t, &f->s, TIER_LARGE)); /* given up */
    assert_int_equal(m->state, MODEL_NONE);
    refused(f, ERR_CANCELLED, 0); /* its late end finds nobody */
    assert_int_equal(m->state, MODEL_NONE);
    (void)tiers_load(f->t, &f->s, TIER_LARGE);
    assert_true(tiers_event(
        f->t, &(engine_event){
                  .kind = EV_LOAD_PROGRESS, .load = 2, .progress = 0.02f, .what = "reading"}));
    assert_true(m->seconds_left < 0);
    wait_s(4);
    assert_true(tiers_event(
        f->t, &(engine_event){
                  .kind = EV_LOAD_PROGRESS, .load = 2, .progress = 0.4f, .what = "repacking"}));
    assert_int_equal((int)(m->seconds_left + 0.5), 6);
    assert_int_equal(m->percent, 40);
    assert_true(f->told >= 4);
}

/* Typing does not begin it again, and no other load begins instead; a person's word does. */
static void a_cancelled_load_rests(void **state) {
    fixture *f = *state;
    name_tiers(f, 0, -1, 1);
    const model *small = tiers_want(f->t, &f->s, ROLE_COMPLETION);
    assert_false(tiers_cancel(f->t, 99));
    assert_true(tiers_cancel(f->t, small->load));
    assert_int_equal(fake_engine_unloads(f->g), 1);
    assert_false(tiers_cancel(f->t, 1)); /* it is over */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(tiers_want(f->t, &f->s, ROLE_COMPLETION)->state, MODEL_FAILED);
        wait_s(10);
    }
    assert_non_null(strstr(small->error.text, "models load small"));
    assert_int_equal(fake_engine_loads(f->g), 1);
    const model *large = tiers_want(f->t, &f->s, ROLE_REVIEW);
    assert_int_equal(large->state, MODEL_LOADING);
    assert_ptr_equal(tiers_want(f->t, &f->s, ROLE_COMPLETION), large); /* it is on its way anyway */
    assert_ptr_equal(tiers_missed(f->t, &f->s, ROLE_COMPLETION), small);
    assert_int_equal(tiers_load(f->t, &f->s, TIER_SMALL)->state, MODEL_LOADING);
    assert_true(tiers_cancel(f->t, small->load));
    wait_s(301);
    assert_ptr_equal(tiers_want(f->t, &f->s, ROLE_COMPLETION), small);
    assert_int_equal(small->state, MODEL_LOADING);
    loaded(f, GB, false);
    assert_false(tiers_cancel(f->t, small->load)); /* that is no load any more */
    assert_int_equal(small->state, MODEL_READY);
}

static void wrong_names_are_not_kept_for_ever(void **state) {
    fixture *f = *state;
    for (int i = 0; i < 500; i++) {
        snprintf(f->s.model, sizeof f->s.model, "/nonexistent/%d.gguf", i);
        assert_int_equal(tiers_want(f->t, &f->s, ROLE_COMPLETION)->state, MODEL_FAILED);
        wait_s(0.1);
    }
    assert_true(tiers_count(f->t) <= 64);
}

static void nine_models_for_eight_slots(void **state) {
    fixture *f = *state;
    char path[9][80];
    for (int i = 0; i < 9; i++) {
        snprintf(path[i], sizeof path[i], "%s.%d.gguf", f->path[0], i);
        fclose(fopen(path[i], "we"));
        snprintf(f->s.model, sizeof f->s.model, "%s", path[i]);
        const model *m = tiers_want(f->t, &f->s, ROLE_REVIEW);
        if (i < 8) loaded(f, GB, false);
        assert_int_equal(m->state, i < 8 ? MODEL_READY : MODEL_FAILED);
    }
    wait_s(6);
    assert_int_equal(tiers_want(f->t, &f->s, ROLE_REVIEW)->state, MODEL_LOADING);
    assert_int_equal(fake_engine_unloads(f->g), 1);
    for (int i = 0; i < 9; i++)
        unlink(path[i]);
}

static void the_choice_fits_the_memory(void **state) {
    UNUSED(state);
    static const tier_candidate here[] = {{"fim-135m", "Q8_0", GB * 4 / 10, true, false},
                                          {"coder-0.5b", "Q8_0", GB / 2, true, false},
                                          {"coder-1.5b", "Q4_K_M", GB * 3 / 2, true, false},
                                          {"coder-7b-instruct", "Q4_K_M", 5 * GB, true, true},
                                          {"chat-3b", "Q8_0", GB * 9 / 4, false, true},
                                          {"coder-32b-instruct", "Q4_K_M", 22 * GB, true, true},
                                          {"unknown", "Q8_0", 0, true, true}};
    static const struct {
        uint64_t host, device;
        const char *want[TIER_COUNT];
    } cases[] = {
        {16 * GB, 0, {"coder-0.5b", "chat-3b", "coder-7b-instruct"}},
        {2 * GB, 0, {"coder-0.5b", "coder-0.5b", "coder-0.5b"}},
        {GB / 2, 0, {NULL, NULL, NULL}},
        {16 * GB, 8 * GB, {"coder-1.5b", "chat-3b", "coder-7b-instruct"}},
        {64 * GB, 24 * GB, {"coder-7b-instruct", "coder-7b-instruct", "coder-7b-instruct"}},
        {64 * GB, 80 * GB, {"coder-7b-instruct", "coder-32b-instruct", "coder-32b-instruct"}},
    };
    settings s;
    settings_default(&s);
    tier_choice out[TIER_COUNT];
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        tier_memory have = {cases[i].host, cases[i].device};
        tiers_choose(here, COUNTOF(here), &have, &s, out);
        for (int t = 0; t < TIER_COUNT; t++) {
            const char *want = cases[i].want[t];
            assert_true((want == NULL) == (out[t].at == NULL));
            if (want) assert_string_equal(out[t].at->name, want);
            assert_true(strlen(out[t].why) > 10);
        }
    }
    snprintf(s.tiers[TIER_LARGE].quantisation, sizeof s.tiers[0].quantisation, "Q8_0");
    tiers_choose(here, COUNTOF(here), &(tier_memory){16 * GB, 0}, &s, out);
    assert_string_equal(out[TIER_LARGE].at->name, "chat-3b");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(one_model_serves_all_roles),
        CASE(a_file_is_loaded_once_under_two_names),
        CASE(unnamed_tiers_take_the_nearest),
        CASE(what_is_missing_is_served_by_the_nearest),
        CASE(the_idle_one_makes_room_and_typing_stays),
        CASE(what_the_gpu_has_no_room_for_runs_on_the_cpu),
        CASE(unused_models_go),
        CASE(what_was_put_away_comes_back),
        CASE(people_load_and_unload),
        CASE(a_cancelled_load_rests),
        CASE(wrong_names_are_not_kept_for_ever),
        CASE(nine_models_for_eight_slots),
        cmocka_unit_test(the_choice_fits_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
