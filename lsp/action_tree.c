/* SPDX-License-Identifier: Apache-2.0 */
/* Exact refactorings in the menu: see action_tree.h.
 *
 * They cost a walk over one function, so they are made at once and need no second request.  Clients
 * without code action literals cannot carry an edit in the menu and get none.  Thread: loop. */
#include "lsp/action_tree.h"

#include <cjson/cJSON.h>

#include "context/refactor.h"
#include "engine/base/limits.h"
#include "lsp/server.h"

#define IMPORTS_MAX 3

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
    cJSON_AddItemToArray(m->list, protocol_action(&s->features, &out));
}

static bool add_extractions(const tree_menu *m, size_t from, size_t to) {
    arena a;
    refactoring r;
    char title[160];
    arena_init(&a);
    if (refactor_extract_variable(m->document, from, to, &a, &r)) {
        snprintf(title, sizeof title, "Extract variable %.*s (syntax tree)",
                 (int)MIN(r.name.len, 60), r.name.ptr);
        add(m, "refactor.extract", title, &r);
    }
    bool function = refactor_extract_function(m->document, from, to, &a, &r);
    if (function) {
        snprintf(title, sizeof title, "Extract function %.*s (syntax tree)",
                 (int)MIN(r.name.len, 60), r.name.ptr);
        add(m, "refactor.extract", title, &r);
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

/* "pkg/mod.py" is pkg.mod, "pkg/__init__.py" is pkg; empty: no module that can be named. */
static str module_of(str path, arena *a) {
    if (!str_ends_with(path, STR(".py"))) return (str){0};
    path = str_sub(path, 0, path.len - 3);
    if (str_ends_with(path, STR("/__init__"))) path = str_sub(path, 0, path.len - 9);
    char *name = arena_printf(a, "%.*s", STR_ARG(path));
    for (char *c = name; *c; c++) {
        bool word = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_' ||
                    (*c >= '0' && *c <= '9');
        if (*c == '/')
            *c = '.';
        else if (!word)
            return (str){0};
    }
    return str_of(name);
}

/* A header as this file would include it: from its own folder where it lies below that, else from
 * the workspace's.  Empty: it is no header, or not of this workspace. */
static str header_of(const tree_menu *m, str path, const str *roots, size_t n_roots, arena *a) {
    if (!str_ends_with(path, STR(".h"))) return (str){0};
    str own = uri_path(document_uri(m->document), a);
    str folder = str_sub(own, 0, (size_t)(str_rfind_char(own, '/') + 1));
    if (folder.len && str_starts_with(path, folder)) return str_sub(path, folder.len, path.len);
    for (size_t i = 0; i < n_roots; i++)
        if (str_starts_with(path, roots[i])) return uri_relative(path, roots, n_roots);
    return (str){0};
}

static void add_import(const tree_menu *m, const symbol *found, const str *roots, size_t n_roots,
                       arena *a) {
    refactoring r;
    char title[160];
    str name = found->name;
    if (found->parent.len) return;
    if (!strcmp(document_language(m->document), "c")) {
        str header = header_of(m, found->path, roots, n_roots, a);
        if (!header.len || !refactor_add_include(m->document, name, header, a, &r)) return;
        snprintf(title, sizeof title, "Include %.*s for %.*s (syntax tree)",
                 (int)MIN(header.len, 60), header.ptr, (int)MIN(name.len, 50), name.ptr);
    } else {
        str module = module_of(uri_relative(found->path, roots, n_roots), a);
        if (!module.len || !refactor_add_import(m->document, name, module, a, &r)) return;
        snprintf(title, sizeof title, "Import %.*s from %.*s (syntax tree)", (int)MIN(name.len, 50),
                 name.ptr, (int)MIN(module.len, 60), module.ptr);
    }
    add(m, "quickfix", title, &r);
}

static void add_imports(const tree_menu *m, str name) {
    server *s = m->server;
    if (!s->options.symbols || !s->settings.context.index || !name.len) return;
    const char *language = document_language(m->document);
    if (strcmp(language, "python") != 0 && strcmp(language, "c") != 0) return;
    arena a;
    arena_init(&a);
    symbol found[IMPORTS_MAX];
    str *roots = arena_alloc(&a, (s->roots.count + 1) * sizeof *roots);
    for (size_t i = 0; i < s->roots.count; i++)
        roots[i] = str_of(s->roots.at[i]);
    size_t n = symbols_find(s->options.symbols, s->options.client, roots, s->roots.count, name, &a,
                            found, IMPORTS_MAX);
    for (size_t i = 0; i < n; i++)
        add_import(m, &found[i], roots, s->roots.count, &a);
    arena_deinit(&a);
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The name at an offset; empty: none. */
static str name_at(str text, size_t at) {
    size_t from = at, to = at;
    while (from > 0 && is_word(text.ptr[from - 1]) && at - from < 100)
        from--;
    while (to < text.len && is_word(text.ptr[to]) && to - at < 100)
        to++;
    return str_sub(text, from, to);
}

bool action_tree_add(server *s, document *d, size_t from, size_t to, const cJSON *only,
                     cJSON *list) {
    tree_menu m = {s, d, list};
    bool function = false;
    if (!s->features.literals) return false;
    if (to > from && to - from <= LIMIT_ACTION_BYTES &&
        protocol_kind_wanted(only, "refactor.extract"))
        function = add_extractions(&m, from, to);
    if (protocol_kind_wanted(only, "refactor.inline")) add_inline(&m, from);
    if (protocol_kind_wanted(only, "quickfix")) add_imports(&m, name_at(document_text(d), from));
    return function;
}
