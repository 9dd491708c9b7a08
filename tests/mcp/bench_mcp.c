/* SPDX-License-Identifier: Apache-2.0 */
/* What the host adds to a call: bench_mcp [N].  The same server (hostile_server without a mode, in
 * C) is called N times one after the other, first by blocking reads and writes on its pipes, then
 * through the host; one line of JSON has both medians and what lies between.  A second line: how
 * long a kept result takes while another call hangs, and how long eight servers take to start that
 * each need 300 ms for it. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "tests/mcp/host_driver.h"

static int by_time(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, int n, double part) {
    return sorted[MIN((int)(part * n), n - 1)];
}

/* Microseconds of N round trips over bare pipes. */
static void bare(double *us, int n) {
    int in[2], out[2];
    if (pipe(in) || pipe(out)) _exit(1);
    pid_t child = fork();
    if (child == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        execl(HOSTILE_SERVER, HOSTILE_SERVER, "", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    static const char request[] =
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\","
        "\"arguments\":{},\"_meta\":{\"progressToken\":7}}}\n";
    char answer[4096];
    for (int i = 0; i < n; i++) {
        uint64_t before = clock_us();
        ssize_t sent = write(in[1], request, sizeof request - 1), back = 0;
        while (sent > 0 && (back <= 0 || answer[back - 1] != '\n'))
            back = read(out[0], answer, sizeof answer);
        us[i] = (double)(clock_us() - before);
    }
    close(in[1]);
    close(out[0]);
    waitpid(child, NULL, 0);
}

/* Microseconds of look-ups that are kept, while another call hangs. */
static void kept(double *us, int n) {
    driver d;
    driver_open(&d, false);
    mcp_definition *both[] = {hostile(""), hostile("never")};
    both[0]->trusted = true;
    driver_configure(&d, both, COUNTOF(both));
    const mcp_order look = {.server = "good", .name = "look", .approved = true};
    got g, hangs;
    driver_call(&d, "never", "echo", &hangs);
    driver_order(&d, &look, &g);
    driver_wait(&d, &g, 1, 8000);
    for (int i = 0; i < n; i++) {
        uint64_t before = clock_us();
        driver_order(&d, &look, &g);
        while (!g.ended)
            uv_run(&d.loop, UV_RUN_ONCE);
        us[i] = (double)(clock_us() - before);
        if (!g.cached || hangs.ended) {
            fprintf(stderr, "it was not answered from what is kept\n");
            _exit(1);
        }
    }
    driver_close(&d);
}

/* Milliseconds until `n` servers are ready that sleep for 300 ms first. */
static double together(size_t n) {
    static const char *const names[] = {"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"};
    driver d;
    driver_open(&d, false);
    mcp_definition *all[COUNTOF(names)];
    for (size_t i = 0; i < n; i++) {
        all[i] = mcp_definition_new(names[i]);
        all[i]->command = "sh";
        vec_push(&all[i]->args, "-c");
        vec_push(&all[i]->args, "sleep 0.3; exec " HOSTILE_SERVER " ''");
        all[i]->scope = MCP_USER;
    }
    driver_configure(&d, all, n);
    double before = clock_ms();
    for (size_t i = 0; i < n; i++)
        mcp_server_start(d.host, names[i]);
    for (size_t i = 0; i < n; i++)
        while (driver_info(&d, names[i]).state != MCP_READY)
            uv_run(&d.loop, UV_RUN_ONCE);
    double ms = clock_ms() - before;
    driver_close(&d);
    return ms;
}

int main(int argc, char **argv) {
    int64_t n = 2000;
    if (argc > 1 && (!str_to_i64(str_of(argv[1]), &n) || n < 1 || n > 1000000)) return 2;
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_ERROR);
    double *raw = xcalloc((size_t)n, sizeof *raw), *ours = xcalloc((size_t)n, sizeof *ours);
    bare(raw, (int)n);
    driver d;
    driver_open(&d, false);
    mcp_definition *s = hostile("");
    driver_configure(&d, &s, 1);
    for (int64_t i = -20; i < n; i++) {
        got g;
        uint64_t before = clock_us();
        driver_call(&d, "good", "echo", &g);
        while (!g.ended)
            uv_run(&d.loop, UV_RUN_ONCE);
        if (i >= 0) ours[i] = (double)(clock_us() - before);
    }
    driver_close(&d);
    qsort(raw, (size_t)n, sizeof *raw, by_time);
    qsort(ours, (size_t)n, sizeof *ours, by_time);
    double p50[2] = {quantile(raw, (int)n, 0.5), quantile(ours, (int)n, 0.5)};
    double p95[2] = {quantile(raw, (int)n, 0.95), quantile(ours, (int)n, 0.95)};
    printf("{\"calls\":%lld,\"pipes_us\":{\"p50\":%.0f,\"p95\":%.0f},\"host_us\":{\"p50\":%.0f,"
           "\"p95\":%.0f},\"added_us\":{\"p50\":%.0f,\"p95\":%.0f}}\n",
           (long long)n, p50[0], p95[0], p50[1], p95[1], p50[1] - p50[0], p95[1] - p95[0]);
    kept(raw, (int)n);
    qsort(raw, (size_t)n, sizeof *raw, by_time);
    double one = together(1), eight = together(8);
    printf("{\"kept_us\":{\"p50\":%.0f,\"p99\":%.0f},\"start_one_ms\":%.0f,"
           "\"start_eight_ms\":%.0f,\"ratio\":%.2f}\n",
           quantile(raw, (int)n, 0.5), quantile(raw, (int)n, 0.99), one, eight, eight / one);
    xfree(raw);
    xfree(ours);
    return 0;
}
