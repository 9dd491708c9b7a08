/* SPDX-License-Identifier: Apache-2.0 */
/* Where a text does not fit its language's grammar.  Thread: any; no state. */
#include "context/context.h"
#include "context/language.h"
#include "context/syntax.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"

/* Without recursion, in the text's order; sub-trees without errors are not entered, and neither is
 * what lies in an error: one message for one place. */
static size_t collect(const TSTree *tree, context_fault *out, size_t max) {
    size_t n = 0;
    TSTreeCursor at = ts_tree_cursor_new(ts_tree_root_node(tree));
    for (bool more = true; more && n < max;) {
        TSNode node = ts_tree_cursor_current_node(&at);
        bool missing = ts_node_is_missing(node), wrong = ts_node_is_error(node);
        if (missing || wrong)
            out[n++] = (context_fault){.line = ts_node_start_point(node).row,
                                       .missing = missing ? ts_node_type(node) : NULL};
        bool enter = ts_node_has_error(node) && !missing && !wrong;
        if (enter && ts_tree_cursor_goto_first_child(&at)) continue;
        while (!(more = ts_tree_cursor_goto_next_sibling(&at)) && ts_tree_cursor_goto_parent(&at)) {
        }
    }
    ts_tree_cursor_delete(&at);
    return n;
}

size_t context_find_faults(str path, str language_id, str text, uint64_t budget_us,
                           context_fault *out, size_t max) {
    const grammar *g = language_grammar(language_find(path, language_id));
    if (!g || text.len > LIMIT_PARSE_BYTES) return SIZE_MAX;
    const str pieces[6] = {text};
    TSTree *tree = syntax_parse(g, pieces, clock_us() + budget_us);
    if (!tree) return SIZE_MAX;
    size_t n = collect(tree, out, max);
    ts_tree_delete(tree);
    return n;
}
