/* SPDX-License-Identifier: Apache-2.0 */
/* Counters by second: what is older than the window does not count, whatever order seconds come in
 * after a pause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lsp/stats.h"

static void add(stats *s, int read, int wrote, double now) {
    stats_job(s, 1, &(engine_result){.prefilled = read, .n_tokens = wrote, .reused = 5}, now);
}

static void test_rates(void **state) {
    UNUSED(state);
    stats s = {0};
    add(&s, 100, 20, 1000000);
    add(&s, 100, 20, 1000500);
    stats_rate now = stats_rate_of(&s.slots[1], 2, 1000900);
    assert_int_equal((int)now.read, 100);
    assert_int_equal((int)now.wrote, 20);
    assert_int_equal((int)stats_rate_of(&s.slots[1], 2, 1002000).read, 0);
    assert_int_equal((int)(stats_rate_of(&s.slots[1], 60, 1059000).read * 60 + 0.5), 200);
    assert_int_equal((int)stats_rate_of(&s.slots[1], 60, 1060000).read, 0);
    add(&s, 60, 0, 1060000); /* the same place of the ring, a minute later */
    assert_int_equal((int)(stats_rate_of(&s.slots[1], 60, 1060000).read * 60 + 0.5), 60);
    for (int i = 0; i < 600; i++)
        add(&s, 6, 3, 2000000 + i * 1000);
    assert_int_equal((int)stats_rate_of(&s.slots[1], 60, 2599000).read, 6);
    assert_int_equal((int)stats_rate_of(&s.slots[1], 10, 2599000).wrote, 3);
}

static void generate(stats *s, int wrote, double ms, double now) {
    stats_job(s, 2, &(engine_result){.n_tokens = wrote, .decode_ms = ms}, now);
}

static void test_speed(void **state) {
    UNUSED(state);
    stats s = {0};
    assert_int_equal((int)stats_speed_of(&s.slots[2], 0), 0);
    generate(&s, 10, 100, 1000000);
    generate(&s, 20, 900, 1030000);
    assert_int_equal((int)stats_speed_of(&s.slots[2], 1031000), 30); /* waiting does not count */
    generate(&s, 5, 1000, 1080000);
    assert_int_equal((int)(stats_speed_of(&s.slots[2], 1081000) * 1.9 + 0.5), 25); /* a minute */
    assert_int_equal((int)(stats_speed_of(&s.slots[2], 9000000) * 2 + 0.5), 35);   /* of its life */
}

static void test_sums(void **state) {
    UNUSED(state);
    stats s = {0};
    add(&s, 1, 2, 0);
    stats_job(&s, 1, &(engine_result){.status = ERR_CANCELLED, .prefilled = 7}, 0);
    stats_job(&s, 1, &(engine_result){.status = ERR_DEVICE, .sequences = 3, .cached_tokens = 9}, 0);
    stats_job(&s, 1, &(engine_result){.status = ERR_LATE}, 0);
    stats_job(&s, 99, &(engine_result){0}, 0);
    const stats_slot *slot = &s.slots[1];
    assert_int_equal(slot->sums.jobs, 4);
    assert_int_equal(slot->sums.late, 1);
    assert_int_equal(slot->sums.cancelled, 1);
    assert_int_equal(slot->sums.failed, 1);
    assert_int_equal(slot->sums.read, 8);
    assert_int_equal(slot->sums.reused, 5);
    assert_int_equal(slot->sequences, 3);
    stats_forget(&s, 1);
    stats_forget(&s, -1);
    assert_int_equal(slot->sums.jobs, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rates), cmocka_unit_test(test_speed),
                                       cmocka_unit_test(test_sums)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
