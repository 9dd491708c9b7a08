/* SPDX-License-Identifier: Apache-2.0 */
/* What of a workspace may reach the engine: hidden files, secrets, rules that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "tests/lsp/lsp_peer.h"

typedef struct {
    char root[64];
    lsp_peer peer;
    int asked;
} place;

static void put(const place *at, const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", at->root, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int setup(void **state) {
    place *at = xcalloc(1, sizeof *at);
    snprintf(at->root, sizeof at->root, "/tmp/inlined_workspace_XXXXXX");
    assert_non_null(mkdtemp(at->root));
    char json[256];
    lsp_peer_open(&at->peer);
    snprintf(json, sizeof json,
             "{\"id\":0,\"method\":\"initialize\",\"params\":{\"capabilities\":{\"general\":{"
             "\"positionEncodings\":[\"utf-8\"]},\"experimental\":{\"inlined\":{\"status\":true}}},"
             "\"rootUri\":\"file://%s\"}}",
             at->root);
    lsp_peer_send(&at->peer, json);
    cJSON_Delete(lsp_peer_answer(&at->peer, 0));
    lsp_peer_send(&at->peer, "{\"method\":\"initialized\",\"params\":{}}");
    lsp_peer_model_ready(&at->peer);
    *state = at;
    return 0;
}

static int teardown(void **state) {
    place *at = *state;
    char command[128];
    lsp_peer_close(&at->peer);
    snprintf(command, sizeof command, "rm -rf %s", at->root);
    int rc = system(command);
    xfree(at);
    return rc;
}

/* Opens `name`, asks at the end of its text; true: the engine was asked. */
static bool ask(place *at, const char *name, const char *text) {
    char uri[256];
    int line = 0;
    const char *last = text;
    for (const char *lf; (lf = strchr(last, '\n')); last = lf + 1)
        line++;
    snprintf(uri, sizeof uri, "file://%s/%s", at->root, name);
    size_t before = fake_engine_submitted(at->peer.engine);
    lsp_peer_open_document(&at->peer, uri, text);
    lsp_peer_ask(&at->peer, ++at->asked, uri, line, (int)strlen(last));
    lsp_peer_tick(&at->peer);
    bool submitted = fake_engine_submitted(at->peer.engine) > before;
    if (submitted) assert_true(lsp_peer_end_job(&at->peer, "1", OK));
    lsp_peer_tick(&at->peer); /* it looks ahead */
    cJSON_Delete(lsp_peer_answer(&at->peer, at->asked));
    return submitted;
}

static void expect_reason(place *at, const char *reason) {
    cJSON *n = lsp_peer_notification(&at->peer, "inlined/status");
    assert_non_null(n);
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(n, "params");
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(params, "reason")->valuestring, reason);
    cJSON_Delete(n);
}

static void hidden_files(void **state) {
    place *at = *state;
    put(at, ".gitignore", "*.gen\n");
    assert_true(ask(at, "a.py", "x = "));
    assert_false(ask(at, ".env", "x = "));
    expect_reason(at, "denied-file");
    assert_false(ask(at, "a.gen", "x = "));
    expect_reason(at, "ignored-file");
    /* An answer that is known already is not given either. */
    put(at, ".inlinedignore", "a.py\n");
    lsp_peer_send(&at->peer, "{\"method\":\"textDocument/didSave\",\"params\":{\"textDocument\":{"
                             "\"uri\":\"file:///x\"}}}");
    assert_false(ask(at, "a.py", "x = "));
    expect_reason(at, "denied-file");
    lsp_peer_send(&at->peer,
                  "{\"method\":\"workspace/didChangeConfiguration\",\"params\":{\"settings\":{"
                  "\"inlined\":{\"privacy\":{\"denyGlobs\":[\"b.*\"],\"respectGitignore\":"
                  "false}}}}}");
    assert_true(ask(at, "a.gen", "x = "));
    assert_true(ask(at, ".env", "x = "));
    assert_false(ask(at, "b.py", "x = "));
}

static void unreadable_rules(void **state) {
    place *at = *state;
    char path[256];
    assert_true(ask(at, "a.py", "x = "));
    snprintf(path, sizeof path, "%s/.inlinedignore", at->root);
    assert_int_equal(mkdir(path, 0700), 0);
    lsp_peer_send(&at->peer,
                  "{\"method\":\"workspace/didChangeWatchedFiles\",\"params\":{\"changes\":[]}}");
    cJSON *told = lsp_peer_notification(&at->peer, "window/showMessage");
    assert_non_null(told);
    cJSON_Delete(told);
    assert_false(ask(at, "a.py", "x = "));
    expect_reason(at, "privacy-unreadable");
    assert_int_equal(rmdir(path), 0);
    server_tick(at->peer.server);
    assert_null(lsp_peer_notification(&at->peer, "window/showMessage")); /* said once */
    assert_true(ask(at, "a.py", "x = 2 + "));
}

static void secrets_stay_here(void **state) {
    place *at = *state;
    assert_true(ask(at, "a.py", "password = \"Tr0ub4dor&3\"\nx = 1\ny = "));
    str prefix = fake_engine_prefix(at->peer.engine);
    assert_true(str_find(prefix, STR("Tr0ub4dor")) < 0);
    assert_true(str_find(prefix, STR("password = \"REDACTED\"")) >= 0);
    assert_false(ask(at, "b.py", "password = \"Tr0ub"));
    expect_reason(at, "secret");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hidden_files, setup, teardown),
        cmocka_unit_test_setup_teardown(unreadable_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(secrets_stay_here, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
