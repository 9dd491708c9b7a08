/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of MCP servers to the person at the editor.
 *
 * The sentence shows what is decided: the whole command line, or the tool with its arguments.  A
 * title that comes back decides; no answer, an error, or a closed box is no decision (the host
 * counts it as dismissed).  Thread: loop.
 */
#include "lsp/tool_questions.h"

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "engine/base/vec.h"
#include "lsp/position.h"
#include "lsp/server.h"
#include "lsp/tools.h"

#define SHOWN_BYTES 600 /* of a command line or of arguments: a box holds no more */

typedef struct {
    server *server;
    uint64_t question;
    mcp_ask kind;
    char *url; /* MCP_ASK_URL */
} pending;

static const char yes_start[] = "Start it", yes_once[] = "Allow once",
                  yes_always[] = "Always allow", yes_open[] = "Open", no_text[] = "No";

static void open_url(server *s, const char *url) {
    cJSON *p = cJSON_CreateObject();
    cJSON_AddStringToObject(p, "uri", url);
    cJSON_AddBoolToObject(p, "external", true);
    rpc_request(s->rpc, "window/showDocument", p, clock_ms() + LIMIT_MCP_ASK_MS, NULL, NULL);
}

static mcp_decision decision_of(const pending *p, const char *title) {
    if (!title) return MCP_DISMISS;
    if (!strcmp(title, no_text)) return MCP_DENY;
    if (!strcmp(title, yes_start) || !strcmp(title, yes_always)) return MCP_ALLOW_ALWAYS;
    if (!strcmp(title, yes_once)) return MCP_ALLOW_ONCE;
    return p->kind == MCP_ASK_URL && !strcmp(title, yes_open) ? MCP_ALLOW_ONCE : MCP_DISMISS;
}

static void on_answer(void *ud, const rpc_answer *a) {
    pending *p = ud;
    server *s = p->server;
    const char *title =
        a->status ? NULL
                  : cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(a->result, "title"));
    mcp_decision d = decision_of(p, title);
    if (s->state == SERVER_RUNNING) {
        if (d == MCP_ALLOW_ONCE && p->kind == MCP_ASK_URL) open_url(s, p->url);
        tools_decide(s->options.tools, p->question, d, NULL);
    }
    xfree(p->url);
    xfree(p);
}

/* A text from a server or a model, short and valid, in one line. */
static void add_shown(strbuf *out, const char *text) {
    str s = str_of(text);
    bool cut = s.len > SHOWN_BYTES;
    s = str_sub(s, 0, MIN(s.len, SHOWN_BYTES));
    s.len = utf8_complete_prefix(s);
    for (size_t i = 0; i < s.len; i++)
        strbuf_add_char(out, (unsigned char)s.ptr[i] < ' ' ? ' ' : s.ptr[i]);
    if (cut) strbuf_add_str(out, STR("…"));
}

static void add_sentence(strbuf *out, const mcp_question *q) {
    char *data = q->data ? cJSON_PrintUnformatted(q->data) : NULL;
    switch (q->kind) {
    case MCP_ASK_SERVER:
        strbuf_addf(out, "This project wants to start the MCP server %s: ", q->server);
        add_shown(out, q->text);
        break;
    case MCP_ASK_TOOL:
        strbuf_addf(out, "May the model call %s of %s with ", q->tool, q->server);
        add_shown(out, data ? data : "{}");
        strbuf_add_char(out, '?');
        break;
    case MCP_ASK_URL:
        strbuf_addf(out, "The MCP server %s asks you to open ", q->server);
        add_shown(out, q->text);
        break;
    case MCP_ASK_FORM:
    case MCP_ASK_TEXT: break;
    }
    cJSON_free(data);
}

static cJSON *message(const mcp_question *q) {
    strbuf text;
    strbuf_init(&text, 4096);
    add_sentence(&text, q);
    const char *titles[] = {q->kind == MCP_ASK_SERVER ? yes_start
                            : q->kind == MCP_ASK_URL  ? yes_open
                                                      : yes_once,
                            q->kind == MCP_ASK_TOOL ? yes_always : NULL, no_text};
    cJSON *p = cJSON_CreateObject();
    cJSON_AddNumberToObject(p, "type", MESSAGE_INFO);
    cJSON_AddStringToObject(p, "message", text.ptr ? text.ptr : "");
    cJSON *actions = cJSON_AddArrayToObject(p, "actions");
    for (size_t i = 0; i < COUNTOF(titles); i++) {
        if (!titles[i]) continue;
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "title", titles[i]);
        cJSON_AddItemToArray(actions, one);
    }
    strbuf_deinit(&text);
    return p;
}

void tool_questions_ask(server *s, const mcp_question *q) {
    bool can = q->kind != MCP_ASK_FORM && q->kind != MCP_ASK_TEXT;
    if (!can || s->state != SERVER_RUNNING) {
        tools_decide(s->options.tools, q->id, MCP_DENY, NULL);
        return;
    }
    pending *p = xcalloc(1, sizeof *p);
    *p = (pending){.server = s, .question = q->id, .kind = q->kind};
    if (q->kind == MCP_ASK_URL) p->url = xstrdup(q->text);
    rpc_request(s->rpc, "window/showMessageRequest", message(q), clock_ms() + LIMIT_MCP_ASK_MS,
                on_answer, p);
}

/* ---- notes about files ----------------------------------------------------------------------- */

static str line_at(str text, size_t number) {
    str line = {0};
    for (size_t i = 0; i <= number; i++)
        if (!str_split(&text, '\n', &line)) return (str){0};
    return line;
}

/* Where the quoted text, word or character that begins at `from` ends. */
static size_t mark_end(str line, size_t from) {
    char first = from < line.len ? line.ptr[from] : '\0';
    size_t i = from + 1;
    if (first == '"' || first == '\'') {
        while (i < line.len && line.ptr[i] != first)
            i += 1 + (line.ptr[i] == '\\');
        return MIN(i + 1, line.len);
    }
    while (i < line.len && !strchr(" \t\r,:=[]{}#\"'", line.ptr[i]))
        i++;
    return MIN(i, line.len);
}

/* Columns of notes are bytes of the file's line; the client counts in its own units. */
static cJSON *note_diagnostic(const server *s, const mcp_note *n, str text) {
    cJSON *d = cJSON_CreateObject();
    size_t number = (size_t)MAX(n->line - 1, 0);
    str line = line_at(text, number);
    size_t from = MIN((size_t)MAX(n->column - 1, 0), line.len), to = mark_end(line, from);
    lsp_range range = {{(uint32_t)number, position_units(line, s->encoding, from)},
                       {(uint32_t)number, position_units(line, s->encoding, to)}};
    cJSON_AddItemToObject(d, "range", protocol_range(range));
    cJSON_AddNumberToObject(d, "severity", n->error ? 1 : 2);
    cJSON_AddStringToObject(d, "source", "inlined");
    cJSON_AddStringToObject(d, "message", n->text);
    return d;
}

static void publish(server *s, const char *file, cJSON *diagnostics) {
    strbuf uri;
    strbuf_init(&uri, 1u << 16);
    uri_add_path(&uri, str_of(file));
    cJSON *p = cJSON_CreateObject();
    cJSON_AddStringToObject(p, "uri", uri.ptr ? uri.ptr : "");
    cJSON_AddItemToObject(p, "diagnostics", diagnostics);
    rpc_notify(s->rpc, "textDocument/publishDiagnostics", p);
    strbuf_deinit(&uri);
}

static bool has_notes(const mcp_config *c, const char *file) {
    for (size_t i = 0; i < c->notes.count; i++)
        if (!strcmp(c->notes.at[i].file, file)) return true;
    return false;
}

void tool_questions_show_notes(server *s, const mcp_config *c) {
    if (s->state != SERVER_RUNNING) return;
    for (size_t i = s->noted_files.count; i > 0; i--) {
        char *file = s->noted_files.at[i - 1];
        if (has_notes(c, file)) continue;
        publish(s, file, cJSON_CreateArray());
        xfree(file);
        vec_remove(&s->noted_files, i - 1);
    }
    for (size_t i = 0; i < c->notes.count; i++) {
        const char *file = c->notes.at[i].file;
        bool first = true;
        cJSON *all = cJSON_CreateArray();
        strbuf text;
        strbuf_init(&text, LIMIT_MCP_CONFIG_BYTES);
        if (file_read(file, LIMIT_MCP_CONFIG_BYTES, &text, NULL)) strbuf_clear(&text); /* gone */
        for (size_t k = 0; k < c->notes.count; k++) {
            if (strcmp(c->notes.at[k].file, file)) continue;
            first &= k >= i;
            cJSON_AddItemToArray(all, note_diagnostic(s, &c->notes.at[k], strbuf_str(&text)));
        }
        strbuf_deinit(&text);
        if (!first) { /* its turn was an earlier note's */
            cJSON_Delete(all);
            continue;
        }
        publish(s, file, all);
        bool known = false;
        for (size_t k = 0; k < s->noted_files.count; k++)
            known |= !strcmp(s->noted_files.at[k], file);
        if (!known) vec_push(&s->noted_files, xstrdup(file));
    }
}

/* ---- what there is --------------------------------------------------------------------------- */

#define CHANGES_BYTES 4096 /* of one tool that a person is shown here */

/* Tools that cannot be called because they are not what was approved. */
static cJSON *quarantined_json(mcp_host *h, const char *name) {
    cJSON *all = cJSON_CreateArray();
    const mcp_tool *t;
    for (size_t i = 0; (t = mcp_tool_at(h, name, i)); i++) {
        if (!t->quarantined) continue;
        strbuf changes;
        strbuf_init(&changes, 1u << 20);
        mcp_tool_changes(h, name, t->name, &changes);
        str lines = str_sub(strbuf_str(&changes), 0, MIN(changes.len, CHANGES_BYTES));
        lines.len = utf8_complete_prefix(lines);
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", t->name);
        cJSON_AddItemToObject(o, "changes", protocol_text(lines));
        cJSON_AddItemToArray(all, o);
        strbuf_deinit(&changes);
    }
    return all;
}

static cJSON *servers_json(mcp_host *h) {
    cJSON *all = cJSON_CreateArray();
    mcp_server_info info;
    for (size_t i = 0; h && mcp_server_at(h, i, &info); i++) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", info.name);
        cJSON_AddStringToObject(o, "state", mcp_state_name(info.state));
        cJSON_AddStringToObject(o, "why", info.why);
        cJSON_AddNumberToObject(o, "tools", (double)info.tools);
        cJSON_AddStringToObject(o, "version", info.server_version);
        cJSON_AddNumberToObject(o, "calls", (double)info.numbers.calls);
        cJSON_AddNumberToObject(o, "errors", (double)info.numbers.errors);
        cJSON_AddNumberToObject(o, "p50Us", (double)info.numbers.p50_us);
        cJSON_AddNumberToObject(o, "p95Us", (double)info.numbers.p95_us);
        cJSON_AddItemToObject(o, "quarantined", quarantined_json(h, info.name));
        cJSON_AddItemToArray(all, o);
    }
    return all;
}

void tool_questions_restart(server *s, const cJSON *params, reply *r) {
    const cJSON *name = protocol_get(params, "server");
    mcp_host *h = s->options.tools ? tools_host(s->options.tools) : NULL;
    mcp_server_info info;
    if (!h || !cJSON_IsString(name) || !mcp_server_get(h, name->valuestring, &info)) {
        reply_error(r, RPC_INVALID_PARAMS, "\"server\" must name an MCP server of inlined/tools");
        return;
    }
    mcp_server_restart(h, name->valuestring);
    reply_result(r, cJSON_CreateNull());
}

void tool_questions_request(server *s, const cJSON *params, reply *r) {
    UNUSED(params);
    tools *t = s->options.tools;
    cJSON *result = cJSON_CreateObject();
    agent_tool *list = xcalloc(LIMIT_AGENT_TOOLS, sizeof *list);
    if (t) tools_wake(t);
    size_t n = t ? tools_list(t, list, LIMIT_AGENT_TOOLS) : 0;
    cJSON_AddItemToObject(result, "servers", servers_json(t ? tools_host(t) : NULL));
    cJSON *all = cJSON_AddArrayToObject(result, "tools");
    for (size_t i = 0; i < n; i++) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", list[i].name);
        cJSON_AddStringToObject(o, "description", list[i].description);
        cJSON_AddItemToArray(all, o);
    }
    xfree(list);
    reply_result(r, result);
}

void tool_questions_deinit(server *s) {
    for (size_t i = 0; i < s->noted_files.count; i++)
        xfree(s->noted_files.at[i]);
    vec_free(&s->noted_files);
}
