/* SPDX-License-Identifier: Apache-2.0 */
/* Ignore patterns, secrets in text, and which files are hidden. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "context/ignore.h"
#include "context/privacy.h"
#include "context/secret.h"
#include "engine/base/limits.h"

/* ---- patterns -------------------------------------------------------------------------------- */

static void patterns(void **state) {
    static const struct {
        const char *rules, *path;
        ignore_answer want;
        bool folder;
    } cases[] = {
        {"*.o", "a.o", IGNORE_YES, false},
        {"*.o", "deep/er/a.o", IGNORE_YES, false},
        {"*.o", "a.c", IGNORE_SILENT, false},
        {"/*.o", "deep/a.o", IGNORE_SILENT, false},
        {"/*.o", "a.o", IGNORE_YES, false},
        {"build/", "build", IGNORE_YES, true},
        {"build/", "build", IGNORE_SILENT, false},
        {"doc/*.txt", "doc/a.txt", IGNORE_YES, false},
        {"doc/*.txt", "doc/sub/a.txt", IGNORE_SILENT, false},
        {"doc/*.txt", "x/doc/a.txt", IGNORE_SILENT, false},
        {"**/foo", "foo", IGNORE_YES, false},
        {"**/foo", "a/b/foo", IGNORE_YES, false},
        {"a/**", "a/b/c", IGNORE_YES, false},
        {"a/**", "a", IGNORE_SILENT, true},
        {"a/**/b", "a/b", IGNORE_YES, false},
        {"a/**/b", "a/x/y/b", IGNORE_YES, false},
        {"a/**/b", "ab", IGNORE_SILENT, false},
        {"a**b", "axxb", IGNORE_YES, false},
        {"a**b", "a/b", IGNORE_SILENT, false},
        {"*.log\n!keep.log", "keep.log", IGNORE_NO, false},
        {"*.log\n!keep.log\nkeep*", "keep.log", IGNORE_YES, false},
        {"# comment\n\\#real", "#real", IGNORE_YES, false},
        {"# comment", "# comment", IGNORE_SILENT, false},
        {"\\!x", "!x", IGNORE_YES, false},
        {"trail   ", "trail", IGNORE_YES, false},
        {"trail\\ ", "trail ", IGNORE_YES, false},
        {"crlf\r\nother\r\n", "crlf", IGNORE_YES, false},
        {"[a-c]x", "bx", IGNORE_YES, false},
        {"[!a-c]x", "bx", IGNORE_SILENT, false},
        {"[!a-c]x", "dx", IGNORE_YES, false},
        {"[]]x", "]x", IGNORE_YES, false},
        {"[ab", "[ab", IGNORE_YES, false},
        {"a?c", "abc", IGNORE_YES, false},
        {"a?c", "a/c", IGNORE_SILENT, false},
        {"a[/]c", "a/c", IGNORE_SILENT, false},
        {"\xEF\xBB\xBFx", "x", IGNORE_YES, false},
        {"\\*x", "*x", IGNORE_YES, false},
        {"\\*x", "ax", IGNORE_SILENT, false},
        {"/", "a", IGNORE_SILENT, false},
        {"", "a", IGNORE_SILENT, false},
    };
    UNUSED(state);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        ignore_list list = {0};
        assert_true(ignore_add(&list, str_of(cases[i].rules)));
        ignore_answer got = ignore_match(&list, str_of(cases[i].path), cases[i].folder);
        if (got != cases[i].want)
            fail_msg("%s with %s: %d, not %d", cases[i].rules, cases[i].path, (int)got,
                     (int)cases[i].want);
        ignore_deinit(&list);
    }
}

static void pattern_bounds(void **state) {
    UNUSED(state);
    ignore_list list = {0};
    assert_false(ignore_add(&list, (str){"a\0b", 3}));
    strbuf text;
    strbuf_init(&text, 1u << 20);
    for (int i = 0; i < LIMIT_IGNORE_RULES + 1; i++)
        strbuf_addf(&text, "r%d\n", i);
    assert_false(ignore_add(&list, strbuf_str(&text)));
    ignore_deinit(&list);
    /* A pattern that would take for ever counts as a match, and soon. */
    strbuf_clear(&text);
    for (int i = 0; i < 30; i++)
        strbuf_add_str(&text, STR("*a"));
    strbuf_add_str(&text, STR("b"));
    assert_true(ignore_add(&list, strbuf_str(&text)));
    char path[400];
    memset(path, 'a', sizeof path);
    assert_int_equal(ignore_match(&list, (str){path, sizeof path}, false), IGNORE_YES);
    ignore_deinit(&list);
    strbuf_deinit(&text);
}

/* ---- secrets --------------------------------------------------------------------------------- */

static void secrets(void **state) {
    static const struct {
        const char *text, *want; /* NULL: nothing is masked */
    } cases[] = {
        {"key = AKIAIOSFODNN7EXAMPLE;", "key = REDACTED;"},
        {"t=\"ghp_0123456789abcdefghijABCDEFGHIJ012345\"", "t=\"REDACTED\""},
        {"sk-proj-abcdefghijklmnopqrstuvwx", "REDACTED"},
        {"a eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM b", "a REDACTED b"},
        {"password = \"hunter2x\"", "password = \"REDACTED\""},
        {"{\"api_key\": \"9f8e7d6c5b\"}", "{\"api_key\": \"REDACTED\"}"},
        {"DB_PASSWORD: 'Tr0ub4dor&3'", "DB_PASSWORD: 'REDACTED'"},
        {"token = \"aB3dE5gH7jK9mN1pQ\"", "token = \"REDACTED\""},
        {"os.environ['SECRET_KEY'] = 'abc123def!'", "os.environ['SECRET_KEY'] = 'REDACTED'"},
        {"postgres://bob:s3cr3t@db/x", "postgres://bob:REDACTED@db/x"},
        {"x = \"q7Zt9LmPw2Xc5Vb8Nn4Kd6Gs1Hf3Jj0Yr\"", "x = \"REDACTED\""},
        {"a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb",
         "a\nREDACTED\nb"},
        {"MIIEpAIBAAKCAQEA7bq8Zt9LmPw2Xc5Vb8Nn4Kd6Gs1Hf3Jj0YrQ\n", "REDACTED\n"},
        {"client_secret=Zt9LmPw2Xc5Vb8Nn4Kd6\n", "client_secret=REDACTED\n"},
        {"password = \"hun", "password = \"REDACTED"}, /* it is being typed */
        {"password = get_password(user)", NULL},
        {"password = \"${DB_PASSWORD}\"", NULL},
        {"password = \"your-password-here\"", NULL},
        {"password = \"password\"", NULL},
        {"if (token == \"identifier\") {", NULL},
        {"token = \"TOKEN_IDENT\"", NULL},
        {"def check_password(self, password: str) -> bool:", NULL},
        {"https://user@example.org/a:b@c", NULL},
        {"#include \"context/secret.h\"", NULL},
        {"sha = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"", NULL},
        {"x = \"the quick brown fox jumps over the lazy dog\"", NULL},
        {"-----BEGIN CERTIFICATE-----\nabc", NULL},
        {"tokens.secret_count++;", NULL},
        {"", NULL},
    };
    UNUSED(state);
    arena a;
    arena_init(&a);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        size_t n;
        str got = secret_mask(str_of(cases[i].text), &a, &n);
        str want = str_of(cases[i].want ? cases[i].want : cases[i].text);
        if (!str_eq(got, want) || (n > 0) != (cases[i].want != NULL))
            fail_msg("%s: %.*s (%zu)", cases[i].text, STR_ARG(got), n);
    }
    arena_deinit(&a);
}

/* ---- files ----------------------------------------------------------------------------------- */

typedef struct {
    char root[64], path[256];
    privacy *p;
} place;

static void put(place *at, const char *name, const char *text) {
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
    int n = snprintf(at->path, sizeof at->path, "%s/%s", at->root, name);
    return (str){at->path, (size_t)n};
}

static void expect(place *at, const char *name, const char *why) {
    const char *got = privacy_hides(at->p, below(at, name), false);
    if (strcmp(got, why) != 0) fail_msg("%s: \"%s\", not \"%s\"", name, got, why);
}

static int setup(void **state) {
    place *at = xcalloc(1, sizeof *at);
    snprintf(at->root, sizeof at->root, "/tmp/inlined_privacy_XXXXXX");
    assert_non_null(mkdtemp(at->root));
    setenv("XDG_CONFIG_HOME", at->root, 1);
    at->p = privacy_new();
    str root = str_of(at->root);
    privacy_set_roots(at->p, &root, 1);
    privacy_set_rules(at->p, STR(".env*\n*.pem\n**/secrets/**\n.ssh/\n"), true);
    *state = at;
    return 0;
}

static int teardown(void **state) {
    place *at = *state;
    char command[128];
    privacy_free(at->p);
    snprintf(command, sizeof command, "rm -rf %s", at->root);
    int rc = system(command);
    xfree(at);
    return rc;
}

static void globs_and_ignore_files(void **state) {
    place *at = *state;
    put(at, ".gitignore", "*.log\nbuild/\n!keep.log\n");
    put(at, "src/.gitignore", "gen.c\n!deep.log\n");
    put(at, ".inlinedignore", "*.draft\n");
    static const struct {
        const char *name, *why;
    } cases[] = {
        {"a.c", ""},
        {".env", "denied-file"},
        {".ENV.local", "denied-file"},
        {"deep/x.pem", "denied-file"},
        {"deep/secrets/a.c", "denied-file"},
        {".ssh/config", "denied-file"},
        {"a.log", "ignored-file"},
        {"keep.log", ""},
        {"build/x/y.c", "ignored-file"},
        {"build/keep.log", "ignored-file"},
        {"src/gen.c", "ignored-file"},
        {"gen.c", ""},
        {"src/deep.log", ""},
        {"src/sub/other.log", "ignored-file"},
        {"x/y.DRAFT", "denied-file"},
    };
    assert_true(privacy_refresh(at->p));
    for (size_t i = 0; i < COUNTOF(cases); i++)
        expect(at, cases[i].name, cases[i].why);
    assert_string_equal(privacy_hides(at->p, STR("/elsewhere/.env"), false), "denied-file");
    assert_string_equal(privacy_hides(at->p, STR("/elsewhere/a.c"), false), "");
    assert_string_equal(privacy_hides(at->p, STR("key.pem"), false), "denied-file");
    privacy_set_rules(at->p, STR(".env*\n"), false);
    expect(at, "a.log", "");
    expect(at, "x.draft", "denied-file");
}

static void changes_are_seen(void **state) {
    place *at = *state;
    expect(at, "a.c", "");
    assert_false(privacy_refresh(at->p));
    put(at, ".inlinedignore", "a.c\n");
    assert_true(privacy_refresh(at->p));
    expect(at, "a.c", "denied-file");
    put(at, ".inlinedignore", "b\n");
    put(at, ".gitignore", "a.*\n");
    assert_true(privacy_refresh(at->p));
    expect(at, "a.c", "ignored-file");
    assert_false(privacy_refresh(at->p));
    assert_true(privacy_is_rule_file(STR("/x/.gitignore")));
    assert_false(privacy_is_rule_file(STR("/x/a.gitignore")));
}

/* A folder in the file's place cannot be read, whoever asks (root may read anything). */
static void unreadable_hides_everything(void **state) {
    place *at = *state;
    put(at, "sub/.gitignore/x", "");
    expect(at, "a.c", "");
    expect(at, "sub/a.c", "privacy-unreadable");
    put(at, ".inlinedignore/x", "");
    assert_true(privacy_refresh(at->p));
    expect(at, "a.c", "privacy-unreadable");
    assert_string_equal(privacy_hides(at->p, STR("/elsewhere/a.c"), false), "privacy-unreadable");
    assert_true(privacy_trouble(at->p)[0] != 0);
    char path[256];
    snprintf(path, sizeof path, "%s/.inlinedignore/x", at->root);
    assert_int_equal(unlink(path), 0);
    *strrchr(path, '/') = 0;
    assert_int_equal(rmdir(path), 0);
    assert_true(privacy_refresh(at->p));
    expect(at, "a.c", "");
    put(at, "inlined/ignore", "a.c\n"); /* the user's own, by XDG_CONFIG_HOME */
    assert_true(privacy_refresh(at->p));
    expect(at, "a.c", "denied-file");
    privacy_set_rules(at->p, (str){"a\0", 2}, true);
    expect(at, "b.c", "privacy-unreadable");
}

static void links_show_what_they_point_to(void **state) {
    place *at = *state;
    put(at, ".env", "X=1\n");
    put(at, "a.txt", "x\n");
    char from[256], to[256];
    snprintf(from, sizeof from, "%s/.env", at->root);
    snprintf(to, sizeof to, "%s/notes.txt", at->root);
    assert_int_equal(symlink(from, to), 0);
    expect(at, "notes.txt", "denied-file");
    snprintf(from, sizeof from, "%s/a.txt", at->root);
    snprintf(to, sizeof to, "%s/b.txt", at->root);
    assert_int_equal(symlink(from, to), 0);
    expect(at, "b.txt", "");
}

static void many_folders(void **state) {
    place *at = *state;
    put(at, ".gitignore", "*.log\n");
    for (int i = 0; i < LIMIT_PRIVACY_FOLDERS + 10; i++) {
        char name[64];
        snprintf(name, sizeof name, "d%d/a.c", i);
        expect(at, name, "");
    }
    expect(at, "d1/a.log", "ignored-file");
    strbuf deep;
    strbuf_init(&deep, 4096);
    for (int i = 0; i < LIMIT_PATH_DEPTH + 1; i++)
        strbuf_add_str(&deep, STR("d/"));
    strbuf_add_str(&deep, STR("a.c"));
    expect(at, deep.ptr, "privacy-unreadable");
    strbuf_deinit(&deep);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns),
        cmocka_unit_test(pattern_bounds),
        cmocka_unit_test(secrets),
        cmocka_unit_test_setup_teardown(globs_and_ignore_files, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_are_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(unreadable_hides_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(links_show_what_they_point_to, setup, teardown),
        cmocka_unit_test_setup_teardown(many_folders, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
