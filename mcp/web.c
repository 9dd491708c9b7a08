/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants: `open` counts the handles that are not closed yet; libcurl is never called from
 * inside its own callbacks; nothing is reported after web_close. */
#include "mcp/web.h"

#include "engine/base/mem.h"

struct web {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    void (*ended)(void *ud, CURL *easy, CURLcode rc);
    void (*closed)(void *ud);
    void *ud, *closed_ud;
    bool closing;
    int open;
};

typedef struct {
    uv_poll_t poll;
    web *web;
    curl_socket_t fd;
} watch;

static void one_closed(web *w) {
    if (--w->open) return;
    if (w->closed) w->closed(w->closed_ud);
    xfree(w);
}

static void on_watch_closed(uv_handle_t *h) {
    watch *one = h->data;
    web *w = one->web;
    xfree(one);
    one_closed(w);
}

static void on_timer_closed(uv_handle_t *h) {
    one_closed(h->data);
}

static void collect(web *w) {
    CURLMsg *m;
    int left;
    while (!w->closing && (m = curl_multi_info_read(w->multi, &left)))
        if (m->msg == CURLMSG_DONE) w->ended(w->ud, m->easy_handle, m->data.result);
}

static void on_ready(uv_poll_t *p, int bad, int events) {
    watch *one = p->data;
    web *w = one->web;
    int what = bad < 0 ? CURL_CSELECT_ERR
                       : (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                             (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    int running;
    curl_multi_socket_action(w->multi, one->fd, what, &running);
    collect(w);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ud, void *socket_ud) {
    web *w = ud;
    watch *one = socket_ud;
    UNUSED(easy);
    if (what == CURL_POLL_REMOVE) {
        if (one) {
            curl_multi_assign(w->multi, fd, NULL);
            uv_poll_stop(&one->poll);
            uv_close((uv_handle_t *)&one->poll, on_watch_closed);
        }
        return 0;
    }
    if (!one) {
        one = xcalloc(1, sizeof *one);
        one->web = w;
        one->fd = fd;
        one->poll.data = one;
        if (uv_poll_init_socket(w->loop, &one->poll, fd) < 0) {
            xfree(one);
            return -1;
        }
        w->open++;
        curl_multi_assign(w->multi, fd, one);
    }
    int events =
        (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0);
    uv_poll_start(&one->poll, events, on_ready);
    return 0;
}

static void on_timer(uv_timer_t *t) {
    web *w = t->data;
    int running;
    curl_multi_socket_action(w->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(w);
}

static int on_timer_wanted(CURLM *multi, long ms, void *ud) {
    web *w = ud;
    UNUSED(multi);
    if (w->closing) return 0;
    if (ms < 0) {
        uv_timer_stop(&w->timer);
        return 0;
    }
    uv_update_time(w->loop);
    uv_timer_start(&w->timer, on_timer, (uint64_t)ms, 0);
    return 0;
}

web *web_open(uv_loop_t *loop, void (*ended)(void *ud, CURL *easy, CURLcode rc), void *ud) {
    web *w = xcalloc(1, sizeof *w);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    *w = (web){.loop = loop, .ended = ended, .ud = ud, .multi = curl_multi_init(), .open = 1};
    uv_timer_init(loop, &w->timer);
    w->timer.data = w;
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w);
    return w;
}

void web_add(web *w, CURL *easy) {
    curl_multi_add_handle(w->multi, easy);
}

void web_remove(web *w, CURL *easy) {
    curl_multi_remove_handle(w->multi, easy);
}

void web_close(web *w, void (*closed)(void *ud), void *ud) {
    w->closing = true;
    w->closed = closed;
    w->closed_ud = ud;
    curl_multi_cleanup(w->multi); /* closes its sockets: on_socket takes the watches away */
    uv_close((uv_handle_t *)&w->timer, on_timer_closed);
}
