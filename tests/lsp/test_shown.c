/* SPDX-License-Identifier: Apache-2.0 */
/* lsp/shown: typing, acceptance, and its ends, told from the text alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "lsp/shown.h"

static char item_bytes[SHOWN_MAX][64];

/* Shows texts at the bar of `with_bar`. */
static bool show(shown *v, const char *with_bar, const char *first, const char *second,
                 size_t swallows) {
    char document[256];
    size_t at = (size_t)(strchr(with_bar, '|') - with_bar);
    snprintf(document, sizeof document, "%.*s%s", (int)at, with_bar, with_bar + at + 1);
    const char *texts[] = {first, second};
    shown_item items[2] = {{.id = "1"}, {.id = "2"}};
    size_t n = second ? 2 : 1;
    for (size_t i = 0; i < n; i++) {
        snprintf(item_bytes[i], sizeof item_bytes[i], "%s", texts[i]);
        items[i].text = str_of(item_bytes[i]);
        items[i].swallows = swallows;
    }
    return shown_show(v, str_of(document), at, items, n);
}

static void test_typed_accepted(void **state) {
    UNUSED(state);
    shown v = {0};
    assert_int_equal(shown_look(&v, STR("x")), SHOWN_SAME);
    assert_true(show(&v, "x = |\ny", "foo(bar, 1)", NULL, 0));
    assert_int_equal(shown_look(&v, STR("x = \ny")), SHOWN_SAME);
    assert_int_equal(shown_look(&v, STR("x = f\ny")), SHOWN_TYPED);
    assert_false(show(&v, "x = f|\ny", "oo(bar, 1)", NULL, 0)); /* the same one */
    assert_int_equal(shown_look(&v, STR("x = foo\ny")), SHOWN_PARTLY);
    assert_int_equal(shown_look(&v, STR("x = fo\ny")), SHOWN_DELETED);
    assert_int_equal(shown_look(&v, STR("x = foo(b\ny")), SHOWN_TYPED); /* fast keys */
    assert_non_null(shown_find(&v, STR("1")));
    assert_int_equal(shown_look(&v, STR("x = foo(bar, 1)\ny")), SHOWN_ACCEPTED);
    assert_int_equal(shown_look(&v, STR("x = foo(bar, 1);\ny")), SHOWN_SAME); /* it has ended */
    assert_non_null(shown_find(&v, STR("1")));
    assert_null(shown_find(&v, STR("2")));
    assert_true(show(&v, "x = |\ny", "ab", NULL, 0));
    assert_int_equal(shown_look(&v, STR("x = a\ny")), SHOWN_TYPED);
    assert_int_equal(shown_look(&v, STR("x = ab\ny")), SHOWN_TYPED_OUT);
    shown_clear(&v);
}

static void test_closed_by_the_editor(void **state) {
    UNUSED(state);
    shown v = {0};
    show(&v, "x = |\ny", "f(a[0])", NULL, 0);
    assert_int_equal(shown_look(&v, STR("x = f\ny")), SHOWN_TYPED);
    assert_int_equal(shown_look(&v, STR("x = f()\ny")), SHOWN_TYPED);
    assert_false(show(&v, "x = f(|)\ny", "a[0]", NULL, 0)); /* the same one, less the bracket */
    assert_int_equal(shown_look(&v, STR("x = f(a)\ny")), SHOWN_TYPED);
    assert_int_equal(shown_look(&v, STR("x = f(a[])\ny")), SHOWN_TYPED);
    assert_int_equal(shown_look(&v, STR("x = f(a[0])\ny")), SHOWN_TYPED_OUT);
    show(&v, "x = |\ny", "f(a[0], b)", NULL, 0);
    assert_int_equal(shown_look(&v, STR("x = f(a[])\ny")), SHOWN_PARTLY);
    assert_int_equal(shown_look(&v, STR("x = f(a[0x])\ny")), SHOWN_LEFT);
    show(&v, "x = |\ny", "f(a)", NULL, 0);
    assert_int_equal(shown_look(&v, STR("x = f)\ny")), SHOWN_TYPED); /* odd, but it stands there */
    assert_int_equal(shown_look(&v, STR("x = )\ny")), SHOWN_LEFT);
    shown_clear(&v);
}

static void test_left(void **state) {
    static const char *const elsewhere[] = {
        "x = g\ny", "x =\ny", "", "x = \nz", "x = \n", "z = \ny", "x = foo2\ny", "x = fooo\ny"};
    UNUSED(state);
    shown v = {0};
    for (size_t i = 0; i < COUNTOF(elsewhere); i++) {
        show(&v, "x = |\ny", "foo", NULL, 0);
        assert_int_equal(shown_look(&v, str_of(elsewhere[i])), SHOWN_LEFT);
        assert_int_equal(shown_look(&v, str_of(elsewhere[i])), SHOWN_SAME);
    }
    shown_clear(&v);
}

static void test_candidates(void **state) {
    UNUSED(state);
    shown v = {0};
    show(&v, "a |", "one", "other", 0);
    assert_int_equal(shown_look(&v, STR("a o")), SHOWN_TYPED);
    assert_int_equal(v.at, 0);
    assert_int_equal(shown_look(&v, STR("a ot")), SHOWN_TYPED);
    assert_int_equal(v.at, 1);
    assert_int_equal(shown_look(&v, STR("a other")), SHOWN_ACCEPTED);
    assert_string_equal(v.items[v.at].id, "2");
    shown_clear(&v);
}

static void test_swallows(void **state) {
    UNUSED(state);
    shown v = {0};
    show(&v, "f(|)\nend", "a, b)", NULL, 1);
    assert_int_equal(shown_look(&v, STR("f(a)\nend")), SHOWN_TYPED);
    assert_int_equal(shown_look(&v, STR("f(a, b)\nend")), SHOWN_ACCEPTED);
    shown_clear(&v);
}

static void test_edits_elsewhere(void **state) {
    UNUSED(state);
    char far[512], text[1200];
    memset(far, 'a', sizeof far);
    far[sizeof far - 1] = '\0';
    shown v = {0};
    char *document = text;
    snprintf(text, sizeof text, "%sx = \n%s", far, far);
    shown_item item = {.id = "1", .text = STR("f(1);")};
    assert_true(shown_show(&v, str_of(document), 511 + 4, &item, 1));
    shown_edit(&v, 3, 5, 10); /* an import above, as many editors add one with the acceptance */
    shown_edit(&v, 900, 910, 0);
    snprintf(text, sizeof text, "12345678%sx = f(1);\n%.501s", far, far);
    assert_int_equal(shown_look(&v, str_of(document)), SHOWN_ACCEPTED);
    shown_edit(&v, 0, 5, 0); /* nothing is shown */
    shown_clear(&v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typed_accepted), cmocka_unit_test(test_closed_by_the_editor),
        cmocka_unit_test(test_left),           cmocka_unit_test(test_candidates),
        cmocka_unit_test(test_swallows),       cmocka_unit_test(test_edits_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
