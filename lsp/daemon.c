/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: who is started after whom, and who is stopped before whom.
 *
 *     start:  stdout protected, loop, wake-up, engine, completer, signals, listener, connections
 *     stop:   no new connections; connections end (their completions are cancelled);
 *             the engine is joined and its last events are drained; handles close; the loop is free
 *
 * The engine thread touches one thing here: loop_wake_now.  Everything else is the loop thread's.
 * Owns: loop, engine, completer, agents, tiers, listener, connections.
 *
 * It runs as long as the stdio connection does; without one (--listen alone) until a signal.
 */
#include "lsp/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/vec.h"
#include "lsp/admin.h"
#include "lsp/completion.h"
#include "lsp/connection.h"
#include "lsp/git.h"
#include "lsp/health.h"
#include "lsp/health_servers.h"
#include "lsp/listener.h"
#include "lsp/runtime_dir.h"
#include "lsp/tiers.h"
#include "lsp/tools.h"
#include "mcp/http_pages.h"

#define TICK_MS 2000.0 /* deadlines and dead clients are looked at this often */

typedef struct {
    const daemon_options *options;
    loop loop;
    loop_wake engine_wake;
    loop_timer tick;
    loop_signal sigint, sigterm;
    uv_pipe_t listener;
    bool listening;
    bool activated; /* the socket is systemd's */
    bool outdated;  /* there is a newer build: leave as soon as the last client has */
    http_pages *pages;
    engine *engine;
    completer *completer;
    agents *agents;
    tiers *tiers;
    stats stats;
    admin admin;
    symbols *symbols;
    git *git;
    VEC(connection *) connections;
    connection *stdio;
    uint64_t last_client;
    bool stopping;
    double alone_ms; /* since when there is no connection */
    int exit_code;
} program;

/* ---- engine ---------------------------------------------------------------------------------- */

static void wake_loop(void *ud) { /* engine thread */
    program *d = ud;
    loop_wake_now(&d->engine_wake);
}

static void on_model_changed(void *ud, const model *m) {
    program *d = ud;
    for (size_t i = 0; i < d->connections.count; i++) {
        server *s = connection_server(d->connections.at[i]);
        if (s) server_model_changed(s, m);
    }
}

static void count(program *d, const engine_event *ev) {
    if (ev->kind == EV_DONE) stats_job(&d->stats, ev->slot, ev->result, clock_ms());
    if (ev->kind == EV_UNLOADED) stats_forget(&d->stats, ev->slot);
    d->stats.loads += ev->kind == EV_LOADED;
    d->stats.failed_loads += ev->kind == EV_LOAD_FAILED && ev->status != ERR_CANCELLED;
}

/* Whose tiers people mean: those of the editor that came last and has said its settings. */
static const settings *newest_settings(void *ud) {
    program *d = ud;
    for (size_t i = d->connections.count; i-- > 0;) {
        const server *s = connection_server(d->connections.at[i]);
        if (s && s->state == SERVER_RUNNING && s->settings_known) return &s->settings;
    }
    return &d->options->settings;
}

static int count_clients(void *ud) {
    return (int)((program *)ud)->connections.count;
}

/* The MCP servers of all clients. */
static void each_server(program *d, void (*see)(void *ud, const mcp_server_info *info), void *ud) {
    for (size_t i = 0; i < d->connections.count; i++) {
        tools *t = connection_tools(d->connections.at[i]);
        mcp_host *h = t ? tools_host(t) : NULL;
        mcp_server_info info;
        for (size_t k = 0; h && mcp_server_at(h, k, &info); k++)
            see(ud, &info);
    }
}

/* How many, and no names: a client's servers are nobody else's business. */
static void add_number(void *ud, const mcp_server_info *info) {
    admin_servers *out = ud;
    bool own = info->definition->transport == MCP_BUILT_IN; /* always there */
    out->by_state[info->state] += !own;
    out->starts += own ? 0 : info->starts;
    out->exits += info->exits;
    mcp_numbers_add(&out->calls, &info->numbers);
}

static void count_servers(void *ud, admin_servers *out) {
    each_server(ud, add_number, out);
}

/* With names, for who runs the daemon and has asked for pages of its numbers. */
static void add_named(void *ud, const mcp_server_info *info) {
    health_servers_add(ud, info);
}

static void on_engine_event(void *ud, const engine_event *ev) {
    program *d = ud;
    if (ev->kind == EV_DONE || ev->kind == EV_TEXT)
        (void)(completer_event(d->completer, ev) || agents_event(d->agents, ev));
    else
        (void)tiers_event(d->tiers, ev);
    count(d, ev);
}

static void on_wake(void *ud) {
    program *d = ud;
    engine_drain(d->engine, on_engine_event, d);
}

/* $XDG_CACHE_HOME/inlined/index, else below ~/.cache; without either in memory only. */
static void start_symbols(program *d) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char folder[4096] = "";
    if (cache && cache[0] == '/')
        snprintf(folder, sizeof folder, "%s/inlined/index", cache);
    else if (home && home[0] == '/')
        snprintf(folder, sizeof folder, "%s/.cache/inlined/index", home);
    d->symbols = symbols_start(folder[0] ? folder : NULL);
}

static status start_engine(program *d, err *e) {
    static const k_device devices[] = {
        [DEVICE_AUTO] = K_AUTO, [DEVICE_CPU] = K_CPU, [DEVICE_CUDA] = K_CUDA, [DEVICE_REF] = K_REF};
    const settings *s = &d->options->settings;
    engine_options options = {.device = devices[s->engine.device],
                              .threads = s->engine.threads,
                              .wake = wake_loop,
                              .wake_ud = d};
    status st = engine_start(&d->engine, &options, e);
    if (st) return st;
    d->completer = completer_new(d->engine);
    d->agents = agents_new(d->engine);
    d->tiers = tiers_new(d->engine, &(tiers_hooks){.ud = d, .changed = on_model_changed});
    d->admin = (admin){.engine = d->engine,
                       .tiers = d->tiers,
                       .stats = &d->stats,
                       .started_ms = clock_ms(),
                       .ud = d,
                       .settings = newest_settings,
                       .clients = count_clients,
                       .servers = count_servers};
    char folder[RUNTIME_PATH_BYTES];
    if (runtime_dir(folder, e) == OK) tiers_spill_to(d->tiers, folder);
    if (d->options->model_fixed) tiers_fix(d->tiers, s->model);
    start_symbols(d);
    return OK;
}

/* ---- connections ----------------------------------------------------------------------------- */

static void stop(program *d, int exit_code);

static void on_connection_closed(void *ud, connection *c, int exit_code) {
    program *d = ud;
    for (size_t i = 0; i < d->connections.count; i++) {
        if (d->connections.at[i] != c) continue;
        vec_remove(&d->connections, i);
        break;
    }
    log_info("daemon", "connection closed code=%d left=%zu", exit_code, d->connections.count);
    if (c == d->stdio) stop(d, exit_code);
    if (d->stopping && !d->connections.count) loop_stop(&d->loop);
}

static status add_connection(program *d, const connection_source *from, connection **out, err *e) {
    server_options so = {.completer = d->completer,
                         .agents = d->agents,
                         .tiers = d->tiers,
                         .admin = &d->admin,
                         .stats = &d->stats,
                         .settings = &d->options->settings,
                         .client = ++d->last_client,
                         .symbols = d->symbols,
                         .git = d->git};
    connection_hooks hooks = {.ud = d, .closed = on_connection_closed};
    connection *c;
    status s = connection_open(&c, &d->loop, from, &so, &hooks, e);
    if (s) return s;
    vec_push(&d->connections, c);
    d->stats.connections++;
    if (out) *out = c;
    return OK;
}

static void on_tick(void *ud) {
    program *d = ud;
    agents_tick(d->agents, clock_ms());
    for (size_t i = 0; i < d->connections.count; i++)
        connection_tick(d->connections.at[i]);
    tiers_tick(d->tiers);
    if (d->connections.count) d->alone_ms = clock_ms();
    double idle_ms = d->outdated ? TICK_MS / 2 : d->options->idle_seconds * 1000.0;
    if (idle_ms > 0 && !d->options->stdio && clock_ms() - d->alone_ms > idle_ms) {
        log_info("daemon", "nobody was here for %.0f s", idle_ms / 1000);
        stop(d, 0);
    }
}

/* ---- listening ------------------------------------------------------------------------------- */

static void on_knock(uv_stream_t *listener, int rc) {
    program *d = listener->data;
    err e = {{0}};
    if (rc < 0 || d->stopping) return;
    bool full = d->connections.count >= LIMIT_CONNECTIONS;
    connection *c = NULL;
    if (add_connection(d, &(connection_source){.listener = listener}, &c, &e)) {
        log_warn("daemon", "%s", e.text);
        return;
    }
    bool stranger = d->activated && !listener_is_same_build(connection_fd(c));
    if (stranger) log_info("daemon", "another build knocked: it gets a daemon of its own");
    d->outdated |= stranger;
    if (full || stranger) /* accepted all the same: what is not accepted knocks for ever */
        connection_end(c, 1);
}

/* ---- start and stop -------------------------------------------------------------------------- */

/* The protocol keeps a private copy of descriptor 1; whatever prints to stdout from now on, in any
 * library, prints to stderr. */
static int protect_stdout(err *e) {
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        (void)err_set(e, ERR_IO, "cannot use standard output: %s", strerror(errno));
        return -1;
    }
    return fd;
}

static bool get_page(void *ud, str path, http_page *out) {
    program *d = ud;
    cJSON *now = admin_status(&d->admin);
    bool known = health_page(now, path, out);
    cJSON_Delete(now);
    if (str_eq(path, STR("/metrics"))) {
        health_servers all = {.count = 0};
        each_server(d, add_named, &all);
        health_servers_metrics(&all, &out->body);
    }
    return known;
}

static status open_pages(program *d, const char *where, err *e) {
    status s = http_pages_new(&d->pages, &d->loop.uv, where,
                              &(http_pages_hooks){.ud = d, .get = get_page}, e);
    if (!s) log_info("daemon", "health at %s", http_pages_where(d->pages));
    return s;
}

static void on_pages_closed(void *ud) {
    UNUSED(ud); /* the loop counts */
}

static status start(program *d, err *e) {
    const daemon_options *o = d->options;
    int out_fd = o->stdio ? protect_stdout(e) : 0;
    if (out_fd < 0) return ERR_IO;
    status s = start_engine(d, e);
    if (!s && o->listen_path) {
        d->listener.data = d;
        d->activated = !strcmp(o->listen_path, "fd");
        s = listener_open(&d->listener, &d->loop, o->listen_path, on_knock, &d->listening, e);
    }
    if (!s && o->health) s = open_pages(d, o->health, e);
    if (!s && o->stdio)
        s = add_connection(d, &(connection_source){STDIN_FILENO, out_fd, NULL}, &d->stdio, e);
    if (!s && d->stdio) connection_watch(d->stdio, o->client_pid);
    return s;
}

static void stop(program *d, int exit_code) {
    if (d->stopping) return;
    d->stopping = true;
    d->exit_code = exit_code;
    for (size_t i = 0; i < d->connections.count; i++)
        connection_end(d->connections.at[i], exit_code);
    if (!d->connections.count) loop_stop(&d->loop);
}

static void on_stop_signal(void *ud) {
    program *d = ud;
    stop(d, d->stdio ? 1 : 0);
}

static void close_everything(program *d) {
    engine_stop(d->engine);
    completer_free(d->completer);
    agents_free(d->agents);
    tiers_free(d->tiers);
    symbols_stop(d->symbols);
    git_free(d->git);
    if (d->pages) http_pages_close(d->pages, on_pages_closed, NULL);
    loop_wake_close(&d->engine_wake);
    loop_timer_close(&d->tick, NULL, NULL);
    loop_signal_close(&d->sigint);
    loop_signal_close(&d->sigterm);
    if (d->listening) {
        uv_close((uv_handle_t *)&d->listener, NULL); /* also removes the socket's file */
    }
    loop_deinit(&d->loop);
    vec_free(&d->connections);
}

/* A library that gives up (libuv, when a thread cannot be had) says nothing; the log should. */
static void on_abort(int number) {
    static const char text[] = "inlined: ended by abort(); where no line above says why, a library "
                               "was out of memory\n";
    UNUSED(number);
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) return; /* and the program ends */
}

int daemon_run(const daemon_options *options) {
    program *d = xcalloc(1, sizeof *d);
    d->options = options;
    d->alone_ms = clock_ms();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGABRT, on_abort);
    loop_init(&d->loop);
    d->git = git_new(&d->loop.uv, NULL);
    loop_wake_init(&d->loop, &d->engine_wake, on_wake, d);
    loop_timer_init(&d->loop, &d->tick, on_tick, d);
    loop_timer_start(&d->tick, TICK_MS, TICK_MS);
    loop_signal_init(&d->loop, &d->sigint, SIGINT, on_stop_signal, d);
    loop_signal_init(&d->loop, &d->sigterm, SIGTERM, on_stop_signal, d);
    err e = {{0}};
    if (start(d, &e)) {
        fprintf(stderr, "inlined: %s\n", e.text);
        stop(d, 1);
    }
    if (!d->stopping || d->connections.count) loop_run(&d->loop);
    int exit_code = d->exit_code;
    close_everything(d);
    xfree(d);
    return exit_code;
}
