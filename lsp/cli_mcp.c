/* SPDX-License-Identifier: Apache-2.0 */
/* inlined mcp: list, call, approve, forget; doctor and test are in cli_mcp_doctor.c.
 *
 * Each command makes a host, does one thing and closes it: nothing keeps running.  Nobody is asked
 * anything: who types `call` has approved that call, and a project's servers need `approve` first.
 * Thread: main. */
#include "lsp/cli_mcp.h"

#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "lsp/cli_term.h"
#include "mcp/rpc.h"

/* ---- a host for one command ------------------------------------------------------------------ */

static bool is_meant(const mcp_run *r, const char *server) {
    return !r->only || strcmp(r->only, server) == 0;
}

static bool all_settled(mcp_run *r) {
    mcp_server_info s;
    for (size_t i = 0; mcp_server_at(r->host, i, &s); i++)
        if (is_meant(r, s.name) && (s.state == MCP_STARTING || s.state == MCP_DRAINING))
            return false;
    return true;
}

static void on_changed(void *ud, const char *server) {
    mcp_run *r = ud;
    UNUSED(server);
    if (r->changed && r->host && !r->closing) r->changed(r);
    if (r->closing || r->told || !r->begun || !r->settled || !r->host || !all_settled(r)) return;
    r->told = true;
    r->settled(r);
}

static void on_interrupt(void *ud) {
    mcp_run *r = ud;
    r->interrupted = true;
    mcp_run_end(r);
}

static void on_host_closed(void *ud) {
    mcp_run *r = ud;
    r->host = NULL;
    loop_signal_close(&r->interrupt);
}

void mcp_run_end(mcp_run *r) {
    if (r->closing) return;
    r->closing = true;
    mcp_host_close(r->host, on_host_closed, r);
}

static status read_config(mcp_run *r, const char *workspace, err *e) {
    mcp_config_init(&r->config);
    if (!r->args->file) {
        mcp_config_discover(&r->config, workspace);
        return OK;
    }
    return mcp_config_read_path(&r->config, r->args->file, MCP_USER, workspace, e);
}

static void on_ask(void *ud, const mcp_question *q) {
    mcp_run *r = ud;
    r->ask(r, q);
}

status mcp_run_open(mcp_run *r, const cli_args *a, const char *only, err *e) {
    return mcp_run_open_asking(r, a, only, NULL, e);
}

status mcp_run_open_asking(mcp_run *r, const cli_args *a, const char *only,
                           void (*ask)(mcp_run *r, const mcp_question *q), err *e) {
    *r = (mcp_run){.args = a, .only = only, .ask = ask};
    char workspace[PATH_MAX];
    if (!getcwd(workspace, sizeof workspace))
        return err_set(e, ERR_IO, "the current folder cannot be read");
    status s = read_config(r, workspace, e);
    if (s == OK && only && !mcp_config_find(&r->config, only))
        s = err_set(e, ERR_USAGE, "no MCP server \"%.80s\" is configured; see inlined mcp list",
                    only);
    if (s != OK) {
        mcp_config_deinit(&r->config);
        return s;
    }
    char *state = mcp_folder(MCP_FOLDER_STATE), *cache = mcp_folder(MCP_FOLDER_CACHE);
    loop_init(&r->loop);
    loop_signal_init(&r->loop, &r->interrupt, SIGINT, on_interrupt, r);
    uv_unref((uv_handle_t *)&r->interrupt.handle);
    const mcp_options options = {.workspace = workspace,
                                 .state_dir = state,
                                 .cache_dir = cache,
                                 .redis = getenv("INLINED_REDIS")};
    r->host =
        mcp_host_new(&r->loop.uv, &options,
                     &(mcp_hooks){.ud = r, .ask = ask ? on_ask : NULL, .changed = on_changed});
    mcp_host_configure(r->host, &r->config);
    xfree(state);
    xfree(cache);
    return OK;
}

void mcp_run_servers(mcp_run *r) {
    mcp_server_info s;
    for (size_t i = 0; mcp_server_at(r->host, i, &s); i++)
        if (is_meant(r, s.name)) mcp_server_start(r->host, s.name);
    r->begun = true;
    on_changed(r, "");
    loop_run(&r->loop);
}

void mcp_run_close(mcp_run *r) {
    mcp_run_end(r);
    loop_deinit(&r->loop);
    mcp_config_deinit(&r->config);
}

const mcp_tool *mcp_run_harmless(mcp_run *r, const char *server) {
    const mcp_tool *t;
    for (size_t i = 0; (t = mcp_tool_at(r->host, server, i)); i++) {
        const cJSON *schema = cJSON_GetObjectItemCaseSensitive(t->definition, "inputSchema");
        const cJSON *required = cJSON_GetObjectItemCaseSensitive(schema, "required");
        if (t->annotated && t->read_only && !t->open_world && !cJSON_GetArraySize(required))
            return t;
    }
    return NULL;
}

void mcp_run_changes(mcp_run *r, const char *server, strbuf *out) {
    const mcp_tool *t;
    for (size_t i = 0; (t = mcp_tool_at(r->host, server, i)); i++) {
        strbuf changes;
        strbuf_init(&changes, 1u << 20);
        if (mcp_tool_changes(r->host, server, t->name, &changes)) {
            str rest = strbuf_str(&changes), line;
            strbuf_addf(out, "  ! tool %s has changed since it was approved:\n", t->name);
            while (str_split(&rest, '\n', &line))
                if (line.len) strbuf_addf(out, "      %.*s\n", STR_ARG(line));
        }
        strbuf_deinit(&changes);
    }
}

/* ---- list ------------------------------------------------------------------------------------ */

const char *mcp_run_scope(mcp_scope s) {
    static const char *const names[] = {[MCP_IMPORTED] = "imported",
                                        [MCP_USER] = "user",
                                        [MCP_PROJECT] = "project",
                                        [MCP_LOCAL] = "local"};
    return names[s];
}

static cJSON *list_item(mcp_run *r, const mcp_server_info *s) {
    cJSON *o = cJSON_CreateObject();
    strbuf shown;
    strbuf_init(&shown, 1u << 20);
    mcp_definition_show(s->definition, &shown);
    cJSON_AddStringToObject(o, "name", s->name);
    cJSON_AddStringToObject(o, "state", mcp_state_name(s->state));
    cJSON_AddStringToObject(o, "scope", mcp_run_scope(s->definition->scope));
    cJSON_AddStringToObject(o, "runs", shown.ptr ? shown.ptr : "");
    cJSON_AddStringToObject(o, "file", s->definition->file ? s->definition->file : "");
    cJSON_AddNumberToObject(o, "line", s->definition->line);
    if (*s->why) cJSON_AddStringToObject(o, "why", s->why);
    strbuf_clear(&shown);
    mcp_run_changes(r, s->name, &shown);
    if (shown.len) cJSON_AddStringToObject(o, "changes", shown.ptr);
    strbuf_deinit(&shown);
    return o;
}

static status list_json(mcp_run *r, err *e) {
    cJSON *root = cJSON_CreateObject(), *servers = cJSON_AddArrayToObject(root, "servers");
    cJSON *notes = cJSON_AddArrayToObject(root, "notes");
    mcp_server_info s;
    for (size_t i = 0; mcp_server_at(r->host, i, &s); i++)
        cJSON_AddItemToArray(servers, list_item(r, &s));
    for (size_t i = 0; i < r->config.notes.count; i++) {
        const mcp_note *n = &r->config.notes.at[i];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "severity", n->error ? "error" : "warning");
        cJSON_AddStringToObject(o, "file", n->file);
        cJSON_AddNumberToObject(o, "line", n->line);
        cJSON_AddNumberToObject(o, "column", n->column);
        cJSON_AddStringToObject(o, "text", n->text);
        cJSON_AddItemToArray(notes, o);
    }
    return term_write_json(root, e);
}

static status list(const cli_args *a, err *e) {
    mcp_run r;
    status st = mcp_run_open(&r, a, NULL, e);
    if (st != OK) return st;
    if (a->json) {
        st = list_json(&r, e);
        mcp_run_close(&r);
        return st;
    }
    strbuf out;
    strbuf_init(&out, 1u << 24);
    mcp_server_info s;
    for (size_t i = 0; mcp_server_at(r.host, i, &s); i++) {
        strbuf_addf(&out, "%-16s %-10s %-8s ", s.name, mcp_state_name(s.state),
                    mcp_run_scope(s.definition->scope));
        strbuf shown;
        strbuf_init(&shown, 1u << 20);
        mcp_definition_show(s.definition, &shown);
        strbuf_addf(&out, "%s\n", shown.ptr ? shown.ptr : "");
        strbuf_deinit(&shown);
        if (*s.why) strbuf_addf(&out, "  %s\n", s.why);
        mcp_run_changes(&r, s.name, &out);
    }
    if (!out.len) strbuf_addf(&out, "no MCP servers are configured here; docs/MCP.md says how\n");
    for (size_t i = 0; i < r.config.notes.count; i++) {
        const mcp_note *n = &r.config.notes.at[i];
        strbuf_addf(&out, "%s:%d:%d: %s\n", n->file, n->line, n->column, n->text);
    }
    st = term_write(strbuf_str(&out), e);
    strbuf_deinit(&out);
    mcp_run_close(&r);
    return st;
}

/* ---- approve, forget ------------------------------------------------------------------------- */

static status approve(const cli_args *a, err *e) {
    mcp_run r;
    status st = mcp_run_open(&r, a, a->n_operands > 1 ? a->operands[1] : NULL, e);
    if (st != OK) return st;
    strbuf out;
    strbuf_init(&out, 1u << 24);
    mcp_server_info s;
    cJSON *root = cJSON_CreateObject(), *approved = cJSON_AddArrayToObject(root, "approved");
    for (size_t i = 0; mcp_server_at(r.host, i, &s); i++) {
        if (!is_meant(&r, s.name)) continue;
        cJSON_AddItemToArray(approved, list_item(&r, &s));
        strbuf shown;
        strbuf_init(&shown, 1u << 20);
        mcp_definition_show(s.definition, &shown);
        mcp_run_changes(&r, s.name, &out);
        mcp_server_approve(r.host, s.name);
        strbuf_addf(&out, "approved %s: %s\n", s.name, shown.ptr ? shown.ptr : "");
        strbuf_deinit(&shown);
    }
    if (a->json)
        st = term_write_json(root, e);
    else
        st = term_write(strbuf_str(&out), e);
    if (!a->json) cJSON_Delete(root);
    strbuf_deinit(&out);
    mcp_run_close(&r);
    return st;
}

static status forget(const cli_args *a, err *e) {
    if (a->n_operands != 2) return err_set(e, ERR_USAGE, "mcp forget takes the name of a server");
    mcp_run r;
    status st = mcp_run_open(&r, a, a->operands[1], e);
    if (st != OK) return st;
    mcp_server_forget(r.host, a->operands[1]);
    mcp_run_close(&r);
    if (!a->json) return OK;
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "forgotten", a->operands[1]);
    return term_write_json(root, e);
}

/* ---- call ------------------------------------------------------------------------------------ */

typedef struct {
    mcp_run run;
    cJSON *arguments;
    status status;
    bool ended;
    err *e;
} call_run;

static cJSON *answer_json(const mcp_answer *a) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "outcome", mcp_outcome_name(a->outcome));
    if (a->message) cJSON_AddStringToObject(o, "message", a->message);
    if (a->code) cJSON_AddNumberToObject(o, "code", a->code);
    if (a->result) cJSON_AddItemToObject(o, "result", cJSON_Duplicate(a->result, true));
    cJSON_AddNumberToObject(o, "run_us", (double)a->run_us);
    cJSON_AddNumberToObject(o, "bytes", (double)a->bytes);
    return o;
}

static void on_answer(void *ud, const mcp_answer *a) {
    call_run *c = ud;
    c->ended = true;
    bool good = a->outcome == MCP_OK, shown = good || a->outcome == MCP_TOOL_ERROR;
    if (c->run.args->json) {
        c->status = term_write_json(answer_json(a), c->e);
    } else if (shown) {
        c->status = term_write(a->text, c->e);
        if (c->status == OK) c->status = term_write(STR("\n"), c->e);
    }
    if (c->status == OK && !good)
        c->status =
            err_set(c->e, ERR_IO, "%s: %.300s", mcp_outcome_name(a->outcome),
                    a->outcome == MCP_TOOL_ERROR ? "the tool says that it failed" : a->message);
    mcp_run_end(&c->run);
}

static status read_arguments(const cli_args *a, cJSON **out, err *e) {
    *out = NULL;
    if (a->n_operands < 4) return OK;
    strbuf text;
    strbuf_init(&text, LIMIT_MCP_CONFIG_BYTES);
    status s = OK;
    if (strcmp(a->operands[3], "-") == 0)
        s = file_read("-", LIMIT_MCP_CONFIG_BYTES, &text, e);
    else
        strbuf_addf(&text, "%s", a->operands[3]);
    if (s == OK) s = rpc_parse(text.ptr ? text.ptr : (char[]){0}, text.len, out, e);
    if (s == OK && !cJSON_IsObject(*out))
        s = err_set(e, ERR_USAGE, "the arguments of a tool are a JSON object");
    strbuf_deinit(&text);
    return s;
}

static status call(const cli_args *a, err *e) {
    if (a->n_operands < 3)
        return err_set(e, ERR_USAGE, "usage: inlined mcp call SERVER TOOL [ARGUMENTS]");
    call_run c = {.e = e};
    status s = read_arguments(a, &c.arguments, e);
    if (s == OK) s = mcp_run_open(&c.run, a, a->operands[1], e);
    if (s == OK) {
        const mcp_order order = {.server = a->operands[1],
                                 .name = a->operands[2],
                                 .arguments = c.arguments,
                                 .purpose = MCP_FOR_USER,
                                 .approved = true};
        mcp_call(c.run.host, &order, on_answer, &c);
        loop_run(&c.run.loop);
        mcp_run_close(&c.run);
        s = c.status;
    }
    cJSON_Delete(c.arguments);
    return s;
}

status cli_mcp(const cli_args *a, int *code, err *e) {
    const char *verb = a->operands[0];
    if (strcmp(verb, "list") == 0) return list(a, e);
    if (strcmp(verb, "doctor") == 0) return cli_mcp_doctor(a, true, code, e);
    if (strcmp(verb, "test") == 0) return cli_mcp_doctor(a, false, code, e);
    if (strcmp(verb, "call") == 0) return call(a, e);
    if (strcmp(verb, "login") == 0) return cli_mcp_login(a, e);
    if (strcmp(verb, "approve") == 0) return approve(a, e);
    if (strcmp(verb, "serve") == 0) return cli_mcp_serve(a, e);
    if (strcmp(verb, "forget") == 0) return forget(a, e);
    if (strcmp(verb, "bench") == 0) return cli_mcp_bench(a, e);
    if (strcmp(verb, "export") == 0) return cli_mcp_export(a, e);
    return err_set(e, ERR_USAGE, "unknown 'mcp %.60s'; see inlined mcp --help", verb);
}
