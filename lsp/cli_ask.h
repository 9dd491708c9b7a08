/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* For the files of `inlined ask | explain | review | edit`: an editor with one document that talks
 * to a language server in a process of its own.  Thread: main; blocks. */
#include "lsp/cli.h"
#include "mcp/rpc.h"

typedef struct {
    const cli_args *args;
    char *uri;
    strbuf text;     /* of the document; changed by workspace/applyEdit */
    cJSON *edits;    /* that were applied: [{range, newText}] */
    cJSON *findings; /* diagnostics of source "inlined" */
    rpc *rpc;
    int to, from; /* the child's stdin, stdout */
    int64_t pid;
    bool done;
    cJSON *result; /* of the command; NULL: it failed */
    err error;
} ask_editor;

/* Reads the file, starts the server and says hello. */
status ask_open(ask_editor *a, const cli_args *args, str path, err *e) MUST_USE;
/* Runs a command of workspace/executeCommand (`argument` is taken) to its end. */
status ask_command(ask_editor *a, const char *command, cJSON *argument, err *e) MUST_USE;
/* Ends the server; accepts one that never opened. */
void ask_close(ask_editor *a);
