/* SPDX-License-Identifier: Apache-2.0 */
/* lsp/suggestion: typing along, deleting back, accepting; and what must not be found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lsp/suggestion.h"

typedef struct {
    suggestion_cache *cache;
    arena arena;
} fixture;

static int setup(void **state) {
    static fixture f; /* one at a time */
    f.cache = suggestion_cache_new(10);
    arena_init(&f.arena);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    suggestion_cache_free(f->cache);
    arena_deinit(&f->arena);
    return 0;
}

/* Shows `text` at the bar of `with_bar`, swallowing `swallow` bytes after it. */
static void put(fixture *f, const char *with_bar, const char *text, size_t swallow) {
    char document[20000];
    size_t at = (size_t)(strchr(with_bar, '|') - with_bar);
    snprintf(document, sizeof document, "%.*s%s", (int)at, with_bar, with_bar + at + 1);
    suggestion_cache_put(f->cache, STR("u"), str_of(document),
                         &(suggestion){at, at, at + swallow, str_of(text)});
}

/* What is found at the bar, or NULL; *swallow (may be NULL) is how much it replaces. */
static const char *find(fixture *f, const char *with_bar, size_t *swallow) {
    char document[20000];
    size_t at = (size_t)(strchr(with_bar, '|') - with_bar);
    snprintf(document, sizeof document, "%.*s%s", (int)at, with_bar, with_bar + at + 1);
    suggestion found;
    if (!suggestion_cache_find(f->cache, STR("u"), str_of(document), at, &f->arena, &found, 1))
        return NULL;
    assert_int_equal(found.from, at);
    if (swallow) *swallow = found.to - at;
    return arena_str(&f->arena, found.text).ptr;
}

static void test_nothing_is_remembered(void **state) {
    fixture *f = *state;
    str text = STR("x = \ny\n");
    assert_null(suggestion_cache_find_nothing(f->cache, STR("u"), text, 4));
    suggestion_cache_put_nothing(f->cache, STR("u"), text, 4, "confidence");
    assert_string_equal(suggestion_cache_find_nothing(f->cache, STR("u"), text, 4), "confidence");
    assert_null(suggestion_cache_find_nothing(f->cache, STR("u"), text, 3));
    assert_null(suggestion_cache_find_nothing(f->cache, STR("v"), text, 4));
    assert_null(suggestion_cache_find_nothing(f->cache, STR("u"), STR("x = \nz\n"), 4));
    assert_null(suggestion_cache_find_nothing(f->cache, STR("u"), STR("\nx = \ny\n"), 5));
    char other[64];
    for (int i = 0; i < 300; i++) { /* the oldest is forgotten; suggestions are not touched */
        snprintf(other, sizeof other, "%d = \n", i);
        suggestion_cache_put_nothing(f->cache, STR("u"), str_of(other), 4, "empty");
    }
    assert_null(suggestion_cache_find_nothing(f->cache, STR("u"), text, 4));
    assert_int_equal(suggestion_cache_count(f->cache), 0);
    suggestion_cache_clear(f->cache);
    assert_null(suggestion_cache_find_nothing(f->cache, STR("u"), str_of(other), 4));
}

static void test_type_through(void **state) {
    fixture *f = *state;
    put(f, "x = |\ny\n", "foo(1)", 0);
    assert_string_equal(find(f, "x = |\ny\n", NULL), "foo(1)");
    assert_string_equal(find(f, "x = fo|\ny\n", NULL), "o(1)");
    assert_string_equal(find(f, "x = foo(1|\ny\n", NULL), ")");
    assert_null(find(f, "x = foo(1)|\ny\n", NULL)); /* nothing is left */
    assert_null(find(f, "x = fa|\ny\n", NULL));
    assert_null(find(f, "z = |\ny\n", NULL));
    assert_null(find(f, "x = |\nz\n", NULL));
    assert_null(find(f, "x = |\ny\nmore", NULL)); /* it ended there, and does no more */
    assert_null(find(f, "!x = |\ny\n", NULL));
    assert_string_equal(find(f, "x = |\ny\n", NULL), "foo(1)"); /* deleted back */
}

static void test_swallows(void **state) {
    fixture *f = *state;
    put(f, "f(|)\n", "a, b)", 1);
    size_t swallow = 0;
    assert_string_equal(find(f, "f(a,|)\n", &swallow), " b)");
    assert_int_equal(swallow, 1);
}

static void test_closed_by_the_editor(void **state) {
    fixture *f = *state;
    size_t swallow = 9;
    put(f, "x = |\ny\n", "foo(bar[0], \"a\")", 0);
    assert_string_equal(find(f, "x = foo(|)\ny\n", &swallow), "bar[0], \"a\"");
    assert_int_equal(swallow, 0);
    assert_string_equal(find(f, "x = foo(bar[|])\ny\n", &swallow), "0], \"a\")");
    assert_int_equal(swallow, 2);
    assert_string_equal(find(f, "x = foo(bar[0], \"|\")\ny\n", &swallow), "a");
    assert_int_equal(swallow, 0);
    assert_null(find(f, "x = |)\ny\n", NULL));      /* nothing was typed that opens it */
    assert_null(find(f, "x = foo(|}\ny\n", NULL));  /* not what closes it */
    assert_null(find(f, "x = foo(|a)\ny\n", NULL)); /* somebody's text */
    put(f, "if |\n", "(a) { b(); }", 0);
    assert_string_equal(find(f, "if (|)\n", &swallow), "a) { b(); }");
    assert_int_equal(swallow, 1);
}

static void test_lines(void **state) {
    fixture *f = *state;
    put(f, "if x:|\r\ny\r\n", "\n    a\n    b", 0);
    assert_string_equal(find(f, "if x:|\r\ny\r\n", NULL), "\n    a\n    b");
    assert_string_equal(find(f, "if x:\r\n    a|\r\ny\r\n", NULL), "\n    b");
    assert_null(find(f, "if x:\n    a|\r\ny\r\n", NULL));
}

static void test_elsewhere(void **state) {
    fixture *f = *state;
    char far[12000], text[13000];
    memset(far, 'a', sizeof far);
    far[sizeof far - 1] = '\0';
    snprintf(text, sizeof text, "%s\nx|\n", far);
    put(f, text, "yz", 0);
    snprintf(text, sizeof text, "INSERTED%s\nx|\n", far); /* far above: still the same place */
    assert_string_equal(find(f, text, NULL), "yz");
}

static void test_several(void **state) {
    fixture *f = *state;
    put(f, "x = |", "foo(1)", 0);
    put(f, "x = |", "four", 0);
    put(f, "x = |", "bar", 0);
    suggestion found[3];
    assert_int_equal(
        suggestion_cache_find(f->cache, STR("u"), STR("x = fo"), 6, &f->arena, found, 3), 2);
    assert_true(str_eq(found[0].text, STR("ur"))); /* newest first */
    assert_true(str_eq(found[1].text, STR("o(1)")));
    assert_int_equal(suggestion_cache_find(f->cache, STR("u"), STR("x = "), 4, &f->arena, found, 2),
                     2);
}

static void test_rewriting_left(void **state) {
    fixture *f = *state;
    suggestion_cache_put(f->cache, STR("u"), STR("ab"), &(suggestion){2, 0, 2, STR("abc")});
    assert_string_equal(find(f, "ab|", NULL), "c"); /* repeats what is there: an insertion */
    suggestion_cache_put(f->cache, STR("u"), STR("qq"), &(suggestion){2, 0, 2, STR("xyz")});
    assert_null(find(f, "qq|", NULL));
    suggestion_cache_put(f->cache, STR("u"), STR("rr"), &(suggestion){2, 2, 2, STR("a\rb")});
    assert_null(find(f, "rr|", NULL));
}

static void test_bounded(void **state) {
    fixture *f = *state;
    for (int i = 0; i < 25; i++) {
        char text[32];
        snprintf(text, sizeof text, "line %c |", 'a' + i);
        put(f, text, "end", 0);
        put(f, text, "newer", 0); /* the same place: replaces */
    }
    assert_int_equal(suggestion_cache_count(f->cache), 10);
    assert_null(find(f, "line a |", NULL));
    assert_string_equal(find(f, "line y |", NULL), "newer");
    suggestion_cache_resize(f->cache, 3);
    assert_int_equal(suggestion_cache_count(f->cache), 3);
    suggestion_cache_resize(f->cache, 0);
    put(f, "x|", "y", 0);
    assert_int_equal(suggestion_cache_count(f->cache), 0);
    suggestion found;
    assert_int_equal(suggestion_cache_find(f->cache, STR("u"), STR("x"), 1, &f->arena, &found, 1),
                     0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_type_through, setup, teardown),
        cmocka_unit_test_setup_teardown(test_swallows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed_by_the_editor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_several, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rewriting_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
