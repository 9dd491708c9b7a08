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
#include "lsp/code_tools.h"
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

/* ---- what the built-in tools hear ------------------------------------------------------------ */

static char said[2048];

static bool ask_code(const place *at, const char *arguments, const char *file) {
    cJSON *given = cJSON_Parse(arguments);
    const own_code_request q = {"diagnostics", given, str_of(file), file ? NULL : "no such file"};
    strbuf out;
    bool busy;
    strbuf_init(&out, sizeof said - 1);
    bool good = code_tools_ask(at->peer.server, &q, &out, &busy);
    snprintf(said, sizeof said, "%.*s", STR_ARG(strbuf_str(&out)));
    strbuf_deinit(&out);
    cJSON_Delete(given);
    assert_false(busy);
    return good;
}

/* Open documents count more than their files, hidden ones not at all. */
static void what_is_wrong(void **state) {
    place *at = *state;
    char text[512], uri[128];
    snprintf(uri, sizeof uri, "file://%s/sub/a.py", at->root);
    assert_true(ask_code(at, "{}", NULL));
    assert_non_null(strstr(said, "no document is open"));
    lsp_peer_open_document(&at->peer, uri, "def bad(:\n    pass\n");
    snprintf(text, sizeof text,
             "{\"method\":\"inlined/diagnostics\",\"params\":{\"uri\":\"%s\",\"diagnostics\":[{"
             "\"range\":{\"start\":{\"line\":1,\"character\":4},\"end\":{\"line\":1,"
             "\"character\":8}},\"severity\":1,\"source\":\"lint\",\"message\":\"no pass\"}]}}",
             uri);
    lsp_peer_send(&at->peer, text);
    snprintf(uri, sizeof uri, "file://%s/.env", at->root);
    lsp_peer_open_document(&at->peer, uri, "def canary(:\n");
    assert_true(ask_code(at, "{}", NULL));
    assert_non_null(strstr(said, "sub/a.py:2: error: no pass\nsub/a.py:1: syntax: "));
    assert_null(strstr(said, ".env"));
    assert_true(ask_code(at, "{\"path\":\"./sub/a.py\"}", "x = 1\n"));
    assert_non_null(strstr(said, "no pass"));
    assert_true(ask_code(at, "{\"path\":\"b.py\"}", "x = (1\n"));
    assert_int_equal(strncmp(said, "b.py:1: syntax: ", 16), 0);
    assert_true(ask_code(at, "{\"path\":\"b.py\"}", "x = 1\n"));
    assert_non_null(strstr(said, "nothing is wrong"));
    assert_false(ask_code(at, "{\"path\":\"b.py\"}", NULL));
    assert_string_equal(said, "no such file");
    assert_false(ask_code(at, "{\"path\":\"../b.py\"}", "x = (1\n"));
    assert_false(ask_code(at, "{\"path\":\".env\"}", NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hidden_files, setup, teardown),
        cmocka_unit_test_setup_teardown(unreadable_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(secrets_stay_here, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
