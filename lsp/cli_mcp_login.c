/* SPDX-License-Identifier: Apache-2.0 */
/* inlined mcp login: starts a server behind a URL, shows where to log in, and waits for it.
 *
 * The address is printed, and given to xdg-open where there is a desktop; the host keeps what comes
 * back.  Thread: main. */
#include <spawn.h>
#include <unistd.h>

#include "lsp/cli_mcp.h"
#include "lsp/cli_term.h"

extern char **environ;

static void show_in_browser(const char *url) {
    bool desktop = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY");
    bool web = strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0;
    if (!desktop || !web) return;
    char *copy = xstrdup(url), name[] = "xdg-open";
    char *argv[] = {name, copy, NULL};
    pid_t pid;
    (void)posix_spawnp(&pid, name, NULL, NULL, argv, environ); /* the address is printed, too */
    xfree(copy);
}

static void on_ask(mcp_run *r, const mcp_question *q) {
    bool login = q->kind == MCP_ASK_URL;
    if (login) {
        fprintf(stderr, "Log in to %s here:\n\n  %s\n\nWaiting ...\n", q->server, q->text);
        show_in_browser(q->text);
    }
    mcp_decide(r->host, q->id, login ? MCP_ALLOW_ONCE : MCP_DENY, NULL);
}

/* ERR_IO: it does not work now. */
static status tell(mcp_run *r, err *e) {
    mcp_server_info s;
    if (!mcp_server_get(r->host, r->only, &s))
        return err_set(e, ERR_NOT_FOUND, "server %.80s is gone", r->only);
    if (s.state != MCP_READY)
        return err_set(e, ERR_IO, "%.80s is %s: %.250s", s.name, mcp_state_name(s.state), s.why);
    char line[300];
    snprintf(line, sizeof line, "%.100s is ready: %zu tools\n", s.name, s.tools);
    return term_write(str_of(line), e);
}

typedef struct {
    status status;
    err *e;
} outcome;

static void on_settled(mcp_run *r) {
    outcome *o = r->ud;
    o->status = tell(r, o->e);
    mcp_run_end(r);
}

status cli_mcp_login(const cli_args *a, err *e) {
    if (a->n_operands != 2) return err_set(e, ERR_USAGE, "mcp login takes the name of a server");
    mcp_run r;
    outcome o = {.e = e};
    status s = mcp_run_open_asking(&r, a, a->operands[1], on_ask, e);
    if (s != OK) return s;
    r.settled = on_settled;
    r.ud = &o;
    mcp_run_servers(&r);
    mcp_run_close(&r);
    return r.interrupted ? err_set(e, ERR_CANCELLED, "interrupted") : o.status;
}
