/* SPDX-License-Identifier: Apache-2.0 */
/* context/refactor.h: cases by hand, refusals, and on this repository's own sources that inlining
 * what was extracted gives the same tree. */
#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "tests/context/fixture.h"
#include "tests/context/refactor_all.h"

typedef struct {
    const char *path, *text; /* "@@" around what is selected */
    const char *want;        /* NULL: refused */
} refactor_case;

/* clang-format off */
static const refactor_case variables[] = {
    {"a.py", "def f(a):\n    return g(@@a.size@@ + 1)\n",
     "def f(a):\n    size_2 = a.size\n    return g(size_2 + 1)\n"},
    {"a.py", "x = @@load_user(3)@@.name\n", "user = load_user(3)\nx = user.name\n"},
    {"a.py", "if @@a + b@@ > 3:\n    pass\n", "value = a + b\nif value > 3:\n    pass\n"},
    {"a.py", "while @@a + b@@ > 3:\n    pass\n", NULL},
    {"a.py", "x = a and @@b + c@@\n", NULL},
    {"a.py", "x = f() + @@b.c@@\n", NULL},
    {"a.py", "x = f() + @@3 * 4@@\n", "value = 3 * 4\nx = f() + value\n"},
    {"a.py", "x = [@@a + i@@ for i in b]\n", NULL},
    {"a.py", "x = lambda i: @@i + 1@@\n", NULL},
    {"a.py", "@@a.b@@ = 3\n", NULL},
    {"a.py", "@@f(3)@@\n", NULL},
    {"a.py", "def f(x=@@1 + 2@@):\n    pass\n", NULL},
    {"a.py", "if a:\n    pass\nelif @@b + 1@@:\n    pass\n", NULL},
    {"a.py", "x = 1; y = @@x + 2@@\n", NULL},
    {"a.py", "for i in @@items[1:]@@:\n    pass\n", "value = items[1:]\nfor i in value:\n    pass\n"},
    {"a.py", "x = @@a.b@@()\n", NULL},
    {"a.js", "function f(a) {\n  return g(@@a.size * 2@@);\n}\n",
     "function f(a) {\n  const value = a.size * 2;\n  return g(value);\n}\n"},
    {"a.js", "if (c) g(@@a + 1@@);\n", NULL},
    {"a.js", "if (c) {\n} else if (@@a + 1@@) {\n}\n", NULL},
    {"a.js", "for (let i = 0; i < @@a + 1@@; i++) {\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(a int) int {\n\treturn g(@@a * 2@@)\n}\n",
     "package p\n\nfunc f(a int) int {\n\tvalue := a * 2\n\treturn g(value)\n}\n"},
    {"a.go", "package p\n\nfunc f() {\n\tif x := g(); @@x + 1@@ > 2 {\n\t}\n}\n", NULL},
    {"a.c", "static char *load_name(int i);\nvoid f(int i) {\n    puts(@@load_name(i)@@);\n}\n",
     "static char *load_name(int i);\nvoid f(int i) {\n    char *name = load_name(i);\n    puts(name);\n}\n"},
    {"a.c", "void f(int i) {\n    g(@@i * 2@@);\n}\n",
     "void f(int i) {\n    int value = i * 2;\n    g(value);\n}\n"},
    {"a.c", "void f(char i) {\n    g(@@i * 2@@);\n}\n", NULL},
    {"a.c", "void f(struct p *p) {\n    g(@@p->x@@);\n}\n", NULL},
    {"a.c", "void f(int i) {\n    if (i)\n        g(@@i * 2@@);\n}\n", NULL},
};

static const refactor_case inlines[] = {
    {"a.py", "def f(a):\n    @@x = a + 1\n    return x * 2\n", "def f(a):\n    return (a + 1) * 2\n"},
    {"a.py", "def f(a):\n    @@x = a + 1\n    return g(x)\n", "def f(a):\n    return g(a + 1)\n"},
    {"a.py", "def f(a):\n    @@x = 3\n    g()\n    return x + x\n", "def f(a):\n    g()\n    return 3 + 3\n"},
    {"a.py", "def f(a):\n    @@x = a.b\n    g()\n    return x\n", NULL},
    {"a.py", "def f(a):\n    @@x = g()\n    return x + x\n", NULL},
    {"a.py", "def f(a):\n    @@x = 1\n    x = 2\n    return x\n", NULL},
    {"a.py", "def f(a):\n    @@x = 1; y = 2\n    return x\n", NULL},
    {"a.py", "def f(a):\n    @@x = 1  # why\n    return x\n", NULL},
    {"a.py", "@@x = 1\ny = x\n", NULL},
    {"a.py", "def f():\n    @@x: float = 1\n    return x\n", NULL},
    {"a.js", "function f(a) {\n  const @@x = a - 1;\n  return 2 - x;\n}\n",
     "function f(a) {\n  return 2 - (a - 1);\n}\n"},
    {"a.c", "int f(int a) {\n    int @@x = a + 1;\n    return x * 2;\n}\n",
     "int f(int a) {\n    return (a + 1) * 2;\n}\n"},
    {"a.c", "double f(void) {\n    double @@x = 1;\n    return x / 2;\n}\n", NULL},
    {"a.c", "int f(void) {\n    static int @@x = 1;\n    return x;\n}\n", NULL},
    {"a.c", "int f(void) {\n    int @@x = 1;\n    g(&x);\n    return x;\n}\n", NULL},
};

static const refactor_case functions[] = {
    {"a.py",
     "import os\n\ndef f(items):\n    total = 0\n    for x in items:\n        @@y = x * 2\n        total += y@@\n"
     "    return total\n",
     "import os\n\ndef extracted(x, total):\n    y = x * 2\n    total += y\n    return total\n\n\n"
     "def f(items):\n    total = 0\n    for x in items:\n        total = extracted(x, total)\n"
     "    return total\n"},
    {"a.py", "class A:\n    def f(self, a):\n        @@self.x = a\n        print(a)@@\n",
     "def extracted(self, a):\n    self.x = a\n    print(a)\n\n\nclass A:\n    def f(self, a):\n"
     "        extracted(self, a)\n"},
    {"a.py", "def f(a):\n    @@b = a\n    c = b@@\n    return b, c\n",
     "def extracted(a):\n    b = a\n    c = b\n    return b, c\n\n\ndef f(a):\n    b, c = extracted(a)\n"
     "    return b, c\n"},
    {"a.py", "def f(a):\n    @@return a@@\n", NULL},
    {"a.py", "def f(a):\n    for i in a:\n        @@if i: break@@\n", NULL},
    {"a.py", "def f(a):\n    @@if a:\n        b = 1@@\n    return b\n", NULL},
    {"a.py", "def f(a):\n    if a:\n        b = 1\n    @@c = b@@\n    return c\n", NULL},
    {"a.py", "def f(a):\n    h = lambda: b\n    @@b = a@@\n    return h()\n",
     "def extracted(a):\n    b = a\n    return b\n\n\ndef f(a):\n    h = lambda: b\n    b = extracted(a)\n"
     "    return h()\n"},
    {"a.py", "def f(a):\n    def g():\n        @@b = a@@\n        return b\n    return g\n", NULL},
    {"a.py", "def f(a):\n    @@global b\n    b = a@@\n", NULL},
    {"a.py", "x = 1\n@@y = x@@\n", NULL},
    {"a.py", "def f(a):\n    @@print(a)\n    pri@@nt(a)\n", NULL},
    {"a.py", "def f(a):\n    @@c = [i for i in a]@@\n    return c\n",
     "def extracted(a):\n    c = [i for i in a]\n    return c\n\n\ndef f(a):\n    c = extracted(a)\n    return c\n"},
    {"a.js", "/** F. */\nfunction f(a) {\n  @@const b = a * 2;\n  log(b);@@\n  return b;\n}\n",
     "function extracted(a) {\n  const b = a * 2;\n  log(b);\n  return b;\n}\n\n/** F. */\nfunction f(a) {\n"
     "  const b = extracted(a);\n  return b;\n}\n"},
    {"a.js", "function f(a) {\n  let b = 1;\n  @@b = a;@@\n  return b;\n}\n",
     "function extracted(a) {\n  b = a;\n  return b;\n}\n\nfunction f(a) {\n  let b = 1;\n"
     "  b = extracted(a);\n  return b;\n}\n"},
    {"a.js", "function f() {\n  @@g(this.x);@@\n}\n", NULL},
    {"a.js", "function f(a) {\n  @@const b = a;\n  const c = a;@@\n  return b + c;\n}\n", NULL},
};
/* clang-format on */

typedef bool (*operation)(document *d, size_t from, size_t to, arena *a, refactoring *out);

static bool inline_at(document *d, size_t from, size_t to, arena *a, refactoring *out) {
    UNUSED(to);
    return refactor_inline_variable(d, from, a, out);
}

static void check(const refactor_case *cases, size_t n, operation run) {
    for (size_t i = 0; i < n; i++) {
        if (fixture_is_left_out(cases[i].path)) continue;
        fixture f;
        err e;
        refactoring r;
        fixture_init(&f, cases[i].path, cases[i].text);
        size_t to = f.offset;
        ptrdiff_t end = str_find(document_text(f.d), STR("@@"));
        if (end >= 0) {
            to = (size_t)end;
            assert_int_equal(document_edit(f.d, to, to + 2, STR(""), &e), OK);
        }
        bool good = run(f.d, f.offset, to, &f.a, &r);
        if (!cases[i].want && good) fail_msg("done, but must be refused: %s", cases[i].text);
        if (cases[i].want && !good) fail_msg("refused: %s", cases[i].text);
        if (good) {
            strbuf text;
            strbuf_init(&text, 1 << 20);
            change_apply(document_text(f.d), r.edits, r.n, &text);
            assert_string_equal(text.ptr, cases[i].want);
            strbuf_deinit(&text);
        }
        fixture_deinit(&f);
    }
}

static void test_extract_variable(void **state) {
    UNUSED(state);
    check(variables, COUNTOF(variables), refactor_extract_variable);
}

static void test_inline(void **state) {
    UNUSED(state);
    check(inlines, COUNTOF(inlines), inline_at);
}

static void test_extract_function(void **state) {
    UNUSED(state);
    check(functions, COUNTOF(functions), refactor_extract_function);
}

static void test_import(void **state) {
    UNUSED(state);
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"import os\n\nprint(a)\n", "import os\nfrom p.q import a\n\nprint(a)\n"},
        {"\"\"\"Doc.\"\"\"\nprint(a)\n", "\"\"\"Doc.\"\"\"\nfrom p.q import a\nprint(a)\n"},
        {"print(a)\n", "from p.q import a\nprint(a)\n"},
        {"from x import a\nprint(a)\n", NULL},
        {"a = 1\nprint(a)\n", NULL},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (fixture_is_left_out("a.py")) continue;
        char text[200];
        fixture f;
        refactoring r;
        strbuf made;
        snprintf(text, sizeof text, "%s@@", cases[i].text);
        fixture_init(&f, "a.py", text);
        bool good = refactor_add_import(f.d, STR("a"), STR("p.q"), &f.a, &r);
        assert_int_equal(good, cases[i].want != NULL);
        strbuf_init(&made, 4096);
        if (good) change_apply(document_text(f.d), r.edits, r.n, &made);
        if (good) assert_string_equal(made.ptr, cases[i].want);
        strbuf_deinit(&made);
        fixture_deinit(&f);
    }
}

static void test_include(void **state) {
    UNUSED(state);
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"#include <x.h>\n#include \"y.h\"\n\nint f(void) { return a(1); }\n",
         "#include <x.h>\n#include \"y.h\"\n#include \"p/q.h\"\n\nint f(void) { return a(1); }\n"},
        {"/* About. */\nint f(void) { return a(1); }\n",
         "/* About. */\n#include \"p/q.h\"\nint f(void) { return a(1); }\n"},
        {"#pragma once\nint f(void);\n", "#pragma once\n#include \"p/q.h\"\nint f(void);\n"},
        {"int f(void) { return a(1); }", "#include \"p/q.h\"\nint f(void) { return a(1); }"},
        {"#include \"q.h\"\nint f(void) { return a(1); }\n", NULL},
        {"int a(int x);\nint f(void) { return a(1); }\n", NULL},
        {"#define a(x) (x)\nint f(void) { return a(1); }\n", NULL},
        {"struct a { int x; };\nstruct a f(void);\n", NULL},
        {"int f(int a) { return a; }\n", NULL},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (fixture_is_left_out("a.c")) continue;
        char text[200];
        fixture f;
        refactoring r;
        strbuf made;
        snprintf(text, sizeof text, "%s@@", cases[i].text);
        fixture_init(&f, "a.c", text);
        bool good = refactor_add_include(f.d, STR("a"), STR("p/q.h"), &f.a, &r);
        if (good != (cases[i].want != NULL)) fail_msg("%s", cases[i].text);
        strbuf_init(&made, 4096);
        if (good) change_apply(document_text(f.d), r.edits, r.n, &made);
        if (good) assert_string_equal(made.ptr, cases[i].want);
        strbuf_deinit(&made);
        fixture_deinit(&f);
    }
}

/* ---- this repository's own sources ----------------------------------------------------------- */

typedef struct {
    document *document;
    int extracted, inlined, refused;
} round_trip;

static char *tree_text(document *d) {
    assert_true(context_parse(d, 60000000));
    return ts_node_string(ts_tree_root_node(syntax_tree(d->tree)));
}

static void apply(document *d, const refactoring *r) {
    err e;
    for (size_t i = r->n; i-- > 0;)
        assert_int_equal(document_edit(d, r->edits[i].from, r->edits[i].to, r->edits[i].text, &e),
                         OK);
}

/* What is extracted parses, and inlining it gives the tree back. */
static void on_variable(void *ud, all_kind kind, size_t from, size_t to, const refactoring *r) {
    round_trip *t = ud;
    UNUSED(to);
    if (kind != ALL_VARIABLE || t->extracted % 3 == 2) {
        t->extracted += kind == ALL_VARIABLE;
        return;
    }
    t->extracted++;
    document *fork = document_fork(t->document);
    apply(fork, r);
    char *before = tree_text(t->document), *between = tree_text(fork);
    if (!strstr(before, "(ERROR") && strstr(between, "(ERROR"))
        fail_msg("it breaks the syntax: %.*s, %.*s", STR_ARG(r->edits[0].text),
                 STR_ARG(str_sub(document_text(t->document), from, to)));
    size_t at = r->n == 2 ? from + r->edits[0].text.len : from;
    arena a;
    refactoring back;
    arena_init(&a);
    ptrdiff_t name = str_find(str_sub(document_text(fork), at, at + 4096), r->name);
    assert_true(name >= 0);
    if (refactor_inline_variable(fork, at + (size_t)name, &a, &back)) {
        apply(fork, &back);
        char *after = tree_text(fork);
        if (strcmp(before, after)) {
            str old = str_sub(document_text(t->document), from, to);
            fail_msg("extracted and inlined, but not the same: %.*s", STR_ARG(old));
        }
        free(after);
        t->inlined++;
    } else {
        t->refused++; /* outside of functions, mostly */
    }
    arena_deinit(&a);
    free(before);
    free(between);
    document_free(fork);
}

static void round_trips(const char *path, round_trip *sum) {
    if (fixture_is_left_out(path)) return;
    strbuf text;
    err e = {{0}};
    char whole[600];
    snprintf(whole, sizeof whole, "%s/%s", INLINED_SOURCE, path);
    strbuf_init(&text, 1 << 22);
    assert_int_equal(file_read(whole, 1 << 22, &text, &e), OK);
    context *c = context_new();
    assert_int_equal(
        context_open(c, STR("u"), str_of(path), STR(""), strbuf_str(&text), 1, &sum->document, &e),
        OK);
    all_refactorings(sum->document, on_variable, sum);
    context_free(c);
    strbuf_deinit(&text);
}

static void test_round_trips(void **state) {
    UNUSED(state);
    static const char *const files[] = {
        "tests/demo/screen.py",
        "tests/e2e/metamodel.py",
        "context/outline.c",
        "editors/vscode/src/status.ts",
        "editors/vscode/scripts/settings.mjs",
    };
    round_trip sum = {0};
    for (size_t i = 0; i < COUNTOF(files); i++)
        round_trips(files[i], &sum);
    print_message("%d extracted, %d inlined again to the same tree, %d not inlined\n",
                  sum.extracted, sum.inlined, sum.refused);
    if (grammars_count > 10) assert_true(sum.inlined > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extract_variable), cmocka_unit_test(test_inline),
        cmocka_unit_test(test_extract_function), cmocka_unit_test(test_import),
        cmocka_unit_test(test_include),          cmocka_unit_test(test_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
