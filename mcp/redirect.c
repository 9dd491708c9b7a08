/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest HTTP server that a browser understands.  A visit is one connection with one request,
 * whose head ends within VISIT_BYTES and VISIT_MS; there are at most VISITS at once.
 * Invariant: `open` counts the handles that are not closed yet. */
#include "mcp/redirect.h"

#include <netinet/in.h>

#include "engine/base/vec.h"

#define VISITS 8 /* browsers open some ahead of time */
#define VISIT_BYTES 16384
#define VISIT_MS 10000

typedef struct visit visit;

struct redirect {
    uv_tcp_t tcp;
    VEC(visit *) visits;
    bool (*came)(void *ud, str query);
    void (*closed)(void *ud);
    void *ud, *closed_ud;
    uint16_t port;
    bool closing;
    int open;
};

struct visit {
    redirect *owner;
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    char bytes[VISIT_BYTES];
    char page[512];
    size_t len;
    bool answered;
    int open;
};

static void one_closed(redirect *r) {
    if (--r->open) return;
    if (r->closed) r->closed(r->closed_ud);
    vec_free(&r->visits);
    xfree(r);
}

static void on_visit_closed(uv_handle_t *h) {
    visit *v = h->data;
    redirect *r = v->owner;
    if (--v->open) return;
    for (size_t i = 0; i < r->visits.count; i++) {
        if (r->visits.at[i] != v) continue;
        vec_remove(&r->visits, i);
        break;
    }
    xfree(v);
    one_closed(r);
}

static void end_visit(visit *v) {
    if (uv_is_closing((uv_handle_t *)&v->tcp)) return;
    uv_close((uv_handle_t *)&v->tcp, on_visit_closed);
    uv_close((uv_handle_t *)&v->timer, on_visit_closed);
}

static void on_late(uv_timer_t *t) {
    end_visit(t->data);
}

static void on_written(uv_write_t *w, int bad) {
    UNUSED(bad);
    end_visit(w->data);
}

static void answer(visit *v, const char *status, const char *sentence) {
    int n = snprintf(v->page, sizeof v->page,
                     "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "
                     "%zu\r\nConnection: close\r\nCache-Control: no-store\r\n"
                     "X-Content-Type-Options: nosniff\r\n\r\n%s",
                     status, strlen(sentence), sentence);
    uv_buf_t b = uv_buf_init(v->page, (unsigned)n);
    v->write.data = v;
    uv_read_stop((uv_stream_t *)&v->tcp);
    if (uv_write(&v->write, (uv_stream_t *)&v->tcp, &b, 1, on_written) < 0) end_visit(v);
}

/* The head is here: GET /callback?QUERY HTTP/1.1 */
static void take_request(visit *v) {
    redirect *r = v->owner;
    v->answered = true;
    str line = {v->bytes, v->len}, target = {0}, word;
    (void)str_split(&line, '\r', &word);
    line = word;
    bool get =
        str_split(&line, ' ', &word) && str_eq(word, STR("GET")) && str_split(&line, ' ', &target);
    if (!get || !str_starts_with(target, STR("/callback?"))) {
        answer(v, "404 Not Found", "There is nothing here.\n");
        return;
    }
    bool taken = !r->closing && r->came(r->ud, str_sub(target, 10, target.len));
    if (taken)
        answer(v, "200 OK", "inlined has got it: you can close this page.\n");
    else
        answer(v, "400 Bad Request", "This is not the login that inlined waits for.\n");
}

static void on_room(uv_handle_t *h, size_t wanted, uv_buf_t *out) {
    visit *v = h->data;
    UNUSED(wanted);
    *out = uv_buf_init(v->bytes + v->len, (unsigned)(sizeof v->bytes - v->len));
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b) {
    visit *v = s->data;
    UNUSED(b);
    if (n > 0) v->len += (size_t)n;
    if (n < 0)
        end_visit(v);
    else if (str_find((str){v->bytes, v->len}, STR("\r\n\r\n")) >= 0)
        take_request(v);
    else if (v->len == sizeof v->bytes)
        answer(v, "431 Request Header Fields Too Large", "That is too long.\n");
}

static void on_connection(uv_stream_t *s, int bad) {
    redirect *r = s->data;
    if (bad < 0 || r->closing) return;
    visit *v = xcalloc(1, sizeof *v);
    v->owner = r;
    v->open = 2;
    uv_tcp_init(s->loop, &v->tcp);
    uv_timer_init(s->loop, &v->timer);
    v->tcp.data = v->timer.data = v;
    vec_push(&r->visits, v);
    r->open++;
    if (uv_accept(s, (uv_stream_t *)&v->tcp) < 0 || r->visits.count > VISITS ||
        uv_read_start((uv_stream_t *)&v->tcp, on_room, on_read) < 0) {
        end_visit(v);
        return;
    }
    uv_timer_start(&v->timer, on_late, VISIT_MS, 0);
}

static void on_listener_closed(uv_handle_t *h) {
    one_closed(h->data);
}

static int listen_on(redirect *r, uint16_t port) {
    struct sockaddr_in address = {0};
    int bad = uv_ip4_addr("127.0.0.1", port, &address);
    if (!bad) bad = uv_tcp_bind(&r->tcp, (const struct sockaddr *)&address, 0);
    if (!bad) bad = uv_listen((uv_stream_t *)&r->tcp, VISITS, on_connection);
    return bad;
}

redirect *redirect_open(uv_loop_t *loop, uint16_t wanted, bool (*came)(void *ud, str query),
                        void *ud) {
    redirect *r = xcalloc(1, sizeof *r);
    *r = (redirect){.came = came, .ud = ud, .open = 1};
    uv_tcp_init(loop, &r->tcp);
    r->tcp.data = r;
    if (listen_on(r, wanted) < 0) {
        r->closing = true;
        uv_close((uv_handle_t *)&r->tcp, on_listener_closed);
        return wanted ? redirect_open(loop, 0, came, ud) : NULL;
    }
    struct sockaddr_in address = {0};
    int n = sizeof address;
    uv_tcp_getsockname(&r->tcp, (struct sockaddr *)&address, &n);
    r->port = ntohs(address.sin_port);
    return r;
}

uint16_t redirect_port(const redirect *r) {
    return r->port;
}

void redirect_close(redirect *r, void (*closed)(void *ud), void *ud) {
    if (r->closing) return;
    r->closing = true;
    r->closed = closed;
    r->closed_ud = ud;
    for (size_t i = 0; i < r->visits.count; i++)
        if (!r->visits.at[i]->answered) end_visit(r->visits.at[i]);
    uv_close((uv_handle_t *)&r->tcp, on_listener_closed);
}
