/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* MCP servers in /metrics, one by one: numbers of all clients' servers with one name are added up.
 * A counter falls when an editor leaves, because its servers go with it.  Thread: any. */
#include "engine/base/limits.h"
#include "mcp/mcp.h"

typedef struct {
    char name[72]; /* cut to 64 bytes */
    int by_state[MCP_STATES];
    uint64_t starts, exits;
    mcp_numbers numbers; /* without the quantiles, which cannot be added */
} health_server;

/* Zeroed at first.  Names beyond LIMIT_METRICS_SERVERS are counted together as "(others)". */
typedef struct {
    health_server all[LIMIT_METRICS_SERVERS + 1];
    size_t count;
} health_servers;

void health_servers_add(health_servers *to, const mcp_server_info *info);
/* Prometheus' text format. */
void health_servers_metrics(const health_servers *s, strbuf *out);
