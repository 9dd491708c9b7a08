/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The few words of cmocka that the tests of kernels/ use, for a cross-compiled build: a library of
 * another architecture cannot be installed beside the host's own.  A failure ends the program. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};
#define cmocka_unit_test(function)                                                                 \
 { #function, function }

#define print_message(...) printf(__VA_ARGS__)
#define fail_msg(...)                                                                              \
 do {                                                                                              \
  fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                                  \
  fprintf(stderr, __VA_ARGS__);                                                                    \
  fputc('\n', stderr);                                                                             \
  exit(1);                                                                                         \
 } while (0)
#define assert_true(c)                                                                             \
 do {                                                                                              \
  if (!(c)) fail_msg("not true: %s", #c);                                                          \
 } while (0)
#define assert_non_null(p) assert_true((p) != NULL)
#define assert_int_equal(a, b)                                                                     \
 do {                                                                                              \
  intmax_t va = (intmax_t)(a), vb = (intmax_t)(b);                                                 \
  if (va != vb) fail_msg("%s: %" PRIdMAX " is not %" PRIdMAX, #a, va, vb);                         \
 } while (0)
#define assert_string_equal(a, b) assert_true(strcmp(a, b) == 0)
#define assert_memory_equal(a, b, n) assert_true(memcmp(a, b, n) == 0)

/* Returns 0: the number of tests that failed and yet came back. */
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
 cross_run(tests, sizeof(tests) / sizeof *(tests))

static inline int cross_run(const struct CMUnitTest *tests, size_t n) {
    for (size_t i = 0; i < n; i++) {
        void *state = NULL;
        printf("[ RUN ] %s\n", tests[i].name);
        fflush(stdout);
        tests[i].run(&state);
    }
    printf("%zu tests passed\n", n);
    return 0;
}
