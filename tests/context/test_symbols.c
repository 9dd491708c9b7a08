/* SPDX-License-Identifier: Apache-2.0 */
/* The symbol index with real files, its thread, and its SQLite file: good, damaged, locked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "context/symbol_store.h"
#include "context/symbols.h"
#include "engine/base/mem.h"

#define WAIT_S 30
#define GLOBS "*.pem\n.env*\nhidden.py\n"

typedef struct {
    char root[64], cache[64];
    symbols *x;
    arena a;
} place;

static void put(const place *at, const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", at->root, name);
    for (char *slash = path + strlen(at->root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static str below(place *at, const char *name) {
    return str_of(arena_printf(&at->a, "%s/%s", at->root, name));
}

static void doze(void) {
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

/* Until `scans` scans are finished and nothing waits. */
static void settle(place *at, uint64_t scans) {
    symbols_stats s = {0};
    for (int i = 0; i < WAIT_S * 200; i++) {
        symbols_get_stats(at->x, &s);
        if (!s.busy && s.scans >= scans) return;
        doze();
    }
    fail_msg("the index is still busy after %d s: %zu scans", WAIT_S, (size_t)s.scans);
}

static void start(place *at) {
    at->x = symbols_start(at->cache);
    str root = str_of(at->root);
    symbols_view v = {.client = 1, .roots = &root, .n = 1, .deny_globs = STR(GLOBS),
                      .respect_gitignore = true};
    symbols_set_view(at->x, &v);
    settle(at, 1);
}

static size_t find(place *at, const char *name, symbol *out, size_t max) {
    str root = str_of(at->root);
    return symbols_find(at->x, 1, &root, 1, str_of(name), &at->a, out, max);
}

static void expect(place *at, const char *name, const char *signature) {
    symbol s;
    size_t n = find(at, name, &s, 1);
    if (n != (signature != NULL)) fail_msg("%s: %zu definitions", name, n);
    if (signature && !str_eq(s.signature, str_of(signature)))
        fail_msg("%s: %.*s", name, STR_ARG(s.signature));
}

static int setup(void **state) {
    place *at = xcalloc(1, sizeof *at);
    snprintf(at->root, sizeof at->root, "/tmp/inlined_symbols_XXXXXX");
    snprintf(at->cache, sizeof at->cache, "/tmp/inlined_cache_XXXXXX");
    assert_non_null(mkdtemp(at->root));
    assert_non_null(mkdtemp(at->cache));
    arena_init(&at->a);
    put(at, "src/users.py", "class Store:\n    def fetch(self, id: int) -> str:\n        pass\n");
    put(at, "src/area.c", "int area(int w, int h) {\n    return w * h;\n}\n");
    *state = at;
    return 0;
}

static int teardown(void **state) {
    place *at = *state;
    char command[256];
    symbols_stop(at->x);
    arena_deinit(&at->a);
    snprintf(command, sizeof command, "rm -rf %s %s", at->root, at->cache);
    int rc = system(command);
    xfree(at);
    return rc;
}

static void finds(void **state) {
    place *at = *state;
    put(at, "node_modules/x/a.js", "function vendored() { }\n");
    put(at, "hidden.py", "def hidden_one(): pass\n");
    put(at, "build/gen.py", "def generated(): pass\n");
    put(at, ".gitignore", "build/\n");
    put(at, "key.py", "API_KEY = \"AKIAIOSFODNN7EXAMPLE\"\n");
    put(at, "notes.txt", "def no_source(): pass\n");
    put(at, "data.py", "x = \"\0\"");
    start(at);
    expect(at, "Store", "class Store:\n    def fetch(self, id: int) -> str:\n        pass");
    expect(at, "area", "int area(int w, int h)");
    expect(at, "API_KEY", "API_KEY = \"REDACTED\"");
    expect(at, "vendored", NULL);
    expect(at, "hidden_one", NULL);
    expect(at, "generated", NULL);
    expect(at, "no_source", NULL);
    symbol s[4];
    assert_int_equal(find(at, "fetch", s, 4), 1);
    assert_true(str_eq(s[0].parent, STR("Store")) && s[0].line == 1 && s[0].indent == 4);
    assert_string_equal(s[0].kind, "function");
    str root = str_of(at->root), other = STR("/elsewhere"), users = below(at, "src/users.py");
    const symbols_view one = {.client = 1, .roots = &root, .n = 1},
                       two = {.client = 2, .roots = &other, .n = 1};
    assert_int_equal(symbols_members(at->x, &one, users, STR("Store"), &at->a, s, 4), 1);
    assert_true(symbols_knows(at->x, &one, STR("area")));
    assert_false(symbols_knows(at->x, &one, STR("nothing")));
    /* Another connection sees its own roots only. */
    assert_int_equal(symbols_find(at->x, 2, &other, 1, STR("area"), &at->a, s, 4), 0);
    assert_int_equal(symbols_members(at->x, &two, users, STR("Store"), &at->a, s, 4), 0);
    assert_false(symbols_knows(at->x, &two, STR("area")));
}

static void follows_changes(void **state) {
    place *at = *state;
    start(at);
    put(at, "src/area.c", "long area(long w) {\n    return w;\n}\n");
    put(at, "new.go", "package a\nfunc Fresh(x int) {\n}\n");
    symbols_file_changed(at->x, below(at, "src/area.c"));
    symbols_file_changed(at->x, below(at, "new.go"));
    settle(at, 1);
    expect(at, "area", "long area(long w)");
    expect(at, "Fresh", "func Fresh(x int)");
    char path[256];
    snprintf(path, sizeof path, "%s/src/area.c", at->root);
    assert_int_equal(unlink(path), 0);
    put(at, "src/more.py", "def later(): pass\n");
    symbols_rescan(at->x); /* nobody named the files */
    settle(at, 2);
    expect(at, "area", NULL);
    expect(at, "later", "def later():");
    put(at, ".inlinedignore", "src/\n");
    symbols_rescan(at->x);
    settle(at, 3);
    expect(at, "later", NULL);
    expect(at, "Store", NULL);
    expect(at, "Fresh", "func Fresh(x int)");
    str none = STR("");
    symbols_set_view(at->x, &(symbols_view){.client = 1, .roots = &none});
    settle(at, 3);
    symbols_stats st;
    symbols_get_stats(at->x, &st);
    assert_int_equal(st.files, 0);
    assert_int_equal(st.symbols, 0);
}

static void open_documents_count(void **state) {
    place *at = *state;
    start(at);
    symbols_document(at->x, 1, below(at, "src/area.c"), "c", STR("void typed(void) {\n}\n"));
    symbols_document(at->x, 1, STR("untitled:1"), "python", STR("def draft(): pass\n"));
    symbols_document(at->x, 1, below(at, "hidden.py"), "python", STR("def secret_one(): pass\n"));
    settle(at, 1);
    expect(at, "typed", "void typed(void)");
    expect(at, "draft", "def draft():");
    expect(at, "area", NULL);
    expect(at, "secret_one", NULL);
    symbol s;
    assert_int_equal(symbols_find(at->x, 2, NULL, 0, STR("draft"), &at->a, &s, 1), 0);
    symbols_rescan(at->x); /* does not put the file back */
    settle(at, 2);
    expect(at, "typed", "void typed(void)");
    symbols_document_closed(at->x, 1, below(at, "src/area.c"));
    symbols_document_closed(at->x, 1, STR("untitled:1"));
    settle(at, 2);
    expect(at, "typed", NULL);
    expect(at, "draft", NULL);
    expect(at, "area", "int area(int w, int h)");
}

/* Two editors on one folder: what one has typed is not what the other has, nor what is saved. */
static void open_documents_are_their_clients(void **state) {
    place *at = *state;
    start(at);
    str root = str_of(at->root), path = below(at, "src/area.c");
    const symbols_view view = {.client = 2, .roots = &root, .n = 1, .deny_globs = STR(GLOBS),
                               .respect_gitignore = true};
    symbols_set_view(at->x, &view);
    symbols_document(at->x, 1, path, "c", STR("struct one { int a; };\nvoid typed(void) {\n}\n"));
    settle(at, 1);
    symbol s[4];
    assert_int_equal(symbols_find(at->x, 2, &root, 1, STR("typed"), &at->a, s, 4), 0);
    assert_int_equal(symbols_find(at->x, 2, &root, 1, STR("area"), &at->a, s, 4), 1);
    assert_false(symbols_knows(at->x, &view, STR("typed")));
    assert_int_equal(symbols_members(at->x, &view, path, STR("one"), &at->a, s, 4), 0);
    assert_int_equal(symbols_in_file(at->x, &view, path, &at->a, s, 4), 1);
    assert_true(str_eq(s[0].name, STR("area")));
    symbols_document(at->x, 2, path, "c", STR("void other(void) {\n}\n"));
    settle(at, 1);
    expect(at, "typed", "void typed(void)"); /* of client 1, still */
    expect(at, "other", NULL);
    expect(at, "area", NULL);
    assert_int_equal(symbols_find(at->x, 2, &root, 1, STR("other"), &at->a, s, 4), 1);
    symbols_document_closed(at->x, 2, path);
    settle(at, 1);
    expect(at, "typed", "void typed(void)");
    assert_int_equal(symbols_find(at->x, 2, &root, 1, STR("area"), &at->a, s, 4), 1);
}

static void store_file(place *at, char *out, size_t bytes) {
    DIR *dir = opendir(at->cache);
    assert_non_null(dir);
    out[0] = 0;
    for (struct dirent *d; (d = readdir(dir));) {
        if (str_ends_with(str_of(d->d_name), STR(".sqlite")))
            snprintf(out, bytes, "%s/%s", at->cache, d->d_name);
    }
    closedir(dir);
    assert_true(out[0]);
}

/* What was stored is believed: a row that is changed there comes back changed. */
static void remembers(void **state) {
    place *at = *state;
    char file[400];
    start(at);
    symbols_stop(at->x);
    store_file(at, file, sizeof file);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    int rc = sqlite3_exec(db,
                          "UPDATE symbol SET signature = 'from the store' WHERE name = 'area';"
                          "INSERT INTO file VALUES(90, '../../etc/x.py', 1, 1);"
                          "INSERT INTO symbol VALUES(90, 0, 'outside', 0, 0, -1, 0, 'x');"
                          "INSERT INTO file VALUES(91, 'ghost.py', 1, 1);"
                          "INSERT INTO symbol VALUES(91, 0, 'bad_parent', 0, 0, 5, 0, 'x');",
                          NULL, NULL, NULL);
    assert_int_equal(rc, SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    start(at);
    expect(at, "area", "from the store");
    expect(at, "outside", NULL);
    expect(at, "bad_parent", NULL);
    err e;
    assert_false(symbols_take_message(at->x, &e));
}

static void damaged_is_built_again(void **state) {
    place *at = *state;
    char file[400];
    err e;
    start(at);
    symbols_stop(at->x);
    store_file(at, file, sizeof file);
    FILE *f = fopen(file, "r+");
    assert_non_null(f);
    for (int i = 0; i < 3000; i++)
        fputs("garbage ", f);
    fclose(f);
    start(at);
    assert_true(symbols_take_message(at->x, &e));
    assert_non_null(strstr(e.text, "damaged"));
    assert_false(symbols_take_message(at->x, &e)); /* said once */
    expect(at, "area", "int area(int w, int h)");
    symbols_stop(at->x);
    start(at); /* and it is whole again */
    assert_false(symbols_take_message(at->x, &e));
    expect(at, "area", "int area(int w, int h)");
}

static void locked_is_left_alone(void **state) {
    place *at = *state;
    char file[400];
    err e;
    start(at);
    symbols_stop(at->x);
    store_file(at, file, sizeof file);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE;"
                                      "INSERT INTO info VALUES('x', 'y');",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    start(at);
    assert_true(symbols_take_message(at->x, &e));
    assert_non_null(strstr(e.text, "locked"));
    expect(at, "area", "int area(int w, int h)"); /* in memory all the same */
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(access(file, F_OK), 0); /* not deleted */
}

/* Without a cache folder (no HOME) there is no file, and all else is the same. */
static void memory_only(void **state) {
    place *at = *state;
    char none[sizeof at->cache];
    snprintf(none, sizeof none, "%s", at->cache);
    at->x = symbols_start(NULL);
    str root = str_of(at->root);
    symbols_set_view(at->x, &(symbols_view){.client = 1, .roots = &root, .n = 1});
    settle(at, 1);
    expect(at, "area", "int area(int w, int h)");
    symbols_rescan(at->x);
    settle(at, 2);
    assert_int_equal(rmdir(none), 0); /* nothing was written */
}

static void table_of_many(void **state) {
    UNUSED(state);
    symbol_table t;
    symbol_table_init(&t);
    tag tags[50];
    char names[50][32];
    for (int round = 0; round < 3; round++) {
        for (int f = 0; f < 400; f++) {
            char path[32];
            snprintf(path, sizeof path, "/r/%d", f);
            size_t n = (size_t)((f + round) % 50);
            for (size_t i = 0; i < n; i++) {
                snprintf(names[i], sizeof names[i], "n%zu", i);
                tags[i] = (tag){.name = str_of(names[i]), .signature = str_of(path),
                                .parent = i ? 0 : TAG_NO_PARENT};
            }
            symbol_file_free(symbol_table_replace(&t, symbol_file_new(str_of(path), tags, n)));
        }
        assert_int_equal(t.files, 400);
        size_t rows = 0, found = 0;
        for (int f = 0; f < 400; f++)
            rows += (size_t)((f + round) % 50);
        for (const symbol_row *r = symbol_table_first(&t, STR("n0")); r; r = r->next)
            found += str_eq(symbol_row_name(r), STR("n0"));
        assert_int_equal(t.rows, rows);
        assert_int_equal(found, 400 - 8); /* all but the empty ones */
    }
    symbol_table_deinit(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_of_many),
        cmocka_unit_test_setup_teardown(finds, setup, teardown),
        cmocka_unit_test_setup_teardown(follows_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(open_documents_count, setup, teardown),
        cmocka_unit_test_setup_teardown(open_documents_are_their_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_only, setup, teardown),
        cmocka_unit_test_setup_teardown(remembers, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_is_built_again, setup, teardown),
        cmocka_unit_test_setup_teardown(locked_is_left_alone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
