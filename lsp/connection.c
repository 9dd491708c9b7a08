/* SPDX-License-Identifier: Apache-2.0 */
/* One editor: glue between a stream, a server and a timer.
 *
 * It ends in one of five ways, the first of which counts: `exit` (the server's code), the stream's
 * end, a broken frame, the death of the client's process, connection_end.  Ending only marks it and
 * closes the stream; server and struct are freed when the stream has closed, from the loop, never
 * from inside a hook.  Thread: loop. */
#include "lsp/connection.h"

#include <errno.h>
#include <signal.h>

#include "context/hidden.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "lsp/code_tools.h"
#include "lsp/tool_questions.h"
#include "lsp/tools.h"

struct connection {
    connection_hooks hooks;
    stream *stream;
    server *server;
    tools *tools; /* NULL once it is closed */
    hidden *hidden;
    loop_timer timer;
    int64_t pids[2]; /* the client's process, and one from the command line; 0: none */
    bool ending;
    int exit_code;
};

tools *connection_tools(connection *c) {
    return c->server ? c->tools : NULL; /* they go after it, and are not to be looked at then */
}

int connection_fd(const connection *c) {
    return stream_fd(c->stream);
}

server *connection_server(connection *c) {
    return c->server;
}

void connection_end(connection *c, int exit_code) {
    if (c->ending) return;
    c->ending = true;
    c->exit_code = exit_code;
    stream_close(c->stream);
}

/* ---- from the stream ------------------------------------------------------------------------- */

static void on_bytes(void *ud, str bytes) {
    connection *c = ud;
    err e = {{0}};
    if (c->ending || server_bytes(c->server, bytes, &e) == OK) return;
    fprintf(stderr, "inlined: %s; closing the connection\n", e.text);
    log_info("lsp", "broken stream why=\"%s\"", e.text);
    connection_end(c, 1);
}

static void on_ended(void *ud, const char *why) {
    connection *c = ud;
    if (why)
        fprintf(stderr, "inlined: the editor's stream broke: %s\n", why);
    else if (!server_at_boundary(c->server))
        fprintf(stderr, "inlined: the editor's stream ended inside a message\n");
    log_info("lsp", "stream ended why=\"%s\"", why ? why : "end of file");
    connection_end(c, 1);
}

static void on_timer_closed(void *ud) {
    connection *c = ud;
    c->hooks.closed(c->hooks.ud, c, c->exit_code);
    hidden_free(c->hidden);
    xfree(c);
}

static void on_tools_closed(void *ud) {
    connection *c = ud;
    loop_timer_close(&c->timer, on_timer_closed, c);
}

/* The server first, because it may still wait for a tool. */
static void on_closed(void *ud) {
    connection *c = ud;
    server_free(c->server);
    c->server = NULL;
    tools_close(c->tools, on_tools_closed, c);
}

/* ---- from the server ------------------------------------------------------------------------- */

static void on_write(void *ud, str bytes) {
    connection *c = ud;
    if (!c->ending) stream_write(c->stream, bytes);
}

static void on_timer_wanted(void *ud, double ms) {
    connection *c = ud;
    loop_timer_start(&c->timer, ms, 0);
}

static void on_timer(void *ud) {
    connection *c = ud;
    if (!c->ending) server_timer(c->server);
}

static bool is_gone(int64_t pid) {
    return pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static void on_watch(void *ud, int64_t pid) {
    connection *c = ud;
    c->pids[0] = pid;
}

void connection_watch(connection *c, int64_t pid) {
    c->pids[1] = pid;
}

static void on_exited(void *ud, int exit_code) {
    connection_end(ud, exit_code);
}

void connection_tick(connection *c) {
    if (c->ending) return;
    server_tick(c->server);
    if (!is_gone(c->pids[0]) && !is_gone(c->pids[1])) return;
    fprintf(stderr, "inlined: the editor's process is gone\n");
    connection_end(c, 1);
}

/* ---- from MCP servers ------------------------------------------------------------------------ */

static void on_ask(void *ud, const mcp_question *q) {
    connection *c = ud;
    if (c->server)
        tool_questions_ask(c->server, q);
    else
        tools_decide(c->tools, q->id, MCP_DENY, NULL);
}

static void on_files_read(void *ud, const mcp_config *config) {
    connection *c = ud;
    if (c->server) tool_questions_show_notes(c->server, config);
}

static void on_tools_changed(void *ud) {
    connection *c = ud;
    if (c->server && !c->ending) works_tools_changed(c->server);
}

static bool on_code(void *ud, const own_code_request *q, strbuf *out, bool *busy) {
    connection *c = ud;
    return c->server && code_tools_ask(c->server, q, out, busy);
}

/* ---- life ------------------------------------------------------------------------------------ */

status connection_open(connection **out, loop *l, const connection_source *from,
                       const server_options *options, const connection_hooks *hooks, err *e) {
    connection *c = xcalloc(1, sizeof *c);
    c->hooks = *hooks;
    stream_hooks sh = {.ud = c, .bytes = on_bytes, .ended = on_ended, .closed = on_closed};
    status s = from->listener ? stream_accept(&c->stream, l, from->listener, &sh, e)
                              : stream_open(&c->stream, l, from->in_fd, from->out_fd, &sh, e);
    if (s) {
        xfree(c);
        return s;
    }
    loop_timer_init(l, &c->timer, on_timer, c);
    c->hidden = hidden_new();
    c->tools = tools_new(
        &l->uv, &(tools_hooks){.ud = c,
                               .ask = on_ask,
                               .changed = on_tools_changed,
                               .read = on_files_read,
                               .code = on_code,
                               .privacy = {c->hidden, hidden_look, hidden_is, hidden_mask}});
    server_options own = *options;
    own.tools = c->tools;
    own.hidden = c->hidden;
    c->server = server_new(&(server_host){.ud = c,
                                          .write = on_write,
                                          .timer = on_timer_wanted,
                                          .watch = on_watch,
                                          .exited = on_exited},
                           &own);
    *out = c;
    return OK;
}
