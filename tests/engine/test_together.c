/* SPDX-License-Identifier: Apache-2.0 */
/* Several jobs in one engine: rows of one step, what one of them does to the others (nothing), who
 * overtakes whom, deadlines, and a KV cache that is too small for all.  ThreadSanitizer runs this
 * too.  The engine stands still while jobs are posted, so that they are there together however
 * busy the machine is.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/grammar.h"
#include "tests/engine/engine_fixture.h"

enum { MANY = 6 };

/* A job of each kind: greedy with guesses that come true, without, drawn, healed, bound. */
static void make_jobs(engine_job jobs[MANY], const grammar *g, int tokens) {
    static const char *const texts[MANY] = {"a = b\na = b\na = b\na =",
                                            "def f(self):\n    return the value of self",
                                            "int x\nint y\nint x\nint",
                                            "x = intermed",
                                            "return (",
                                            "zzzzzzzzzzzzzzzz"};
    for (int i = 0; i < MANY; i++) {
        jobs[i] = text_job(texts[i], tokens + i);
        jobs[i].client = (uint64_t)i + 1;
    }
    jobs[2].sampling = (sampling){.temperature = 0.8f, .top_p = 0.95f, .seed = 9};
    jobs[3].prompt.heal = true;
    jobs[4].grammar = g;
    jobs[5].no_guesses = true;
}

/* Whatever it is, for as long as the job likes. */
static grammar *digits(void) {
    grammar *g = grammar_new();
    assert_true(grammar_start(g, grammar_repeat(g, grammar_range(g, '0', '9'), 200, 200)));
    return g;
}

static void check_answer(const answer *a, const answer *alone) {
    assert_int_equal(a->status, OK);
    assert_int_equal(a->finish, alone->finish);
    check_same(a, alone);
}

/* Each alone, then all together, beginning with what is in the cache or from nothing. */
static void compare(fixture *f, bool warm, int tokens) {
    grammar *g = digits();
    engine_job jobs[MANY];
    answer alone[MANY];
    job_id ids[MANY];
    make_jobs(jobs, g, tokens);
    for (int i = 0; i < MANY; i++) {
        alone[i] = *run(f, &jobs[i]);
        assert_int_equal(alone[i].n_tokens, tokens + i);
        assert_int_equal(alone[i].shared_steps, 0);
    }
    if (!warm) load(f, 0, &(tiny_options){.context = 512, .seed = 3});
    stand_still(f);
    for (int i = 0; i < MANY; i++)
        ids[i] = submit(f, &jobs[i]);
    go_on(f);
    int longest = 0;
    for (int i = 0; i < MANY; i++) {
        answer *a = wait_for(f, ids[i]);
        check_answer(a, &alone[i]);
        longest = MAX(longest, a->steps);
    }
    for (int i = 0; i < MANY && warm; i++) { /* none has read anything, so all are there at once */
        const answer *a = answer_of(f, ids[i]);
        assert_true(a->shared_steps == a->steps || a->steps == longest);
        assert_true(a->shared_steps > 0);
    }
    grammar_release(g);
}

static void rows_together_are_rows_alone(void **state) {
    compare(*state, true, 40);
    compare(*state, false, 40);
}

static const tiny_options quantised = {.context = 512, .seed = 5, .card = true};

static void on_the_cpu_too(void **state) {
    UNUSED(state);
    fixture *f = NULL;
    assert_int_equal(fixture_start_on((void **)&f, K_CPU, &quantised), 0);
    compare(f, true, 24);
    fixture_stop((void **)&f);
}

static void on_a_card_too(void **state) {
    UNUSED(state);
    fixture *f = NULL;
    if (fixture_start_on((void **)&f, K_CUDA, &quantised) != 0) skip();
    compare(f, true, 24);
    fixture_stop((void **)&f);
}

/* With a cache for two and a half of them; those that are robbed of it begin again. */
static void a_full_cache_changes_no_text(void **state) {
    fixture *f = *state;
    char text[MANY][91];
    engine_job jobs[MANY];
    answer alone[MANY];
    job_id ids[MANY];
    for (int i = 0; i < MANY; i++) {
        for (int k = 0; k < 90; k++)
            text[i][k] = (char)('a' + (k * k + 7 * k * i + i) % 26);
        text[i][90] = '\0';
        jobs[i] = text_job(text[i], 300);
        jobs[i].client = (uint64_t)i + 1;
        jobs[i].priority = i % 2 ? PRIO_USER : PRIO_BACKGROUND;
        alone[i] = *run(f, &jobs[i]);
        assert_int_equal(alone[i].status, OK);
    }
    stand_still(f);
    for (int i = 0; i < MANY; i++)
        ids[i] = submit(f, &jobs[i]);
    go_on(f);
    for (int i = 0; i < MANY; i++)
        check_answer(wait_for(f, ids[i]), &alone[i]);
}

/* ---- one does nothing to the others ---------------------------------------------------------- */

static void cancelling_one_disturbs_nobody(void **state) {
    fixture *f = *state;
    engine_job jobs[MANY];
    answer alone[MANY];
    job_id ids[MANY];
    make_jobs(jobs, NULL, 120);
    for (int i = 0; i < MANY; i++)
        alone[i] = *run(f, &jobs[i]);
    stand_still(f);
    for (int i = 0; i < MANY; i++) {
        jobs[i].stream = true;
        ids[i] = submit(f, &jobs[i]);
    }
    go_on_to_next_event(f); /* the first text of any of them */
    engine_cancel(f->g, ids[1]);
    engine_cancel(f->g, ids[5]);
    go_on(f);
    for (int i = 0; i < MANY; i++) {
        answer *a = wait_for(f, ids[i]);
        if (i != 1 && i != 5) {
            check_answer(a, &alone[i]);
            continue;
        }
        assert_int_equal(a->status, ERR_CANCELLED);
        assert_true(a->n_tokens < alone[i].n_tokens);
        assert_memory_equal(a->tokens, alone[i].tokens, (size_t)a->n_tokens * 4);
    }
}

static void typing_overtakes_all_of_them(void **state) {
    fixture *f = *state;
    engine_job jobs[MANY], key = text_job("return", 4);
    answer alone[MANY];
    job_id ids[MANY];
    make_jobs(jobs, NULL, 120);
    for (int i = 0; i < MANY; i++) {
        jobs[i].priority = PRIO_USER;
        alone[i] = *run(f, &jobs[i]);
    }
    stand_still(f);
    for (int i = 0; i < MANY; i++) {
        jobs[i].stream = true;
        ids[i] = submit(f, &jobs[i]);
    }
    go_on_to_next_event(f);
    job_id typed = submit(f, &key);
    go_on(f);
    answer *quick = wait_for(f, typed);
    assert_int_equal(quick->status, OK);
    assert_int_equal(quick->shared_steps, 0); /* nobody of another class rides along */
    for (int i = 0; i < MANY; i++) {
        answer *a = wait_for(f, ids[i]);
        assert_true(quick->order < a->order);
        check_answer(a, &alone[i]);
    }
}

/* A key does not wait for another editor's long prompt, though that is older and of the same class:
 * it is through before the prompt is. */
static void a_key_does_not_wait_for_a_prompt(void **state) {
    fixture *f = *state;
    char text[481];
    for (int i = 0; i < 480; i++)
        text[i] = (char)('a' + i * i % 26);
    text[480] = '\0';
    engine_job prompt = text_job(text, 2), key = text_job("return", 2);
    key.client = 2;
    stand_still(f);
    job_id slow = submit(f, &prompt), quick = submit(f, &key);
    go_on(f);
    assert_true(wait_for(f, quick)->order < wait_for(f, slow)->order);
    assert_true(answer_of(f, slow)->steps > 4); /* it is read in chunks */
}

/* An editor that asks and asks does not keep another from its turn. */
static void clients_take_turns(void **state) {
    fixture *f = *state;
    engine_job job = text_job("the turn", 60);
    job_id many[20];
    job.client = 1;
    stand_still(f);
    for (size_t i = 0; i < COUNTOF(many); i++)
        many[i] = submit(f, &job);
    job.client = 2;
    job_id one = submit(f, &job);
    go_on(f);
    for (size_t i = 0; i < COUNTOF(many); i++)
        wait_for(f, many[i]);
    for (size_t i = 4; i < COUNTOF(many); i++)
        assert_true(wait_for(f, one)->order < answer_of(f, many[i])->order);
}

/* ---- deadlines ------------------------------------------------------------------------------- */

static atomic_uint_fast64_t ahead_us;

static uint64_t movable_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u + atomic_load(&ahead_us);
}

static void late_jobs_are_dropped(void **state) {
    fixture *f = *state;
    engine_job job = text_job("def f(self):", 20);
    job.deadline_ms = clock_ms() - 1;
    answer *a = run(f, &job);
    assert_int_equal(a->status, ERR_LATE);
    assert_int_equal(a->finish, FINISH_FAILED);
    assert_string_equal(a->text, "");
    assert_non_null(strstr(a->error.text, "too late"));
    job.deadline_ms = clock_ms() + 1e7;
    assert_int_equal(run(f, &job)->status, OK);
}

/* Its model is being read, which never ends here, and the engine sleeps: it wakes for the job. */
static void a_sleeping_engine_wakes_for_a_deadline(void **state) {
    fixture *f = *state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/inlined-fifo-%ld", (long)getpid());
    assert_int_equal(mkfifo(path, 0600), 0);
    engine_load(f->g, 1, &(engine_model_options){.path = path, .name = "fifo"});
    engine_job job = text_job("x", 4);
    job.slot = 1;
    job.deadline_ms = clock_ms() + 30;
    assert_int_equal(run(f, &job)->status, ERR_LATE);
    assert_int_equal(f->failures, 0);
    int fd = open(path, O_WRONLY | O_CLOEXEC); /* the reader gets the end of a file */
    assert_true(fd >= 0);
    close(fd);
    drain_until(f, &f->failures, 1);
    unlink(path);
}

static void what_is_there_at_the_deadline_is_the_answer(void **state) {
    fixture *f = *state;
    clock_set_source(movable_clock);
    engine_job job = text_job("def f(self):", 300);
    answer whole = *run(f, &job);
    stand_still(f);
    job.stream = true;
    job.deadline_ms = clock_ms() + 1e7;
    job_id id = submit(f, &job);
    go_on_to_next_event(f);
    atomic_fetch_add(&ahead_us, (uint64_t)2e10);
    go_on(f);
    answer *a = wait_for(f, id);
    clock_set_source(NULL);
    assert_int_equal(a->status, OK);
    assert_int_equal(a->finish, FINISH_TIME);
    assert_in_range(a->n_tokens, 1, whole.n_tokens - 1);
    assert_memory_equal(a->tokens, whole.tokens, (size_t)a->n_tokens * 4);
    assert_true(a->text[0] != '\0');
}

int main(void) {
#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_start, fixture_stop)
    const struct CMUnitTest tests[] = {
        TEST(rows_together_are_rows_alone),
        cmocka_unit_test(on_the_cpu_too),
        cmocka_unit_test(on_a_card_too),
        TEST(a_full_cache_changes_no_text),
        TEST(cancelling_one_disturbs_nobody),
        TEST(typing_overtakes_all_of_them),
        TEST(a_key_does_not_wait_for_a_prompt),
        TEST(clients_take_turns),
        TEST(late_jobs_are_dropped),
        TEST(a_sleeping_engine_wakes_for_a_deadline),
        TEST(what_is_there_at_the_deadline_is_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
