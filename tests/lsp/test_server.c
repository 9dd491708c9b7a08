/* SPDX-License-Identifier: Apache-2.0 */
/* lsp/server with a scripted engine: life cycle, ghost text, orders of events, bad input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "tests/lsp/lsp_peer.h"

#define URI "file:///w/a.txt"

static void expect_code(lsp_peer *p, int id, int code) {
    cJSON *a = lsp_peer_answer(p, id);
    assert_non_null(a);
    const cJSON *got = lsp_peer_at(a, "error.code");
    assert_non_null(got);
    assert_int_equal(got->valueint, code);
    cJSON_Delete(a);
}

/* The only item's text, or "" for an empty list. */
static void expect_text(lsp_peer *p, int id, const char *text) {
    cJSON *a = lsp_peer_answer(p, id);
    assert_non_null(a);
    const cJSON *items = lsp_peer_at(a, "result.items");
    assert_true(cJSON_IsArray(items));
    assert_int_equal(cJSON_GetArraySize(items), text[0] ? 1 : 0);
    if (text[0]) assert_string_equal(lsp_peer_at(items, "0.insertText")->valuestring, text);
    cJSON_Delete(a);
}

static void expect_reason(lsp_peer *p, const char *reason) {
    cJSON *n = lsp_peer_notification(p, "inlined/status");
    assert_non_null(n);
    assert_string_equal(lsp_peer_at(n, "params.reason")->valuestring, reason);
    assert_true(strlen(lsp_peer_at(n, "params.message")->valuestring) > 0);
    cJSON_Delete(n);
}

static void ready(lsp_peer *p, const char *text) {
    lsp_peer_open(p);
    lsp_peer_initialize(p);
    lsp_peer_model_ready(p);
    lsp_peer_open_document(p, URI, text);
    lsp_peer_forget(p);
}

static void test_life(void **state) {
    UNUSED(state);
    lsp_peer p;
    lsp_peer_open(&p);
    lsp_peer_ask(&p, 1, URI, 0, 0);
    expect_code(&p, 1, LSP_NOT_INITIALIZED);
    lsp_peer_send(&p, "{\"id\":2,\"method\":\"initialize\"}");
    expect_code(&p, 2, RPC_INVALID_PARAMS);
    lsp_peer_send(&p, "{\"id\":3,\"method\":\"initialize\",\"params\":{\"processId\":77,"
                      "\"capabilities\":{}}}");
    cJSON *a = lsp_peer_answer(&p, 3);
    assert_string_equal(lsp_peer_at(a, "result.capabilities.positionEncoding")->valuestring,
                        "utf-16");
    assert_true(cJSON_IsTrue(lsp_peer_at(a, "result.capabilities.inlineCompletionProvider")));
    cJSON_Delete(a);
    assert_int_equal(p.watched, 77);
    assert_int_equal(p.models_wanted, 0);
    lsp_peer_send(&p, "{\"method\":\"initialized\"}");
    assert_int_equal(p.models_wanted, 1);
    lsp_peer_send(&p, "{\"id\":4,\"method\":\"initialize\",\"params\":{}}");
    expect_code(&p, 4, RPC_INVALID_REQUEST);
    lsp_peer_send(&p, "{\"id\":5,\"method\":\"no/such\"}");
    expect_code(&p, 5, RPC_METHOD_NOT_FOUND);
    lsp_peer_send(&p, "{\"id\":6,\"method\":\"$/no\"}");
    expect_code(&p, 6, RPC_METHOD_NOT_FOUND);
    lsp_peer_send(&p, "{\"method\":\"$/no\"}");
    lsp_peer_send(&p, "{\"method\":\"textDocument/didShowCompletion\",\"params\":{}}");
    lsp_peer_send(&p, "{\"id\":7,\"method\":\"workspace/executeCommand\",\"params\":{\"command\":"
                      "\"inlined.didAcceptCompletionItem\",\"arguments\":[\"x\"]}}");
    a = lsp_peer_answer(&p, 7);
    assert_true(cJSON_IsNull(lsp_peer_at(a, "result")));
    cJSON_Delete(a);
    lsp_peer_send(&p, "{\"id\":8,\"method\":\"workspace/executeCommand\",\"params\":{\"command\":"
                      "\"other\"}}");
    expect_code(&p, 8, RPC_INVALID_PARAMS);
    lsp_peer_send(&p, "{\"id\":9,\"method\":\"shutdown\"}");
    cJSON_Delete(lsp_peer_answer(&p, 9));
    lsp_peer_ask(&p, 10, URI, 0, 0);
    expect_code(&p, 10, RPC_INVALID_REQUEST);
    lsp_peer_send(&p, "{\"method\":\"exit\"}");
    assert_int_equal(p.exit_code, 0);
    lsp_peer_close(&p);
}

static void test_exit_without_shutdown(void **state) {
    UNUSED(state);
    lsp_peer p;
    lsp_peer_open(&p);
    lsp_peer_send(&p, "{\"method\":\"exit\"}");
    assert_int_equal(p.exit_code, 1);
    lsp_peer_close(&p);
}

static void test_ghost_text(void **state) {
    UNUSED(state);
    lsp_peer p;
    ready(&p, "let x = \n");
    lsp_peer_ask(&p, 1, URI, 0, 8);
    assert_int_equal(fake_engine_submitted(p.engine), 0); /* waits for the timer */
    lsp_peer_tick(&p);
    assert_true(str_ends_with(fake_engine_prefix(p.engine), STR("let x = ")));
    assert_true(lsp_peer_end_job(&p, "one;", OK));
    cJSON *a = lsp_peer_answer(&p, 1);
    assert_string_equal(lsp_peer_at(a, "result.items.0.insertText")->valuestring, "one;");
    assert_int_equal(lsp_peer_at(a, "result.items.0.range.start.character")->valueint, 8);
    assert_int_equal(lsp_peer_at(a, "result.items.0.range.end.character")->valueint, 8);
    assert_string_equal(lsp_peer_at(a, "result.items.0.command.command")->valuestring,
                        "inlined.didAcceptCompletionItem");
    cJSON_Delete(a);
    lsp_peer_edit(&p, URI, 0, 8, 0, 8, "on"); /* typing along it, and back: without the model */
    lsp_peer_ask(&p, 2, URI, 0, 10);
    expect_text(&p, 2, "e;");
    lsp_peer_tick(&p);
    assert_int_equal(fake_engine_submitted(p.engine), 2); /* the answer, and the look ahead */
    assert_int_equal(fake_engine_cancelled(p.engine), 0);
    lsp_peer_close(&p);
}

static void test_newest_wins(void **state) {
    UNUSED(state);
    lsp_peer p;
    ready(&p, "let x = \n");
    for (int id = 1; id <= 1000; id++)
        lsp_peer_ask(&p, id, URI, 0, 8);
    lsp_peer_tick(&p);
    assert_int_equal(fake_engine_submitted(p.engine), 1); /* the burst cost one job */
    for (int id = 1; id < 1000; id++)
        expect_code(&p, id, LSP_REQUEST_CANCELLED);
    lsp_peer_ask(&p, 1001, URI, 0, 8); /* and one that comes while it runs */
    expect_code(&p, 1000, LSP_REQUEST_CANCELLED);
    assert_int_equal(fake_engine_cancelled(p.engine), 1);
    lsp_peer_tick(&p);
    lsp_peer_end_job(&p, "y;", OK);
    expect_text(&p, 1001, "y;");
    lsp_peer_close(&p);
}

static void test_cancel_and_edit(void **state) {
    UNUSED(state);
    lsp_peer p;
    ready(&p, "let x = \n");
    lsp_peer_ask(&p, 1, URI, 0, 8);
    lsp_peer_tick(&p);
    lsp_peer_send(&p, "{\"method\":\"$/cancelRequest\",\"params\":{\"id\":1}}");
    lsp_peer_send(&p, "{\"method\":\"$/cancelRequest\",\"params\":{\"id\":1}}");
    lsp_peer_send(&p, "{\"method\":\"$/cancelRequest\",\"params\":{\"id\":\"1\"}}");
    expect_code(&p, 1, LSP_REQUEST_CANCELLED);
    assert_int_equal(fake_engine_cancelled(p.engine), 1);
    lsp_peer_end_job(&p, NULL, OK);
    lsp_peer_ask(&p, 2, URI, 0, 8);
    lsp_peer_tick(&p);
    lsp_peer_edit(&p, URI, 0, 0, 0, 0, " ");
    expect_code(&p, 2, LSP_REQUEST_CANCELLED);
    lsp_peer_ask(&p, 3, URI, 0, 9);
    lsp_peer_tick(&p);
    lsp_peer_send(&p, "{\"method\":\"textDocument/didClose\",\"params\":{\"textDocument\":{\"uri\":"
                      "\"" URI "\"}}}");
    expect_code(&p, 3, LSP_REQUEST_CANCELLED);
    lsp_peer_end_job(&p, NULL, OK);
    lsp_peer_ask(&p, 4, URI, 0, 9);
    expect_text(&p, 4, "");
    expect_reason(&p, "unknown-document");
    lsp_peer_close(&p);
}

static void test_reasons(void **state) {
    UNUSED(state);
    lsp_peer p;
    lsp_peer_open(&p);
    lsp_peer_initialize(&p);
    lsp_peer_open_document(&p, URI, "let x = \n");
    lsp_peer_ask(&p, 1, URI, 0, 8);
    expect_text(&p, 1, "");
    expect_reason(&p, "model-loading");
    p.model.state = MODEL_FAILED;
    (void)err_set(&p.model.error, ERR_NOT_FOUND, "no model here; run `inlined models pull`");
    server_model_changed(p.server, &p.model);
    cJSON *told = lsp_peer_notification(&p, "window/showMessage");
    assert_non_null(told);
    cJSON_Delete(told);
    lsp_peer_ask(&p, 2, URI, 0, 8);
    expect_text(&p, 2, "");
    expect_reason(&p, "model-failed");
    lsp_peer_model_ready(&p);
    lsp_peer_ask(&p, 3, URI, 0, 8);
    lsp_peer_tick(&p);
    lsp_peer_end_job(&p, NULL, ERR_DEVICE); /* the engine died under it */
    expect_text(&p, 3, "");
    expect_reason(&p, "engine");
    lsp_peer_ask(&p, 30, URI, 0, 8);
    lsp_peer_tick(&p);
    const engine_job *job = fake_engine_job(p.engine, 0);
    assert_int_equal(job->priority, PRIO_TYPE);
    double left = job->deadline_ms - clock_ms();
    assert_true(left > 0 && left <= p.settings.completion.deadline_ms);
    lsp_peer_end_job(&p, NULL, ERR_LATE); /* and it passed; the next request asks again */
    expect_text(&p, 30, "");
    expect_reason(&p, "late");
    fake_engine_refuse(p.engine, true);
    lsp_peer_ask(&p, 4, URI, 0, 8);
    lsp_peer_tick(&p);
    expect_text(&p, 4, "");
    expect_reason(&p, "busy");
    fake_engine_refuse(p.engine, false);
    lsp_peer_ask(&p, 5, URI, 0, 8);
    lsp_peer_tick(&p);
    lsp_peer_end_job(&p, "", OK);
    expect_text(&p, 5, "");
    expect_reason(&p, "empty");
    lsp_peer_close(&p);
}

/* Sizes that the settings name hold as they are; without them the engine chooses. */
static void test_sizes_of_a_prompt(void **state) {
    UNUSED(state);
    lsp_peer p;
    lsp_peer_open(&p);
    lsp_peer_initialize(&p);
    lsp_peer_model_ready(&p);
    lsp_peer_open_document(&p, URI, "let x = \n");
    for (int bytes = 0; bytes <= 9000; bytes += 9000) {
        p.server->settings.context.prefix_bytes = bytes;
        p.server->settings.context.suffix_bytes = bytes / 2;
        p.server->settings.context.cross_file_bytes = bytes / 3;
        lsp_peer_ask(&p, bytes + 1, URI, 0, 8);
        lsp_peer_tick(&p);
        assert_int_equal(fake_engine_waiting(p.engine), 1);
        const engine_prompt *asked = &fake_engine_job(p.engine, 0)->prompt;
        assert_int_equal(asked->prefix_tokens_max, bytes);
        assert_int_equal(asked->suffix_tokens_max, bytes / 2);
        assert_int_equal(asked->context_tokens_max, bytes / 3);
        lsp_peer_end_job(&p, NULL, ERR_DEVICE); /* not kept: the next one asks again */
        expect_text(&p, bytes + 1, "");
    }
    lsp_peer_close(&p);
}

/* A load shows how far it is and the time that is left, and the editor may end it. */
static void test_progress_of_a_load(void **state) {
    UNUSED(state);
    lsp_peer p;
    lsp_peer_open(&p);
    lsp_peer_send(&p, "{\"id\":0,\"method\":\"initialize\",\"params\":{\"processId\":null,"
                      "\"capabilities\":{\"window\":{\"workDoneProgress\":true}}}}");
    lsp_peer_send(&p, "{\"method\":\"initialized\",\"params\":{}}");
    p.model.state = MODEL_LOADING;
    p.model.load = 7;
    p.model.percent = 40;
    p.model.seconds_left = 6.2;
    snprintf(p.model.what, sizeof p.model.what, "repacking");
    server_model_changed(p.server, &p.model);
    cJSON *create = NULL;
    for (size_t i = 0; i < p.received.count; i++) {
        const char *method = cJSON_GetStringValue(lsp_peer_at(p.received.at[i], "method"));
        if (method && !strcmp(method, "window/workDoneProgress/create")) create = p.received.at[i];
    }
    assert_non_null(create);
    char answer[64];
    snprintf(answer, sizeof answer, "{\"id\":%d,\"result\":null}",
             create ? lsp_peer_at(create, "id")->valueint : 0);
    lsp_peer_send(&p, answer);
    cJSON *told = lsp_peer_notification(&p, "$/progress");
    assert_string_equal(lsp_peer_at(told, "params.value.kind")->valuestring, "begin");
    assert_true(cJSON_IsTrue(lsp_peer_at(told, "params.value.cancellable")));
    assert_string_equal(lsp_peer_at(told, "params.value.message")->valuestring,
                        "repacking, 6 s left");
    assert_int_equal(lsp_peer_at(told, "params.value.percentage")->valueint, 40);
    cJSON_Delete(told);
    p.model.state = MODEL_FAILED;
    p.model.status = ERR_CANCELLED;
    (void)err_set(&p.model.error, ERR_CANCELLED, "loading it was cancelled");
    server_model_changed(p.server, &p.model);
    told = lsp_peer_notification(&p, "$/progress");
    assert_string_equal(lsp_peer_at(told, "params.value.kind")->valuestring, "end");
    assert_string_equal(lsp_peer_at(told, "params.value.message")->valuestring, "cancelled");
    cJSON_Delete(told);
    lsp_peer_close(&p);
}

static void test_bad_params(void **state) {
    UNUSED(state);
    static const char *const bad[] = {
        "{\"id\":1,\"method\":\"textDocument/inlineCompletion\"}",
        "{\"id\":1,\"method\":\"textDocument/inlineCompletion\",\"params\":[]}",
        "{\"id\":1,\"method\":\"textDocument/inlineCompletion\",\"params\":{\"textDocument\":{"
        "\"uri\":5},\"position\":{\"line\":0,\"character\":0}}}",
        "{\"id\":1,\"method\":\"textDocument/inlineCompletion\",\"params\":{\"textDocument\":{"
        "\"uri\":\"" URI "\"},\"position\":{\"line\":-1,\"character\":0}}}",
        "{\"id\":1,\"method\":\"textDocument/inlineCompletion\",\"params\":{\"textDocument\":{"
        "\"uri\":\"" URI "\"},\"position\":{\"line\":0,\"character\":0.5}}}",
    };
    lsp_peer p;
    ready(&p, "let x = \n");
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        lsp_peer_send(&p, bad[i]);
        expect_code(&p, 1, RPC_INVALID_PARAMS);
    }
    lsp_peer_ask(&p, 2, URI, 99999, 99999); /* out of range: the end */
    lsp_peer_tick(&p);
    assert_true(str_ends_with(fake_engine_prefix(p.engine), STR("let x = \n")));
    lsp_peer_send(&p,
                  "{\"method\":\"textDocument/didChange\",\"params\":{\"textDocument\":{\"uri\":"
                  "\"file:///other\",\"version\":2},\"contentChanges\":[{\"text\":\"x\"}]}}");
    lsp_peer_send(&p,
                  "{\"method\":\"textDocument/didChange\",\"params\":{\"textDocument\":{\"uri\":"
                  "\"" URI "\",\"version\":2},\"contentChanges\":5}}");
    lsp_peer_send(&p,
                  "{\"method\":\"textDocument/didChange\",\"params\":{\"textDocument\":{\"uri\":"
                  "\"" URI "\",\"version\":2},\"contentChanges\":[{\"range\":{\"start\":{"
                  "\"line\":0,\"character\":900},\"end\":{\"line\":77,\"character\":0}},"
                  "\"text\":\"1\"}]}}");
    document *d = context_find(p.server->context, STR(URI));
    assert_true(str_eq(document_text(d), STR("let x = 1")));
    lsp_peer_send(&p, "{\"id\":3,\"method\":\"textDocument/inlineCompletion\",\"params\":{"
                      "\"textDocument\":{\"uri\":\"" URI "\",\"version\":1},\"position\":{"
                      "\"line\":0,\"character\":9}}}");
    expect_code(&p, 3, LSP_CONTENT_MODIFIED);
    lsp_peer_close(&p);
}

static void test_selected_item(void **state) {
    UNUSED(state);
    static const char ask[] =
        "{\"id\":%d,\"method\":\"textDocument/inlineCompletion\",\"params\":{\"textDocument\":{"
        "\"uri\":\"" URI "\"},\"position\":{\"line\":0,\"character\":4},\"context\":{"
        "\"triggerKind\":2,\"selectedCompletionInfo\":{\"range\":{\"start\":{\"line\":0,"
        "\"character\":2},\"end\":{\"line\":0,\"character\":4}},\"text\":\"%s\"}}}}";
    char json[1024];
    lsp_peer p;
    ready(&p, "  pr\n");
    snprintf(json, sizeof json, ask, 1, "printf");
    lsp_peer_send(&p, json);
    lsp_peer_tick(&p);
    assert_true(str_ends_with(fake_engine_prefix(p.engine), STR("  printf")));
    lsp_peer_end_job(&p, "(1);", OK);
    cJSON *a = lsp_peer_answer(&p, 1);
    assert_string_equal(lsp_peer_at(a, "result.items.0.insertText")->valuestring, "printf(1);");
    assert_int_equal(lsp_peer_at(a, "result.items.0.range.start.character")->valueint, 2);
    assert_int_equal(lsp_peer_at(a, "result.items.0.range.end.character")->valueint, 4);
    cJSON_Delete(a);
    snprintf(json, sizeof json, ask, 2, "other");
    lsp_peer_send(&p, json);
    expect_text(&p, 2, "");
    expect_reason(&p, "selected-item");
    lsp_peer_close(&p);
}

static void test_settings(void **state) {
    UNUSED(state);
    lsp_peer p;
    lsp_peer_open(&p);
    lsp_peer_send(&p, "{\"id\":0,\"method\":\"initialize\",\"params\":{\"capabilities\":{"
                      "\"workspace\":{\"configuration\":true,\"didChangeConfiguration\":{"
                      "\"dynamicRegistration\":true}},\"textDocument\":{\"inlineCompletion\":{"
                      "\"dynamicRegistration\":true}},\"experimental\":{\"inlined\":{"
                      "\"status\":true}}}}}");
    cJSON *a = lsp_peer_answer(&p, 0);
    assert_null(lsp_peer_at(a, "result.capabilities.inlineCompletionProvider"));
    cJSON_Delete(a);
    lsp_peer_send(&p, "{\"method\":\"initialized\",\"params\":{}}");
    assert_int_equal(p.models_wanted, 0);  /* the settings may name another one */
    assert_int_equal(p.received.count, 3); /* two registrations, one question */
    cJSON *q = lsp_peer_notification(&p, "workspace/configuration");
    char json[256];
    snprintf(json, sizeof json,
             "{\"id\":%d,\"result\":[{\"enable\":true,\"completion\":{\"maxTokens\":-1}}]}",
             lsp_peer_at(q, "id")->valueint);
    cJSON_Delete(q);
    lsp_peer_send(&p, json);
    assert_int_equal(p.models_wanted, 1);
    cJSON *told = lsp_peer_notification(&p, "window/showMessage");
    assert_non_null(strstr(lsp_peer_at(told, "params.message")->valuestring, "maxTokens is -1"));
    cJSON_Delete(told);
    lsp_peer_forget(&p);
    lsp_peer_send(&p, "{\"method\":\"workspace/didChangeConfiguration\",\"params\":{\"settings\":"
                      "null}}");
    q = lsp_peer_notification(&p, "workspace/configuration");
    snprintf(json, sizeof json, "{\"id\":%d,\"result\":[{\"enable\":false}]}",
             lsp_peer_at(q, "id")->valueint);
    cJSON_Delete(q);
    lsp_peer_send(&p, json);
    assert_int_equal(p.models_wanted, 1); /* off: no model */
    lsp_peer_open_document(&p, URI, "x");
    lsp_peer_ask(&p, 1, URI, 0, 1);
    expect_text(&p, 1, "");
    expect_reason(&p, "disabled");
    lsp_peer_close(&p);
}

/* Clients warn their users about notifications that they do not know. */
static void test_status_only_where_wanted(void **state) {
    UNUSED(state);
    static const char *const others[] = {
        "", "\"experimental\":{\"inlined\":{\"instructions\":true}}",
        "\"experimental\":{\"inlined\":{\"status\":1}}", "\"experimental\":[]"};
    for (size_t i = 0; i < COUNTOF(others); i++) {
        lsp_peer p;
        char json[200];
        lsp_peer_open(&p);
        snprintf(json, sizeof json,
                 "{\"id\":0,\"method\":\"initialize\",\"params\":{\"capabilities\":{%s}}}",
                 others[i]);
        lsp_peer_send(&p, json);
        lsp_peer_send(&p, "{\"method\":\"initialized\",\"params\":{}}");
        p.model.state = MODEL_READY;
        server_model_changed(p.server, &p.model);
        lsp_peer_ask(&p, 1, URI, 0, 0); /* of a document that is not open */
        expect_text(&p, 1, "");
        assert_null(lsp_peer_notification(&p, "inlined/status"));
        lsp_peer_send(&p, "{\"id\":2,\"method\":\"inlined/status\"}");
        cJSON *a = lsp_peer_answer(&p, 2);
        assert_string_equal(lsp_peer_at(a, "result.reason")->valuestring, "unknown-document");
        cJSON_Delete(a);
        lsp_peer_close(&p);
    }
}

static void test_replacement(void **state) {
    UNUSED(state);
    lsp_peer p;
    ready(&p, "f(\xC3\xA9, )\n");
    lsp_peer_send(&p, "{\"id\":1,\"method\":\"inlined/status\"}");
    cJSON *a = lsp_peer_answer(&p, 1);
    assert_string_equal(lsp_peer_at(a, "result.state")->valuestring, "ready");
    assert_string_equal(lsp_peer_at(a, "result.model")->valuestring, "fake");
    assert_non_null(strstr(lsp_peer_at(a, "result.message")->valuestring, "not trained"));
    cJSON_Delete(a);
    p.model.info.fim = FIM_SPM;
    lsp_peer_send(&p, "{\"id\":9,\"method\":\"inlined/status\"}");
    a = lsp_peer_answer(&p, 9);
    assert_string_equal(lsp_peer_at(a, "result.message")->valuestring, "fake ready (fake)");
    cJSON_Delete(a);
    lsp_peer_ask(&p, 2, URI, 0, 6);
    lsp_peer_tick(&p);
    lsp_peer_end_job(&p, "b)", OK); /* closes what is closed already */
    a = lsp_peer_answer(&p, 2);
    const cJSON *item = lsp_peer_at(a, "result.items.0");
    assert_non_null(item);
    str text = str_of(lsp_peer_at(item, "insertText")->valuestring);
    int from = lsp_peer_at(item, "range.start.character")->valueint;
    int to = lsp_peer_at(item, "range.end.character")->valueint;
    if (from == to) /* either the closing bracket is not repeated ... */
        assert_true(str_eq(text, STR("b")));
    else /* ... or it is replaced, together with all that follows it on the line */
        assert_true(from == 6 && to == 7 && str_eq(text, STR("b)")));
    cJSON_Delete(a);
    lsp_peer_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_exit_without_shutdown),
        cmocka_unit_test(test_ghost_text),
        cmocka_unit_test(test_newest_wins),
        cmocka_unit_test(test_cancel_and_edit),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_sizes_of_a_prompt),
        cmocka_unit_test(test_bad_params),
        cmocka_unit_test(test_selected_item),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_status_only_where_wanted),
        cmocka_unit_test(test_replacement),
        cmocka_unit_test(test_progress_of_a_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
