/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A Redis (or Valkey) server that several daemons share as a cache: opt-in, never needed.  Nothing
 * waits for it longer than LIMIT_REDIS_GET_MS, and a server that is away, slow or wrong is left
 * alone for a while; a miss is always a right answer.  What it says is outside bytes: replies are
 * simple ones of at most LIMIT_REDIS_REPLY_BYTES, and whoever reads a value checks it.
 *
 * hiredis writes commands and reads replies; the connection is libuv's.  Thread: loop. */
#include <uv.h>

#include "engine/base/status.h"
#include "engine/base/str.h"

typedef struct redis redis;

/* `url`: redis://[[user]:password@]host[:port][/database] or unix:///path[?db=N]. */
status redis_new(uv_loop_t *loop, const char *url, redis **out, err *e) MUST_USE;
void redis_begin(redis *r); /* connects now, not at the first use */
/* Forgets what is open without telling, closes all handles, frees, then calls `closed`. */
void redis_close(redis *r, void (*closed)(void *ud), void *ud);

/* Asks for a value.  False: it is a miss already (no connection now; one may have been begun).
 * Otherwise `got` is called exactly once, later, unless redis_close comes first; `value.ptr` NULL
 * is a miss, and the bytes are borrowed for the call. */
typedef void (*redis_got)(void *ud, uint64_t number, str value);
bool redis_get(redis *r, const char *key, redis_got got, void *ud, uint64_t number);
/* Keeps a value for `ms`, if that can be done now. */
void redis_set(redis *r, const char *key, str value, double ms);

typedef enum { REDIS_UNUSED, REDIS_CONNECTING, REDIS_READY, REDIS_DOWN } redis_state;
typedef struct {
    redis_state state;
    const char *why;   /* REDIS_DOWN: one sentence; borrowed.  Never a password. */
    const char *where; /* host:port or path; borrowed */
    double retry_in_ms; /* REDIS_DOWN */
    uint64_t hits, misses, late, kept, lost, errors;
} redis_info;
void redis_tell(const redis *r, redis_info *out);
const char *redis_state_name(redis_state s); /* "ready", ... */
