/* SPDX-License-Identifier: Apache-2.0 */
/* lsp/uri: paths out of URIs as different editors write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lsp/uri.h"

static void test_paths(void **state) {
    UNUSED(state);
    static const struct {
        const char *uri, *path;
    } cases[] = {
        {"file:///a/b.c", "/a/b.c"},
        {"file:///a%20b/%C3%A9.c", "/a b/\xC3\xA9.c"},
        {"file:///c%3A/x.c", "/c:/x.c"},
        {"file://host/a", "/a"},
        {"untitled:Untitled-1", "Untitled-1"},
        {"/plain/path.c", "/plain/path.c"},
        {"C:/x.c", "C:/x.c"},
        {"file:///a%2", "/a%2"},
        {"file:///a%zz%00b%41", "/a%zz%00bA"},
        {"file:///c%23/a#b.c", "/c#/a#b.c"},
        {"vscode-notebook-cell:/w/a%20b.ipynb#W2sZmlsZQ%3D%3D", "/w/a b.ipynb"},
        {"file://", ""},
        {"", ""},
    };
    arena a;
    arena_init(&a);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        str path = uri_path(str_of(cases[i].uri), &a);
        assert_int_equal(path.len, strlen(cases[i].path));
        assert_memory_equal(path.ptr, cases[i].path, path.len);
    }
    arena_deinit(&a);
}

static void test_relative(void **state) {
    UNUSED(state);
    const str roots[] = {STR("/w"), STR("/w/sub/"), STR("")};
    assert_true(str_eq(uri_relative(STR("/w/a/b.c"), roots, 3), STR("a/b.c")));
    assert_true(str_eq(uri_relative(STR("/w/sub/b.c"), roots, 3), STR("b.c")));
    assert_true(str_eq(uri_relative(STR("/wx/b.c"), roots, 3), STR("b.c")));
    assert_true(str_eq(uri_relative(STR("Untitled-1"), roots, 3), STR("Untitled-1")));
    assert_true(str_eq(uri_relative(STR("/w"), roots, 3), STR("w")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_relative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
