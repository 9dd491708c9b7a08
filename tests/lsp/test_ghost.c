/* SPDX-License-Identifier: Apache-2.0 */
/* lsp/ghost: random inputs; each request is answered exactly once, and never by a stale result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lsp/ghost.h"

#define SEQUENCES 2000
#define STEPS 60

static uint64_t random_next(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

typedef struct {
    int answers[STEPS + 1]; /* by serial */
    uint64_t serial, running;
} history;

static void check(history *h, const ghost *g, ghost_input in, const ghost_output *out) {
    if (out->drop) h->answers[out->drop]++;
    if (out->finish) h->answers[out->finish]++;
    assert_false(out->drop && out->drop == g->request);
    if (out->stop_job) {
        assert_int_equal(h->running, out->drop);
        h->running = 0;
    }
    if (out->finish) {
        assert_int_equal(h->running, out->finish);
        h->running = 0;
    }
    if (out->start_job) {
        assert_int_equal(h->running, 0); /* one at a time */
        h->running = g->request;
    }
    if (in == GHOST_REQUEST) assert_true(g->request == h->serial && out->start_timer);
    for (uint64_t s = 1; s <= h->serial; s++)
        assert_int_equal(h->answers[s], s == g->request ? 0 : 1);
}

static void test_exactly_once(void **state) {
    UNUSED(state);
    uint64_t seed = 88172645463325252u;
    for (int sequence = 0; sequence < SEQUENCES; sequence++) {
        ghost g = {0};
        history h = {0};
        for (int step = 0; step < STEPS; step++) {
            ghost_input in = (ghost_input)(random_next(&seed) % 5);
            uint64_t serial = h.serial ? 1 + random_next(&seed) % h.serial : 0;
            if (in == GHOST_REQUEST) serial = ++h.serial;
            ghost_output out = ghost_step(&g, in, serial);
            check(&h, &g, in, &out);
        }
    }
}

static void test_the_usual_way(void **state) {
    UNUSED(state);
    ghost g = {0};
    ghost_output out = ghost_step(&g, GHOST_REQUEST, 1);
    assert_true(out.start_timer && !out.start_job);
    out = ghost_step(&g, GHOST_REQUEST, 2); /* a newer one before the timer: no job yet to stop */
    assert_true(out.drop == 1 && !out.stop_job);
    out = ghost_step(&g, GHOST_TIMER, 0);
    assert_true(out.start_job);
    out = ghost_step(&g, GHOST_TIMER, 0); /* a stale timer */
    assert_false(out.start_job);
    out = ghost_step(&g, GHOST_CANCEL, 1); /* too late for the first */
    assert_int_equal(out.drop, 0);
    out = ghost_step(&g, GHOST_DONE, 2);
    assert_int_equal(out.finish, 2);
    assert_int_equal(g.state, GHOST_IDLE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exactly_once),
        cmocka_unit_test(test_the_usual_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
