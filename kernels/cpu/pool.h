/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Threads for loops over independent units.  The leader (the engine thread) publishes one loop
 * after the other; it and the workers claim stretches of units until none is left. */
#include "engine/base/status.h"

typedef struct pool pool;

/* Units from..to-1; `worker` is 0 for the leader, 1..threads-1 for the others. */
typedef void (*pool_fn)(void *arg, int64_t from, int64_t to, int worker);

/* `threads` counts the leader.  Errors: ERR_LIMIT (a thread could not be started). */
status pool_start(pool **out, int threads, err *e) MUST_USE;
void pool_stop(pool *p); /* accepts NULL */
int pool_threads(const pool *p);

/* Calls fn over 0..units-1 (below 2^20) and returns when all are done.  A stretch has at least
 * `grain` units, except the last.  Leader only; allocates nothing. */
void pool_run(pool *p, pool_fn fn, void *arg, int64_t units, int64_t grain);
