/* SPDX-License-Identifier: Apache-2.0 */
/* Who is next, without a model: single decisions, and a day of jobs that arrive and take their
 * (made up) time, judged after each step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/schedule.h"

#define WAITS SCHEDULE_WAITS
#define READS SCHEDULE_READS
#define WRITES SCHEDULE_WRITES

static int chosen[LIMIT_ENGINE_SEQUENCES];

static schedule_item item(job_id id, uint64_t client, schedule_phase phase, int left) {
    return (schedule_item){
        .id = id, .client = client, .priority = PRIO_USER, .phase = phase, .left = left};
}

/* ---- decisions ------------------------------------------------------------------------------- */

static void nothing_is_nothing(void **state) {
    UNUSED(state);
    schedule s = {0};
    schedule_item one = item(1, 1, WAITS, 0);
    assert_int_equal(schedule_pick(&s, &one, 0, chosen), 0);
    one.blocked = true;
    assert_int_equal(schedule_pick(&s, &one, 1, chosen), 0);
}

static void urgent_first(void **state) {
    UNUSED(state);
    schedule s = {0};
    schedule_item items[4] = {item(1, 1, WRITES, 0), item(2, 2, WRITES, 0), item(3, 3, READS, 9),
                              item(4, 1, WAITS, 0)};
    items[3].priority = PRIO_TYPE;
    assert_int_equal(schedule_pick(&s, items, 4, chosen), 1);
    assert_int_equal(chosen[0], 3);
    items[3].phase = WRITES; /* others' rows do not ride along */
    assert_int_equal(schedule_pick(&s, items, 4, chosen), 1);
    assert_int_equal(chosen[0], 3);
    items[3].blocked = true;
    assert_int_equal(schedule_pick(&s, items, 4, chosen), 1);
    assert_int_equal(chosen[0], 2);
}

static void writers_go_together_the_oldest_first(void **state) {
    UNUSED(state);
    schedule s = {0};
    schedule_item items[5] = {item(7, 1, WRITES, 0), item(5, 2, WRITES, 0), item(6, 2, WRITES, 0),
                              item(4, 2, WRITES, 0), item(3, 9, WRITES, 0)};
    items[2].blocked = true;
    items[3].slot = 1;
    items[4].priority = PRIO_SPEC;
    assert_int_equal(schedule_pick(&s, items, 5, chosen), 2);
    assert_int_equal(chosen[0], 1);
    assert_int_equal(chosen[1], 0);
    schedule_note(&s, &items[1], 5); /* the other model's turn, and so on */
    assert_int_equal(schedule_pick(&s, items, 5, chosen), 1);
    assert_int_equal(chosen[0], 3);
    schedule_note(&s, &items[3], 14);
    for (int i = 0; i < 2; i++) { /* 5 ms used so far, and 14 */
        assert_int_equal(schedule_pick(&s, items, 5, chosen), 2);
        schedule_note(&s, &items[1], 5);
    }
    assert_int_equal(schedule_pick(&s, items, 5, chosen), 1);
}

static void readers_and_writers_share_the_time(void **state) {
    UNUSED(state);
    schedule s = {0};
    schedule_item items[2] = {item(1, 1, WRITES, 0), item(2, 2, READS, 5000)};
    double time[2] = {0};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(schedule_pick(&s, items, 2, chosen), 1);
        double ms = chosen[0] ? 80 : 6;
        time[chosen[0]] += ms;
        schedule_note(&s, &items[chosen[0]], ms);
    }
    assert_true(time[0] > 0.9 * time[1] && time[1] > 0.9 * time[0]);
    /* Three readers beside one writer: it gets a fourth. */
    schedule_item more[4] = {items[0], items[1], item(3, 3, READS, 5000), item(4, 4, READS, 5000)};
    time[0] = time[1] = 0;
    s = (schedule){0};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(schedule_pick(&s, more, 4, chosen), 1);
        double ms = chosen[0] ? 80 : 6;
        time[chosen[0] > 0] += ms;
        schedule_note(&s, &more[chosen[0]], ms);
    }
    assert_true(time[1] > 2.7 * time[0] && time[1] < 3.3 * time[0]);
    /* What nobody waits for is not owed to those who come later. */
    s = (schedule){0};
    for (int i = 0; i < 10; i++) {
        assert_int_equal(schedule_pick(&s, &items[1], 1, chosen), 1);
        schedule_note(&s, &items[1], 1000);
    }
    assert_int_equal(schedule_pick(&s, &items[1], 1, chosen), 1);
    assert_int_equal(schedule_pick(&s, items, 2, chosen), 1);
    assert_int_equal(chosen[0], 1);
}

/* ---- beginning ------------------------------------------------------------------------------- */

static void who_has_least_begins_first(void **state) {
    UNUSED(state);
    schedule s = {0};
    schedule_item items[4] = {item(1, 1, WRITES, 0), item(2, 1, WAITS, 0), item(3, 2, WAITS, 0),
                              item(4, 3, WAITS, 0)};
    schedule_note(&s, &items[2], 0); /* client 2 had a turn; 3 never had one */
    assert_int_equal(schedule_pick(&s, items, 4, chosen), 1);
    assert_int_equal(chosen[0], 3);
    items[3].blocked = true;
    assert_int_equal(schedule_pick(&s, items, 4, chosen), 1);
    assert_int_equal(chosen[0], 2);
    items[2].phase = READS; /* a client reads one prompt at a time, but another may begin */
    assert_int_equal(schedule_pick(&s, items, 4, chosen), 1);
    assert_int_equal(chosen[0], 1);
    items[0].phase = READS;
    assert_int_equal(schedule_pick(&s, items, 4, chosen), 1);
    assert_int_not_equal(chosen[0], 1);
}

/* Half of the sequences are one client's at most, and each class leaves one for those above it. */
static void seats_are_limited(void **state) {
    UNUSED(state);
    for (int class = PRIO_TYPE; class <= PRIO_BACKGROUND; class ++) {
        for (int clients = 1; clients <= 40; clients += 39) {
            schedule s = {0};
            schedule_item items[40];
            for (int i = 0; i < 40; i++) {
                items[i] = item((job_id)i + 1, (uint64_t)(i % clients), WAITS, 0);
                items[i].priority = (job_priority) class;
            }
            int running = 0;
            while (schedule_pick(&s, items, 40, chosen) == 1 && items[chosen[0]].phase == WAITS) {
                items[chosen[0]].phase = WRITES;
                schedule_note(&s, &items[chosen[0]], 0);
                running++;
            }
            int all = LIMIT_ENGINE_SEQUENCES - class;
            assert_int_equal(running, clients == 1 ? MIN(all, LIMIT_ENGINE_SEQUENCES / 2) : all);
        }
    }
}

/* ---- a day ----------------------------------------------------------------------------------- */

enum { JOBS = 64, CHUNK = 64 };

typedef struct {
    schedule schedule;
    schedule_item items[JOBS];
    int to_write[JOBS]; /* tokens of each */
    double came[JOBS];  /* when, in ms */
    int n;
    job_id last;
    double now;
    uint32_t random;
} day;

static int roll(day *d, int below) {
    d->random = d->random * 1664525u + 1013904223u;
    return (int)((d->random >> 8) % (uint32_t)below);
}

static void come(day *d, uint64_t client, job_priority class, int slot, int prompt, int tokens) {
    if (d->n == JOBS) return;
    schedule_item it = item(++d->last, client, WAITS, prompt);
    it.priority = class;
    it.slot = slot;
    d->to_write[d->n] = tokens;
    d->came[d->n] = d->now;
    d->items[d->n++] = it;
}

/* One step as an engine takes it; returns the client whose job has ended (0: none) and, in *took,
 * since when it was there. */
static uint64_t step(day *d, double *took) {
    int n = schedule_pick(&d->schedule, d->items, d->n, chosen);
    if (n == 0) return 0;
    schedule_item first = d->items[chosen[0]];
    double ms = 0;
    uint64_t ended = 0;
    if (first.phase == WAITS) {
        d->items[chosen[0]].phase = first.left > 1 ? READS : WRITES;
    } else if (first.phase == READS) {
        int rows = MIN(CHUNK, first.left);
        ms = rows;
        d->items[chosen[0]].left -= rows;
        if (first.left - rows <= 1) d->items[chosen[0]].phase = WRITES;
    } else {
        ms = 6 + n;
        for (int i = 0; i < n; i++)
            d->to_write[chosen[i]]--;
    }
    d->now += ms;
    schedule_note(&d->schedule, &first, ms);
    for (int i = 0; i < d->n; i++) {
        if (d->to_write[i] > 0) continue;
        ended = d->items[i].client;
        *took = d->now - d->came[i];
        d->items[i] = d->items[--d->n];
        d->to_write[i] = d->to_write[d->n];
        d->came[i] = d->came[d->n];
        return ended; /* another one that ended too comes with the next step */
    }
    return 0;
}

/* One client floods: as many jobs as the table takes, prompts and answers long or short.  Another
 * of the same class asks once in a while.  Alone its job would take 20 rows and 12 tokens, about
 * 110 ms; beside the flood it gets its share, however long the queue is. */
static void a_flood_starves_nobody(void **state) {
    UNUSED(state);
    enum { FLOOD = 1, OTHER = 2 };
    static const struct {
        int prompt, tokens;
    } kinds[] = {{2000, 12}, {2000, 200}, {2, 200}, {2, 2}, {63, 1}};
    for (size_t k = 0; k < COUNTOF(kinds); k++) {
        for (int models = 1; models <= 2; models++) {
            day d = {.random = (uint32_t)k + 1};
            double worst = 0, took = 0;
            int answered = 0, floods = 0;
            bool asked = false;
            for (int i = 0; i < 10000; i++) {
                while (d.n < JOBS - 1)
                    come(&d, FLOOD, PRIO_TYPE, roll(&d, models), kinds[k].prompt, kinds[k].tokens);
                if (!asked && roll(&d, 50) == 0) {
                    come(&d, OTHER, PRIO_TYPE, 0, 20, 12);
                    asked = true;
                }
                uint64_t ended = step(&d, &took);
                floods += ended == FLOOD;
                if (ended != OTHER) continue;
                asked = false;
                answered++;
                worst = MAX(worst, took);
            }
            assert_true(answered > 20 && floods > 20);
            if (worst > 1000) fail_msg("kind %zu: %.0f ms for a key", k, worst);
        }
    }
}

/* Nobody waits for ever: a long prompt beside a flood of short ones; and jobs of every class come
 * at random, and all end once nothing new comes. */
static void everybody_ends(void **state) {
    UNUSED(state);
    day d = {.random = 7};
    double took = 0;
    come(&d, 99, PRIO_USER, 0, 8000, 400);
    int steps = 0;
    for (uint64_t ended = 0; ended != 99; steps++) {
        assert_true(steps < 100000);
        while (d.n < JOBS)
            come(&d, (uint64_t)(1 + roll(&d, 12)), PRIO_USER, 0, 2 + roll(&d, 60), 1 + roll(&d, 9));
        ended = step(&d, &took);
    }
    for (int round = 0; round < 60; round++) {
        for (int i = roll(&d, JOBS); i > 0; i--)
            come(&d, (uint64_t)(1 + roll(&d, 20)), (job_priority)roll(&d, 4), roll(&d, 3),
                 1 + roll(&d, 3000), 1 + roll(&d, 300));
        for (int i = roll(&d, 2000); i > 0; i--)
            (void)step(&d, &took);
    }
    for (steps = 0; d.n > 0; steps++) {
        assert_true(steps < 200000);
        (void)step(&d, &took);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(urgent_first),
        cmocka_unit_test(writers_go_together_the_oldest_first),
        cmocka_unit_test(readers_and_writers_share_the_time),
        cmocka_unit_test(who_has_least_begins_first),
        cmocka_unit_test(seats_are_limited),
        cmocka_unit_test(a_flood_starves_nobody),
        cmocka_unit_test(everybody_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
