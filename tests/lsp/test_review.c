/* SPDX-License-Identifier: Apache-2.0 */
/* Reviews and their findings, explanations, commit messages and hovers, with a scripted engine. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "lsp/git.h"
#include "tests/lsp/action_peer.h"

#define PULL                                                                                       \
 "\"workspace\":{\"applyEdit\":true,\"diagnostics\":{\"refreshSupport\":true}},"                   \
 "\"textDocument\":{\"diagnostic\":{}}"

static const char finding_json[] =
    "{\"findings\":[{\"line\":2,\"severity\":\"information\",\"message\":\"The sum is missing.\","
    "\"replacement\":\"    return a + 1\"},{\"line\":1,\"severity\":\"hint\",\"message\":\"Say "
    "what f does.\",\"replacement\":null}]}";

static void run_command(lsp_peer *p, int id, const char *action) {
    char json[300];
    snprintf(json, sizeof json,
             "{\"id\":%d,\"method\":\"workspace/executeCommand\",\"params\":{\"command\":"
             "\"inlined.action\",\"arguments\":[{\"action\":\"%s\",\"uri\":\"" URI "\",\"range\":{"
             "\"start\":{\"line\":1,\"character\":4},\"end\":{\"line\":1,\"character\":4}}}]}}",
             id, action);
    lsp_peer_send(p, json);
}

/* ---- reviews --------------------------------------------------------------------------------- */

static void test_review_pushes(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    run_command(&p, 1, "review");
    assert_true(str_find(fake_engine_chat(p.engine), STR("1: def f(a):\n2:     return a\n")) >= 0);
    assert_true(lsp_peer_end_job(&p, finding_json, OK));
    cJSON *pushed = lsp_peer_notification(&p, "textDocument/publishDiagnostics");
    action_expect_text(pushed, "params.diagnostics.0.message", "The sum is missing.");
    action_expect_text(pushed, "params.diagnostics.0.source", "inlined");
    action_expect_number(pushed, "params.diagnostics.0.severity", 3);
    action_expect_number(pushed, "params.diagnostics.0.range.start.character", 4);
    action_expect_number(pushed, "params.diagnostics.1.severity", 4);
    cJSON *a = lsp_peer_answer(&p, 1);
    action_expect_number(a, "result.findings", 2);
    cJSON_Delete(a);
    /* The fix stands in the menu, with its edit. */
    action_list(&p, 2, 1, "\"diagnostics\":[],\"triggerKind\":2");
    a = lsp_peer_answer(&p, 2);
    action_expect_text(a, "result.0.title", "Fix what the review found: The sum is missing.");
    action_expect_text(a, "result.0.edit.documentChanges.0.edits.0.newText", " + 1");
    action_expect_number(a, "result.0.diagnostics.0.data.finding", 1);
    assert_null(lsp_peer_at(a, "result.1"));
    cJSON_Delete(a);
    cJSON_Delete(pushed);
    lsp_peer_close(&p);
}

/* A finding follows its line, and goes when the line changes or the document closes. */
static void test_findings_move(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    run_command(&p, 1, "review");
    assert_true(lsp_peer_end_job(&p, finding_json, OK));
    lsp_peer_forget(&p);
    lsp_peer_edit(&p, URI, 0, 0, 0, 0, "# new\\n");
    assert_null(lsp_peer_notification(&p, "textDocument/publishDiagnostics"));
    const finding *f = findings_at(p.server, 0);
    str text = document_text(f->document);
    assert_true(str_eq(str_sub(text, f->from, f->to), STR("return a")));
    lsp_peer_edit(&p, URI, 2, 11, 2, 12, "b");
    cJSON *pushed = lsp_peer_notification(&p, "textDocument/publishDiagnostics");
    assert_int_equal(cJSON_GetArraySize(lsp_peer_at(pushed, "params.diagnostics")), 1);
    action_expect_text(pushed, "params.diagnostics.0.message", "Say what f does.");
    cJSON_Delete(pushed);
    lsp_peer_send(&p, "{\"method\":\"textDocument/didClose\",\"params\":{\"textDocument\":{"
                      "\"uri\":\"" URI "\"}}}");
    pushed = lsp_peer_notification(&p, "textDocument/publishDiagnostics");
    assert_int_equal(cJSON_GetArraySize(lsp_peer_at(pushed, "params.diagnostics")), 0);
    cJSON_Delete(pushed);
    lsp_peer_close(&p);
}

static void test_review_pulls(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, PULL);
    run_command(&p, 1, "review");
    assert_true(lsp_peer_end_job(&p, finding_json, OK));
    assert_true(action_asked(&p, "workspace/diagnostic/refresh", NULL) > 0);
    assert_null(lsp_peer_notification(&p, "textDocument/publishDiagnostics"));
    lsp_peer_send(&p, "{\"id\":2,\"method\":\"textDocument/diagnostic\",\"params\":{"
                      "\"textDocument\":{\"uri\":\"" URI "\"}}}");
    cJSON *a = lsp_peer_answer(&p, 2);
    action_expect_text(a, "result.kind", "full");
    action_expect_text(a, "result.items.0.message", "The sum is missing.");
    char json[250];
    snprintf(json, sizeof json,
             "{\"id\":3,\"method\":\"textDocument/diagnostic\",\"params\":{\"textDocument\":{"
             "\"uri\":\"" URI "\"},\"previousResultId\":\"%s\"}}",
             lsp_peer_at(a, "result.resultId")->valuestring);
    cJSON_Delete(a);
    lsp_peer_send(&p, json);
    a = lsp_peer_answer(&p, 3);
    action_expect_text(a, "result.kind", "unchanged");
    cJSON_Delete(a);
    lsp_peer_close(&p);
}

/* Who pulls but cannot be told to gets findings once, not twice. */
static void test_review_pushes_to_who_cannot_be_told(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, "\"textDocument\":{\"diagnostic\":{}}");
    run_command(&p, 1, "review");
    assert_true(lsp_peer_end_job(&p, finding_json, OK));
    cJSON *pushed = lsp_peer_notification(&p, "textDocument/publishDiagnostics");
    assert_int_equal(cJSON_GetArraySize(lsp_peer_at(pushed, "params.diagnostics")), 2);
    cJSON_Delete(pushed);
    lsp_peer_send(&p, "{\"id\":2,\"method\":\"textDocument/diagnostic\",\"params\":{"
                      "\"textDocument\":{\"uri\":\"" URI "\"}}}");
    cJSON *a = lsp_peer_answer(&p, 2);
    assert_int_equal(cJSON_GetArraySize(lsp_peer_at(a, "result.items")), 0);
    cJSON_Delete(a);
    lsp_peer_close(&p);
}

/* A file is looked at function by function; what the model says of other lines does not count. */
static void test_review_of_a_file(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    lsp_peer_edit(&p, URI, 3, 0, 3, 0, "def g(b):\\n    return b\\n\\n");
    run_command(&p, 1, "reviewFile");
    assert_true(str_find(fake_engine_chat(p.engine), STR("def f(a)")) >= 0);
    assert_true(lsp_peer_end_job(&p, "{\"findings\":[]}", OK));
    assert_true(str_find(fake_engine_chat(p.engine), STR("4: def g(b)")) >= 0);
    assert_true(lsp_peer_end_job(&p, finding_json, OK)); /* lines 1 and 2: not shown */
    cJSON *a = lsp_peer_answer(&p, 1);
    action_expect_number(a, "result.findings", 0);
    action_expect_number(a, "result.pieces", 2);
    cJSON_Delete(a);
    run_command(&p, 2, "reviewFile");
    lsp_peer_edit(&p, URI, 0, 0, 0, 0, "\\n");
    action_expect_error(&p, 2, LSP_CONTENT_MODIFIED, "changed");
    run_command(&p, 3, "reviewFile");
    assert_true(lsp_peer_end_job(&p, "{\"findings\":[{\"line\":", OK)); /* half a JSON */
    action_expect_error(&p, 3, LSP_REQUEST_FAILED, "");
    lsp_peer_close(&p);
}

/* An answer that reaches its limit: what is whole of it counts, and the person is told. */
static void test_review_is_cut(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    lsp_peer_edit(&p, URI, 3, 0, 3, 0, "def g(b):\\n    return b\\n\\n");
    fake_engine_set_finish(p.engine, FINISH_TOKENS);
    run_command(&p, 1, "reviewFile");
    assert_true(lsp_peer_end_job(
        &p,
        "{\"findings\":[{\"line\":2,\"severity\":\"hint\",\"message\":\"One that is whole.\","
        "\"replacement\":null},{\"line\":1,\"severity\":\"hint\",\"message\":\"And one th",
        OK));
    assert_true(lsp_peer_end_job(&p, "{\"findings\":[{\"line\":4", OK)); /* and on it goes */
    cJSON *a = lsp_peer_answer(&p, 1);
    action_expect_number(a, "result.findings", 1);
    action_expect_number(a, "result.pieces", 2);
    action_expect_number(a, "result.cut", 2);
    cJSON_Delete(a);
    a = lsp_peer_notification(&p, "window/showMessage");
    action_expect_text(a, "params.message",
                       "the review was cut in 2 of 2 pieces, with 1 findings so far; "
                       "inlined.actions.maxTokens allows longer answers");
    cJSON_Delete(a);
    a = lsp_peer_notification(&p, "textDocument/publishDiagnostics");
    action_expect_text(a, "params.diagnostics.0.message", "One that is whole.");
    assert_null(lsp_peer_at(a, "params.diagnostics.1"));
    cJSON_Delete(a);
    /* Nothing of it is whole: a sentence.  Whole after all: nothing to be said. */
    run_command(&p, 2, "review");
    assert_true(lsp_peer_end_job(&p, "{\"findings\":[{\"line\":2,\"sever", OK));
    action_expect_error(&p, 2, LSP_REQUEST_FAILED, "the review was cut in 1 of 1 pieces");
    lsp_peer_forget(&p);
    run_command(&p, 3, "review");
    assert_true(lsp_peer_end_job(&p, "{\"findings\":[]}", OK));
    a = lsp_peer_answer(&p, 3);
    assert_null(lsp_peer_at(a, "result.cut"));
    cJSON_Delete(a);
    assert_null(lsp_peer_notification(&p, "window/showMessage"));
    lsp_peer_close(&p);
}

/* ---- git ------------------------------------------------------------------------------------- */

typedef struct {
    lsp_peer peer;
    uv_loop_t loop;
    git *git;
    char folder[64], uri[120];
} repository;

static void shell(const repository *r, const char *command) {
    char line[700];
    snprintf(line, sizeof line,
             "cd %s && export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a "
             "GIT_COMMITTER_EMAIL=a@b && (%s) >/dev/null 2>&1",
             r->folder, command);
    assert_int_equal(system(line), 0);
}

static void repository_begin(repository *r, const char *text) {
    snprintf(r->folder, sizeof r->folder, "/tmp/inlined-review-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    shell(r, "git init -q && printf 'def f(a):\\n    return a\\n\\ndef g(b):\\n    return b\\n' "
             "> a.py && git add a.py && git commit -qm one");
    uv_loop_init(&r->loop);
    r->git = git_new(&r->loop, NULL);
    action_begin(&r->peer, MODERN);
    r->peer.server->options.git = r->git;
    snprintf(r->uri, sizeof r->uri, "file://%s/a.py", r->folder);
    char json[500];
    snprintf(json, sizeof json,
             "{\"method\":\"textDocument/didOpen\",\"params\":{\"textDocument\":{\"uri\":\"%s\","
             "\"languageId\":\"python\",\"version\":1,\"text\":\"%s\"}}}",
             r->uri, text);
    lsp_peer_send(&r->peer, json);
}

static void repository_end(repository *r) {
    lsp_peer_close(&r->peer);
    git_free(r->git);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&r->loop), 0);
    char line[100];
    snprintf(line, sizeof line, "rm -rf %s", r->folder);
    assert_int_equal(system(line), 0);
}

static void command_on(repository *r, int id, const char *command, const char *action) {
    char json[400];
    snprintf(json, sizeof json,
             "{\"id\":%d,\"method\":\"workspace/executeCommand\",\"params\":{\"command\":\"%s\","
             "\"arguments\":[{\"action\":\"%s\",\"uri\":\"%s\"}]}}",
             id, command, action, r->uri);
    lsp_peer_send(&r->peer, json);
    for (int i = 0; i < 2000 && !fake_engine_waiting(r->peer.engine); i++) {
        uv_run(&r->loop, UV_RUN_NOWAIT);
        if (!r->peer.server->works.count) break;
        usleep(1000);
    }
}

/* Only the function that is not as it was committed. */
static void test_review_of_changes(void **state) {
    UNUSED(state);
    repository r = {0};
    repository_begin(&r, "def f(a):\\n    return a\\n\\ndef g(b):\\n    return b + 1\\n");
    command_on(&r, 1, "inlined.action", "reviewChanges");
    assert_true(
        str_find(fake_engine_chat(r.peer.engine), STR("4: def g(b):\n5:     return b + 1")) >= 0);
    assert_true(str_find(fake_engine_chat(r.peer.engine), STR("1: def f(a)")) < 0);
    assert_true(lsp_peer_end_job(&r.peer, "{\"findings\":[]}", OK));
    cJSON *a = lsp_peer_answer(&r.peer, 1);
    action_expect_number(a, "result.pieces", 1);
    cJSON_Delete(a);
    repository_end(&r);
}

/* What changed outside of definitions: no line is in two pieces, and a finding counts once. */
static void test_review_between_definitions(void **state) {
    UNUSED(state);
    repository r = {0};
    repository_begin(&r,
                     "import x\\ndef f(a):\\n    return a\\n\\ny = 1\\n\\nz = 2\\n\\ndef g(b):\\n"
                     "    return b\\n# end\\n");
    command_on(&r, 1, "inlined.action", "reviewChanges");
    /* Lines 1; 4-8, of which two changed; 11 and its empty last one. */
    static const char *const pieces[][3] = {
        {"1: import x\n", "2: ", "{\"findings\":[]}"},
        {"4: \n5: y = 1\n6: \n7: z = 2\n8: \n", "9: ",
         "{\"findings\":[{\"line\":7,\"severity\":\"hint\",\"message\":\"Too short a name.\","
         "\"replacement\":null},{\"line\":7,\"severity\":\"hint\",\"message\":\"Too short a "
         "name.\","
         "\"replacement\":null}]}"},
        {"11: # end\n", "10: ", "{\"findings\":[]}"},
    };
    for (size_t i = 0; i < COUNTOF(pieces); i++) {
        str chat = fake_engine_chat(r.peer.engine);
        if (str_find(chat, str_of(pieces[i][0])) < 0) fail_msg("%.*s", STR_ARG(chat));
        char before[16];
        snprintf(before, sizeof before, "\n%s", pieces[i][1]);
        assert_true(str_find(chat, str_of(before)) < 0);
        assert_true(lsp_peer_end_job(&r.peer, pieces[i][2], OK));
    }
    cJSON *a = lsp_peer_answer(&r.peer, 1);
    assert_non_null(a);
    action_expect_number(a, "result.pieces", 3);
    action_expect_number(a, "result.findings", 1);
    cJSON_Delete(a);
    repository_end(&r);
}

static void test_review_without_changes(void **state) {
    UNUSED(state);
    repository r = {0};
    repository_begin(&r, "def f(a):\\n    return a\\n\\ndef g(b):\\n    return b\\n");
    command_on(&r, 1, "inlined.action", "reviewChanges");
    action_expect_error(&r.peer, 1, LSP_REQUEST_FAILED, "nothing has changed");
    repository_end(&r);
}

static void test_commit_message(void **state) {
    UNUSED(state);
    repository r = {0};
    repository_begin(&r, "x");
    command_on(&r, 1, "inlined.commitMessage", "");
    action_expect_error(&r.peer, 1, LSP_REQUEST_FAILED, "nothing is staged");
    shell(&r, "printf 'def f(a):\\n    return a * 2\\n' > a.py && printf 'key=1' > .env && "
              "git add -f a.py .env");
    command_on(&r, 2, "inlined.commitMessage", "");
    assert_true(str_find(fake_engine_chat(r.peer.engine), STR("+    return a * 2")) >= 0);
    assert_true(str_find(fake_engine_chat(r.peer.engine), STR(".env")) < 0); /* private */
    assert_true(lsp_peer_end_job(&r.peer, "```\nDouble what f returns\n\nBecause.\n```", OK));
    cJSON *a = lsp_peer_answer(&r.peer, 2);
    action_expect_text(a, "result.message", "Double what f returns\n\nBecause.");
    cJSON_Delete(a);
    command_on(&r, 3, "inlined.commitMessage", "");
    lsp_peer_send(&r.peer, "{\"method\":\"$/cancelRequest\",\"params\":{\"id\":3}}");
    action_expect_error(&r.peer, 3, LSP_REQUEST_CANCELLED, "cancelled");
    repository_end(&r);
}

/* ---- explanations ---------------------------------------------------------------------------- */

static void test_explanation_in_a_file(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, COMMANDS ",\"window\":{\"showDocument\":{\"support\":true}}");
    run_command(&p, 1, "explain");
    assert_true(lsp_peer_end_job(&p, "It gives *a* back.", OK));
    cJSON *params = NULL, *a = lsp_peer_answer(&p, 1);
    assert_true(action_asked(&p, "window/showDocument", &params) > 0);
    action_expect_text(a, "result.text", "It gives *a* back.");
    char path[200], text[200] = "";
    snprintf(path, sizeof path, "%s", lsp_peer_at(params, "uri")->valuestring + strlen("file://"));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_string_equal(text, "# Explain f\n\nIt gives *a* back.\n");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    lsp_peer_close(&p);
    assert_int_not_equal(stat(path, &st), 0); /* gone with the connection */
    cJSON_Delete(params);
    cJSON_Delete(a);
}

/* A virtual document grows while the model writes. */
static void test_explanation_streams(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, "\"workspace\":{\"textDocumentContent\":{}},\"window\":{\"showDocument\":{"
                     "\"support\":true}}");
    run_command(&p, 1, "explain");
    fake_engine_write(p.engine, "It gives");
    lsp_peer_drain(&p);
    cJSON *params = NULL;
    assert_true(action_asked(&p, "window/showDocument", &params) > 0);
    cJSON *question = cJSON_CreateObject();
    cJSON_AddStringToObject(question, "uri", lsp_peer_at(params, "uri")->valuestring);
    action_send(&p, 2, "workspace/textDocumentContent", question);
    cJSON *a = lsp_peer_answer(&p, 2);
    action_expect_text(a, "result.text", "# Explain f\n\nIt gives\n");
    cJSON_Delete(a);
    assert_true(lsp_peer_end_job(&p, "It gives a back.", OK));
    assert_true(action_asked(&p, "workspace/textDocumentContent/refresh", NULL) > 0);
    action_send(&p, 3, "workspace/textDocumentContent", question);
    a = lsp_peer_answer(&p, 3);
    action_expect_text(a, "result.text", "# Explain f\n\nIt gives a back.\n");
    cJSON_Delete(a);
    cJSON_Delete(question);
    cJSON_Delete(params);
    cJSON_Delete(lsp_peer_answer(&p, 1));
    lsp_peer_close(&p);
}

/* ---- hovers ---------------------------------------------------------------------------------- */

#define MARKDOWN "\"textDocument\":{\"hover\":{\"contentFormat\":[\"markdown\",\"plaintext\"]}}"

static void hover(lsp_peer *p, int id, int line, int character) {
    char json[250];
    snprintf(json, sizeof json,
             "{\"id\":%d,\"method\":\"textDocument/hover\",\"params\":{\"textDocument\":{\"uri\":"
             "\"" URI "\"},\"position\":{\"line\":%d,\"character\":%d}}}",
             id, line, character);
    lsp_peer_send(p, json);
}

static void expect_hover(lsp_peer *p, int id, const char *want) {
    cJSON *a = lsp_peer_answer(p, id);
    assert_non_null(a);
    if (want)
        action_expect_text(a, "result.contents.value", want);
    else
        assert_true(cJSON_IsNull(lsp_peer_at(a, "result")));
    cJSON_Delete(a);
}

#define INSTANT "```python\ndef f(a):\n```\n\n*function, a.py line 1, 2 lines*\n"

static void test_hover(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MARKDOWN);
    hover(&p, 1, 0, 4);
    expect_hover(&p, 1, INSTANT);
    hover(&p, 2, 1, 6); /* "return" is no definition */
    expect_hover(&p, 2, NULL);
    hover(&p, 3, 99, 0);
    expect_hover(&p, 3, NULL);
    /* The model's sentence comes later, in the background, and is kept by the text. */
    hover_tick(p.server);
    assert_int_equal(fake_engine_waiting(p.engine), 0); /* not idle yet */
    p.server->hovers.wanted.since_ms -= 10000;
    hover_tick(p.server);
    assert_int_equal(fake_engine_waiting(p.engine), 1);
    assert_int_equal(fake_engine_priority(p.engine), PRIO_BACKGROUND);
    hover(&p, 4, 0, 4); /* does not wait */
    expect_hover(&p, 4, INSTANT);
    assert_true(lsp_peer_end_job(&p, "Gives a back.", OK));
    hover(&p, 5, 0, 4);
    expect_hover(&p, 5, INSTANT "\n---\nGives a back. (model)\n");
    lsp_peer_edit(&p, URI, 1, 12, 1, 12, "+1"); /* another text: unknown again */
    hover(&p, 6, 0, 4);
    expect_hover(&p, 6, INSTANT);
    lsp_peer_close(&p);
}

static void test_hover_settings(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MARKDOWN);
    lsp_peer_send(&p, "{\"method\":\"workspace/didChangeConfiguration\",\"params\":{\"settings\":{"
                      "\"hover\":\"off\"}}}");
    hover(&p, 1, 0, 4);
    expect_hover(&p, 1, NULL);
    lsp_peer_send(&p, "{\"method\":\"workspace/didChangeConfiguration\",\"params\":{\"settings\":{"
                      "\"hover\":\"instant\"}}}");
    hover(&p, 2, 0, 4);
    expect_hover(&p, 2, INSTANT);
    p.server->hovers.wanted.since_ms -= 10000;
    hover_tick(p.server);
    assert_int_equal(fake_engine_waiting(p.engine), 0);
    lsp_peer_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_review_pushes),
        cmocka_unit_test(test_findings_move),
        cmocka_unit_test(test_review_pulls),
        cmocka_unit_test(test_review_pushes_to_who_cannot_be_told),
        cmocka_unit_test(test_review_of_a_file),
        cmocka_unit_test(test_review_is_cut),
        cmocka_unit_test(test_review_of_changes),
        cmocka_unit_test(test_review_between_definitions),
        cmocka_unit_test(test_review_without_changes),
        cmocka_unit_test(test_commit_message),
        cmocka_unit_test(test_explanation_in_a_file),
        cmocka_unit_test(test_explanation_streams),
        cmocka_unit_test(test_hover),
        cmocka_unit_test(test_hover_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
