/* SPDX-License-Identifier: Apache-2.0 */
/* Indent: the suggestion's lines get the kind of indentation that the document has.
 *
 * The first line continues the cursor's line.  When that has only blanks before the cursor, blanks
 * at the start of the text would make an indentation that is no multiple of the document's unit:
 * they are dropped.  In the other lines leading tabs become units of spaces or the reverse.  A
 * document without any indented line tells nothing: then what the editor says holds, and without
 * its word nothing is changed.
 */
#include "context/filter.h"

#define LINES_LOOKED_AT 400

typedef struct {
    bool known, tabs;
    int unit; /* spaces per level; 4 when the document uses tabs */
} indent_style;

static indent_style style_of(const document *d) {
    size_t tabs = 0, by_two = 0, by_four = 0;
    size_t lines = MIN(document_line_count(d), LINES_LOOKED_AT);
    for (size_t i = 0; i < lines; i++) {
        str line = document_line(d, i);
        if (line.len == 0) continue;
        if (line.ptr[0] == '\t') tabs++;
        int spaces = line.ptr[0] == ' ' ? document_indent(line) : 0;
        if (spaces >= 2) *(spaces % 4 == 0 ? &by_four : &by_two) += 1;
    }
    indent_style style = {.known = tabs + by_two + by_four > 0, .unit = 4};
    style.tabs = tabs > by_two + by_four;
    /* With two per level about half of the lines are at odd levels. */
    if (!style.tabs && by_two * 4 > by_four) style.unit = 2;
    return style;
}

static void add_indented(strbuf *out, str line, indent_style style) {
    size_t n = 0;
    while (n < line.len && (line.ptr[n] == ' ' || line.ptr[n] == '\t'))
        n++;
    bool wrong = n && memchr(line.ptr, style.tabs ? ' ' : '\t', n) != NULL;
    if (!wrong) {
        strbuf_add_str(out, line);
        return;
    }
    int columns = 0;
    for (size_t i = 0; i < n; i++)
        columns += line.ptr[i] == '\t' ? style.unit : 1;
    int levels = style.tabs ? columns / style.unit : 0;
    for (int i = 0; i < levels; i++)
        strbuf_add_char(out, '\t');
    for (int i = levels * style.unit; i < columns; i++)
        strbuf_add_char(out, ' ');
    strbuf_add_str(out, str_sub(line, n, line.len));
}

/* Blanks that would add a broken level behind an indentation that is there already. */
static str without_stray_blanks(const candidate *c, indent_style style) {
    str text = c->text;
    size_t n = 0;
    while (n < text.len && text.ptr[n] == ' ')
        n++;
    if (n == 0 || n == text.len || text.ptr[n] == '\n') return text;
    if (c->before.len == 0 || str_trim(c->before).len > 0) return text;
    bool whole = !style.tabs && (document_indent(c->before) + (int)n) % style.unit == 0;
    return whole ? text : str_sub(text, n, text.len);
}

const char *filter_indent(candidate *c) {
    indent_style style = style_of(c->d);
    if (!style.known)
        style = (indent_style){c->prompt->tab_size > 0, c->prompt->tabs, c->prompt->tab_size};
    if (!style.known) return NULL;
    c->text = without_stray_blanks(c, style);
    if (!memchr(c->text.ptr, '\n', c->text.len)) return NULL;
    strbuf out;
    strbuf_init(&out, c->text.len * 8 + 64);
    str rest = c->text, line;
    for (bool first = true; str_split(&rest, '\n', &line); first = false) {
        if (!first) strbuf_add_char(&out, '\n');
        if (first)
            strbuf_add_str(&out, line);
        else
            add_indented(&out, line, style);
    }
    c->text = arena_str(c->a, strbuf_str(&out));
    strbuf_deinit(&out);
    return NULL;
}
