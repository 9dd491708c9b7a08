/* SPDX-License-Identifier: Apache-2.0 */
/* Excerpts and outlines: pieces of large files that stand for the whole. */
#include "context/context_private.h"
#include "context/excerpt.h"
#include "context/outline.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "tests/context/fixture.h"

static char *joined(const fixture *f, const excerpt *x) {
    strbuf all;
    strbuf_init(&all, 1 << 20);
    strbuf_add_str(&all, x->head);
    strbuf_add_str(&all, str_sub(document_text(f->d), x->from, x->to));
    strbuf_add_str(&all, x->tail);
    return strbuf_take(&all);
}

/* Many methods in one large class, in three languages; the cursor walks over all lines. */
static void excerpts_of_sound_code_are_sound(void **state) {
    static const struct {
        const char *path, *begin, *method, *end;
    } cases[] = {
        {"a.py", "import os\n\nclass Big:\n",
         "    def m%zu(self, a):\n        if a:\n            b = [1,\n                 2]\n"
         "        else:\n            b = {\n                'x': a,\n            }\n"
         "        return b\n\n",
         "x = Big()\n"},
        {"a.java", "import a.b;\n\nclass Big {\n",
         "    int m%zu(int a) {\n        if (a > 0) {\n            a = f(a,\n                  "
         "1);\n"
         "        } else {\n            a--;\n        }\n        return a;\n    }\n\n",
         "}\n"},
        {"a.ts", "import a from 'b'\n\nexport class Big {\n",
         "  m%zu(a: number) {\n    const f = () => {\n      return [a, 1]\n    }\n"
         "    if (a) {\n      f()\n    } else {\n      g({ a })\n    }\n    return f\n  }\n\n",
         "}\n"},
        /* A header whose type parameters have lines of their own. */
        {"b.ts",
         "import a from 'b'\n\nexport interface Big<\n  A = B,\n  C extends D<A> = E\n> {\n",
         "  m%zu<F = unknown, G extends H = I>(\n    handler: (this: A, f: F) => C,\n    g: G\n"
         "  ): A;\n\n  /** x */\n  n: <F = unknown>(f: F) => void;\n\n",
         "}\n"},
    };
    UNUSED(state);
    for (size_t k = 0; k < COUNTOF(cases); k++) {
        if (fixture_is_left_out(cases[k].path)) continue;
        strbuf text;
        strbuf_init(&text, 1 << 20);
        strbuf_addf(&text, "%s", cases[k].begin);
        char method[512];
        for (size_t i = 0; i < 60; i++) {
            const char *number = strstr(cases[k].method, "%zu");
            snprintf(method, sizeof method, "%.*s%zu%s", (int)(number - cases[k].method),
                     cases[k].method, i, number + 3);
            strbuf_addf(&text, "%s", method);
        }
        strbuf_addf(&text, "%s@@", cases[k].end);
        fixture f;
        fixture_init(&f, cases[k].path, text.ptr);
        for (size_t line = 0; line < document_line_count(f.d); line++) {
            size_t start = document_line_start(f.d, line), errors = 99;
            excerpt x;
            excerpt_find(f.d, start, &f.a, &x);
            assert_true(x.from <= start && start <= x.to);
            assert_true(x.to - x.from <= 8192);
            assert_int_equal(document_line_start(f.d, document_line_of(f.d, x.from)), x.from);
            if (document_line(f.d, line).len == 0 || document_line(f.d, line).ptr[0] != ' ')
                continue; /* at the margin the end may lie anywhere */
            if (start < strlen(cases[k].begin)) continue; /* in a header it does, too */
            char *all = joined(&f, &x);
            const str pieces[6] = {str_of(all)};
            assert_true(syntax_count_errors(syntax_grammar(f.d->tree), pieces,
                                            clock_us() + 10000000, &errors));
            if (errors)
                fail_msg("%s line %zu: %zu errors in\n%s", cases[k].path, line + 1, errors, all);
            xfree(all);
        }
        fixture_deinit(&f);
        strbuf_deinit(&text);
    }
}

static void small_documents_are_whole(void **state) {
    UNUSED(state);
    fixture f;
    fixture_init(&f, "a.py", "def f():\n    @@\n");
    excerpt x;
    excerpt_find(f.d, f.offset, &f.a, &x);
    assert_int_equal(x.from, 0);
    assert_int_equal(x.to, document_text(f.d).len);
    assert_int_equal(x.head.len + x.tail.len, 0);
    fixture_deinit(&f);
}

static void outlines(void **state) {
    static const struct {
        const char *path, *text, *imports, *headers;
    } cases[] = {
        {"a.py",
         "import a\nfrom b import (\n    c,\n    d,\n)\n\nclass X:\n    def f(self,\n"
         "          a):\n        @@\n",
         "import a\nfrom b import (\n    c,\n    d,\n)\n",
         "class X:\n    def f(self,\n          a):\n"},
        {"a.c",
         "/* x */\n#include <a.h>\n\n#include \"b.h\"\n\nint f(int a)\n{\n    if (a) {\n        "
         "@@\n",
         "#include <a.h>\n\n#include \"b.h\"\n", "int f(int a)\n{\n    if (a) {\n"},
        {"a.go", "package a\n\nimport (\n\t\"fmt\"\n)\n\nfunc f() {\n\tx := 1\n\t@@\n}\n",
         "package a\n\nimport (\n\t\"fmt\"\n)\n", "func f() {\n"},
        {"a.c", "void f(void) {\n    if (a) {\n    } else {\n        @@\n", "", "void f(void) {\n"},
        {"a.py", "x = 1\n@@\n", "", ""},
        {"a.py", "def a():\n    pass\n\ndef f():\n    x = 1\n@@\n", "", "def f():\n"},
        {"a.txt", "  a:\n    b@@\n", "", ""},
    };
    UNUSED(state);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        fixture f;
        fixture_init(&f, cases[i].path, cases[i].text);
        outline o;
        outline_find(f.d, f.offset, &o);
        strbuf headers;
        strbuf_init(&headers, 4096);
        for (size_t k = 0; k < o.n_signatures; k++)
            strbuf_add_str(&headers,
                           str_sub(document_text(f.d), o.signatures[k].from, o.signatures[k].to));
        str imports = str_sub(document_text(f.d), o.imports.from, o.imports.to);
        if (!str_eq(imports, str_of(cases[i].imports)))
            fail_msg("imports of case %zu: %.*s", i, STR_ARG(imports));
        if (!str_eq(strbuf_str(&headers), str_of(cases[i].headers)))
            fail_msg("headers of case %zu: %.*s", i, STR_ARG(strbuf_str(&headers)));
        strbuf_deinit(&headers);
        fixture_deinit(&f);
    }
}

/* A late parse must not turn a docstring into code. */
static uint64_t fake_now;
static uint64_t slow_clock(void) {
    return fake_now += LIMIT_PARSE_SLICE_US;
}

static void a_late_tree_still_knows_strings(void **state) {
    UNUSED(state);
    strbuf text;
    strbuf_init(&text, 1 << 20);
    strbuf_add_str(&text, STR("def f():\n    \"\"\"Doc\n    more @@\n    \"\"\"\n    x = 1\n"));
    for (int i = 0; i < 3000; i++)
        strbuf_addf(&text, "def g%d(a):\n    return a\n\n", i);
    fixture f;
    fixture_init(&f, "a.py", text.ptr);
    while (!context_parse(f.d, LIMIT_PARSE_SLICE_US)) {
    }
    err e;
    assert_int_equal(document_edit(f.d, f.offset, f.offset, STR("w"), &e), OK);
    f.offset++;
    clock_set_source(slow_clock);
    context_prompt p = fixture_assemble(&f, (context_request){0});
    assert_null(syntax_tree(f.d->tree));
    assert_string_equal(p.scope, "string");
    size_t code = document_line_start(f.d, 4) + 8;
    f.offset = code;
    p = fixture_assemble(&f, (context_request){.invoked = true});
    assert_string_equal(p.scope, "code");
    clock_set_source(NULL);
    fixture_deinit(&f);
    strbuf_deinit(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(excerpts_of_sound_code_are_sound),
        cmocka_unit_test(small_documents_are_whole),
        cmocka_unit_test(outlines),
        cmocka_unit_test(a_late_tree_still_knows_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
