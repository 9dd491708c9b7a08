/* SPDX-License-Identifier: Apache-2.0 */
/* CLOCK_MONOTONIC in microseconds, replaceable for tests. */
#include "engine/base/clock.h"

#include <stdatomic.h>
#include <time.h>

static uint64_t real_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static uint64_t (*_Atomic source)(void) = real_us;

uint64_t clock_us(void) {
    return atomic_load_explicit(&source, memory_order_relaxed)();
}

double clock_ms(void) {
    return (double)clock_us() / 1000.0;
}

void clock_set_source(uint64_t (*us)(void)) {
    atomic_store(&source, us ? us : real_us);
}
