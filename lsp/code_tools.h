/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The built-in tools that ask what we know of the code: find_symbol, list_symbols and diagnostics
 * (mcp/own.h), from the symbol index and, where there is an editor, from its documents.
 * Thread: loop. */
#include "context/symbols.h"
#include "mcp/own.h"

typedef struct server server;

typedef struct {
    symbols *symbols; /* NULL: there is no index */
    uint64_t client;  /* to the index */
    const str *roots; /* absolute; the first is the workspace */
    size_t n_roots;
    const server *server; /* NULL: there are no documents */
} code_view;

/* As own_code. */
bool code_tools_answer(const code_view *v, const own_code_request *q, strbuf *out, bool *busy);
/* The same for a connection. */
bool code_tools_ask(const server *s, const own_code_request *q, strbuf *out, bool *busy);
