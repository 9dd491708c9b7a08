/* SPDX-License-Identifier: Apache-2.0 */
/* A small list of results, most recently used last.  Keys are hashes (64 hex digits).
 * Invariant: `bytes` is the sum of the entries' bytes.  Thread: loop. */
#include "mcp/cache.h"

#include "engine/base/limits.h"
#include "engine/base/vec.h"

typedef struct {
    const void *owner;
    char key[65];
    cJSON *result;
    size_t bytes;
    double put_ms, fresh_until_ms, until_ms;
} entry;

struct cache {
    VEC(entry) entries;
    size_t bytes;
};

cache *cache_new(void) {
    return xcalloc(1, sizeof(cache));
}

static void drop_at(cache *c, size_t i) {
    c->bytes -= c->entries.at[i].bytes;
    cJSON_Delete(c->entries.at[i].result);
    vec_remove(&c->entries, i);
}

void cache_free(cache *c) {
    if (!c) return;
    while (c->entries.count)
        drop_at(c, c->entries.count - 1);
    vec_free(&c->entries);
    xfree(c);
}

/* Its place at the end of the list; NULL: it is not there any more. */
static const entry *find(cache *c, const void *owner, const char *key, double now_ms) {
    for (size_t i = c->entries.count; i-- > 0;) {
        entry e = c->entries.at[i];
        if (e.owner != owner || strcmp(e.key, key) != 0) continue;
        if (now_ms >= e.until_ms) {
            drop_at(c, i);
            return NULL;
        }
        vec_remove(&c->entries, i);
        vec_push(&c->entries, e);
        return &c->entries.at[c->entries.count - 1];
    }
    return NULL;
}

const cJSON *cache_get(cache *c, const void *owner, const char *key, double now_ms) {
    const entry *e = find(c, owner, key, now_ms);
    return e && now_ms < e->fresh_until_ms ? e->result : NULL;
}

const cJSON *cache_get_stale(cache *c, const void *owner, const char *key, double now_ms,
                             double *age_ms) {
    const entry *e = find(c, owner, key, now_ms);
    if (e) *age_ms = now_ms - e->put_ms;
    return e ? e->result : NULL;
}

void cache_put(cache *c, const void *owner, const char *key, const cJSON *result, size_t bytes,
               double now_ms, cache_life life) {
    if (bytes > LIMIT_MCP_CACHE_ENTRY) return;
    for (size_t i = c->entries.count; i-- > 0;)
        if (c->entries.at[i].owner == owner && strcmp(c->entries.at[i].key, key) == 0)
            drop_at(c, i);
    while (c->entries.count && (c->bytes + bytes > LIMIT_MCP_CACHE_BYTES ||
                                c->entries.count >= LIMIT_MCP_CACHE_RESULTS))
        drop_at(c, 0);
    entry e = {.owner = owner,
               .bytes = bytes,
               .put_ms = now_ms,
               .fresh_until_ms = now_ms + life.fresh_ms,
               .until_ms = now_ms + life.fresh_ms + life.stale_ms};
    snprintf(e.key, sizeof e.key, "%s", key);
    e.result = cJSON_Duplicate(result, true);
    vec_push(&c->entries, e);
    c->bytes += bytes;
}

void cache_drop(cache *c, const void *owner) {
    for (size_t i = c->entries.count; i-- > 0;)
        if (c->entries.at[i].owner == owner) drop_at(c, i);
}
