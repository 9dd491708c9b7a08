/* SPDX-License-Identifier: Apache-2.0 */
/* Cut: how much of the answer belongs here.
 *
 * SHAPE_LINE: up to the first line end.  One exception: behind the opener of a block the answer may
 * begin with the line end, and then the first line of the body is kept.
 *
 * SHAPE_BLOCK: lines deeper than the block's opener.  A line that closes the block (at the opener's
 * depth) is the last one; a shallower or equal line is cut, and so is everything behind a blank
 * line or BLOCK_LINES_MAX lines.  An answer that did not end by itself loses its last line, which
 * is probably half a line.
 */
#include "context/filter.h"

#define BLOCK_LINES_MAX 12

static const char *cut_line(candidate *c) {
    str first = first_line(c->text);
    bool body = first.len == 0 && str_trim(c->after).len == 0 &&
                language_opens_block(c->d->language, c->before);
    if (!body) {
        c->text = first;
        return first.len ? NULL : "empty";
    }
    size_t at = 0;
    while (at < c->text.len && c->text.ptr[at] == '\n')
        at++;
    str line = first_line(str_sub(c->text, at, c->text.len));
    if (document_indent(line) <= c->indent) return "empty";
    c->text = str_sub(c->text, at - 1, at + line.len);
    return NULL;
}

static const char *cut_block(candidate *c) {
    str rest = c->text, line;
    size_t keep = 0, lines = 0, last = 0;
    while (str_split(&rest, '\n', &line)) {
        size_t end = rest.ptr ? (size_t)(line.ptr + line.len - c->text.ptr) : c->text.len;
        bool first = lines == 0;
        bool blank = str_trim(line).len == 0;
        lines++;
        if (first) {
            keep = end; /* continues the cursor's line, whatever its indentation */
            continue;
        }
        if (blank && str_trim(str_sub(c->text, 0, keep)).len == 0) continue;
        int indent = document_indent(line);
        bool closes = language_closes_block(c->d->language, line);
        if (blank || lines > BLOCK_LINES_MAX + 1 || indent < c->indent) break;
        if (indent == c->indent && !closes) break;
        last = keep;
        keep = end;
        if (indent == c->indent) break;
    }
    if (!c->answer->complete && keep == c->text.len && last > 0) keep = last;
    c->text = str_sub(c->text, 0, keep);
    return NULL;
}

const char *filter_cut(candidate *c) {
    return c->prompt->shape == SHAPE_BLOCK ? cut_block(c) : cut_line(c);
}
