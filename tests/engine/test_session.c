/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and pages: reuse, sharing, copy-on-write, eviction; then a random driver that compares
 * with a plain model of what each page must hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/session.h"

enum { CONTEXT = 256, PAGES = 20 };

static void ids_from(int32_t *ids, int n, int32_t base) {
    for (int i = 0; i < n; i++)
        ids[i] = base + i;
}

/* What a job does: attach, compute everything, release.  Returns how much was reused. */
static int run(session_table *t, const int32_t *ids, int n) {
    session *s = session_attach(t, ids, n);
    assert_non_null(s);
    int reused = s->count;
    assert_true(session_reserve(t, s, n));
    session_append(s, ids + reused, n - reused);
    session_release(t, s);
    return reused;
}

/* Reference counts must be exactly what the page tables say. */
static void check_counts(const session_table *t) {
    int refs[PAGES] = {0}, free_pages = 0;
    for (size_t i = 0; i < COUNTOF(t->at); i++)
        for (int p = 0; p < t->at[i].n_pages; p++)
            refs[t->at[i].pages[p]]++;
    for (int p = 0; p < PAGES; p++) {
        assert_int_equal(refs[p], t->pool.refs[p]);
        free_pages += refs[p] == 0;
    }
    assert_int_equal(free_pages, t->pool.n_free);
}

static void the_last_token_is_computed_again(void **state) {
    UNUSED(state);
    session_table t;
    int32_t ids[100];
    ids_from(ids, 100, 1);
    sessions_init(&t, NULL, CONTEXT, PAGES);
    assert_int_equal(run(&t, ids, 100), 0);
    assert_int_equal(run(&t, ids, 100), 99);
    assert_int_equal(run(&t, ids, 60), 59);
    sessions_deinit(&t);
}

static void another_prompt_with_the_same_header_shares_its_pages(void **state) {
    UNUSED(state);
    session_table t;
    int32_t a[200], b[200];
    ids_from(a, 200, 1);
    ids_from(b, 200, 1);
    ids_from(b + 70, 130, 1000);
    sessions_init(&t, NULL, CONTEXT, PAGES);
    run(&t, a, 200);
    assert_int_equal(run(&t, b, 200), 70);
    assert_int_equal(t.pool.n_free, PAGES - 7 - 5); /* two pages shared, the third copied */
    check_counts(&t);
    assert_int_equal(run(&t, a, 200), 199); /* still there */
    assert_int_equal(run(&t, b, 200), 199);
    check_counts(&t);
    sessions_deinit(&t);
}

static void typing_stays_in_one_session(void **state) {
    UNUSED(state);
    session_table t;
    int32_t ids[200];
    ids_from(ids, 200, 1);
    sessions_init(&t, NULL, CONTEXT, PAGES);
    run(&t, ids, 100);
    for (int n = 101; n < 150; n++) {
        ids[n - 1] = 5000 + n; /* another token than what was generated there */
        assert_int_equal(run(&t, ids, n), n - 1);
    }
    assert_int_equal(t.pool.n_free, PAGES - 5);
    sessions_deinit(&t);
}

static void idle_sessions_give_way_oldest_first(void **state) {
    UNUSED(state);
    session_table t;
    int32_t a[200], b[200], c[256];
    ids_from(a, 200, 1);
    ids_from(b, 200, 1000);
    ids_from(c, 256, 2000);
    sessions_init(&t, NULL, CONTEXT, PAGES);
    run(&t, a, 200); /* 7 pages */
    run(&t, b, 200); /* 7 */
    run(&t, c, 256); /* 8: a goes */
    check_counts(&t);
    session *s = session_attach(&t, b, 200);
    assert_int_equal(s->count, 199);
    session_release(&t, s);
    assert_int_equal(run(&t, a, 200), 0);
    sessions_deinit(&t);
}

static void held_sessions_are_left_alone(void **state) {
    UNUSED(state);
    session_table t;
    int32_t a[256], b[256], c[256];
    ids_from(a, 256, 1);
    ids_from(b, 256, 1);
    ids_from(c, 256, 3000);
    sessions_init(&t, NULL, CONTEXT, PAGES);
    session *x = session_attach(&t, a, 256);
    assert_true(session_reserve(&t, x, 256));
    session_append(x, a, 256);
    session *y = session_attach(&t, b, 200);
    assert_ptr_not_equal(x, y);
    assert_int_equal(y->count, 199);
    assert_true(session_reserve(&t, y, 200));
    session_append(y, b + 199, 1);
    session *z = session_attach(&t, c, 256);
    assert_true(session_reserve(&t, z, 256));
    session_append(z, c, 256);
    assert_int_equal(t.pool.n_free, PAGES - 8 - 1 - 8); /* y shares six of its seven */
    session *w = session_attach(&t, c, 130);
    assert_true(session_reserve(&t, w, 131));  /* one copied, the others shared */
    assert_false(session_reserve(&t, w, 256)); /* nobody gives pages up while they are held */
    session_release(&t, w);
    session *rest[LIMIT_ENGINE_SEQUENCES - 3];
    for (size_t i = 0; i < COUNTOF(rest); i++)
        assert_non_null(rest[i] = session_attach(&t, c, 2));
    assert_null(session_attach(&t, c, 2));
    assert_int_equal(session_common_prefix(x, a, 256), 256);
    check_counts(&t);
    session_release(&t, x);
    assert_non_null(session_attach(&t, a, 10));
    check_counts(&t);
    sessions_deinit(&t);
}

static void random_prompts_keep_the_books(void **state) {
    UNUSED(state);
    session_table t;
    uint32_t seed = 12345;
    sessions_init(&t, NULL, CONTEXT, PAGES);
    session *held[3] = {0};
    for (int round = 0; round < 20000; round++) {
        seed = seed * 1664525u + 1013904223u;
        int which = (int)(seed >> 30), n = 2 + (int)((seed >> 8) % 250);
        int32_t ids[256];
        ids_from(ids, n, 1);
        for (int i = (int)((seed >> 16) % 256); i < n; i++)
            ids[i] = 100 * (int)((seed >> 4) % 4) + i;
        if (which < 3 && held[which]) {
            session_rewind(&t, held[which], held[which]->count / 2);
            session_release(&t, held[which]);
            held[which] = NULL;
        } else {
            session *s = session_attach(&t, ids, n);
            if (!s) continue;
            assert_true(s->count < n);
            for (int i = 0; i < s->count; i++)
                assert_int_equal(s->tokens[i], ids[i]);
            if (session_reserve(&t, s, n)) session_append(s, ids + s->count, n - s->count);
            if (which < 3)
                held[which] = s;
            else
                session_release(&t, s);
        }
        check_counts(&t);
    }
    sessions_deinit(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_token_is_computed_again),
        cmocka_unit_test(another_prompt_with_the_same_header_shares_its_pages),
        cmocka_unit_test(typing_stays_in_one_session),
        cmocka_unit_test(idle_sessions_give_way_oldest_first),
        cmocka_unit_test(held_sessions_are_left_alone),
        cmocka_unit_test(random_prompts_keep_the_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
