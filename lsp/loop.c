/* SPDX-License-Identifier: Apache-2.0 */
/* libuv, wrapped as far as we use it.  Each callback's first line finds its owner; a debug build
 * reports callbacks that keep the loop for too long.
 *
 * Invariant: `open` is the number of handles that were initialised and whose close callback has not
 * run; loop_deinit asserts that it gets to 0.  Thread: loop. */
#include "lsp/loop.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"

void loop_init(loop *l) {
    l->open = 0;
    /* libuv aborts without a word in some places, and leaves things undone in others. */
    int rc = uv_replace_allocator(xmalloc, xrealloc, xcalloc, xfree);
    ASSERT(rc == 0);
    rc = uv_loop_init(&l->uv);
    ASSERT(rc == 0); /* fails only without descriptors, before anything has begun */
    l->uv.data = l;
}

void loop_run(loop *l) {
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(loop *l) {
    uv_stop(&l->uv);
}

void loop_deinit(loop *l) {
    int rc = UV_EBUSY;
    /* the first turn may be eaten by a loop_stop that came before it */
    for (int turn = 0; turn < 3 && rc; turn++) {
        uv_run(&l->uv, UV_RUN_DEFAULT);
        rc = uv_loop_close(&l->uv);
    }
    ASSERT(rc == 0 && l->open == 0);
}

static void on_closed(uv_handle_t *handle) {
    loop *l = handle->loop->data;
    l->open--;
}

/* Runs a callback and says so when it took too long. */
static void timed(void (*fn)(void *ud), void *ud, const char *what) {
#ifndef NDEBUG
    double before = clock_ms();
    fn(ud);
    double ms = clock_ms() - before;
    if (ms > LIMIT_LOOP_CALLBACK_MS) log_debug("loop", "slow callback kind=%s ms=%.0f", what, ms);
#else
    UNUSED(what);
    fn(ud);
#endif
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *handle) {
    loop_timer *t = handle->data;
    timed(t->fn, t->ud, "timer");
}

void loop_timer_init(loop *l, loop_timer *t, void (*fn)(void *ud), void *ud) {
    *t = (loop_timer){.loop = l, .fn = fn, .ud = ud};
    uv_timer_init(&l->uv, &t->handle);
    t->handle.data = t;
    l->open++;
}

void loop_timer_start(loop_timer *t, double ms, double repeat_ms) {
    uv_update_time(&t->loop->uv);
    uv_timer_start(&t->handle, on_timer, (uint64_t)ms, (uint64_t)repeat_ms);
}

void loop_timer_stop(loop_timer *t) {
    uv_timer_stop(&t->handle);
}

static void on_timer_closed(uv_handle_t *handle) {
    loop_timer *t = handle->data;
    t->loop->open--;
    if (t->fn) t->fn(t->ud);
}

void loop_timer_close(loop_timer *t, void (*closed)(void *ud), void *ud) {
    t->fn = closed;
    t->ud = ud;
    uv_close((uv_handle_t *)&t->handle, on_timer_closed);
}

/* ---- wake-up from another thread ------------------------------------------------------------- */

static void on_wake(uv_async_t *handle) {
    loop_wake *w = handle->data;
    timed(w->fn, w->ud, "wake");
}

void loop_wake_init(loop *l, loop_wake *w, void (*fn)(void *ud), void *ud) {
    *w = (loop_wake){.loop = l, .fn = fn, .ud = ud};
    int rc = uv_async_init(&l->uv, &w->handle, on_wake);
    ASSERT(rc == 0);
    w->handle.data = w;
    l->open++;
}

void loop_wake_now(loop_wake *w) {
    uv_async_send(&w->handle);
}

void loop_wake_close(loop_wake *w) {
    uv_close((uv_handle_t *)&w->handle, on_closed);
}

/* ---- signals --------------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *handle, int number) {
    loop_signal *s = handle->data;
    log_info("loop", "signal number=%d", number);
    s->fn(s->ud);
}

void loop_signal_init(loop *l, loop_signal *s, int number, void (*fn)(void *ud), void *ud) {
    *s = (loop_signal){.loop = l, .fn = fn, .ud = ud};
    uv_signal_init(&l->uv, &s->handle);
    s->handle.data = s;
    uv_signal_start(&s->handle, on_signal, number);
    l->open++;
}

void loop_signal_close(loop_signal *s) {
    uv_close((uv_handle_t *)&s->handle, on_closed);
}
