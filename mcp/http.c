/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP through libcurl on the libuv loop (mcp/web.h).  An exchange is one request and its response.
 *
 * Invariants: an exchange is in `exchanges` from start to its end; what a response brings is handed
 * on when it ends or from the write callback, and the owner may send from there (new exchanges are
 * started by the timer).  Owns the exchanges and the timer.  Thread: loop. */
#include "mcp/http.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/vec.h"
#include "mcp/param_headers.h"
#include "mcp/sse.h"
#include "mcp/web.h"

#define CONNECT_MS 10000L
#define GOODBYE_MS 1000L /* for a DELETE at the end */
#define RETRY_MS 1000.0  /* until the server says otherwise */
#define RESUMES_MAX 5    /* in a row without an event */
#define REFUSALS_MAX 4   /* of one request: a token, more scope, a nonce, and once more */

typedef enum { EX_POST, EX_STREAM, EX_RESUME, EX_DELETE } exchange_kind;

typedef struct {
    http_link *link;
    exchange_kind kind;
    CURL *easy;
    struct curl_slist *about;   /* headers that say what it is about */
    struct curl_slist *headers; /* all that go out with it this time */
    strbuf body, response;
    bool once;         /* it may have an effect: not to be sent again once any of it is out */
    size_t read;       /* bytes of its body that libcurl has */
    int64_t id;        /* of the request that it carries, or resumes; 0: none */
    bool opens_stream; /* notifications/initialized: a stream of the server's own may follow */
    bool started, is_events;
    bool waits; /* for an authorization */
    int refusals;
    uint64_t token;     /* it went out with */
    bool over, dropped; /* nothing more of it is heard; dropped: to be freed by the timer */
    long status;
    char type[64], session[256], nonce[256], error[CURL_ERROR_SIZE];
    strbuf challenge; /* WWW-Authenticate */
    sse_reader events;
    double due_ms; /* when it is to be started */
    int resumes;
} exchange;

struct http_link {
    uv_loop_t *loop;
    http_hooks hooks;
    web *web;
    uv_timer_t timer;     /* until an exchange is to be started */
    char *url, *post_url; /* post_url: of the old transport, once it is known */
    bool old, modern, closing;
    bool last; /* the next turn of the timer closes the handles */
    char protocol[16], session[256];
    struct curl_slist *own; /* headers of the definition */
    VEC(exchange *) exchanges;
    double retry_ms;
    int open; /* handles that are not closed yet */
};

static void schedule(http_link *l);

/* ---- handles --------------------------------------------------------------------------------- */

static void one_closed(http_link *l) {
    if (--l->open) return;
    l->hooks.closed(l->hooks.ud);
    curl_slist_free_all(l->own);
    vec_free(&l->exchanges);
    xfree(l->url);
    xfree(l->post_url);
    xfree(l);
}

static void on_web_closed(void *ud) {
    one_closed(ud);
}

static void on_timer_closed(uv_handle_t *h) {
    one_closed(h->data);
}

/* ---- exchanges ------------------------------------------------------------------------------- */

static void exchange_free(exchange *x) {
    http_link *l = x->link;
    for (size_t i = 0; i < l->exchanges.count; i++) {
        if (l->exchanges.at[i] != x) continue;
        vec_remove(&l->exchanges, i);
        break;
    }
    if (x->started) web_remove(l->web, x->easy);
    curl_easy_cleanup(x->easy);
    curl_slist_free_all(x->about);
    curl_slist_free_all(x->headers);
    strbuf_deinit(&x->challenge);
    strbuf_deinit(&x->body);
    strbuf_deinit(&x->response);
    sse_deinit(&x->events);
    xfree(x);
}

/* Hands a message on as one line: line ends within it are only white space of JSON. */
static void hand_on(http_link *l, str text) {
    strbuf line;
    strbuf_init(&line, (size_t)LIMIT_MCP_LINE_BYTES + 16);
    strbuf_add_str(&line, text);
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] == '\n' || line.ptr[i] == '\r') line.ptr[i] = ' ';
    strbuf_add_char(&line, '\n');
    if (!l->closing) l->hooks.bytes(l->hooks.ud, strbuf_str(&line));
    strbuf_deinit(&line);
}

/* The address that the old transport's stream names, on the same origin. */
static void take_endpoint(http_link *l, str data) {
    CURLU *u = curl_url(), *base = curl_url();
    char *text = xstrndup(data.ptr, data.len), *full = NULL;
    char *host[2] = {NULL, NULL}, *port[2] = {NULL, NULL}, *scheme[2] = {NULL, NULL};
    bool good = curl_url_set(base, CURLUPART_URL, l->url, 0) == CURLUE_OK &&
                curl_url_set(u, CURLUPART_URL, l->url, 0) == CURLUE_OK &&
                curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK;
    CURLU *both[2] = {base, u};
    for (int i = 0; i < 2 && good; i++)
        good = curl_url_get(both[i], CURLUPART_HOST, &host[i], 0) == CURLUE_OK &&
               curl_url_get(both[i], CURLUPART_SCHEME, &scheme[i], 0) == CURLUE_OK &&
               curl_url_get(both[i], CURLUPART_PORT, &port[i], CURLU_DEFAULT_PORT) == CURLUE_OK;
    good = good && !strcmp(host[0], host[1]) && !strcmp(port[0], port[1]) &&
           !strcmp(scheme[0], scheme[1]) && curl_url_get(u, CURLUPART_URL, &full, 0) == CURLUE_OK;
    if (good && !l->post_url) l->post_url = xstrdup(full);
    if (!good) log_warn("mcp", "an event stream names an address of another origin");
    for (int i = 0; i < 2; i++) {
        curl_free(host[i]);
        curl_free(port[i]);
        curl_free(scheme[i]);
    }
    curl_free(full);
    xfree(text);
    curl_url_cleanup(u);
    curl_url_cleanup(base);
    schedule(l);
}

static void on_event(void *ud, const sse_event *e) {
    exchange *x = ud;
    http_link *l = x->link;
    x->resumes = 0;
    if (l->old && strcmp(e->type, "endpoint") == 0)
        take_endpoint(l, e->data);
    else if (e->data.len && strcmp(e->type, "message") == 0)
        hand_on(l, e->data);
}

static void on_retry(void *ud, int64_t ms) {
    exchange *x = ud;
    if (ms >= 0 && ms <= 600000) x->link->retry_ms = (double)ms;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ud) {
    exchange *x = ud;
    str piece = {bytes, size * n};
    if (x->link->closing || x->over) return piece.len;
    if (x->is_events) return sse_feed(&x->events, piece) ? piece.len : 0;
    strbuf_add_str(&x->response, piece);
    return x->response.overflow ? 0 : piece.len;
}

static void keep_header(str line, const char *name, char *to, size_t room) {
    ptrdiff_t colon = str_find(line, STR(":"));
    if (colon < 0 || !str_eq_ignore_case(str_sub(line, 0, (size_t)colon), str_of(name))) return;
    str value = str_trim(str_sub(line, (size_t)colon + 1, line.len));
    if (value.len < room) snprintf(to, room, "%.*s", STR_ARG(value));
}

static size_t on_header(char *bytes, size_t size, size_t n, void *ud) {
    exchange *x = ud;
    str line = {bytes, size * n};
    keep_header(line, "Content-Type", x->type, sizeof x->type);
    keep_header(line, "Mcp-Session-Id", x->session, sizeof x->session);
    keep_header(line, "DPoP-Nonce", x->nonce, sizeof x->nonce);
    char challenge[4096] = "";
    keep_header(line, "WWW-Authenticate", challenge, sizeof challenge);
    if (*challenge) strbuf_addf(&x->challenge, "%s%s", x->challenge.len ? ", " : "", challenge);
    if (str_trim(line).len) return line.len;
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->status);
    x->is_events = x->status == 200 && str_starts_with(str_of(x->type), STR("text/event-stream"));
    return line.len;
}

static exchange *exchange_new(http_link *l, exchange_kind kind, int64_t id) {
    exchange *x = xcalloc(1, sizeof *x);
    *x = (exchange){.link = l, .kind = kind, .id = id, .easy = curl_easy_init()};
    strbuf_init(&x->body, (size_t)LIMIT_MCP_LINE_BYTES + 16);
    strbuf_init(&x->response, LIMIT_MCP_LINE_BYTES);
    strbuf_init(&x->challenge, 16384);
    sse_init(&x->events, &(sse_hooks){x, on_event, on_retry}, LIMIT_MCP_LINE_BYTES);
    vec_push(&l->exchanges, x);
    return x;
}

static struct curl_slist *with_header(struct curl_slist *list, const char *name,
                                      const char *value) {
    strbuf line;
    strbuf_init(&line, 1u << 21);
    if (*value)
        strbuf_addf(&line, "%s: %s", name, value);
    else
        strbuf_addf(&line, "%s;", name); /* libcurl's way to send an empty one */
    list = curl_slist_append(list, line.ptr);
    strbuf_deinit(&line);
    return list;
}

static void add_header(exchange *x, const char *name, const char *value) {
    x->headers = with_header(x->headers, name, value);
}

static void add_param(void *ud, const char *name, const char *value) {
    exchange *x = ud;
    x->about = with_header(x->about, name, value);
}

static void add_authorization(exchange *x, const char *url) {
    http_link *l = x->link;
    if (!l->hooks.authorize) return;
    const char *method = x->kind == EX_POST ? "POST" : x->kind == EX_DELETE ? "DELETE" : "GET";
    strbuf authorization, dpop;
    strbuf_init(&authorization, 1u << 17);
    strbuf_init(&dpop, 1u << 17);
    x->token = l->hooks.authorize(l->hooks.ud, method, url, &authorization, &dpop);
    if (authorization.len) add_header(x, "Authorization", authorization.ptr);
    if (dpop.len) add_header(x, "DPoP", dpop.ptr);
    strbuf_deinit(&authorization);
    strbuf_deinit(&dpop);
}

static size_t on_read(char *to, size_t size, size_t n, void *ud) {
    exchange *x = ud;
    str rest = str_sub(strbuf_str(&x->body), x->read, x->read + size * n);
    if (rest.len) memcpy(to, rest.ptr, rest.len);
    x->read += rest.len;
    return rest.len;
}

/* libcurl sends a request again by itself when a connection that it kept ends without an answer; it
 * asks here for the body's begin.  What it has may have reached the server. */
static int on_seek(void *ud, curl_off_t offset, int origin) {
    const exchange *x = ud;
    return x->read || offset || origin != SEEK_SET ? CURL_SEEKFUNC_FAIL : CURL_SEEKFUNC_OK;
}

static void add_body(exchange *x) {
    curl_easy_setopt(x->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body.len);
    if (!x->once) {
        curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, x->body.ptr);
        return;
    }
    x->read = 0;
    curl_easy_setopt(x->easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(x->easy, CURLOPT_READDATA, x);
    curl_easy_setopt(x->easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(x->easy, CURLOPT_SEEKDATA, x);
}

static void begin(exchange *x) {
    http_link *l = x->link;
    const char *url = x->kind == EX_POST && l->old ? l->post_url : l->url;
    for (const struct curl_slist *h = x->about; h; h = h->next)
        x->headers = curl_slist_append(x->headers, h->data);
    for (const struct curl_slist *h = l->own; h; h = h->next)
        x->headers = curl_slist_append(x->headers, h->data);
    if (*l->session && !l->modern) add_header(x, "Mcp-Session-Id", l->session);
    if (*l->protocol && !l->old) add_header(x, "MCP-Protocol-Version", l->protocol);
    if (x->kind == EX_POST) {
        add_header(x, "Content-Type", "application/json");
        add_header(x, "Accept", "application/json, text/event-stream");
        add_body(x);
    } else if (x->kind == EX_DELETE) {
        curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, "DELETE");
        curl_easy_setopt(x->easy, CURLOPT_TIMEOUT_MS, GOODBYE_MS);
    } else {
        add_header(x, "Accept", "text/event-stream");
        if (*x->events.id) add_header(x, "Last-Event-ID", x->events.id);
    }
    add_authorization(x, url);
    x->headers = curl_slist_append(x->headers, "Expect:");
    curl_easy_setopt(x->easy, CURLOPT_URL, url);
    curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
    curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(x->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(x->easy, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(x->easy, CURLOPT_PRIVATE, x);
    curl_easy_setopt(x->easy, CURLOPT_ERRORBUFFER, x->error);
    curl_easy_setopt(x->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(x->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(x->easy, CURLOPT_USERAGENT, "inlined/" INLINED_VERSION);
    x->started = true;
    web_add(l->web, x->easy);
}

/* ---- ends of exchanges ----------------------------------------------------------------------- */

static void later(exchange *x, double due_ms) {
    x->due_ms = due_ms;
    schedule(x->link);
}

/* The stream of a request, or the server's own, is taken up where it ended. */
static void resume(const exchange *from) {
    http_link *l = from->link;
    if (from->resumes >= RESUMES_MAX || l->closing) return;
    exchange *x = exchange_new(l, from->id ? EX_RESUME : EX_STREAM, from->id);
    memcpy(x->events.id, from->events.id, sizeof x->events.id);
    x->resumes = from->resumes + 1;
    later(x, clock_ms() + l->retry_ms);
}

/* Some servers say so in words only.  An error that answers the request itself is not meant: it may
 * be about a session of the tool's own, after some work. */
static bool mentions_session(const exchange *x, const cJSON *body) {
    str text = strbuf_str(&x->response);
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(body, "id");
    bool answers = cJSON_IsNumber(id) && id->valuedouble == (double)x->id;
    return !answers && (str_find(text, STR("session")) >= 0 || str_find(text, STR("Session")) >= 0);
}

/* An HTTP error: the body may say more, as a JSON-RPC error. */
static void refused(exchange *x) {
    http_link *l = x->link;
    err e;
    cJSON *body = NULL;
    char none[1] = {0};
    status s = rpc_parse(x->response.ptr ? x->response.ptr : none, x->response.len, &body, &e);
    bool lost = *l->session && !l->modern && x->status >= 400 && x->status < 500 &&
                (x->status == 404 || mentions_session(x, body));
    if (lost) {
        cJSON_Delete(body);
        l->session[0] = 0;
        l->hooks.session_gone(l->hooks.ud, x->id);
        return;
    }
    const cJSON *error = s == OK ? cJSON_GetObjectItemCaseSensitive(body, "error") : NULL;
    const cJSON *code = cJSON_GetObjectItemCaseSensitive(error, "code");
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(error, "message");
    char why[300];
    snprintf(why, sizeof why, "HTTP status %ld%s%.200s", x->status,
             cJSON_IsString(text) ? ": " : "", cJSON_IsString(text) ? text->valuestring : "");
    const http_refusal r = {.status = (int)x->status,
                            .code = cJSON_IsNumber(code) ? code->valueint : RPC_INTERNAL_ERROR,
                            .why = why,
                            .data = cJSON_GetObjectItemCaseSensitive(error, "data")};
    l->hooks.refused(l->hooks.ud, x->id, &r);
    cJSON_Delete(body);
}

/* ---- refusals that a token may lift ---------------------------------------------------------- */

/* As it was before it went out. */
static void take_back(exchange *x) {
    web_remove(x->link->web, x->easy);
    curl_easy_reset(x->easy);
    curl_slist_free_all(x->headers);
    x->headers = NULL;
    strbuf_clear(&x->response);
    strbuf_clear(&x->challenge);
    x->type[0] = x->session[0] = x->nonce[0] = x->error[0] = 0;
    x->started = x->is_events = false;
}

/* Whether the request is not over yet: it goes out again, or waits.  It had no effect. */
static bool lives_on(exchange *x) {
    http_link *l = x->link;
    if (!l->hooks.challenged || l->closing) return false;
    if (*x->nonce) l->hooks.nonce(l->hooks.ud, x->nonce);
    if (x->status >= 200 && x->status < 300) l->hooks.accepted(l->hooks.ud);
    if ((x->status != 401 && x->status != 403) || x->refusals++ >= REFUSALS_MAX) return false;
    const http_challenge c = {.status = (int)x->status,
                              .challenge = x->challenge.ptr ? x->challenge.ptr : "",
                              .token = x->token};
    http_verdict v = l->hooks.challenged(l->hooks.ud, &c);
    if (v == HTTP_REFUSED) return false;
    take_back(x);
    x->waits = v == HTTP_WAIT;
    schedule(l);
    return true;
}

void http_authorized(http_link *l, bool good, const char *why) {
    if (l->closing) return;
    for (size_t i = l->exchanges.count; i-- > 0;) {
        exchange *x = i < l->exchanges.count ? l->exchanges.at[i] : NULL;
        if (!x || !x->waits) continue;
        x->waits = false;
        if (good) continue;
        x->over = x->dropped = true;
        l->hooks.refused(l->hooks.ud, x->id,
                         &(http_refusal){.status = 401, .code = RPC_INTERNAL_ERROR, .why = why});
    }
    schedule(l);
}

static void post_ended(exchange *x, CURLcode rc) {
    http_link *l = x->link;
    bool good = x->status >= 200 && x->status < 300;
    if (*x->session && good && !l->modern) memcpy(l->session, x->session, sizeof l->session);
    if (rc == CURLE_OK && !good) {
        refused(x);
    } else if (rc == CURLE_OK && !x->is_events && x->response.len) {
        hand_on(l, strbuf_str(&x->response));
    }
    if (good && x->opens_stream && !l->modern && !l->old)
        later(exchange_new(l, EX_STREAM, 0), clock_ms());
    if (!x->id || !l->hooks.is_open(l->hooks.ud, x->id) || l->closing) return;
    if (l->old && rc == CURLE_OK) return; /* the answer comes on the stream */
    if (x->is_events && *x->events.id && !l->modern && x->resumes < RESUMES_MAX) {
        resume(x);
        return;
    }
    bool unsent = rc == CURLE_COULDNT_CONNECT || rc == CURLE_COULDNT_RESOLVE_HOST ||
                  rc == CURLE_SSL_CONNECT_ERROR || rc == CURLE_PEER_FAILED_VERIFICATION;
    l->hooks.broken(l->hooks.ud, x->id, unsent,
                    rc == CURLE_OK                 ? "the response ended without an answer"
                    : rc == CURLE_SEND_FAIL_REWIND ? "the connection ended without an answer"
                    : *x->error                    ? x->error
                                                   : curl_easy_strerror(rc));
}

static void stream_ended(exchange *x, CURLcode rc) {
    http_link *l = x->link;
    bool offered = x->is_events || (rc != CURLE_OK && x->resumes);
    if (x->kind == EX_RESUME && !l->hooks.is_open(l->hooks.ud, x->id)) return;
    if (l->old && !l->closing) {
        l->hooks.broken(l->hooks.ud, 0, true,
                        x->is_events ? "the event stream ended"
                        : *x->error  ? x->error
                                     : "the url has no event stream");
    } else if (offered && x->resumes < RESUMES_MAX) {
        resume(x);
    } else if (x->kind == EX_RESUME) {
        l->hooks.broken(l->hooks.ud, x->id, false, "the stream of the answer broke off");
    }
}

static void close_handles(http_link *l) {
    while (l->exchanges.count)
        exchange_free(l->exchanges.at[0]);
    web_close(l->web, on_web_closed, l);
    uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}

static void ended(exchange *x, CURLcode rc) {
    http_link *l = x->link;
    if (rc == CURLE_OK && x->kind != EX_DELETE && lives_on(x)) return;
    x->over = true;
    if (x->kind == EX_POST)
        post_ended(x, rc);
    else if (x->kind != EX_DELETE)
        stream_ended(x, rc);
    bool last = x->kind == EX_DELETE;
    exchange_free(x);
    if (last) close_handles(l);
}

static void on_ended(void *ud, CURL *easy, CURLcode rc) {
    http_link *l = ud;
    char *x = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &x);
    bool last = ((exchange *)(void *)x)->kind == EX_DELETE;
    ended((exchange *)(void *)x, rc);
    if (!last) schedule(l); /* else the link is being taken apart */
}

/* ---- time ------------------------------------------------------------------------------------ */

static bool may_begin(const exchange *x) {
    return !x->started && !x->waits && !x->over &&
           !(x->kind == EX_POST && x->link->old && !x->link->post_url);
}

static void on_timer(uv_timer_t *t) {
    http_link *l = t->data;
    double now = clock_ms();
    if (l->last) {
        close_handles(l);
        return;
    }
    for (size_t i = l->exchanges.count; i-- > 0;)
        if (l->exchanges.at[i]->dropped) exchange_free(l->exchanges.at[i]);
    for (size_t i = 0; i < l->exchanges.count; i++) {
        exchange *x = l->exchanges.at[i];
        if (may_begin(x) && now >= x->due_ms) begin(x);
    }
    schedule(l);
}

static void schedule(http_link *l) {
    if (uv_is_closing((uv_handle_t *)&l->timer)) return;
    double due = l->last ? 0 : -1;
    for (size_t i = 0; i < l->exchanges.count; i++) {
        const exchange *x = l->exchanges.at[i];
        if (x->dropped) due = 0;
        if (may_begin(x) && (due < 0 || x->due_ms < due)) due = x->due_ms;
    }
    if (due < 0) {
        uv_timer_stop(&l->timer);
        return;
    }
    double wait = due - clock_ms();
    uv_update_time(l->loop);
    uv_timer_start(&l->timer, on_timer, wait > 0 ? (uint64_t)(wait + 0.999) : 0, 0);
}

/* ---- life ------------------------------------------------------------------------------------ */

http_link *http_open(uv_loop_t *loop, const mcp_definition *d, bool old, const http_hooks *hooks) {
    http_link *l = xcalloc(1, sizeof *l);
    *l = (http_link){.loop = loop,
                     .hooks = *hooks,
                     .url = xstrdup(d->url),
                     .old = old,
                     .retry_ms = RETRY_MS,
                     .open = 2};
    for (size_t i = 0; i < d->headers.count; i++) {
        strbuf line;
        strbuf_init(&line, 1u << 21);
        strbuf_addf(&line, "%s: %s", d->headers.at[i].name, d->headers.at[i].value);
        bool clean = !strpbrk(line.ptr ? line.ptr : "", "\r\n");
        if (clean) l->own = curl_slist_append(l->own, line.ptr);
        strbuf_deinit(&line);
    }
    uv_timer_init(loop, &l->timer);
    l->timer.data = l;
    l->web = web_open(loop, on_ended, l);
    if (l->old) later(exchange_new(l, EX_STREAM, 0), clock_ms());
    return l;
}

/* Closing the stream of a request is how a modern one is cancelled. */
static void drop_exchange(http_link *l, int64_t id) {
    for (size_t i = 0; i < l->exchanges.count; i++) {
        exchange *x = l->exchanges.at[i];
        if (x->id != id || x->over) continue;
        x->id = 0;
        x->over = x->dropped = true; /* not from here: it may just be being heard */
        schedule(l);
        return;
    }
}

void http_send(http_link *l, const session_message *m, bool modern, const char *protocol,
               const cJSON *schema) {
    if (l->closing) return;
    l->modern = modern;
    snprintf(l->protocol, sizeof l->protocol, "%s", modern ? "2026-07-28" : protocol);
    bool cancels = m->method && strcmp(m->method, "notifications/cancelled") == 0;
    if (cancels) {
        const cJSON *id = cJSON_GetObjectItemCaseSensitive(m->params, "requestId");
        if (cJSON_IsNumber(id)) drop_exchange(l, (int64_t)id->valuedouble);
        if (modern) return;
    }
    exchange *x = exchange_new(l, EX_POST, m->id);
    strbuf_add_str(&x->body, str_trim(m->line));
    x->once = m->method && strcmp(m->method, "tools/call") == 0;
    x->opens_stream = m->method && strcmp(m->method, "notifications/initialized") == 0;
    if (modern && m->method) {
        strbuf name;
        strbuf_init(&name, 1u << 20);
        add_param(x, "Mcp-Method", m->method);
        if (m->name) {
            param_header_value(&name, str_of(m->name));
            add_param(x, "Mcp-Name", name.ptr ? name.ptr : "");
        }
        strbuf_deinit(&name);
        if (schema)
            param_headers_each(schema, cJSON_GetObjectItemCaseSensitive(m->params, "arguments"),
                               add_param, x);
    }
    later(x, clock_ms());
}

void http_close(http_link *l) {
    if (l->closing) return;
    l->closing = true;
    if (*l->session && !l->modern && !l->old) {
        later(exchange_new(l, EX_DELETE, 0), clock_ms());
        return;
    }
    l->last = true; /* not from here: this may run inside a callback of libcurl */
    schedule(l);
}
