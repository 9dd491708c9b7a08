/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Our own tools as a server of our own host, without a process: the machines of both sides
 * (session.h, serve.h) talk through a buffer in memory, so that policy, approvals, limits, numbers
 * and cancellation are those of every other server.  Thread: loop. */
#include "mcp/own.h"

typedef struct inside inside;

typedef struct {
    void *ud;
    void (*bytes)(void *ud, str bytes); /* from a turn of the loop; valid during the call */
    void (*closed)(void *ud);           /* after inside_close: it is gone and freed */
} inside_hooks;

status inside_open(inside **out, uv_loop_t *loop, const own_options *tools,
                   const inside_hooks *hooks, err *e) MUST_USE;
/* False: the stream is broken; nothing should be written any more. */
bool inside_write(inside *in, str bytes) MUST_USE;
/* Cancels what runs; nothing is heard of it any more. */
void inside_close(inside *in);
