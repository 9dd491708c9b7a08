/* SPDX-License-Identifier: Apache-2.0 */
/* Language table, lexical questions and scope queries of every grammar of the build. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "context/context.h"
#include "context/language.h"

static void names_by_file_and_id(void **state) {
    static const struct {
        const char *path, *id, *want;
    } cases[] = {
        {"a.py", "", "python"},
        {"a/b.c", "", "c"},
        {"x.h", "", "c"},
        {"x.h", "cpp", "cpp"},
        {"x.ts", "", "typescript"},
        {"x.tsx", "", "tsx"},
        {"x", "typescriptreact", "tsx"},
        {"x.go", "go", "go"},
        {"x.go", "plaintext", "go"},
        {"Makefile", "", "make"},
        {"dir.py/readme", "", "text"},
        {"", "", "text"},
        {"x.unknown", "klingon", "text"},
        {"x.py", "klingon", "python"},
        {"file:///a/b.rs", "", "rust"},
        {"x", "shellscript", "bash"},
        {"x", "C", "c"},
        {".py", "", "python"},
    };
    UNUSED(state);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const char *got = context_language(str_of(cases[i].path), str_of(cases[i].id));
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s, %s: %s, not %s", cases[i].path, cases[i].id, got, cases[i].want);
    }
}

static void block_openers(void **state) {
    static const struct {
        const char *language, *line;
        bool opens;
    } cases[] = {
        {"python", "def f(x):", true},
        {"python", "    if x:  # why", true},
        {"python", ") -> int:", true},
        {"python", "      b: int) -> int:", true},
        {"python", "x[(1):", false},
        {"python", "else:", true},
        {"python", "x = {'a':", false},
        {"python", "'define':", false},
        {"python", "default:", false},
        {"python", "x = 1", false},
        {"python", "", false},
        {"c", "int main(void) {", true},
        {"c", "} else { // x", true},
        {"c", "int x;", false},
        {"c", "char *s = \"{\"; // {", false},
        {"go", "func main() {", true},
        {"lua", "if x then", true},
        {"lua", "local f = function(a, b)", true},
        {"lua", "local x = 1", false},
        {"ruby", "def a", true},
        {"ruby", "list.each do |x|", true},
        {"ruby", "define_method :a", false},
        {"bash", "for x in *; do", true},
        {"bash", "echo done", false},
        {"text", "note:", false},
    };
    UNUSED(state);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const language *l = language_find(STR(""), str_of(cases[i].language));
        if (language_opens_block(l, str_of(cases[i].line)) != cases[i].opens)
            fail_msg("%s: %s", cases[i].language, cases[i].line);
    }
}

static void block_closers(void **state) {
    UNUSED(state);
    const language *c = language_find(STR("a.c"), STR("")),
                   *lua = language_find(STR("a.lua"), STR(""));
    assert_true(language_closes_block(c, STR("  } else {")));
    assert_true(language_closes_block(c, STR(")")));
    assert_false(language_closes_block(c, STR("end")));
    assert_false(language_closes_block(c, STR("   ")));
    assert_true(language_closes_block(lua, STR("  end")));
    assert_false(language_closes_block(lua, STR("ending = 1")));
}

static void comments_and_strings(void **state) {
    static const struct {
        const char *language, *line;
        int comment; /* -1: none */
        bool in_string;
    } cases[] = {
        {"c", "x = 1; // a", 7, false},      {"c", "\"//\" x", -1, false},
        {"c", "s = \"a // b", -1, true},     {"c", "c = '\"'; // q", 9, false},
        {"c", "s = \"a\\\" // b", -1, true}, {"python", "x = '#' # c", 8, false},
        {"python", "#", 0, false},           {"rust", "fn f<'a>(x: &'a str) // c", 21, false},
        {"text", "# 'x", -1, false},         {"typescript", "`a // ${", -1, true},
        {"lua", "x = 1 -- c", 6, false},     {"c", "", -1, false},
    };
    UNUSED(state);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const language *l = language_find(STR(""), str_of(cases[i].language));
        str line = str_of(cases[i].line);
        size_t want = cases[i].comment < 0 ? line.len : (size_t)cases[i].comment;
        if (language_comment_start(l, line) != want) fail_msg("comment in: %s", cases[i].line);
        if (language_in_string(l, line) != cases[i].in_string) fail_msg("string in: %s", line.ptr);
    }
}

static void every_grammar_has_a_row_and_a_query(void **state) {
    UNUSED(state);
    assert_true(grammars_count > 0);
    for (size_t i = 0; i < grammars_count; i++) {
        const grammar *g = &grammars[i];
        const language *l = language_find(STR(""), str_of(g->name));
        assert_string_equal(l->name, g->name);
        assert_ptr_equal(language_grammar(l), g);
        uint32_t at = 0;
        TSQueryError kind = TSQueryErrorNone;
        TSQuery *q = ts_query_new(g->get(), g->scopes, (uint32_t)strlen(g->scopes), &at, &kind);
        if (!q) fail_msg("%s/scopes.scm: error %d at: %.40s", g->name, (int)kind, g->scopes + at);
        assert_true(ts_query_pattern_count(q) > 0);
        ts_query_delete(q);
    }
}

static void rows_are_distinct(void **state) {
    UNUSED(state);
    size_t rows = 0;
    for (const language *l; (l = language_at(rows)) != NULL; rows++) {
        assert_ptr_equal(rows ? language_find(STR(""), str_of(l->name)) : l, l);
        for (size_t i = 0; i < COUNTOF(l->files) && l->files[i]; i++) {
            str file = str_of(l->files[i]);
            if (rows) assert_ptr_equal(language_find(file, STR("")), l);
        }
    }
    assert_true(rows >= 18);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_by_file_and_id),
        cmocka_unit_test(block_openers),
        cmocka_unit_test(block_closers),
        cmocka_unit_test(comments_and_strings),
        cmocka_unit_test(every_grammar_has_a_row_and_a_query),
        cmocka_unit_test(rows_are_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
