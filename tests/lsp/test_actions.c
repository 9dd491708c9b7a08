/* SPDX-License-Identifier: Apache-2.0 */
/* Code actions with a scripted engine: the list, the choice, the edit, and all that goes wrong. */
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "tests/lsp/action_peer.h"

/* ---- the list -------------------------------------------------------------------------------- */

static void test_list(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    p.model.state = MODEL_NONE; /* no model is needed */
    int wanted = p.models_wanted;
    action_list(&p, 1, 1, "\"diagnostics\":[],\"only\":[\"refactor\"]");
    action_expect_titles(
        &p, 1,
        "Improve f (model)|Simplify f (model)|Add error handling to f (model)|Add types "
        "to f (model)|Document f (model)|Generate tests for f (model)|");
    action_list(&p, 2, 3, "\"diagnostics\":[],\"only\":[\"refactor\"]");
    action_expect_titles(
        &p, 2,
        "Improve line 4 (model)|Simplify line 4 (model)|Add error handling to line 4 "
        "(model)|Add types to line 4 (model)|");
    action_list(&p, 3, 1, "\"diagnostics\":[],\"only\":[\"refactor.rewrite.document\"]");
    action_expect_titles(&p, 3, "Document f (model)|");
    action_list(&p, 4, 1, "\"diagnostics\":[],\"only\":[\"source\",\"refactor.rewritten\"]");
    action_expect_titles(&p, 4, "");
    action_list(&p, 5, 1, "\"diagnostics\":[],\"triggerKind\":2");
    action_expect_titles(&p, 5, "");
    action_list(
        &p, 6, 1,
        "\"diagnostics\":[{\"range\":{\"start\":{\"line\":1,\"character\":4},\"end\":{\"line\":1,"
        "\"character\":9}},\"message\":\"bad\\nthing\"}],\"triggerKind\":2");
    action_expect_titles(&p, 6, "Fix: bad (model)|");
    action_list(&p, 7, 2, "\"diagnostics\":[]");
    action_expect_titles(&p, 7, "");
    assert_int_equal(p.models_wanted, wanted);
    assert_int_equal(fake_engine_submitted(p.engine), 0);
    lsp_peer_close(&p);
}

/* Editors send along what they have heard from us; the others come as inlined/diagnostics. */
static void test_fixes_of_noted_diagnostics(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    lsp_peer_send(&p,
                  "{\"method\":\"inlined/diagnostics\",\"params\":{\"uri\":\"" URI "\","
                  "\"diagnostics\":[{\"range\":{\"start\":{\"line\":1,\"character\":4},\"end\":{"
                  "\"line\":1,\"character\":9}},\"severity\":1,\"message\":\"bad thing\"},{"
                  "\"range\":{\"start\":{\"line\":3,\"character\":0},\"end\":{\"line\":3,"
                  "\"character\":1}},\"severity\":2,\"message\":\"odd thing\"}]}}");
    action_list(&p, 1, 1, "\"diagnostics\":[],\"triggerKind\":2");
    action_expect_titles(&p, 1, "Fix: bad thing (model)|");
    action_list(&p, 2, 3, "\"diagnostics\":[],\"only\":[\"quickfix\"]");
    action_expect_titles(&p, 2, "Fix: odd thing (model)|");
    action_list(&p, 3, 1,
                "\"diagnostics\":[{\"range\":{\"start\":{\"line\":1,\"character\":4},\"end\":{"
                "\"line\":1,\"character\":9}},\"message\":\"bad thing\"}],\"triggerKind\":2");
    action_expect_titles(&p, 3, "Fix: bad thing (model)|"); /* once */
    action_run(&p, 4, 1, "Fix: bad thing");
    assert_true(str_find(fake_engine_chat(p.engine), STR("- at `return a`: bad thing")) >= 0);
    lsp_peer_send(&p, "{\"method\":\"$/cancelRequest\",\"params\":{\"id\":4}}");
    lsp_peer_close(&p);
}

static void test_list_of_odd_ranges(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    lsp_peer_send(&p, "{\"id\":1,\"method\":\"textDocument/codeAction\",\"params\":{"
                      "\"textDocument\":{\"uri\":\"" URI "\"},\"range\":{\"start\":{\"line\":1,"
                      "\"character\":9},\"end\":{\"line\":1,\"character\":4}},\"context\":{"
                      "\"only\":[\"refactor\"]}}}");
    action_expect_titles(
        &p, 1,
        "Improve line 2 of f (model)|Simplify line 2 of f (model)|Add error handling to "
        "line 2 of f (model)|Add types to line 2 of f (model)|Extract a function from line 2 of f "
        "(model)|");
    action_list(&p, 2, 4000, "\"diagnostics\":[]");
    action_expect_titles(&p, 2, "");
    lsp_peer_send(&p,
                  "{\"id\":3,\"method\":\"textDocument/codeAction\",\"params\":{"
                  "\"textDocument\":{\"uri\":\"" URI "\"},\"range\":{\"start\":{\"line\":-1}}}}");
    action_expect_error(&p, 3, RPC_INVALID_PARAMS, "range");
    lsp_peer_send(&p, "{\"id\":4,\"method\":\"textDocument/codeAction\",\"params\":{"
                      "\"textDocument\":{\"uri\":\"file:///no\"},\"range\":{\"start\":{\"line\":0,"
                      "\"character\":0},\"end\":{\"line\":0,\"character\":0}}}}");
    action_expect_titles(&p, 4, "");
    lsp_peer_close(&p);
}

/* What the tree does by itself has its edit in the menu. */
static void test_tree_actions(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    lsp_peer_edit(&p, URI, 1, 4, 1, 12, "b = a * 2\\n    return g(b)");
    lsp_peer_send(&p, "{\"id\":1,\"method\":\"textDocument/codeAction\",\"params\":{"
                      "\"textDocument\":{\"uri\":\"" URI "\"},\"range\":{\"start\":{\"line\":1,"
                      "\"character\":8},\"end\":{\"line\":1,\"character\":13}},\"context\":{"
                      "\"only\":[\"refactor.extract\"]}}}");
    cJSON *a = lsp_peer_answer(&p, 1);
    action_expect_text(a, "result.0.title", "Extract variable value (syntax tree)");
    action_expect_text(a, "result.0.edit.documentChanges.0.edits.0.newText", "value = a * 2\n    ");
    action_expect_text(a, "result.0.edit.documentChanges.0.edits.1.newText", "value");
    action_expect_number(a, "result.0.edit.documentChanges.0.textDocument.version", 2);
    assert_null(lsp_peer_at(a, "result.0.command"));
    cJSON_Delete(a);
    lsp_peer_send(&p, "{\"id\":2,\"method\":\"textDocument/codeAction\",\"params\":{"
                      "\"textDocument\":{\"uri\":\"" URI "\"},\"range\":{\"start\":{\"line\":1,"
                      "\"character\":4},\"end\":{\"line\":1,\"character\":4}},\"context\":{"
                      "\"only\":[\"refactor.inline\"]}}}");
    action_expect_titles(&p, 2, "Inline b (syntax tree)|");
    lsp_peer_close(&p);
}

/* A model that is too slow to name something holds nobody up: the rule's name stands. */
static void test_slow_name(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    lsp_peer_edit(&p, URI, 1, 4, 1, 12, "b = a * 2\\n    return g(b)");
    lsp_peer_send(
        &p, "{\"id\":1,\"method\":\"codeAction/resolve\",\"params\":{\"title\":\"x\",\"data\":{"
            "\"action\":\"nameVariable\",\"uri\":\"" URI "\",\"version\":2,\"range\":{"
            "\"start\":{\"line\":1,\"character\":8},\"end\":{\"line\":1,\"character\":13}}}}}");
    assert_int_equal(fake_engine_waiting(p.engine), 1);
    assert_non_null(fake_engine_job(p.engine, 0)->grammar); /* identifiers only */
    assert_true(fake_engine_job(p.engine, 0)->tokens_max < 100);
    agents_tick(p.agents, clock_ms());
    assert_null(lsp_peer_answer(&p, 1)); /* not yet */
    agents_tick(p.agents, clock_ms() + 60000);
    cJSON *a = lsp_peer_answer(&p, 1);
    assert_non_null(a);
    action_expect_text(a, "result.edit.documentChanges.0.edits.1.newText", "value");
    cJSON_Delete(a);
    assert_int_equal(p.server->works.count, 0);
    lsp_peer_close(&p);
}

/* Listing a large file right after edits, when its tree may be the one before; says how long. */
static void test_list_after_edits(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    strbuf text;
    strbuf_init(&text, 4 << 20);
    for (int i = 0; i < 3000; i++)
        strbuf_addf(&text, "def f%d(a):\\n    return a + %d\\n\\n", i, i);
    strbuf json;
    strbuf_init(&json, 8 << 20);
    strbuf_addf(&json,
                "{\"method\":\"textDocument/didOpen\",\"params\":{\"textDocument\":{\"uri\":"
                "\"" URI "\",\"languageId\":\"python\",\"version\":1,\"text\":\"%s\"}}}",
                text.ptr);
    lsp_peer_send(&p, json.ptr);
    double best = 1e9;
    int whole = 0;
    for (int size = 0, i = 0; size < 9; i++) { /* the first parse of it all takes several goes */
        assert_true(i < 1000);
        action_list(&p, 1, 301, "\"diagnostics\":[]");
        cJSON *a = lsp_peer_answer(&p, 1);
        size = cJSON_GetArraySize(lsp_peer_at(a, "result"));
        cJSON_Delete(a);
    }
    for (int i = 0; i < 20; i++) {
        lsp_peer_edit(&p, URI, 4, 0, 4, 0, " ");
        double before = clock_ms();
        action_list(&p, 1, 301, "\"diagnostics\":[]");
        double took = clock_ms() - before;
        best = took < best ? took : best;
        cJSON *a = lsp_peer_answer(&p, 1);
        whole += cJSON_GetArraySize(lsp_peer_at(a, "result")) >= 9;
        cJSON_Delete(a);
    }
    assert_true(whole > 0); /* with the tree, that is */
    print_message("a list in a file of 9000 lines, right after an edit: %.2f ms\n", best);
    strbuf_deinit(&text);
    strbuf_deinit(&json);
    lsp_peer_close(&p);
}

/* ---- edits ----------------------------------------------------------------------------------- */

#define GOOD "Here:\n```python\ndef f(a):\n    return a + 1\n```"

static void test_resolve(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    action_run(&p, 1, 1, "Improve f");
    assert_int_equal(fake_engine_priority(p.engine), PRIO_USER);
    assert_true(str_find(fake_engine_chat(p.engine), STR("def f(a):\n    return a\n")) >= 0);
    assert_true(lsp_peer_end_job(&p, GOOD, OK));
    cJSON *a = lsp_peer_answer(&p, 1);
    action_expect_text(a, "result.title", "Improve f (model)");
    action_expect_number(a, "result.edit.documentChanges.0.textDocument.version", 1);
    action_expect_text(a, "result.edit.documentChanges.0.edits.0.newText", " + 1");
    action_expect_number(a, "result.edit.documentChanges.0.edits.0.range.start.line", 1);
    action_expect_number(a, "result.edit.documentChanges.0.edits.0.range.start.character", 12);
    assert_true(
        cJSON_IsFalse(lsp_peer_at(a, "result.edit.changeAnnotations.inlined.needsConfirmation")));
    cJSON_Delete(a);
    lsp_peer_close(&p);
}

/* A client that resolves nothing: a command, an edit of ours, its answer. */
static void test_command(void **state) {
    UNUSED(state);
    static const char *const clients[] = {COMMANDS, OLD};
    for (size_t i = 0; i < COUNTOF(clients); i++) {
        lsp_peer p;
        action_begin(&p, clients[i]);
        action_run(&p, 1, 1, "Improve f");
        assert_true(lsp_peer_end_job(&p, GOOD, OK));
        cJSON *params = NULL;
        int id = action_asked(&p, "workspace/applyEdit", &params);
        assert_true(id > 0);
        action_expect_text(params, "label", "Improve f");
        const cJSON *changes = lsp_peer_at(params, "edit.changes");
        const cJSON *edits = cJSON_GetObjectItemCaseSensitive(changes, URI);
        action_expect_text(edits, "0.newText", " + 1");
        assert_null(lsp_peer_at(edits, "0.annotationId"));
        cJSON_Delete(params);
        lsp_peer_edit(&p, URI, 1, 12, 1, 12, " + 1"); /* its own edit, before its answer */
        assert_null(lsp_peer_answer(&p, 1));
        action_reply(&p, id, "{\"applied\":true}");
        cJSON *a = lsp_peer_answer(&p, 1);
        assert_true(cJSON_IsNull(lsp_peer_at(a, "result")));
        cJSON_Delete(a);
        lsp_peer_close(&p);
    }
}

static void test_editor_rejects(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, COMMANDS);
    action_run(&p, 1, 1, "Improve f");
    assert_true(lsp_peer_end_job(&p, GOOD, OK));
    action_reply(&p, action_asked(&p, "workspace/applyEdit", NULL),
                 "{\"applied\":false,\"failureReason\":\"version\"}");
    action_expect_error(&p, 1, LSP_REQUEST_FAILED, "did not make the change: version");
    lsp_peer_close(&p);
}

/* New syntax errors: a person confirms, by annotation or by a question. */
static void test_confirmation(void **state) {
    UNUSED(state);
    static const char bad[] = "```python\ndef f(a):\n    return (a\n```";
    lsp_peer p;
    action_begin(&p, MODERN);
    action_run(&p, 1, 1, "Improve f");
    assert_true(lsp_peer_end_job(&p, bad, OK));
    cJSON *a = lsp_peer_answer(&p, 1);
    assert_true(
        cJSON_IsTrue(lsp_peer_at(a, "result.edit.changeAnnotations.inlined.needsConfirmation")));
    cJSON_Delete(a);
    lsp_peer_close(&p);
    action_begin(&p, COMMANDS);
    action_run(&p, 1, 1, "Improve f");
    assert_true(lsp_peer_end_job(&p, bad, OK));
    assert_int_equal(action_asked(&p, "workspace/applyEdit", NULL), 0);
    action_reply(&p, action_asked(&p, "window/showMessageRequest", NULL),
                 "{\"title\":\"Discard\"}");
    action_expect_error(&p, 1, LSP_REQUEST_CANCELLED, "not wanted");
    action_run(&p, 2, 1, "Improve f");
    assert_true(lsp_peer_end_job(&p, bad, OK));
    action_reply(&p, action_asked(&p, "window/showMessageRequest", NULL), "{\"title\":\"Apply\"}");
    assert_true(action_asked(&p, "workspace/applyEdit", NULL) > 0);
    lsp_peer_close(&p);
    /* Who types while the question is open gets no edit for what stood there before. */
    action_begin(&p, COMMANDS);
    action_run(&p, 1, 1, "Improve f");
    assert_true(lsp_peer_end_job(&p, bad, OK));
    int question = action_asked(&p, "window/showMessageRequest", NULL);
    lsp_peer_edit(&p, URI, 0, 0, 0, 0, "\\n");
    action_expect_error(&p, 1, LSP_CONTENT_MODIFIED, "has changed");
    action_reply(&p, question, "{\"title\":\"Apply\"}");
    assert_int_equal(action_asked(&p, "workspace/applyEdit", NULL), 0);
    lsp_peer_close(&p);
}

static void test_comment(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    action_run(&p, 1, 1, "Document f");
    assert_true(lsp_peer_end_job(&p, "\"\"\"Gives it back.\"\"\"", OK));
    cJSON *a = lsp_peer_answer(&p, 1);
    action_expect_text(a, "result.edit.documentChanges.0.edits.0.newText",
                       "    \"\"\"Gives it back.\"\"\"\n");
    action_expect_number(a, "result.edit.documentChanges.0.edits.0.range.start.line", 1);
    action_expect_number(a, "result.edit.documentChanges.0.edits.0.range.start.character", 0);
    cJSON_Delete(a);
    lsp_peer_close(&p);
}

static void test_tests(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    action_run(&p, 1, 1, "Generate tests");
    assert_true(lsp_peer_end_job(&p, "```python\nfrom a import f\n```", OK));
    cJSON *params = NULL;
    int id = action_asked(&p, "workspace/applyEdit", &params);
    action_expect_text(params, "edit.documentChanges.0.uri", "file:///w/test_a.py");
    action_expect_text(params, "edit.documentChanges.0.kind", "create");
    action_expect_text(params, "edit.documentChanges.1.edits.0.newText", "from a import f\n");
    cJSON_Delete(params);
    action_reply(&p, id, "{\"applied\":true}");
    lsp_peer_close(&p);
}

/* ---- what goes wrong ------------------------------------------------------------------------- */

static void test_bad_answers(void **state) {
    UNUSED(state);
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "wrote nothing"},
        {"I would not change this function.", "words instead of code"},
        {"```python\ndef g(a):\n    return a\n```", "does not define f"},
        {"```python\ndef f(a):\n    return a\n```", "would change nothing in f"},
        {"{\"name\": \"f\", \"argum", "words instead of code"},
        {"```python\ndef f(a):<|im_end|>\n```", "its own template"},
    };
    lsp_peer p;
    action_begin(&p, MODERN);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        action_run(&p, 1, 1, "Improve f");
        assert_true(lsp_peer_end_job(&p, cases[i].text, OK));
        action_expect_error(&p, 1, LSP_REQUEST_FAILED, cases[i].why);
    }
    action_run(&p, 1, 1, "Improve f");
    fake_engine_set_finish(p.engine, FINISH_TOKENS);
    assert_true(lsp_peer_end_job(&p, "```python\ndef f(a):\n    retu", OK));
    action_expect_error(&p, 1, LSP_REQUEST_FAILED, "ended in the middle");
    action_run(&p, 1, 1, "Document f");
    assert_true(lsp_peer_end_job(&p, "<|endoftext|>", OK));
    action_expect_error(&p, 1, LSP_REQUEST_FAILED, "wrote no documentation");
    action_run(&p, 1, 1, "Improve f");
    assert_true(lsp_peer_end_job(&p, NULL, ERR_UNSUPPORTED));
    action_expect_error(&p, 1, LSP_REQUEST_FAILED, "the fake engine ended the job");
    lsp_peer_close(&p);
}

/* 200,000 characters, and the same line for ever, are stopped while they come. */
static void test_runaway(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    strbuf text;
    strbuf_init(&text, 1 << 20);
    for (int i = 0; text.len < 200000; i++)
        strbuf_addf(&text, "x%d = %d\n", i, i);
    action_run(&p, 1, 1, "Improve f");
    fake_engine_write(p.engine, text.ptr);
    lsp_peer_drain(&p);
    assert_int_equal(fake_engine_cancelled(p.engine), 1);
    lsp_peer_drain(&p);
    action_expect_error(&p, 1, LSP_REQUEST_FAILED, "far too long");
    strbuf_clear(&text);
    for (int i = 0; i < 40; i++)
        strbuf_addf(&text, "    return a\n");
    action_run(&p, 2, 1, "Improve f");
    fake_engine_write(p.engine, text.ptr);
    lsp_peer_drain(&p);
    lsp_peer_drain(&p);
    action_expect_error(&p, 2, LSP_REQUEST_FAILED, "same line for ever");
    strbuf_deinit(&text);
    lsp_peer_close(&p);
}

static void test_document_moves_on(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    cJSON *action = action_choose(&p, 1, "Improve f");
    action_run(&p, 1, 1, "Improve f");
    lsp_peer_edit(&p, URI, 0, 0, 0, 0, "\\n");
    action_expect_error(&p, 1, LSP_CONTENT_MODIFIED, "has changed");
    action_send(&p, 2, "codeAction/resolve", action); /* made for the version before */
    action_expect_error(&p, 2, LSP_CONTENT_MODIFIED, "has changed");
    cJSON_Delete(action);
    action_run(&p, 3, 1, "Improve f");
    lsp_peer_send(&p, "{\"method\":\"textDocument/didClose\",\"params\":{\"textDocument\":{"
                      "\"uri\":\"" URI "\"}}}");
    action_expect_error(&p, 3, LSP_CONTENT_MODIFIED, "closed");
    lsp_peer_drain(&p);
    lsp_peer_close(&p);
}

static void test_cancel(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    action_run(&p, 1, 1, "Improve f");
    lsp_peer_send(&p, "{\"method\":\"$/cancelRequest\",\"params\":{\"id\":1}}");
    action_expect_error(&p, 1, LSP_REQUEST_CANCELLED, "cancelled");
    action_run(&p, 2, 1, "Improve f");
    assert_true(action_asked(&p, "window/workDoneProgress/create", NULL) > 0);
    assert_int_equal(fake_engine_waiting(p.engine), 1);
    lsp_peer_send(&p, "{\"method\":\"$/cancelRequest\",\"params\":{\"id\":2}}");
    action_expect_error(&p, 2, LSP_REQUEST_CANCELLED, "cancelled");
    lsp_peer_drain(&p);
    assert_int_equal(fake_engine_waiting(p.engine), 0);
    lsp_peer_close(&p);
}

/* Progress: begin when the client has said yes, tokens per second, cancel by its token. */
static void test_progress(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    action_run(&p, 1, 1, "Improve f");
    cJSON *create = NULL;
    int id = action_asked(&p, "window/workDoneProgress/create", &create);
    action_reply(&p, id, "null");
    cJSON *news = lsp_peer_notification(&p, "$/progress");
    action_expect_text(news, "params.value.kind", "begin");
    action_expect_text(news, "params.value.title", "Improve f");
    assert_true(cJSON_IsTrue(lsp_peer_at(news, "params.value.cancellable")));
    cJSON_Delete(news);
    fake_engine_write(p.engine, "one ");
    lsp_peer_drain(&p);
    news = lsp_peer_notification(&p, "$/progress");
    action_expect_text(news, "params.value.kind", "report");
    cJSON_Delete(news);
    char json[200];
    snprintf(json, sizeof json,
             "{\"method\":\"window/workDoneProgress/cancel\",\"params\":{\"token\":\"%s\"}}",
             lsp_peer_at(create, "token")->valuestring);
    lsp_peer_send(&p, json);
    news = lsp_peer_notification(&p, "$/progress");
    action_expect_text(news, "params.value.kind", "end");
    cJSON_Delete(news);
    action_expect_error(&p, 1, LSP_REQUEST_CANCELLED, "cancelled");
    cJSON_Delete(create);
    lsp_peer_drain(&p);
    lsp_peer_close(&p);
}

static void test_client_token(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, COMMANDS);
    cJSON *action = action_choose(&p, 1, "Improve f");
    cJSON *params = cJSON_Duplicate(lsp_peer_at(action, "command"), true);
    cJSON_AddNumberToObject(params, "workDoneToken", 77);
    action_send(&p, 1, "workspace/executeCommand", params);
    cJSON *news = lsp_peer_notification(&p, "$/progress");
    action_expect_number(news, "params.token", 77);
    cJSON_Delete(news);
    lsp_peer_send(&p, "{\"method\":\"window/workDoneProgress/cancel\",\"params\":{\"token\":77}}");
    action_expect_error(&p, 1, LSP_REQUEST_CANCELLED, "cancelled");
    cJSON_Delete(action);
    cJSON_Delete(params);
    lsp_peer_close(&p);
}

static void test_refusals(void **state) {
    UNUSED(state);
    lsp_peer p;
    action_begin(&p, MODERN);
    static const struct {
        const char *argument;
        int code;
        const char *why;
    } cases[] = {
        {"", RPC_INVALID_PARAMS, "must be an object with a uri"},
        {"{\"action\":\"improve\",\"uri\":\"file:///no\"}", LSP_REQUEST_FAILED, "not open"},
        {"{\"action\":\"dance\",\"uri\":\"" URI "\"}", RPC_INVALID_PARAMS, "no action \\\"dance"},
        {"{\"action\":\"improve\",\"uri\":\"" URI "\",\"version\":0}", LSP_CONTENT_MODIFIED,
         "changed"},
        {"{\"action\":\"rewrite\",\"uri\":\"" URI "\"}", LSP_REQUEST_FAILED,
         "needs an instruction"},
        {"{\"action\":\"improve\",\"uri\":\"" URI "\",\"range\":7}", RPC_INVALID_PARAMS, "range"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        char json[400], why[80];
        snprintf(json, sizeof json,
                 "{\"id\":1,\"method\":\"workspace/executeCommand\",\"params\":{\"command\":"
                 "\"inlined.action\",\"arguments\":[%s]}}",
                 cases[i].argument);
        size_t n = 0;
        for (const char *c = cases[i].why; *c; c++)
            if (*c != '\\') why[n++] = *c;
        why[n] = '\0';
        lsp_peer_send(&p, json);
        action_expect_error(&p, 1, cases[i].code, why);
    }
    p.model.state = MODEL_FAILED;
    snprintf(p.model.error.text, sizeof p.model.error.text, "there is no model file");
    action_run(&p, 2, 1, "Improve f");
    action_expect_error(&p, 2, LSP_REQUEST_FAILED, "there is no model file");
    lsp_peer_close(&p);
}

/* The connection ends at every stage; nothing is left (ASan looks). */
static void test_gone(void **state) {
    UNUSED(state);
    for (int stage = 0; stage < 3; stage++) {
        lsp_peer p;
        action_begin(&p, COMMANDS ",\"window\":{\"workDoneProgress\":true}");
        action_run(&p, 1, 1, "Improve f");
        if (stage > 0) fake_engine_write(p.engine, "```python\n");
        if (stage > 0) lsp_peer_drain(&p);
        if (stage > 1) assert_true(lsp_peer_end_job(&p, GOOD, OK));
        lsp_peer_close(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_list_of_odd_ranges),
        cmocka_unit_test(test_fixes_of_noted_diagnostics),
        cmocka_unit_test(test_tree_actions),
        cmocka_unit_test(test_slow_name),
        cmocka_unit_test(test_list_after_edits),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_editor_rejects),
        cmocka_unit_test(test_confirmation),
        cmocka_unit_test(test_comment),
        cmocka_unit_test(test_tests),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_runaway),
        cmocka_unit_test(test_document_moves_on),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_client_token),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
