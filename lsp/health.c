/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON object in, sentences or samples out: nothing is asked that it does not say.
 *
 * A model that is not loaded is no trouble; one that could not be loaded is.  A queue is trouble
 * when it is nearly full.  An MCP server that failed is: its owner wants to know.
 * Thread: any. */
#include "lsp/health.h"

#include "engine/base/limits.h"

static const cJSON *get(const cJSON *o, const char *key) {
    return cJSON_GetObjectItemCaseSensitive(o, key);
}

static double number(const cJSON *o, const char *key) {
    const cJSON *v = get(o, key);
    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static const char *text(const cJSON *o, const char *key) {
    const cJSON *v = get(o, key);
    return cJSON_IsString(v) ? v->valuestring : "";
}

/* ---- is it well? ----------------------------------------------------------------------------- */

static void add_check(cJSON *to, const char *name, bool ok, const char *detail) {
    cJSON *one = cJSON_CreateObject();
    cJSON_AddStringToObject(one, "name", name);
    cJSON_AddBoolToObject(one, "ok", ok);
    cJSON_AddStringToObject(one, "detail", detail);
    cJSON_AddItemToArray(to, one);
}

static void check_models(cJSON *to, const cJSON *now) {
    char detail[512] = "";
    int ready = 0, loading = 0, failed = 0;
    const cJSON *m;
    cJSON_ArrayForEach(m, get(now, "models")) {
        const char *state = text(m, "state");
        ready += !strcmp(state, "ready");
        loading += !strcmp(state, "loading");
        if (strcmp(state, "failed")) continue;
        if (!failed++) snprintf(detail, sizeof detail, "%.400s", text(m, "error"));
    }
    if (!failed) snprintf(detail, sizeof detail, "%d ready, %d loading", ready, loading);
    add_check(to, "models", !failed, detail);
}

static void check_queue(cJSON *to, const cJSON *now) {
    char detail[128];
    double waiting = 0;
    const cJSON *m;
    cJSON_ArrayForEach(m, get(now, "models")) waiting += number(m, "queue");
    snprintf(detail, sizeof detail, "%.0f jobs wait or run, of %d at most", waiting,
             LIMIT_ENGINE_JOBS);
    add_check(to, "queue", waiting < 0.9 * LIMIT_ENGINE_JOBS, detail);
}

static void check_servers(cJSON *to, const cJSON *now) {
    strbuf detail;
    strbuf_init(&detail, 1024);
    const cJSON *one, *all = get(now, "mcpServers");
    double failed = number(all, "failed") + number(all, "degraded");
    cJSON_ArrayForEach(one, all)
        strbuf_addf(&detail, "%s%d %s", detail.len ? ", " : "", one->valueint, one->string);
    if (failed > 0) strbuf_addf(&detail, "; inlined mcp doctor says why");
    add_check(to, "mcp", failed <= 0, detail.len ? detail.ptr : "no server is in use");
    strbuf_deinit(&detail);
}

cJSON *health_checks(const cJSON *now) {
    cJSON *to = cJSON_CreateArray();
    const cJSON *device = get(now, "device");
    char detail[512];
    snprintf(detail, sizeof detail, "inlined %.40s, process %.0f, up for %.0f s, %.0f clients",
             text(now, "version"), number(now, "pid"), number(now, "uptimeSeconds"),
             number(now, "clients"));
    add_check(to, "daemon", true, detail);
    snprintf(detail, sizeof detail, "%.96s: %.300s", text(device, "name"), text(device, "why"));
    add_check(to, "device", true, detail);
    check_models(to, now);
    check_queue(to, now);
    check_servers(to, now);
    return to;
}

bool health_is_ok(const cJSON *checks) {
    const cJSON *one;
    cJSON_ArrayForEach(one, checks) {
        if (!cJSON_IsTrue(get(one, "ok"))) return false;
    }
    return true;
}

/* ---- Prometheus ------------------------------------------------------------------------------ */

/* `path`: a key, or two with a dot. */
static double at_path(const cJSON *o, const char *path) {
    const char *dot = strchr(path, '.');
    char first[48];
    if (!dot) return number(o, path);
    snprintf(first, sizeof first, "%.*s", (int)(dot - path), path);
    return number(get(o, first), dot + 1);
}

typedef struct {
    const char *name, *kind, *help, *path;
    const char *label; /* one more label, or "" */
} metric;

/* clang-format off */
static const metric OF_DAEMON[] = {
    {"uptime_seconds", "gauge", "Since the daemon started.", "uptimeSeconds", ""},
    {"clients", "gauge", "Editors that are connected.", "clients", ""},
    {"connections_total", "counter", "Editors that have connected.", "connections", ""},
    {"host_memory_available_bytes", "gauge", "Main memory that is available.",
     "hostMemoryAvailable", ""},
    {"device_memory_bytes", "gauge", "Memory of the device; 0 on a CPU.", "device.memory", ""},
    {"suggestions_total", "counter", "Suggestions that were asked for.", "suggestions.asked", ""},
    {"suggestions_cached_total", "counter", "Those that needed no model.", "suggestions.withoutModel", ""},
    {"loads_total", "counter", "Models that were loaded.", "loads", ""},
    {"failed_loads_total", "counter", "Models that could not be loaded.", "failedLoads", ""},
};
static const metric OF_MODEL[] = {
    {"model_memory_bytes", "gauge", "Of a model that is loaded.", "memory.weights", "kind=\"weights\""},
    {"model_memory_bytes", "", "", "memory.context", "kind=\"context\""},
    {"model_memory_bytes", "", "", "memory.work", "kind=\"work\""},
    {"model_queue", "gauge", "Jobs that wait or run.", "queue", ""},
    {"model_sequences", "gauge", "Sequences in the cache.", "sequences", ""},
    {"model_cached_tokens", "gauge", "Tokens in the cache.", "cachedTokens", ""},
    {"model_tokens_total", "counter", "Of prompts (read, or reused from the cache) and answers.",
     "tokens.read", "kind=\"read\""},
    {"model_tokens_total", "", "", "tokens.reused", "kind=\"reused\""},
    {"model_tokens_total", "", "", "tokens.written", "kind=\"written\""},
    {"model_jobs_total", "counter", "Jobs that ended.", "jobs", ""},
    {"model_failed_jobs_total", "counter", "Jobs that failed.", "failed", ""},
    {"model_cancelled_jobs_total", "counter", "Jobs that were taken back.", "cancelled", ""},
    {"model_late_jobs_total", "counter", "Jobs whose deadline passed before their first token.",
     "late", ""},
};
/* clang-format on */

void health_add_head(strbuf *out, const char *name, const char *kind, const char *help) {
    if (kind[0])
        strbuf_addf(out, "# HELP inlined_%s %s\n# TYPE inlined_%s %s\n", name, help, name, kind);
}

void health_add_quoted(strbuf *out, const char *value) {
    strbuf_add_char(out, '"');
    for (; *value; value++) {
        if (*value == '\\' || *value == '"') strbuf_add_char(out, '\\');
        if (*value == '\n')
            strbuf_addf(out, "\\n");
        else
            strbuf_add_char(out, *value);
    }
    strbuf_add_char(out, '"');
}

static void add_of_models(strbuf *out, const cJSON *models, const metric *m) {
    const cJSON *one;
    health_add_head(out, m->name, m->kind, m->help);
    cJSON_ArrayForEach(one, models) {
        if (strcmp(text(one, "state"), "ready")) continue;
        strbuf_addf(out, "inlined_%s{model=", m->name);
        health_add_quoted(out, text(one, "name"));
        strbuf_addf(out, "%s%s} %.0f\n", m->label[0] ? "," : "", m->label, at_path(one, m->path));
    }
}

static void add_states(strbuf *out, const cJSON *now) {
    static const char *const states[] = {"absent", "loading", "ready", "failed"};
    const cJSON *one;
    health_add_head(out, "models", "gauge", "Models that are known, by state.");
    for (size_t i = 0; i < COUNTOF(states); i++) {
        int n = 0;
        cJSON_ArrayForEach(one, get(now, "models")) n += !strcmp(text(one, "state"), states[i]);
        strbuf_addf(out, "inlined_models{state=\"%s\"} %d\n", states[i], n);
    }
    health_add_head(out, "mcp_servers", "gauge", "MCP servers of all clients, by state.");
    cJSON_ArrayForEach(one, get(now, "mcpServers"))
        strbuf_addf(out, "inlined_mcp_servers{state=\"%s\"} %d\n", one->string, one->valueint);
}

void health_metrics(const cJSON *now, strbuf *out) {
    cJSON *checks = health_checks(now);
    const cJSON *one;
    health_add_head(out, "build_info", "gauge", "Always 1.");
    strbuf_addf(out, "inlined_build_info{version=");
    health_add_quoted(out, text(now, "version"));
    strbuf_addf(out, "} 1\n");
    health_add_head(out, "healthy", "gauge", "1 where nothing is wrong, by part.");
    cJSON_ArrayForEach(one, checks) strbuf_addf(out, "inlined_healthy{part=\"%s\"} %d\n",
                                                text(one, "name"), cJSON_IsTrue(get(one, "ok")));
    cJSON_Delete(checks);
    for (size_t i = 0; i < COUNTOF(OF_DAEMON); i++) {
        const metric *m = &OF_DAEMON[i];
        health_add_head(out, m->name, m->kind, m->help);
        strbuf_addf(out, "inlined_%s %.0f\n", m->name, at_path(now, m->path));
    }
    add_states(out, now);
    for (size_t i = 0; i < COUNTOF(OF_MODEL); i++)
        add_of_models(out, get(now, "models"), &OF_MODEL[i]);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void healthz(const cJSON *now, http_page *out) {
    cJSON *checks = health_checks(now);
    const cJSON *one;
    bool ok = health_is_ok(checks);
    out->code = ok ? 200 : 503;
    if (ok) strbuf_addf(&out->body, "ok\n");
    cJSON_ArrayForEach(one, checks) {
        if (!cJSON_IsTrue(get(one, "ok")))
            strbuf_addf(&out->body, "%s: %s\n", text(one, "name"), text(one, "detail"));
    }
    cJSON_Delete(checks);
}

bool health_page(const cJSON *now, str path, http_page *out) {
    if (str_eq(path, STR("/healthz"))) {
        healthz(now, out);
    } else if (str_eq(path, STR("/metrics"))) {
        out->type = "text/plain; version=0.0.4; charset=utf-8";
        health_metrics(now, &out->body);
    } else if (str_eq(path, STR("/status"))) {
        char *json = cJSON_PrintUnformatted(now);
        out->type = "application/json";
        strbuf_addf(&out->body, "%s\n", json);
        cJSON_free(json);
    } else {
        return false;
    }
    return true;
}
