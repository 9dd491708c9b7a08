/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in a Redis that daemons share, behind the memory of this one.  A call that asks there is
 * in its server's list, LOOKING; a miss makes it QUEUED.  It asks once: before its server is
 * started, or, when there was no connection then, before it is sent.  What depends on this machine
 * is found only from here (shared_place), and nothing is taken that was made before this daemon
 * last saw a change.  Thread: loop. */
#include <time.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "mcp/host_private.h"
#include "mcp/shared.h"

static double wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

void host_shared_open(mcp_host *h, const char *url) {
    err e;
    if (!url || !url[0]) return;
    if (redis_new(h->loop, url, &h->redis, &e) == OK) {
        shared_place(h->workspace, h->place);
        redis_begin(h->redis);
        return;
    }
    log_error("mcp", "INLINED_REDIS: %s", e.text);
    if (h->hooks.log) h->hooks.log(h->hooks.ud, "redis", "error", e.text);
}

bool mcp_host_redis(const mcp_host *h, redis_info *out) {
    if (h->redis) redis_tell(h->redis, out);
    return h->redis != NULL;
}

void host_results_forget(server *s) {
    cache_drop(s->host->cache, s);
    s->forgot_ms = wall_ms();
}

static void key_of(const call *c, char key[static 80]) {
    const server *s = c->server;
    const mcp_tool *t =
        c->verb == MCP_CALL_TOOL ? catalogue_tool(host_server_list(s, LIST_TOOLS), c->name) : NULL;
    bool everywhere = t && t->annotated && t->open_world && !s->auth;
    shared_key(s->def, c->key, everywhere ? NULL : s->host->place, key);
}

static call *looking(const mcp_host *h, uint64_t number) {
    for (size_t i = 0; i < h->servers.count; i++) {
        const server *s = h->servers.at[i];
        for (size_t k = 0; k < s->calls.count; k++)
            if (s->calls.at[k]->state == CALL_LOOKING && s->calls.at[k]->look == number)
                return s->calls.at[k];
    }
    return NULL;
}

static void on_got(void *ud, uint64_t number, str value) {
    mcp_host *h = ud;
    call *c = looking(h, number);
    double left = 0;
    if (!c) return; /* cancelled, or its server went */
    server *s = c->server;
    cJSON *result =
        value.ptr ? shared_open(value, wall_ms(), s->forgot_ms, LIMIT_MCP_CACHE_MOST_MS, &left)
                  : NULL;
    if (result) {
        cache_put(h->cache, s, c->key, result, value.len, clock_ms(), (cache_life){left, 0});
        call_end_kept(c, result);
        return;
    }
    c->state = CALL_QUEUED;
    host_server_start(s);
    calls_run(s);
}

bool host_shared_ask(call *c) {
    mcp_host *h = c->host;
    const mcp_tool *t = catalogue_tool(host_server_list(c->server, LIST_TOOLS), c->name);
    const char *why;
    char key[80];
    if (!h->redis || !c->cacheable || c->look || policy_of(c, t, &why) != POLICY_ALLOW)
        return false;
    key_of(c, key);
    c->look = ++h->last_id;
    c->state = CALL_LOOKING;
    if (redis_get(h->redis, key, on_got, h, c->look)) return true;
    c->state = CALL_QUEUED;
    c->look = 0; /* not there yet; perhaps when it is about to be sent */
    return false;
}

void host_shared_keep(const call *c, const rpc_answer *from, double ms) {
    mcp_host *h = c->host;
    const cJSON *scope = cJSON_GetObjectItemCaseSensitive(from->result, "cacheScope");
    bool is_private = cJSON_IsString(scope) && strcmp(scope->valuestring, "private") == 0;
    char key[80];
    if (!h->redis || is_private || from->bytes > LIMIT_REDIS_VALUE_BYTES) return;
    strbuf sealed;
    strbuf_init(&sealed, 4 * (size_t)LIMIT_REDIS_VALUE_BYTES);
    shared_seal(&sealed, from->result, wall_ms(), ms);
    key_of(c, key);
    if (sealed.len && !sealed.overflow) redis_set(h->redis, key, strbuf_str(&sealed), ms);
    strbuf_deinit(&sealed);
}
