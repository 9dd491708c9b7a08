/* SPDX-License-Identifier: Apache-2.0 */
/* inlined mcp doctor and test: starts every server, looks, and says what to mend.
 *
 * With `timed` each server that has a harmless tool without required arguments gets TIMED calls,
 * one after the other, for its times.  With --probe each gets one call first that shows whether it
 * does its work (lsp/cli_mcp_probe.c).  With --fix it also writes what to put into which file;
 * nothing is changed.  Exit: 0 all is fine, 1 something is to be mended (a server to approve, a
 * note on a file, advice, a probe that failed), 2 a server that may start does not work.
 * Thread: main. */
#include "engine/base/limits.h"
#include "lsp/cli_mcp.h"
#include "lsp/cli_term.h"

#define TIMED 20
#define CALL_MS 5000 /* for an answer; a probe, which may look something up, gets four times that */

enum { SOME_FAILED = 2 }; /* exit code */

typedef struct {
    mcp_run run;
    bool timed;
    size_t open;     /* servers whose calls have not ended */
    size_t wrong;    /* servers that may start and do not work */
    size_t warnings; /* what else is to be mended */
    strbuf out;
    strbuf probes; /* what they found that is wrong */
    cJSON *json;
    cJSON *probed; /* a member for each server */
} doctor;

/* The calls of one server. */
typedef struct {
    doctor *doctor;
    char *server, *tool; /* `tool`: for the times; NULL: none */
    char *probe;         /* under way */
    int left;
} caller;

/* ---- advice ---------------------------------------------------------------------------------- */

static void add_line(strbuf *out, const char *server, const char *text) {
    strbuf_addf(out, "  ! %s: %s\n", server, text);
}

/* The same of what is to be mended. */
static void add_warning(doctor *d, strbuf *out, const char *server, const char *text) {
    add_line(out, server, text);
    d->warnings++;
}

static bool command_is(const mcp_definition *d, const char *name) {
    const char *base = d->command ? strrchr(d->command, '/') : NULL;
    return d->command && strcmp(base ? base + 1 : d->command, name) == 0;
}

/* A package is named without its version: what runs may change from one start to the next. */
static const char *unpinned(const mcp_definition *d) {
    for (size_t i = 0; i < d->args.count; i++) {
        const char *a = d->args.at[i];
        if (*a == '-') continue;
        return strchr(a + (*a == '@'), '@') || strstr(a, "==") ? NULL : a;
    }
    return NULL;
}

static void add_advice(doctor *r, strbuf *out, const mcp_server_info *s) {
    const mcp_definition *d = s->definition;
    char line[600];
    bool npx = command_is(d, "npx"), uvx = command_is(d, "uvx");
    if (npx)
        add_warning(r, out, s->name,
                    "npx costs about 0.4 s at each start and leaves a wrapper process; "
                    "install the package and use: node .../dist/index.js");
    if ((npx || uvx) && unpinned(d)) {
        snprintf(line, sizeof line, "%.200s has no version: pin one", unpinned(d));
        add_warning(r, out, s->name, line);
    }
    if (s->state == MCP_UNTRUSTED) {
        snprintf(line, sizeof line,
                 "it is a server of the project; look at it, then: inlined mcp "
                 "approve %.100s",
                 s->name);
        add_warning(r, out, s->name, line);
    } else if (*s->why) {
        add_line(out, s->name, s->why);
    }
    if (s->junk_lines) {
        snprintf(line, sizeof line, "%llu lines on its output are no messages; the first: %.200s",
                 (unsigned long long)s->junk_lines, s->first_junk);
        add_line(out, s->name, line);
    }
    if (*s->oddities) {
        snprintf(line, sizeof line, "tolerated: %.500s", s->oddities);
        add_line(out, s->name, line);
    }
    if (s->state != MCP_READY && *s->stderr_tail) {
        strbuf_addf(out, "  ! %s: its last words:\n", s->name);
        str rest = str_of(s->stderr_tail), piece;
        if (rest.len > 600) rest = str_sub(rest, rest.len - 600, rest.len);
        while (str_split(&rest, '\n', &piece))
            strbuf_addf(out, "      %.*s\n", STR_ARG(piece));
    }
}

/* ---- the table ------------------------------------------------------------------------------- */

static void add_time(strbuf *out, uint64_t us) {
    if (!us)
        strbuf_addf(out, " %8s", "-");
    else if (us < 10000)
        strbuf_addf(out, " %6.2fms", (double)us / 1000);
    else
        strbuf_addf(out, " %6.0fms", (double)us / 1000);
}

static void add_row(strbuf *out, const mcp_server_info *s) {
    char ready[16] = "-", version[24];
    if (s->ready_ms > 0) snprintf(ready, sizeof ready, "%.0fms", s->ready_ms);
    snprintf(version, sizeof version, "%.20s", *s->server_version ? s->server_version : "-");
    bool colours = term_has_colour(1);
    char state[16];
    snprintf(state, sizeof state, "%-9s", mcp_state_name(s->state));
    strbuf_addf(out, "%-14.14s ", s->name);
    term_paint(out, colours,
               s->state == MCP_READY    ? COLOUR_GREEN
               : s->state == MCP_FAILED ? COLOUR_RED
                                        : COLOUR_YELLOW,
               state);
    strbuf_addf(out, " %-6s %-10s %-12s %7s %5zu %6.1fk %5llu", s->modern ? "modern" : "legacy",
                *s->protocol ? s->protocol : "-", version, ready, s->tools,
                (double)s->catalogue_bytes / 4000, (unsigned long long)s->numbers.calls);
    add_time(out, s->numbers.p50_us);
    add_time(out, s->numbers.p95_us);
    strbuf_addf(out, " %4llu %4llu\n", (unsigned long long)s->numbers.errors,
                (unsigned long long)s->exits);
}

static cJSON *server_json(const mcp_server_info *s) {
    cJSON *o = cJSON_CreateObject(), *times = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "name", s->name);
    cJSON_AddStringToObject(o, "state", mcp_state_name(s->state));
    cJSON_AddStringToObject(o, "why", s->why);
    cJSON_AddStringToObject(o, "scope", mcp_run_scope(s->definition->scope));
    cJSON_AddStringToObject(o, "file", s->definition->file ? s->definition->file : "");
    cJSON_AddNumberToObject(o, "starts", (double)s->starts);
    cJSON_AddNumberToObject(o, "exits", (double)s->exits);
    cJSON_AddStringToObject(o, "era", s->modern ? "modern" : "legacy");
    cJSON_AddStringToObject(o, "protocol", s->protocol);
    cJSON_AddStringToObject(o, "server", s->server_name);
    cJSON_AddStringToObject(o, "version", s->server_version);
    cJSON_AddNumberToObject(o, "ready_ms", s->ready_ms);
    cJSON_AddNumberToObject(o, "tools", (double)s->tools);
    cJSON_AddNumberToObject(o, "resources", (double)s->resources);
    cJSON_AddNumberToObject(o, "prompts", (double)s->prompts);
    cJSON_AddNumberToObject(o, "catalogue_bytes", (double)s->catalogue_bytes);
    cJSON_AddNumberToObject(o, "junk_lines", (double)s->junk_lines);
    cJSON_AddNumberToObject(o, "stderr_bytes", (double)s->stderr_bytes);
    cJSON_AddNumberToObject(o, "late_answers", (double)s->late_answers);
    cJSON_AddStringToObject(o, "oddities", s->oddities);
    cJSON_AddStringToObject(o, "stderr", s->stderr_tail);
    cJSON_AddNumberToObject(o, "calls", (double)s->numbers.calls);
    cJSON_AddNumberToObject(o, "errors", (double)s->numbers.errors);
    cJSON_AddNumberToObject(times, "p50", (double)s->numbers.p50_us);
    cJSON_AddNumberToObject(times, "p95", (double)s->numbers.p95_us);
    cJSON_AddNumberToObject(times, "p99", (double)s->numbers.p99_us);
    cJSON_AddNumberToObject(times, "max", (double)s->numbers.max_us);
    cJSON_AddItemToObject(o, "run_us", times);
    return o;
}

/* The cache that daemons share, if there is one. */
static void add_redis(doctor *d) {
    redis_info info;
    if (!mcp_host_redis(d->run.host, &info)) return;
    strbuf_addf(&d->out, "redis %s: %s%s%s\n", info.where, redis_state_name(info.state),
                *info.why ? ": " : "", info.why);
    cJSON *o = cJSON_AddObjectToObject(d->json, "redis");
    cJSON_AddStringToObject(o, "where", info.where);
    cJSON_AddStringToObject(o, "state", redis_state_name(info.state));
    cJSON_AddStringToObject(o, "why", info.why);
}

/* ---- what to write --------------------------------------------------------------------------- */

/* What is to be merged into a server's entry; NULL: nothing that we know. */
static cJSON *fix_of(const mcp_definition *d) {
    const mcp_successor *next = mcp_definition_successor(d);
    if (!next) return NULL;
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "command", next->command);
    cJSON *args = cJSON_AddArrayToObject(o, "args");
    if (next->arg) cJSON_AddItemToArray(args, cJSON_CreateString(next->arg));
    return o;
}

static void add_fixes(doctor *d) {
    mcp_server_info s;
    cJSON *all = cJSON_AddArrayToObject(d->json, "fixes");
    for (size_t i = 0; mcp_server_at(d->run.host, i, &s); i++) {
        cJSON *patch = fix_of(s.definition);
        if (!patch || (d->run.only && strcmp(d->run.only, s.name) != 0)) {
            cJSON_Delete(patch);
            continue;
        }
        char *text = cJSON_Print(patch);
        strbuf_addf(&d->out, "in %s:%d put into \"%s\":\n%s\n",
                    s.definition->file ? s.definition->file : "its file", s.definition->line,
                    s.name, text);
        cJSON_free(text);
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "server", s.name);
        cJSON_AddStringToObject(one, "file", s.definition->file ? s.definition->file : "");
        cJSON_AddNumberToObject(one, "line", s.definition->line);
        cJSON_AddItemToObject(one, "patch", patch);
        cJSON_AddItemToArray(all, one);
    }
    if (!all->child) strbuf_addf(&d->out, "no entry is known to have a better one\n");
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* The files that servers come from, each once. */
static void add_files(doctor *d) {
    mcp_server_info s, other;
    for (size_t i = 0; mcp_server_at(d->run.host, i, &s); i++) {
        const char *file = s.definition->file;
        size_t here = 0, before = 0;
        for (size_t k = 0; file && mcp_server_at(d->run.host, k, &other); k++) {
            bool same = other.definition->file && !strcmp(other.definition->file, file);
            here += same;
            before += same && k < i;
        }
        if (here && !before)
            strbuf_addf(&d->out, "config %s (%s): %zu server%s\n", file,
                        mcp_run_scope(s.definition->scope), here, here == 1 ? "" : "s");
    }
}

/* Everything is known: writes it down and ends. */
static void report(doctor *d) {
    mcp_run *r = &d->run;
    mcp_server_info s;
    strbuf advice;
    size_t bytes = 0;
    strbuf_init(&advice, 1u << 20);
    add_files(d);
    strbuf_addf(&d->out, "%-14s %-9s %-6s %-10s %-12s %7s %5s %7s %5s %8s %8s %4s %4s\n", "NAME",
                "STATE", "ERA", "PROTOCOL", "VERSION", "READY", "TOOLS", "TOKENS", "CALLS", "P50",
                "P95", "ERR", "ENDS");
    cJSON *servers = cJSON_AddArrayToObject(d->json, "servers");
    for (size_t i = 0; mcp_server_at(r->host, i, &s); i++) {
        if (r->only && strcmp(r->only, s.name) != 0) continue;
        add_row(&d->out, &s);
        add_advice(d, &advice, &s);
        size_t before = advice.len;
        mcp_run_changes(r, s.name, &advice);
        cJSON *one = server_json(&s);
        if (advice.len > before) cJSON_AddStringToObject(one, "changes", advice.ptr + before);
        d->warnings += advice.len > before;
        cJSON_AddItemToArray(servers, one);
        d->wrong += s.state != MCP_READY && s.state != MCP_DISABLED && s.state != MCP_UNTRUSTED;
        bytes += s.catalogue_bytes;
    }
    strbuf_add_str(&advice, strbuf_str(&d->probes));
    if (bytes)
        strbuf_addf(&advice, "  i all catalogues: %zu kB, about %zu tokens\n", bytes / 1000,
                    bytes / 4);
    cJSON *notes = cJSON_AddArrayToObject(d->json, "notes");
    for (size_t i = 0; i < r->config.notes.count; i++) {
        const mcp_note *n = &r->config.notes.at[i];
        strbuf_addf(&advice, "  ! %s:%d:%d: %s\n", n->file, n->line, n->column, n->text);
        cJSON_AddItemToArray(notes, cJSON_CreateString(n->text));
        d->warnings++;
    }
    add_redis(d);
    strbuf_add_str(&d->out, strbuf_str(&advice));
    strbuf_deinit(&advice);
    if (r->args->fix) add_fixes(d);
    mcp_run_end(r);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void caller_end(caller *c) {
    doctor *d = c->doctor;
    xfree(c->server);
    xfree(c->tool);
    xfree(c->probe);
    xfree(c);
    if (--d->open == 0) report(d);
}

static void call_next(caller *c);

static void on_timed(void *ud, const mcp_answer *a) {
    caller *c = ud;
    bool go_on = a->outcome == MCP_OK || a->outcome == MCP_TOOL_ERROR;
    c->left--;
    if (go_on)
        call_next(c);
    else
        caller_end(c);
}

static void call_next(caller *c) {
    if (c->left == 0 || !c->tool || c->doctor->run.closing) {
        caller_end(c);
        return;
    }
    const mcp_order order = {.server = c->server,
                             .name = c->tool,
                             .purpose = MCP_FOR_USER,
                             .idle_ms = CALL_MS,
                             .total_ms = CALL_MS};
    mcp_call(c->doctor->run.host, &order, on_timed, c);
}

static void on_probed(void *ud, const mcp_answer *a) {
    caller *c = ud;
    doctor *d = c->doctor;
    cJSON *o = cJSON_AddObjectToObject(d->probed, c->server);
    cJSON_AddStringToObject(o, "tool", c->probe);
    cJSON_AddStringToObject(o, "outcome", mcp_outcome_name(a->outcome));
    cJSON_AddStringToObject(o, "message", a->message ? a->message : "");
    cJSON_AddNumberToObject(o, "ms", (double)a->run_us / 1000);
    if (a->outcome == MCP_OK)
        strbuf_addf(&d->probes, "  i %s: its probe %s was answered\n", c->server, c->probe);
    else if (a->outcome == MCP_DENIED) /* a rule of the configuration: as it is meant */
        strbuf_addf(&d->probes, "  i %s: not probed: %s\n", c->server, a->message);
    else {
        char line[600];
        snprintf(line, sizeof line, "its probe %.100s failed (%s): %.400s", c->probe,
                 mcp_outcome_name(a->outcome), a->message);
        add_warning(d, &d->probes, c->server, line);
    }
    call_next(c);
}

/* Its own call first: what fails there is not hidden by twenty others. */
static void call_first(caller *c) {
    doctor *d = c->doctor;
    cJSON *arguments = NULL;
    const char *tool = d->run.args->probe ? mcp_run_probe(&d->run, c->server, &arguments) : NULL;
    if (!tool) {
        if (d->run.args->probe)
            strbuf_addf(&d->probes, "  i %s: not probed: no call is known that changes nothing\n",
                        c->server);
        call_next(c);
        return;
    }
    c->probe = xstrdup(tool);
    const mcp_order order = {.server = c->server,
                             .name = c->probe,
                             .arguments = arguments,
                             .purpose = MCP_FOR_USER,
                             .idle_ms = 4 * CALL_MS,
                             .total_ms = 4 * CALL_MS,
                             .approved = true}; /* by who typed --probe */
    mcp_call(d->run.host, &order, on_probed, c);
    cJSON_Delete(arguments);
}

static void on_settled(mcp_run *r) {
    doctor *d = r->ud;
    mcp_server_info s;
    d->open = 1;
    for (size_t i = 0; mcp_server_at(r->host, i, &s); i++) {
        if (s.state != MCP_READY || (r->only && strcmp(r->only, s.name) != 0)) continue;
        const mcp_tool *t = d->timed ? mcp_run_harmless(r, s.name) : NULL;
        caller *c = xcalloc(1, sizeof *c);
        *c = (caller){d, xstrdup(s.name), t ? xstrdup(t->name) : NULL, NULL, TIMED};
        d->open++;
        call_first(c);
    }
    if (--d->open == 0) report(d);
}

status cli_mcp_doctor(const cli_args *a, bool timed, int *code, err *e) {
    doctor d = {.timed = timed};
    status s = mcp_run_open(&d.run, a, a->n_operands > 1 ? a->operands[1] : NULL, e);
    if (s != OK) return s;
    strbuf_init(&d.out, 1u << 20);
    strbuf_init(&d.probes, 1u << 20);
    d.json = cJSON_CreateObject();
    if (a->probe) d.probed = cJSON_AddObjectToObject(d.json, "probes");
    d.run.settled = on_settled;
    d.run.ud = &d;
    mcp_run_servers(&d.run);
    bool interrupted = d.run.interrupted;
    mcp_run_close(&d.run);
    if (interrupted)
        s = err_set(e, ERR_CANCELLED, "interrupted");
    else if (a->json)
        s = term_write_json(cJSON_Duplicate(d.json, true), e);
    else
        s = term_write(strbuf_str(&d.out), e);
    if (s == OK && d.wrong) {
        *code = SOME_FAILED;
        s = err_set(e, ERR_IO, "%zu MCP servers do not work", d.wrong);
    } else if (s == OK && d.warnings) {
        s = err_set(e, ERR_IO, "%zu things are to be mended; all servers that may start work",
                    d.warnings);
    }
    cJSON_Delete(d.json);
    strbuf_deinit(&d.out);
    strbuf_deinit(&d.probes);
    return s;
}
