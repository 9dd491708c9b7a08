/* SPDX-License-Identifier: Apache-2.0 */
/* Documents: line index, edits, encodings, limits; random edits against a naive model; incremental
 * trees against fresh ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "context/context_private.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"

typedef struct {
    uint64_t state;
} random_source;

static size_t roll(random_source *d, size_t below) {
    d->state = d->state * 6364136223846793005u + 1442695040888963407u;
    return below ? (size_t)(d->state >> 33) % below : 0;
}

static document *open_text(context *c, const char *path, str text) {
    document *d = NULL;
    err e;
    status s = context_open(c, str_of(path), str_of(path), STR(""), text, 1, &d, &e);
    if (s != OK) fail_msg("open: %s", e.text);
    return d;
}

/* The line index, computed the slow way. */
static void check_lines(const document *d) {
    str text = document_text(d);
    size_t line = 0, start = 0;
    for (size_t i = 0; i <= text.len; i++) {
        bool crlf = i + 1 < text.len && text.ptr[i] == '\r' && text.ptr[i + 1] == '\n';
        bool end = i == text.len || (!crlf && (text.ptr[i] == '\n' || text.ptr[i] == '\r'));
        if (!end) continue;
        assert_int_equal(document_line_start(d, line), start);
        assert_int_equal(document_line_of(d, start), line);
        assert_int_equal(document_line_of(d, i), line);
        size_t stop = i;
        if (i < text.len && stop > start && text.ptr[i] == '\n' && text.ptr[stop - 1] == '\r')
            stop--;
        str got = document_line(d, line);
        assert_int_equal(got.len, stop - start);
        if (got.len) assert_memory_equal(got.ptr, text.ptr + start, got.len);
        line++;
        start = i + 1;
    }
    assert_int_equal(document_line_count(d), line);
    assert_int_equal(document_line(d, line).len, 0);
    assert_int_equal(document_line_start(d, line), text.len);
}

static void line_ends(void **state) {
    static const struct {
        const char *text;
        size_t lines;
        const char *eol;
    } cases[] = {
        {"", 1, "\n"},
        {"a", 1, "\n"},
        {"\n", 2, "\n"},
        {"\r", 2, "\n"},
        {"\r\n", 2, "\r\n"},
        {"\n\r", 3, "\n"},
        {"a\r\nb\r\nc", 3, "\r\n"},
        {"a\r\nb\nc\n", 4, "\n"},
        {"\r\r\r", 4, "\n"},
        {"a\r\r\nb", 3, "\n"},
        {"\xc3\xa9\n\xe2\x82\xac", 2, "\n"},
    };
    UNUSED(state);
    context *c = context_new();
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        document *d = open_text(c, "a.txt", str_of(cases[i].text));
        check_lines(d);
        assert_int_equal(document_line_count(d), cases[i].lines);
        if (strcmp(document_eol(d), cases[i].eol) != 0) fail_msg("eol of case %zu", i);
    }
    assert_int_equal(context_document_count(c), 1);
    context_free(c);
}

static void random_edits_equal_a_naive_model(void **state) {
    static const char *const bits[] = {"\n",
                                       "\r",
                                       "\r\n",
                                       "a",
                                       "",
                                       "\xc3\xa9",
                                       "x\ny",
                                       "\r\r",
                                       "\n\n",
                                       "\xe2\x82\xac\r",
                                       "long piece of text",
                                       "\n\r"};
    UNUSED(state);
    context *c = context_new();
    random_source dice = {1};
    for (int run = 0; run < 40; run++) {
        document *d = open_text(c, "a.py", STR("a\r\nb\rc\n"));
        strbuf model;
        strbuf_init(&model, 1 << 20);
        strbuf_add_str(&model, document_text(d));
        for (int i = 0; i < 200; i++) {
            size_t from = roll(&dice, model.len + 1);
            size_t to = from + roll(&dice, MIN(model.len - from, 6) + 1);
            while (from < model.len && (model.ptr[from] & 0xC0) == 0x80)
                from--;
            while (to < model.len && (model.ptr[to] & 0xC0) == 0x80)
                to++;
            str with = str_of(bits[roll(&dice, COUNTOF(bits))]);
            err e;
            if (document_edit(d, from, to, with, &e) != OK) fail_msg("%s", e.text);
            strbuf_splice(&model, from, to, with);
            assert_int_equal(document_text(d).len, model.len);
            if (model.len) assert_memory_equal(document_text(d).ptr, model.ptr, model.len);
            check_lines(d);
        }
        size_t lone = 0;
        for (size_t i = 0; i < model.len; i++)
            lone += model.ptr[i] == '\r' && (i + 1 == model.len || model.ptr[i + 1] != '\n');
        assert_int_equal(d->lone_cr, lone);
        strbuf_deinit(&model);
    }
    context_free(c);
}

static void invalid_utf8_is_replaced(void **state) {
    UNUSED(state);
    context *c = context_new();
    document *d = open_text(c, "a.c", (str){"a\xff\xc3", 3});
    assert_true(utf8_is_valid(document_text(d)));
    assert_true(str_eq(document_text(d), STR("a\xef\xbf\xbd\xef\xbf\xbd")));
    err e;
    assert_int_equal(document_edit(d, 1, 1, (str){"\x80", 1}, &e), OK);
    assert_true(utf8_is_valid(document_text(d)));
    assert_int_equal(document_text(d).len, 10);
    context_free(c);
}

static void bad_edits_are_refused(void **state) {
    UNUSED(state);
    context *c = context_new();
    document *d = open_text(c, "a.c", STR("\xe2\x82\xac x"));
    static const struct {
        size_t from, to;
    } cases[] = {{2, 1}, {0, 6}, {6, 6}, {1, 3}, {0, 2}, {SIZE_MAX, SIZE_MAX}};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        err e = {0};
        assert_int_equal(document_edit(d, cases[i].from, cases[i].to, STR("y"), &e), ERR_USAGE);
        assert_true(strlen(e.text) > 10);
        assert_true(str_eq(document_text(d), STR("\xe2\x82\xac x")));
    }
    context_free(c);
}

static void limits_hold(void **state) {
    UNUSED(state);
    context *c = context_new();
    size_t n = LIMIT_DOCUMENT_BYTES;
    char *big = xcalloc(n + 1, 1);
    memset(big, 'a', n + 1);
    document *d = NULL;
    err e;
    assert_int_equal(context_open(c, STR("u"), STR("a.c"), STR(""), (str){big, n + 1}, 1, &d, &e),
                     ERR_LIMIT);
    assert_int_equal(context_document_count(c), 0);
    d = open_text(c, "u", (str){big, n});
    assert_int_equal(document_edit(d, 0, 0, STR("a"), &e), ERR_LIMIT);
    assert_int_equal(document_edit(d, 0, 1, STR("b"), &e), OK);
    assert_int_equal(document_text(d).len, n);
    xfree(big);
    for (int i = 1; i < LIMIT_DOCUMENTS; i++) {
        char uri[32];
        snprintf(uri, sizeof uri, "u%d", i);
        open_text(c, uri, STR("x"));
    }
    assert_int_equal(context_open(c, STR("one more"), STR(""), STR(""), STR(""), 1, &d, &e),
                     ERR_LIMIT);
    assert_int_equal(context_open(c, STR("u7"), STR(""), STR(""), STR("new"), 2, &d, &e), OK);
    assert_true(str_eq(document_text(context_find(c, STR("u7"))), STR("new")));
    context_close(c, d);
    assert_null(context_find(c, STR("u7")));
    assert_int_equal(context_document_count(c), LIMIT_DOCUMENTS - 1);
    context_free(c);
}

static void attributes(void **state) {
    UNUSED(state);
    context *c = context_new();
    document *d = NULL;
    err e;
    assert_int_equal(context_open(c, STR("file:///x/a%20b.py"), STR("x/a b.py"), STR("python"),
                                  STR("x"), 7, &d, &e),
                     OK);
    assert_true(str_eq(document_uri(d), STR("file:///x/a%20b.py")));
    assert_true(str_eq(document_path(d), STR("x/a b.py")));
    assert_int_equal(document_version(d), 7);
    document_set_version(d, 9);
    assert_int_equal(document_version(d), 9);
    assert_string_equal(document_language(d), "python");
    assert_ptr_equal(context_find(c, STR("file:///x/a%20b.py")), d);
    assert_null(context_find(c, STR("file:///x")));
    context_close(c, NULL);
    context_free(c);
    context_free(NULL);
}

static char *tree_text(document *d) {
    for (int i = 0; i < 1000; i++) {
        if (context_parse(d, LIMIT_PARSE_SLICE_US)) break;
    }
    const TSTree *tree = syntax_tree(d->tree);
    assert_non_null(tree);
    return ts_node_string(ts_tree_root_node(tree));
}

/* Inserts and deletes whole lines and words of valid code; at the end of each round everything is
 * taken back in another order, so the text is valid again and the trees must be equal. */
static void incremental_trees_equal_fresh_ones(void **state) {
    static const struct {
        const char *path, *text, *line;
    } cases[] = {
        {"a.py", "import os\n\ndef f(a):\n    return a\n\nclass B:\n    x = 1\n",
         "    y = 'z'\r\n"},
        {"a.c", "#include <a.h>\nint f(int a) {\n    return a;\n}\nint b;\n", "    a = 1;\n"},
        {"a.ts", "import a from 'b'\nfunction f(a: number) {\n  return `x${a}`\n}\n", "  a++\n"},
        {"a.go", "package a\n\nfunc f(a int) int {\n\treturn a\n}\n", "\ta = 1\n"},
        {"a.yaml", "a:\n  b: 1\n  c:\n    - d\n    - e\n", "  x: 2\n"},
    };
    UNUSED(state);
    context *c = context_new();
    random_source dice = {7};
    for (size_t k = 0; k < COUNTOF(cases); k++) {
        document *d = open_text(c, cases[k].path, str_of(cases[k].text));
        if (!d->tree) continue;
        err e;
        for (int i = 0; i < 60; i++) {
            size_t at = document_line_start(d, roll(&dice, document_line_count(d)));
            str line = str_of(cases[k].line);
            size_t some = roll(&dice, line.len);
            assert_int_equal(document_edit(d, at, at, str_sub(line, 0, some), &e), OK);
            if (roll(&dice, 2)) xfree(tree_text(d));
            assert_int_equal(
                document_edit(d, at + some, at + some, str_sub(line, some, line.len), &e), OK);
            if (roll(&dice, 2)) xfree(tree_text(d));
            assert_int_equal(document_edit(d, at, at + line.len, STR(""), &e), OK);
        }
        assert_true(str_eq(document_text(d), str_of(cases[k].text)));
        char *got = tree_text(d);
        document *fresh = open_text(c, "fresh", STR(""));
        context_close(c, fresh);
        err e2;
        assert_int_equal(context_open(c, STR("fresh"), str_of(cases[k].path), STR(""),
                                      str_of(cases[k].text), 1, &fresh, &e2),
                         OK);
        char *want = tree_text(fresh);
        assert_string_equal(got, want);
        xfree(got);
        xfree(want);
    }
    context_free(c);
}

/* The brake stops the first slices of a large file; edits made meanwhile must not be lost. */
static void braked_parse_ends_with_the_right_tree(void **state) {
    UNUSED(state);
    context *c = context_new();
    strbuf text;
    strbuf_init(&text, LIMIT_PARSE_BYTES);
    while (text.len + 100 < LIMIT_PARSE_BYTES / 2)
        strbuf_addf(&text, "def f%zu(a, b):\n    return [a, b, 'x']\n\n", text.len);
    document *d = open_text(c, "big.py", strbuf_str(&text));
    size_t slices = 0, edits = 0;
    err e;
    while (!syntax_update(d->tree, document_text(d), 500)) {
        slices++;
        assert_null(syntax_tree(d->tree));
        if (edits < 50 && slices % 3 == 0) {
            assert_int_equal(document_edit(d, 0, 0, STR("y = 1\n"), &e), OK);
            edits++;
        }
        assert_true(slices < 100000);
    }
    assert_true(edits > 0);
    char *got = ts_node_string(ts_tree_root_node(syntax_tree(d->tree)));
    document *fresh = open_text(c, "fresh.py", document_text(d));
    char *want = tree_text(fresh);
    assert_string_equal(got, want);
    xfree(got);
    xfree(want);
    strbuf_deinit(&text);
    context_free(c);
}

static void forks_are_their_own(void **state) {
    UNUSED(state);
    context *c = context_new();
    document *d = open_text(c, "f.py", STR("def f(a):\r\n    return (a\r\n\rx = 1\n"));
    xfree(tree_text(d));
    document *fork = document_fork(d);
    check_lines(fork);
    assert_true(str_eq(document_text(fork), document_text(d)));
    assert_true(str_eq(document_uri(fork), document_uri(d)));
    err e;
    assert_int_equal(document_edit(fork, 24, 24, STR("bc)\n\n"), &e), OK);
    assert_int_equal(document_edit(d, 0, 3, STR("class"), &e), OK);
    check_lines(fork);
    check_lines(d);
    document *both[] = {fork, d};
    for (size_t i = 0; i < COUNTOF(both); i++) {
        document *fresh = open_text(c, "fresh.py", document_text(both[i]));
        char *got = tree_text(both[i]), *want = tree_text(fresh);
        assert_string_equal(got, want);
        xfree(got);
        xfree(want);
    }
    context_free(c); /* a fork outlives what it came from */
    check_lines(fork);
    document_free(fork);
}

static void large_documents_have_no_tree(void **state) {
    UNUSED(state);
    context *c = context_new();
    char *big = xcalloc(5u << 20, 1);
    memset(big, 'x', 5u << 20);
    document *d = open_text(c, "a.js", (str){big, 5u << 20});
    assert_false(document_has_syntax(d));
    assert_int_equal(document_line_count(d), 1);
    err e;
    assert_int_equal(document_edit(d, 100, 5u << 20, STR(""), &e), OK);
    assert_true(d->tree == NULL || document_has_syntax(d));
    if (d->tree) assert_true(context_parse(d, LIMIT_PARSE_SLICE_US));
    assert_int_equal(document_replace(d, (str){big, 5u << 20}, &e), OK);
    assert_false(document_has_syntax(d));
    xfree(big);
    context_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_ends),
        cmocka_unit_test(random_edits_equal_a_naive_model),
        cmocka_unit_test(invalid_utf8_is_replaced),
        cmocka_unit_test(bad_edits_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(attributes),
        cmocka_unit_test(incremental_trees_equal_fresh_ones),
        cmocka_unit_test(braked_parse_ends_with_the_right_tree),
        cmocka_unit_test(forks_are_their_own),
        cmocka_unit_test(large_documents_have_no_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
