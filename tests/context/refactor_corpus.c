/* SPDX-License-Identifier: Apache-2.0 */
/* Extracts variables in files, inlines each again, and compares the syntax trees:
 *
 *     refactor_corpus MOST FILE...
 *
 * At most MOST of a file, spread over it.  Prints a line "LANGUAGE extracted same outside FILE" for
 * each file; outside: variables outside of functions, or in a file with syntax errors, which are
 * not inlined.  Anything else than the same tree, or new syntax errors, ends it with 1.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "tests/context/refactor_all.h"

typedef struct {
    document *document;
    char *tree; /* the document's */
    int every, seen, extracted, same, outside;
    bool bad;
} trip;

static char *tree_text(document *d) {
    bool parsed = context_parse(d, 60000000);
    ASSERT(parsed);
    return ts_node_string(ts_tree_root_node(syntax_tree(d->tree)));
}

static void apply(document *d, const refactoring *r) {
    err e;
    for (size_t i = r->n; i-- > 0;) {
        status s = document_edit(d, r->edits[i].from, r->edits[i].to, r->edits[i].text, &e);
        ASSERT(!s);
    }
}

static void complain(trip *t, const char *what, size_t from, size_t to) {
    str old = str_sub(document_text(t->document), from, to);
    fprintf(stderr, "%s, line %zu: %.*s\n", what, document_line_of(t->document, from) + 1,
            (int)MIN(old.len, 200), old.ptr);
    t->bad = true;
}

/* In a function of a file without syntax errors. */
static bool is_inside(document *d, size_t at) {
    TSNode root = ts_tree_root_node(syntax_tree(d->tree));
    if (ts_node_has_error(root)) return false;
    TSNode node = ts_node_descendant_for_byte_range(root, (uint32_t)at, (uint32_t)at + 1);
    return target_is_function(names_scope(node));
}

static void count(void *ud, all_kind kind, size_t from, size_t to, const refactoring *r) {
    trip *t = ud;
    UNUSED(kind);
    UNUSED(from);
    UNUSED(to);
    UNUSED(r);
    t->seen++;
}

/* A parse that takes too long refuses, as it does where other programs hold the machine. */
static bool inlines(document *d, size_t at, arena *a, refactoring *back) {
    for (int i = 0; i < 20; i++) {
        if (refactor_inline_variable(d, at, a, back)) return true;
    }
    return false;
}

static void there_and_back(void *ud, all_kind kind, size_t from, size_t to, const refactoring *r) {
    trip *t = ud;
    UNUSED(kind);
    if (t->seen++ % t->every) return;
    t->extracted++;
    document *fork = document_fork(t->document);
    apply(fork, r);
    char *between = tree_text(fork);
    if (!strstr(t->tree, "(ERROR") && strstr(between, "(ERROR"))
        complain(t, "it breaks the syntax", from, to);
    free(between);
    size_t at = r->n == 2 ? from + r->edits[0].text.len : from;
    arena a;
    refactoring back;
    arena_init(&a);
    ptrdiff_t name = str_find(str_sub(document_text(fork), at, at + 4096), r->name);
    if (name < 0) {
        complain(t, "the name is gone", from, to);
    } else if (inlines(fork, at + (size_t)name, &a, &back)) {
        apply(fork, &back);
        char *after = tree_text(fork);
        t->same++;
        if (strcmp(t->tree, after) != 0) complain(t, "extracted, inlined, not the same", from, to);
        free(after);
    } else if (is_inside(t->document, from)) {
        complain(t, "it is not inlined", from, to);
    } else {
        t->outside++;
    }
    arena_deinit(&a);
    document_free(fork);
}

static bool look_at(const char *path, int most) {
    strbuf text;
    err e = {{0}};
    trip t = {.every = 1};
    strbuf_init(&text, 4u << 20);
    context *c = context_new();
    status s = file_read(path, 4u << 20, &text, &e);
    if (!s)
        s = context_open(c, STR("u"), str_of(path), STR(""), strbuf_str(&text), 1, &t.document, &e);
    if (s) {
        fprintf(stderr, "%s: %s\n", path, e.text);
    } else {
        t.tree = tree_text(t.document);
        all_refactorings(t.document, 1u << ALL_VARIABLE, count, &t);
        t.every = MAX(1, (t.seen + most - 1) / most);
        t.seen = 0;
        all_refactorings(t.document, 1u << ALL_VARIABLE, there_and_back, &t);
        printf("%s %d %d %d %s\n", document_language(t.document), t.extracted, t.same, t.outside,
               path);
        free(t.tree);
    }
    if (t.bad) fprintf(stderr, "in %s\n", path);
    context_free(c);
    strbuf_deinit(&text);
    return !s && !t.bad;
}

int main(int argc, char **argv) {
    int64_t most;
    if (argc < 3 || !str_to_i64(str_of(argv[1]), &most) || most < 1 || most > 100000) return 2;
    bool good = true;
    for (int i = 2; i < argc; i++)
        good = look_at(argv[i], (int)most) && good;
    return good ? 0 : 1;
}
