/* SPDX-License-Identifier: Apache-2.0 */
/* Where the cursor is.
 *
 * With a tree, the language's scope query (context/queries/LANG/scopes.scm) is run over the nodes
 * that touch the cursor.  Its captures:
 *
 *   @comment @string @import   the kind of place; the innermost one wins
 *   @code                      code again inside a string (interpolation)
 *
 * Signatures are found by indentation and not in the tree: while a line is being typed the tree
 * around it is often one ERROR, and its definitions are gone.
 *
 * Without a tree, or where the tree has an error on the cursor's line (an unfinished string is one),
 * the line itself is read with the language's quotes and comment marks.
 *
 * A cursor directly behind a line comment or an import without ";" is inside it, directly behind a
 * string or a closed block comment it is outside.  Thread: loop.
 */
#include "context/scope.h"

#include "engine/base/limits.h"

#define IMPORTS_BYTES_MAX (16u << 10) /* how far into the file imports are looked for */
#define IMPORTS_DEPTH 3               /* inside an include guard, not inside functions */
#define SIGNATURE_BYTES_MAX 400
#define SIGNATURE_LINES_MAX 3000 /* how far up signatures are looked for */
#define HEADER_LINES_MAX                                                                           \
 20 /* of one block: parameters on lines of their own, comments, docstring */

typedef struct {
    const document *d;
    const TSQuery *query;
    size_t offset;
    size_t inner; /* start of the innermost node that decided the kind */
    scope *out;
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
            f->out->kind = str_eq(name, STR("comment"))  ? SCOPE_COMMENT
                           : str_eq(name, STR("string")) ? SCOPE_STRING
                           : str_eq(name, STR("import")) ? SCOPE_IMPORT
                                                         : SCOPE_CODE;
        }
    }
}

static void find_imports(finder *f, TSQueryCursor *cursor, TSNode root) {
    const document *d = f->d;
    byte_range *imports = &f->out->imports;
    TSQueryMatch match;
    uint32_t at;
    ts_query_cursor_set_byte_range(cursor, 0, IMPORTS_BYTES_MAX);
    ts_query_cursor_set_max_start_depth(cursor, IMPORTS_DEPTH);
    ts_query_cursor_exec(cursor, f->query, root);
    while (ts_query_cursor_next_capture(cursor, &match, &at)) {
        TSQueryCapture capture = match.captures[at];
        uint32_t n;
        const char *text = ts_query_capture_name_for_id(f->query, capture.index, &n);
        if (!str_eq((str){text, n}, STR("import"))) continue;
        size_t from = document_line_of(d, ts_node_start_byte(capture.node));
        size_t end = ts_node_end_byte(capture.node);
        size_t to = document_line_of(d, end > 0 ? end - 1 : 0); /* includes may own their \n */
        if (imports->to == 0) imports->from = document_line_start(d, from);
        imports->to = MAX(imports->to, document_line_start(d, to + 1));
    }
}

static bool has_error_near(const finder *f, TSNode root) {
    size_t start = document_line_start(f->d, document_line_of(f->d, f->offset));
    TSNode node = ts_node_descendant_for_byte_range(root, (uint32_t)start, (uint32_t)f->offset);
    return !ts_node_is_null(node) && ts_node_has_error(node);
}

void scope_find(context *c, document *d, size_t offset, scope *out) {
    *out = (scope){.kind = SCOPE_CODE};
    const TSTree *tree = context_parse(d) ? syntax_tree(d->tree) : NULL;
    const TSQuery *query = tree ? context_query(c, syntax_grammar(d->tree)) : NULL;
    if (!query) {
        out->kind = kind_by_line(d, offset);
        return;
    }
    out->parsed = true;
    finder f = {.d = d, .query = query, .offset = offset, .out = out};
    TSNode root = ts_tree_root_node(tree);
    TSQueryCursor *cursor = ts_query_cursor_new();
    TSQueryMatch match;
    ts_query_cursor_set_match_limit(cursor, 256);
    ts_query_cursor_set_byte_range(cursor, (uint32_t)(offset ? offset - 1 : 0),
                                   (uint32_t)offset + 1);
    ts_query_cursor_exec(cursor, query, root);
    while (ts_query_cursor_next_match(cursor, &match))
        take_match(&f, &match);
    find_imports(&f, cursor, root);
    ts_query_cursor_delete(cursor);
    if (out->kind == SCOPE_CODE && has_error_near(&f, root)) out->kind = kind_by_line(d, offset);
}

/* ---- one line or several ------------------------------------------------------------------------- */

/* Opening minus closing round brackets of a line, as characters. */
static int paren_balance(str line) {
    int balance = 0;
    for (size_t i = 0; i < line.len; i++)
        balance += (line.ptr[i] == '(') - (line.ptr[i] == ')');
    return balance;
}

/* The line above on which the header that ends on `line` began. */
static size_t header_start(const document *d, size_t line, str text) {
    int balance = paren_balance(text);
    size_t stop = line > HEADER_LINES_MAX ? line - HEADER_LINES_MAX : 0;
    while (balance < 0 && line > stop)
        balance += paren_balance(document_line(d, --line));
    return line;
}

/* Takes the header that ends on `line` as the next outer signature; false when there is no room. */
static bool add_signature(const document *d, size_t line, scope *out) {
    str text = document_line(d, line);
    size_t first = header_start(d, line, text);
    /* A brace on a line of its own: the header is above it. */
    if (str_eq(str_trim(text), STR("{")) && first > 0)
        first = header_start(d, first - 1, document_line(d, first - 1));
    byte_range range = {document_line_start(d, first), document_line_start(d, line + 1)};
    if (range.to - range.from > SIGNATURE_BYTES_MAX) return true;
    memmove(out->signatures + 1, out->signatures, out->n_signatures * sizeof range);
    out->signatures[0] = range;
    return ++out->n_signatures < SCOPE_SIGNATURES_MAX;
}

void scope_signatures(const document *d, size_t offset, scope *out) {
    size_t line = document_line_of(d, offset);
    int indent = document_indent(document_line(d, line));
    size_t above = document_line_before(d, line);
    /* A blank line has no depth of its own yet; taking that of the line above keeps the prompt's
     * beginning as it was. */
    if (str_trim(document_line(d, line)).len == 0 && above != SIZE_MAX)
        indent = MAX(indent, document_indent(document_line(d, above)));
    size_t stop = line > SIGNATURE_LINES_MAX ? line - SIGNATURE_LINES_MAX : 0;
    out->n_signatures = 0;
    while (line-- > stop && indent > 0) {
        str text = document_line(d, line);
        int columns = document_indent(text);
        if (columns >= indent || !language_opens_block(d->language, text)) continue;
        indent = columns;
        if (language_closes_block(d->language, text)) continue; /* "} else {" */
        if (!add_signature(d, line, out)) return;
    }
}

static bool is_comment_or_docstring(const document *d, size_t line) {
    const language *l = d->language;
    str text = str_trim(document_line(d, line));
    if (text.len && language_comment_start(l, text) == 0) return true;
    if (l->block_comment[1] && str_ends_with(text, str_of(l->block_comment[1]))) return true;
    return l->blocks == BLOCKS_INDENT &&
           (str_ends_with(text, STR("\"\"\"")) || str_ends_with(text, STR("'''")));
}

/* Upwards from a blank line over comments and a docstring; SIZE_MAX when there is no line. */
static size_t line_above_comments(const document *d, size_t line) {
    size_t at = document_line_before(d, line);
    for (int i = 0; i < HEADER_LINES_MAX && at != SIZE_MAX && is_comment_or_docstring(d, at); i++) {
        str text = str_trim(document_line(d, at));
        const char *mark = str_ends_with(text, STR("\"\"\"")) ? "\"\"\"" : "'''";
        bool closes_only = d->language->blocks == BLOCKS_INDENT &&
                           str_ends_with(text, str_of(mark)) &&
                           (text.len < 6 || !str_starts_with(text, str_of(mark)));
        /* The docstring's first line is the one that begins with the same quotes. */
        for (int k = 0; closes_only && k < HEADER_LINES_MAX; k++) {
            at = document_line_before(d, at);
            if (at == SIZE_MAX) return at;
            closes_only = !str_starts_with(str_trim(document_line(d, at)), str_of(mark));
        }
        at = document_line_before(d, at);
    }
    return at;
}

static bool is_only_closers(str rest) {
    rest = str_trim(rest);
    for (size_t i = 0; i < rest.len; i++) {
        if (!strchr(")}];,", rest.ptr[i])) return false;
    }
    return true;
}

/* "foo({" passes an object, "foo(() => {" a function: only the second has a body. */
static bool is_argument_literal(str header) {
    str text = str_trim(header);
    if (text.len < 2 || text.ptr[text.len - 1] != '{' || paren_balance(text) <= 0) return false;
    text = str_trim(str_sub(text, 0, text.len - 1));
    return text.len == 0 || !strchr(")>", text.ptr[text.len - 1]);
}

/* The line whose end opens the block that the cursor is to fill, and its text; SIZE_MAX: none. */
static size_t find_opener(const document *d, size_t offset, str *header) {
    size_t line = document_line_of(d, offset);
    *header = line_before_cursor(d, offset);
    if (str_trim(*header).len == 0) {
        line = line_above_comments(d, line);
        if (line == SIZE_MAX) return SIZE_MAX;
        *header = document_line(d, line);
    }
    if (!language_opens_block(d->language, *header)) return SIZE_MAX;
    return is_argument_literal(*header) ? SIZE_MAX : line;
}

int scope_block_indent(const document *d, size_t offset) {
    str header;
    size_t opener = find_opener(d, offset, &header);
    if (opener == SIZE_MAX) return -1;
    return document_indent(document_line(d, header_start(d, opener, header)));
}

completion_shape scope_shape(const document *d, size_t offset, scope_kind kind) {
    if (kind != SCOPE_CODE) return SHAPE_LINE;
    size_t line = document_line_of(d, offset);
    str whole = document_line(d, line);
    size_t column = MIN(offset - document_line_start(d, line), whole.len);
    if (!is_only_closers(str_sub(whole, column, whole.len))) return SHAPE_LINE;
    int indent = scope_block_indent(d, offset);
    if (indent < 0) return SHAPE_LINE;
    size_t next = document_line_after(d, line);
    if (next != SIZE_MAX && document_indent(document_line(d, next)) > indent) return SHAPE_LINE;
    return SHAPE_BLOCK;
}
