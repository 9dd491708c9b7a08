/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* lsp/tools.h without a process: two tools of a server "demo", of which each call asks a person and
 * then waits until the test says what came of it. */
#include "lsp/tools.h"

typedef struct server server;

/* Questions go to this connection's person. */
void fake_tools_connect(tools *t, server *s);
/* From now on there are two more, which may be called without asking. */
void fake_tools_trust(tools *t);
size_t fake_tools_waiting(const tools *t);    /* calls that were allowed and have no end */
size_t fake_tools_calls(const tools *t);      /* those, and those that a person is asked about */
uint32_t fake_tools_deadline(const tools *t); /* that the last one was given */
/* Ends the oldest of these. */
void fake_tools_answer(tools *t, mcp_outcome outcome, const char *text);
/* The same for the n-th. */
void fake_tools_answer_nth(tools *t, size_t n, mcp_outcome outcome, const char *text);
