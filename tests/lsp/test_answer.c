/* SPDX-License-Identifier: Apache-2.0 */
/* lsp/answer: what models write, good and bad, into code, prose and comments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lsp/answer.h"

#define ORIGINAL "def f(a):\n        return a"

static void test_code(void **state) {
    UNUSED(state);
    static const struct {
        const char *raw;
        bool complete;
        const char *want; /* the code, or (after '!') a part of the sentence */
    } cases[] = {
        {"```python\ndef f(a):\n    return a + 1\n```", true, "def f(a):\n        return a + 1"},
        {"Sure! Here it is:\n\n```\n    def f(a):\n        return 1\n```\nBye.", true,
         "def f(a):\n        return 1"},
        {"```python\ndef f(a):\n        return 2\n```", true, "def f(a):\n        return 2"},
        {"~~~~\nx = 1\n```\ny\n~~~~", true, "x = 1\n    ```\n    y"},
        {"```\n\n```\n```\nx\n```", true, "x"},
        {"```\r\nx = 1\r\ny = 2\r\n```\r\n", true, "x = 1\n    y = 2"},
        {"```python\nx = 1\n", true, "x = 1"},
        {"```python\nx = 1\n", false, "!ended in the middle"},
        {"x = 1", true, "x = 1"},
        {"", true, "!wrote nothing"},
        {" \n\t\n", true, "!wrote nothing"},
        {"```\n```", true, "!wrote nothing"},
        {"```\nx<|im_end|>\n```", true, "!its own template"},
        {"```\n[INST] x\n```", true, "!its own template"},
        {"```\na < b | c > d\n```", true, "a < b | c > d"},
        {"```\nxy\nxy\nxy\nxy\nxy\nxy\nxy\nxy\nxy\nxy\nxy\nxy\nxy\nxy\n```", true,
         "!the same line"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        arena a;
        arena_init(&a);
        answer_code code;
        answer_place at = {STR(ORIGINAL), STR("    "), "\n"};
        const char *why = answer_read_code(str_of(cases[i].raw), cases[i].complete, &at, &a, &code);
        if (cases[i].want[0] == '!') {
            assert_non_null(why);
            assert_non_null(strstr(why, cases[i].want + 1));
        } else {
            if (why) fail_msg("%zu: %s", i, why);
            if (!str_eq(code.code, str_of(cases[i].want)))
                fail_msg("%zu: %.*s", i, STR_ARG(code.code));
        }
        arena_deinit(&a);
    }
}

static void test_prose(void **state) {
    UNUSED(state);
    static const struct {
        const char *raw, *want;
    } cases[] = {
        {"Adds two numbers.", "Adds two numbers."},
        {"\"\"\"Adds two numbers.\"\"\"", "Adds two numbers."},
        {"/**\n * Adds.\n *\n * Returns the sum.\n */", "Adds.\n\nReturns the sum."},
        {"```\n// Adds.\n// More.\n```", "Adds.\nMore."},
        {"one two three four five six", "one two three four\nfive six"},
        {"", ""},
        {"<|im_start|>assistant", ""},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        arena a;
        arena_init(&a);
        str got = answer_read_prose(str_of(cases[i].raw), 20, &a);
        if (!str_eq(got, str_of(cases[i].want))) fail_msg("%zu: %.*s", i, STR_ARG(got));
        arena_deinit(&a);
    }
}

static void test_comments(void **state) {
    UNUSED(state);
    static const struct {
        const char *language, *prose, *want;
    } cases[] = {
        {"python", "Adds.", "\"\"\"Adds.\"\"\""},
        {"python", "Adds \"\"\"x\"\"\" \\d.\n\nMore.",
         "\"\"\"Adds '''x''' \\\\d.\n\n  More.\n  \"\"\""},
        {"python", "Says \"x\"", "\"\"\"Says \"x\" \"\"\""},
        {"c", "Adds.", "/* Adds. */"},
        {"c", "Adds */ it.\nMore.", "/* Adds * / it.\n   * More. */"},
        {"typescript", "Adds.", "/** Adds. */"},
        {"typescript", "Adds.\nMore.", "/**\n   * Adds.\n   * More.\n   */"},
        {"go", "Add adds.\nMore.", "// Add adds.\n  // More."},
        {"text", "Adds.", ""},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        arena a;
        arena_init(&a);
        str got = answer_comment(cases[i].language, str_of(cases[i].prose), STR("  "), "\n", &a);
        if (!str_eq(got, str_of(cases[i].want))) fail_msg("%zu: %.*s", i, STR_ARG(got));
        arena_deinit(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_code),
        cmocka_unit_test(test_prose),
        cmocka_unit_test(test_comments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
