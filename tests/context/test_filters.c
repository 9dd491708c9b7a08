/* SPDX-License-Identifier: Apache-2.0 */
/* Every filter alone: what it makes of one candidate.  "want" is the text that is left; NULL means
 * that it is dropped for `reason`. */
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "tests/context/fixture.h"

typedef struct {
    const char *path, *text, *raw, *want, *reason;
    completion_shape shape;
    bool cut_off; /* the answer did not end by itself */
    int replaced; /* bytes behind the cursor */
} filter_case;

static void run_cases(const char *(*filter)(candidate *c), const filter_case *cases, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const filter_case *k = &cases[i];
        if (filter == filter_syntax && fixture_is_left_out(k->path)) continue;
        fixture f;
        fixture_init(&f, k->path, k->text);
        context_prompt p = {
            .offset = f.offset, .version = 1, .shape = k->shape, .scope = "code", .reason = ""};
        context_answer answer = {.raw = str_of(k->raw), .complete = !k->cut_off};
        candidate c;
        candidate_init(&c, f.d, &p, &answer, &f.a);
        const char *reason = filter(&c);
        if (k->want) {
            if (reason) fail_msg("case %zu: dropped: %s", i, reason);
            if (!str_eq(c.text, str_of(k->want)))
                fail_msg("case %zu: |%.*s|, not |%s|", i, STR_ARG(c.text), k->want);
            if (c.to - f.offset != (size_t)k->replaced)
                fail_msg("case %zu: replaces %zu", i, c.to - f.offset);
        } else if (!reason || strcmp(reason, k->reason) != 0) {
            fail_msg("case %zu: %s, not %s: |%.*s|", i, reason ? reason : "shown", k->reason,
                     STR_ARG(c.text));
        }
        fixture_deinit(&f);
    }
}

/* What is left; what it is dropped for; with replaced bytes; in a block. */
#define KEEP(p, t, r, w)                                                                           \
 { .path = p, .text = t, .raw = r, .want = w }
#define DROP(p, t, r, why)                                                                         \
 { .path = p, .text = t, .raw = r, .reason = why }
#define REPLACE(p, t, r, w, n)                                                                     \
 { .path = p, .text = t, .raw = r, .want = w, .replaced = n }
#define BLOCK(p, t, r, w)                                                                          \
 { .path = p, .text = t, .raw = r, .want = w, .shape = SHAPE_BLOCK }
#define CUT_OFF(p, t, r, w)                                                                        \
 { .path = p, .text = t, .raw = r, .want = w, .shape = SHAPE_BLOCK, .cut_off = true }
#define RUN(filter, cases) run_cases(filter, cases, COUNTOF(cases))

static void bytes(void **state) {
    static const filter_case cases[] = {
        KEEP("a.c", "@@", "abc", "abc"),  KEEP("a.c", "@@", "a\r\nb\rc\n", "a\nb\nc\n"),
        KEEP("a.c", "@@", "a\xc3", "a"),  KEEP("a.c", "@@", "\xe2\x82\xac\xe2\x82", "\xe2\x82\xac"),
        KEEP("a.c", "@@", "a\x01z", "a"), KEEP("a.c", "@@", "a\xef\xbf\xbdz", "a"),
        DROP("a.c", "@@", "", "empty"),   DROP("a.c", "@@", "\xff", "empty"),
        KEEP("a.c", "@@", "\ta", "\ta"),
    };
    UNUSED(state);
    RUN(filter_bytes, cases);
}

static void marker(void **state) {
    static const filter_case cases[] = {
        KEEP("a.c", "@@", "x<|endoftext|>y", "x"),
        KEEP("a.c", "@@", "x<fim_middle>y", "x"),
        KEEP("a.c", "@@", "x\n<file_sep>a.c\n", "x\n"),
        KEEP("a.c", "@@",
             "x<\xef\xbd\x9c"
             "fim\xe2\x96\x81hole\xef\xbd\x9c>",
             "x"),
        DROP("a.c", "@@", "<|im_end|>", "empty"),
        KEEP("a.c", "@@", "a <| b |> c", "a <| b |> c"),
        KEEP("a.c", "@@", "if (a < b) [x]", "if (a < b) [x]"),
        KEEP("a.py", "END = '<|endoftext|>'\n@@", "x = '<|endoftext|>'", "x = '<|endoftext|>'"),
        KEEP("a.c", "@@", "a<|", "a<|"),
    };
    UNUSED(state);
    RUN(filter_marker, cases);
}

static void secret(void **state) {
    static const filter_case cases[] = {
        DROP("a.py", "key = @@", "\"AKIAIOSFODNN7EXAMPLE\"", "secret"),
        DROP("a.py", "password = @@", "\"Tr0ub4dor&3\"", "secret"),
        DROP("a.py", "@@", "api_key = \"9f8e7d6c5b\"", "secret"),
        KEEP("a.py", "password = @@", "read_password(user)", "read_password(user)"),
        KEEP("a.py", "use(\"AKIAIOSFODNN7EXAMPLE\", @@", "x)", "x)"), /* the user's own */
        KEEP("a.py", "x = @@", "\"hello\"", "\"hello\""),
    };
    UNUSED(state);
    RUN(filter_secret, cases);
}

static void blank(void **state) {
    static const filter_case cases[] = {
        KEEP("a.c", "@@", "a  \n\n", "a"),
        KEEP("a.c", "@@", " a", " a"),
        KEEP("a.c", "@@", "\n a", "\n a"),
        DROP("a.c", "@@", " \n\t", "empty"),
    };
    UNUSED(state);
    RUN(filter_blank, cases);
}

static void cut_line(void **state) {
    static const filter_case cases[] = {
        KEEP("a.c", "int @@", "x;\nint y;", "x;"),
        DROP("a.c", "int x;@@", "\nint y;", "empty"),
        KEEP("a.py", "def f():@@", "\n    return 1\n    x", "\n    return 1"),
        KEEP("a.py", "def f():@@", "\n\n    return 1\n", "\n    return 1"),
        DROP("a.py", "def f():@@", "\nreturn 1", "empty"),
        DROP("a.py", "def f():@@", "\n", "empty"),
        DROP("a.c", "f({@@})", "\n    a", "empty"),
    };
    UNUSED(state);
    RUN(filter_cut, cases);
}

static void cut_block(void **state) {
    static const filter_case cases[] = {
        BLOCK("a.py", "def f():@@\n", "\n    a\n    b\nc = 1\n", "\n    a\n    b"),
        BLOCK("a.py", "def f():\n    @@\n", "a\n    if b:\n        c\n\nd",
              "a\n    if b:\n        c"),
        CUT_OFF("a.py", "def f():\n    @@\n", "a\n    b\n    c", "a\n    b"),
        CUT_OFF("a.py", "def f():\n    @@\n", "a = b", "a = b"),
        BLOCK("a.c", "int f(void) {@@", "\n    a();\n}\nint g;", "\n    a();\n}"),
        BLOCK("a.c", "int f(void) {\n    @@\n", "a();\n    if (x) {\n        y();\n    }\n}\nint",
              "a();\n    if (x) {\n        y();\n    }\n}"),
        BLOCK("a.c", "  if (a) {\n    @@", "b();\n  } else {\n    c();\n", "b();\n  } else {"),
        BLOCK("a.c", "int f(int a,\n      int b) {@@", "\n    a();\n    b();\n}\nx",
              "\n    a();\n    b();\n}"),
        BLOCK("a.c", "void f(void) {@@", "\n 1\n 2\n 3\n 4\n 5\n 6\n 7\n 8\n 9\n 0\n 1\n 2\n 3\n 4",
              "\n 1\n 2\n 3\n 4\n 5\n 6\n 7\n 8\n 9\n 0\n 1\n 2"),
    };
    UNUSED(state);
    RUN(filter_cut, cases);
}

static void indent(void **state) {
    static const filter_case cases[] = {
        KEEP("a.c", "f {\n\ta;\n@@", "{\n    b\n        c\n}", "{\n\tb\n\t\tc\n}"),
        KEEP("a.c", "f {\n    a;\n@@", "{\n\tb\n\t\tc", "{\n    b\n        c"),
        KEEP("a.c", "f {\n  a;\n    b;\n      c;\n@@", "{\n\tb\n\t\tc", "{\n  b\n    c"),
        KEEP("a.c", "@@", "{\n\tb\n  c", "{\n\tb\n  c"),
        KEEP("a.py", "def f():\n    @@", " return", "return"),
        KEEP("a.py", "def f():\n    if x:\n    @@", "    return", "    return"),
        KEEP("a.py", "def f():\n    x =@@", " 1", " 1"),
        KEEP("a.c", "f {\n\ta;\n\t@@", "  b", "b"),
        KEEP("a.c", "f {\n\ta;\n@@", "\n     b", "\n\t b"),
    };
    UNUSED(state);
    RUN(filter_indent, cases);
}

static void indent_as_the_editor_says(void **state) {
    static const struct {
        bool tabs;
        const char *raw, *want;
    } cases[] = {
        {true, "{\n    b\n        c", "{\n\tb\n\t\tc"},
        {false, "{\n\tb\n\t\tc", "{\n    b\n        c"},
    };
    UNUSED(state);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        fixture f;
        fixture_init(&f, "a.c", "f(@@");
        context_prompt p = fixture_assemble(
            &f, (context_request){.tab_size = 4, .tabs = cases[i].tabs, .invoked = true});
        context_answer answer = {.raw = str_of(cases[i].raw)};
        candidate c;
        candidate_init(&c, f.d, &p, &answer, &f.a);
        assert_null(filter_indent(&c));
        assert_true(str_eq(c.text, str_of(cases[i].want)));
        fixture_deinit(&f);
    }
}

static void repeat(void **state) {
    static const filter_case cases[] = {
        KEEP("a.c", "@@", "a, b, c", "a, b, c"),
        DROP("a.c", "@@", "foo(a, foo(a, foo(a, foo(a, foo(a, ", "repetition"),
        DROP("a.c", "@@", "ab ab ab ab ab ab ", "repetition"),
        KEEP("a.c", "/* @@", "------------------------------ */",
             "------------------------------ */"),
        KEEP("a.c", "@@", "0, 0, 0, 0};", "0, 0, 0, 0};"),
        KEEP("a.c", "@@", "x = 1;\ny += 22;\ny += 22;\ny += 22;", "x = 1;\ny += 22;"),
        KEEP("a.c", "@@", "first();\nsecond();\nfirst();\nthird();",
             "first();\nsecond();\nfirst();\nthird();"),
        KEEP("a.c", "@@", "call_one();\nb();\ncall_one();\nc();\ncall_one();\nd();",
             "call_one();\nb();\ncall_one();\nc();"),
        KEEP("a.c", "@@", "}\n}\n}", "}\n}\n}"),
        DROP("a.c", "@@", "", "repetition"),
    };
    UNUSED(state);
    RUN(filter_repeat, cases);
}

static void duplicate(void **state) {
    static const filter_case cases[] = {
        DROP("a.c", "a();\n@@\nb();\n", "b();", "duplicates-suffix"),
        DROP("a.c", "a();\n    @@\n\n\n  b( );\n", "b();", "duplicates-suffix"),
        DROP("a.c", "a();\nb(@@\nb();\n", ");", "duplicates-suffix"),
        KEEP("a.c", "x = 1;\n@@\nx = 2;\n", "x = 3;", "x = 3;"),
        DROP("a.py", "import os\n@@\n", "import os", "duplicates-prefix"),
        DROP("a.py", "import os\nimport @@\n", "os", "duplicates-prefix"),
        KEEP("a.c", "  },\n@@", "},", "},"),
        KEEP("a.c", "f();\n@@\nreturn x;\n}\n", "a();\nreturn x;", "a();"),
        KEEP("a.c", "f();\n@@\nreturn x;\n}\n", "a();\nreturn x;\n}", "a();"),
        KEEP("a.c", "f();\n@@\nreturn x;\n}\n", "a();\nb();", "a();\nb();"),
        DROP("a.py", "def f():@@\n    return 1\n", "\n    return 1", "duplicates-suffix"),
        DROP("a.py", "x = {\n    'a': 1,\n    @@\n    'b': 2,\n}", "\"b\": 2", "duplicates-suffix"),
        KEEP("a.c", "a(@@)\na(b)\n", "b", "b"),
    };
    UNUSED(state);
    RUN(filter_duplicate, cases);
}

static void suffix(void **state) {
    static const filter_case cases[] = {
        KEEP("a.py", "print(@@)", "x)", "x"),
        KEEP("a.py", "print(@@)", "g(x)", "g(x)"),
        KEEP("a.py", "print(@@)", "g(x))", "g(x)"),
        REPLACE("a.c", "print(@@)", "x);", "x);", 1),
        KEEP("a.c", "print(@@);", "x) + 1", "x"),
        KEEP("a.c", "print(@@);", "x);", "x"),
        KEEP("a.py", "print(\"hello@@\")", " world\")", " world"),
        REPLACE("a.py", "print(\"hello@@\")", " world\", 1)", " world\", 1)", 2),
        KEEP("a.py", "print(\"hello@@\")", " world", " world"),
        REPLACE("a.py", "def f(@@):", "a) -> int:", "a) -> int:", 2),
        KEEP("a.c", "int x@@;", " = 1;", " = 1"),
        KEEP("a.c", "int x@@;", " = 1", " = 1"),
        KEEP("a.c", "int x@@  ", " = 1;", " = 1;"),
        DROP("a.c", "f(@@)", ")", "duplicates-suffix"),
        KEEP("a.c", "f(@@)", "a)   ", "a"),
        KEEP("a.ts", "f(() => {@@})", "\n  a()\n}", "\n  a()\n}"),
        KEEP("a.c", "x[@@]", "a[1]]", "a[1]"),
    };
    UNUSED(state);
    RUN(filter_suffix, cases);
}

static void bracket(void **state) {
    static const filter_case cases[] = {
        DROP("a.py", "f(\n    a,\n    b@@\n)", ")", "duplicates-suffix"),
        KEEP("a.py", "f(\n    a,\n    @@\n)", "b)", "b"),
        KEEP("a.py", "f(\n    a,\n    @@\n", "b)", "b)"),
        KEEP("a.py", "f(\n    a,\n    @@\n)", "g(b)", "g(b)"),
        BLOCK("a.c", "void f(void) {@@\n}\n", "\n    a();\n}", "\n    a();"),
        BLOCK("a.c", "void f(void) {\n    if (a) {@@\n}\n", "\n        a();\n    }",
              "\n        a();\n    }"),
        BLOCK("a.lua", "function f()@@\nend\n", "\n  a()\nend", "\n  a()"),
        BLOCK("a.c", "void f(void) {@@", "\n    a();\n}", "\n    a();\n}"),
        KEEP("a.c", "if (foo(a@@\n}", ")) {", ")) {"),
    };
    UNUSED(state);
    RUN(filter_bracket, cases);
}

/* Time stands still, or a slow machine makes the brake decide. */
static uint64_t still_clock(void) {
    return 1;
}

#define JS "import { first as other } from './x';\nfunction near(a) {\n    @@\n}\n"
static void known_names(void **state) {
    static const filter_case cases[] = {
        /* a call must be of something */
        DROP("a.py", "def f(a):\n    return @@\n", "frobnicate(a)", "unknown-name"),
        DROP("a.py", "def f(a):\n    return fro@@\n", "bnicate(a)", "unknown-name"),
        KEEP("a.py", "def f(a):\n    return @@\n", "f(len(a), sorted(a))", "f(len(a), sorted(a))"),
        KEEP("a.py", "x = frobnicate\ny = @@\n", "frobnicate(1)", "frobnicate(1)"),
        KEEP("a.py", "y = @@\nx = frobnicate\n", "frobnicate(1)", "frobnicate(1)"),
        DROP("a.py", "x = frobnicated\ny = @@\n", "frobnicate(1)", "unknown-name"),
        KEEP("a.py", "from x import *\ny = @@\n", "frobnicate(1)", "frobnicate(1)"),
        KEEP("a.py", "y = @@\n", "os.path.frobnicate(1)", "os.path.frobnicate(1)"),
        KEEP("a.py", "y = frobnicate@@\n", "(1)", "(1)"),
        KEEP("a.py", "y = @@\n", "lambda call: call(1)", "lambda call: call(1)"),
        /* definitions, strings and comments are none */
        KEEP("a.py", "@@\n", "def frobnicate(a):", "def frobnicate(a):"),
        KEEP("a.py", "@@\n", "class Frobnicator(object):", "class Frobnicator(object):"),
        KEEP("a.py", "y = @@\n", "\"frobnicate(1)\"", "\"frobnicate(1)\""),
        KEEP("a.py", "y = @@\n", "1  # frobnicate(1)", "1  # frobnicate(1)"),
        KEEP("a.py", "if @@\n", "not (a):", "not (a):"),
        KEEP("a.js", JS, "if (a) {", "if (a) {"),
        KEEP("a.js", "class A {\n  @@\n}\n", "frobnicate(a) {", "frobnicate(a) {"),
        KEEP("a.ts", "interface A {\n  @@\n    a: string\n  ): void\n}\n", "frobnicate(",
             "frobnicate("),
        KEEP("a.ts", "interface A {\n  @@\n}\n", "frobnicate(a: string): void;",
             "frobnicate(a: string): void;"),
        KEEP("a.js", "@@\n", "async function frobnicate(a) {", "async function frobnicate(a) {"),
        DROP("a.js", JS, "return await frobnicate(a);", "unknown-name"),
        DROP("a.js", JS, "const x = new Frobnicator(a);", "unknown-name"),
        KEEP("a.js", JS, "const x = new Map(other(a));", "const x = new Map(other(a));"),
        DROP("a.js", "import * as x from 'x';\nconst y = @@\n", "frobnicate()", "unknown-name"),
        KEEP("a.rs", "use super::*;\nfn f() {\n    @@\n}\n", "frobnicate();", "frobnicate();"),
        DROP("a.rs", "fn f() {\n    @@\n}\n", "frobnicate();", "unknown-name"),
        KEEP("a.rs", "fn f() {\n    @@\n}\n", "return Some(f());", "return Some(f());"),
        KEEP("a.rs", "fn f() {\n    @@\n}\n", "self.clone_from(x);", "self.clone_from(x);"),
        /* members of the own object, but not of others */
        DROP("a.py", "class A:\n    def f(self):\n        return @@\n", "self.frobbed",
             "unknown-name"),
        KEEP("a.py", "class A:\n    def f(self):\n        @@\n", "self.frobbed = 1",
             "self.frobbed = 1"),
        KEEP("a.py", "class A:\n    def f(self):\n        @@\n", "self.frobbed: int = 1",
             "self.frobbed: int = 1"),
        DROP("a.py", "class A:\n    def f(self):\n        @@\n", "return self.frobbed == 1",
             "unknown-name"),
        KEEP("a.py", "class A:\n    def f(self):\n        @@\n", "other.self.frobbed",
             "other.self.frobbed"),
        DROP("a.js", JS, "this.frobnicate(a);", "unknown-name"),
        /* languages where names come from anywhere */
        KEEP("a.c", "int f(void) {\n    @@\n}\n", "return frobnicate(1);", "return frobnicate(1);"),
        KEEP("a.go", "package a\n\nfunc f() {\n\t@@\n}\n", "frobnicate(1)", "frobnicate(1)"),
        KEEP("A.java", "class A {\n    void f() {\n        @@\n    }\n}\n", "frobnicate(1);",
             "frobnicate(1);"),
        KEEP("a.txt", "@@\n", "frobnicate(1)", "frobnicate(1)"),
        /* the lines above stay */
        BLOCK("a.py", "def f(a):\n    @@\n", "b = a + 1\n    c = frobnicate(b)\n    return c",
              "b = a + 1"),
        BLOCK("a.py", "def f(a):\n    @@\n", "call = a\n    return call(1)",
              "call = a\n    return call(1)"),
    };
    UNUSED(state);
    RUN(filter_known, cases);
}

static void syntax_gate(void **state) {
    static const filter_case cases[] = {
        KEEP("a.py", "x = @@\n", "[a for a in b]", "[a for a in b]"),
        DROP("a.py", "x = @@\n", "a b c d", "syntax"),
        KEEP("a.py", "x = @@\n", "foo(", "foo("),
        KEEP("a.py", "x = @@\n", "foo(a,", "foo(a,"),
        KEEP("a.py", "x = @@\n", "a +", "a +"),
        KEEP("a.py", "x = @@\n", "foo(a))", "foo(a)"),
        KEEP("a.py", "for x @@\n", "in y:", "in y:"),
        KEEP("a.py", "if @@\ny = 1\n", "x:", "x:"),
        KEEP("a.py", "x = @@\n", "'abc", "'abc"),
        BLOCK("a.py", "def f():\n    @@\n", "return (1,\n    return 2", "return (1,"),
        BLOCK("a.py", "def f():\n    @@\n", "a = 1\n    b = )\n    c = 1", "a = 1"),
        KEEP("a.c", "int f(void) {\n    @@\n}\n", "if (a) {", "if (a) {"),
        KEEP("a.c", "int f(void) {\n    @@\n}\n", "if (a)", "if (a)"),
        DROP("a.c", "int f(void) {\n    @@\n}\n", "return a b c;", "syntax"),
        KEEP("a.c", "int f(void) {\n    @@\n}\n", "x = 1;", "x = 1;"),
        KEEP("a.c", "int f(void) {\n    @@\n}\n", "x = a", "x = a"),
        KEEP("a.c", "int f(void) {\n    @@\n}\n", "x = 1; }", "x = 1; "),
        KEEP("a.ts", "const a = @@\n", "{ b: 1, c }", "{ b: 1, c }"),
        KEEP("a.ts", "const a = @@\n", "async () => {", "async () => {"),
        DROP("a.ts", "const a = @@\n", "of of {{ ] +;", "syntax"),
        KEEP("a.go", "package a\n\nfunc f() {\n\t@@\n}\n", "for i := range x {",
             "for i := range x {"),
        DROP("a.go", "package a\n\nfunc f() {\n\t@@\n}\n", "func if else }", "syntax"),
        /* what the line lacks without the suggestion does not count against it */
        KEEP("a.c", "int x;\n\nstatic int @@(int a)\n", "foo", "foo"),
        KEEP("a.py", "class A:\n    def @@(self, a)\n", "foo", "foo"),
        KEEP("a.txt", "@@", "a ) b", "a ) b"),
    };
    UNUSED(state);
    clock_set_source(still_clock);
    RUN(filter_syntax, cases);
    clock_set_source(NULL);
}

static void confidence(void **state) {
    static const struct {
        float min, mean;
        bool shown;
    } cases[] = {{-1, -0.5f, true}, {-1, -1.5f, false}, {-1, 0, true}, {-1e30f, -99, true}};
    UNUSED(state);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        candidate c = {.logprob_mean = cases[i].mean, .logprob_mean_min = cases[i].min};
        assert_int_equal(filter_confidence(&c) == NULL, cases[i].shown);
    }
}

/* The brake: a clock that has run out believes the suggestion instead of judging it. */
static uint64_t fake_now;
static uint64_t fake_clock(void) {
    return fake_now += LIMIT_GATE_US;
}

static void the_brake_believes(void **state) {
    UNUSED(state);
    fixture f;
    fixture_init(&f, "a.py", "x = @@\n");
    context_prompt p = {.offset = f.offset, .version = 1, .scope = "code", .reason = ""};
    context_answer answer = {.raw = STR("a b c d"), .complete = true};
    candidate c;
    candidate_init(&c, f.d, &p, &answer, &f.a);
    clock_set_source(fake_clock);
    assert_null(filter_syntax(&c));
    clock_set_source(still_clock);
    assert_string_equal(filter_syntax(&c), "syntax");
    clock_set_source(NULL);
    fixture_deinit(&f);
}

/* ---- trials of one place --------------------------------------------------------------------- */

static const struct {
    const char *path, *text; /* "@@": the place */
} places[] = {
    {"a.py", "import os\n\nclass A:\n    def f(self, a):\n        if a:\n@@\n        return [a,\n"
             "                1]\n\nx = A()\n"},
    {"a.c", "#include <a.h>\n\nint f(int a) {\n    for (int i = 0; i < a; i++) {\n@@\n    }\n"
            "    return a;\n}\n\nstatic int b = 1;\n"},
    {"a.cpp",
     "struct A {\n    int f(std::vector<int> &a) {\n        auto g = [&](int x) { return x; "
     "};\n@@\n        return g(a[0]);\n    }\n};\n"},
    {"b.cpp",
     "    return x;\n    }\n}\n\nint f() {\n@@\n    if (a) {\n        b();\n"}, /* unsound */
    {"a.ts", "export class A<T> {\n  f(a: T): T[] {\n@@\n    return [a].map((x) => x)\n  }\n}\n"},
    {"a.js", "const f = (a) => {\n@@\n  return `x ${a}`\n}\n\nmodule.exports = { f }\n"},
    {"a.go", "package a\n\nfunc f(a []int) int {\n@@\n\treturn len(a)\n}\n"},
    {"a.rs", "impl A {\n    fn f(&self) -> u32 {\n@@\n        self.a.iter().sum()\n    }\n}\n"},
    {"a.java", "class A {\n    int f(int a) {\n@@\n        return a;\n    }\n}\n"},
    {"a.rb", "class A\n  def f(a)\n@@\n    a.map { |x| x + 1 }\n  end\nend\n"},
};
static const char *const tried[] = {
    "    x = f(a, 1);",
    "    x = f(a",
    "    return",
    "    }",
    ")",
    "    \"a",
    "    if (a) {\n    x(1",
    "    while a:\n        pass",
    "    a = [1, (2, {3",
    "    for (;;) {\n  a;\n  }",
    "",
    "    @#$ % 1",
    "    // a\n    b();",
    "    /* ",
    "    x(a, );\n    ]]]\n    y();",
};

static void place_of(size_t k, str around[4]) {
    str text = str_of(places[k].text);
    size_t at = (size_t)str_find(text, STR("@@"));
    around[0] = str_sub(text, 0, at / 2);
    around[1] = str_sub(text, at / 2, at);
    around[2] = str_sub(text, at + 2, text.len - 3);
    around[3] = str_sub(text, text.len - 3, text.len);
}

static uint64_t next_now;
static uint64_t leaping_clock(void) { /* late, but only at the second look */
    uint64_t now = next_now;
    next_now = 1000;
    return now;
}

/* Reusing what was parsed must not be seen: neither in a count, nor after a trial that was late. */
static void trials_count_as_from_scratch(void **state) {
    UNUSED(state);
    strbuf longer;
    strbuf_init(&longer, 4096);
    strbuf_addf(&longer, "    x = 1");
    for (int i = 0; i < 150; i++)
        strbuf_addf(&longer, " + f(a)");
    for (size_t k = 0; k < COUNTOF(places); k++) {
        if (fixture_is_left_out(places[k].path)) continue;
        const grammar *g = language_grammar(language_find(str_of(places[k].path), STR("")));
        str a[4];
        place_of(k, a);
        size_t want, got = 99;
        syntax_trials *t = syntax_trials_new(g, a, UINT64_MAX);
        assert_non_null(t);
        const str bare[6] = {a[0], a[1], a[2], a[3]};
        assert_true(syntax_count_errors(g, bare, UINT64_MAX, &want));
        assert_int_equal(syntax_trials_errors(t), want);
        for (size_t i = 0; i < 2 * COUNTOF(tried); i++) {
            str line = str_of(tried[i * 7 % COUNTOF(tried)]),
                whole[6] = {a[0], a[1], line, a[2], a[3]};
            const str inside[4] = {
                str_sub(line, 0, 3), str_sub(line, 3, 9), {0}, str_sub(line, 9, line.len)};
            assert_true(syntax_count_errors(g, whole, UINT64_MAX, &want));
            assert_true(syntax_trials_count(t, inside, UINT64_MAX, &got));
            if (got != want)
                fail_msg("%s with |%.*s|: %zu errors, not %zu", places[k].path, STR_ARG(line), got,
                         want);
            const str late[4] = {strbuf_str(&longer)};
            next_now = 0;
            clock_set_source(leaping_clock);
            assert_false(syntax_trials_count(t, late, 500, &got));
            clock_set_source(NULL);
            assert_false(syntax_trials_count(t, inside, 0, &got));
        }
        syntax_trials_free(t);
    }
    strbuf_deinit(&longer);
}

static void trials_know_their_text(void **state) {
    UNUSED(state);
    const grammar *g = language_grammar(language_find(STR("a.c"), STR("")));
    const grammar *other = language_grammar(language_find(STR("a.py"), STR("")));
    if (fixture_is_left_out("a.c")) return;
    const str text[4] = {STR("int a;\n"), STR("int b;\n"), STR("int c;\n"), STR("}")};
    syntax_trials *t = syntax_trials_new(g, text, UINT64_MAX);
    assert_true(syntax_trials_are_of(t, g, text));
    const str same[4] = {STR("int a;\nint b;"), STR("\n"), {0}, STR("int c;\n}")};
    assert_true(syntax_trials_are_of(t, g, same));
    assert_false(syntax_trials_are_of(t, other, text));
    assert_false(syntax_trials_are_of(NULL, g, text));
    for (int i = 0; i < 4; i++) {
        str changed[4] = {text[0], text[1], text[2], text[3]};
        changed[i] = str_sub(text[i], 1, text[i].len);
        assert_false(syntax_trials_are_of(t, g, changed));
        changed[i] = (str){"int x;\n", text[i].len}; /* of the same length */
        assert_false(syntax_trials_are_of(t, g, changed));
    }
    const str moved[4] = {STR("int a;\nint b;\nint c;\n"), {0}, {0}, STR("}")};
    assert_false(syntax_trials_are_of(t, g, moved)); /* the same bytes, another place */
    syntax_trials_free(t);
}

/* Edits elsewhere and other documents come between two answers: what is kept never decides. */
static void kept_trials_change_nothing(void **state) {
    static const struct {
        size_t document, at; /* an edit at a byte ... */
        const char *text;    /* ... inserts this */
    } steps[] = {
        {0, 0, ""}, {0, 0, "int b = ("}, {0, 0, ");"}, {1, 0, ""},    {0, 0, ""},
        {0, 0, ""}, {1, 0, "x = (\n"},   {0, 0, ""},   {1, 0, ")\n"}, {1, 0, ""},
    };
    static const char *const answers[] = {"a = 1;", "f(a", "] + 1", "a b c d", "if (a)\n    b(]"};
    UNUSED(state);
    if (fixture_is_left_out("a.c") || fixture_is_left_out("a.py")) return;
    fixture f[2];
    fixture_init(&f[0], "a.c", "int f(int a) {\n    @@\n    return a;\n}\n");
    fixture_init(&f[1], "a.py", "def f(a):\n    @@\n    return a\n");
    syntax_trials *kept = NULL;
    for (size_t i = 0; i < COUNTOF(steps) * COUNTOF(answers); i++) {
        size_t step = i / COUNTOF(answers);
        fixture *at = &f[steps[step].document];
        str typed = str_of(i % COUNTOF(answers) ? "" : steps[step].text);
        assert_int_equal(document_edit(at->d, steps[step].at, steps[step].at, typed, NULL), OK);
        at->offset += typed.len;
        context_prompt p = {.offset = at->offset, .version = 1, .scope = "code", .reason = ""};
        context_answer answer = {.raw = str_of(answers[i % COUNTOF(answers)]), .complete = true};
        candidate fresh, c;
        candidate_init(&fresh, at->d, &p, &answer, &at->a);
        c = fresh;
        c.trials = &kept;
        const char *want = filter_syntax(&fresh), *got = filter_syntax(&c);
        assert_string_equal(got ? got : "shown", want ? want : "shown");
        assert_true(str_eq(c.text, fresh.text));
    }
    syntax_trials_free(kept);
    fixture_deinit(&f[0]);
    fixture_deinit(&f[1]);
}

static void bracket_reader(void **state) {
    static const struct {
        const char *before, *text, *open;
        size_t earlier, unknown;
    } cases[] = {
        {"f(", "a)", "", 1, SIZE_MAX},
        {"f(", "g(a)", "(", SIZE_MAX, SIZE_MAX},
        {"", "a)", "", SIZE_MAX, 1},
        {"f('", "a)')", "", 2, SIZE_MAX},
        {"f(", "')' )", "", 4, SIZE_MAX},
        {"f(", "a // )\n)", "", 7, SIZE_MAX},
        {"{[", "]}}", "", 0, 2},
        {"", "'\\')'", "", SIZE_MAX, SIZE_MAX},
        {"", "([{", "([{", SIZE_MAX, SIZE_MAX},
        {"(", "]", "(", SIZE_MAX, SIZE_MAX},
    };
    UNUSED(state);
    const language *l = language_find(STR("a.c"), STR(""));
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        brackets b = {0};
        brackets_read(&b, l, str_of(cases[i].before));
        brackets_read(&b, l, str_of(cases[i].text));
        if (b.closes_earlier != cases[i].earlier || b.closes_unknown != cases[i].unknown)
            fail_msg("case %zu: %zu %zu", i, b.closes_earlier, b.closes_unknown);
        assert_true(str_eq((str){b.open, b.depth}, str_of(cases[i].open)));
    }
    brackets deep = {0};
    for (int i = 0; i < 3 * BRACKET_DEPTH_MAX; i++)
        brackets_read(&deep, l, STR("("));
    assert_int_equal(deep.depth, BRACKET_DEPTH_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes),
        cmocka_unit_test(marker),
        cmocka_unit_test(secret),
        cmocka_unit_test(blank),
        cmocka_unit_test(cut_line),
        cmocka_unit_test(cut_block),
        cmocka_unit_test(indent),
        cmocka_unit_test(indent_as_the_editor_says),
        cmocka_unit_test(repeat),
        cmocka_unit_test(duplicate),
        cmocka_unit_test(suffix),
        cmocka_unit_test(bracket),
        cmocka_unit_test(known_names),
        cmocka_unit_test(syntax_gate),
        cmocka_unit_test(confidence),
        cmocka_unit_test(bracket_reader),
        cmocka_unit_test(the_brake_believes),
        cmocka_unit_test(trials_count_as_from_scratch),
        cmocka_unit_test(trials_know_their_text),
        cmocka_unit_test(kept_trials_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
