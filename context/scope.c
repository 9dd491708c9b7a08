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
 * When the parse is late, the last tree is asked about the start of the line and the line is read
 * from there.
 *
 * A cursor directly behind a line comment or an import without ";" is inside it, directly behind a
 * string or a closed block comment it is outside.  Thread: loop.
 */
#include "context/scope.h"

#include "engine/base/limits.h"

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

/* The innermost kind at `offset`. */
static scope_kind kind_in_tree(finder *f, TSNode root) {
    TSQueryCursor *cursor = ts_query_cursor_new();
    TSQueryMatch match;
    size_t offset = f->offset;
    ts_query_cursor_set_match_limit(cursor, MATCHES_MAX);
    ts_query_cursor_set_byte_range(cursor, (uint32_t)(offset ? offset - 1 : 0),
                                   (uint32_t)offset + 1);
    ts_query_cursor_exec(cursor, f->query, root);
    while (ts_query_cursor_next_match(cursor, &match))
        take_match(f, &match);
    ts_query_cursor_delete(cursor);
    return f->kind;
}

/* Whether the line up to the cursor may end what was open at its start. */
static bool may_close(const document *d, str before) {
    const char *end = d->language->block_comment[1];
    if (end && str_find(before, str_of(end)) >= 0) return true;
    return str_find(before, STR("\"\"\"")) >= 0 || str_find(before, STR("'''")) >= 0 ||
           str_find(before, STR("`")) >= 0;
}

/* The tree is late: it is still right about what the line begins in, and the line is read. */
static scope_kind kind_in_stale_tree(finder *f, const TSTree *tree) {
    const document *d = f->d;
    size_t cursor = f->offset;
    f->offset = document_line_start(d, document_line_of(d, cursor));
    scope_kind kind = kind_in_tree(f, ts_tree_root_node(tree));
    bool inside = kind == SCOPE_COMMENT || kind == SCOPE_STRING;
    if (inside && !may_close(d, line_before_cursor(d, cursor))) return kind;
    return kind_by_line(d, cursor);
}

scope_kind scope_find(context *c, document *d, size_t offset) {
    bool fresh = context_parse(d, LIMIT_PARSE_KEY_US);
    const TSTree *tree = d->tree ? syntax_stale_tree(d->tree) : NULL;
    const TSQuery *query = tree ? context_query(c, syntax_grammar(d->tree)) : NULL;
    if (!query) return kind_by_line(d, offset);
    finder f = {.d = d, .query = query, .offset = offset, .kind = SCOPE_CODE};
    if (!fresh) return kind_in_stale_tree(&f, tree);
    TSNode root = ts_tree_root_node(tree);
    scope_kind kind = kind_in_tree(&f, root);
    if (kind == SCOPE_CODE && has_error_near(&f, root)) return kind_by_line(d, offset);
    return kind;
}
