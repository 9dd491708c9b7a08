/* SPDX-License-Identifier: Apache-2.0 */
/* An editor that uses actions: see action_peer.h.  Thread: the test's. */
#include "tests/lsp/action_peer.h"

#include "engine/base/mem.h"

void action_begin(lsp_peer *p, const char *capabilities) {
    char json[1200];
    lsp_peer_open(p);
    snprintf(json, sizeof json,
             "{\"id\":0,\"method\":\"initialize\",\"params\":{\"processId\":null,\"capabilities\":{"
             "\"general\":{\"positionEncodings\":[\"utf-8\"]},%s}}}",
             capabilities);
    lsp_peer_send(p, json);
    lsp_peer_send(p, "{\"method\":\"initialized\",\"params\":{}}");
    lsp_peer_model_ready(p);
    lsp_peer_send(p,
                  "{\"method\":\"textDocument/didOpen\",\"params\":{\"textDocument\":{\"uri\":"
                  "\"" URI "\",\"languageId\":\"python\",\"version\":1,\"text\":\"" TEXT "\"}}}");
    lsp_peer_forget(p);
}

void action_list(lsp_peer *p, int id, int line, const char *extra) {
    char json[700];
    snprintf(json, sizeof json,
             "{\"id\":%d,\"method\":\"textDocument/codeAction\",\"params\":{\"textDocument\":{"
             "\"uri\":\"" URI "\"},\"range\":{\"start\":{\"line\":%d,\"character\":0},\"end\":{"
             "\"line\":%d,\"character\":0}},\"context\":{%s}}}",
             id, line, line, extra);
    lsp_peer_send(p, json);
}

void action_expect_titles(lsp_peer *p, int id, const char *want) {
    cJSON *a = lsp_peer_answer(p, id);
    assert_non_null(a);
    char got[1024] = "";
    const cJSON *one;
    cJSON_ArrayForEach(one, lsp_peer_at(a, "result")) {
        size_t n = strlen(got);
        snprintf(got + n, sizeof got - n, "%s|", lsp_peer_at(one, "title")->valuestring);
    }
    assert_string_equal(got, want);
    cJSON_Delete(a);
}

cJSON *action_choose(lsp_peer *p, int line, const char *title) {
    action_list(p, 90, line, "\"diagnostics\":[]");
    cJSON *a = lsp_peer_answer(p, 90), *one, *found = NULL;
    cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(a, "result")) {
        if (!strncmp(lsp_peer_at(one, "title")->valuestring, title, strlen(title)) && !found)
            found = cJSON_Duplicate(one, true);
    }
    cJSON_Delete(a);
    assert_non_null(found);
    return found;
}

void action_send(lsp_peer *p, int id, const char *method, const cJSON *params) {
    char *text = cJSON_PrintUnformatted(params);
    strbuf json;
    strbuf_init(&json, 1 << 20);
    strbuf_addf(&json, "{\"id\":%d,\"method\":\"%s\",\"params\":%s}", id, method, text);
    lsp_peer_send(p, json.ptr);
    strbuf_deinit(&json);
    cJSON_free(text);
}

void action_run(lsp_peer *p, int id, int line, const char *title) {
    cJSON *action = action_choose(p, line, title);
    const cJSON *command = lsp_peer_at(action, "command");
    if (cJSON_IsString(command)) /* an old client: the action is a command */
        action_send(p, id, "workspace/executeCommand", action);
    else if (command)
        action_send(p, id, "workspace/executeCommand", command);
    else
        action_send(p, id, "codeAction/resolve", action);
    cJSON_Delete(action);
}

void action_expect_error(lsp_peer *p, int id, int code, const char *part) {
    cJSON *a = lsp_peer_answer(p, id);
    assert_non_null(a);
    const cJSON *got = lsp_peer_at(a, "error.code"), *text = lsp_peer_at(a, "error.message");
    assert_non_null(got);
    assert_int_equal(got->valueint, code);
    if (!strstr(text->valuestring, part)) fail_msg("%s", text->valuestring);
    assert_null(strchr(text->valuestring, '\n'));
    cJSON_Delete(a);
    assert_int_equal(p->server->unanswered, 0);
    assert_int_equal(p->server->works.count, 0);
}

void action_expect_answer(lsp_peer *p, int id, int code) {
    cJSON *a = lsp_peer_answer(p, id);
    assert_non_null(a);
    action_expect_number(a, "error.code", code);
    cJSON_Delete(a);
}

int action_asked(lsp_peer *p, const char *method, cJSON **params) {
    for (size_t i = 0; i < p->received.count; i++) {
        const cJSON *name = lsp_peer_at(p->received.at[i], "method");
        if (!name || strcmp(name->valuestring, method)) continue;
        int id = lsp_peer_at(p->received.at[i], "id")->valueint;
        if (params) *params = cJSON_Duplicate(lsp_peer_at(p->received.at[i], "params"), true);
        cJSON_Delete(p->received.at[i]);
        vec_remove(&p->received, i);
        return id;
    }
    return 0;
}

void action_reply(lsp_peer *p, int id, const char *result) {
    char json[300];
    snprintf(json, sizeof json, "{\"id\":%d,\"result\":%s}", id, result);
    lsp_peer_send(p, json);
}

void action_expect_text(const cJSON *json, const char *dotted, const char *want) {
    const cJSON *got = lsp_peer_at(json, dotted);
    assert_true(cJSON_IsString(got));
    assert_string_equal(got->valuestring, want);
}

void action_expect_number(const cJSON *json, const char *dotted, int want) {
    const cJSON *got = lsp_peer_at(json, dotted);
    assert_true(cJSON_IsNumber(got));
    assert_int_equal(got->valueint, want);
}
