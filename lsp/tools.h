/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The MCP servers of one connection, as tools for the model.
 *
 * Each connection has a host of its own (mcp/mcp.h), so that trust, approvals and processes of one
 * editor are nobody else's.  It comes to life with the first look at it, and servers with the first
 * look at their tools; a project's server waits until its command has been approved.  Files are
 * looked at every few seconds; one that became unreadable changes nothing but its diagnostic.
 *
 * A tool's name for the model is SERVER__TOOL.  Thread: loop.  Only small local files block.
 */
#include <uv.h>

#include "lsp/agent.h"
#include "lsp/settings.h"
#include "mcp/mcp.h"

typedef struct tools tools;

typedef struct {
    void *ud;
    /* A person must decide: tools_decide, now or later.  NULL: everything is denied. */
    void (*ask)(void *ud, const mcp_question *q);
    /* A server's state or catalogue has changed.  May be NULL. */
    void (*changed)(void *ud);
    /* The files were read again; what is wrong in them.  May be NULL. */
    void (*read)(void *ud, const mcp_config *config);
    /* For the built-in tools: what is asked about the code, and what nobody may be shown. */
    own_code *code;
    own_privacy privacy;
} tools_hooks;

tools *tools_new(uv_loop_t *loop, const tools_hooks *hooks);
/* Ends calls without calling their `done`, stops servers; `closed` comes from the loop. */
void tools_close(tools *t, void (*closed)(void *ud), void *ud);

/* Folder (absolute; "": none), whether there are tools at all, and whether the built-in ones, which
 * need a folder; `usual` (copied) are patterns of the built-in tools that are not spare, see
 * agent_tool.  Nothing is read before it is needed. */
void tools_configure(tools *t, const char *workspace, bool enabled, bool built_in,
                     const settings_list *usual);
/* Looks whether files have changed; call every few seconds. */
void tools_tick(tools *t);

/* Starts what is idle and may start, and asks about what may not yet.  Each server is asked about
 * once, and again when the folder has changed. */
void tools_wake(tools *t);
/* True while the built-in tools are about to be there, some turns of the loop after tools_wake:
 * then `changed` is called. */
bool tools_are_starting(const tools *t);

/* What is ready now, in a fixed order; texts live until the loop turns.  Quarantined ones are left
 * out.  Returns how many were written. */
size_t tools_list(tools *t, agent_tool *out, size_t max);
/* Starts a call and returns its number; `done` comes exactly once, from the loop, unless
 * tools_cancel comes first.  `order` has no server: its name is one of tools_list.  One that no
 * server has is answered, too. */
uint64_t tools_call(tools *t, const mcp_order *order, mcp_done done, void *ud);
void tools_cancel(tools *t, uint64_t call);
void tools_decide(tools *t, uint64_t question, mcp_decision d, const cJSON *content);

/* For the status: NULL while nothing was needed. */
mcp_host *tools_host(tools *t);
/* The name of a server that has been starting for LIMIT_MCP_SHOW_START_MS or longer, until the loop
 * turns; NULL: there is none. */
const char *tools_slow_start(const tools *t);
