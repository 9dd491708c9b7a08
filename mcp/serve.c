/* SPDX-License-Identifier: Apache-2.0 */
/* See serve.h.  The revision is a request's own matter: one that carries the modern envelope is
 * checked and answered in the modern way, any other in the old one, whether or not `initialize`
 * came before (published servers answer that, too).  Thread: loop. */
#include "mcp/serve.h"

#include "engine/base/limits.h"
#include "engine/base/vec.h"
#include "mcp/rpc.h"

#define GET(object, name) cJSON_GetObjectItemCaseSensitive(object, name)
#define META "io.modelcontextprotocol/"
#define MODERN "2026-07-28"
#define UNSUPPORTED_VERSION (-32022)
#define LIST_TTL_MS 300000 /* our tools change only with a restart */

static const char *const OLD[] = {"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};

typedef struct running running;
struct serve {
    own_tools *tools;
    serve_hooks hooks;
    rpc *rpc;
    VEC(running *) calls;
};

struct running {
    serve *owner;
    rpc_id id;
    bool modern;
    uint64_t call;
};

/* ---- answers --------------------------------------------------------------------------------- */

static cJSON *our_name(void) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "name", "inlined");
    cJSON_AddStringToObject(o, "version", INLINED_VERSION);
    return o;
}

static void answer(serve *s, const rpc_id *id, bool modern, cJSON *result) {
    if (modern) {
        cJSON_AddStringToObject(result, "resultType", "complete");
        cJSON_AddItemToObject(cJSON_AddObjectToObject(result, "_meta"), META "serverInfo",
                              our_name());
    }
    rpc_reply(s->rpc, id, result);
}

static void add_caching(cJSON *result, bool modern) {
    if (!modern) return;
    cJSON_AddNumberToObject(result, "ttlMs", LIST_TTL_MS);
    cJSON_AddStringToObject(result, "cacheScope", "private");
}

/* ---- handshakes ------------------------------------------------------------------------------ */

static cJSON *capabilities(void) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddObjectToObject(o, "tools");
    return o;
}

static void initialize(serve *s, const rpc_id *id, const cJSON *params, bool modern) {
    const cJSON *wanted = GET(params, "protocolVersion");
    const char *version = OLD[0];
    UNUSED(modern);
    for (size_t i = 0; cJSON_IsString(wanted) && i < COUNTOF(OLD); i++)
        if (!strcmp(OLD[i], wanted->valuestring)) version = OLD[i];
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "protocolVersion", version);
    cJSON_AddItemToObject(result, "capabilities", capabilities());
    cJSON_AddItemToObject(result, "serverInfo", our_name());
    rpc_reply(s->rpc, id, result);
}

static cJSON *supported(void) {
    cJSON *list = cJSON_CreateArray();
    cJSON_AddItemToArray(list, cJSON_CreateString(MODERN));
    return list;
}

static void discover(serve *s, const rpc_id *id, const cJSON *params, bool modern) {
    cJSON *result = cJSON_CreateObject();
    UNUSED(params);
    UNUSED(modern);
    cJSON_AddItemToObject(result, "supportedVersions", supported());
    cJSON_AddItemToObject(result, "capabilities", capabilities());
    add_caching(result, true);
    answer(s, id, true, result);
}

static void ping(serve *s, const rpc_id *id, const cJSON *params, bool modern) {
    UNUSED(params);
    if (modern)
        rpc_reply_error(s->rpc, id, RPC_METHOD_NOT_FOUND, "this revision has no ping", NULL);
    else
        rpc_reply(s->rpc, id, cJSON_CreateObject());
}

/* ---- tools ----------------------------------------------------------------------------------- */

static cJSON *tool_json(const own_tool *t) {
    cJSON *o = cJSON_CreateObject(), *hints;
    cJSON_AddStringToObject(o, "name", t->name);
    cJSON_AddStringToObject(o, "description", t->description);
    cJSON_AddItemToObject(o, "inputSchema", cJSON_Duplicate(t->schema, true));
    hints = cJSON_AddObjectToObject(o, "annotations");
    cJSON_AddBoolToObject(hints, "readOnlyHint", t->read_only);
    cJSON_AddBoolToObject(hints, "destructiveHint", t->destructive);
    cJSON_AddBoolToObject(hints, "idempotentHint", t->idempotent);
    cJSON_AddBoolToObject(hints, "openWorldHint", t->open_world);
    return o;
}

/* All in one page: a cursor is none of ours. */
static void list_tools(serve *s, const rpc_id *id, const cJSON *params, bool modern) {
    const own_tool *t;
    if (GET(params, "cursor")) {
        rpc_reply_error(s->rpc, id, RPC_INVALID_PARAMS, "this cursor is not one of ours", NULL);
        return;
    }
    cJSON *result = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(result, "tools");
    for (size_t i = 0; (t = own_tool_at(s->tools, i)); i++)
        cJSON_AddItemToArray(list, tool_json(t));
    add_caching(result, modern);
    answer(s, id, modern, result);
}

static void forget(running *r) {
    serve *s = r->owner;
    for (size_t i = 0; i < s->calls.count; i++) {
        if (s->calls.at[i] != r) continue;
        vec_remove(&s->calls, i);
        break;
    }
    xfree(r);
}

static void on_done(void *ud, const own_answer *a) {
    running *r = ud;
    cJSON *result = cJSON_CreateObject(), *block = cJSON_CreateObject();
    char *text = xstrndup(a->text.ptr, a->text.len);
    cJSON_AddStringToObject(block, "type", "text");
    cJSON_AddStringToObject(block, "text", text);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(result, "content"), block);
    if (a->failed) cJSON_AddTrueToObject(result, "isError");
    xfree(text);
    answer(r->owner, &r->id, r->modern, result);
    forget(r);
}

static void call_tool(serve *s, const rpc_id *id, const cJSON *params, bool modern) {
    const cJSON *name = GET(params, "name"), *arguments = GET(params, "arguments");
    if (!cJSON_IsString(name) || (arguments && !cJSON_IsObject(arguments))) {
        rpc_reply_error(s->rpc, id, RPC_INVALID_PARAMS,
                        "tools/call takes \"name\", a text, and \"arguments\", an object", NULL);
        return;
    }
    running *r = xcalloc(1, sizeof *r);
    *r = (running){.owner = s, .id = *id, .modern = modern};
    vec_push(&s->calls, r);
    r->call = own_tools_call(s->tools, name->valuestring, arguments, on_done, r);
    if (r->call) return;
    char sentence[160];
    snprintf(sentence, sizeof sentence, "there is no tool \"%.100s\"", name->valuestring);
    forget(r);
    rpc_reply_error(s->rpc, id, RPC_INVALID_PARAMS, sentence, NULL);
}

/* ---- dispatch -------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    const char *method;
    void (*handle)(serve *s, const rpc_id *id, const cJSON *params, bool modern);
    bool old_only;
} METHODS[] = {
    {"initialize",      initialize, true},
    {"ping",            ping,       false},
    {"server/discover", discover,   false},
    {"tools/call",      call_tool,  false},
    {"tools/list",      list_tools, false},
};
/* clang-format on */

/* False: it was refused.  *modern: the request carries the envelope of the new revision. */
static bool check_envelope(serve *s, const rpc_id *id, const cJSON *params, bool *modern) {
    const cJSON *meta = GET(params, "_meta"), *version = GET(meta, META "protocolVersion");
    *modern = version != NULL;
    if (!version) return true;
    if (!cJSON_IsString(version) || strcmp(version->valuestring, MODERN)) {
        cJSON *data = cJSON_CreateObject();
        cJSON_AddItemToObject(data, "supported", supported());
        cJSON_AddItemToObject(data, "requested", cJSON_Duplicate(version, true));
        rpc_reply_error(s->rpc, id, UNSUPPORTED_VERSION, "this revision is not spoken here", data);
        return false;
    }
    if (cJSON_IsObject(GET(meta, META "clientCapabilities"))) return true;
    rpc_reply_error(s->rpc, id, RPC_INVALID_PARAMS, "_meta lacks " META "clientCapabilities", NULL);
    return false;
}

static void on_request(void *ud, const rpc_id *id, const char *method, const cJSON *params) {
    serve *s = ud;
    bool modern = false;
    if (!check_envelope(s, id, params, &modern)) return;
    for (size_t i = 0; i < COUNTOF(METHODS); i++) {
        if (strcmp(METHODS[i].method, method) || (modern && METHODS[i].old_only)) continue;
        METHODS[i].handle(s, id, params, modern);
        return;
    }
    char sentence[128];
    snprintf(sentence, sizeof sentence, "there is no method \"%.80s\"", method);
    rpc_reply_error(s->rpc, id, RPC_METHOD_NOT_FOUND, sentence, NULL);
}

static void on_notification(void *ud, const char *method, const cJSON *params) {
    serve *s = ud;
    rpc_id id;
    if (strcmp(method, "notifications/cancelled") || !rpc_id_read(GET(params, "requestId"), &id))
        return;
    for (size_t i = 0; i < s->calls.count; i++) {
        running *r = s->calls.at[i];
        if (!rpc_id_equal(&r->id, &id)) continue;
        own_tools_cancel(s->tools, r->call);
        forget(r);
        return;
    }
}

static void on_write(void *ud, str framed) {
    serve *s = ud;
    s->hooks.write(s->hooks.ud, framed);
}

/* ---- life ------------------------------------------------------------------------------------ */

serve *serve_new(own_tools *tools, const serve_hooks *hooks) {
    serve *s = xcalloc(1, sizeof *s);
    s->tools = tools;
    s->hooks = *hooks;
    s->rpc = rpc_new(FRAME_LINES, &(rpc_hooks){.ud = s,
                                               .write = on_write,
                                               .request = on_request,
                                               .notification = on_notification,
                                               .message_max = LIMIT_MESSAGE_BYTES});
    return s;
}

void serve_free(serve *s) {
    if (!s) return;
    while (s->calls.count) {
        running *r = s->calls.at[s->calls.count - 1];
        own_tools_cancel(s->tools, r->call);
        forget(r);
    }
    vec_free(&s->calls);
    rpc_free(s->rpc);
    xfree(s);
}

status serve_bytes(serve *s, str bytes, err *e) {
    return rpc_feed(s->rpc, bytes, e);
}

bool serve_is_idle(const serve *s) {
    return s->calls.count == 0;
}
