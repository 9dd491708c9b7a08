/* SPDX-License-Identifier: Apache-2.0 */
/* A cursor becomes a prompt: reasons not to ask, scopes, one line or several, windows. */
#include "context/window.h"
#include "tests/context/fixture.h"

static void reasons_to_skip(void **state) {
    static const struct {
        const char *path, *text;
        bool invoked;
        const char *reason;
    } cases[] = {
        {"a.py", "x = @@\n", false, ""},
        {"a.py", "x = f@@oo\n", false, "mid-word"},
        {"a.py", "x = f@@oo\n", true, ""},
        {"a.py", "x = @@ foo bar\n", false, "mid-line"},
        {"a.py", "x = @@ foo bar\n", true, ""},
        {"a.py", "f(@@)\n", false, ""},
        {"a.py", "f('@@'):\n", false, ""},
        {"a.c", "f(@@) {\n", false, ""},
        {"a.c", "f(a[@@]);\n", false, ""},
        {"a.c", "f(@@); g();\n", false, "mid-line"},
        {"a.c", "@@", false, "empty-document"},
        {"a.c", " \n@@\n", false, "empty-document"},
        {"a.c", "@@", true, ""},
        {"a.c", "int x;@@\n", false, "line-complete"},
        {"a.c", "int x; @@\n", false, "line-complete"},
        {"a.c", "int x;@@\n", true, ""},
        {"a.c", "for (int i = 0;@@\n", false, ""},
        {"a.c", "// all done;@@\n", false, ""},
        {"a.py", "x = 1;@@\n", false, ""},
        {"a.py", "x = @@\xc3\xa9\n", false, "mid-word"},
        {"a.py", "x = @@\r\n", false, ""},
        {"a.txt", "Some words@@", false, ""},
    };
    UNUSED(state);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        fixture f;
        fixture_init(&f, cases[i].path, cases[i].text);
        context_prompt p = fixture_assemble(&f, (context_request){.invoked = cases[i].invoked});
        if (strcmp(p.reason, cases[i].reason) != 0) fail_msg("case %zu: \"%s\"", i, p.reason);
        assert_int_equal(p.skip, cases[i].reason[0] != 0);
        assert_int_equal(p.version, 1);
        fixture_deinit(&f);
    }
}

static void scopes(void **state) {
    static const struct {
        const char *path, *text, *scope;
    } cases[] = {
        {"a.py", "x = @@1\n", "code"},
        {"a.py", "# a@@\n", "comment"},
        {"a.py", "#@@ a\n", "comment"},
        {"a.py", "@@# a\n", "code"},
        {"a.py", "x = 1 # a@@", "comment"},
        {"a.py", "x = 'a@@b'\n", "string"},
        {"a.py", "x = 'ab'@@\n", "code"},
        {"a.py", "x = 'ab@@\n", "string"},
        {"a.py", "x = f'a{b@@}c'\n", "code"},
        {"a.py", "x = f'a{b}c@@'\n", "string"},
        {"a.py", "def f():\n    \"\"\"Doc\n    m@@\n    \"\"\"\n", "string"},
        {"a.py", "import o@@\n", "import"},
        {"a.py", "from a import b@@\nx = 1\n", "import"},
        {"a.c", "#include <std@@>\n", "string"},
        {"a.c", "int x; /* a@@ */\n", "comment"},
        {"a.c", "int x; /* a */@@\n", "code"},
        {"a.c", "int x; // a@@\n", "comment"},
        {"a.c", "char *s = \"a@@\n", "string"},
        {"a.c", "char c = 'a@@';\n", "string"},
        {"a.ts", "const s = `a${b@@}`\n", "code"},
        {"a.ts", "const s = `a${b}@@`\n", "string"},
        {"a.ts", "import { a@@ } from 'b'\n", "import"},
        {"a.go", "package a\nimport \"f@@mt\"\n", "string"},
        {"a.go", "package a\n// x@@\n", "comment"},
        {"a.go", "package a\nvar s = `x@@\ny`\n", "string"},
        {"a.rs", "fn f() { /* a@@ */ }", "comment"},
        {"a.java", "class A { String s = \"a@@\"; }", "string"},
        {"a.rb", "x = \"a#{b@@}\"\n", "code"},
        {"a.toml", "a = 'b@@", "string"},
        {"a.toml", "a = 1 # b@@", "comment"},
        {"a.txt", "it's # x@@", "code"},
        {"a.py", "@@", "code"},
    };
    UNUSED(state);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (fixture_is_left_out(cases[i].path)) continue;
        fixture f;
        fixture_init(&f, cases[i].path, cases[i].text);
        context_prompt p = fixture_assemble(&f, (context_request){.invoked = true});
        if (strcmp(p.scope, cases[i].scope) != 0) fail_msg("%s: %s", cases[i].text, p.scope);
        fixture_deinit(&f);
    }
}

static void shapes(void **state) {
    static const struct {
        const char *path, *text;
        completion_shape shape;
    } cases[] = {
        {"a.py", "def f():@@\n", SHAPE_BLOCK},
        {"a.py", "def f():\n    @@\n", SHAPE_BLOCK},
        {"a.py", "def f():\n@@\n", SHAPE_BLOCK},
        {"a.py", "def f():\n    @@\n    return 1\n", SHAPE_LINE},
        {"a.py", "def f():\n    @@\ndef g():\n    pass\n", SHAPE_BLOCK},
        {"a.py", "def f():\n    \"\"\"Doc.\"\"\"\n    @@\n", SHAPE_BLOCK},
        {"a.py", "def f():\n    \"\"\"Doc\n    more.\n    \"\"\"\n    @@\n", SHAPE_BLOCK},
        {"a.py", "def f():\n    # why\n    @@\n", SHAPE_BLOCK},
        {"a.py", "def f(\n    a,\n):@@\n", SHAPE_BLOCK},
        {"a.py", "def f(\n        a,\n        b):\n    @@\n    c = 1\n", SHAPE_LINE},
        {"a.py", "x = {'a':@@\n", SHAPE_LINE},
        {"a.py", "x = 1\n@@\n", SHAPE_LINE},
        {"a.py", "x = @@\n", SHAPE_LINE},
        {"a.py", "def f():\n    return @@\n", SHAPE_LINE},
        {"a.py", "# def f():@@\n", SHAPE_LINE},
        {"a.c", "int f(void) {@@}\n", SHAPE_BLOCK},
        {"a.c", "int f(void) {\n    @@\n}\n", SHAPE_BLOCK},
        {"a.c", "int f(void) {\n    @@\n    x();\n}\n", SHAPE_LINE},
        {"a.c", "int f(void)\n{\n    @@\n}\n", SHAPE_BLOCK},
        {"a.c", "int f(int a,\n      int b) {\n    @@\n    x();\n}\n", SHAPE_LINE},
        {"a.c", "int f(void) {\n    /* why */\n    @@\n}\n", SHAPE_BLOCK},
        {"a.ts", "foo({@@})\n", SHAPE_LINE},
        {"a.ts", "it('x', () => {@@})\n", SHAPE_BLOCK},
        {"a.ts", "it('x', function () {\n  @@\n})\n", SHAPE_BLOCK},
        {"a.go", "package a\n\nfunc f() {\n\t@@\n}\n", SHAPE_BLOCK},
        {"a.lua", "function f()\n  @@\nend\n", SHAPE_BLOCK},
        {"a.txt", "list:\n@@", SHAPE_LINE},
        {"a.py", "@@", SHAPE_LINE},
    };
    UNUSED(state);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        fixture f;
        fixture_init(&f, cases[i].path, cases[i].text);
        context_request rq = {.invoked = true, .multiline_allowed = true};
        context_prompt p = fixture_assemble(&f, rq);
        if (p.shape != cases[i].shape) fail_msg("%s", cases[i].text);
        rq.multiline_allowed = false;
        assert_int_equal(fixture_assemble(&f, rq).shape, SHAPE_LINE);
        fixture_deinit(&f);
    }
}

static void small_files_are_taken_whole(void **state) {
    UNUSED(state);
    fixture f;
    fixture_init(&f, "dir/a.py", "a = 1\r\nb = @@\r\nc\rd\n");
    context_prompt p = fixture_assemble(&f, (context_request){0});
    assert_true(str_eq(p.prefix, STR("a = 1\nb = ")));
    assert_true(str_eq(p.suffix, STR("\nc\nd\n")));
    assert_true(str_eq(p.path, STR("dir/a.py")));
    assert_int_equal(p.n_chunks, 0);
    assert_int_equal(p.offset, f.offset);
    fixture_deinit(&f);
}

static void a_cursor_is_moved_to_a_boundary(void **state) {
    UNUSED(state);
    fixture f;
    fixture_init(&f, "a.txt", "\xe2\x82\xac\r\nx@@");
    context_request rq = {.invoked = true};
    context_prompt p;
    static const size_t moved[][2] = {{0, 0}, {1, 0}, {2, 0}, {3, 3}, {4, 3}, {5, 5}, {99, 6}};
    for (size_t i = 0; i < COUNTOF(moved); i++) {
        rq.offset = moved[i][0];
        context_assemble(f.c, f.d, &rq, &f.a, &p);
        assert_int_equal(p.offset, moved[i][1]);
    }
    fixture_deinit(&f);
}

static void lines_of_data_are_not_asked_for(void **state) {
    UNUSED(state);
    strbuf text;
    strbuf_init(&text, 1 << 20);
    for (int i = 0; i < 5000; i++)
        strbuf_add_str(&text, STR("0, "));
    strbuf_add_str(&text, STR("@@\n"));
    fixture f;
    fixture_init(&f, "a.c", text.ptr);
    context_prompt p = fixture_assemble(&f, (context_request){.invoked = true});
    assert_true(p.skip);
    assert_string_equal(p.reason, "line-too-long");
    fixture_deinit(&f);
    strbuf_deinit(&text);
}

static void add_functions(strbuf *text, int n) {
    for (int i = 0; i < n; i++)
        strbuf_addf(text, "def function_%d(a, b):\n    return a + b + %d\n\n", i, i);
}

/* Imports first, then the signature, then the window; typing keeps the prefix's beginning. */
static void large_files_keep_imports_and_signatures(void **state) {
    UNUSED(state);
    strbuf text;
    strbuf_init(&text, 1 << 20);
    strbuf_add_str(&text, STR("import os\nfrom sys import argv\n\n"));
    add_functions(&text, 200);
    strbuf_add_str(&text, STR("class Big:\n    def method(self, x):\n"));
    for (int i = 0; i < 200; i++)
        strbuf_addf(&text, "        x = x + %d\n", i);
    strbuf_add_str(&text, STR("        y = @@\n"));
    add_functions(&text, 200);
    fixture f;
    fixture_init(&f, "a.py", text.ptr);
    context_request rq = {.prefix_bytes_max = 2000, .suffix_bytes_max = 500};
    context_prompt p = fixture_assemble(&f, rq);
    assert_true(str_starts_with(p.prefix, STR("import os\nfrom sys import argv\nclass Big:\n"
                                              "    def method(self, x):\n        x = x + ")));
    assert_true(str_ends_with(p.prefix, STR("        x = x + 199\n        y = ")));
    assert_true(p.prefix.len <= 2000 && p.prefix.len > 1000);
    assert_true(p.suffix.len <= 500 && p.suffix.len > 250);
    assert_true(str_starts_with(p.suffix, STR("\ndef function_0(")));
    assert_true(str_ends_with(p.suffix, STR("\n")));

    size_t moved = 0;
    err e;
    for (int i = 0; i < 300; i++) {
        str before = arena_str(&f.a, p.prefix), after = arena_str(&f.a, p.suffix);
        str key = i % 20 ? STR("z") : STR("\n        ");
        assert_int_equal(document_edit(f.d, f.offset, f.offset, key, &e), OK);
        f.offset += key.len;
        p = fixture_assemble(
            &f,
            (context_request){.prefix_bytes_max = 2000, .suffix_bytes_max = 500, .invoked = true});
        moved += !str_starts_with(p.prefix, before);
        assert_true(str_eq(p.suffix, after));
        assert_true(p.prefix.len <= 2000);
    }
    assert_true(moved <= 2); /* 420 bytes were typed, the grid is 375 bytes wide */
    fixture_deinit(&f);
    strbuf_deinit(&text);
}

static void windows_hold_their_bounds(void **state) {
    UNUSED(state);
    strbuf text;
    strbuf_init(&text, 1 << 20);
    for (int i = 0; i < 300; i++)
        strbuf_addf(&text, "%.*s\xe2\x82\xac%s", i % 70,
                    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst"
                    "uvwxyzabcdefghijklmnopqrstuvwxyz",
                    i % 3 ? "" : "\n");
    strbuf_add_str(&text, STR("@@"));
    fixture f;
    fixture_init(&f, "a.txt", text.ptr);
    for (size_t offset = 0; offset <= document_text(f.d).len; offset++) {
        if (offset < document_text(f.d).len &&
            ((unsigned char)document_text(f.d).ptr[offset] & 0xC0) == 0x80)
            continue;
        for (size_t max = 1; max < 5000; max = max * 3 + 1) {
            size_t start = window_start(f.d, offset, max), end = window_end(f.d, offset, max);
            assert_true(start <= offset && offset <= end);
            assert_true(offset - start <= max && end - offset <= max);
            assert_true(end == document_text(f.d).len || max < 8 || end - offset > max / 8 ||
                        end == document_line_start(f.d, document_line_of(f.d, end)));
        }
    }
    fixture_deinit(&f);
    strbuf_deinit(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_to_skip),
        cmocka_unit_test(scopes),
        cmocka_unit_test(shapes),
        cmocka_unit_test(small_files_are_taken_whole),
        cmocka_unit_test(a_cursor_is_moved_to_a_boundary),
        cmocka_unit_test(lines_of_data_are_not_asked_for),
        cmocka_unit_test(large_files_keep_imports_and_signatures),
        cmocka_unit_test(windows_hold_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
