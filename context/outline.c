/* SPDX-License-Identifier: Apache-2.0 */
/* What of a file a prompt window should keep although it lies outside: imports and headers.
 *
 * Both are read from lines, not from the tree: while a line is being typed the tree around it is
 * often one ERROR, and right after a large paste there is none.  The answer must not flicker with
 * that, because it stands at the beginning of the prompt, and the engine would compute everything
 * behind it again.  Thread: loop.
 */
#include "context/outline.h"

#include "context/shape.h"

#define IMPORT_LINES_MAX 400 /* how far into the file imports are looked for */
#define IMPORT_GAP_MAX 10    /* lines without an import that end the search, once one was seen */
#define SIGNATURE_BYTES_MAX 400
#define SIGNATURE_LINES_MAX 3000 /* how far up headers are looked for */

/* Opening minus closing brackets of a line that imports. */
static int open_brackets(str line) {
    int open = 0;
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];
        open += (c == '(' || c == '{') - (c == ')' || c == '}');
    }
    return open;
}

static void find_imports(const document *d, outline *out) {
    size_t lines = MIN(document_line_count(d), IMPORT_LINES_MAX), last = SIZE_MAX;
    for (size_t i = 0; i < lines; i++) {
        if (last != SIZE_MAX && i > last + IMPORT_GAP_MAX) break;
        str line = document_line(d, i);
        if (!language_is_import(d->language, line)) continue;
        if (last == SIZE_MAX) out->imports.from = document_line_start(d, i);
        /* import ( ... ) over several lines */
        for (int open = open_brackets(line); open > 0 && i + 1 < lines;)
            open += open_brackets(document_line(d, ++i));
        last = i;
        out->imports.to = document_line_start(d, i + 1);
    }
}

/* Takes the header that ends on `line` as the next outer signature; false when there is no room. */
static bool add_signature(const document *d, size_t line, outline *out) {
    str text = document_line(d, line);
    size_t first = shape_header_start(d, line, text);
    /* A brace on a line of its own: the header is above it. */
    if (str_eq(str_trim(text), STR("{")) && first > 0)
        first = shape_header_start(d, first - 1, document_line(d, first - 1));
    byte_range range = {document_line_start(d, first), document_line_start(d, line + 1)};
    if (range.to - range.from > SIGNATURE_BYTES_MAX) return true;
    memmove(out->signatures + 1, out->signatures, out->n_signatures * sizeof range);
    out->signatures[0] = range;
    return ++out->n_signatures < OUTLINE_SIGNATURES_MAX;
}

static void find_signatures(const document *d, size_t offset, outline *out) {
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
        int columns = shape_header_indent(d, line, text);
        if (columns >= indent || !language_opens_block(d->language, text)) continue;
        indent = columns;
        if (language_closes_block(d->language, text)) continue; /* "} else {" */
        if (!add_signature(d, line, out)) return;
    }
}

void outline_find(const document *d, size_t offset, outline *out) {
    *out = (outline){0};
    find_imports(d, out);
    find_signatures(d, offset, out);
}
