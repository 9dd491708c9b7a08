/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What stands between one editor and the daemon, so that the editor does not notice when the daemon
 * dies.  Pure: bytes come in and go out, no clock, no I/O; proxy_run.c is the glue.
 *
 * Messages pass unchanged and in order.  On the way the proxy keeps what a new daemon must be told:
 * the initialize, the settings, the folders, and the text of every open document.
 * Thread: one at a time.
 */
#include "engine/base/status.h"
#include "engine/base/str.h"

typedef struct proxy proxy;

typedef struct {
    void *ud;
    void (*to_editor)(void *ud, str framed); /* both copy */
    void (*to_daemon)(void *ud, str framed);
} proxy_hooks;

proxy *proxy_new(const proxy_hooks *hooks);
void proxy_free(proxy *p); /* accepts NULL */

/* Bytes of the editor.  While there is no daemon they wait.  Not OK: its stream is broken. */
status proxy_from_editor(proxy *p, str bytes, err *e) MUST_USE;
/* Bytes of the daemon.  Not OK: its stream is broken; treat the daemon as gone. */
status proxy_from_daemon(proxy *p, str bytes, err *e) MUST_USE;
/* A daemon is connected: it is told what its forerunner knew. */
void proxy_daemon_here(proxy *p);
/* It is gone: requests without an answer are answered (content modified, which editors swallow). */
void proxy_daemon_gone(proxy *p);
/* Says something to the person at the editor. */
void proxy_tell(proxy *p, const char *sentence);

/* The editor has said exit, and this is the process' exit code; else -1. */
int proxy_exit_code(const proxy *p);
/* Requests of the editor without an answer. */
size_t proxy_open_requests(const proxy *p);
