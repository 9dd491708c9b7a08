/* SPDX-License-Identifier: Apache-2.0 */
/* One line or several.
 *
 * A small model is right about the rest of a line far more often than about a block, so a block is
 * asked for only where one is missing: the cursor is behind the opener of a block, or on a blank
 * line below it (comments and a docstring may stand between), only closers follow on the line, and
 * the next line with text is not deeper than the header.  Read from lines and not from the tree,
 * because a missing body is where trees have their errors.  Thread: loop.
 */
#include "context/shape.h"

#define HEADER_LINES_MAX 20 /* parameters, comments and docstring on lines of their own */

static str line_before_cursor(const document *d, size_t offset) {
    size_t start = document_line_start(d, document_line_of(d, offset));
    return str_sub(document_text(d), start, offset);
}

/* Opening minus closing round brackets of a line, as characters. */
static int paren_balance(str line) {
    int balance = 0;
    for (size_t i = 0; i < line.len; i++)
        balance += (line.ptr[i] == '(') - (line.ptr[i] == ')');
    return balance;
}

/* "> {" ends a header whose type parameters begin above with "name<", at the same depth. */
static size_t type_parameters_start(const document *d, size_t line, size_t stop) {
    int indent = document_indent(document_line(d, line));
    for (size_t at = line; at > stop;) {
        str text = document_line(d, --at);
        if (str_trim(text).len == 0 || document_indent(text) > indent) continue;
        return str_ends_with(str_trim(text), STR("<")) ? at : line;
    }
    return line;
}

size_t shape_header_start(const document *d, size_t line, str text) {
    int balance = paren_balance(text);
    size_t stop = line > HEADER_LINES_MAX ? line - HEADER_LINES_MAX : 0;
    if (str_starts_with(str_trim(text), STR(">"))) return type_parameters_start(d, line, stop);
    while (balance < 0 && line > stop)
        balance += paren_balance(document_line(d, --line));
    return line;
}

int shape_header_indent(const document *d, size_t line, str text) {
    if (paren_balance(text) >= 0) return document_indent(text);
    return document_indent(document_line(d, shape_header_start(d, line, text)));
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

int shape_block_indent(const document *d, size_t offset) {
    str header;
    size_t opener = find_opener(d, offset, &header);
    if (opener == SIZE_MAX) return -1;
    return document_indent(document_line(d, shape_header_start(d, opener, header)));
}

completion_shape shape_find(const document *d, size_t offset, scope_kind kind) {
    if (kind != SCOPE_CODE) return SHAPE_LINE;
    size_t line = document_line_of(d, offset);
    str whole = document_line(d, line);
    size_t column = MIN(offset - document_line_start(d, line), whole.len);
    if (!is_only_closers(str_sub(whole, column, whole.len))) return SHAPE_LINE;
    int indent = shape_block_indent(d, offset);
    if (indent < 0) return SHAPE_LINE;
    size_t next = document_line_after(d, line);
    if (next != SIZE_MAX && document_indent(document_line(d, next)) > indent) return SHAPE_LINE;
    return SHAPE_BLOCK;
}
