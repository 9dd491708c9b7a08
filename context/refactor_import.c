/* SPDX-License-Identifier: Apache-2.0 */
/* Adding an import to a Python file: see refactor.h.  Thread: loop. */
#include "context/refactor_private.h"

static bool is_import(TSNode node) {
    return target_kind_is(node, "import_statement") ||
           target_kind_is(node, "import_from_statement") ||
           target_kind_is(node, "future_import_statement");
}

static bool is_bound(const refactor_site *s, str name) {
    name_uses all = {0};
    bool bound = !names_find(s->text, s->root, &all);
    for (size_t i = 0; i < all.count && !bound; i++)
        bound = all.at[i].role != NAME_READ && str_eq(all.at[i].text, name);
    vec_free(&all);
    return bound;
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
    if (strcmp(s.language, "python") || is_bound(&s, name)) return false;
    size_t at = place_of(&s);
    const char *eol = document_eol(d);
    bool open_end = at > 0 && s.text.ptr[at - 1] != '\n' && s.text.ptr[at - 1] != '\r';
    refactor_add(out, at, at,
                 str_of(arena_printf(a, "%sfrom %.*s import %.*s%s", open_end ? eol : "",
                                     STR_ARG(module), STR_ARG(name), eol)));
    return true;
}
