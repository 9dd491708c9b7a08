/* SPDX-License-Identifier: Apache-2.0 */
/* Where generated text ends: each rule on whole texts, and fed byte by byte, which must agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/stop.h"

typedef struct {
    const char *text;
    stop_rule rule;
    int indent, lines_max;
    const char *string; /* a stop string, or NULL */
    const char *want;   /* NULL: does not stop */
    finish_reason why;
} stop_case;

static const stop_case cases[] = {
    {"a + b\nc", STOP_NONE, 0, 0, NULL, NULL, FINISH_EOG},
    {"a + b\nc", STOP_LINE, 0, 0, NULL, "a + b", FINISH_LINE},
    {"a + b\r\nc", STOP_LINE, 0, 0, NULL, "a + b", FINISH_LINE},
    {"\n    return x\n", STOP_LINE, 0, 0, NULL, "\n    return x", FINISH_LINE},
    {"  \n\n", STOP_LINE, 0, 0, NULL, NULL, FINISH_EOG},
    {"a + b", STOP_LINE, 0, 0, NULL, NULL, FINISH_EOG},
    {"if x:\n        y()\n    z()\n", STOP_BLOCK, 8, 0, NULL, "if x:\n        y()", FINISH_BLOCK},
    {"x\n        y\n        z", STOP_BLOCK, 8, 0, NULL, NULL, FINISH_EOG},
    {"x\n\n    y", STOP_BLOCK, 0, 0, NULL, "x", FINISH_BLOCK},
    {"\n    x\n\n    y", STOP_BLOCK, 4, 0, NULL, "\n    x", FINISH_BLOCK},
    {"\n\n    x\n", STOP_BLOCK, 4, 0, NULL, NULL, FINISH_EOG},
    {"a\nb\nc\n", STOP_BLOCK, 0, 2, NULL, "a\nb", FINISH_BLOCK},
    {"a\n  \t\nb\n", STOP_BLOCK, 0, 0, NULL, "a", FINISH_BLOCK},
    {"one<end>two", STOP_NONE, 0, 0, "<end>", "one", FINISH_STRING},
    {"one<en>two", STOP_NONE, 0, 0, "<end>", NULL, FINISH_EOG},
    {"one\ntwo<end>", STOP_LINE, 0, 0, "<end>", "one", FINISH_LINE},
    {"one<end>\ntwo", STOP_LINE, 0, 0, "<end>", "one", FINISH_STRING},
};

static void start(stop *s, const stop_case *c, str *string) {
    *string = str_of(c->string);
    engine_job job = {.stop = c->rule,
                      .indent = c->indent,
                      .lines_max = c->lines_max,
                      .stop_strings = string,
                      .n_stop_strings = c->string ? 1 : 0};
    stop_init(s, &job);
}

static void check_end(const stop_case *c, bool ended, size_t cut, finish_reason why) {
    if (ended != (c->want != NULL)) fail_msg("\"%s\": ended %d", c->text, ended);
    if (!ended) return;
    assert_int_equal(cut, strlen(c->want));
    assert_int_equal(why, c->why);
}

static void whole_texts(void **state) {
    UNUSED(state);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        stop s;
        str string;
        start(&s, &cases[i], &string);
        size_t cut = 0;
        finish_reason why = FINISH_EOG;
        bool ended = stop_check(&s, str_of(cases[i].text), &cut, &why);
        check_end(&cases[i], ended, cut, why);
    }
}

/* What was safe to show is never cut off later, and the end is the same. */
static void byte_by_byte(void **state) {
    UNUSED(state);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        stop s;
        str string;
        start(&s, &cases[i], &string);
        size_t cut = 0, shown = 0;
        finish_reason why = FINISH_EOG;
        bool ended = false;
        for (size_t n = 1; n <= strlen(cases[i].text) && !ended; n++) {
            str text = {cases[i].text, n};
            ended = stop_check(&s, text, &cut, &why);
            if (ended)
                assert_true(shown <= cut);
            else
                shown = stop_safe(&s, text);
            assert_true(shown <= n);
        }
        check_end(&cases[i], ended, cut, why);
    }
}

static void holds_back_begun_strings(void **state) {
    UNUSED(state);
    stop_case c = {.string = "</stop>"};
    stop s;
    str string;
    size_t cut;
    finish_reason why;
    start(&s, &c, &string);
    assert_false(stop_check(&s, STR("text</st"), &cut, &why));
    assert_int_equal(stop_safe(&s, STR("text</st")), 4);
    assert_false(stop_check(&s, STR("text</stay"), &cut, &why));
    assert_int_equal(stop_safe(&s, STR("text</stay")), 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_texts),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(holds_back_begun_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
