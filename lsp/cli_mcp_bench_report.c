/* SPDX-License-Identifier: Apache-2.0 */
/* The results of `inlined mcp bench`: judged by history, as a table, as JSON, as a picture.
 * The history is {HASH: [[seconds, start ms, p95 us], ...]}, at most RUNS_MAX each.
 * Pure.  Thread: any. */
#include <stdlib.h>

#include "lsp/cli_mcp_bench.h"

#define RUNS_MAX 50
#define WEEK_S (7 * 86400.0)
#define SLOW_START_MS 2000.0
#define SLOW_TIMES 3.0 /* the own median */
#define HISTORY_MIN 3
#define ROW 22 /* of the picture */

/* ---- history --------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of one column within the last week; 0: too few. */
static double median_of(const cJSON *runs, int column, double now_s) {
    double values[RUNS_MAX];
    size_t n = 0;
    const cJSON *run;
    cJSON_ArrayForEach(run, runs) {
        const cJSON *when = cJSON_GetArrayItem(run, 0), *v = cJSON_GetArrayItem(run, column);
        bool good = cJSON_IsNumber(when) && cJSON_IsNumber(v) && v->valuedouble > 0 &&
                    when->valuedouble > now_s - WEEK_S;
        if (good && n < RUNS_MAX) values[n++] = v->valuedouble;
    }
    if (n < HISTORY_MIN) return 0;
    qsort(values, n, sizeof *values, by_size);
    return values[n / 2];
}

static void judge(mcp_bench_server *s, const cJSON *runs, double now_s) {
    double start = median_of(runs, 1, now_s), call = median_of(runs, 2, now_s);
    if (start > 0 && s->start_ms > SLOW_TIMES * start)
        snprintf(s->slow, sizeof s->slow, "its start took %.0f ms, its median is %.0f ms",
                 s->start_ms, start);
    else if (call > 0 && s->p95_us > SLOW_TIMES * call)
        snprintf(s->slow, sizeof s->slow, "its calls took %.2f ms (p95), its median is %.2f ms",
                 s->p95_us / 1000, call / 1000);
    else if (s->start_ms > SLOW_START_MS)
        snprintf(s->slow, sizeof s->slow, "its start took %.1f s", s->start_ms / 1000);
}

void mcp_bench_judge(mcp_bench_server *servers, size_t n, cJSON *root, double now_s) {
    for (size_t i = 0; i < n; i++) {
        mcp_bench_server *s = &servers[i];
        if (s->start_ms <= 0) continue;
        cJSON *runs = cJSON_GetObjectItemCaseSensitive(root, s->hash);
        if (!cJSON_IsArray(runs)) {
            cJSON_DeleteItemFromObjectCaseSensitive(root, s->hash);
            runs = cJSON_AddArrayToObject(root, s->hash);
        }
        judge(s, runs, now_s);
        const double run[] = {now_s, s->start_ms, s->p95_us};
        cJSON_AddItemToArray(runs, cJSON_CreateDoubleArray(run, (int)COUNTOF(run)));
        while (cJSON_GetArraySize(runs) > RUNS_MAX)
            cJSON_DeleteItemFromArray(runs, 0);
    }
}

/* ---- table ----------------------------------------------------------------------------------- */

static double slowest(const mcp_bench_server *servers, size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = MAX(most, servers[i].start_ms);
    return most;
}

void mcp_bench_table(strbuf *out, const mcp_bench_server *servers, size_t n, double together_ms) {
    strbuf_addf(out, "%-16s %9s %6s %9s %9s %9s %11s %9s %8s %4s\n", "NAME", "START", "TOOLS",
                "P50", "P95", "P99", "P95 OF 32", "CALLS/S", "MEMORY", "ERR");
    for (size_t i = 0; i < n; i++) {
        const mcp_bench_server *s = &servers[i];
        if (s->start_ms <= 0) {
            strbuf_addf(out, "%-16.16s %9s %s\n", s->name, "-", s->why);
            continue;
        }
        strbuf_addf(out, "%-16.16s %7.0fms %6zu", s->name, s->start_ms, s->tools);
        if (s->p50_us > 0)
            strbuf_addf(out, " %7.2fms %7.2fms %7.2fms %9.2fms %9.0f", s->p50_us / 1000,
                        s->p95_us / 1000, s->p99_us / 1000, s->many_p95_us / 1000, s->many_per_s);
        else
            strbuf_addf(out, " %9s %9s %9s %11s %9s", "-", "-", "-", "-", "-");
        strbuf_addf(out, " %5.0fMiB %4d\n", s->memory / 1048576, s->errors);
    }
    for (size_t i = 0; i < n; i++)
        if (*servers[i].slow)
            strbuf_addf(out, "  ! %s is slow: %s\n", servers[i].name, servers[i].slow);
    if (together_ms > 0 && n > 1)
        strbuf_addf(out, "all at once: ready after %.0f ms; the slowest alone: %.0f ms\n",
                    together_ms, slowest(servers, n));
}

cJSON *mcp_bench_json(const mcp_bench_server *servers, size_t n, double together_ms) {
    cJSON *root = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(root, "servers");
    cJSON_AddNumberToObject(root, "together_ms", together_ms);
    cJSON_AddNumberToObject(root, "slowest_ms", slowest(servers, n));
    for (size_t i = 0; i < n; i++) {
        const mcp_bench_server *s = &servers[i];
        cJSON *o = cJSON_CreateObject();
        const struct {
            const char *name;
            double value;
        } numbers[] = {{"start_ms", s->start_ms},      {"tools", (double)s->tools},
                       {"p50_us", s->p50_us},          {"p95_us", s->p95_us},
                       {"p99_us", s->p99_us},          {"in_flight_p95_us", s->many_p95_us},
                       {"calls_per_s", s->many_per_s}, {"memory_bytes", s->memory},
                       {"errors", s->errors}};
        cJSON_AddStringToObject(o, "name", s->name);
        for (size_t k = 0; k < COUNTOF(numbers); k++)
            cJSON_AddNumberToObject(o, numbers[k].name, numbers[k].value);
        if (*s->why) cJSON_AddStringToObject(o, "why", s->why);
        if (*s->slow) cJSON_AddStringToObject(o, "slow", s->slow);
        cJSON_AddItemToArray(list, o);
    }
    return root;
}

/* ---- picture --------------------------------------------------------------------------------- */

static void add_escaped(strbuf *out, const char *text) {
    for (; *text; text++) {
        if (*text == '<')
            strbuf_addf(out, "&lt;");
        else if (*text == '&')
            strbuf_addf(out, "&amp;");
        else
            strbuf_add_char(out, *text);
    }
}

/* One field of bars with its own scale; light: the 95th percentile behind the median. */
static void add_field(strbuf *out, int x, const char *title, const mcp_bench_server *servers,
                      size_t n, bool calls) {
    double most = 1e-9;
    for (size_t i = 0; i < n; i++)
        most = MAX(most, calls ? servers[i].p95_us / 1000 : servers[i].start_ms);
    strbuf_addf(out, "<text x=\"%d\" y=\"20\">%s</text>\n", x, title);
    for (size_t i = 0; i < n; i++) {
        const mcp_bench_server *s = &servers[i];
        double y = 34.0 + (double)i * ROW, one = calls ? s->p50_us / 1000 : s->start_ms;
        double two = calls ? s->p95_us / 1000 : 0;
        strbuf_addf(out,
                    "<rect x=\"%d\" y=\"%.0f\" width=\"%.1f\" height=\"14\" fill=\"#bee3f8\"/>\n"
                    "<rect x=\"%d\" y=\"%.0f\" width=\"%.1f\" height=\"14\" fill=\"#2b6cb0\"/>\n",
                    x, y, two / most * 200, x, y, one / most * 200);
        strbuf_addf(out, "<text x=\"%.1f\" y=\"%.0f\">%.*f</text>\n",
                    x + MAX(one, two) / most * 200 + 5, y + 12, calls ? 2 : 0, one);
    }
}

void mcp_bench_plot(strbuf *out, const mcp_bench_server *servers, size_t n) {
    strbuf_addf(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"%zu\" "
                "font-family=\"sans-serif\" font-size=\"12\" fill=\"#1a202c\">\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
                50 + n * ROW);
    for (size_t i = 0; i < n; i++) {
        strbuf_addf(out, "<text x=\"130\" y=\"%zu\" text-anchor=\"end\">", 46 + i * ROW);
        add_escaped(out, servers[i].name);
        strbuf_addf(out, "</text>\n");
    }
    add_field(out, 140, "start, ms", servers, n, false);
    add_field(out, 430, "call, ms: median, and 95 % behind it", servers, n, true);
    strbuf_addf(out, "</svg>\n");
}
