/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Results of look-ups, for a short while: at most LIMIT_MCP_CACHE_BYTES, the least used go first.
 * Thread: loop. */
#include <cjson/cJSON.h>

#include "engine/base/base.h"

typedef struct cache cache;

cache *cache_new(void);
void cache_free(cache *c);
/* `owner` is only compared.  The result is borrowed until the next call; NULL: none that is
 * fresh. */
const cJSON *cache_get(cache *c, const void *owner, const char *key, double now_ms);
/* The same for one that need not be fresh; `age_ms` is the time since it was put there. */
const cJSON *cache_get_stale(cache *c, const void *owner, const char *key, double now_ms,
                             double *age_ms);
typedef struct {
    double fresh_ms, stale_ms; /* for so long, and for so long after that */
} cache_life;
/* Copies; `bytes` is its size on the wire. */
void cache_put(cache *c, const void *owner, const char *key, const cJSON *result, size_t bytes,
               double now_ms, cache_life life);
void cache_drop(cache *c, const void *owner); /* all of this owner */
