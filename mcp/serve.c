/* SPDX-License-Identifier: Apache-2.0 */
/* See serve.h: handshakes, and who handles what.  The revision is a request's own matter: one that
 * carries the modern envelope is checked and answered in the modern way, any other in the old one,
 * whether or not `initialize` came before (published servers answer that, too).  Thread: loop. */
#include "mcp/serve_private.h"

#define MODERN "2026-07-28"

static const char *const OLD[] = {"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};
static const char *const LEVELS[] = {"debug", "info",     "notice", "warning",
                                     "error", "critical", "alert",  "emergency"};

/* ---- answers --------------------------------------------------------------------------------- */

static cJSON *our_name(void) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "name", "inlined");
    cJSON_AddStringToObject(o, "version", INLINED_VERSION);
    return o;
}

void serve_answer_as(serve *s, const rpc_id *id, bool modern, const char *type, cJSON *result) {
    if (modern) {
        cJSON_AddStringToObject(result, "resultType", type);
        cJSON_AddItemToObject(cJSON_AddObjectToObject(result, "_meta"), META "serverInfo",
                              our_name());
    }
    rpc_reply(s->rpc, id, result);
}

void serve_answer(serve *s, const rpc_id *id, bool modern, cJSON *result) {
    serve_answer_as(s, id, modern, "complete", result);
}

void serve_add_caching(cJSON *result, bool modern, int ttl_ms) {
    if (!modern) return;
    cJSON_AddNumberToObject(result, "ttlMs", ttl_ms);
    cJSON_AddStringToObject(result, "cacheScope", "private");
}

void serve_refuse(serve *s, const rpc_id *id, int code, const char *sentence, cJSON *data) {
    rpc_reply_error(s->rpc, id, code, sentence, data);
}

void serve_notify(serve *s, const char *method, cJSON *params) {
    bool before = s->partial;
    s->partial = true;
    rpc_notify(s->rpc, method, params);
    s->partial = before;
}

int serve_level(const char *name) {
    for (size_t i = 0; name && i < COUNTOF(LEVELS); i++)
        if (!strcmp(LEVELS[i], name)) return (int)i;
    return -1;
}

/* ---- handshakes ------------------------------------------------------------------------------ */

/* Only what there is: a host asks for the lists of all that it is told of. */
cJSON *serve_capabilities(const own_tools *t, bool modern) {
    cJSON *o = cJSON_CreateObject();
    bool prompts = own_offer_at(t, OWN_PROMPT, 0) != NULL;
    bool patterns = own_offer_at(t, OWN_TEMPLATE, 0) != NULL;
    bool resources = patterns || own_offer_at(t, OWN_RESOURCE, 0) != NULL;
    cJSON_AddObjectToObject(o, "tools");
    if (prompts) cJSON_AddObjectToObject(o, "prompts");
    if (resources) cJSON_AddTrueToObject(cJSON_AddObjectToObject(o, "resources"), "subscribe");
    if (prompts || patterns) cJSON_AddObjectToObject(o, "completions");
    if (!modern) cJSON_AddObjectToObject(o, "logging");
    return o;
}

static void initialize(serve *s, const serve_request *q) {
    const cJSON *wanted = GET(q->params, "protocolVersion"),
                *theirs = GET(q->params, "capabilities");
    const char *version = OLD[0];
    for (size_t i = 0; cJSON_IsString(wanted) && i < COUNTOF(OLD); i++)
        if (!strcmp(OLD[i], wanted->valuestring)) version = OLD[i];
    cJSON_Delete(s->client->capabilities);
    s->client->capabilities =
        cJSON_IsObject(theirs) ? cJSON_Duplicate(theirs, true) : cJSON_CreateObject();
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "protocolVersion", version);
    cJSON_AddItemToObject(result, "capabilities", serve_capabilities(s->tools, false));
    cJSON_AddItemToObject(result, "serverInfo", our_name());
    serve_answer(s, q->id, false, result);
}

static cJSON *supported(void) {
    cJSON *list = cJSON_CreateArray();
    cJSON_AddItemToArray(list, cJSON_CreateString(MODERN));
    return list;
}

static void discover(serve *s, const serve_request *q) {
    cJSON *result = cJSON_CreateObject();
    cJSON_AddItemToObject(result, "supportedVersions", supported());
    cJSON_AddItemToObject(result, "capabilities", serve_capabilities(s->tools, true));
    serve_add_caching(result, true, 300000);
    serve_answer(s, q->id, true, result);
}

static void ping(serve *s, const serve_request *q) {
    serve_answer(s, q->id, false, cJSON_CreateObject());
}

static void set_level(serve *s, const serve_request *q) {
    int level = serve_level(cJSON_GetStringValue(GET(q->params, "level")));
    if (level < 0) {
        serve_refuse(s, q->id, RPC_INVALID_PARAMS, "there is no such level", NULL);
        return;
    }
    s->client->log_level = level;
    serve_answer(s, q->id, false, cJSON_CreateObject());
}

/* ---- dispatch -------------------------------------------------------------------------------- */

typedef enum { BOTH, OLD_ONLY, MODERN_ONLY } era;

/* clang-format off */
static const struct {
    const char *method;
    serve_handler *handle;
    era era;
    const char *capability; /* without it there is no such method; NULL: it is always there */
} METHODS[] = {
    {"completion/complete",      serve_complete,       BOTH,        "completions"},
    {"initialize",               initialize,           OLD_ONLY,    NULL},
    {"logging/setLevel",         set_level,            OLD_ONLY,    NULL},
    {"ping",                     ping,                 OLD_ONLY,    NULL},
    {"prompts/get",              serve_get_prompt,     BOTH,        "prompts"},
    {"prompts/list",             serve_list_prompts,   BOTH,        "prompts"},
    {"resources/list",           serve_list_resources, BOTH,        "resources"},
    {"resources/read",           serve_read_resource,  BOTH,        "resources"},
    {"resources/subscribe",      serve_subscribe,      OLD_ONLY,    "resources"},
    {"resources/templates/list", serve_list_templates, BOTH,        "resources"},
    {"resources/unsubscribe",    serve_unsubscribe,    OLD_ONLY,    "resources"},
    {"server/discover",          discover,             BOTH,        NULL},
    {"subscriptions/listen",     serve_listens,        MODERN_ONLY, NULL},
    {"tools/call",               serve_call_tool,      BOTH,        NULL},
    {"tools/list",               serve_list_tools,     BOTH,        NULL},
};
/* clang-format on */

/* False: it was refused. */
static bool check_envelope(serve *s, serve_request *q) {
    const cJSON *meta = GET(q->params, "_meta"), *version = GET(meta, META "protocolVersion");
    q->modern = version != NULL;
    q->client = s->client->capabilities;
    q->log_level = s->client->log_level;
    if (!version) return true;
    if (!cJSON_IsString(version) || strcmp(version->valuestring, MODERN)) {
        cJSON *data = cJSON_CreateObject();
        cJSON_AddItemToObject(data, "supported", supported());
        cJSON_AddItemToObject(data, "requested", cJSON_Duplicate(version, true));
        serve_refuse(s, q->id, UNSUPPORTED_VERSION, "this revision is not spoken here", data);
        return false;
    }
    int level = serve_level(cJSON_GetStringValue(GET(meta, META "logLevel")));
    q->log_level = level < 0 ? LOG_NONE : level;
    q->client = GET(meta, META "clientCapabilities");
    if (cJSON_IsObject(q->client)) return true;
    serve_refuse(s, q->id, RPC_INVALID_PARAMS, "_meta lacks " META "clientCapabilities", NULL);
    return false;
}

static bool has_capability(const serve *s, const char *name, bool modern) {
    if (!name) return true;
    cJSON *all = serve_capabilities(s->tools, modern);
    bool has = GET(all, name) != NULL;
    cJSON_Delete(all);
    return has;
}

static void on_request(void *ud, const rpc_id *id, const char *method, const cJSON *params) {
    serve *s = ud;
    serve_request q = {.id = id, .params = params};
    if (!check_envelope(s, &q)) return;
    for (size_t i = 0; i < COUNTOF(METHODS); i++) {
        if (strcmp(METHODS[i].method, method) ||
            METHODS[i].era == (q.modern ? OLD_ONLY : MODERN_ONLY) ||
            !has_capability(s, METHODS[i].capability, q.modern))
            continue;
        METHODS[i].handle(s, &q);
        return;
    }
    char sentence[128];
    snprintf(sentence, sizeof sentence, "there is no method \"%.80s\"", method);
    serve_refuse(s, id, RPC_METHOD_NOT_FOUND, sentence, NULL);
}

static void on_notification(void *ud, const char *method, const cJSON *params) {
    serve *s = ud;
    rpc_id id;
    if (strcmp(method, "notifications/cancelled") || !rpc_id_read(GET(params, "requestId"), &id))
        return;
    if (serve_cancel_call(s, &id) || serve_cancel_listen(s, &id))
        s->hooks.write(s->hooks.ud, STR(""), true);
}

static void on_write(void *ud, str framed) {
    serve *s = ud;
    s->hooks.write(s->hooks.ud, framed, !s->partial);
}

/* ---- life ------------------------------------------------------------------------------------ */

serve_client *serve_client_new(own_tools *tools) {
    serve_client *c = xcalloc(1, sizeof *c);
    c->tools = tools;
    c->log_level = serve_level("warning"); /* until it says what it wants to hear */
    return c;
}

void serve_client_free(serve_client *c) {
    if (!c) return;
    for (size_t i = 0; i < c->watches.count; i++) {
        own_watch_free(c->watches.at[i]);
        xfree(c->uris.at[i]);
    }
    vec_free(&c->watches);
    vec_free(&c->uris);
    cJSON_Delete(c->capabilities);
    xfree(c);
}

bool serve_client_has_begun(const serve_client *c) {
    return c->capabilities != NULL;
}

serve *serve_new(const serve_options *o, const serve_hooks *hooks) {
    serve *s = xcalloc(1, sizeof *s);
    s->tools = o->tools;
    s->client = o->client;
    s->mute = o->mute;
    s->hooks = *hooks;
    s->rpc = rpc_new(FRAME_LINES, &(rpc_hooks){.ud = s,
                                               .write = on_write,
                                               .request = on_request,
                                               .notification = on_notification,
                                               .message_max = LIMIT_MESSAGE_BYTES,
                                               .last_id = o->last_id});
    return s;
}

void serve_free(serve *s) {
    if (!s) return;
    serve_forget_calls(s);
    serve_forget_listens(s);
    if (s->client->news == s) s->client->news = NULL;
    rpc_free(s->rpc);
    xfree(s);
}

status serve_bytes(serve *s, str bytes, err *e) {
    return rpc_feed(s->rpc, bytes, e);
}

bool serve_is_idle(const serve *s) {
    return s->calls.count == 0;
}

bool serve_is_asking(const serve *s, int64_t id) {
    return rpc_is_pending(s->rpc, id);
}

bool serve_is_running(const serve *s, const cJSON *json) {
    rpc_id id;
    return rpc_id_read(json, &id) && serve_call_has(s, &id);
}

void serve_takes_news(serve *s) {
    s->client->news = s;
}
