/* SPDX-License-Identifier: Apache-2.0 */
/* Bracket: closers that the text repeats although they stand below the cursor.
 *
 * One line: what closes something opened on an earlier line is cut when the next line with text
 * begins with the same closer and nothing but closers would follow.  Several lines: a line that
 * begins with a closer (or a word like "end") is cut, with all behind it, when the next line of the
 * document begins with the same one at the same depth.
 */
#include "context/filter.h"

static str first_word(str line) {
    line = str_trim(line);
    size_t n = 0;
    while (n < line.len && ((line.ptr[n] >= 'a' && line.ptr[n] <= 'z')))
        n++;
    return str_sub(line, 0, n ? n : 1);
}

static bool is_tail_of_closers(str s) {
    for (size_t i = 0; i < s.len; i++) {
        if (!strchr(")]};, \t", s.ptr[i]) || s.ptr[i] == '\0') return false;
    }
    return true;
}

static void cut_in_line(candidate *c) {
    brackets b = {0};
    brackets_read(&b, c->d->language, c->before);
    brackets_read(&b, c->d->language, c->text);
    size_t at = b.closes_unknown;
    str next = str_trim(c->next);
    if (at == SIZE_MAX || next.len == 0 || next.ptr[0] != c->text.ptr[at]) return;
    if (is_tail_of_closers(str_sub(c->text, at, c->text.len))) c->text = str_sub(c->text, 0, at);
}

static void cut_lines(candidate *c) {
    if (!language_closes_block(c->d->language, c->next)) return;
    int depth = document_indent(c->next);
    str word = first_word(c->next);
    for (size_t i = 0; i < c->text.len; i++) {
        if (c->text.ptr[i] != '\n') continue;
        str line = first_line(str_sub(c->text, i + 1, c->text.len));
        if (!language_closes_block(c->d->language, line)) continue;
        if (document_indent(line) != depth || !str_eq(first_word(line), word)) continue;
        c->text = str_sub(c->text, 0, i);
        return;
    }
}

const char *filter_bracket(candidate *c) {
    if (str_trim(c->after).len) return NULL; /* filter_suffix has looked at it */
    if (first_line(c->text).len == c->text.len)
        cut_in_line(c);
    else
        cut_lines(c);
    return str_trim(c->text).len ? NULL : "duplicates-suffix";
}
