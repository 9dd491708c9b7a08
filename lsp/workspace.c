/* SPDX-License-Identifier: Apache-2.0 */
/* Glue between a connection's folders and settings and the context module.
 *
 * What is private is judged again when folders or settings change, when a file with rules is saved
 * or reported as changed, and every few seconds (the files' times are compared).  Thread: loop.
 */
#include "lsp/workspace.h"

#include <cjson/cJSON.h>

#include "engine/base/log.h"
#include "lsp/server.h"

static void tell_trouble(server *s) {
    const char *trouble = context_trouble(s->context);
    if (trouble[0] && !s->privacy_trouble_told) {
        log_warn("privacy", "%s", trouble);
        server_tell_user(s, MESSAGE_WARNING, trouble);
    }
    s->privacy_trouble_told = trouble[0] != 0;
}

void workspace_update(server *s) {
    arena a;
    arena_init(&a);
    str *roots = arena_alloc(&a, (s->roots.count + 1) * sizeof *roots);
    for (size_t i = 0; i < s->roots.count; i++)
        roots[i] = str_of(s->roots.at[i]);
    context_set_roots(s->context, roots, s->roots.count);
    const settings_list *globs = &s->settings.privacy.deny_globs;
    strbuf lines;
    strbuf_init(&lines, sizeof globs->at + SETTINGS_LIST_COUNT);
    for (int i = 0; i < globs->count; i++)
        strbuf_addf(&lines, "%s\n", globs->at[i]);
    context_set_privacy(s->context, strbuf_str(&lines), s->settings.privacy.respect_gitignore);
    strbuf_deinit(&lines);
    arena_deinit(&a);
    tell_trouble(s);
}

void workspace_opened(server *s, document *d, str file) {
    context_locate(s->context, d, file);
}

void workspace_tick(server *s) {
    if (s->state != SERVER_RUNNING) return;
    context_refresh(s->context);
    tell_trouble(s);
}

void workspace_saved(server *s, const cJSON *params) {
    UNUSED(params);
    workspace_tick(s);
}

void workspace_files_changed(server *s, const cJSON *params) {
    UNUSED(params);
    workspace_tick(s);
}
