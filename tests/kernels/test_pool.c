/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: every unit exactly once, whatever the number of threads, also when workers sleep
 * between loops and when there are more threads than cores.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernels/cpu/pool.h"

#define UNITS 700

typedef struct {
    atomic_int seen[UNITS];
    atomic_int stretches;
    int64_t units, grain;
} tally;

static void count(void *arg, int64_t from, int64_t to, int worker) {
    tally *t = arg;
    assert_true(from < to && to <= t->units && worker >= 0);
    assert_true(to - from >= t->grain || to == t->units);
    for (int64_t i = from; i < to; i++)
        atomic_fetch_add(&t->seen[i], 1);
    atomic_fetch_add(&t->stretches, 1);
}

static void every_unit_once(void **state) {
    (void)state;
    static tally t;
    for (int threads = 1; threads <= 5; threads++) {
        pool *p = NULL;
        err e;
        assert_int_equal(pool_start(&p, threads, &e), OK);
        assert_int_equal(pool_threads(p), threads);
        for (int loop = 0; loop < 2000; loop++) {
            memset(&t, 0, sizeof t);
            t.units = loop % UNITS;
            t.grain = 1 + loop % 3;
            pool_run(p, count, &t, t.units, t.grain);
            for (int64_t i = 0; i < UNITS; i++)
                assert_int_equal(atomic_load(&t.seen[i]), i < t.units);
            if (loop % 200 == 0) usleep(300); /* long enough for the workers to sleep */
        }
        pool_stop(p);
    }
    pool_stop(NULL);
}

static void slow_units_are_waited_for(void *arg, int64_t from, int64_t to, int worker) {
    tally *t = arg;
    (void)worker;
    for (int64_t i = from; i < to; i++) {
        usleep(200);
        atomic_fetch_add(&t->seen[i], 1);
    }
}

static void the_leader_sleeps_until_the_last_unit(void **state) {
    (void)state;
    static tally t;
    pool *p = NULL;
    err e;
    assert_int_equal(pool_start(&p, 4, &e), OK);
    for (int loop = 0; loop < 50; loop++) {
        memset(&t, 0, sizeof t);
        pool_run(p, slow_units_are_waited_for, &t, 5, 1);
        for (int i = 0; i < 5; i++)
            assert_int_equal(atomic_load(&t.seen[i]), 1);
    }
    pool_stop(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_once),
        cmocka_unit_test(the_leader_sleeps_until_the_last_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
