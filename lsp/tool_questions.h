/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What MCP servers need a person for, as messages of the editor: may a project's server start, may
 * a tool be called, and what is wrong in their configuration files.  Thread: loop. */
#include "mcp/mcp.h"

typedef struct server server;

/* Shows window/showMessageRequest; the answer goes to tools_decide.  What an editor has no box for
 * (a form with fields to fill in, a text of our model) is declined. */
void tool_questions_ask(server *s, const mcp_question *q);
/* Publishes what is wrong as diagnostics of those files, and takes back what is right again. */
void tool_questions_show_notes(server *s, const mcp_config *config);
/* inlined/tools: the servers with their state, and the tools that are ready.  Starts what may
 * start, and asks about the rest. */
struct reply;
void tool_questions_request(server *s, const cJSON *params, struct reply *r);
/* inlined/tools/restart: by hand, also out of FAILED. */
void tool_questions_restart(server *s, const cJSON *params, struct reply *r);
/* The connection ends. */
void tool_questions_deinit(server *s);
