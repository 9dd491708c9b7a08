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
/* Copies; `bytes` is its size on the wire. */
void cache_put(cache *c, const void *owner, const char *key, const cJSON *result, size_t bytes,
               double until_ms);
void cache_drop(cache *c, const void *owner); /* all of this owner */
