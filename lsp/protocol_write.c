/* SPDX-License-Identifier: Apache-2.0 */
/* Structs to cJSON: the shapes of what we send, each in one place.  Everything returned belongs to
 * the caller.  Allocation cannot fail here (mcp/rpc.c gave cJSON our allocator), so results are not
 * checked.  Thread: loop; no state. */
#include <cjson/cJSON.h>

#include "engine/base/mem.h"
#include "lsp/position.h"
#include "lsp/protocol.h"

static cJSON *slice_json(str s) {
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

static cJSON *range_json(lsp_range r) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "start", position_json(r.start));
    cJSON_AddItemToObject(json, "end", position_json(r.end));
    return json;
}

/* ---- life cycle ------------------------------------------------------------------------------ */

cJSON *protocol_initialize_result(position_encoding enc, bool inline_static) {
    cJSON *result = cJSON_CreateObject();
    cJSON *c = cJSON_AddObjectToObject(result, "capabilities");
    cJSON_AddStringToObject(c, "positionEncoding", position_encoding_name(enc));
    cJSON *sync = cJSON_AddObjectToObject(c, "textDocumentSync");
    cJSON_AddTrueToObject(sync, "openClose");
    cJSON_AddNumberToObject(sync, "change", 2); /* incremental */
    cJSON *save = cJSON_AddObjectToObject(sync, "save");
    cJSON_AddFalseToObject(save, "includeText");
    if (inline_static) cJSON_AddTrueToObject(c, "inlineCompletionProvider");
    cJSON *commands = cJSON_AddObjectToObject(c, "executeCommandProvider");
    cJSON *names = cJSON_AddArrayToObject(commands, "commands");
    cJSON_AddItemToArray(names, cJSON_CreateString("inlined.didAcceptCompletionItem"));
    cJSON *workspace = cJSON_AddObjectToObject(c, "workspace");
    cJSON *folders = cJSON_AddObjectToObject(workspace, "workspaceFolders");
    cJSON_AddTrueToObject(folders, "supported");
    cJSON_AddTrueToObject(folders, "changeNotifications");
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

cJSON *protocol_register_inline(void) {
    static const char *const schemes[] = {"file", "untitled"};
    cJSON *options;
    cJSON *params =
        registration_json("inlined.inlineCompletion", "textDocument/inlineCompletion", &options);
    cJSON *selector = cJSON_AddArrayToObject(options, "documentSelector");
    for (size_t i = 0; i < COUNTOF(schemes); i++) {
        cJSON *filter = cJSON_CreateObject();
        cJSON_AddStringToObject(filter, "scheme", schemes[i]);
        cJSON_AddItemToArray(selector, filter);
    }
    return params;
}

cJSON *protocol_register_configuration(void) {
    cJSON *options;
    cJSON *params =
        registration_json("inlined.configuration", "workspace/didChangeConfiguration", &options);
    cJSON_AddStringToObject(options, "section", "inlined");
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

cJSON *protocol_inline_list(const lsp_inline_item *items, size_t n) {
    cJSON *result = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(result, "items");
    for (size_t i = 0; i < n; i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(list, item);
        cJSON_AddItemToObject(item, "insertText", slice_json(items[i].insert_text));
        cJSON_AddItemToObject(item, "filterText", slice_json(items[i].insert_text));
        cJSON_AddItemToObject(item, "range", range_json(items[i].range));
        cJSON *command = cJSON_AddObjectToObject(item, "command");
        cJSON_AddStringToObject(command, "title", "accept");
        cJSON_AddStringToObject(command, "command", "inlined.didAcceptCompletionItem");
        cJSON *arguments = cJSON_AddArrayToObject(command, "arguments");
        cJSON_AddItemToArray(arguments, cJSON_CreateString(items[i].id));
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
    cJSON_AddStringToObject(json, "reason", s->reason);
    if (s->uri.len) cJSON_AddItemToObject(json, "uri", slice_json(s->uri));
    if (s->progress >= 0) cJSON_AddNumberToObject(json, "progress", s->progress);
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
        cJSON_AddFalseToObject(value, "cancellable");
    }
    if (message) cJSON_AddStringToObject(value, "message", message);
    if (percent >= 0) cJSON_AddNumberToObject(value, "percentage", percent);
    return params;
}
