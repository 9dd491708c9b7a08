/* SPDX-License-Identifier: Apache-2.0 */
/* Exact refactorings in the menu: see action_tree.h.
 *
 * They cost a walk over one function, so they are made at once.  Thread: loop. */
#include "lsp/action_tree.h"

#include <cjson/cJSON.h>

#include "context/refactor.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "lsp/position.h"
#include "lsp/server.h"

typedef struct {
    server *server;
    document *document;
    cJSON *list;
} tree_menu;

static void add(const tree_menu *m, const char *kind, const char *title, const refactoring *r) {
    server *s = m->server;
    lsp_edit_note note = {title, "by the syntax tree", false};
    lsp_action out = {
        .title = title,
        .kind = kind,
        .edit = protocol_edit(&s->features, s->encoding, m->document, r->edits, r->n, &note)};
    action_add_ready(s, m->document, &out, m->list);
}

/* The same under a name that a model proposes when it is chosen. */
static void add_named(const tree_menu *m, const char *word, size_t from, size_t to) {
    server *s = m->server;
    const code_action *a = action_find(str_of(word));
    bool resolve = s->features.literals && s->features.resolve_edit;
    if (!action_name_ready(s) || (!resolve && !s->features.apply_edit)) return;
    lsp_action_argument in = {.action = str_of(word),
                              .uri = document_uri(m->document),
                              .has_version = true,
                              .version = document_version(m->document),
                              .has_range = true,
                              .range = {position_of_offset(m->document, s->encoding, from),
                                        position_of_offset(m->document, s->encoding, to)}};
    char title[160];
    snprintf(title, sizeof title, "%s (syntax tree, named by the model)", a->verb);
    lsp_action out = {.title = title,
                      .kind = a->kind,
                      .argument = protocol_argument(&in),
                      .command = resolve ? NULL : ACTION_COMMAND};
    cJSON_AddItemToArray(m->list, protocol_action(&s->features, &out));
}

/* Why the tree leaves lines to the model, for clients that show what cannot be done. */
static void add_refusal(const tree_menu *m, const char *why) {
    char reason[200];
    snprintf(reason, sizeof reason, "these lines cannot become a function: %.120s", why);
    reason[utf8_complete_prefix(str_of(reason))] = '\0';
    lsp_action out = {
        .title = "Extract function (syntax tree)", .kind = "refactor.extract", .disabled = reason};
    cJSON_AddItemToArray(m->list, protocol_action(&m->server->features, &out));
}

static bool add_extractions(const tree_menu *m, size_t from, size_t to, const cJSON *only) {
    arena a;
    refactoring r;
    char title[160];
    arena_init(&a);
    if (refactor_extract_variable(m->document, from, to, (str){0}, &a, &r)) {
        snprintf(title, sizeof title, "Extract variable %.*s (syntax tree)",
                 (int)MIN(r.name.len, 60), r.name.ptr);
        add(m, "refactor.extract", title, &r);
        add_named(m, "nameVariable", from, to);
    }
    bool function = refactor_extract_function(m->document, from, to, (str){0}, &a, &r);
    if (function) {
        snprintf(title, sizeof title, "Extract function %.*s (syntax tree)",
                 (int)MIN(r.name.len, 60), r.name.ptr);
        add(m, "refactor.extract", title, &r);
        add_named(m, "nameFunction", from, to);
    } else if (r.why && only && m->server->features.disabled) {
        add_refusal(m, r.why);
    }
    arena_deinit(&a);
    return function;
}

static void add_inline(const tree_menu *m, size_t at) {
    arena a;
    refactoring r;
    char title[160];
    arena_init(&a);
    if (refactor_inline_variable(m->document, at, &a, &r)) {
        snprintf(title, sizeof title, "Inline %.*s (syntax tree)", (int)MIN(r.name.len, 60),
                 r.name.ptr);
        add(m, "refactor.inline", title, &r);
    }
    arena_deinit(&a);
}

bool action_tree_add(server *s, document *d, size_t from, size_t to, const cJSON *only,
                     cJSON *list) {
    tree_menu m = {s, d, list};
    bool function = false;
    if (to > from && to - from <= LIMIT_ACTION_BYTES &&
        protocol_kind_wanted(only, "refactor.extract"))
        function = add_extractions(&m, from, to, only);
    if (protocol_kind_wanted(only, "refactor.inline")) add_inline(&m, from);
    return function;
}
