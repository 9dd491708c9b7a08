/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of `inlined bench` share: the figures, the machine's own, and their picture. */
#include "engine/base/status.h"
#include "engine/base/str.h"

#define BENCH_DEPTHS 4

/* At one depth of the cache.  Rates are tokens per second, medians over the runs. */
typedef struct {
    int depth;
    double prefill, decode;
    double first_ms; /* from the order to the first token, BENCH_PREFILL new tokens */
    double key_ms;   /* the same with one new token */
} bench_point;

/* cli_bench_memory.c.  Bytes per second at which `threads` threads together read `bytes` of memory,
 * the best of a few passes; 0 when the memory cannot be had.  Blocks for about a second. */
double bench_bandwidth(int threads, size_t bytes);
/* The most memory that this process has had, in bytes; 0: unknown. */
double bench_peak_memory(void);

/* cli_bench_plot.c: a picture of the points as SVG; `title` is plain text.  Pure. */
void bench_plot(strbuf *out, const char *title, const bench_point *points, int n);
