/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the `mcp` commands share: a host on a loop of its own, for as long as one command. */
#include "lsp/cli.h"
#include "lsp/loop.h"
#include "mcp/mcp.h"

typedef struct mcp_run mcp_run;
struct mcp_run {
    const cli_args *args;
    loop loop;
    mcp_host *host;
    mcp_config config; /* the notes; the servers went to the host */
    loop_signal interrupt;
    bool closing, interrupted;
    bool begun;       /* all that are meant were started: one that fails at once settles nothing */
    const char *only; /* the one server that is meant; NULL: all */
    /* Called when no server is on its way up any more; again after each change then. */
    void (*settled)(mcp_run *r);
    bool told;
    void (*changed)(mcp_run *r);                    /* after each change of a server; or NULL */
    void (*ask)(mcp_run *r, const mcp_question *q); /* NULL: nobody is asked */
    void *ud;
};

/* Reads the configuration and makes the host.  ERR_USAGE: `only` is not configured. */
status mcp_run_open(mcp_run *r, const cli_args *a, const char *only, err *e) MUST_USE;
/* The same; `ask` is told what the host asks. */
status mcp_run_open_asking(mcp_run *r, const cli_args *a, const char *only,
                           void (*ask)(mcp_run *r, const mcp_question *q), err *e) MUST_USE;
/* Appends which tools of a server are quarantined and what has changed in them. */
void mcp_run_changes(mcp_run *r, const char *server, strbuf *out);
/* A tool that says of itself that it only reads, and closed things, and wants no arguments. */
const mcp_tool *mcp_run_harmless(mcp_run *r, const char *server);
/* The tool whose one call shows that a server works, and the call's arguments (the caller's; NULL:
 * none).  It changes nothing.  NULL: none is known. */
const char *mcp_run_probe(mcp_run *r, const char *server, cJSON **arguments);
const char *mcp_run_scope(mcp_scope s); /* "user", ... */
/* Starts the servers that are meant and may start, runs the loop until mcp_run_end, closes. */
void mcp_run_servers(mcp_run *r);
void mcp_run_end(mcp_run *r);
void mcp_run_close(mcp_run *r);

status cli_mcp_bench(const cli_args *a, err *e) MUST_USE;  /* cli_mcp_bench.c */
status cli_mcp_login(const cli_args *a, err *e) MUST_USE;  /* cli_mcp_login.c */
status cli_mcp_export(const cli_args *a, err *e) MUST_USE; /* cli_mcp_export.c */
/* cli_mcp_doctor.c; *code is set as it says there.  `timed`: calls are made for their times. */
status cli_mcp_doctor(const cli_args *a, bool timed, int *code, err *e) MUST_USE;
status cli_mcp_serve(const cli_args *a, err *e) MUST_USE; /* cli_mcp_serve.c */
