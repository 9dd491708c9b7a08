/* SPDX-License-Identifier: Apache-2.0 */
/* The whole way: a cursor, an answer, the suggestion. */
#include <time.h>

#include "context/symbols.h"
#include "tests/context/fixture.h"

static void answers(void **state) {
    static const struct {
        const char *path, *text, *raw;
        bool block;
        const char *want, *reason;
        int replaced;
    } cases[] = {
        {"a.py", "def area(r):\n    return @@\n", "3.14 * r ** 2\n\ndef", false, "3.14 * r ** 2",
         "", 0},
        {"a.py", "def area(r):\r\n    return @@\r\n", "3.14 * r\r\n", false, "3.14 * r", "", 0},
        {"a.py", "def area(r):@@\n", "\n    x = r\n    return x\n\nprint(1)", true,
         "\n    x = r\n    return x", "", 0},
        {"a.py", "def area(r):\n    @@\n", "x = r\n    return x\nprint(1)", true,
         "x = r\n    return x", "", 0},
        {"a.py", "print(@@)\n", "x)", false, "x", "", 0},
        {"a.c", "int main(void) {\n    puts(@@)\n}\n", "\"a\");\n    return 0;", false, "\"a\");",
         "", 1},
        {"a.c", "int main(void) {\n\tint a;\n\t@@\n}\n", "if (a) {\n        a = 1;\n    }\n}",
         false, "if (a) {", "", 0},
        {"a.c", "int f(int a) {@@\n}\n", "\n    return a;\n}", true, "\n    return a;", "", 0},
        {"a.ts", "const x = foo(@@\n", "1, 2)<|endoftext|>", false, "1, 2)", "", 0},
        {"a.go", "package a\n\nfunc f(a int) int {\n\t@@\n}\n", "return a + 1\n}", false,
         "return a + 1", "", 0},
        {"a.txt", "Dear @@", "reader,\nthis", false, "reader,", "", 0},
        {"a.py", "x = @@\n", "\n", false, NULL, "empty", 0},
        {"a.py", "x = @@\n", "  \n", false, NULL, "empty", 0},
        {"a.py", "x = 1\n@@\ny = 2\n", "y = 2\nz", false, NULL, "duplicates-suffix", 0},
        {"a.py", "import os\n@@\n", "import os", false, NULL, "duplicates-prefix", 0},
        {"a.py", "x = @@\n", ") ] }", false, NULL, "syntax", 0},
        {"a.py", "x = @@\n", "a b c d", false, NULL, "syntax", 0},
        {"a.c", "x = @@\n", "foo, foo, foo, foo, foo, foo, foo, ", false, NULL, "repetition", 0},
        {"a.py", "x = @@\n", "\xff\xfe", false, NULL, "empty", 0},
        {"a.py", "# a note on @@\n", "unbalanced ( brackets", false, "unbalanced ( brackets", "",
         0},
    };
    UNUSED(state);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (fixture_is_left_out(cases[i].path)) continue;
        fixture f;
        fixture_init(&f, cases[i].path, cases[i].text);
        context_prompt p = fixture_assemble(
            &f, (context_request){.invoked = true, .multiline_allowed = cases[i].block});
        assert_int_equal(p.shape == SHAPE_BLOCK, cases[i].block);
        context_answer answer = {.raw = str_of(cases[i].raw), .complete = true};
        context_suggestion s;
        context_finish(f.c, f.d, &p, &answer, &f.a, &s);
        if (strcmp(s.reason, cases[i].reason) != 0) fail_msg("case %zu: \"%s\"", i, s.reason);
        assert_int_equal(s.shown, cases[i].want != NULL);
        if (s.shown && !str_eq(s.text, str_of(cases[i].want)))
            fail_msg("case %zu: |%.*s|", i, STR_ARG(s.text));
        assert_int_equal(s.from, f.offset);
        assert_int_equal(s.to - s.from, cases[i].replaced);
        fixture_deinit(&f);
    }
}

static void a_changed_document_is_stale(void **state) {
    UNUSED(state);
    fixture f;
    fixture_init(&f, "a.py", "x = @@\n");
    context_prompt p = fixture_assemble(&f, (context_request){0});
    document_set_version(f.d, 2);
    context_answer answer = {.raw = STR("1"), .complete = true};
    context_suggestion s;
    context_finish(f.c, f.d, &p, &answer, &f.a, &s);
    assert_false(s.shown);
    assert_string_equal(s.reason, "stale");
    fixture_deinit(&f);
}

static void confidence_is_a_setting(void **state) {
    UNUSED(state);
    fixture f;
    fixture_init(&f, "a.py", "x = @@\n");
    context_prompt p = fixture_assemble(&f, (context_request){0});
    context_answer answer = {.raw = STR("1"), .complete = true, .logprob_mean = -2.0f};
    context_suggestion s;
    context_finish(f.c, f.d, &p, &answer, &f.a, &s);
    assert_true(s.shown);
    context_set_confidence(f.c, -1.0f, -1e30f);
    context_finish(f.c, f.d, &p, &answer, &f.a, &s);
    assert_string_equal(s.reason, "confidence");
    fixture_deinit(&f);
}

/* Cut before the doubted token, and before the word that it is in. */
static void doubt_ends_a_text(void **state) {
    UNUSED(state);
    static const struct {
        float least;
        const char *want;
    } cases[] = {
        {-9.0f, "load(name, encoding)"},
        {-3.0f, "load(name,"},
        {-1.5f, NULL}, /* "load(" is not worth reading */
        {-0.5f, NULL},
    };
    const context_token tokens[] = {{0, -1.0f}, {4, -0.1f},  {5, -0.2f},  {7, -2.0f},
                                    {9, -0.1f}, {11, -0.1f}, {14, -4.0f}, {19, -0.1f}};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        fixture f;
        fixture_init(&f, "a.py", "from files import load\nx = @@\n");
        context_prompt p = fixture_assemble(&f, (context_request){0});
        context_answer answer = {.raw = STR("load(name, encoding)"),
                                 .complete = true,
                                 .tokens = tokens,
                                 .n_tokens = COUNTOF(tokens)};
        context_suggestion s;
        context_set_confidence(f.c, -1e30f, cases[i].least);
        context_finish(f.c, f.d, &p, &answer, &f.a, &s);
        assert_int_equal(s.shown, cases[i].want != NULL);
        if (cases[i].want)
            assert_true(str_eq(s.text, str_of(cases[i].want)));
        else
            assert_string_equal(s.reason, "confidence");
        fixture_deinit(&f);
    }
}

static void a_filter_is_switched_off_by_its_name(void **state) {
    UNUSED(state);
    fixture f;
    fixture_init(&f, "a.py", "x = @@\n");
    context_prompt p = fixture_assemble(&f, (context_request){0});
    context_answer answer = {.raw = STR(")("), .complete = true, .logprob_mean = -2.0f};
    context_suggestion s;
    context_finish(f.c, f.d, &p, &answer, &f.a, &s);
    assert_false(s.shown);
    assert_string_equal(s.reason, "syntax");
    context_set_filters_off(f.c, context_filter_bit("syntax"));
    context_finish(f.c, f.d, &p, &answer, &f.a, &s);
    assert_true(s.shown);
    assert_int_equal(context_filter_bit("bytes"), 0);
    assert_int_equal(context_filter_bit("no-such"), 0);
    fixture_deinit(&f);
}

/* In Go a name may be defined in any file of the package: the index knows. */
static void names_of_other_files(void **state) {
    UNUSED(state);
    if (fixture_is_left_out("a.go")) return;
    fixture f;
    fixture_init(&f, "a.go", "package a\n\nfunc f() {\n\t@@\n}\n");
    symbols *x = symbols_start(NULL);
    symbols_document(x, 1, STR("/w/b.go"), "go", STR("package a\n\nfunc defined(n int) {\n}\n"));
    const symbols_view who = {.client = 1};
    for (int i = 0; i < 4000 && !symbols_knows(x, &who, STR("defined")); i++)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    symbols_stats stats;
    do
        symbols_get_stats(x, &stats);
    while (stats.busy);
    context_prompt p = fixture_assemble(&f, (context_request){0});
    const struct {
        const char *raw, *reason;
        bool index;
    } cases[] = {{"defined(1)", "", true},
                 {"invented(1)", "unknown-name", true},
                 {"invented(1)", "", false}};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        context_answer answer = {.raw = str_of(cases[i].raw), .complete = true};
        context_suggestion s;
        context_set_symbols(f.c, cases[i].index ? x : NULL, 1);
        context_finish(f.c, f.d, &p, &answer, &f.a, &s);
        assert_string_equal(s.reason, cases[i].reason);
    }
    context_set_filters_off(f.c, context_filter_bit("known"));
    context_answer answer = {.raw = STR("invented(1)"), .complete = true};
    context_suggestion s;
    context_set_symbols(f.c, x, 1);
    context_finish(f.c, f.d, &p, &answer, &f.a, &s);
    assert_true(s.shown);
    context_set_symbols(f.c, NULL, 1);
    symbols_stop(x);
    fixture_deinit(&f);
}

/* An answer of any length ends in bounded time and bounded text. */
static void long_answers_are_cut(void **state) {
    UNUSED(state);
    fixture f;
    fixture_init(&f, "a.py", "def f():\n    @@\n");
    strbuf raw;
    strbuf_init(&raw, 1 << 20);
    for (int i = 0; i < 20000; i++)
        strbuf_addf(&raw, "a%d = (\n    ", i);
    context_prompt p = fixture_assemble(&f, (context_request){.multiline_allowed = true});
    context_answer answer = {.raw = strbuf_str(&raw), .complete = false};
    context_suggestion s;
    context_finish(f.c, f.d, &p, &answer, &f.a, &s);
    assert_true(s.text.len < 1000);
    strbuf_deinit(&raw);
    fixture_deinit(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(a_changed_document_is_stale),
        cmocka_unit_test(confidence_is_a_setting),
        cmocka_unit_test(doubt_ends_a_text),
        cmocka_unit_test(a_filter_is_switched_off_by_its_name),
        cmocka_unit_test(names_of_other_files),
        cmocka_unit_test(long_answers_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
