/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Every refactoring that can be done in a text, for tests: calls `fn` for each. */
#include "context/names.h"
#include "context/refactor.h"

typedef enum { ALL_VARIABLE, ALL_FUNCTION, ALL_INLINE } all_kind;

/* `from`, `to`: what was selected. */
typedef void (*all_fn)(void *ud, all_kind kind, size_t from, size_t to, const refactoring *r);

static inline void all_try(document *d, all_kind kind, size_t from, size_t to, all_fn fn,
                           void *ud) {
    arena a;
    refactoring r;
    arena_init(&a);
    bool good = kind == ALL_VARIABLE   ? refactor_extract_variable(d, from, to, (str){0}, &a, &r)
                : kind == ALL_FUNCTION ? refactor_extract_function(d, from, to, (str){0}, &a, &r)
                                       : refactor_inline_variable(d, from, &a, &r);
    if (good) fn(ud, kind, from, to, &r);
    arena_deinit(&a);
}

/* All expressions, all single statements and pairs of neighbours, all names; of the kinds whose bit
 * is set in `kinds`. */
static inline void all_refactorings(document *d, unsigned kinds, all_fn fn, void *ud) {
    if (!context_parse(d, 60000000)) return;
    TSTree *tree = ts_tree_copy(syntax_tree(d->tree)); /* fn may look at the document again */
    TSTreeCursor at = ts_tree_cursor_new(ts_tree_root_node(tree));
    for (bool more = true; more;) {
        TSNode node = ts_tree_cursor_current_node(&at);
        size_t from = ts_node_start_byte(node), to = ts_node_end_byte(node);
        if (ts_node_is_named(node) && !ts_node_is_null(ts_node_parent(node))) {
            TSNode next = ts_node_next_named_sibling(node);
            if (kinds >> ALL_VARIABLE & 1) all_try(d, ALL_VARIABLE, from, to, fn, ud);
            if (kinds >> ALL_FUNCTION & 1) all_try(d, ALL_FUNCTION, from, to, fn, ud);
            if (kinds >> ALL_FUNCTION & 1 && !ts_node_is_null(next))
                all_try(d, ALL_FUNCTION, from, ts_node_end_byte(next), fn, ud);
            if (kinds >> ALL_INLINE & 1 && !strcmp(ts_node_type(node), "identifier") &&
                names_role(node) == NAME_BIND)
                all_try(d, ALL_INLINE, from, to, fn, ud);
        }
        if (ts_tree_cursor_goto_first_child(&at)) continue;
        while (!(more = ts_tree_cursor_goto_next_sibling(&at)) && ts_tree_cursor_goto_parent(&at)) {
        }
    }
    ts_tree_cursor_delete(&at);
    ts_tree_delete(tree);
}
