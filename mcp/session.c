/* SPDX-License-Identifier: Apache-2.0 */
/* A session's life, what it sends, and the notifications that it gets.
 *
 * Invariants: `state` only moves forward; after FAILED nothing is sent and nothing is heard; a call
 * leaves `calls` before its `done` runs.  Pure: time comes in by session_start and session_tick.
 * Thread: one at a time (the loop). */
#include <stdarg.h>

#include "engine/base/limits.h"
#include "mcp/output.h"
#include "mcp/session_private.h"

/* ---- out ------------------------------------------------------------------------------------- */

static void on_write(void *ud, str framed) {
    session *s = ud;
    session_message m = s->out;
    s->out = (session_message){0};
    m.line = framed;
    if (s->state != SESSION_FAILED) s->hooks.send(s->hooks.ud, &m);
}

cJSON *session_capabilities(const session *s) {
    cJSON *c = cJSON_CreateObject();
    if (s->options.forms) {
        cJSON *e = cJSON_AddObjectToObject(c, "elicitation");
        cJSON_AddObjectToObject(e, "form");
        cJSON_AddObjectToObject(e, "url");
    }
    if (s->options.sampling) cJSON_AddObjectToObject(c, "sampling");
    if (s->options.roots) cJSON_AddObjectToObject(c, "roots");
    return c;
}

cJSON *session_client_info(void) {
    cJSON *i = cJSON_CreateObject();
    cJSON_AddStringToObject(i, "name", "inlined");
    cJSON_AddStringToObject(i, "version", INLINED_VERSION);
    return i;
}

static cJSON *with_envelope(const session *s, cJSON *params) {
    if (!params) params = cJSON_CreateObject();
    cJSON *meta = cJSON_GetObjectItemCaseSensitive(params, "_meta");
    if (!meta) meta = cJSON_AddObjectToObject(params, "_meta");
    cJSON_AddStringToObject(meta, META_PREFIX "protocolVersion", PROTOCOL_MODERN);
    cJSON_AddItemToObject(meta, META_PREFIX "clientCapabilities", session_capabilities(s));
    cJSON_AddItemToObject(meta, META_PREFIX "clientInfo", session_client_info());
    return params;
}

const char *session_subject(const char *method, const cJSON *params) {
    bool by_uri = strcmp(method, "resources/read") == 0;
    bool by_name = strcmp(method, "tools/call") == 0 || strcmp(method, "prompts/get") == 0;
    if (!by_uri && !by_name) return NULL;
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(params, by_uri ? "uri" : "name");
    return cJSON_IsString(m) ? m->valuestring : NULL;
}

int64_t session_send(session *s, const char *method, cJSON *params, double deadline_ms,
                     rpc_done done, void *ud) {
    if (s->modern) params = with_envelope(s, params);
    s->out = (session_message){.id = rpc_next_id(s->rpc),
                               .method = method,
                               .name = session_subject(method, params),
                               .params = params};
    return rpc_request(s->rpc, method, params, deadline_ms, done, ud);
}

void session_notify(session *s, const char *method, cJSON *params) {
    s->out = (session_message){.method = method, .params = params};
    rpc_notify(s->rpc, method, params);
}

/* ---- state ----------------------------------------------------------------------------------- */

void session_enter(session *s, session_state now) {
    if (s->state == SESSION_FAILED || s->state == now) return;
    s->state = now;
    s->hooks.state(s->hooks.ud, now, "");
}

void session_fail(session *s, const char *fmt, ...) {
    if (s->state == SESSION_FAILED) return;
    err e;
    char text[sizeof e.text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    err_set(&e, ERR_IO, "%s", text);
    s->state = SESSION_FAILED;
    rpc_stop(s->rpc);
    s->hooks.state(s->hooks.ud, SESSION_FAILED, e.text);
}

/* ---- in -------------------------------------------------------------------------------------- */

static const char *text_member(const cJSON *object, const char *name) {
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(m) ? m->valuestring : NULL;
}

static void on_tools_changed(session *s, const cJSON *params) {
    UNUSED(params);
    session_list_again(s, LIST_TOOLS, s->now_ms);
}

static void on_resources_changed(session *s, const cJSON *params) {
    UNUSED(params);
    session_list_again(s, LIST_RESOURCES, s->now_ms);
    session_list_again(s, LIST_TEMPLATES, s->now_ms);
}

static void on_prompts_changed(session *s, const cJSON *params) {
    UNUSED(params);
    session_list_again(s, LIST_PROMPTS, s->now_ms);
}

static void on_updated(session *s, const cJSON *params) {
    const char *uri = text_member(params, "uri");
    if (uri) s->hooks.updated(s->hooks.ud, uri);
}

static void on_message(session *s, const cJSON *params) {
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(params, "data");
    const char *level = text_member(params, "level");
    char *printed = cJSON_IsString(data) ? NULL : cJSON_PrintUnformatted(data);
    const char *text = cJSON_IsString(data) ? data->valuestring : printed ? printed : "";
    strbuf clean;
    strbuf_init(&clean, SIZE_MAX / 2);
    output_clean(&clean, str_sub(str_of(text), 0, LIMIT_MCP_TEXT_BYTES));
    s->hooks.log(s->hooks.ud, level ? level : "info", clean.ptr ? clean.ptr : "");
    strbuf_deinit(&clean);
    cJSON_free(printed);
}

/* The token is a handle of ours; some servers send it back as a text. */
static void on_progress(session *s, const cJSON *params) {
    const cJSON *token = cJSON_GetObjectItemCaseSensitive(params, "progressToken");
    const cJSON *done = cJSON_GetObjectItemCaseSensitive(params, "progress");
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(params, "total");
    int64_t handle = 0;
    if (cJSON_IsNumber(token))
        handle = (int64_t)token->valueint;
    else if (!cJSON_IsString(token) || !str_to_i64(str_of(token->valuestring), &handle))
        return;
    for (size_t i = 0; i < s->calls.count; i++) {
        if (s->calls.at[i]->handle != handle) continue;
        const char *text = text_member(params, "message");
        s->hooks.progress(s->hooks.ud, handle, cJSON_IsNumber(done) ? done->valuedouble : 0,
                          cJSON_IsNumber(all) ? all->valuedouble : 0, text ? text : "");
        return;
    }
}

static const struct {
    const char *method;
    void (*handle)(session *s, const cJSON *params);
} NOTIFICATIONS[] = {
    {"notifications/message", on_message},
    {"notifications/progress", on_progress},
    {"notifications/prompts/list_changed", on_prompts_changed},
    {"notifications/resources/list_changed", on_resources_changed},
    {"notifications/resources/updated", on_updated},
    {"notifications/tools/list_changed", on_tools_changed},
};

static void on_notification(void *ud, const char *method, const cJSON *params) {
    session *s = ud;
    for (size_t i = 0; i < COUNTOF(NOTIFICATIONS); i++)
        if (strcmp(method, NOTIFICATIONS[i].method) == 0) NOTIFICATIONS[i].handle(s, params);
}

static void on_junk(void *ud, rpc_junk kind, str line) {
    session *s = ud;
    s->hooks.junk(s->hooks.ud, kind, line);
}

/* ---- life ------------------------------------------------------------------------------------ */

session *session_new(const session_options *o, const session_hooks *hooks) {
    session *s = xcalloc(1, sizeof *s);
    s->options = *o;
    s->hooks = *hooks;
    strbuf_init(&s->oddities, 4096);
    for (int k = 0; k < LIST_COUNT; k++) {
        catalogue_list_init(&s->lists[k].now);
        catalogue_list_init(&s->lists[k].next);
    }
    s->rpc = rpc_new(FRAME_LINES, &(rpc_hooks){.ud = s,
                                               .write = on_write,
                                               .request = session_on_request,
                                               .notification = on_notification,
                                               .junk = on_junk,
                                               .message_max = LIMIT_MCP_LINE_BYTES});
    return s;
}

void session_free(session *s) {
    if (!s) return;
    s->state = SESSION_FAILED;
    rpc_free(s->rpc);
    session_calls_free(s);
    session_lists_free(s);
    strbuf_deinit(&s->oddities);
    xfree(s->server_name);
    xfree(s->server_version);
    xfree(s->instructions);
    xfree(s);
}

void session_mute(session *s) {
    s->state = SESSION_FAILED;
    rpc_stop(s->rpc);
}

void session_feed(session *s, str bytes) {
    err e;
    if (s->state == SESSION_FAILED) return;
    status st = rpc_feed(s->rpc, bytes, &e);
    ASSERT(st == OK); /* a tolerant peer resynchronises at the next line */
}

double session_tick(session *s, double now_ms) {
    double next = 0;
    s->now_ms = now_ms;
    if (s->state == SESSION_FAILED || s->held_ms > 0) return 0;
    rpc_expire(s->rpc, now_ms);
    if (s->state == SESSION_HANDSHAKE && s->deadline_ms > 0) {
        if (now_ms >= s->deadline_ms) {
            session_fail(s, "no answer to %s within %.0f s; the server is silent",
                         s->modern ? "server/discover" : "initialize",
                         (double)s->options.start_ms / 1000);
            return 0;
        }
        next = s->deadline_ms;
        if (s->handshake && s->probe_ms > now_ms) next = MIN(next, s->probe_ms);
    }
    session_lists_tick(s, &next);
    return next;
}

void session_hold(session *s, bool on, double now_ms) {
    if (on == (s->held_ms > 0)) return;
    double by = now_ms - s->held_ms;
    s->held_ms = on ? now_ms : 0;
    if (on) return;
    rpc_postpone(s->rpc, by);
    if (s->deadline_ms > 0) s->deadline_ms += by;
    if (s->probe_ms > 0) s->probe_ms += by;
}

session_state session_state_of(const session *s) {
    return s->state;
}

bool session_is_modern(const session *s) {
    return s->modern;
}

bool session_is_probing(const session *s) {
    return s->probing;
}

const char *session_protocol(const session *s) {
    return s->protocol;
}

const char *session_server_name(const session *s) {
    return s->server_name ? s->server_name : "";
}

const char *session_server_version(const session *s) {
    return s->server_version ? s->server_version : "";
}

const char *session_instructions(const session *s) {
    return s->instructions ? s->instructions : "";
}

const char *session_oddities(const session *s) {
    return s->oddities.ptr ? s->oddities.ptr : "";
}

bool session_has_completion(const session *s) {
    return s->completion;
}

const catalogue_list *session_list(const session *s, list_kind k) {
    return &s->lists[k].now;
}

void session_take_list(session *s, list_kind k, catalogue_list *to) {
    catalogue_list_deinit(to);
    *to = s->lists[k].now;
    catalogue_list_init(&s->lists[k].now);
}

size_t session_open_calls(const session *s) {
    return s->calls.count;
}
