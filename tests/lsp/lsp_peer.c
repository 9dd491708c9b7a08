/* SPDX-License-Identifier: Apache-2.0 */
/* A client in the same process: see lsp_peer.h.  Every byte that the server writes goes through the
 * framing again, so that broken output is noticed at once.  Thread: the test's. */
#include "tests/lsp/lsp_peer.h"

#include "engine/base/limits.h"

static void on_write(void *ud, str bytes) {
    lsp_peer *p = ud;
    frame_feed(&p->out, bytes);
    bool got = true;
    while (got) {
        char *message;
        size_t len;
        err e;
        status s = frame_next(&p->out, &message, &len, &got, &e);
        ASSERT(s == OK);
        if (!got) break;
        cJSON *json = NULL;
        s = rpc_parse(message, len, &json, &e);
        ASSERT(s == OK);
        vec_push(&p->received, json);
    }
}

static void on_timer(void *ud, double ms) {
    ((lsp_peer *)ud)->timer_ms = ms;
}

static void on_watch(void *ud, int64_t pid) {
    ((lsp_peer *)ud)->watched = pid;
}

static void on_exited(void *ud, int exit_code) {
    ((lsp_peer *)ud)->exit_code = exit_code;
}

static void on_wake(void *ud) { /* the engine's thread; tests look by themselves */
    UNUSED(ud);
}

void lsp_peer_open(lsp_peer *p) {
    *p = (lsp_peer){.timer_ms = -1, .exit_code = -1, .version = 1};
    frame_reader_init(&p->out, FRAME_HEADERS, LIMIT_MESSAGE_BYTES);
    settings_default(&p->settings);
    err e;
    status st = engine_start(&p->engine, &(engine_options){.device = K_REF, .wake = on_wake}, &e);
    ASSERT(st == OK);
    p->completer = completer_new(p->engine);
    p->agents = agents_new(p->engine);
    snprintf(p->model.name, sizeof p->model.name, "fake");
    p->tiers = tiers_lend(&p->model, &p->models_wanted);
    p->server = server_new(
        &(server_host){
            .ud = p, .write = on_write, .timer = on_timer, .watch = on_watch, .exited = on_exited},
        &(server_options){.completer = p->completer,
                          .agents = p->agents,
                          .tiers = p->tiers,
                          .settings = &p->settings,
                          .client = 1});
}

void lsp_peer_forget(lsp_peer *p) {
    for (size_t i = 0; i < p->received.count; i++)
        cJSON_Delete(p->received.at[i]);
    vec_clear(&p->received);
}

void lsp_peer_close(lsp_peer *p) {
    server_free(p->server);
    engine_stop(p->engine);
    completer_free(p->completer);
    agents_free(p->agents);
    tiers_free(p->tiers);
    lsp_peer_forget(p);
    vec_free(&p->received);
    frame_reader_deinit(&p->out);
}

void lsp_peer_send(lsp_peer *p, const char *json) {
    ASSERT(json[0] == '{');
    strbuf body, framed;
    strbuf_init(&body, LIMIT_MESSAGE_BYTES);
    strbuf_init(&framed, LIMIT_MESSAGE_BYTES);
    strbuf_addf(&body, "{\"jsonrpc\":\"2.0\",%s", json + 1);
    frame_write(&framed, FRAME_HEADERS, strbuf_str(&body));
    err e;
    status s = server_bytes(p->server, strbuf_str(&framed), &e);
    ASSERT(s == OK);
    strbuf_deinit(&body);
    strbuf_deinit(&framed);
}

void lsp_peer_initialize(lsp_peer *p) {
    lsp_peer_send(p, "{\"id\":0,\"method\":\"initialize\",\"params\":{\"processId\":null,"
                     "\"capabilities\":{\"general\":{\"positionEncodings\":[\"utf-8\"]},"
                     "\"experimental\":{\"inlined\":{\"status\":true}}}}}");
    lsp_peer_send(p, "{\"method\":\"initialized\",\"params\":{}}");
    lsp_peer_forget(p);
}

void lsp_peer_model_ready(lsp_peer *p) {
    p->model.state = MODEL_READY;
    p->model.generation++;
    snprintf(p->model.info.backend, sizeof p->model.info.backend, "fake");
    p->model.info.chat = true;
    server_model_changed(p->server, &p->model);
    lsp_peer_forget(p);
}

void lsp_peer_open_document(lsp_peer *p, const char *uri, const char *text) {
    cJSON *m = cJSON_CreateObject();
    cJSON_AddStringToObject(m, "method", "textDocument/didOpen");
    cJSON *d = cJSON_AddObjectToObject(cJSON_AddObjectToObject(m, "params"), "textDocument");
    cJSON_AddStringToObject(d, "uri", uri);
    cJSON_AddStringToObject(d, "languageId", "plaintext");
    cJSON_AddNumberToObject(d, "version", 1);
    cJSON_AddStringToObject(d, "text", text);
    char *json = cJSON_PrintUnformatted(m);
    lsp_peer_send(p, json);
    cJSON_free(json);
    cJSON_Delete(m);
}

static void ask(lsp_peer *p, int id, const char *uri, int line, int character, int trigger) {
    char json[512];
    snprintf(json, sizeof json,
             "{\"id\":%d,\"method\":\"textDocument/inlineCompletion\",\"params\":{\"textDocument\":"
             "{\"uri\":\"%s\"},\"position\":{\"line\":%d,\"character\":%d},\"context\":"
             "{\"triggerKind\":%d}}}",
             id, uri, line, character, trigger);
    lsp_peer_send(p, json);
}

void lsp_peer_ask(lsp_peer *p, int id, const char *uri, int line, int character) {
    ask(p, id, uri, line, character, 2);
}

void lsp_peer_invoke(lsp_peer *p, int id, const char *uri, int line, int character) {
    ask(p, id, uri, line, character, 1);
}

/* tidy: parameters (a range is four of them) */
void lsp_peer_edit(lsp_peer *p, const char *uri, int line, int character, int end_line,
                   int end_character, const char *text) {
    strbuf json;
    strbuf_init(&json, LIMIT_MESSAGE_BYTES);
    strbuf_addf(&json,
                "{\"method\":\"textDocument/didChange\",\"params\":{\"textDocument\":{\"uri\":"
                "\"%s\",\"version\":%d},\"contentChanges\":[{\"range\":{\"start\":{\"line\":%d,"
                "\"character\":%d},\"end\":{\"line\":%d,\"character\":%d}},\"text\":\"%s\"}]}}",
                uri, ++p->version, line, character, end_line, end_character, text);
    lsp_peer_send(p, json.ptr);
    strbuf_deinit(&json);
}

const cJSON *lsp_peer_at(const cJSON *json, const char *dotted) {
    str rest = str_of(dotted), piece;
    while (json && str_split(&rest, '.', &piece)) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", STR_ARG(piece));
        json = cJSON_IsArray(json) ? cJSON_GetArrayItem(json, name[0] - '0')
                                   : cJSON_GetObjectItemCaseSensitive(json, name);
    }
    return json;
}

void lsp_peer_tick(lsp_peer *p) {
    if (p->timer_ms < 0) return;
    p->timer_ms = -1;
    server_timer(p->server);
}

static void on_event(void *ud, const engine_event *ev) {
    lsp_peer *p = ud;
    if (ev->kind == EV_DONE || ev->kind == EV_TEXT)
        (void)(completer_event(p->completer, ev) || agents_event(p->agents, ev));
    else if (model_event(&p->model, ev, p->model.generation + 1))
        server_model_changed(p->server, &p->model);
}

void lsp_peer_drain(lsp_peer *p) {
    engine_drain(p->engine, on_event, p);
}

cJSON *lsp_peer_answer(lsp_peer *p, int id) {
    cJSON *found = NULL;
    for (size_t i = 0; i < p->received.count; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(p->received.at[i], "id");
        bool request = cJSON_GetObjectItemCaseSensitive(p->received.at[i], "method") != NULL;
        if (request || !cJSON_IsNumber(item) || item->valueint != id) continue;
        ASSERT(!found); /* answered twice */
        found = p->received.at[i];
        vec_remove(&p->received, i);
        i--;
    }
    return found;
}

cJSON *lsp_peer_notification(lsp_peer *p, const char *method) {
    cJSON *found = NULL;
    for (size_t i = 0; i < p->received.count; i++) {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(p->received.at[i], "method");
        if (!cJSON_IsString(name) || strcmp(name->valuestring, method)) continue;
        cJSON_Delete(found);
        found = p->received.at[i];
        vec_remove(&p->received, i);
        i--;
    }
    return found;
}
