/* SPDX-License-Identifier: Apache-2.0 */
/* Rows by name, and a table of what is said of each.  Thread: any. */
#include "lsp/health_servers.h"

#include <stddef.h>

#include "engine/base/utf8.h"
#include "lsp/health.h"

#define NAME_BYTES 64
#define OTHERS "(others)"

/* ---- rows ------------------------------------------------------------------------------------ */

static health_server *row_of(health_servers *to, const char *name) {
    char cut[sizeof to->all[0].name];
    str short_name = str_sub(str_of(name), 0, NAME_BYTES);
    short_name.len = utf8_complete_prefix(short_name);
    snprintf(cut, sizeof cut, "%.*s", STR_ARG(short_name));
    for (size_t i = 0; i < to->count; i++)
        if (!strcmp(to->all[i].name, cut)) return &to->all[i];
    if (to->count > LIMIT_METRICS_SERVERS) return &to->all[LIMIT_METRICS_SERVERS];
    health_server *row = &to->all[to->count++];
    snprintf(row->name, sizeof row->name, "%s", to->count > LIMIT_METRICS_SERVERS ? OTHERS : cut);
    return row;
}

void health_servers_add(health_servers *to, const mcp_server_info *info) {
    health_server *row = row_of(to, info->name);
    row->by_state[info->state]++;
    row->starts += info->starts;
    row->exits += info->exits;
    mcp_numbers_add(&row->numbers, &info->numbers);
}

/* ---- Prometheus ------------------------------------------------------------------------------ */

/* clang-format off */
static const struct {
    const char *name, *help;
    size_t at; /* of a uint64_t in the row */
} COUNTERS[] = {
    {"mcp_calls_total", "Calls that ended, however.", offsetof(health_server, numbers.calls)},
    {"mcp_errors_total", "Those that failed, time-outs included.",
     offsetof(health_server, numbers.errors)},
    {"mcp_timeouts_total", "Those that were not answered in time.",
     offsetof(health_server, numbers.timeouts)},
    {"mcp_cancelled_total", "Those that were taken back.",
     offsetof(health_server, numbers.cancelled)},
    {"mcp_cached_total", "Look-ups that were answered from the cache.",
     offsetof(health_server, numbers.cache_hits)},
    {"mcp_starts_total", "How often it was started.", offsetof(health_server, starts)},
    {"mcp_exits_total", "How often it ended by itself.", offsetof(health_server, exits)},
};
/* clang-format on */

static void add_name(strbuf *out, const char *metric, const health_server *row) {
    strbuf_addf(out, "inlined_%s{server=", metric);
    health_add_quoted(out, row->name);
}

static void add_states(const health_servers *s, strbuf *out) {
    health_add_head(out, "mcp_server_state", "gauge", "Servers of this name, by state.");
    for (size_t i = 0; i < s->count; i++) {
        for (int k = 0; k < MCP_STATES; k++) {
            add_name(out, "mcp_server_state", &s->all[i]);
            strbuf_addf(out, ",state=\"%s\"} %d\n", mcp_state_name((mcp_state)k),
                        s->all[i].by_state[k]);
        }
    }
}

static void add_times(const health_server *row, strbuf *out) {
    uint64_t n = 0;
    for (size_t i = 0; i <= MCP_TIME_BUCKETS; i++) {
        n += row->numbers.took[i];
        add_name(out, "mcp_call_seconds_bucket", row);
        if (i < MCP_TIME_BUCKETS)
            strbuf_addf(out, ",le=\"%g\"} %llu\n", MCP_TIME_MS[i] / 1000.0, (unsigned long long)n);
        else
            strbuf_addf(out, ",le=\"+Inf\"} %llu\n", (unsigned long long)n);
    }
    add_name(out, "mcp_call_seconds_sum", row);
    strbuf_addf(out, "} %.6f\n", (double)row->numbers.took_us / 1e6);
    add_name(out, "mcp_call_seconds_count", row);
    strbuf_addf(out, "} %llu\n", (unsigned long long)n);
}

void health_servers_metrics(const health_servers *s, strbuf *out) {
    if (!s->count) return;
    add_states(s, out);
    for (size_t m = 0; m < COUNTOF(COUNTERS); m++) {
        health_add_head(out, COUNTERS[m].name, "counter", COUNTERS[m].help);
        for (size_t i = 0; i < s->count; i++) {
            uint64_t value;
            memcpy(&value, (const char *)&s->all[i] + COUNTERS[m].at, sizeof value);
            add_name(out, COUNTERS[m].name, &s->all[i]);
            strbuf_addf(out, "} %llu\n", (unsigned long long)value);
        }
    }
    health_add_head(out, "mcp_call_seconds", "histogram", "Calls that were answered, by time.");
    for (size_t i = 0; i < s->count; i++)
        add_times(&s->all[i], out);
}
