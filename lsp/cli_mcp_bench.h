/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of `inlined mcp bench` share. */
#include <cjson/cJSON.h>

#include "engine/base/str.h"

typedef struct {
    char *name;     /* owned */
    char hash[65];  /* of its definition: whose history it is */
    char why[256];  /* it did not start; "" */
    char slow[256]; /* a sentence; "": it is not slow */
    size_t tools;
    double start_ms;                /* alone, until its lists are read; 0: it did not start */
    double p50_us, p95_us, p99_us;  /* from the order to the answer, one after the other; 0: none */
    double many_p95_us, many_per_s; /* with many calls in flight */
    double memory;                  /* bytes, its whole process group */
    int errors;
} mcp_bench_server;

/* Judges each server by its earlier results in `root`, then adds these to them.  A start is slow
 * over 2 s or three times its median of the last seven days, calls over three times theirs; fewer
 * than three earlier results are no history. */
void mcp_bench_judge(mcp_bench_server *servers, size_t n, cJSON *root, double now_s);
/* A table; `together_ms`: until all were ready that were started at once. */
void mcp_bench_table(strbuf *out, const mcp_bench_server *servers, size_t n, double together_ms);
cJSON *mcp_bench_json(const mcp_bench_server *servers, size_t n, double together_ms);
/* Bars of starts and calls as SVG. */
void mcp_bench_plot(strbuf *out, const mcp_bench_server *servers, size_t n);
