/* SPDX-License-Identifier: Apache-2.0 */
/* Each turn lets the library do what is ready, and asks it how long it can wait.  Thread: loop. */
#include "mcp/http_loop.h"

static void turn(http_loop *h);

static void on_timer(uv_timer_t *t) {
    turn(t->data);
}

static void on_poll(uv_poll_t *p, int rc, int events) {
    UNUSED(rc);
    UNUSED(events);
    turn(p->data);
}

static void turn(http_loop *h) {
    MHD_UNSIGNED_LONG_LONG wait;
    if (!h->daemon) return;
    h->soon = false;
    MHD_run(h->daemon);
    if (h->soon)
        uv_timer_start(&h->timer, on_timer, 0, 0);
    else if (MHD_get_timeout(h->daemon, &wait) == MHD_YES)
        uv_timer_start(&h->timer, on_timer, wait, 0);
    else
        uv_timer_stop(&h->timer);
}

void http_loop_init(http_loop *h, uv_loop_t *loop, struct MHD_Daemon *daemon) {
    h->daemon = daemon;
    uv_poll_init(loop, &h->poll, MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    uv_timer_init(loop, &h->timer);
    h->poll.data = h->timer.data = h;
    h->open = 2;
    uv_poll_start(&h->poll, UV_READABLE, on_poll);
}

void http_loop_soon(http_loop *h) {
    h->soon = true;
    uv_timer_start(&h->timer, on_timer, 0, 0);
}

static void on_handle_closed(uv_handle_t *handle) {
    http_loop *h = handle->data;
    if (--h->open == 0) h->closed(h->closed_ud);
}

void http_loop_close(http_loop *h, void (*closed)(void *ud), void *ud) {
    h->closed = closed;
    h->closed_ud = ud;
    uv_poll_stop(&h->poll);
    MHD_stop_daemon(h->daemon);
    h->daemon = NULL;
    uv_close((uv_handle_t *)&h->poll, on_handle_closed);
    uv_close((uv_handle_t *)&h->timer, on_handle_closed);
}

bool http_host_is_loopback(str host) {
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < COUNTOF(names); i++) {
        str name = str_of(names[i]);
        if (host.len >= name.len && str_eq_ignore_case(str_sub(host, 0, name.len), name) &&
            (host.len == name.len || host.ptr[name.len] == ':'))
            return true;
    }
    return false;
}

bool http_origin_is_loopback(str origin) {
    ptrdiff_t at = str_find(origin, STR("://"));
    return at >= 0 && http_host_is_loopback(str_sub(origin, (size_t)at + 3, origin.len));
}
