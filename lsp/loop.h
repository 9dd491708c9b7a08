/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The event loop: libuv with counted handles, so that "everything is closed" can be asserted.
 * Thread: the one that calls loop_run; loop_wake_now may be called from any. */
#include <uv.h>

#include "engine/base/status.h"

typedef struct {
    uv_loop_t uv;
    int open; /* handles of ours that are not closed yet */
} loop;

typedef struct {
    uv_timer_t handle;
    loop *loop;
    void (*fn)(void *ud);
    void *ud;
} loop_timer;

typedef struct {
    uv_async_t handle;
    loop *loop;
    void (*fn)(void *ud);
    void *ud;
} loop_wake;

typedef struct {
    uv_signal_t handle;
    loop *loop;
    void (*fn)(void *ud);
    void *ud;
} loop_signal;

void loop_init(loop *l);
/* Runs until loop_stop, or until no handle is open. */
void loop_run(loop *l);
void loop_stop(loop *l);
/* Runs until every handle is closed, then frees the loop.  The owners have closed theirs. */
void loop_deinit(loop *l);

void loop_timer_init(loop *l, loop_timer *t, void (*fn)(void *ud), void *ud);
void loop_timer_start(loop_timer *t, double ms, double repeat_ms); /* replaces a running one */
void loop_timer_stop(loop_timer *t);
/* The struct must live until `closed` (may be NULL) was called from the loop. */
void loop_timer_close(loop_timer *t, void (*closed)(void *ud), void *ud);
void loop_wake_init(loop *l, loop_wake *w, void (*fn)(void *ud), void *ud);
void loop_wake_now(loop_wake *w);   /* any thread */
void loop_wake_close(loop_wake *w); /* the struct must live until loop_deinit */
void loop_signal_init(loop *l, loop_signal *s, int number, void (*fn)(void *ud), void *ud);
void loop_signal_close(loop_signal *s); /* the same */
