/* SPDX-License-Identifier: Apache-2.0 */
/* What may come in over HTTP.  A page in a browser could reach a server on loopback under a name of
 * its own: a Host or an Origin that is not loopback is refused.  The newest revision repeats parts
 * of a message in headers; they must agree.  Thread: loop. */
#include "mcp/param_headers.h"
#include "mcp/serve_http_private.h"

#define HEADER_MISMATCH (-32020)

const char *http_header(const http_request *r, const char *name) {
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

bool http_accepts_events(const http_request *r) {
    const char *accept = http_header(r, MHD_HTTP_HEADER_ACCEPT);
    return accept && strstr(accept, "text/event-stream") != NULL;
}

/* ---- the request ----------------------------------------------------------------------------- */

static bool has_token(const http_request *r) {
    const char *given = http_header(r, MHD_HTTP_HEADER_AUTHORIZATION), *wanted = r->owner->token;
    unsigned differ = 0;
    if (!wanted) return true;
    if (!given || strncmp(given, "Bearer ", 7) || strlen(given + 7) != strlen(wanted)) return false;
    for (size_t i = 0; wanted[i]; i++) /* in the same time wherever they differ */
        differ |= (unsigned char)(given[7 + i] ^ wanted[i]);
    return differ == 0;
}

static unsigned judge_body(const http_request *r) {
    const char *type = http_header(r, MHD_HTTP_HEADER_CONTENT_TYPE);
    const char *length = http_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    int64_t bytes;
    if (!type || strncmp(type, "application/json", 16)) return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
    if (length && (!str_to_i64(str_of(length), &bytes) || bytes > (int64_t)LIMIT_OWN_BODY_BYTES))
        return MHD_HTTP_CONTENT_TOO_LARGE;
    return 0;
}

unsigned http_judge(const http_request *r, const char *url, const char *method) {
    const char *host = http_header(r, MHD_HTTP_HEADER_HOST);
    const char *origin = http_header(r, MHD_HTTP_HEADER_ORIGIN);
    if (!host || !http_host_is_loopback(str_of(host)) ||
        (origin && !http_origin_is_loopback(str_of(origin))))
        return MHD_HTTP_FORBIDDEN;
    if (!has_token(r)) return MHD_HTTP_UNAUTHORIZED;
    if (strcmp(url, "/mcp")) return MHD_HTTP_NOT_FOUND;
    if (!strcmp(method, MHD_HTTP_METHOD_POST)) return judge_body(r);
    /* A stream of news, and the end, are a session's. */
    bool session = http_header(r, "Mcp-Session-Id") != NULL;
    if (session && !strcmp(method, MHD_HTTP_METHOD_DELETE)) return 0;
    if (session && !strcmp(method, MHD_HTTP_METHOD_GET) && http_accepts_events(r)) return 0;
    return MHD_HTTP_METHOD_NOT_ALLOWED;
}

/* ---- the message ----------------------------------------------------------------------------- */

void http_add_error(strbuf *out, const cJSON *id, int code, const char *sentence) {
    cJSON *o = cJSON_CreateObject(), *e;
    cJSON_AddStringToObject(o, "jsonrpc", "2.0");
    cJSON_AddItemToObject(o, "id", id ? cJSON_Duplicate(id, true) : cJSON_CreateNull());
    e = cJSON_AddObjectToObject(o, "error");
    cJSON_AddNumberToObject(e, "code", code);
    cJSON_AddStringToObject(e, "message", sentence);
    char *text = cJSON_PrintUnformatted(o);
    strbuf_addf(out, "%s", text);
    cJSON_free(text);
    cJSON_Delete(o);
}

unsigned http_status_of(str answer, bool modern) {
    cJSON *json = cJSON_ParseWithLength(answer.ptr, answer.len);
    const cJSON *code = GET(GET(json, "error"), "code");
    unsigned out = MHD_HTTP_OK;
    if (cJSON_IsNumber(code) && (modern || code->valueint == RPC_PARSE_ERROR))
        out = code->valueint == RPC_METHOD_NOT_FOUND ? MHD_HTTP_NOT_FOUND
              : code->valueint == RPC_INTERNAL_ERROR ? MHD_HTTP_INTERNAL_SERVER_ERROR
                                                     : MHD_HTTP_BAD_REQUEST;
    cJSON_Delete(json);
    return out;
}

static void refuse_header(http_request *r, const cJSON *message, const char *name) {
    char sentence[320];
    snprintf(sentence, sizeof sentence, "the header %.240s is not what the message says", name);
    http_add_error(&r->answer, GET(message, "id"), HEADER_MISMATCH, sentence);
}

typedef struct {
    http_request *r;
    const char *wrong; /* the first header that differs, or NULL */
    char name[256];
} param_check;

static void check_param(void *ud, const char *name, const char *value) {
    param_check *c = ud;
    const char *given = http_header(c->r, name);
    if (c->wrong || (given && param_header_says(given, value))) return;
    snprintf(c->name, sizeof c->name, "%s", name);
    c->wrong = c->name;
}

/* What a tool's schema wants to be seen in headers. */
static bool params_agree(http_request *r, const cJSON *message) {
    const cJSON *params = GET(message, "params");
    const char *name = cJSON_GetStringValue(GET(params, "name"));
    const own_offer *tool = name ? own_offer_named(r->owner->tools, OWN_TOOL, name) : NULL;
    param_check c = {.r = r};
    if (tool) param_headers_each(tool->schema, GET(params, "arguments"), check_param, &c);
    if (c.wrong) refuse_header(r, message, c.wrong);
    return !c.wrong;
}

static bool headers_agree(http_request *r, const cJSON *message) {
    const cJSON *params = GET(message, "params"), *method = GET(message, "method");
    const char *called = cJSON_GetStringValue(method);
    bool call = called && !strcmp(called, "tools/call");
    bool named = call || (called && !strcmp(called, "prompts/get"));
    bool read = called && !strcmp(called, "resources/read");
    const struct {
        const char *header;
        const cJSON *value;
        bool needed;
    } pairs[] = {{"MCP-Protocol-Version", GET(GET(params, "_meta"), META "protocolVersion"), true},
                 {"Mcp-Method", method, true},
                 {"Mcp-Name", GET(params, "name"), named},
                 {"Mcp-Name", GET(params, "uri"), read}};
    for (size_t i = 0; i < COUNTOF(pairs); i++) {
        const char *given = http_header(r, pairs[i].header);
        if (!pairs[i].needed || !cJSON_IsString(pairs[i].value)) continue;
        strbuf wanted;
        strbuf_init(&wanted, LIMIT_OWN_BODY_BYTES * 2);
        param_header_value(&wanted, str_of(pairs[i].value->valuestring));
        bool same = given && param_header_says(given, wanted.ptr ? wanted.ptr : "");
        strbuf_deinit(&wanted);
        if (same) continue;
        refuse_header(r, message, pairs[i].header);
        return false;
    }
    return !call || params_agree(r, message);
}

static bool knows_version(const char *version) {
    static const char *const known[] = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25",
                                        "2026-07-28"};
    for (size_t i = 0; i < COUNTOF(known); i++)
        if (!strcmp(version, known[i])) return true;
    return false;
}

bool http_check_message(http_request *r, const cJSON *message) {
    const char *version = http_header(r, "MCP-Protocol-Version");
    r->modern = GET(GET(GET(message, "params"), "_meta"), META "protocolVersion") != NULL;
    if (r->modern) return headers_agree(r, message);
    if (version && !knows_version(version)) {
        r->modern = true; /* for its status */
        http_add_error(&r->answer, GET(message, "id"), RPC_INVALID_REQUEST,
                       "this MCP-Protocol-Version is not spoken here");
        return false;
    }
    if (version && !strcmp(version, "2026-07-28") && GET(message, "id") && GET(message, "method")) {
        r->modern = true;
        http_add_error(&r->answer, GET(message, "id"), RPC_INVALID_PARAMS,
                       "_meta lacks " META "protocolVersion, which the header names");
        return false;
    }
    return true;
}
