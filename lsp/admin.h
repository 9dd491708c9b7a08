/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What people ask of the daemon as a whole, by `inlined status` and `inlined models`, or by any
 * client: inlined/daemon (what it does), inlined/models (load, unload, use).  Thread: loop. */
#include <cjson/cJSON.h>

#include "lsp/reply.h"
#include "lsp/stats.h"
#include "lsp/tiers.h"
#include "mcp/mcp.h"

/* The MCP servers of all clients together, without the built-in ones; their calls with them. */
typedef struct {
    int by_state[MCP_STATES];
    uint64_t starts, exits;
    mcp_numbers calls; /* its counts; times are each server's own */
} admin_servers;

/* One per daemon; all borrowed. */
typedef struct admin {
    engine *engine;
    tiers *tiers;
    stats *stats;
    double started_ms;
    void *ud;
    /* The settings of the editor that came last, or the daemon's own: whose tiers are meant. */
    const settings *(*settings)(void *ud);
    int (*clients)(void *ud);
    /* Adds the clients' MCP servers to `out`, which starts as zeros. */
    void (*servers)(void *ud, admin_servers *out);
} admin;

cJSON *admin_status(const admin *a);

typedef struct server server;
void admin_daemon_request(server *s, const cJSON *params, reply *r);
void admin_models_request(server *s, const cJSON *params, reply *r);
