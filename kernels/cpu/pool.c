/* SPDX-License-Identifier: Apache-2.0 */
/* A leader and its workers, made for a machine that is not ours alone.
 *
 * No barrier: a loop is over when its units are done, not when every worker has arrived.  A worker
 * that the OS has taken off its core delays the leader only while it holds a stretch; otherwise it
 * finds a later loop, or none.  Idle workers spin for SPIN_US and then sleep.  When the leader had
 * to sleep for a worker, the cores are wanted by somebody else: it goes on alone for ALONE_FACTOR
 * times as long as it slept before it shares again, so a busy machine costs little more than the
 * second thread's help.
 *
 * The OS takes a core away at its clock's tick, and a worker that is in a stretch then keeps the
 * leader waiting for a whole slice of somebody else's.  So a worker offers its core just before a
 * tick, while it holds nothing; where nobody wants it that is a system call in 13 stretches.
 *
 *     `loop` packs {sequence number : 24, units : 20, next unit : 20}
 *
 *     leader   write fn, arg -> done = 0 -> loop = {number + 1, units, 0} -> wake the sleepers
 *              claim stretches -> wait until done == units
 *     worker   claim: compare-and-swap next += stretch -> fn(stretch) -> done += stretch
 *
 * Invariants
 *   (1) A claim succeeds only while its loop is the current one, and the loop cannot end before the
 *       claimed units are done: so fn and arg are stable between claim and `done`.
 *   (2) Sleepers recheck `loop` under the lock after announcing themselves, and the leader looks
 *       for them after publishing (both sequentially consistent): no wake-up is lost.  The same
 *       holds for the leader's own sleep and `done`.
 */
#include "kernels/cpu/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#define SPIN_US 40
#define OFFER_US 300 /* before a tick; a stretch of a decode step takes less */
#define ALONE_FACTOR 8
#define ALONE_US_MAX 100000
#define UNIT_BITS 20
#define UNIT_MASK ((UINT64_C(1) << UNIT_BITS) - 1)

typedef struct {
    pool *owner;
    pthread_t thread;
    int index;
} worker;

struct pool {
    /* written by the leader between loops */
    pool_fn fn;
    void *arg;
    atomic_int_fast64_t grain;
    uint64_t alone_until; /* clock_us; the leader's own */
    uint64_t tick_us;     /* between two ticks of the OS; 0: not known */
    _Alignas(64) atomic_uint_fast64_t loop;
    _Alignas(64) atomic_int_fast64_t done;
    _Alignas(64) atomic_int sleepers;
    atomic_bool leader_sleeps, stopping;
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    int threads, started;
    worker workers[LIMIT_THREADS];
};

static void pause_core(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t units_of(uint64_t loop) {
    return (int64_t)(loop >> UNIT_BITS & UNIT_MASK);
}

static int64_t next_of(uint64_t loop) {
    return (int64_t)(loop & UNIT_MASK);
}

/* Runs one stretch of the current loop; false when nothing is left to claim. */
static bool run_stretch(pool *p, int index) {
    uint64_t loop = atomic_load(&p->loop);
    for (;;) {
        int64_t next = next_of(loop), left = units_of(loop) - next;
        if (left <= 0) return false;
        /* Half of a fair share: late stretches are short, so all end at about the same time.  The
         * grain read here may be a later loop's; then the claim below fails. */
        int64_t take = MAX(left / (2 * p->threads), MAX((int64_t)atomic_load(&p->grain), 1));
        take = MIN(take, left);
        if (!atomic_compare_exchange_weak(&p->loop, &loop, loop + (uint64_t)take)) continue;
        p->fn(p->arg, next, next + take, index);
        int64_t before = atomic_fetch_add(&p->done, take);
        if (before + take == units_of(loop) && atomic_load(&p->leader_sleeps)) {
            pthread_mutex_lock(&p->lock);
            pthread_cond_signal(&p->finished);
            pthread_mutex_unlock(&p->lock);
        }
        return true;
    }
}

static bool has_work(pool *p) {
    uint64_t loop = atomic_load(&p->loop);
    return next_of(loop) < units_of(loop) || atomic_load(&p->stopping);
}

static void sleep_for_work(pool *p) {
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    while (!has_work(p))
        pthread_cond_wait(&p->work, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
}

/* True when there is work before the time is up. */
static bool spin_for_work(pool *p) {
    uint64_t until = clock_us() + SPIN_US;
    do {
        for (int i = 0; i < 16; i++) {
            if (has_work(p)) return true;
            pause_core();
        }
    } while (clock_us() < until);
    return false;
}

/* The coarse clock of Linux stands still between ticks: it says when the last one was. */
static uint64_t tick_length_us(void) {
    struct timespec length;
#ifdef CLOCK_MONOTONIC_COARSE
    if (clock_getres(CLOCK_MONOTONIC_COARSE, &length) == 0 && length.tv_sec == 0)
        return (uint64_t)length.tv_nsec / 1000;
#endif
    UNUSED(length);
    return 0;
}

static void offer_core_before_tick(const pool *p) {
#ifdef CLOCK_MONOTONIC_COARSE
    struct timespec tick;
    if (p->tick_us <= 2 * OFFER_US || clock_gettime(CLOCK_MONOTONIC_COARSE, &tick)) return;
    uint64_t since = clock_us() - ((uint64_t)tick.tv_sec * 1000000 + (uint64_t)tick.tv_nsec / 1000);
    if (since < p->tick_us && since + OFFER_US > p->tick_us) sched_yield();
#else
    UNUSED(p);
#endif
}

static void *worker_main(void *arg) {
    worker *w = arg;
    pool *p = w->owner;
    while (!atomic_load(&p->stopping)) {
        if (has_work(p)) offer_core_before_tick(p);
        if (run_stretch(p, w->index)) continue;
        if (!spin_for_work(p)) sleep_for_work(p);
    }
    return NULL;
}

static void wait_until_done(pool *p, int64_t units) {
    uint64_t until = clock_us() + SPIN_US, slept = until;
    do {
        for (int i = 0; i < 16; i++) {
            if (atomic_load(&p->done) == units) return;
            pause_core();
        }
    } while (clock_us() < until);
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->leader_sleeps, true);
    while (atomic_load(&p->done) != units)
        pthread_cond_wait(&p->finished, &p->lock);
    atomic_store(&p->leader_sleeps, false);
    pthread_mutex_unlock(&p->lock);
    uint64_t now = clock_us();
    p->alone_until = now + MIN((now - slept) * ALONE_FACTOR, ALONE_US_MAX);
}

void pool_run(pool *p, pool_fn fn, void *arg, int64_t units, int64_t grain) {
    if (units <= 0) return;
    if (p->threads == 1 || units <= grain || clock_us() < p->alone_until) {
        fn(arg, 0, units, 0);
        return;
    }
    ASSERT(units < (int64_t)UNIT_MASK);
    p->fn = fn;
    p->arg = arg;
    atomic_store(&p->grain, grain);
    atomic_store(&p->done, 0);
    uint64_t number = (atomic_load(&p->loop) >> (2 * UNIT_BITS)) + 1;
    atomic_store(&p->loop, number << (2 * UNIT_BITS) | (uint64_t)units << UNIT_BITS);
    if (atomic_load(&p->sleepers) > 0) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->work);
        pthread_mutex_unlock(&p->lock);
    }
    while (run_stretch(p, 0)) {
    }
    wait_until_done(p, units);
}

int pool_threads(const pool *p) {
    return p->threads;
}

status pool_start(pool **out, int threads, err *e) {
    ASSERT(threads >= 1 && threads <= LIMIT_THREADS);
    pool *p = xaligned(sizeof *p);
    p->threads = threads;
    p->tick_us = tick_length_us();
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->finished, NULL);
    sigset_t all, before; /* signals belong to the program's own threads */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = 0;
    for (int i = 1; i < threads && error == 0; i++) {
        p->workers[i] = (worker){.owner = p, .index = i};
        error = pthread_create(&p->workers[i].thread, NULL, worker_main, &p->workers[i]);
        if (error == 0) p->started = i;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        status s = err_set(e, ERR_LIMIT, "cannot start thread %d of %d: %s; use fewer threads",
                           p->started + 1, threads, strerror(error));
        pool_stop(p);
        return s;
    }
    *out = p;
    return OK;
}

void pool_stop(pool *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stopping, true);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 1; i <= p->started; i++)
        pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->finished);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    xfree(p);
}
