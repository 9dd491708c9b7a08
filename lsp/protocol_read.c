/* SPDX-License-Identifier: Apache-2.0 */
/* cJSON to the structs of protocol.h.  Reads only what we use; what is absent and optional is zero.
 * A field of the wrong kind is an error that names it, except in client capabilities, where it
 * counts as "not announced".  Nothing is copied: slices live as long as the message.
 * Thread: loop; no state. */
#include <math.h>

#include <cjson/cJSON.h>

#include "lsp/protocol.h"

const cJSON *protocol_get(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const cJSON *get2(const cJSON *object, const char *a, const char *b) {
    return protocol_get(protocol_get(object, a), b);
}

static status read_text(const cJSON *object, const char *name, str *out, err *e) {
    const cJSON *item = protocol_get(object, name);
    if (!cJSON_IsString(item)) return err_set(e, ERR_USAGE, "%s must be a string", name);
    *out = str_of(item->valuestring);
    return OK;
}

static bool integer_in(const cJSON *item, double min, double max, int64_t *out) {
    if (!cJSON_IsNumber(item)) return false;
    double d = item->valuedouble;
    if (!(d >= min && d <= max && floor(d) == d)) return false;
    *out = (int64_t)d;
    return true;
}

static status read_position(const cJSON *item, const char *what, lsp_position *out, err *e) {
    int64_t line, character;
    if (!integer_in(protocol_get(item, "line"), 0, UINT32_MAX, &line) ||
        !integer_in(protocol_get(item, "character"), 0, UINT32_MAX, &character))
        return err_set(e, ERR_USAGE, "%s must have line and character, both from 0 upwards", what);
    *out = (lsp_position){(uint32_t)line, (uint32_t)character};
    return OK;
}

status protocol_read_range(const cJSON *item, const char *what, lsp_range *out, err *e) {
    status s = read_position(protocol_get(item, "start"), what, &out->start, e);
    if (!s) s = read_position(protocol_get(item, "end"), what, &out->end, e);
    return s;
}

static int64_t read_version(const cJSON *document) {
    int64_t version = 0;
    (void)integer_in(protocol_get(document, "version"), INT32_MIN, INT32_MAX, &version);
    return version;
}

/* ---- initialize ------------------------------------------------------------------------------ */

/* utf-8 needs no conversion here, so it is taken wherever the client offers it. */
static position_encoding choose_encoding(const cJSON *offered) {
    bool utf8 = false, utf32 = false, utf16 = false;
    const cJSON *item;
    cJSON_ArrayForEach(item, offered) {
        if (!cJSON_IsString(item)) continue;
        utf8 = utf8 || !strcmp(item->valuestring, "utf-8");
        utf16 = utf16 || !strcmp(item->valuestring, "utf-16");
        utf32 = utf32 || !strcmp(item->valuestring, "utf-32");
    }
    return utf8 ? ENCODING_UTF8 : utf32 && !utf16 ? ENCODING_UTF32 : ENCODING_UTF16;
}

static void read_capabilities(const cJSON *c, lsp_initialize *out) {
    const cJSON *text = protocol_get(c, "textDocument"), *space = protocol_get(c, "workspace");
    out->encoding = choose_encoding(get2(c, "general", "positionEncodings"));
    out->inline_dynamic = cJSON_IsTrue(get2(text, "inlineCompletion", "dynamicRegistration"));
    out->notebooks = cJSON_IsObject(get2(c, "notebookDocument", "synchronization"));
    out->menu_dynamic = cJSON_IsTrue(get2(text, "completion", "dynamicRegistration"));
    out->configuration = cJSON_IsTrue(protocol_get(space, "configuration"));
    out->configuration_dynamic =
        cJSON_IsTrue(get2(space, "didChangeConfiguration", "dynamicRegistration"));
    out->watch_dynamic = cJSON_IsTrue(get2(space, "didChangeWatchedFiles", "dynamicRegistration"));
    out->progress = cJSON_IsTrue(get2(c, "window", "workDoneProgress"));
}

static str optional_text(const cJSON *object, const char *name) {
    const cJSON *item = protocol_get(object, name);
    return cJSON_IsString(item) ? str_of(item->valuestring) : (str){0};
}

status protocol_read_initialize(const cJSON *params, lsp_initialize *out, err *e) {
    *out = (lsp_initialize){.encoding = ENCODING_UTF16};
    if (!cJSON_IsObject(params)) return err_set(e, ERR_USAGE, "initialize needs params");
    const cJSON *pid = protocol_get(params, "processId");
    if (pid && !cJSON_IsNull(pid) && !integer_in(pid, 0, INT32_MAX, &out->process_id))
        return err_set(e, ERR_USAGE, "processId must be an integer or null");
    const cJSON *capabilities = protocol_get(params, "capabilities");
    if (capabilities && !cJSON_IsObject(capabilities))
        return err_set(e, ERR_USAGE, "capabilities must be an object");
    read_capabilities(capabilities, out);
    const cJSON *client = protocol_get(params, "clientInfo");
    out->client_name = optional_text(client, "name");
    out->client_version = optional_text(client, "version");
    out->options = protocol_get(params, "initializationOptions");
    out->root_uri = optional_text(params, "rootUri");
    if (!out->root_uri.len) out->root_uri = optional_text(params, "rootPath");
    return OK;
}

void protocol_each_folder(const cJSON *folders, void (*folder)(void *ud, str uri), void *ud) {
    const cJSON *item;
    if (!cJSON_IsArray(folders)) return;
    cJSON_ArrayForEach(item, folders) {
        str uri = optional_text(item, "uri");
        if (uri.len) folder(ud, uri);
    }
}

/* ---- documents ------------------------------------------------------------------------------- */

status protocol_read_document(const cJSON *item, lsp_document *out, err *e) {
    status s = read_text(item, "uri", &out->uri, e);
    if (!s) s = read_text(item, "text", &out->text, e);
    if (s) return s;
    out->language = optional_text(item, "languageId");
    out->version = read_version(item);
    return OK;
}

status protocol_read_document_id(const cJSON *id, str *uri, int64_t *version, err *e) {
    *version = read_version(id);
    return read_text(id, "uri", uri, e);
}

status protocol_read_change(const cJSON *change, lsp_change *out, err *e) {
    *out = (lsp_change){0};
    status s = read_text(change, "text", &out->text, e);
    if (s) return s;
    const cJSON *range = protocol_get(change, "range");
    out->whole = !range || cJSON_IsNull(range);
    return out->whole ? OK : protocol_read_range(range, "range", &out->range, e);
}

status protocol_read_diagnostic(const cJSON *item, lsp_diagnostic *out, err *e) {
    lsp_range range;
    int64_t severity = 1; /* LSP leaves it to the client; most mean an error */
    status s = read_text(item, "message", &out->message, e);
    if (!s) s = protocol_read_range(protocol_get(item, "range"), "range", &range, e);
    if (s) return s;
    (void)integer_in(protocol_get(item, "severity"), 1, 4, &severity);
    out->line = range.start.line;
    out->severity = (int)severity;
    out->source = optional_text(item, "source");
    return OK;
}

/* ---- requests -------------------------------------------------------------------------------- */

status protocol_read_inline(const cJSON *params, lsp_inline_params *out, err *e) {
    *out = (lsp_inline_params){0};
    const cJSON *document = protocol_get(params, "textDocument");
    status s = read_text(document, "uri", &out->uri, e);
    if (!s) s = read_position(protocol_get(params, "position"), "position", &out->position, e);
    if (s) return s;
    out->has_version = cJSON_IsNumber(protocol_get(document, "version"));
    out->version = read_version(document);
    const cJSON *context = protocol_get(params, "context");
    int64_t trigger = 0; /* anything but 1 (invoked) counts as automatic */
    out->invoked =
        integer_in(protocol_get(context, "triggerKind"), 0, 100, &trigger) && trigger == 1;
    const cJSON *format = protocol_get(params, "formattingOptions");
    int64_t tab_size = 0;
    (void)integer_in(protocol_get(format, "tabSize"), 1, 16, &tab_size);
    out->tab_size = (int)tab_size;
    out->tabs = cJSON_IsFalse(protocol_get(format, "insertSpaces"));
    const cJSON *selected = protocol_get(context, "selectedCompletionInfo");
    if (!cJSON_IsObject(selected)) return OK;
    out->has_selected = true;
    s = read_text(selected, "text", &out->selected_text, e);
    if (s) return err_prefix(e, s, "selectedCompletionInfo");
    return protocol_read_range(protocol_get(selected, "range"), "selectedCompletionInfo.range",
                               &out->selected_range, e);
}

str protocol_read_item_id(const cJSON *params) {
    const cJSON *arguments = get2(protocol_get(params, "item"), "command", "arguments");
    const cJSON *id = cJSON_GetArrayItem(arguments, 0);
    return cJSON_IsString(id) ? str_of(id->valuestring) : (str){0};
}

status protocol_read_command(const cJSON *params, str *command, str *argument, err *e) {
    const cJSON *first = cJSON_GetArrayItem(protocol_get(params, "arguments"), 0);
    *argument = cJSON_IsString(first) ? str_of(first->valuestring) : (str){0};
    return read_text(params, "command", command, e);
}
