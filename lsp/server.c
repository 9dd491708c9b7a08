/* SPDX-License-Identifier: Apache-2.0 */
/* One LSP connection: which method is handled by whom, and what is allowed when.
 *
 *            initialize            shutdown            exit
 *     NEW ----------------> RUNNING ---------> SHUT ---------> EXITED   exit code 0
 *      |                       |
 *      +-------- exit ---------+--------------------------> EXITED      exit code 1
 *
 * NEW:     requests other than initialize: -32002; notifications other than exit are dropped.
 * RUNNING: everything.   SHUT: requests: -32600.   EXITED: nothing is read any more.
 *
 * Invariant: unanswered counts the open promises; it is 0 in NEW, SHUT and EXITED.
 * Thread: loop.
 */
#include "lsp/server.h"

#include <cjson/cJSON.h>

#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include "lsp/admin.h"
#include "lsp/notes.h"
#include "lsp/tool_questions.h"
#include "lsp/tools.h"

/* ---- requests -------------------------------------------------------------------------------- */

static void execute_command(server *s, const cJSON *params, reply *r) {
    str command, argument;
    err e = {{0}};
    status st = protocol_read_command(params, &command, &argument, &e);
    if (!st && actions_command(s, command, params, r)) return;
    if (!st && !str_eq(command, STR("inlined.didAcceptCompletionItem")))
        st = err_set(&e, ERR_USAGE, "there is no command \"%.*s\"", (int)MIN(command.len, 100),
                     command.ptr);
    if (st) {
        reply_status(r, st, &e);
        return;
    }
    feedback_accepted(s, argument);
    reply_result(r, NULL);
}

static void tell_status(server *s, const cJSON *params, reply *r) {
    UNUSED(params);
    cJSON *json = server_status_json(s);
    protocol_add_counts(json, &s->feedback.counts);
    reply_result(r, json);
}

/* clang-format off */
static const struct {
    const char *method;
    void (*handle)(server *s, const cJSON *params, reply *r); /* takes r */
} requests[] = {
    {"codeAction/resolve",            actions_resolve},
    {"initialize",                    lifecycle_initialize},
    {"inlined/context/explain",       explain_request},
    {"inlined/daemon",                admin_daemon_request},
    {"inlined/models",                admin_models_request},
    {"inlined/status",                tell_status},
    {"inlined/tools",                 tool_questions_request},
    {"inlined/tools/restart",         tool_questions_restart},
    {"shutdown",                      lifecycle_shutdown},
    {"textDocument/codeAction",       actions_request},
    {"textDocument/completion",       inline_completion_menu_request},
    {"textDocument/diagnostic",       findings_request},
    {"textDocument/hover",            hover_request},
    {"textDocument/inlineCompletion", inline_completion_request},
    {"workspace/executeCommand",      execute_command},
    {"workspace/textDocumentContent", pages_request},
};
/* clang-format on */

static void on_request(void *ud, const rpc_id *id, const char *method, const cJSON *params) {
    server *s = ud;
    reply *r = reply_new(s, id, method);
    bool initialize = !strcmp(method, "initialize");
    if (s->state == SERVER_NEW && !initialize) {
        reply_error(r, LSP_NOT_INITIALIZED, "the first request must be initialize");
        return;
    }
    if (s->state == SERVER_SHUT) {
        reply_error(r, RPC_INVALID_REQUEST, "after shutdown only exit may come");
        return;
    }
    if (s->unanswered > LIMIT_REQUESTS_PENDING) {
        reply_error(r, LSP_REQUEST_FAILED, "too many requests are unanswered");
        return;
    }
    for (size_t i = 0; i < COUNTOF(requests); i++) {
        if (strcmp(requests[i].method, method)) continue;
        requests[i].handle(s, params, r);
        return;
    }
    char sentence[128];
    snprintf(sentence, sizeof sentence, "there is no method \"%.80s\"", method);
    reply_error(r, RPC_METHOD_NOT_FOUND, sentence);
}

/* ---- notifications --------------------------------------------------------------------------- */

static void cancel_request(server *s, const cJSON *params) {
    rpc_id id;
    if (!rpc_id_read(protocol_get(params, "id"), &id)) return;
    if (!inline_completion_cancel(s, &id)) (void)works_cancel(s, &id);
}

static void cancel_progress(server *s, const cJSON *params) {
    const cJSON *token = protocol_get(params, "token");
    if (s->progress_load && work_progress_is(&s->progress, token))
        (void)tiers_cancel(s->options.tiers, s->progress_load);
    else if (work_progress_is(&s->starting, token) && tools_slow_start(s->options.tools))
        mcp_server_stop(tools_host(s->options.tools), tools_slow_start(s->options.tools));
    else
        works_cancel_progress(s, token);
}

/* clang-format off */
static const struct {
    const char *method;
    void (*handle)(server *s, const cJSON *params);
} notifications[] = {
    {"$/cancelRequest",                           cancel_request},
    {"exit",                                      lifecycle_exit},
    {"initialized",                               lifecycle_initialized},
    {"inlined/diagnostics",                       notes_diagnostics},
    {"notebookDocument/didChange",                text_sync_notebook_change},
    {"notebookDocument/didClose",                 text_sync_notebook_close},
    {"notebookDocument/didOpen",                  text_sync_notebook_open},
    {"textDocument/didChange",                    text_sync_change},
    {"textDocument/didClose",                     text_sync_close},
    {"textDocument/didOpen",                      text_sync_open},
    {"textDocument/didPartiallyAcceptCompletion", feedback_did_accept_partly},
    {"textDocument/didSave",                      workspace_saved},
    {"textDocument/didShowCompletion",            feedback_did_show},
    {"window/workDoneProgress/cancel",            cancel_progress},
    {"workspace/didChangeConfiguration",          lifecycle_configuration_changed},
    {"workspace/didChangeWatchedFiles",           workspace_files_changed},
    {"workspace/didChangeWorkspaceFolders",       lifecycle_folders_changed},
};
/* clang-format on */

static void on_notification(void *ud, const char *method, const cJSON *params) {
    server *s = ud;
    bool running = s->state == SERVER_RUNNING;
    for (size_t i = 0; i < COUNTOF(notifications); i++) {
        if (strcmp(notifications[i].method, method)) continue;
        if (running || notifications[i].handle == lifecycle_exit)
            notifications[i].handle(s, params);
        return;
    }
    log_debug("lsp", "ignored a notification method=%.80s", method);
}

/* ---- what people see ------------------------------------------------------------------------- */

cJSON *server_status_json(server *s) {
    char message[512];
    lsp_status out;
    status_describe(server_model(s, ROLE_COMPLETION), &s->settings, &s->why, message, &out);
    return protocol_status(&out);
}

static void send_status(server *s, bool repeat) {
    if (s->state != SERVER_RUNNING) return;
    cJSON *json = server_status_json(s);
    char *text = cJSON_PrintUnformatted(json);
    uint64_t hash = hash64(0, text, strlen(text));
    cJSON_free(text);
    if (s->copilot_client && hash != s->status_told)
        rpc_notify(s->rpc, "didChangeStatus", protocol_copilot_status(json));
    if (s->features.status && (repeat || hash != s->status_told))
        rpc_notify(s->rpc, "inlined/status", json);
    else
        cJSON_Delete(json);
    s->status_told = hash;
}

void server_tell_status(server *s) {
    send_status(s, false);
}

void server_tell_reason(server *s, const char *reason, const char *detail, str uri) {
    bool news = reason[0] || s->why.reason[0];
    s->why.reason = reason;
    snprintf(s->why.detail, sizeof s->why.detail, "%.255s", detail);
    snprintf(s->why.uri, sizeof s->why.uri, "%.*s", (int)MIN(uri.len, sizeof s->why.uri - 1),
             reason[0] && uri.ptr ? uri.ptr : "");
    s->why.uri[utf8_complete_prefix(str_of(s->why.uri))] = '\0';
    if (news) send_status(s, reason[0] != 0);
}

void server_tell_user(server *s, lsp_message_type type, const char *sentence) {
    rpc_notify(s->rpc, type == MESSAGE_LOG ? "window/logMessage" : "window/showMessage",
               protocol_message(type, sentence));
}

const model *server_model(const server *s, model_role role) {
    return tiers_look(s->options.tiers, &s->settings, role);
}

const model *server_want_model(server *s, model_role role) {
    bool may = s->settings_known && s->settings.enable;
    return may ? tiers_want(s->options.tiers, &s->settings, role) : server_model(s, role);
}

/* Bit per role that `m` serves here, or should. */
static unsigned roles_of(const server *s, const model *m) {
    unsigned roles = 0;
    for (model_role role = 0; role < ROLE_COUNT; role++) {
        bool mine =
            server_model(s, role) == m || tiers_missed(s->options.tiers, &s->settings, role) == m;
        roles |= (unsigned)mine << role;
    }
    return roles;
}

/* One model is shown at a time: the engine loads one at a time, too. */
static void show_progress(server *s, const model *m) {
    bool loading = m->state == MODEL_LOADING;
    if (loading && (!s->progress_load || s->progress_load == m->load)) {
        char title[160], what[96];
        snprintf(title, sizeof title, "Loading %.120s", m->name);
        snprintf(what, sizeof what, "%s", m->what);
        if (m->seconds_left >= 1)
            snprintf(what, sizeof what, "%s, %.0f s left", m->what, m->seconds_left);
        work_progress_report(&s->progress, title, what, m->percent);
        s->progress_load = m->load;
        s->progress_model = m;
    } else if (!loading && s->progress_model == m) {
        work_progress_end(&s->progress, m->state == MODEL_READY      ? "ready"
                                        : m->status == ERR_CANCELLED ? "cancelled"
                                                                     : "failed");
        s->progress_load = 0;
        s->progress_model = NULL;
    }
}

/* Once until the model is there again. */
static void tell_trouble(server *s, const model *m, unsigned roles) {
    if (!s->settings.enable || (s->trouble_told & roles) == roles) return;
    s->trouble_told |= roles;
    strbuf text;
    strbuf_init(&text, 2048);
    strbuf_addf(&text, "%s", m->error.text);
    for (model_role role = 0; role < ROLE_COUNT; role++) {
        const model *serves = server_model(s, role);
        if (!(roles & (1u << role)) || serves == m) continue;
        strbuf_addf(&text, "; meanwhile %s serves %s", serves->name, model_role_name(role));
    }
    server_tell_user(s, MESSAGE_WARNING, text.ptr);
    strbuf_deinit(&text);
}

void server_model_changed(server *s, const model *m) {
    unsigned roles = s->state == SERVER_RUNNING ? roles_of(s, m) : 0;
    if (!roles) return;
    show_progress(s, m);
    if (m->state == MODEL_FAILED) {
        if (roles & (1u << ROLE_COMPLETION)) (void)server_want_model(s, ROLE_COMPLETION);
        tell_trouble(s, m, roles);
    }
    if (m->state == MODEL_READY) {
        s->trouble_told &= ~roles;
        if (roles & (1u << ROLE_COMPLETION)) s->why = (status_reason){.reason = ""};
    }
    server_tell_status(s);
    works_model_changed(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void on_write(void *ud, str framed) {
    server *s = ud;
    s->host.write(s->host.ud, framed);
}

server *server_new(const server_host *host, const server_options *options) {
    server *s = xcalloc(1, sizeof *s);
    s->host = *host;
    s->options = *options;
    s->settings = s->initial = *options->settings;
    s->encoding = ENCODING_UTF16;
    s->why.reason = "";
    s->context = context_new();
    s->rpc = rpc_new(FRAME_HEADERS, &(rpc_hooks){.ud = s,
                                                 .write = on_write,
                                                 .request = on_request,
                                                 .notification = on_notification});
    inline_completion_init(s);
    return s;
}

void server_free(server *s) {
    if (!s) return;
    s->state = SERVER_EXITED;
    workspace_gone(s);
    tool_questions_deinit(s);
    inline_completion_deinit(s);
    works_abandon(s);
    enrich_deinit(s);
    hover_deinit(s);
    findings_deinit(s);
    pages_deinit(s);
    rpc_free(s->rpc);
    ASSERT(s->unanswered == 0);
    context_free(s->context);
    for (size_t i = 0; i < s->roots.count; i++)
        xfree(s->roots.at[i]);
    for (size_t i = 0; i < s->unknown.count; i++)
        xfree(s->unknown.at[i]);
    vec_free(&s->roots);
    vec_free(&s->unknown);
    xfree(s);
}

status server_bytes(server *s, str bytes, err *e) {
    return rpc_feed(s->rpc, bytes, e);
}

bool server_at_boundary(const server *s) {
    return rpc_at_boundary(s->rpc);
}

void server_timer(server *s) {
    if (s->state == SERVER_RUNNING) inline_completion_timer(s);
}

/* What is missing from the list of tools, and why: its server downloads, or is slow. */
static void show_starting(server *s) {
    char message[128];
    const char *name = tools_slow_start(s->options.tools);
    if (!name) {
        work_progress_end(&s->starting, "");
        return;
    }
    snprintf(message, sizeof message, "%.80s is starting", name);
    work_progress_report(&s->starting, "MCP server", message, -1);
}

void server_tick(server *s) {
    rpc_expire(s->rpc, clock_ms());
    if (s->options.tools) tools_tick(s->options.tools);
    if (s->options.tools && s->state == SERVER_RUNNING) show_starting(s);
    if (s->state == SERVER_RUNNING) tiers_keep(s->options.tiers, &s->settings);
    workspace_tick(s);
    hover_tick(s);
}
