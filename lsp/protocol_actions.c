/* SPDX-License-Identifier: Apache-2.0 */
/* Code actions, edits, diagnostics and hovers, from and to cJSON: see protocol_actions.h.
 *
 * Nothing read is copied; everything written belongs to the caller.  Thread: loop; no state. */
#include "lsp/protocol_actions.h"

#include <cjson/cJSON.h>

#include "engine/base/mem.h"
#include "lsp/position.h"

#define ANNOTATION "inlined"

static const cJSON *at(const cJSON *object, const char *a, const char *b) {
    return protocol_get(protocol_get(object, a), b);
}

static bool holds(const cJSON *array, const char *word) {
    const cJSON *item;
    cJSON_ArrayForEach(item, array) {
        if (cJSON_IsString(item) && !strcmp(item->valuestring, word)) return true;
    }
    return false;
}

static bool holds_number(const cJSON *array, double number) {
    const cJSON *item;
    cJSON_ArrayForEach(item, array) {
        if (cJSON_IsNumber(item) && item->valuedouble == number) return true;
    }
    return false;
}

void protocol_read_features(const cJSON *c, lsp_features *out) {
    const cJSON *space = protocol_get(c, "workspace"), *text = protocol_get(c, "textDocument");
    const cJSON *edit = protocol_get(space, "workspaceEdit");
    const cJSON *action = protocol_get(text, "codeAction"),
                *ours = at(c, "experimental", "inlined");
    *out = (lsp_features){
        .apply_edit = cJSON_IsTrue(protocol_get(space, "applyEdit")),
        .document_changes = cJSON_IsTrue(protocol_get(edit, "documentChanges")),
        .annotations = cJSON_IsObject(protocol_get(edit, "changeAnnotationSupport")),
        .create_files = holds(protocol_get(edit, "resourceOperations"), "create"),
        .literals = cJSON_IsObject(protocol_get(action, "codeActionLiteralSupport")),
        .resolve_edit = cJSON_IsTrue(protocol_get(action, "dataSupport")) &&
                        holds(at(action, "resolveSupport", "properties"), "edit"),
        .disabled = cJSON_IsTrue(protocol_get(action, "disabledSupport")),
        .llm_tag = holds_number(at(action, "tagSupport", "valueSet"), 1),
        .show_document = cJSON_IsTrue(protocol_get(at(c, "window", "showDocument"), "support")),
        .text_content = cJSON_IsObject(protocol_get(space, "textDocumentContent")),
        .pull = cJSON_IsObject(protocol_get(text, "diagnostic")),
        .pull_refresh = cJSON_IsTrue(at(space, "diagnostics", "refreshSupport")),
        .markdown = holds(at(text, "hover", "contentFormat"), "markdown"),
        .instructions = cJSON_IsTrue(protocol_get(ours, "instructions")),
        .status = cJSON_IsTrue(protocol_get(ours, "status")),
    };
    out->annotations = out->annotations && out->document_changes;
    out->pull = out->pull && out->pull_refresh; /* it could not be told that a review is over */
    out->create_files = out->create_files && out->document_changes;
}

/* ---- reading --------------------------------------------------------------------------------- */

status protocol_read_actions(const cJSON *params, lsp_action_params *out, err *e) {
    *out = (lsp_action_params){0};
    int64_t version;
    status s =
        protocol_read_document_id(protocol_get(params, "textDocument"), &out->uri, &version, e);
    if (s) return s;
    s = protocol_read_range(protocol_get(params, "range"), "range", &out->range, e);
    if (s) return s;
    const cJSON *around = protocol_get(params, "context");
    const cJSON *diagnostics = protocol_get(around, "diagnostics");
    const cJSON *only = protocol_get(around, "only");
    const cJSON *trigger = protocol_get(around, "triggerKind");
    if (cJSON_IsArray(diagnostics)) out->diagnostics = diagnostics;
    if (cJSON_IsArray(only)) out->only = only;
    out->automatic = cJSON_IsNumber(trigger) && trigger->valuedouble == 2;
    return OK;
}

bool protocol_kind_wanted(const cJSON *only, const char *kind) {
    const cJSON *item;
    if (!only) return true;
    cJSON_ArrayForEach(item, only) {
        if (!cJSON_IsString(item)) continue;
        size_t n = strlen(item->valuestring);
        if (!n) return true;
        if (!strncmp(kind, item->valuestring, n) && (!kind[n] || kind[n] == '.')) return true;
    }
    return false;
}

static str text_at(const cJSON *object, const char *name) {
    const cJSON *item = protocol_get(object, name);
    return cJSON_IsString(item) ? str_of(item->valuestring) : (str){0};
}

status protocol_read_argument(const cJSON *argument, lsp_action_argument *out, err *e) {
    *out = (lsp_action_argument){.action = text_at(argument, "action"),
                                 .uri = text_at(argument, "uri"),
                                 .instruction = text_at(argument, "instruction")};
    const cJSON *version = protocol_get(argument, "version");
    const cJSON *diagnostics = protocol_get(argument, "diagnostics");
    if (!out->uri.len)
        return err_set(e, ERR_USAGE, "the command's argument must be an object with a uri");
    if (cJSON_IsNumber(version) && version->valuedouble == (double)version->valueint) {
        out->has_version = true;
        out->version = version->valueint;
    }
    if (cJSON_IsArray(diagnostics)) out->diagnostics = diagnostics;
    const cJSON *range = protocol_get(argument, "range");
    out->has_range = range && !cJSON_IsNull(range);
    return out->has_range ? protocol_read_range(range, "range", &out->range, e) : OK;
}

status protocol_read_place(const cJSON *params, str *uri, lsp_position *where, err *e) {
    lsp_inline_params in;
    status s = protocol_read_inline(params, &in, e);
    *uri = in.uri;
    *where = in.position;
    return s;
}

/* ---- writing --------------------------------------------------------------------------------- */

cJSON *protocol_argument(const lsp_action_argument *a) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "action", protocol_text(a->action));
    cJSON_AddItemToObject(json, "uri", protocol_text(a->uri));
    if (a->has_version) cJSON_AddNumberToObject(json, "version", (double)a->version);
    if (a->has_range) cJSON_AddItemToObject(json, "range", protocol_range(a->range));
    if (a->instruction.len)
        cJSON_AddItemToObject(json, "instruction", protocol_text(a->instruction));
    if (a->diagnostics)
        cJSON_AddItemToObject(json, "diagnostics", cJSON_Duplicate(a->diagnostics, true));
    return json;
}

static void add_command(cJSON *json, const char *title, const char *command, cJSON *argument) {
    cJSON_AddStringToObject(json, "title", title);
    cJSON_AddStringToObject(json, "command", command);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "arguments"), argument);
}

cJSON *protocol_action(const lsp_features *f, const lsp_action *a) {
    cJSON *json = cJSON_CreateObject();
    if (!f->literals) { /* only made for actions that have a command */
        cJSON_Delete(a->edit);
        add_command(json, a->title, a->command, a->argument);
        return json;
    }
    cJSON_AddStringToObject(json, "title", a->title);
    cJSON_AddStringToObject(json, "kind", a->kind);
    if (a->model && f->llm_tag)
        cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "tags"), cJSON_CreateNumber(1));
    if (a->diagnostic)
        cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "diagnostics"),
                             cJSON_Duplicate(a->diagnostic, true));
    if (a->edit) cJSON_AddItemToObject(json, "edit", a->edit);
    if (a->disabled)
        cJSON_AddStringToObject(cJSON_AddObjectToObject(json, "disabled"), "reason", a->disabled);
    if (a->argument && a->command)
        add_command(cJSON_AddObjectToObject(json, "command"), a->title, a->command, a->argument);
    else if (a->argument)
        cJSON_AddItemToObject(json, "data", a->argument);
    return json;
}

/* ---- edits ----------------------------------------------------------------------------------- */

static void add_annotations(cJSON *edit, const lsp_features *f, const lsp_edit_note *note) {
    if (!f->annotations) return;
    cJSON *all = cJSON_AddObjectToObject(edit, "changeAnnotations");
    cJSON *one = cJSON_AddObjectToObject(all, ANNOTATION);
    cJSON_AddStringToObject(one, "label", note->label);
    cJSON_AddBoolToObject(one, "needsConfirmation", note->confirm);
    cJSON_AddStringToObject(one, "description", note->description);
}

static cJSON *text_edit_json(const lsp_features *f, lsp_range range, str text) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "range", protocol_range(range));
    cJSON_AddItemToObject(json, "newText", protocol_text(text));
    if (f->annotations) cJSON_AddStringToObject(json, "annotationId", ANNOTATION);
    return json;
}

/* An element of documentChanges; its list of edits is returned. */
static cJSON *add_document(cJSON *changes, str uri, const int64_t *version) {
    cJSON *one = cJSON_CreateObject();
    cJSON_AddItemToArray(changes, one);
    cJSON *id = cJSON_AddObjectToObject(one, "textDocument");
    cJSON_AddItemToObject(id, "uri", protocol_text(uri));
    if (version)
        cJSON_AddNumberToObject(id, "version", (double)*version);
    else
        cJSON_AddNullToObject(id, "version");
    return cJSON_AddArrayToObject(one, "edits");
}

cJSON *protocol_edit(const lsp_features *f, position_encoding enc, const document *d,
                     const text_edit *edits, size_t n, const lsp_edit_note *note) {
    cJSON *json = cJSON_CreateObject(), *list;
    str uri = document_uri(d);
    int64_t version = document_version(d);
    if (f->document_changes) {
        list = add_document(cJSON_AddArrayToObject(json, "documentChanges"), uri, &version);
    } else {
        char *name = xstrndup(uri.ptr, uri.len);
        list = cJSON_AddArrayToObject(cJSON_AddObjectToObject(json, "changes"), name);
        xfree(name);
    }
    for (size_t i = 0; i < n; i++) {
        lsp_range range = {position_of_offset(d, enc, edits[i].from),
                           position_of_offset(d, enc, edits[i].to)};
        cJSON_AddItemToArray(list, text_edit_json(f, range, edits[i].text));
    }
    add_annotations(json, f, note);
    return json;
}

cJSON *protocol_edit_new_file(const lsp_features *f, const char *uri, str text,
                              const lsp_edit_note *note) {
    cJSON *json = cJSON_CreateObject();
    cJSON *changes = cJSON_AddArrayToObject(json, "documentChanges");
    cJSON *create = cJSON_CreateObject();
    cJSON_AddItemToArray(changes, create);
    cJSON_AddStringToObject(create, "kind", "create");
    cJSON_AddStringToObject(create, "uri", uri);
    cJSON_AddTrueToObject(cJSON_AddObjectToObject(create, "options"), "ignoreIfExists");
    cJSON *list = add_document(changes, str_of(uri), NULL);
    cJSON_AddItemToArray(list, text_edit_json(f, (lsp_range){0}, text));
    add_annotations(json, f, note);
    return json;
}

cJSON *protocol_apply(const char *label, cJSON *edit) {
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "label", label);
    cJSON_AddItemToObject(params, "edit", edit);
    cJSON_AddTrueToObject(cJSON_AddObjectToObject(params, "metadata"), "isRefactoring");
    return params;
}

/* ---- diagnostics, hover, questions ----------------------------------------------------------- */

cJSON *protocol_diagnostic(lsp_range range, int severity, str message) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "range", protocol_range(range));
    cJSON_AddNumberToObject(json, "severity", severity);
    cJSON_AddItemToObject(json, "message", protocol_text(message));
    return json;
}

cJSON *protocol_finding(const lsp_finding *d) {
    cJSON *json = protocol_diagnostic(d->range, d->severity, d->message);
    cJSON_AddStringToObject(json, "source", "inlined");
    if (d->code) cJSON_AddStringToObject(json, "code", d->code);
    if (d->id)
        cJSON_AddNumberToObject(cJSON_AddObjectToObject(json, "data"), "finding", (double)d->id);
    return json;
}

uint64_t protocol_finding_id(const cJSON *diagnostic) {
    const cJSON *id = at(diagnostic, "data", "finding");
    bool ours = str_eq(text_at(diagnostic, "source"), STR("inlined"));
    bool good = ours && cJSON_IsNumber(id) && id->valuedouble >= 1 && id->valuedouble < 1e15;
    return good ? (uint64_t)id->valuedouble : 0;
}

cJSON *protocol_hover(const lsp_features *f, str text, lsp_range range) {
    cJSON *json = cJSON_CreateObject();
    cJSON *contents = cJSON_AddObjectToObject(json, "contents");
    cJSON_AddStringToObject(contents, "kind", f->markdown ? "markdown" : "plaintext");
    cJSON_AddItemToObject(contents, "value", protocol_text(text));
    cJSON_AddItemToObject(json, "range", protocol_range(range));
    return json;
}

cJSON *protocol_question(lsp_message_type type, const char *text, const char *const *answers) {
    cJSON *params = protocol_message(type, text);
    cJSON *list = cJSON_AddArrayToObject(params, "actions");
    for (size_t i = 0; i < 3 && answers[i]; i++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "title", answers[i]);
        cJSON_AddItemToArray(list, one);
    }
    return params;
}
