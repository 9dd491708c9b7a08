/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's state as JSON, and the three things that can be done to its models.
 * Keys are promised to scripts (docs/PROTOCOL.md).  Thread: loop. */
#include "lsp/admin.h"

#include <math.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "lsp/server.h"

static void add(cJSON *o, const char *key, double n) {
    cJSON_AddNumberToObject(o, key, n);
}

static double rounded(double x) {
    return round(x * 10) / 10;
}

static void add_rate(cJSON *o, const char *key, const stats_slot *s, int seconds) {
    stats_rate rate = stats_rate_of(s, seconds, clock_ms());
    cJSON *to = cJSON_AddObjectToObject(o, key);
    add(to, "read", rounded(rate.read));
    add(to, "written", rounded(rate.wrote));
}

static const char *state_name(model_state s) {
    switch (s) {
    case MODEL_NONE: return "absent";
    case MODEL_LOADING: return "loading";
    case MODEL_READY: return "ready";
    case MODEL_FAILED: return "failed";
    }
    return "absent";
}

static void add_memory(cJSON *o, const k_memory *m) {
    cJSON *to = cJSON_AddObjectToObject(o, "memory");
    add(to, "weights", (double)m->weight_bytes);
    add(to, "context", (double)m->kv_bytes);
    add(to, "work", (double)m->work_bytes);
}

static void add_ready(cJSON *o, const admin *a, const model *m) {
    const stats_slot *s = &a->stats->slots[m->slot];
    cJSON_AddStringToObject(o, "backend", m->info.backend);
    cJSON_AddStringToObject(o, "backendWhy", m->info.why);
    cJSON_AddStringToObject(o, "quantisation", m->info.quant);
    cJSON_AddBoolToObject(o, "onGpu", m->info.on_device);
    add(o, "contextTokens", m->info.context_tokens);
    add(o, "loadMs", rounded(m->info.load_ms));
    add_memory(o, &m->info.memory);
    add(o, "queue", engine_count_jobs(a->engine, m->slot));
    add(o, "sequences", s->sequences);
    add(o, "cachedTokens", s->cached_tokens);
    add_rate(o, "tokensPerSecond", s, 2);
    add_rate(o, "tokensPerSecondMinute", s, STATS_SECONDS);
    add(o, "speed", rounded(stats_speed_of(s, clock_ms())));
    double prompt = (double)(s->sums.read + s->sums.reused);
    add(o, "reusedShare", prompt > 0 ? rounded(100 * (double)s->sums.reused / prompt) / 100 : 0);
    cJSON *tokens = cJSON_AddObjectToObject(o, "tokens");
    add(tokens, "read", (double)s->sums.read);
    add(tokens, "written", (double)s->sums.wrote);
    add(tokens, "reused", (double)s->sums.reused);
    add(o, "jobs", (double)s->sums.jobs);
    add(o, "failed", (double)s->sums.failed);
    add(o, "cancelled", (double)s->sums.cancelled);
    add(o, "late", (double)s->sums.late);
}

static cJSON *model_json(const admin *a, const model *m) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "name", m->name);
    cJSON_AddStringToObject(o, "path", m->path ? m->path : "");
    cJSON_AddStringToObject(o, "state", state_name(m->state));
    add(o, "idleSeconds", m->used_ms > 0 ? round((clock_ms() - m->used_ms) / 1000) : 0);
    if (m->state == MODEL_LOADING) {
        add(o, "percent", m->percent);
        cJSON_AddStringToObject(o, "doing", m->what);
        if (m->seconds_left >= 0) add(o, "secondsLeft", rounded(m->seconds_left));
    }
    if (m->state == MODEL_FAILED) cJSON_AddStringToObject(o, "error", m->error.text);
    if (m->state == MODEL_READY) add_ready(o, a, m);
    return o;
}

static cJSON *tier_json(const admin *a, const settings *s, model_tier tier) {
    cJSON *o = cJSON_CreateObject(), *roles;
    const char *why, *name = tiers_name(a->tiers, s, tier, &why);
    cJSON_AddStringToObject(o, "tier", model_tier_name(tier));
    cJSON_AddStringToObject(o, "model", name[0] ? name : "default");
    cJSON_AddStringToObject(o, "why", why);
    roles = cJSON_AddArrayToObject(o, "roles");
    for (model_role r = 0; r < ROLE_COUNT; r++) {
        if (s->roles[r] == tier)
            cJSON_AddItemToArray(roles, cJSON_CreateString(model_role_name(r)));
    }
    return o;
}

/* Of all clients together; a state that none is in is left out. */
static void add_servers(cJSON *o, const admin *a) {
    cJSON *states = cJSON_AddObjectToObject(o, "mcpServers"),
          *calls = cJSON_AddObjectToObject(o, "mcpCalls");
    admin_servers all = {0};
    a->servers(a->ud, &all);
    for (int i = 0; i < MCP_STATES; i++)
        if (all.by_state[i]) add(states, mcp_state_name((mcp_state)i), all.by_state[i]);
    add(calls, "calls", (double)all.calls.calls);
    add(calls, "errors", (double)all.calls.errors);
    add(calls, "timeouts", (double)all.calls.timeouts);
    add(calls, "cancelled", (double)all.calls.cancelled);
    add(calls, "fromCache", (double)all.calls.cache_hits);
    add(calls, "starts", (double)all.starts);
    add(calls, "exits", (double)all.exits);
}

cJSON *admin_status(const admin *a) {
    cJSON *o = cJSON_CreateObject(), *part;
    const engine_device *d = engine_get_device(a->engine);
    const settings *s = a->settings(a->ud);
    tiers_look_around(a->tiers, s);
    cJSON_AddStringToObject(o, "version", INLINED_VERSION);
    add(o, "pid", getpid());
    add(o, "uptimeSeconds", round((clock_ms() - a->started_ms) / 1000));
    add(o, "clients", a->clients(a->ud));
    add(o, "connections", (double)a->stats->connections);
    part = cJSON_AddObjectToObject(o, "device");
    cJSON_AddStringToObject(part, "name", d->name);
    cJSON_AddStringToObject(part, "why", d->why);
    add(part, "memory", (double)d->all_bytes);
    add(part, "freeAtStart", (double)d->free_bytes);
    add(o, "hostMemoryAvailable", (double)engine_host_memory());
    part = cJSON_AddArrayToObject(o, "tiers");
    for (model_tier t = 0; t < TIER_COUNT; t++)
        cJSON_AddItemToArray(part, tier_json(a, s, t));
    part = cJSON_AddArrayToObject(o, "models");
    for (size_t i = 0; i < tiers_count(a->tiers); i++)
        cJSON_AddItemToArray(part, model_json(a, tiers_at(a->tiers, i)));
    add_servers(o, a);
    part = cJSON_AddObjectToObject(o, "suggestions");
    add(part, "asked", (double)a->stats->asked);
    add(part, "withoutModel", (double)a->stats->cached);
    add(o, "loads", (double)a->stats->loads);
    add(o, "failedLoads", (double)a->stats->failed_loads);
    return o;
}

void admin_daemon_request(server *s, const cJSON *params, reply *r) {
    UNUSED(params);
    if (s->options.admin)
        reply_result(r, admin_status(s->options.admin));
    else
        reply_error(r, RPC_METHOD_NOT_FOUND, "there is no daemon behind this connection");
}

static status do_it(const admin *a, str what, model_tier tier, str name, err *e) {
    const settings *s = a->settings(a->ud);
    if (str_eq(what, STR("load"))) {
        (void)tiers_load(a->tiers, s, tier);
        return OK;
    }
    if (str_eq(what, STR("unload"))) {
        if (tiers_unload(a->tiers, s, tier)) return OK;
        return err_set(e, ERR_NOT_FOUND, "the %s tier has no model in memory",
                       model_tier_name(tier));
    }
    if (!str_eq(what, STR("use")))
        return err_set(e, ERR_USAGE, "action must be load, unload or use");
    char text[SETTINGS_NAME_BYTES];
    if (name.len >= sizeof text)
        return err_set(e, ERR_USAGE, "the model's name has more than %zu bytes", sizeof text - 1);
    snprintf(text, sizeof text, "%.*s", STR_ARG(name));
    status st = tiers_use(a->tiers, tier, text, e);
    if (!st) (void)tiers_load(a->tiers, s, tier);
    return st;
}

static str text_of(const cJSON *params, const char *key) {
    const cJSON *value = protocol_get(params, key);
    return cJSON_IsString(value) ? str_of(value->valuestring) : (str){"", 0};
}

/* {action, tier, model?}: the answer is the model, as inlined/daemon lists it. */
void admin_models_request(server *s, const cJSON *params, reply *r) {
    const admin *a = s->options.admin;
    model_tier tier = TIER_SMALL;
    err e = {{0}};
    status st = a ? OK : err_set(&e, ERR_NOT_FOUND, "there is no daemon behind this connection");
    if (!st && !model_tier_parse(text_of(params, "tier"), &tier))
        st = err_set(&e, ERR_USAGE, "tier must be small, medium or large");
    if (!st) st = do_it(a, text_of(params, "action"), tier, text_of(params, "model"), &e);
    if (st) {
        reply_status(r, st, &e);
        return;
    }
    reply_result(r, model_json(a, tiers_of_tier(a->tiers, a->settings(a->ud), tier)));
}
