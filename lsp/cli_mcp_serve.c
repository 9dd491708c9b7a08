/* SPDX-License-Identifier: Apache-2.0 */
/* inlined mcp serve: our own tools over standard input and output, until the input ends; with a
 * port, over HTTP on loopback, until a signal.
 *
 * What was asked before the end of the input is still answered.  Standard output is written with
 * blocking writes: a host that does not read stops us, and nothing else is there to be stopped.
 * Thread: main. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "context/hidden.h"
#include "context/symbols.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "lsp/cli_engine.h"
#include "lsp/cli_mcp.h"
#include "lsp/code_tools.h"
#include "mcp/serve.h"
#include "mcp/serve_http.h"

typedef struct {
    loop loop;
    uv_pipe_t in;
    loop_signal interrupt, terminate;
    own_tools *tools;
    serve_client *client; /* standard input and output; or */
    serve *serve;
    serve_http *http; /* a port */
    settings settings;
    symbols *symbols; /* NULL: nobody has asked for one */
    hidden *hidden;
    bool has_input, ended, closing, failed;
    char buffer[LIMIT_READ_BYTES];
} serving;

static void on_tools_closed(void *ud) {
    serving *v = ud;
    loop_signal_close(&v->interrupt);
    loop_signal_close(&v->terminate);
}

static void on_http_closed(void *ud) {
    serving *v = ud;
    own_tools_close(v->tools, on_tools_closed, v);
}

/* Which files may be read is what the settings say; the index is built when it is first asked. */
static void start_symbols(serving *v) {
    char cwd[PATH_MAX];
    strbuf globs;
    if (!getcwd(cwd, sizeof cwd)) return;
    str root = str_of(cwd);
    strbuf_init(&globs, sizeof v->settings.privacy.deny_globs.at + SETTINGS_LIST_COUNT);
    settings_deny_globs(&v->settings, &globs);
    v->symbols = symbols_start(NULL);
    symbols_set_view(v->symbols,
                     &(symbols_view){.client = 1,
                                     .roots = &root,
                                     .n = 1,
                                     .deny_globs = strbuf_str(&globs),
                                     .respect_gitignore = v->settings.privacy.respect_gitignore});
    strbuf_deinit(&globs);
}

static bool answer_code(void *ud, const own_code_request *q, strbuf *out, bool *busy) {
    serving *v = ud;
    char cwd[PATH_MAX];
    if (!getcwd(cwd, sizeof cwd)) return false;
    if (!v->symbols && strcmp(q->tool, "diagnostics")) start_symbols(v);
    str root = str_of(cwd);
    const code_view view = {.symbols = v->symbols, .client = 1, .roots = &root, .n_roots = 1};
    return code_tools_answer(&view, q, out, busy);
}

static void shut(serving *v) {
    if (v->closing) return;
    v->closing = true;
    serve_free(v->serve);
    v->serve = NULL;
    serve_client_free(v->client);
    if (v->has_input) uv_close((uv_handle_t *)&v->in, NULL);
    if (v->http)
        serve_http_close(v->http, on_http_closed, v);
    else
        own_tools_close(v->tools, on_tools_closed, v);
}

static void on_stop(void *ud) {
    shut(ud);
}

static void on_write(void *ud, str line, bool last) {
    serving *v = ud;
    UNUSED(last);
    while (line.len && !v->failed) {
        ssize_t n = write(STDOUT_FILENO, line.ptr, line.len);
        if (n < 0 && errno == EINTR) continue;
        v->failed = n < 0;
        if (n > 0) line = str_sub(line, (size_t)n, line.len);
    }
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf) {
    serving *v = h->data;
    UNUSED(hint);
    *buf = uv_buf_init(v->buffer, sizeof v->buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    serving *v = stream->data;
    err e = {{0}};
    if (n > 0 && serve_bytes(v->serve, (str){buf->base, (size_t)n}, &e)) {
        fprintf(stderr, "inlined: %s\n", e.text);
        v->failed = true;
    }
    v->ended |= n < 0;
    if (v->ended) uv_read_stop(stream);
    if (v->ended && !v->failed) serve_input_ended(v->serve);
    if (v->failed) shut(v);
}

/* Standard input of any kind as a pipe: a terminal and a file, too. */
static status open_input(serving *v, err *e) {
    uv_pipe_init(&v->loop.uv, &v->in, 0);
    v->has_input = true;
    v->in.data = v;
    int rc = uv_pipe_open(&v->in, STDIN_FILENO);
    if (!rc) rc = uv_read_start((uv_stream_t *)&v->in, on_alloc, on_read);
    return rc ? err_set(e, ERR_IO, "standard input cannot be read: %s", uv_strerror(rc)) : OK;
}

/* What the settings and the files of the folder say that nobody may be shown. */
static void set_privacy(serving *v, const char *workspace) {
    strbuf globs;
    str root = str_of(workspace);
    strbuf_init(&globs, sizeof v->settings.privacy.deny_globs.at + SETTINGS_LIST_COUNT);
    settings_deny_globs(&v->settings, &globs);
    hidden_set(v->hidden, &root, 1, strbuf_str(&globs), v->settings.privacy.respect_gitignore);
    strbuf_deinit(&globs);
}

static status open_tools(serving *v, const cli_args *a, err *e) {
    char workspace[PATH_MAX];
    if (!getcwd(workspace, sizeof workspace))
        return err_set(e, ERR_IO, "the current folder cannot be read");
    char *memory = mcp_memory_file();
    const own_options o = {.workspace = workspace,
                           .privacy = {v->hidden, hidden_look, hidden_is, hidden_mask},
                           .memory_file = memory,
                           .declared = a->file,
                           .search_path = getenv("PATH"),
                           .code = answer_code,
                           .ud = v};
    status s = cli_settings(a, &v->settings, e);
    if (!s) set_privacy(v, workspace);
    if (!s) s = own_tools_new(&v->tools, &v->loop.uv, &o, e);
    xfree(memory);
    return s;
}

static status open_port(serving *v, const char *text, err *e) {
    int64_t port;
    if (!str_to_i64(str_of(text), &port) || port < 0 || port > 65535)
        return err_set(e, ERR_USAGE, "mcp serve takes a port (0: any), not \"%.40s\"", text);
    status s =
        serve_http_new(&v->http, &v->loop.uv, v->tools, (int)port, getenv("INLINED_MCP_TOKEN"), e);
    if (!s)
        fprintf(stderr, "inlined: serving at http://127.0.0.1:%d/mcp\n", serve_http_port(v->http));
    return s;
}

static status run(serving *v, const cli_args *a, err *e) {
    if (a->n_operands == 2) {
        status s = open_port(v, a->operands[1], e);
        while (!s && !v->closing)
            uv_run(&v->loop.uv, UV_RUN_ONCE);
        return s;
    }
    v->client = serve_client_new(v->tools);
    v->serve = serve_new(&(serve_options){.tools = v->tools, .client = v->client},
                         &(serve_hooks){v, on_write});
    serve_takes_news(v->serve);
    status s = open_input(v, e);
    while (!s && !v->closing && !(v->ended && serve_is_idle(v->serve)))
        uv_run(&v->loop.uv, UV_RUN_ONCE);
    return s;
}

status cli_mcp_serve(const cli_args *a, err *e) {
    if (a->n_operands > 2) return err_set(e, ERR_USAGE, "mcp serve takes at most a port");
    serving *v = xcalloc(1, sizeof *v);
    v->hidden = hidden_new();
    signal(SIGPIPE, SIG_IGN);
    loop_init(&v->loop);
    loop_signal_init(&v->loop, &v->interrupt, SIGINT, on_stop, v);
    loop_signal_init(&v->loop, &v->terminate, SIGTERM, on_stop, v);
    status s = open_tools(v, a, e);
    if (s) {
        on_tools_closed(v);
    } else {
        s = run(v, a, e);
        shut(v);
    }
    loop_deinit(&v->loop);
    symbols_stop(v->symbols);
    hidden_free(v->hidden);
    xfree(v);
    return s;
}
