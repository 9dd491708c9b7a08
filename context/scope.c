/* SPDX-License-Identifier: Apache-2.0 */
/* Where the cursor is.
 *
 * With a tree, the language's scope query (context/queries/LANG/scopes.scm) is run over the nodes
 * that touch the cursor.  Its captures:
 *
 *   @comment @string @import   the kind of place; the innermost one wins
 *   @code                      code again inside a string (interpolation)
 *
 * Without a tree, or where the tree has an error on the cursor's line (an unfinished string is
 * one), the line itself is read with the language's quotes and comment marks.
 *
 * A cursor directly behind a line comment or an import without ";" is inside it, directly behind a
 * string or a closed block comment it is outside.  Thread: loop.
 */
#include "context/scope.h"

#define MATCHES_MAX 256 /* of one query at a time; nodes around one cursor are fewer */

typedef struct {
    const document *d;
    const TSQuery *query;
    size_t offset;
    size_t inner; /* start of the innermost node that decided the kind */
    scope_kind kind;
} finder;

const char *scope_name(scope_kind kind) {
    switch (kind) {
    case SCOPE_CODE: return "code";
    case SCOPE_COMMENT: return "comment";
    case SCOPE_STRING: return "string";
    case SCOPE_IMPORT: return "import";
    }
    ASSERT(0);
    return "";
}

static str line_before_cursor(const document *d, size_t offset) {
    size_t start = document_line_start(d, document_line_of(d, offset));
    return str_sub(document_text(d), start, offset);
}

static scope_kind kind_by_line(const document *d, size_t offset) {
    str before = line_before_cursor(d, offset);
    if (language_comment_start(d->language, before) < before.len) return SCOPE_COMMENT;
    return language_in_string(d->language, before) ? SCOPE_STRING : SCOPE_CODE;
}

static bool is_inside(const finder *f, str name, size_t from, size_t to) {
    if (from >= f->offset || f->offset > to) return false;
    if (f->offset < to) return true;
    str node = str_sub(document_text(f->d), from, to);
    if (str_eq(name, STR("import"))) return node.len && !strchr(";\n", node.ptr[node.len - 1]);
    if (!str_eq(name, STR("comment"))) return false;
    const char *end = f->d->language->block_comment[1];
    return !end || !str_ends_with(node, str_of(end));
}

static void take_match(finder *f, const TSQueryMatch *match) {
    for (uint16_t i = 0; i < match->capture_count; i++) {
        TSNode node = match->captures[i].node;
        size_t from = ts_node_start_byte(node), to = ts_node_end_byte(node);
        uint32_t n;
        const char *text = ts_query_capture_name_for_id(f->query, match->captures[i].index, &n);
        str name = {text, n};
        if (is_inside(f, name, from, to) && from >= f->inner) {
            f->inner = from;
            f->kind = str_eq(name, STR("comment"))  ? SCOPE_COMMENT
                      : str_eq(name, STR("string")) ? SCOPE_STRING
                      : str_eq(name, STR("import")) ? SCOPE_IMPORT
                                                    : SCOPE_CODE;
        }
    }
}

static bool has_error_near(const finder *f, TSNode root) {
    size_t start = document_line_start(f->d, document_line_of(f->d, f->offset));
    TSNode node = ts_node_descendant_for_byte_range(root, (uint32_t)start, (uint32_t)f->offset);
    return !ts_node_is_null(node) && ts_node_has_error(node);
}

scope_kind scope_find(context *c, document *d, size_t offset) {
    const TSTree *tree = context_parse(d) ? syntax_tree(d->tree) : NULL;
    const TSQuery *query = tree ? context_query(c, syntax_grammar(d->tree)) : NULL;
    if (!query) return kind_by_line(d, offset);
    finder f = {.d = d, .query = query, .offset = offset, .kind = SCOPE_CODE};
    TSNode root = ts_tree_root_node(tree);
    TSQueryCursor *cursor = ts_query_cursor_new();
    TSQueryMatch match;
    ts_query_cursor_set_match_limit(cursor, MATCHES_MAX);
    ts_query_cursor_set_byte_range(cursor, (uint32_t)(offset ? offset - 1 : 0),
                                   (uint32_t)offset + 1);
    ts_query_cursor_exec(cursor, query, root);
    while (ts_query_cursor_next_match(cursor, &match))
        take_match(&f, &match);
    ts_query_cursor_delete(cursor);
    if (f.kind == SCOPE_CODE && has_error_near(&f, root)) return kind_by_line(d, offset);
    return f.kind;
}
