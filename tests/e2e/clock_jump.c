/* SPDX-License-Identifier: Apache-2.0 */
/* A library that is loaded before the C library (LD_PRELOAD) and lets the clocks jump: the wall
 * clock by a day forwards or back at every look, the monotonic clock by an hour forwards once in a
 * while, as after a suspended laptop.  Thread: any. */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE /* RTLD_NEXT */
#endif
#include <dlfcn.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <time.h>

__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *t);
__attribute__((visibility("default"))) time_t time(time_t *t);

typedef int (*clock_fn)(clockid_t id, struct timespec *t);

int clock_gettime(clockid_t id, struct timespec *t) {
    static _Atomic(clock_fn) next;
    static atomic_uint looks, hours;
    clock_fn real = atomic_load(&next);
    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
        atomic_store(&next, real);
    }
    int rc = real(id, t);
    unsigned n = atomic_fetch_add(&looks, 1);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) t->tv_sec += (n % 2 ? 1 : -1) * 86400;
    if (n % 500 == 499) atomic_fetch_add(&hours, 1);
    if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)
        t->tv_sec += 3600 * (time_t)atomic_load(&hours);
    return rc;
}

time_t time(time_t *t) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (t) *t = now.tv_sec;
    return now.tv_sec;
}
