/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* libmicrohttpd driven by a libuv loop: its epoll descriptor is polled, its time limits are a timer
 * of ours.  Embedded in its owner, which lives until `closed`.  Thread: loop. */
#include <microhttpd.h>

#include <uv.h>

#include "engine/base/str.h"

typedef struct {
    struct MHD_Daemon *daemon; /* NULL once it is closed */
    uv_poll_t poll;
    uv_timer_t timer;
    int open;
    bool soon; /* http_loop_soon was called, perhaps from inside */
    void (*closed)(void *ud);
    void *closed_ud;
} http_loop;

/* Takes the daemon, which was started with MHD_USE_EPOLL. */
void http_loop_init(http_loop *h, uv_loop_t *loop, struct MHD_Daemon *daemon);
/* A suspended connection goes on: turn when the loop comes round. */
void http_loop_soon(http_loop *h);
void http_loop_close(http_loop *h, void (*closed)(void *ud), void *ud);

/* "localhost", "127.0.0.1" or "[::1]", with or without a port: a page in a browser could reach
 * loopback under a name of its own. */
bool http_host_is_loopback(str host);
/* The value of an Origin header names loopback. */
bool http_origin_is_loopback(str origin);
