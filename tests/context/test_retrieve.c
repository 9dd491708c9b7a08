/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of other places: what is found, what must never be, and that it stays while one types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "context/retrieve.h"
#include "context/words.h"

typedef struct {
    char root[64];
    context *c;
    symbols *x;
    arena a;
} place;

static void put(const place *at, const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", at->root, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static document *open_text(place *at, const char *name, const char *text) {
    document *d;
    err e;
    char *uri = arena_printf(&at->a, "file://%s/%s", at->root, name);
    char *file = arena_printf(&at->a, "%s/%s", at->root, name);
    status s = context_open(at->c, str_of(uri), str_of(name), STR(""), str_of(text), 1, &d, &e);
    if (s != OK) fail_msg("%s", e.text);
    context_locate(at->c, d, str_of(file));
    return d;
}

static context_prompt ask_with(place *at, document *d, size_t offset, context_request rq) {
    context_prompt p;
    rq.offset = offset;
    rq.retrieval = true;
    context_assemble(at->c, d, &rq, &at->a, &p);
    if (p.skip) fail_msg("skipped: %s", p.reason);
    return p;
}

static context_prompt ask(place *at, document *d) {
    return ask_with(at, d, document_text(d).len, (context_request){0});
}

static const context_chunk *chunk(const context_prompt *p, const char *why, const char *text) {
    for (size_t i = 0; i < p->n_chunks; i++)
        if (!strcmp(p->chunks[i].why, why) && str_find(p->chunks[i].text, str_of(text)) >= 0)
            return &p->chunks[i];
    return NULL;
}

static void type(document *d, const char *text) {
    for (; *text; text++) {
        err e;
        size_t end = document_text(d).len;
        if (document_edit(d, end, end, (str){text, 1}, &e) != OK) fail_msg("%s", e.text);
    }
}

static void use_index(place *at) {
    symbols_stats s = {0};
    str root = str_of(at->root);
    at->x = symbols_start(NULL);
    symbols_set_view(at->x, &(symbols_view){.client = 1, .roots = &root, .n = 1});
    for (int i = 0; i < 6000 && (s.busy || !s.scans); i++) {
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        symbols_get_stats(at->x, &s);
    }
    assert_true(s.scans > 0);
    context_set_symbols(at->c, at->x, 1);
}

static int setup(void **state) {
    place *at = xcalloc(1, sizeof *at);
    snprintf(at->root, sizeof at->root, "/tmp/inlined_retrieve_XXXXXX");
    assert_non_null(mkdtemp(at->root));
    arena_init(&at->a);
    at->c = context_new();
    str root = str_of(at->root);
    context_set_roots(at->c, &root, 1);
    context_set_privacy(at->c, STR("*.hidden.py\n"), true);
    *state = at;
    return 0;
}

static int teardown(void **state) {
    place *at = *state;
    char command[128];
    context_free(at->c);
    symbols_stop(at->x);
    arena_deinit(&at->a);
    snprintf(command, sizeof command, "rm -rf %s", at->root);
    int rc = system(command);
    xfree(at);
    return rc;
}

static void definitions_of_near_names(void **state) {
    place *at = *state;
    put(at, "store.py",
        "TOKEN_KEY = \"AKIAIOSFODNN7EXAMPLE\"\n\n\nclass Store:\n"
        "    def fetch(self, id: int) -> str:\n        return str(id)\n\n"
        "    def drop_everything_that_is_older_than(self, days: int, really: "
        "bool) -> None:\n        raise NotImplementedError(days, really, self, "
        "1, 2, 3, 4, 5, 6)\n");
    put(at, "far.py", "def unrelated_function(): pass\n");
    put(at, "x.hidden.py", "def hidden_function(): pass\n");
    use_index(at);
    document *d = open_text(at, "main.py",
                            "def local_one(): pass\nuse(TOKEN_KEY, hidden_function)\n"
                            "store = Store(local_one)\nstore.");
    context_prompt p = ask(at, d);
    const context_chunk *k = chunk(&p, "definitions", "class Store:");
    assert_non_null(k);
    assert_true(str_eq(k->path, STR("store.py")));
    assert_true(str_find(k->text, STR("    def fetch(self, id: int) -> str:")) > 0);
    assert_true(str_find(k->text, STR("AKIA")) < 0); /* masked already in the index */
    assert_null(chunk(&p, "definitions", "unrelated_function"));
    assert_null(chunk(&p, "definitions", "hidden_function"));
    assert_null(chunk(&p, "definitions", "local_one")); /* it is in the window */
    assert_true(p.sections[3].bytes > 0 && p.sections[3].bytes <= p.sections[3].budget);
}

/* Keys on one line never change the pieces; a new line with a new name may. */
static void pieces_stay_while_typing(void **state) {
    place *at = *state;
    put(at, "a.py", "def first_helper(x): return x\n");
    put(at, "b.py", "def second_helper(y): return y\n");
    use_index(at);
    document *d = open_text(at, "main.py", "first_helper(1)\n");
    context_prompt p = ask(at, d);
    assert_true(p.chosen_anew);
    assert_int_equal(p.n_chunks, 1);
    for (const char *key = "second_helper(2)"; *key; key++) {
        type(d, (char[]){*key, 0});
        p = ask(at, d);
        assert_false(p.chosen_anew);
        assert_int_equal(p.n_chunks, 1);
    }
    type(d, "\nz");
    p = ask(at, d);
    assert_true(p.chosen_anew);
    assert_int_equal(p.n_chunks, 2);
    assert_true(str_eq(p.chunks[0].path, STR("a.py"))); /* what was there keeps its place */
    assert_true(str_eq(p.chunks[1].path, STR("b.py")));
    type(d, " = 1\n");
    p = ask(at, d);
    assert_false(p.chosen_anew);
    document *fork = document_fork(d);
    assert_int_equal(fork->selection.n, 2);
    document_free(fork);
}

#define LONG_LINES                                                                                 \
 "def compute_totals(rows):\n    total_amount = 0\n    for row in rows:\n"                         \
 "        total_amount += row.amount * row.exchange_rate\n    return total_amount\n"

static void places_and_documents(void **state) {
    place *at = *state;
    document *other = open_text(at, "other.py", LONG_LINES);
    open_text(at, "o.hidden.py", LONG_LINES);
    document *d = open_text(at, "main.py", "amount = compute_totals(rows).exchange_rate\nx = ");
    context_prompt p = ask(at, d);
    const context_chunk *k = chunk(&p, "open", "total_amount");
    assert_non_null(k);
    assert_true(str_eq(k->path, STR("other.py")));
    /* The place that is left enters the ring, and survives the document. */
    (void)ask_with(at, other, 40, (context_request){.invoked = true});
    context_close(at->c, other);
    type(d, "\n\n");
    p = ask_with(at, d, document_text(d).len, (context_request){.sections_off = 1u << 30});
    assert_non_null(chunk(&p, "recent", "total_amount"));
    uint32_t off = context_section_bit("recent");
    assert_true(off);
    p = ask_with(at, d, document_text(d).len, (context_request){.sections_off = off});
    assert_null(chunk(&p, "recent", "total_amount"));
    assert_int_equal(context_section_bit("no such"), 0);
}

static void edits_as_diffs(void **state) {
    place *at = *state;
    document *other = open_text(at, "other.py", "a = 1\nb = 2\nc = 3\nd = 4\n");
    err e;
    assert_int_equal(document_edit(other, 10, 11, STR("22"), &e), OK);      /* b = 22 */
    assert_int_equal(document_edit(other, 13, 13, STR("n = 0\n"), &e), OK); /* a line below */
    document *d = open_text(at, "main.py", "x = ");
    context_prompt p = ask(at, d);
    const context_chunk *k = chunk(&p, "edits", "-b = 2");
    assert_non_null(k);
    assert_true(str_eq(k->text, STR("-b = 2\n+b = 22\n+n = 0\n")));
    assert_int_equal(other->edits.places.count, 1); /* near ones are one */
    /* Undone: nothing is told. */
    assert_int_equal(document_edit(other, 10, 19, STR("2\n"), &e), OK);
    assert_true(str_eq(document_text(other), STR("a = 1\nb = 2\nc = 3\nd = 4\n")));
    p = ask_with(at, d, 4, (context_request){.sections_off = 1u << 30});
    assert_null(chunk(&p, "edits", "b = 2"));
    /* The window's own edits are in the window. */
    type(d, "1\ny = ");
    p = ask(at, d);
    assert_null(chunk(&p, "edits", "y ="));
}

/* Random edits: places stay inside the document and diffs can be made. */
static void edit_log_holds(void **state) {
    place *at = *state;
    document *d = open_text(at, "a.py", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n");
    unsigned seed = 7;
    for (int i = 0; i < 4000; i++) {
        err e;
        static const char *const texts[] = {"", "x", "\n", "a\nb\n", "\r\n", "\n\n\n\n\n\n", "\r"};
        seed = seed * 1664525u + 1013904223u;
        size_t len = document_text(d).len, from = seed % (len + 1);
        size_t to = MIN(len, from + (seed >> 20) % 9);
        str text = str_of(texts[(seed >> 8) % COUNTOF(texts)]);
        if (len > 2000) text = (str){0};
        assert_int_equal(document_edit(d, from, to, text, &e), OK);
        assert_true(d->edits.places.count <= EDITS_MAX);
        for (size_t k = 0; k < d->edits.places.count; k++) {
            const edit_place *p = &d->edits.places.at[k];
            assert_true(p->first <= p->last && p->last < document_line_count(d));
            (void)edit_place_diff(p, d, &at->a);
        }
        arena_clear(&at->a);
    }
}

static void notes_move_with_the_text(void **state) {
    place *at = *state;
    document *d = open_text(at, "main.py", "one\ntwo\nthree\nfour\n");
    const context_note notes[] = {{1, STR("error: a")}, {2, STR("error: b")}, {3, STR("error: c")}};
    err e;
    context_set_notes(d, notes, 3);
    assert_int_equal(document_edit(d, 0, 0, STR("zero\r\nmore\n"), &e), OK);
    assert_int_equal(d->notes.at[0].line, 3);
    assert_int_equal(d->notes.at[2].line, 5);
    size_t two = document_line_start(d, 3), four = document_line_start(d, 5);
    assert_int_equal(document_edit(d, two + 1, four, STR(""), &e), OK); /* "tfour" */
    assert_int_equal(d->notes.at[0].line, 3);
    assert_int_equal(d->notes.at[1].line, 3);
    assert_int_equal(d->notes.at[2].line, 3);
    context_prompt p = ask(at, d);
    assert_non_null(chunk(&p, "diagnostics", "tfour\n^ error: a\n"));
    assert_int_equal(document_replace(d, STR("x = 1\n"), &e), OK);
    assert_int_equal(d->notes.count, 0);
}

/* A piece that is longer than its share is cut at a line's end. */
static void long_pieces_are_cut(void **state) {
    place *at = *state;
    strbuf text;
    strbuf_init(&text, 1u << 16);
    strbuf_addf(&text, "diff --git a/b.py b/b.py\n+++ b/b.py\n@@ -0,0 +1,20 @@\n");
    for (int i = 0; i < 20; i++)
        strbuf_addf(&text, "+total_%02d = alpha + beta\n", i);
    document *d = open_text(at, "main.py", "alpha, beta = 1, 2\nreturn alpha + beta + ");
    context_set_diff(at->c, str_of(at->root), strbuf_str(&text));
    context_prompt p = ask(at, d);
    const context_chunk *k = chunk(&p, "diff", "+total_00");
    assert_non_null(k);
    assert_true(k->text.len <= 153 && k->text.len >= 64);
    assert_true(str_ends_with(k->text, STR("alpha + beta\n")));
    strbuf_deinit(&text);
}

static void notes_and_branch(void **state) {
    place *at = *state;
    document *d = open_text(at, "main.py", "x = undefined_name\ny = ");
    context_note note = {.line = 0, .text = STR("line 1: \"undefined_name\" is not defined")};
    context_set_notes(d, &note, 1);
    context_set_diff(at->c, str_of(at->root),
                     STR("diff --git a/b.py b/b.py\n--- a/b.py\n+++ b/b.py\n@@ -1 +1,2 @@ x\n"
                         "-old_call()\n+new_call(password=\"Tr0ub4dor&3\")\n"
                         "+++ b/counted.py is a line of the hunk\n\\ No newline at end of file\n"
                         "@@ -9,2 +10 @@\n-far_call()\n-other()\n+far()\n"
                         "diff --git a/z.hidden.py b/z.hidden.py\n+++ b/z.hidden.py\n"
                         "@@ -0,0 +1 @@\n+secret_call()\n"
                         "diff --git \"a/odd\\n\" \"b/odd\\n\"\n+++ \"b/odd\\n\"\n@@ -0,0 +1 @@\n"
                         "+odd_call()\n"
                         "diff --git a/main.py b/main.py\n+++ b/main.py\n@@ -0,0 +1 @@\n+own()\n"));
    context_prompt p = ask(at, d);
    assert_non_null(chunk(&p, "diagnostics", "not defined"));
    const context_chunk *k = chunk(&p, "diff", "-old_call()");
    assert_non_null(k);
    assert_true(str_eq(k->text, STR("-old_call()\n+new_call(password=\"REDACTED\")\n"
                                    "+++ b/counted.py is a line of the hunk\n")));
    assert_true(str_eq(k->path, STR("b.py")));
    assert_non_null(chunk(&p, "diff", "-far_call()"));
    assert_null(chunk(&p, "diff", "secret_call"));
    assert_null(chunk(&p, "diff", "odd_call"));
    assert_null(chunk(&p, "diff", "own()"));
    /* A rule that comes later hides, and so does a folder that goes. */
    context_set_privacy(at->c, STR("b.py\n"), true);
    d = open_text(at, "main.py", "x = 1\ny = ");
    p = ask(at, d);
    assert_null(chunk(&p, "diff", "far_call"));
    context_set_privacy(at->c, (str){0}, true);
    str root = STR("/elsewhere");
    context_set_roots(at->c, &root, 1);
    d = open_text(at, "main.py", "x = 1\ny = ");
    p = ask(at, d);
    assert_null(chunk(&p, "diff", "far_call"));
}

static void budgets(void **state) {
    place *at = *state;
    char text[4000];
    for (int i = 0; i < 12; i++) {
        char name[32];
        snprintf(name, sizeof name, "f%d.py", i);
        snprintf(text, sizeof text,
                 "def shared_word_%d(alpha, beta):\n    gamma_%d = alpha + beta\n"
                 "    return gamma_%d * alpha * beta\n",
                 i, i, i);
        open_text(at, name, text);
    }
    document *d = open_text(at, "main.py", "alpha, beta = 1, 2\nreturn alpha + beta + ");
    context_prompt all = ask(at, d);
    size_t bytes = 0;
    for (size_t i = 0; i < all.n_chunks; i++)
        bytes += all.chunks[i].text.len;
    assert_true(all.n_chunks > 2 && bytes <= 1536);
    type(d, "\n");
    context_prompt few =
        ask_with(at, d, document_text(d).len,
                 (context_request){.chunk_bytes_max = 400, .sections_off = 1u << 30});
    bytes = 0;
    for (size_t i = 0; i < few.n_chunks; i++)
        bytes += few.chunks[i].text.len;
    assert_true(bytes <= 400 && few.n_chunks < all.n_chunks);
}

static void words(void **state) {
    UNUSED(state);
    str rest = STR("int a1b = 0x1fab + foo_bar(x, \xC3\xA4\xC3\xB6);"), word;
    static const char *const want[] = {"int", "a1b", "foo_bar", "\xC3\xA4\xC3\xB6"};
    for (size_t i = 0; i < COUNTOF(want); i++) {
        assert_true(word_next(&rest, &word));
        if (!str_eq(word, str_of(want[i]))) fail_msg("%.*s", STR_ARG(word));
    }
    assert_false(word_next(&rest, &word));
    word_set a = {{0}}, b = {{0}}, none = {{0}};
    word_set_add(&a, STR("one two three"));
    word_set_add(&b, STR("two three four"));
    assert_true(word_set_likeness(&a, &a) > 0.99f);
    assert_true(word_set_likeness(&a, &b) > 0.4f && word_set_likeness(&a, &b) < 0.6f);
    assert_true(word_set_likeness(&a, &none) < 0.01f);
    assert_true(word_set_likeness(&none, &none) < 0.01f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test_setup_teardown(definitions_of_near_names, setup, teardown),
        cmocka_unit_test_setup_teardown(pieces_stay_while_typing, setup, teardown),
        cmocka_unit_test_setup_teardown(places_and_documents, setup, teardown),
        cmocka_unit_test_setup_teardown(edits_as_diffs, setup, teardown),
        cmocka_unit_test_setup_teardown(edit_log_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(notes_move_with_the_text, setup, teardown),
        cmocka_unit_test_setup_teardown(long_pieces_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(notes_and_branch, setup, teardown),
        cmocka_unit_test_setup_teardown(budgets, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
