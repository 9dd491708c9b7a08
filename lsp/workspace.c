/* SPDX-License-Identifier: Apache-2.0 */
/* Glue between a connection's folders, files and settings and the context module.
 *
 * What is private is judged again when folders or settings change, when a file with rules is saved
 * or reported as changed, and every few seconds (the files' times are compared).  The symbol index
 * hears of every document when it is opened and, a few seconds later, when it was edited.
 * Thread: loop.
 */
#include "lsp/workspace.h"

#include <cjson/cJSON.h>

#include "context/hidden.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "lsp/server.h"

#define ANSWER_MS 10000.0

/* ---- roots and rules ------------------------------------------------------------------------- */

static void tell_trouble(server *s) {
    const char *trouble = context_trouble(s->context);
    if (trouble[0] && !s->privacy_trouble_told) {
        log_warn("privacy", "%s", trouble);
        server_tell_user(s, MESSAGE_WARNING, trouble);
    }
    s->privacy_trouble_told = trouble[0] != 0;
}

static symbols *index_of(const server *s) {
    return s->settings.context.index ? s->options.symbols : NULL;
}

/* The model sees paths relative to their folder. */
static void rename_documents(server *s, const str *roots) {
    for (size_t i = 0; i < context_document_count(s->context); i++) {
        document *d = context_document_at(s->context, i);
        arena a;
        arena_init(&a);
        str file = uri_path(document_uri(d), &a);
        context_rename(d, uri_relative(file, roots, s->roots.count));
        arena_deinit(&a);
    }
}

void workspace_update(server *s) {
    arena a;
    arena_init(&a);
    str *roots = arena_alloc(&a, (s->roots.count + 1) * sizeof *roots);
    for (size_t i = 0; i < s->roots.count; i++)
        roots[i] = str_of(s->roots.at[i]);
    strbuf lines;
    strbuf_init(&lines, sizeof s->settings.privacy.deny_globs.at + SETTINGS_LIST_COUNT);
    settings_deny_globs(&s->settings, &lines);
    context_set_roots(s->context, roots, s->roots.count);
    rename_documents(s, roots);
    context_set_privacy(s->context, strbuf_str(&lines), s->settings.privacy.respect_gitignore);
    if (s->options.hidden)
        hidden_set(s->options.hidden, roots, s->roots.count, strbuf_str(&lines),
                   s->settings.privacy.respect_gitignore);
    context_set_symbols(s->context, index_of(s), s->options.client);
    if (s->options.symbols) {
        symbols_view view = {.client = s->options.client,
                             .roots = roots,
                             .n = index_of(s) ? s->roots.count : 0,
                             .deny_globs = strbuf_str(&lines),
                             .respect_gitignore = s->settings.privacy.respect_gitignore,
                             .watched = s->watched};
        symbols_set_view(s->options.symbols, &view);
    }
    strbuf_deinit(&lines);
    arena_deinit(&a);
    git_branch_update(s);
    tell_trouble(s);
}

void workspace_register(server *s) {
    if (!s->watch_dynamic) return;
    s->watched = true;
    rpc_request(s->rpc, "client/registerCapability", protocol_register_watch(),
                clock_ms() + ANSWER_MS, NULL, NULL);
}

void workspace_gone(server *s) {
    git_branch_gone(s);
    if (!s->options.symbols) return;
    for (size_t i = 0; i < context_document_count(s->context); i++)
        context_index_closed(s->context, context_document_at(s->context, i));
    symbols_set_view(s->options.symbols, &(symbols_view){.client = s->options.client});
}

/* ---- documents and files --------------------------------------------------------------------- */

void workspace_opened(server *s, document *d, str file) {
    context_locate(s->context, d, file);
    context_index(s->context, d);
}

void workspace_closing(server *s, document *d) {
    context_index_closed(s->context, d);
}

static void take_messages(server *s) {
    err e;
    while (s->options.symbols && symbols_take_message(s->options.symbols, &e))
        server_tell_user(s, MESSAGE_INFO, e.text);
}

void workspace_tick(server *s) {
    if (s->state != SERVER_RUNNING) return;
    if (context_refresh(s->context) && index_of(s)) symbols_rescan(s->options.symbols);
    tell_trouble(s);
    for (size_t i = 0; i < context_document_count(s->context); i++)
        context_index(s->context, context_document_at(s->context, i));
    take_messages(s);
    git_branch_tick(s);
}

static void file_changed(server *s, str path) {
    if (index_of(s)) symbols_file_changed(s->options.symbols, path);
    git_branch_touched(s, path);
}

void workspace_saved(server *s, const cJSON *params) {
    str uri;
    int64_t version;
    err e;
    workspace_tick(s);
    const cJSON *id = protocol_get(params, "textDocument");
    if (protocol_read_document_id(id, &uri, &version, &e)) return;
    arena a;
    arena_init(&a);
    file_changed(s, uri_path(uri, &a));
    arena_deinit(&a);
}

void workspace_files_changed(server *s, const cJSON *params) {
    const cJSON *change;
    arena a;
    arena_init(&a);
    cJSON_ArrayForEach(change, protocol_get(params, "changes")) {
        const cJSON *uri = protocol_get(change, "uri");
        if (cJSON_IsString(uri)) file_changed(s, uri_path(str_of(uri->valuestring), &a));
    }
    arena_deinit(&a);
    workspace_tick(s);
}
