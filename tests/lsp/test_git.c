/* SPDX-License-Identifier: Apache-2.0 */
/* git as a child process: with the real one on a small repository, and with scripts in its place
 * that are slow, talk too much or fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "lsp/git.h"

typedef struct {
    uv_loop_t loop;
    git *git;
    char folder[64];
    int calls;
    status status;
    bool cut, free_git; /* free_git: from inside done() */
    char why[1024], output[4096];
    size_t bytes;
} fixture;

static void on_done(void *ud, const git_answer *a) {
    fixture *at = ud;
    at->calls++;
    at->status = a->status;
    at->cut = a->cut;
    at->bytes = a->output.len;
    snprintf(at->why, sizeof at->why, "%s", a->why);
    snprintf(at->output, sizeof at->output, "%.*s", (int)MIN(a->output.len, 4000), a->output.ptr);
    if (at->free_git) {
        git_free(at->git);
        at->git = NULL;
    }
}

static void put(const fixture *at, const char *name, const char *text, mode_t mode) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", at->folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

/* A program "git" of ours in the folder. */
static void begin(fixture *at, const char *script) {
    *at = (fixture){0};
    snprintf(at->folder, sizeof at->folder, "/tmp/inlined-git-XXXXXX");
    assert_non_null(mkdtemp(at->folder));
    assert_int_equal(uv_loop_init(&at->loop), 0);
    if (script) put(at, "git", script, 0755);
    at->git = git_new(&at->loop, script ? at->folder : NULL);
}

static void end(fixture *at) {
    char command[128];
    git_free(at->git);
    uv_run(&at->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&at->loop), 0);
    snprintf(command, sizeof command, "rm -rf %s", at->folder);
    assert_int_equal(system(command), 0);
}

static git_command *ask(fixture *at, size_t bytes_max, uint64_t ms_max, const char *const *args) {
    size_t n = 0;
    while (args[n])
        n++;
    return git_ask(at->git, &(git_question){at->folder, args, n, bytes_max, ms_max}, on_done, at);
}

#define ASK(at, bytes, ms, ...) ask(at, bytes, ms, (const char *const[]){__VA_ARGS__, NULL})

static void run_until(fixture *at, int calls) {
    double before = clock_ms();
    while (at->calls < calls && clock_ms() - before < 20000)
        uv_run(&at->loop, UV_RUN_ONCE);
    assert_int_equal(at->calls, calls);
}

static void test_answers_from_the_loop_only(void **state) {
    UNUSED(state);
    fixture at;
    begin(&at, "#!/bin/sh\necho \"$@\"; pwd; echo \"$GIT_OPTIONAL_LOCKS$GIT_DIR$LC_ALL\"\n");
    setenv("GIT_DIR", "/somewhere/else", 1);
    ASK(&at, 0, 0, "diff", "HEAD");
    assert_int_equal(at.calls, 0);
    run_until(&at, 1);
    unsetenv("GIT_DIR");
    assert_int_equal(at.status, OK);
    assert_false(at.cut);
    assert_non_null(strstr(at.output, "core.fsmonitor=false"));
    assert_non_null(strstr(at.output, "diff --no-ext-diff --no-textconv --no-color HEAD\n"));
    assert_non_null(strstr(at.output, at.folder));
    assert_non_null(strstr(at.output, "\n0C\n")); /* git's own variables are not handed on */
    end(&at);
}

static void test_cuts_what_is_too_long(void **state) {
    UNUSED(state);
    fixture at;
    begin(&at, "#!/bin/sh\nwhile :; do echo 0123456789012345678901234567890123456789; done\n");
    ASK(&at, 1000, 0, "log");
    run_until(&at, 1);
    assert_int_equal(at.status, OK);
    assert_true(at.cut);
    assert_int_equal(at.bytes, 1000);
    end(&at);
}

static void test_ends_what_is_too_slow(void **state) {
    UNUSED(state);
    fixture at;
    begin(&at, "#!/bin/sh\ntrap '' TERM\nsleep 1000 & sleep 1000\n");
    double before = clock_ms();
    ASK(&at, 0, 100, "status");
    run_until(&at, 1);
    assert_int_equal(at.status, ERR_LIMIT);
    assert_non_null(strstr(at.why, "git status took more than 100 ms"));
    end(&at);
    assert_true(clock_ms() - before < 20000); /* its grandchild holds nothing up */
}

static void test_says_what_failed(void **state) {
    UNUSED(state);
    fixture at;
    begin(&at, "#!/bin/sh\necho fatal: not a repository >&2; exit 128\n");
    ASK(&at, 0, 0, "diff");
    run_until(&at, 1);
    assert_int_equal(at.status, ERR_IO);
    assert_non_null(strstr(at.why, "exited with code 128: fatal: not a repository"));
    end(&at);
}

static void test_no_git_and_no_folder(void **state) {
    UNUSED(state);
    fixture at;
    begin(&at, NULL);
    git_free(at.git);
    at.git = git_new(&at.loop, at.folder);
    ASK(&at, 0, 0, "diff");
    assert_int_equal(at.calls, 0);
    run_until(&at, 1);
    assert_int_equal(at.status, ERR_NOT_FOUND);
    put(&at, "git", "#!/bin/sh\n", 0755);
    git_ask(at.git, &(git_question){.folder = "/nonexistent"}, on_done, &at);
    run_until(&at, 2);
    assert_int_equal(at.status, ERR_IO);
    end(&at);
}

static size_t children(void) {
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    size_t n = 0, got = fread(text, 1, sizeof text - 1, f);
    for (size_t i = 0; i < got; i++)
        n += text[i] == ' ';
    fclose(f);
    return n;
}

static void test_cancelled_ones_are_not_told(void **state) {
    UNUSED(state);
    fixture at;
    begin(&at, "#!/bin/sh\nsleep 1000\n");
    git_cancel(ASK(&at, 0, 0, "never-started"));
    git_command *running = ASK(&at, 0, 0, "running");
    while (!children())
        uv_run(&at.loop, UV_RUN_NOWAIT);
    git_cancel(running);
    while (children())
        uv_run(&at.loop, UV_RUN_NOWAIT);
    ASK(&at, 0, 0, "left to the end");
    while (!children())
        uv_run(&at.loop, UV_RUN_NOWAIT);
    end(&at);
    assert_int_equal(at.calls, 0);
}

static void test_few_run_at_once_and_all_are_answered(void **state) {
    UNUSED(state);
    fixture at;
    begin(&at, "#!/bin/sh\nsleep 0.05; echo done\n");
    for (int i = 0; i < 7; i++)
        ASK(&at, 0, 0, "diff");
    double before = clock_ms();
    while (at.calls < 7 && clock_ms() - before < 20000) {
        uv_run(&at.loop, UV_RUN_ONCE);
        assert_true(children() <= LIMIT_GIT_RUNNING);
    }
    assert_int_equal(at.calls, 7);
    assert_int_equal(at.status, OK);
    for (int i = 0; i <= LIMIT_GIT_WAITING; i++)
        ASK(&at, 0, 0, "diff");
    end(&at);
    assert_int_equal(at.calls, 7);
}

static void test_may_be_freed_by_its_own_answer(void **state) {
    UNUSED(state);
    fixture at;
    begin(&at, "#!/bin/sh\necho x\n");
    at.free_git = true;
    ASK(&at, 0, 0, "diff");
    ASK(&at, 0, 0, "diff");
    run_until(&at, 1);
    end(&at);
    assert_int_equal(at.calls, 1);
}

static void test_a_real_repository(void **state) {
    UNUSED(state);
    fixture at;
    char command[512];
    begin(&at, NULL);
    put(&at, "a.py", "one\n", 0644);
    /* A repository that would like to run a program of its own at every diff. */
    snprintf(command, sizeof command,
             "cd %s && git init -q . && git config user.email a@b && git config user.name a &&"
             " git add . && git commit -q -m one && git config diff.external /bin/false &&"
             " git config core.fsmonitor /bin/false && git config color.ui always",
             at.folder);
    if (system("git --version >/dev/null 2>&1") != 0) {
        print_message("skipped: there is no git on this machine\n");
        end(&at);
        skip();
    }
    assert_int_equal(system(command), 0);
    put(&at, "a.py", "two\n", 0644);
    ASK(&at, 0, 0, "diff", "HEAD");
    run_until(&at, 1);
    assert_string_equal(at.why, "");
    assert_non_null(strstr(at.output, "+++ b/a.py\n@@ -1 +1 @@\n-one\n+two\n"));
    ASK(&at, 0, 0, "rev-parse", "--verify", "-q", "no-such-branch");
    run_until(&at, 2);
    assert_int_equal(at.status, ERR_IO);
    end(&at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_from_the_loop_only),
        cmocka_unit_test(test_cuts_what_is_too_long),
        cmocka_unit_test(test_ends_what_is_too_slow),
        cmocka_unit_test(test_says_what_failed),
        cmocka_unit_test(test_no_git_and_no_folder),
        cmocka_unit_test(test_cancelled_ones_are_not_told),
        cmocka_unit_test(test_few_run_at_once_and_all_are_answered),
        cmocka_unit_test(test_may_be_freed_by_its_own_answer),
        cmocka_unit_test(test_a_real_repository),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
