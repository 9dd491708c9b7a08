/* SPDX-License-Identifier: Apache-2.0 */
/* inlined mcp bench [SERVER]: how fast the configured servers are, and which of them got slow.
 *
 * One after the other each server is started alone, asked SERIAL times, then IN_FLIGHT times at
 * once; at the end all are started together.  Calls go to a tool that says of itself that it only
 * reads closed things and needs no arguments; a server without one is only started.  Results are
 * kept, and a server is called slow by its own history.  Thread: main. */
#include "lsp/cli_mcp_bench.h"

#include <dirent.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "lsp/cli_mcp.h"
#include "lsp/cli_term.h"
#include "mcp/state_file.h"

#define SERIAL 200
#define IN_FLIGHT 32
#define ROUNDS 320    /* calls, IN_FLIGHT at once */
#define CALL_MS 10000 /* for one call */

typedef enum { DO_START, DO_SERIAL, DO_MANY, DO_STOP, DO_ALL, DO_END } phase;

typedef struct {
    mcp_run run;
    mcp_bench_server *servers;
    size_t n, at; /* at: the server in hand */
    phase phase;
    double times[ROUNDS]; /* of the calls of this phase, us */
    int asked, answered;
    char *tool;
    double began_ms, all_ms; /* all_ms: until all were ready that were started together */
    uv_timer_t next;
} bench;

static void turn(bench *b);

static void on_next(uv_timer_t *t) {
    turn(t->data);
}

/* Not from inside an answer or a change of state. */
static void soon(bench *b) {
    uv_timer_start(&b->next, on_next, 0, 0);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, int n, double part) {
    return n ? sorted[MIN((int)(part * n), n - 1)] : 0;
}

/* ---- calls ----------------------------------------------------------------------------------- */

typedef struct {
    bench *bench;
    double sent_us;
} one_call;

static void ask_more(bench *b);

static void on_answer(void *ud, const mcp_answer *a) {
    one_call *c = ud;
    bench *b = c->bench;
    double us = (double)clock_us() - c->sent_us;
    xfree(c);
    if (b->run.closing) return;
    b->servers[b->at].errors += a->outcome != MCP_OK && a->outcome != MCP_TOOL_ERROR;
    if (b->answered < ROUNDS) b->times[b->answered++] = us;
    ask_more(b);
}

/* As many as belong to this phase at once; after the last answer comes the next phase. */
static void ask_more(bench *b) {
    int all = b->phase == DO_SERIAL ? SERIAL : ROUNDS, most = b->phase == DO_SERIAL ? 1 : IN_FLIGHT;
    while (b->asked < all && b->asked - b->answered < most) {
        one_call *c = xcalloc(1, sizeof *c);
        /* Equal look-ups would be joined: each one has an argument of its own. */
        cJSON *arguments = cJSON_CreateObject();
        if (b->phase == DO_MANY) cJSON_AddNumberToObject(arguments, "_n", b->asked);
        b->asked++;
        *c = (one_call){b, (double)clock_us()};
        mcp_call(b->run.host,
                 &(mcp_order){.server = b->servers[b->at].name,
                              .name = b->tool,
                              .arguments = arguments,
                              .purpose = MCP_FOR_USER,
                              .idle_ms = CALL_MS,
                              .total_ms = CALL_MS,
                              .approved = true},
                 on_answer, c);
        cJSON_Delete(arguments);
    }
    if (b->answered >= all) soon(b);
}

static void take_times(bench *b) {
    mcp_bench_server *s = &b->servers[b->at];
    qsort(b->times, (size_t)b->answered, sizeof *b->times, by_size);
    if (b->phase == DO_SERIAL) {
        s->p50_us = quantile(b->times, b->answered, 0.50);
        s->p95_us = quantile(b->times, b->answered, 0.95);
        s->p99_us = quantile(b->times, b->answered, 0.99);
    } else {
        s->many_p95_us = quantile(b->times, b->answered, 0.95);
        s->many_per_s = b->answered / ((clock_ms() - b->began_ms) / 1000);
    }
}

static void begin_calls(bench *b, phase p) {
    b->phase = p;
    b->asked = b->answered = 0;
    b->began_ms = clock_ms();
    ask_more(b);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Resident bytes of the processes in the server's group. */
static double group_memory(int64_t group) {
    DIR *dir = group > 0 ? opendir("/proc") : NULL;
    double bytes = 0;
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        int64_t pid;
        if (!str_to_i64(str_of(entry->d_name), &pid) || getpgid((pid_t)pid) != (pid_t)group)
            continue;
        char path[64];
        long pages = 0;
        snprintf(path, sizeof path, "/proc/%lld/statm", (long long)pid);
        FILE *f = fopen(path, "re");
        if (f && fscanf(f, "%*d %ld", &pages) == 1) bytes += (double)pages * (double)getpagesize();
        if (f) fclose(f);
    }
    if (dir) closedir(dir);
    return bytes;
}

/* ---- phases ---------------------------------------------------------------------------------- */

static void start_server(bench *b) {
    b->phase = DO_START;
    if (b->at == b->n) {
        b->phase = DO_ALL;
        b->began_ms = clock_ms();
        for (size_t i = 0; i < b->n; i++)
            if (b->servers[i].start_ms > 0) mcp_server_start(b->run.host, b->servers[i].name);
        soon(b);
        return;
    }
    mcp_server_start(b->run.host, b->servers[b->at].name);
    soon(b);
}

static void take_start(bench *b, const mcp_server_info *s) {
    mcp_bench_server *one = &b->servers[b->at];
    one->start_ms = s->state == MCP_READY ? s->ready_ms : 0;
    snprintf(one->why, sizeof one->why, "%s", s->why);
    one->tools = s->tools;
    xfree(b->tool);
    const mcp_tool *t = s->state == MCP_READY ? mcp_run_harmless(&b->run, s->name) : NULL;
    b->tool = t ? xstrdup(t->name) : NULL;
    if (b->tool)
        begin_calls(b, DO_SERIAL);
    else {
        one->memory = group_memory(s->pid);
        b->phase = DO_STOP;
        mcp_server_stop(b->run.host, one->name);
        soon(b);
    }
}

static bool any_in(bench *b, mcp_state a, mcp_state or) {
    mcp_server_info s;
    for (size_t i = 0; i < b->n; i++)
        if (mcp_server_get(b->run.host, b->servers[i].name, &s) && (s.state == a || s.state == or))
            return true;
    return false;
}

static void turn(bench *b) {
    mcp_server_info s = {0};
    if (b->run.closing) return;
    bool known = b->at < b->n && mcp_server_get(b->run.host, b->servers[b->at].name, &s);
    switch (b->phase) {
    case DO_START:
        if (!known || (s.state != MCP_STARTING && s.state != MCP_DRAINING)) take_start(b, &s);
        break;
    case DO_SERIAL:
        take_times(b);
        begin_calls(b, DO_MANY);
        break;
    case DO_MANY:
        take_times(b);
        b->servers[b->at].memory = group_memory(s.pid);
        b->phase = DO_STOP;
        mcp_server_stop(b->run.host, s.name);
        soon(b);
        break;
    case DO_STOP:
        if (known && s.state == MCP_DRAINING) break;
        b->at++;
        start_server(b);
        break;
    case DO_ALL:
        if (any_in(b, MCP_STARTING, MCP_DRAINING)) break;
        b->all_ms = clock_ms() - b->began_ms;
        b->phase = DO_END;
        uv_close((uv_handle_t *)&b->next, NULL);
        mcp_run_end(&b->run);
        break;
    case DO_END: break;
    }
}

/* Something changed: the phases that wait for a state look again. */
static void on_changed(mcp_run *r) {
    bench *b = r->ud;
    if (b->phase == DO_START || b->phase == DO_STOP || b->phase == DO_ALL) soon(b);
}

static void on_settled(mcp_run *r) {
    UNUSED(r); /* each server is looked at by itself */
}

/* ---- the command ----------------------------------------------------------------------------- */

static void list_servers(bench *b) {
    mcp_server_info s;
    b->servers = xcalloc(mcp_server_count(b->run.host) + 1, sizeof *b->servers);
    for (size_t i = 0; mcp_server_at(b->run.host, i, &s); i++) {
        if (b->run.only && strcmp(b->run.only, s.name) != 0) continue;
        if (s.state == MCP_DISABLED) continue;
        b->servers[b->n].name = xstrdup(s.name);
        mcp_definition_hash(s.definition, b->servers[b->n++].hash);
    }
}

static void judge(bench *b) {
    char *folder = mcp_folder(MCP_FOLDER_STATE);
    if (!folder) return;
    strbuf path;
    strbuf_init(&path, 1u << 16);
    strbuf_addf(&path, "%s/bench.json", folder);
    cJSON *root = state_read(path.ptr);
    mcp_bench_judge(b->servers, b->n, root, (double)time(NULL));
    (void)state_write(path.ptr, root); /* a failure has been logged */
    cJSON_Delete(root);
    strbuf_deinit(&path);
    xfree(folder);
}

static status write_plot(const bench *b, const char *path, err *e) {
    strbuf svg;
    strbuf_init(&svg, 1u << 20);
    mcp_bench_plot(&svg, b->servers, b->n);
    FILE *f = fopen(path, "we");
    bool good = f && fwrite(svg.ptr, 1, svg.len, f) == svg.len;
    good = f && fclose(f) == 0 && good;
    strbuf_deinit(&svg);
    return good ? OK : err_set(e, ERR_IO, "%.200s cannot be written", path);
}

static status report(bench *b, const cli_args *a, err *e) {
    status s = OK;
    judge(b);
    if (a->json) {
        s = term_write_json(mcp_bench_json(b->servers, b->n, b->all_ms), e);
    } else {
        strbuf out;
        strbuf_init(&out, 1u << 20);
        mcp_bench_table(&out, b->servers, b->n, b->all_ms);
        s = term_write(strbuf_str(&out), e);
        strbuf_deinit(&out);
    }
    if (s == OK && a->plot) s = write_plot(b, a->plot, e);
    return s;
}

status cli_mcp_bench(const cli_args *a, err *e) {
    bench b = {0};
    status s = mcp_run_open(&b.run, a, a->n_operands > 1 ? a->operands[1] : NULL, e);
    if (s != OK) return s;
    b.run.settled = on_settled;
    b.run.changed = on_changed;
    b.run.ud = &b;
    list_servers(&b);
    uv_timer_init(&b.run.loop.uv, &b.next);
    b.next.data = &b;
    start_server(&b);
    loop_run(&b.run.loop);
    if (!uv_is_closing((uv_handle_t *)&b.next)) { /* interrupted */
        uv_close((uv_handle_t *)&b.next, NULL);
        loop_run(&b.run.loop);
    }
    bool interrupted = b.run.interrupted;
    mcp_run_close(&b.run);
    s = interrupted ? err_set(e, ERR_CANCELLED, "interrupted") : report(&b, a, e);
    for (size_t i = 0; i < b.n; i++)
        xfree(b.servers[i].name);
    xfree(b.servers);
    xfree(b.tool);
    return s;
}
