/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of `inlined bench` share: the figures, the machine's own, and their picture. */
#include "engine/base/status.h"
#include "engine/base/str.h"
#include "lsp/cli_engine.h"

#define BENCH_DEPTHS 4

/* At one depth of the cache.  Rates are tokens per second, medians over the runs. */
typedef struct {
    int depth;
    double prefill, decode;
    double first_ms; /* from the order to the first token, BENCH_PREFILL new tokens */
    double key_ms;   /* the same with one new token */
} bench_point;

/* cli_bench.c: one model that is loaded, with an empty cache. */
status bench_measure_one(const cli_args *a, cli_engine *c, bench_point *out, err *e) MUST_USE;
status bench_write_plot(const char *path, str svg, err *e) MUST_USE;

/* cli_bench_matrix.c: the models of `st`'s tiers, or the operands. */
status bench_matrix(const cli_args *a, const settings *st, err *e) MUST_USE;

/* cli_bench_memory.c.  Bytes per second at which `threads` threads together read `bytes` of memory,
 * the best of a few passes; 0 when the memory cannot be had.  Blocks for about a second. */
double bench_bandwidth(int threads, size_t bytes);
/* The most memory that this process has had, in bytes; 0: unknown. */
double bench_peak_memory(void);

/* cli_bench_plot.c: a picture of the points as SVG; `title` is plain text.  Pure. */
void bench_plot(strbuf *out, const char *title, const bench_point *points, int n);

#define BENCH_BARS_MAX 32
typedef struct {
    char label[80];
    double values[3]; /* decode in tokens/s, first token in ms, memory in MB */
} bench_bar;
typedef struct {
    bench_bar at[BENCH_BARS_MAX];
    int n;
} bench_bars;
/* A row for each, three fields beside one another, each with its own scale.  Pure. */
void bench_plot_bars(strbuf *out, const bench_bars *bars);
