/* SPDX-License-Identifier: Apache-2.0 */
/* Guessing by lookup: what is found, how far, and when it gives up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/draft.h"

static void finds_what_followed_last_time(void **state) {
    UNUSED(state);
    const draft_record fresh = {0};
    const int32_t ids[] = {1, 2, 3, 4, 5, 9, 1, 2, 3, 7, 8, 6, 1, 2, 3};
    int32_t out[DRAFT_MAX];
    assert_int_equal(draft_find(&fresh, ids, 15, 3, out), 3);
    assert_memory_equal(out, ((const int32_t[]){7, 8, 6}), 12); /* the nearest, not the first */
    assert_int_equal(draft_find(&fresh, ids, 15, 1, out), 1);
    assert_int_equal(draft_find(&fresh, ids, 15, 0, out), 0);
    assert_int_equal(draft_find(&fresh, ids, 14, 8, out), 0); /* 6 1 2 is new */
    assert_int_equal(draft_find(&fresh, ids, 3, 8, out), 0);
    const int32_t same[] = {5, 5, 5, 5};
    assert_int_equal(draft_find(&fresh, same, 4, 8, out), 1); /* a run: one is known */
    assert_int_equal(out[0], 5);
}

static void gives_up_when_it_is_wrong(void **state) {
    UNUSED(state);
    const int32_t ids[] = {1, 2, 3, 4, 1, 2, 3};
    int32_t out[DRAFT_MAX];
    assert_int_equal(draft_find(&(draft_record){.proposed = 8, .accepted = 1}, ids, 7, 8, out), 0);
    assert_int_equal(draft_find(&(draft_record){.proposed = 8, .accepted = 2}, ids, 7, 2, out), 2);
    assert_int_equal(draft_find(&(draft_record){.proposed = 5, .accepted = 0}, ids, 7, 2, out), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_followed_last_time),
        cmocka_unit_test(gives_up_when_it_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
