/* SPDX-License-Identifier: Apache-2.0 */
/* The meeting place of the two threads, with an engine thread that only pretends to work: every job
 * comes back exactly once, text arrives whole and in order, cancelling and closing lose nothing.
 * ThreadSanitizer runs this too.
 */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "engine/mailbox.h"

enum { JOBS = 20000, TEXT = 40 };

static void wake_up(void *ud) {
    atomic_fetch_add((atomic_int *)ud, 1);
}

static job *make_job(job_priority priority) {
    engine_job spec = {
        .tokens_max = 1, .priority = priority, .prompt = {.kind = PROMPT_TEXT, .prefix = STR("x")}};
    job *j;
    err e;
    assert_int_equal(job_new(&j, &spec, &e), OK);
    return j;
}

/* Writes TEXT bytes in pieces, unless the job is cancelled. */
static void work(mailbox *m, job *j) {
    j->text = arena_alloc(&j->mem, TEXT);
    const atomic_bool *interrupt = mailbox_set_running(m, j);
    for (int i = 0; i < TEXT && !atomic_load(&j->cancel); i++) {
        if (atomic_load(interrupt)) interrupt = mailbox_set_running(m, j);
        j->text[j->text_len++] = (char)('a' + i % 26);
        if (i % 3 == 0) mailbox_emit_text(m, j, j->text_len);
    }
    mailbox_set_running(m, NULL);
    j->result.status = atomic_load(&j->cancel) ? ERR_CANCELLED : OK;
    mailbox_emit_text(m, j, j->text_len);
    mailbox_emit_done(m, j);
}

static void *pretend(void *ud) {
    mailbox *m = ud;
    job *j;
    while (mailbox_wait(m, HUGE_VAL, false))
        while ((j = mailbox_take_job(m)))
            work(m, j);
    while ((j = mailbox_take_job(m)))
        mailbox_emit_done(m, j);
    return NULL;
}

typedef struct {
    uint8_t done[JOBS + 1];
    size_t text[JOBS + 1];
    int n_done, n_cancelled;
} books;

static void drain(mailbox *m, books *b) {
    delivery d;
    while (mailbox_next(m, &d)) {
        job_id id = d.job->id;
        assert_false(b->done[id]);
        if (d.kind == MAIL_TEXT) {
            for (size_t i = 0; i < d.text.len; i++)
                assert_int_equal(d.text.ptr[i], 'a' + (int)((b->text[id] + i) % 26));
            b->text[id] += d.text.len;
            continue;
        }
        if (d.job->result.status == OK) assert_int_equal(b->text[id], TEXT);
        b->n_cancelled += d.job->result.status == ERR_CANCELLED;
        b->done[id] = 1;
        b->n_done++;
        job_free(d.job);
    }
}

static void every_job_comes_back_once(void **state) {
    UNUSED(state);
    atomic_int wakes = 0;
    mailbox *m = mailbox_new(wake_up, &wakes);
    books *b = calloc(1, sizeof *b);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, pretend, m), 0);
    int posted = 0;
    uint32_t seed = 1;
    while (b->n_done < JOBS) {
        for (int burst = 0; burst < 10 && posted < JOBS; burst++) {
            seed = seed * 1664525u + 1013904223u;
            job *j = make_job((job_priority)(seed >> 30));
            err e;
            if (mailbox_post(m, j, &e) != OK) {
                job_free(j);
                break;
            }
            assert_int_equal(j->id, ++posted);
            if (seed >> 20 & 1) mailbox_cancel(m, 1 + (seed >> 3) % (job_id)posted);
        }
        drain(m, b);
    }
    mailbox_close(m);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&wakes) >= 1);
    assert_true(b->n_cancelled < JOBS);
    mailbox_free(m);
    free(b);
}

static void the_table_is_bounded(void **state) {
    UNUSED(state);
    mailbox *m = mailbox_new(NULL, NULL);
    err e;
    for (int i = 0; i < LIMIT_ENGINE_JOBS; i++)
        assert_int_equal(mailbox_post(m, make_job(PRIO_USER), &e), OK);
    job *j = make_job(PRIO_USER);
    assert_int_equal(mailbox_post(m, j, &e), ERR_LIMIT);
    job *first = mailbox_take_job(m);
    mailbox_emit_done(m, first);
    assert_int_equal(mailbox_post(m, j, &e), ERR_LIMIT); /* not yet delivered */
    delivery d;
    assert_true(mailbox_next(m, &d));
    assert_ptr_equal(d.job, first);
    job_free(first);
    assert_int_equal(mailbox_post(m, j, &e), OK);
    mailbox_cancel(m, j->id); /* it is not wanted any more: there is room for its successor */
    assert_int_equal(mailbox_post(m, make_job(PRIO_TYPE), &e), OK);
    j = make_job(PRIO_TYPE);
    assert_int_equal(mailbox_post(m, j, &e), ERR_LIMIT);
    job_free(j);
    mailbox_free(m); /* frees what nobody took */
}

static void interrupts_follow_urgency(void **state) {
    UNUSED(state);
    mailbox *m = mailbox_new(NULL, NULL);
    err e;
    assert_int_equal(mailbox_post(m, make_job(PRIO_BACKGROUND), &e), OK);
    job *slow = mailbox_take_job(m);
    const atomic_bool *interrupt = mailbox_set_running(m, slow);
    assert_false(atomic_load(interrupt));
    assert_int_equal(mailbox_post(m, make_job(PRIO_BACKGROUND), &e), OK);
    assert_false(atomic_load(interrupt));
    assert_int_equal(mailbox_post(m, make_job(PRIO_TYPE), &e), OK);
    assert_true(atomic_load(interrupt));
    assert_true(atomic_load(mailbox_set_running(m, slow))); /* it is still waiting */
    job *second = mailbox_take_job(m);
    job *fast = mailbox_take_job(m);
    assert_false(atomic_load(mailbox_set_running(m, fast)));
    mailbox_cancel(m, fast->id); /* its step is finished */
    assert_false(atomic_load(interrupt));
    assert_true(atomic_load(&fast->cancel));
    assert_false(atomic_load(&slow->cancel));
    mailbox_close(m);
    assert_true(atomic_load(interrupt));
    assert_true(atomic_load(mailbox_set_running(m, slow)));
    mailbox_emit_done(m, slow);
    mailbox_emit_done(m, second);
    mailbox_emit_done(m, fast);
    mailbox_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_comes_back_once),
        cmocka_unit_test(the_table_is_bounded),
        cmocka_unit_test(interrupts_follow_urgency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
