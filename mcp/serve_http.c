/* SPDX-License-Identifier: Apache-2.0 */
/* See serve_http.h.  libmicrohttpd parses, and is driven by the loop (http_loop.h).
 *
 *     headers checked -> body collected -> serve (one for each request) -> answered
 *                                              \-> suspended -> on_line -> resumed -> answered
 *
 * A page in a browser could reach a server on loopback under a name of its own: a Host or an Origin
 * that is not loopback is refused.  Thread: loop. */
#include "mcp/serve_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "engine/base/limits.h"
#include "engine/base/vec.h"
#include "mcp/http_loop.h"
#include "mcp/rpc.h"
#include "mcp/serve.h"

#define GET(object, name) cJSON_GetObjectItemCaseSensitive(object, name)
#define META "io.modelcontextprotocol/"
#define HEADER_MISMATCH (-32020)
#define CONNECTIONS_MAX 64
#define IDLE_S 600 /* a connection without a byte; calls may take as long */

typedef struct request request;

struct serve_http {
    http_loop http;
    own_tools *tools;
    char *token;
    int port;
    VEC(request *) requests;
    void (*closed)(void *ud);
    void *closed_ud;
};

struct request {
    serve_http *owner;
    struct MHD_Connection *connection;
    serve *serve;
    strbuf body, answer;
    unsigned refused; /* status; 0: go on */
    bool fed, suspended, modern;
};

/* ---- what may come in ------------------------------------------------------------------------ */

static const char *header(request *r, const char *name) {
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

static bool has_token(request *r) {
    const char *given = header(r, MHD_HTTP_HEADER_AUTHORIZATION), *wanted = r->owner->token;
    unsigned differ = 0;
    if (!wanted) return true;
    if (!given || strncmp(given, "Bearer ", 7) || strlen(given + 7) != strlen(wanted)) return false;
    for (size_t i = 0; wanted[i]; i++) /* in the same time wherever they differ */
        differ |= (unsigned char)(given[7 + i] ^ wanted[i]);
    return differ == 0;
}

static unsigned judge(request *r, const char *url, const char *method) {
    const char *host = header(r, MHD_HTTP_HEADER_HOST), *origin = header(r, MHD_HTTP_HEADER_ORIGIN);
    const char *type = header(r, MHD_HTTP_HEADER_CONTENT_TYPE);
    if (!host || !http_host_is_loopback(str_of(host)) ||
        (origin && !http_origin_is_loopback(str_of(origin))))
        return MHD_HTTP_FORBIDDEN;
    if (!has_token(r)) return MHD_HTTP_UNAUTHORIZED;
    if (strcmp(url, "/mcp")) return MHD_HTTP_NOT_FOUND;
    if (strcmp(method, MHD_HTTP_METHOD_POST)) return MHD_HTTP_METHOD_NOT_ALLOWED;
    if (!type || strncmp(type, "application/json", 16)) return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
    return 0;
}

/* ---- answers --------------------------------------------------------------------------------- */

static enum MHD_Result queue(request *r, unsigned status_code, str body) {
    struct MHD_Response *p = MHD_create_response_from_buffer(
        body.len, body.len ? xstrndup(body.ptr, body.len) : NULL, MHD_RESPMEM_MUST_FREE);
    if (body.len) MHD_add_response_header(p, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    if (status_code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(p, MHD_HTTP_HEADER_ALLOW, "POST");
    if (status_code == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(p, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    enum MHD_Result rc = MHD_queue_response(r->connection, status_code, p);
    MHD_destroy_response(p);
    return rc;
}

static void add_error(strbuf *out, const cJSON *id, int code, const char *sentence) {
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

/* The status that goes with an answer: the newest revision has some for its errors. */
static unsigned status_of(str answer, bool modern) {
    cJSON *json = cJSON_ParseWithLength(answer.ptr, answer.len);
    const cJSON *code = GET(GET(json, "error"), "code");
    unsigned out = MHD_HTTP_OK;
    if (cJSON_IsNumber(code) && (modern || code->valueint == RPC_PARSE_ERROR))
        out = code->valueint == RPC_METHOD_NOT_FOUND ? MHD_HTTP_NOT_FOUND : MHD_HTTP_BAD_REQUEST;
    cJSON_Delete(json);
    return out;
}

static void on_line(void *ud, str line) {
    request *r = ud;
    strbuf_add_str(&r->answer, line);
    if (!r->suspended) return;
    r->suspended = false;
    MHD_resume_connection(r->connection);
    http_loop_soon(&r->owner->http);
}

/* ---- one message ----------------------------------------------------------------------------- */

/* The new revision repeats its envelope in headers; false: they differ, and `answer` says so. */
static bool headers_agree(request *r, const cJSON *message) {
    const cJSON *params = GET(message, "params"), *method = GET(message, "method");
    const cJSON *version = GET(GET(params, "_meta"), META "protocolVersion");
    const cJSON *name = GET(params, "name");
    bool call = cJSON_IsString(method) && !strcmp(method->valuestring, "tools/call");
    const struct {
        const char *header;
        const cJSON *value;
        bool needed;
    } pairs[] = {{"MCP-Protocol-Version", version, true},
                 {"Mcp-Method", method, true},
                 {"Mcp-Name", name, call}};
    for (size_t i = 0; version && i < COUNTOF(pairs); i++) {
        const char *given = header(r, pairs[i].header);
        if (!pairs[i].needed || !cJSON_IsString(pairs[i].value)) continue;
        if (given && str_eq(str_trim(str_of(given)), str_of(pairs[i].value->valuestring))) continue;
        char sentence[160];
        snprintf(sentence, sizeof sentence, "the header %s is not what the message says",
                 pairs[i].header);
        add_error(&r->answer, GET(message, "id"), HEADER_MISMATCH, sentence);
        return false;
    }
    return true;
}

static bool knows_version(const char *version) {
    static const char *const known[] = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25",
                                        "2026-07-28"};
    for (size_t i = 0; i < COUNTOF(known); i++)
        if (!strcmp(version, known[i])) return true;
    return false;
}

/* A message is a line to `serve`; white space inside of it may have been newlines. */
static void feed(request *r) {
    cJSON *message = NULL;
    const char *version = header(r, "MCP-Protocol-Version");
    err e;
    for (size_t i = 0; i < r->body.len; i++)
        if (r->body.ptr[i] == '\n' || r->body.ptr[i] == '\r') r->body.ptr[i] = ' ';
    char *copy = xstrndup(r->body.ptr ? r->body.ptr : "", r->body.len);
    bool parsed = rpc_parse(copy, r->body.len, &message, &e) == OK && cJSON_IsObject(message);
    r->modern = GET(GET(GET(message, "params"), "_meta"), META "protocolVersion") != NULL;
    if (!r->modern && version && !knows_version(version)) {
        r->modern = true; /* for its status */
        add_error(&r->answer, GET(message, "id"), RPC_INVALID_REQUEST,
                  "this MCP-Protocol-Version is not spoken here");
    } else if (!parsed) {
        add_error(&r->answer, NULL, RPC_PARSE_ERROR, "the body is no JSON-RPC message");
    } else if (!r->modern && version && !strcmp(version, "2026-07-28") && GET(message, "id")) {
        r->modern = true;
        add_error(&r->answer, GET(message, "id"), RPC_INVALID_PARAMS,
                  "_meta lacks " META "protocolVersion, which the header names");
    } else if (headers_agree(r, message)) {
        strbuf_add_char(&r->body, '\n');
        if (serve_bytes(r->serve, strbuf_str(&r->body), &e))
            add_error(&r->answer, NULL, RPC_PARSE_ERROR, e.text);
    }
    cJSON_Delete(message);
    xfree(copy);
}

static enum MHD_Result respond(request *r) {
    if (!r->fed) {
        r->fed = true;
        feed(r);
        if (!r->answer.len && !serve_is_idle(r->serve)) {
            r->suspended = true;
            MHD_suspend_connection(r->connection);
            return MHD_YES;
        }
    }
    if (!r->answer.len) return queue(r, MHD_HTTP_ACCEPTED, STR(""));
    return queue(r, status_of(strbuf_str(&r->answer), r->modern), strbuf_str(&r->answer));
}

/* ---- hooks of the library -------------------------------------------------------------------- */

static request *request_new(serve_http *s, struct MHD_Connection *connection) {
    request *r = xcalloc(1, sizeof *r);
    r->owner = s;
    r->connection = connection;
    strbuf_init(&r->body, LIMIT_MESSAGE_BYTES);
    strbuf_init(&r->answer, LIMIT_MESSAGE_BYTES);
    r->serve = serve_new(s->tools, &(serve_hooks){r, on_line});
    vec_push(&s->requests, r);
    return r;
}

/* The library's shape of it.  tidy: parameters */
static enum MHD_Result on_access(void *ud, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *bytes,
                                 size_t *n_bytes, void **ours) {
    request *r = *ours;
    UNUSED(version);
    if (!r) {
        *ours = r = request_new(ud, connection);
        r->refused = judge(r, url, method);
        return MHD_YES;
    }
    if (*n_bytes) {
        if (!r->refused) strbuf_add(&r->body, bytes, *n_bytes);
        if (r->body.overflow) r->refused = MHD_HTTP_CONTENT_TOO_LARGE;
        *n_bytes = 0;
        return MHD_YES;
    }
    return r->refused ? queue(r, r->refused, STR("")) : respond(r);
}

static void on_completed(void *ud, struct MHD_Connection *connection, void **ours,
                         enum MHD_RequestTerminationCode why) {
    serve_http *s = ud;
    request *r = *ours;
    UNUSED(connection);
    UNUSED(why);
    if (!r) return;
    for (size_t i = 0; i < s->requests.count; i++)
        if (s->requests.at[i] == r) {
            vec_remove(&s->requests, i);
            break;
        }
    serve_free(r->serve);
    strbuf_deinit(&r->body);
    strbuf_deinit(&r->answer);
    xfree(r);
    *ours = NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

status serve_http_new(serve_http **out, uv_loop_t *loop, own_tools *tools, int port,
                      const char *token, err *e) {
    serve_http *s = xcalloc(1, sizeof *s);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->tools = tools;
    struct MHD_Daemon *d =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, (uint16_t)port, NULL, NULL,
                         on_access, s, MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_NOTIFY_COMPLETED,
                         on_completed, s, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
    if (!d) {
        xfree(s);
        return err_set(e, ERR_IO, "cannot listen at 127.0.0.1:%d: %s", port, strerror(errno));
    }
    s->token = token ? xstrdup(token) : NULL;
    s->port = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
    http_loop_init(&s->http, loop, d);
    *out = s;
    return OK;
}

int serve_http_port(const serve_http *s) {
    return s->port;
}

static void on_closed(void *ud) {
    serve_http *s = ud;
    void (*closed)(void *ud) = s->closed;
    void *closed_ud = s->closed_ud;
    vec_free(&s->requests);
    xfree(s->token);
    xfree(s);
    closed(closed_ud);
}

void serve_http_close(serve_http *s, void (*closed)(void *ud), void *ud) {
    s->closed = closed;
    s->closed_ud = ud;
    for (size_t i = 0; i < s->requests.count; i++) {
        request *r = s->requests.at[i];
        if (r->suspended) MHD_resume_connection(r->connection);
        r->suspended = false;
    }
    http_loop_close(&s->http, on_closed, s);
}
