/* SPDX-License-Identifier: Apache-2.0 */
/* context/change.h: differences of texts, what a range is about, and the judgement of changes. */
#include "context/change.h"
#include "engine/base/mem.h"
#include "tests/context/fixture.h"

#define BUDGET_US 10000000

static uint64_t random_below(uint64_t *seed, uint64_t n) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed % n;
}

/* ---- differences ----------------------------------------------------------------------------- */

static const char *const pieces[] = {"a",  "b", "\n", "\r\n", "\r", "",         "x = 1",
                                     "\t", " ", "\n", "\n",   "}",  "\xC3\xA9", "\xF0\x9F\x98\x80"};

static void random_text(uint64_t *seed, strbuf *out) {
    for (uint64_t n = random_below(seed, 60); n > 0; n--)
        strbuf_add_str(out, str_of(pieces[random_below(seed, COUNTOF(pieces))]));
}

/* A text with some places of it written anew. */
static void vary(uint64_t *seed, str text, strbuf *out) {
    strbuf_add_str(out, text);
    for (uint64_t n = random_below(seed, 4); n > 0; n--) {
        size_t from = random_below(seed, out->len + 1), to = from + random_below(seed, 6);
        while (from < out->len && ((unsigned char)out->ptr[from] & 0xC0) == 0x80)
            from++;
        to = MIN(MAX(from, to), out->len);
        while (to < out->len && ((unsigned char)out->ptr[to] & 0xC0) == 0x80)
            to++;
        strbuf_splice(out, from, to, str_of(pieces[random_below(seed, COUNTOF(pieces))]));
    }
}

static bool is_cut(str t, size_t at) {
    if (at == 0 || at == t.len) return true;
    if (t.ptr[at - 1] == '\r' && t.ptr[at] == '\n') return false;
    return ((unsigned char)t.ptr[at] & 0xC0) != 0x80;
}

static void test_edits_make_the_new_text(void **state) {
    UNUSED(state);
    uint64_t seed = 7;
    for (int round = 0; round < 20000; round++) {
        strbuf before, after, made;
        strbuf_init(&before, 1 << 16);
        strbuf_init(&after, 1 << 16);
        strbuf_init(&made, 1 << 16);
        random_text(&seed, &before);
        if (round % 4)
            vary(&seed, strbuf_str(&before), &after);
        else
            random_text(&seed, &after);
        arena a;
        arena_init(&a);
        text_edit *edits;
        size_t n = change_diff(strbuf_str(&before), strbuf_str(&after), &a, &edits);
        change_apply(strbuf_str(&before), edits, n, &made);
        assert_true(str_eq(strbuf_str(&made), strbuf_str(&after)));
        for (size_t i = 0; i < n; i++) {
            assert_true(is_cut(strbuf_str(&before), edits[i].from));
            assert_true(is_cut(strbuf_str(&before), edits[i].to));
            assert_true(edits[i].to > edits[i].from || edits[i].text.len);
            if (i) assert_true(edits[i].from > edits[i - 1].to || !edits[i].text.len);
        }
        arena_deinit(&a);
        strbuf_deinit(&before);
        strbuf_deinit(&after);
        strbuf_deinit(&made);
    }
}

static void test_edits_are_small(void **state) {
    UNUSED(state);
    static const struct {
        const char *before, *after, *want; /* "from-to:text|" */
    } cases[] = {
        {"a\nb\nc\n", "a\nb\nc\n", ""},
        {"a\nb\nc\n", "a\nB\nc\n", "2-3:B|"},
        {"a\nb\nc\n", "a\nx\nb\nc\ny\n", "2-2:x\n|6-6:y\n|"},
        {"a\nb\nc\n", "a\nc\n", "2-4:|"},
        {"int x = 10;\n", "int x = 100;\n", "10-10:0|"},
        {"a\r\nb", "a\nb", "1-3:\n|"},
        {"\xC3\xA9", "\xC3\xA8", "0-2:\xC3\xA8|"},
        {"", "a", "0-0:a|"},
        {"one\ntwo\nthree\nfour\n", "zero\none\nthree\n4\n", "0-0:zero\n|4-8:|14-18:4|"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        arena a;
        arena_init(&a);
        text_edit *edits;
        char got[256] = "";
        size_t n = change_diff(str_of(cases[i].before), str_of(cases[i].after), &a, &edits);
        for (size_t k = 0; k < n; k++)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%zu-%zu:%.*s|", edits[k].from,
                     edits[k].to, STR_ARG(edits[k].text));
        assert_string_equal(got, cases[i].want);
        arena_deinit(&a);
    }
}

/* Beyond the distance that is searched the rest is one difference, and still right. */
static void test_large_difference(void **state) {
    UNUSED(state);
    strbuf before, after, made;
    strbuf_init(&before, 1 << 20);
    strbuf_init(&after, 1 << 20);
    strbuf_init(&made, 1 << 20);
    for (int i = 0; i < 3000; i++) {
        strbuf_addf(&before, "old %d\n", i);
        strbuf_addf(&after, i % 7 ? "new %d\n" : "old %d\n", i);
    }
    arena a;
    arena_init(&a);
    text_edit *edits;
    size_t n = change_diff(strbuf_str(&before), strbuf_str(&after), &a, &edits);
    change_apply(strbuf_str(&before), edits, n, &made);
    assert_true(str_eq(strbuf_str(&made), strbuf_str(&after)));
    assert_int_equal(n, 1);
    arena_deinit(&a);
    strbuf_deinit(&before);
    strbuf_deinit(&after);
    strbuf_deinit(&made);
}

static void test_lines_that_changed(void **state) {
    UNUSED(state);
    arena a;
    arena_init(&a);
    line_span *spans;
    size_t n = change_lines(STR("a\nb\nc\nd\n"), STR("a\nB\nc\nd\ne\nf\n"), &a, &spans);
    assert_int_equal(n, 2);
    assert_int_equal(spans[0].first, 1);
    assert_int_equal(spans[0].count, 1);
    assert_int_equal(spans[1].first, 4);
    assert_int_equal(spans[1].count, 2);
    arena_deinit(&a);
}

/* ---- targets --------------------------------------------------------------------------------- */

static const char *const kinds[] = {"lines", "function", "type"};

/* The cursor is at "@@"; a second "@@" ends the range. */
static void test_targets(void **state) {
    UNUSED(state);
    static const struct {
        const char *path, *text, *want; /* kind name: text */
    } cases[] = {
        {"a.py", "import os\n\n@cache\ndef get(a):\n    b = a@@\n    return b\n\nx = 1\n",
         "function get: @cache\ndef get(a):\n    b = a\n    return b"},
        {"a.py", "class A:\n    def f(self):\n        pass\n\n    x@@ = 1\n",
         "type A: class A:\n    def f(self):\n        pass\n\n    x = 1"},
        {"a.py", "def f(a):\n    @@b = a\n    c = b@@\n    return c\n",
         "lines f: b = a\n    c = b"},
        {"a.py", "@@def f(a):\n    return a\n@@", "function f: def f(a):\n    return a"},
        {"a.py", "x = 1\n@@y = 2\n", "lines : y = 2"},
        {"a.c", "/* Adds. */\nstatic int *add(int a) {\n    return@@ a;\n}\n",
         "function add: static int *add(int a) {\n    return a;\n}"},
        {"a.c", "struct p {\n    int@@ x;\n};\n", "type p: struct p {\n    int x;\n}"},
        {"a.js", "export const sum = (a, b) => {\n  return@@ a + b;\n};\n",
         "function sum: export const sum = (a, b) => {\n  return a + b;\n};"},
        {"a.js", "class Q {\n  push(x) {@@ }\n}\n", "function push: push(x) { }"},
        {"a.go", "package p\n\nfunc (s *S) Get() int {\n\treturn@@ 1\n}\n",
         "function Get: func (s *S) Get() int {\n\treturn 1\n}"},
        {"a.rs", "impl Point {\n    fn area(&self) -> i32 { 1@@ }\n}\n",
         "function area: fn area(&self) -> i32 { 1 }"},
        {"a.txt", "one\ntw@@o\nthree\n", "lines : two"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (fixture_is_left_out(cases[i].path)) continue;
        fixture f;
        fixture_init(&f, cases[i].path, cases[i].text);
        size_t to = f.offset;
        ptrdiff_t end = str_find(document_text(f.d), STR("@@"));
        err e;
        if (end >= 0) {
            to = (size_t)end;
            assert_int_equal(document_edit(f.d, to, to + 2, STR(""), &e), OK);
        }
        change_target t;
        char got[512] = "";
        if (change_find_target(f.d, f.offset, to, BUDGET_US, &t))
            snprintf(got, sizeof got, "%s %.*s: %.*s", kinds[t.kind], STR_ARG(t.name),
                     STR_ARG(str_sub(document_text(f.d), t.from, t.to)));
        assert_string_equal(got, cases[i].want);
        fixture_deinit(&f);
    }
}

static void test_documentation(void **state) {
    UNUSED(state);
    static const struct {
        const char *path, *text, *want;
    } cases[] = {
        {"a.py", "def f():\n    \"\"\"Says so.\"\"\"\n    return@@ 1\n", "\"\"\"Says so.\"\"\""},
        {"a.py", "def f():\n    return@@ 1\n", ""},
        {"a.c", "/* far */\n\nint f(void) {@@ }\n", ""},
        {"a.c", "// one\n// two\nint f(void) {@@ }\n", "// one\n// two"},
        {"a.js", "/** Sums. */\nexport function f() {@@ }\n", "/** Sums. */"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (fixture_is_left_out(cases[i].path)) continue;
        fixture f;
        change_target t;
        fixture_init(&f, cases[i].path, cases[i].text);
        assert_true(change_find_target(f.d, f.offset, f.offset, BUDGET_US, &t));
        str doc = str_sub(document_text(f.d), t.doc_from, t.doc_to);
        assert_true(str_eq(doc, str_of(cases[i].want)));
        fixture_deinit(&f);
    }
}

static void test_definitions(void **state) {
    UNUSED(state);
    if (fixture_is_left_out("a.py")) return;
    fixture f;
    fixture_init(&f, "a.py",
                 "class A:\n    def f(self):\n        def g(): pass\n    def h(self): pass\n"
                 "class B:\n    x = 1\ndef k(): pass\ny = 2\n@@");
    change_target t[8];
    char got[64] = "";
    size_t n = change_definitions(f.d, BUDGET_US, t, COUNTOF(t));
    for (size_t i = 0; i < n; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s ", STR_ARG(t[i].name));
    assert_string_equal(got, "f h B k ");
    assert_int_equal(change_definitions(f.d, BUDGET_US, t, 2), 2);
    fixture_deinit(&f);
}

static void test_judgement(void **state) {
    UNUSED(state);
    if (fixture_is_left_out("a.py")) return;
    fixture f;
    fixture_init(&f, "a.py", "def f(a):\n    return@@ a\n\nx = 1\n");
    change_target t;
    change_verdict v;
    assert_true(change_find_target(f.d, f.offset, f.offset, BUDGET_US, &t));
    change_judge(f.d, &t, STR("def f(a):\n    return a + 1"), &v);
    assert_true(v.known && v.defines && v.after == v.before);
    change_judge(f.d, &t, STR("def g(a):\n    return a + 1"), &v);
    assert_true(v.known && !v.defines);
    change_judge(f.d, &t, STR("Sure! Here is the function f."), &v);
    assert_true(v.known && !v.defines && v.after > v.before);
    change_judge(f.d, &t, STR("import re\n\n\ndef f(a):\n    return (a"), &v);
    assert_true(v.after > v.before);
    fixture_deinit(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edits_make_the_new_text),
        cmocka_unit_test(test_edits_are_small),
        cmocka_unit_test(test_large_difference),
        cmocka_unit_test(test_lines_that_changed),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_documentation),
        cmocka_unit_test(test_definitions),
        cmocka_unit_test(test_judgement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
