/* SPDX-License-Identifier: Apache-2.0 */
/* Adding an import to a Python file, and an include to a C file: see refactor.h.  The other
 * languages' are in refactor_module.c.  Thread: loop. */
#include "context/refactor_private.h"

static bool is_import(TSNode node) {
    return target_kind_is(node, "import_statement") ||
           target_kind_is(node, "import_from_statement") ||
           target_kind_is(node, "future_import_statement");
}

bool refactor_is_bound(const refactor_site *s, str name) {
    name_uses all = {0};
    bool bound = !names_find(s->text, s->root, &all);
    for (size_t i = 0; i < all.count && !bound; i++)
        bound = all.at[i].role != NAME_READ && str_eq(all.at[i].text, name);
    vec_free(&all);
    return bound;
}

void refactor_add_line(const refactor_site *s, size_t at, const char *line, refactoring *out) {
    const char *eol = document_eol(s->document);
    bool open_end = at > 0 && s->text.ptr[at - 1] != '\n' && s->text.ptr[at - 1] != '\r';
    refactor_add(out, at, at,
                 str_of(arena_printf(s->arena, "%s%s%s", open_end ? eol : "", line, eol)));
}

/* Behind the last import at the head of the file; else behind its docstring and comments. */
static size_t place_of(const refactor_site *s) {
    size_t line = 0;
    for (uint32_t i = 0; i < ts_node_named_child_count(s->root); i++) {
        TSNode one = ts_node_named_child(s->root, i);
        bool text = target_kind_is(one, "expression_statement") &&
                    ts_node_named_child_count(one) == 1 &&
                    target_kind_is(ts_node_named_child(one, 0), "string");
        if (!is_import(one) && !target_is_comment(one) && !(text && i == 0)) break;
        if (is_import(one) || text || !line)
            line = document_line_of(s->document, ts_node_end_byte(one)) + 1;
    }
    return document_line_start(s->document, line);
}

bool refactor_add_import(document *d, str name, str module, arena *a, refactoring *out) {
    refactor_site s;
    *out = (refactoring){.name = name};
    if (!name.len || !module.len || !refactor_begin(&s, d, a)) return false;
    if (strcmp(s.language, "python") || refactor_is_bound(&s, name)) return false;
    refactor_add_line(&s, place_of(&s),
                      arena_printf(a, "from %.*s import %.*s", STR_ARG(module), STR_ARG(name)),
                      out);
    return true;
}

/* ---- C --------------------------------------------------------------------------------------- */

static str file_name(str path) {
    ptrdiff_t slash = str_rfind_char(path, '/');
    return str_sub(path, (size_t)(slash + 1), path.len);
}

/* A declarator, a macro or a type of that name: anything but a use of it. */
static bool is_declared(TSNode node, str text, str name) {
    static const char *const declaring[] = {
        "function_declarator", "init_declarator",      "pointer_declarator",
        "array_declarator",    "declaration",          "parameter_declaration",
        "preproc_def",         "preproc_function_def", "type_definition",
        "struct_specifier",    "enum_specifier",       "union_specifier",
        "enumerator",          "field_declaration"};
    if (!str_eq(target_text(text, node), name)) return false;
    TSNode parent = ts_node_parent(node);
    for (size_t i = 0; !ts_node_is_null(parent) && i < COUNTOF(declaring); i++) {
        if (target_kind_is(parent, declaring[i])) return true;
    }
    return false;
}

static bool declares_name(const refactor_site *s, str name) {
    TSTreeCursor at = ts_tree_cursor_new(s->root);
    bool found = false;
    for (bool more = true; more && !found;) {
        TSNode node = ts_tree_cursor_current_node(&at);
        found = ts_node_child_count(node) == 0 && is_declared(node, s->text, name);
        if (ts_tree_cursor_goto_first_child(&at)) continue;
        while (!(more = ts_tree_cursor_goto_next_sibling(&at)) && ts_tree_cursor_goto_parent(&at)) {
        }
    }
    ts_tree_cursor_delete(&at);
    return found;
}

/* Behind the last include at the top level (an #ifdef ends it), else behind the first comment. */
static bool include_place(const refactor_site *s, str path, size_t *at) {
    size_t line = 0;
    for (uint32_t i = 0; i < ts_node_named_child_count(s->root); i++) {
        TSNode one = ts_node_named_child(s->root, i);
        bool include = target_kind_is(one, "preproc_include");
        bool guard = target_kind_is(one, "preproc_call"); /* #pragma once */
        if (!include && !guard && !target_is_comment(one)) break;
        str what = include ? target_text(s->text, target_field(one, "path")) : (str){0};
        if (what.len > 2 && str_eq(file_name(str_sub(what, 1, what.len - 1)), file_name(path)))
            return false;
        size_t end = ts_node_end_byte(one);
        bool whole = end > 0 && s->text.ptr[end - 1] == '\n'; /* directives hold their line end */
        size_t behind = document_line_of(s->document, end) + !whole;
        if (include || guard || !line) line = behind;
    }
    *at = document_line_start(s->document, line);
    return true;
}

bool refactor_add_include(document *d, str name, str path, arena *a, refactoring *out) {
    refactor_site s;
    size_t at;
    *out = (refactoring){.name = name};
    if (!name.len || !path.len || !refactor_begin(&s, d, a)) return false;
    if (strcmp(s.language, "c") || declares_name(&s, name)) return false;
    if (!include_place(&s, path, &at)) return false;
    refactor_add_line(&s, at, arena_printf(a, "#include \"%.*s\"", STR_ARG(path)), out);
    return true;
}
