/* SPDX-License-Identifier: Apache-2.0 */
/* See serve_http.h.  libmicrohttpd parses, and is driven by the loop (http_loop.h).
 *
 *     headers checked -> body collected -> serve (one for each request) -> answered
 *                                              \-> suspended -> on_line -> resumed -> answered
 *
 * An answer is JSON, unless something comes before it: then it is a stream of events.  What answers
 * our questions, or cancels, goes to the stream of the session that it is about.
 *
 * The library does not look at a connection that is suspended, so a tick does: a host of the newest
 * revision that hangs up has cancelled; one of the older has not, and its call ends unheard.  The
 * tick also ends connections whose request takes too long to come in.  Thread: loop. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "mcp/serve_http_private.h"

#define IDLE_S 60 /* a connection without a byte, unless a call is running */
#define TICK_MS 1000
#define SILENCE_MS 15000.0 /* then a stream says that it lives */

static void wake(http_request *r) {
    if (!r->suspended) return;
    r->suspended = false;
    MHD_resume_connection(r->connection);
    http_loop_soon(&r->owner->http);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void add_headers(const http_request *r, struct MHD_Response *p, unsigned status_code) {
    if (status_code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(p, MHD_HTTP_HEADER_ALLOW, "POST");
    if (status_code == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(p, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (r->begins && r->session) MHD_add_response_header(p, "Mcp-Session-Id", r->session->id);
}

static enum MHD_Result queue(http_request *r, unsigned status_code, str body) {
    char *copy = body.len ? xstrndup(body.ptr, body.len) : NULL;
    struct MHD_Response *p = MHD_create_response_from_buffer(body.len, copy, MHD_RESPMEM_MUST_FREE);
    if (!p) { /* no memory: the connection ends */
        xfree(copy);
        return MHD_NO;
    }
    if (body.len) MHD_add_response_header(p, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    add_headers(r, p, status_code);
    enum MHD_Result rc = MHD_queue_response(r->connection, status_code, p);
    MHD_destroy_response(p);
    return rc;
}

/* The library asks for what to send; none: it waits until there is more. */
static ssize_t on_more(void *ud, uint64_t at, char *out, size_t room) {
    http_request *r = ud;
    UNUSED(at);
    if (r->answer.overflow) return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t n = MIN(r->answer.len, room);
    if (n) {
        memcpy(out, r->answer.ptr, n);
        strbuf_splice(&r->answer, 0, n, STR(""));
        return (ssize_t)n;
    }
    if (r->ended) return MHD_CONTENT_READER_END_OF_STREAM;
    r->suspended = true;
    MHD_suspend_connection(r->connection);
    return 0;
}

static enum MHD_Result queue_stream(http_request *r) {
    struct MHD_Response *p =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, LIMIT_READ_BYTES, on_more, r, NULL);
    if (!p) return MHD_NO;
    MHD_add_response_header(p, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    MHD_add_response_header(p, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    add_headers(r, p, MHD_HTTP_OK);
    enum MHD_Result rc = MHD_queue_response(r->connection, MHD_HTTP_OK, p);
    MHD_destroy_response(p);
    return rc;
}

static void on_line(void *ud, str line, bool last) {
    http_request *r = ud;
    if (r->ended) return;
    r->streams |= !last;
    r->ended |= last;
    r->sent_ms = clock_ms();
    if (!r->connection) return; /* nobody hears it */
    if (r->streams && line.len)
        strbuf_addf(&r->answer, "data: %.*s\n", STR_ARG(line)); /* the line has its newline */
    else
        strbuf_add_str(&r->answer, line);
    wake(r);
}

/* ---- one message ----------------------------------------------------------------------------- */

static void begin_serve(http_request *r) {
    serve_http *s = r->owner;
    if (!r->session) r->client = serve_client_new(s->tools);
    r->serve = serve_new(&(serve_options){.tools = s->tools,
                                          .client = r->session ? r->session->client : r->client,
                                          .last_id = r->session ? ++r->session->bases << 20 : 0,
                                          .mute = !http_accepts_events(r)},
                         &(serve_hooks){r, on_line});
}

/* The stream of the session that an answer, or a cancellation, is about; NULL: none (any more). */
static http_request *stream_of(const http_request *r, const cJSON *message) {
    const cJSON *id = GET(message, "id"), *about = GET(GET(message, "params"), "requestId");
    for (size_t i = 0; i < r->owner->requests.count && r->session; i++) {
        http_request *other = r->owner->requests.at[i];
        if (other->session != r->session || !other->serve) continue;
        if (cJSON_IsNumber(id) ? serve_is_asking(other->serve, (int64_t)id->valuedouble)
                               : about && serve_is_running(other->serve, about))
            return other;
    }
    return NULL;
}

static void hand_on(http_request *r, const cJSON *message) {
    const cJSON *method = GET(message, "method"), *id = GET(message, "id");
    http_request *to = r;
    err e;
    if (cJSON_IsString(method) && id) {
        r->begins = !r->modern && !strcmp(method->valuestring, "initialize");
        if (r->begins && !r->session && (r->session = http_session_new(r->owner)))
            http_session_hold(r->session);
        begin_serve(r);
    } else {
        to = stream_of(r, message);
    }
    if (!to) return;
    strbuf_add_char(&r->body, '\n');
    if (serve_bytes(to->serve, strbuf_str(&r->body), &e))
        http_add_error(&r->answer, NULL, RPC_PARSE_ERROR, e.text);
}

/* A message is a line to `serve`; white space inside of it may have been newlines. */
static void feed(http_request *r) {
    cJSON *message = NULL;
    err e;
    for (size_t i = 0; i < r->body.len; i++)
        if (r->body.ptr[i] == '\n' || r->body.ptr[i] == '\r') r->body.ptr[i] = ' ';
    char *copy = xstrndup(r->body.ptr ? r->body.ptr : "", r->body.len);
    bool parsed = rpc_parse(copy, r->body.len, &message, &e) == OK && cJSON_IsObject(message);
    if (!parsed)
        http_add_error(&r->answer, NULL, RPC_PARSE_ERROR, "the body is no JSON-RPC message");
    else if (http_check_message(r, message))
        hand_on(r, message);
    cJSON_Delete(message);
    xfree(copy);
}

static enum MHD_Result respond(http_request *r) {
    if (!r->fed) {
        r->fed = true;
        if (r->link) r->link->busy = true;
        feed(r);
    }
    if (r->serve && !r->ended && !r->streams && !r->answer.len) {
        r->suspended = true;
        MHD_suspend_connection(r->connection);
        return MHD_YES;
    }
    if (r->streams) return queue_stream(r);
    if (!r->answer.len) return queue(r, MHD_HTTP_ACCEPTED, STR(""));
    return queue(r, http_status_of(strbuf_str(&r->answer), r->modern), strbuf_str(&r->answer));
}

/* ---- sessions -------------------------------------------------------------------------------- */

/* A stream for news, until the host hangs up. */
static enum MHD_Result open_news(http_request *r) {
    for (size_t i = 0; i < r->owner->requests.count; i++) {
        http_request *other = r->owner->requests.at[i];
        if (other != r && other->session == r->session && !other->fed && other->serve)
            return queue(r, MHD_HTTP_CONFLICT, STR(""));
    }
    if (r->link) r->link->busy = true;
    begin_serve(r);
    serve_takes_news(r->serve);
    r->streams = true;
    r->sent_ms = clock_ms();
    strbuf_addf(&r->answer, ": news\n\n");
    return queue_stream(r);
}

static enum MHD_Result end_session(http_request *r) {
    http_session *h = r->session;
    for (size_t i = 0; i < r->owner->requests.count; i++) {
        http_request *other = r->owner->requests.at[i];
        if (other == r || other->session != h || !other->streams) continue;
        other->ended = true;
        wake(other);
    }
    http_session_end(r->owner, h);
    return queue(r, MHD_HTTP_NO_CONTENT, STR(""));
}

/* ---- hooks of the library -------------------------------------------------------------------- */

static http_link *link_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static http_request *request_new(serve_http *s, struct MHD_Connection *connection) {
    http_request *r = xcalloc(1, sizeof *r);
    r->owner = s;
    r->connection = connection;
    r->link = link_of(connection);
    strbuf_init(&r->body, LIMIT_OWN_BODY_BYTES + 1);
    strbuf_init(&r->answer, LIMIT_OWN_STREAM_BYTES);
    vec_push(&s->requests, r);
    return r;
}

static void begin_request(http_request *r, const char *url, const char *method) {
    const char *session = http_header(r, "Mcp-Session-Id");
    r->refused = http_judge(r, url, method);
    if (r->refused || !session) return;
    r->session = http_session_find(r->owner, session);
    if (r->session)
        http_session_hold(r->session);
    else
        r->refused = MHD_HTTP_NOT_FOUND;
}

/* The library's shape of it.  tidy: parameters */
static enum MHD_Result on_access(void *ud, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *bytes,
                                 size_t *n_bytes, void **ours) {
    http_request *r = *ours;
    UNUSED(version);
    if (!r) {
        *ours = r = request_new(ud, connection);
        begin_request(r, url, method);
        /* What is too large is not taken in first. */
        return r->refused == MHD_HTTP_CONTENT_TOO_LARGE ? queue(r, r->refused, STR("")) : MHD_YES;
    }
    if (*n_bytes) {
        if (!r->refused) strbuf_add(&r->body, bytes, *n_bytes);
        if (r->body.overflow) r->refused = MHD_HTTP_CONTENT_TOO_LARGE;
        *n_bytes = 0;
        return MHD_YES;
    }
    if (r->refused) return queue(r, r->refused, STR(""));
    if (!strcmp(method, MHD_HTTP_METHOD_GET)) return open_news(r);
    return strcmp(method, MHD_HTTP_METHOD_DELETE) ? respond(r) : end_session(r);
}

static void request_free(http_request *r) {
    serve_http *s = r->owner;
    for (size_t i = 0; i < s->requests.count; i++) {
        if (s->requests.at[i] != r) continue;
        vec_remove(&s->requests, i);
        break;
    }
    serve_free(r->serve);
    serve_client_free(r->client);
    bool failed = r->begins && r->session && !serve_client_has_begun(r->session->client);
    if (failed) r->session->ended = true;
    if (r->session) http_session_release(s, r->session);
    strbuf_deinit(&r->body);
    strbuf_deinit(&r->answer);
    xfree(r);
}

static void on_completed(void *ud, struct MHD_Connection *connection, void **ours,
                         enum MHD_RequestTerminationCode why) {
    serve_http *s = ud;
    http_request *r = *ours;
    UNUSED(connection);
    UNUSED(why);
    *ours = NULL;
    if (!r) return;
    if (r->link) {
        r->link->busy = false;
        r->link->since_ms = clock_ms();
    }
    r->connection = NULL;
    r->link = NULL;
    r->suspended = false;
    bool goes_on = !s->closing && !r->modern && r->serve && !serve_is_idle(r->serve);
    if (!goes_on) request_free(r);
}

/* Before there is no room for more, the one that has been silent longest is let go. */
static void make_room(const serve_http *s) {
    http_link *oldest = NULL;
    if (s->links.count < LIMIT_OWN_CONNECTIONS - 8) return;
    for (size_t i = 0; i < s->links.count; i++) {
        http_link *l = s->links.at[i];
        if (!l->busy && !l->shut && (!oldest || l->since_ms < oldest->since_ms)) oldest = l;
    }
    if (!oldest) return;
    oldest->shut = true;
    shutdown(oldest->fd, SHUT_RDWR); /* the library sees its end */
}

static void on_connection(void *ud, struct MHD_Connection *connection, void **ours,
                          enum MHD_ConnectionNotificationCode what) {
    serve_http *s = ud;
    http_link *l = *ours;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        make_room(s);
        l = xcalloc(1, sizeof *l);
        l->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        l->since_ms = clock_ms();
        vec_push(&s->links, l);
        *ours = l;
        return;
    }
    if (!s->closing) http_loop_soon(&s->http); /* it listens again only when it runs again */
    for (size_t i = 0; i < s->links.count; i++) {
        if (s->links.at[i] != l) continue;
        vec_remove(&s->links, i);
        break;
    }
    xfree(l);
    *ours = NULL;
}

/* ---- the tick -------------------------------------------------------------------------------- */

/* Whether the host of a suspended request has hung up. */
static bool has_gone(const http_request *r) {
    char byte;
    if (!r->link) return false;
    ssize_t n = recv(r->link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void on_tick(uv_timer_t *t) {
    serve_http *s = t->data;
    double now = clock_ms();
    for (size_t i = s->requests.count; i-- > 0;) {
        http_request *r = s->requests.at[i];
        if (!r->connection) {
            if (serve_is_idle(r->serve)) request_free(r);
            continue;
        }
        if (!r->suspended) continue;
        if (has_gone(r)) {
            r->ended = true; /* what is sent now fails, and that completes it */
            wake(r);
        } else if (r->streams && now - r->sent_ms > SILENCE_MS) {
            r->sent_ms = now;
            strbuf_addf(&r->answer, ": alive\n\n");
            wake(r);
        }
    }
    for (size_t i = 0; i < s->links.count; i++)
        if (!s->links.at[i]->busy && now - s->links.at[i]->since_ms > LIMIT_OWN_HTTP_MS)
            shutdown(s->links.at[i]->fd, SHUT_RDWR);
    http_loop_soon(&s->http);
}

/* ---- life ------------------------------------------------------------------------------------ */

static struct MHD_Daemon *start_daemon(serve_http *s, int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, (uint16_t)port, NULL, NULL,
                            on_access, s, MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_NOTIFY_COMPLETED,
                            on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)LIMIT_OWN_CONNECTIONS,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
}

status serve_http_new(serve_http **out, uv_loop_t *loop, own_tools *tools, int port,
                      const char *token, err *e) {
    serve_http *s = xcalloc(1, sizeof *s);
    s->tools = tools;
    struct MHD_Daemon *d = start_daemon(s, port);
    if (!d) {
        xfree(s);
        return err_set(e, ERR_IO, "cannot listen at 127.0.0.1:%d: %s", port, strerror(errno));
    }
    s->token = token ? xstrdup(token) : NULL;
    s->port = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
    http_loop_init(&s->http, loop, d);
    uv_timer_init(loop, &s->tick);
    s->tick.data = s;
    s->open = 2;
    uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
    *out = s;
    return OK;
}

int serve_http_port(const serve_http *s) {
    return s->port;
}

static void on_closed(void *ud) {
    serve_http *s = ud;
    if (--s->open) return;
    void (*closed)(void *ud) = s->closed;
    void *closed_ud = s->closed_ud;
    vec_free(&s->requests);
    vec_free(&s->sessions);
    vec_free(&s->links);
    xfree(s->token);
    xfree(s);
    closed(closed_ud);
}

static void on_tick_closed(uv_handle_t *h) {
    on_closed(h->data);
}

void serve_http_close(serve_http *s, void (*closed)(void *ud), void *ud) {
    s->closed = closed;
    s->closed_ud = ud;
    s->closing = true;
    for (size_t i = 0; i < s->requests.count; i++) {
        http_request *r = s->requests.at[i];
        if (r->suspended) MHD_resume_connection(r->connection);
        r->suspended = false;
        r->ended = true;
    }
    uv_close((uv_handle_t *)&s->tick, on_tick_closed);
    http_loop_close(&s->http, on_closed, s);
    while (s->requests.count) /* of hosts that have hung up */
        request_free(s->requests.at[s->requests.count - 1]);
    while (s->sessions.count)
        http_session_end(s, s->sessions.at[s->sessions.count - 1]);
}
