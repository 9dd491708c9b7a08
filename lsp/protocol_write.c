/* SPDX-License-Identifier: Apache-2.0 */
/* Structs to cJSON: the shapes of what we send, each in one place.  Everything returned belongs to
 * the caller.  Allocation cannot fail here (mcp/rpc.c gave cJSON our allocator), so results are not
 * checked.  Thread: loop; no state. */
#include <cjson/cJSON.h>

#include "engine/base/mem.h"
#include "lsp/position.h"
#include "lsp/protocol.h"

cJSON *protocol_text(str s) {
    char *text = xstrndup(s.ptr ? s.ptr : "", s.len);
    cJSON *json = cJSON_CreateString(text);
    xfree(text);
    return json;
}

static cJSON *position_json(lsp_position p) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "line", p.line);
    cJSON_AddNumberToObject(json, "character", p.character);
    return json;
}

cJSON *protocol_range(lsp_range r) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "start", position_json(r.start));
    cJSON_AddItemToObject(json, "end", position_json(r.end));
    return json;
}

/* ---- life cycle ------------------------------------------------------------------------------ */

/* After which characters an editor asks for its menu by itself, beside those of words. */
static void add_menu_options(cJSON *to) {
    static const char *const triggers[] = {" ", ".", ",", "(", "[", "{", "=", ":", ">"};
    cJSON *list = cJSON_AddArrayToObject(to, "triggerCharacters");
    for (size_t i = 0; i < COUNTOF(triggers); i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(triggers[i]));
}

static void add_action_options(cJSON *c, const lsp_offer *offer) {
    static const char *const kinds[] = {"quickfix",        "refactor",         "refactor.extract",
                                        "refactor.inline", "refactor.rewrite", "inlined.explain",
                                        "inlined.review"};
    static const char *const names[] = {"inlined.action", "inlined.commitMessage",
                                        "inlined.didAcceptCompletionItem"};
    if (offer->action_literals) {
        cJSON *actions = cJSON_AddObjectToObject(c, "codeActionProvider");
        cJSON *list = cJSON_AddArrayToObject(actions, "codeActionKinds");
        for (size_t i = 0; i < COUNTOF(kinds); i++)
            cJSON_AddItemToArray(list, cJSON_CreateString(kinds[i]));
        cJSON_AddTrueToObject(actions, "resolveProvider");
        cJSON_AddTrueToObject(actions, "workDoneProgress");
    } else {
        cJSON_AddTrueToObject(c, "codeActionProvider");
    }
    cJSON *commands = cJSON_AddObjectToObject(c, "executeCommandProvider");
    cJSON *list = cJSON_AddArrayToObject(commands, "commands");
    for (size_t i = 0; i < COUNTOF(names); i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(names[i]));
    cJSON_AddTrueToObject(commands, "workDoneProgress");
}

cJSON *protocol_initialize_result(const lsp_offer *offer) {
    cJSON *result = cJSON_CreateObject();
    cJSON *c = cJSON_AddObjectToObject(result, "capabilities");
    cJSON_AddStringToObject(c, "positionEncoding", position_encoding_name(offer->encoding));
    cJSON *sync = cJSON_AddObjectToObject(c, "textDocumentSync");
    cJSON_AddTrueToObject(sync, "openClose");
    cJSON_AddNumberToObject(sync, "change", 2); /* incremental */
    cJSON *save = cJSON_AddObjectToObject(sync, "save");
    cJSON_AddFalseToObject(save, "includeText");
    if (offer->notebooks) {
        cJSON *notebooks = cJSON_AddObjectToObject(c, "notebookDocumentSync");
        cJSON *selector = cJSON_AddArrayToObject(notebooks, "notebookSelector");
        cJSON *any = cJSON_CreateObject();
        cJSON_AddItemToArray(selector, any);
        cJSON_AddStringToObject(any, "notebook", "*"); /* with all its cells */
    }
    if (offer->inline_completion) cJSON_AddTrueToObject(c, "inlineCompletionProvider");
    if (offer->menu) add_menu_options(cJSON_AddObjectToObject(c, "completionProvider"));
    add_action_options(c, offer);
    cJSON_AddTrueToObject(c, "hoverProvider");
    if (offer->pull) {
        cJSON *pull = cJSON_AddObjectToObject(c, "diagnosticProvider");
        cJSON_AddStringToObject(pull, "identifier", "inlined.review");
        cJSON_AddFalseToObject(pull, "interFileDependencies");
        cJSON_AddFalseToObject(pull, "workspaceDiagnostics");
    }
    cJSON *workspace = cJSON_AddObjectToObject(c, "workspace");
    if (offer->text_content)
        cJSON_AddItemToArray(
            cJSON_AddArrayToObject(cJSON_AddObjectToObject(workspace, "textDocumentContent"),
                                   "schemes"),
            cJSON_CreateString("inlined"));
    cJSON *folders = cJSON_AddObjectToObject(workspace, "workspaceFolders");
    cJSON_AddTrueToObject(folders, "supported");
    cJSON_AddTrueToObject(folders, "changeNotifications");
    cJSON *own = cJSON_AddObjectToObject(c, "experimental");
    cJSON_AddTrueToObject(own, "inlined/diagnostics"); /* plugins need not send it elsewhere */
    cJSON *info = cJSON_AddObjectToObject(result, "serverInfo");
    cJSON_AddStringToObject(info, "name", "inlined");
    cJSON_AddStringToObject(info, "version", INLINED_VERSION);
    return result;
}

/* {"registrations": [{id, method, registerOptions}]}; *options is empty and belongs to it. */
static cJSON *registration_json(const char *id, const char *method, cJSON **options) {
    cJSON *params = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(params, "registrations");
    cJSON *one = cJSON_CreateObject();
    cJSON_AddItemToArray(list, one);
    cJSON_AddStringToObject(one, "id", id);
    cJSON_AddStringToObject(one, "method", method);
    *options = cJSON_AddObjectToObject(one, "registerOptions");
    return params;
}

/* Files, what has no file yet, and the cells of notebooks (which have schemes of their own). */
static void add_selector(cJSON *options) {
    static const char *const filters[][2] = {
        {"scheme", "file"}, {"scheme", "untitled"}, {"notebook", "*"}};
    cJSON *selector = cJSON_AddArrayToObject(options, "documentSelector");
    for (size_t i = 0; i < COUNTOF(filters); i++) {
        cJSON *filter = cJSON_CreateObject();
        cJSON_AddStringToObject(filter, filters[i][0], filters[i][1]);
        cJSON_AddItemToArray(selector, filter);
    }
}

cJSON *protocol_register_inline(void) {
    cJSON *options;
    cJSON *params =
        registration_json("inlined.inlineCompletion", "textDocument/inlineCompletion", &options);
    add_selector(options);
    return params;
}

#define MENU_ID "inlined.completion"
#define MENU_METHOD "textDocument/completion"

cJSON *protocol_register_menu(void) {
    cJSON *options;
    cJSON *params = registration_json(MENU_ID, MENU_METHOD, &options);
    add_selector(options);
    add_menu_options(options);
    return params;
}

cJSON *protocol_unregister_menu(void) {
    cJSON *params = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(params, "unregisterations"); /* the protocol's spelling */
    cJSON *one = cJSON_CreateObject();
    cJSON_AddItemToArray(list, one);
    cJSON_AddStringToObject(one, "id", MENU_ID);
    cJSON_AddStringToObject(one, "method", MENU_METHOD);
    return params;
}

cJSON *protocol_register_configuration(void) {
    cJSON *options;
    cJSON *params =
        registration_json("inlined.configuration", "workspace/didChangeConfiguration", &options);
    cJSON_AddStringToObject(options, "section", "inlined");
    return params;
}

cJSON *protocol_register_watch(void) {
    cJSON *options;
    cJSON *params = registration_json("inlined.watch", "workspace/didChangeWatchedFiles", &options);
    cJSON *watcher = cJSON_CreateObject();
    cJSON_AddItemToArray(cJSON_AddArrayToObject(options, "watchers"), watcher);
    cJSON_AddStringToObject(watcher, "globPattern", "**/*");
    return params;
}

cJSON *protocol_configuration_params(void) {
    cJSON *params = cJSON_CreateObject();
    cJSON *items = cJSON_AddArrayToObject(params, "items");
    cJSON *item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "section", "inlined");
    cJSON_AddItemToArray(items, item);
    return params;
}

/* ---- completion ------------------------------------------------------------------------------ */

static void add_accept_command(cJSON *item, const char *id) {
    cJSON *command = cJSON_AddObjectToObject(item, "command");
    cJSON_AddStringToObject(command, "title", "accept");
    cJSON_AddStringToObject(command, "command", "inlined.didAcceptCompletionItem");
    cJSON *arguments = cJSON_AddArrayToObject(command, "arguments");
    cJSON_AddItemToArray(arguments, cJSON_CreateString(id));
}

/* One item of a menu.  The editor filters by the text that it would replace, so filterText is the
 * first line; the list is incomplete, or the editor would go on showing it while one types. */
static cJSON *menu_item(const lsp_inline_item *in) {
    enum { KIND_TEXT = 1, FORMAT_PLAIN = 1, MODE_AS_IS = 1 };
    str rest = in->insert_text, first = {0};
    bool more = str_split(&rest, '\n', &first) && rest.len;
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToObject(item, "label", protocol_text(first.len ? first : STR("(new line)")));
    cJSON_AddNumberToObject(item, "kind", KIND_TEXT);
    cJSON_AddStringToObject(item, "detail", "inlined");
    if (more) cJSON_AddItemToObject(item, "documentation", protocol_text(in->insert_text));
    cJSON_AddStringToObject(item, "sortText", " ");
    cJSON_AddItemToObject(item, "filterText", protocol_text(first));
    cJSON_AddNumberToObject(item, "insertTextFormat", FORMAT_PLAIN);
    cJSON_AddNumberToObject(item, "insertTextMode", MODE_AS_IS);
    cJSON *edit = cJSON_AddObjectToObject(item, "textEdit");
    cJSON_AddItemToObject(edit, "range", protocol_range(in->range));
    cJSON_AddItemToObject(edit, "newText", protocol_text(in->insert_text));
    add_accept_command(item, in->id);
    return item;
}

cJSON *protocol_menu_list(const lsp_inline_item *items, size_t n) {
    cJSON *result = cJSON_CreateObject();
    cJSON_AddTrueToObject(result, "isIncomplete");
    cJSON *list = cJSON_AddArrayToObject(result, "items");
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(list, menu_item(&items[i]));
    return result;
}

cJSON *protocol_inline_list(const lsp_inline_item *items, size_t n) {
    cJSON *result = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(result, "items");
    for (size_t i = 0; i < n; i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(list, item);
        cJSON_AddItemToObject(item, "insertText", protocol_text(items[i].insert_text));
        cJSON_AddItemToObject(item, "filterText", protocol_text(items[i].insert_text));
        cJSON_AddItemToObject(item, "range", protocol_range(items[i].range));
        add_accept_command(item, items[i].id);
    }
    return result;
}

/* ---- what people see ------------------------------------------------------------------------- */

cJSON *protocol_message(lsp_message_type type, const char *text) {
    cJSON *params = cJSON_CreateObject();
    cJSON_AddNumberToObject(params, "type", type);
    cJSON_AddStringToObject(params, "message", text);
    return params;
}

cJSON *protocol_status(const lsp_status *s) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "state", s->state);
    cJSON_AddStringToObject(json, "kind", s->kind);
    cJSON_AddBoolToObject(json, "busy", s->busy);
    cJSON_AddStringToObject(json, "message", s->message);
    cJSON_AddStringToObject(json, "model", s->model);
    cJSON_AddStringToObject(json, "backend", s->backend);
    cJSON_AddStringToObject(json, "backendWhy", s->backend_why);
    cJSON_AddStringToObject(json, "reason", s->reason);
    if (s->uri.len) cJSON_AddItemToObject(json, "uri", protocol_text(s->uri));
    if (s->progress >= 0) cJSON_AddNumberToObject(json, "progress", s->progress);
    return json;
}

void protocol_add_counts(cJSON *of, const lsp_counts *c) {
    cJSON *counts = cJSON_AddObjectToObject(of, "counts");
    cJSON_AddNumberToObject(counts, "shown", (double)c->shown);
    cJSON_AddNumberToObject(counts, "accepted", (double)c->accepted);
    cJSON_AddNumberToObject(counts, "acceptedPartly", (double)c->partly);
    cJSON_AddNumberToObject(counts, "typed", (double)c->typed);
    cJSON_AddNumberToObject(counts, "left", (double)c->left);
}

cJSON *protocol_copilot_status(const cJSON *of) {
    static const char *const fields[] = {"kind", "busy", "message"};
    cJSON *json = cJSON_CreateObject();
    for (size_t i = 0; i < COUNTOF(fields); i++)
        cJSON_AddItemToObject(json, fields[i], cJSON_Duplicate(protocol_get(of, fields[i]), true));
    return json;
}

cJSON *protocol_progress_create(const char *token) {
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "token", token);
    return params;
}

cJSON *protocol_progress(const char *token, const char *kind, const char *title,
                         const char *message, int percent) {
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "token", token);
    cJSON *value = cJSON_AddObjectToObject(params, "value");
    cJSON_AddStringToObject(value, "kind", kind);
    if (title) {
        cJSON_AddStringToObject(value, "title", title);
        cJSON_AddTrueToObject(value, "cancellable");
    }
    if (message) cJSON_AddStringToObject(value, "message", message);
    if (percent >= 0) cJSON_AddNumberToObject(value, "percentage", percent);
    return params;
}
