/* SPDX-License-Identifier: Apache-2.0 */
/* Duplicate: the suggestion would write a line that is there already.
 *
 * Compared are whole lines (what stands before the cursor belongs to the first one) without white
 * space, a final "," or ";", and the kind of quotes.  Nothing fuzzier: over real files the truth is
 * often a line that differs from the next in one digit.  The first line equal to the next line with
 * text: dropped.  The first line equal to the line above: dropped, unless it is as short as "}," or
 * "end".  In a block, lines at the end that equal the lines that follow in the document are cut.
 * Long lines (20 characters and more) count as equal at an edit distance of up to 5 %.
 */
#include "context/filter.h"

#define ABOVE_BYTES_MIN 6

/* The next byte that counts: no blanks, one kind of quotes. */
static char next_byte(str *s) {
    while (s->len && (s->ptr[0] == ' ' || s->ptr[0] == '\t'))
        *s = str_sub(*s, 1, s->len);
    if (s->len == 0) return '\0';
    char c = s->ptr[0];
    *s = str_sub(*s, 1, s->len);
    return c == '\'' ? '"' : c;
}

static str without_end(str line) {
    line = str_trim(line);
    while (line.len > 1 && strchr(";,", line.ptr[line.len - 1]))
        line.len--;
    return line;
}

static bool is_same_line(str a, str b) {
    a = without_end(a);
    b = without_end(b);
    if (a.len == 0) return false;
    for (;;) {
        char x = next_byte(&a), y = next_byte(&b);
        if (x != y) return false;
        if (x == '\0') return a.len == 0 && b.len == 0;
    }
}

static bool has_letter(str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80)
            return true;
    }
    return false;
}

/* Cuts the longest tail of lines that equals the document's lines from `c->next` on. */
static void cut_common_tail(candidate *c) {
    size_t cursor_line = document_line_of(c->d, c->prompt->offset);
    for (size_t i = 0; i < c->text.len; i++) {
        if (c->text.ptr[i] != '\n') continue;
        str tail = str_sub(c->text, i + 1, c->text.len), line;
        size_t below = document_line_after(c->d, cursor_line), equal = 0;
        bool same = str_trim(tail).len > 0;
        while (same && str_split(&tail, '\n', &line)) {
            if (str_trim(line).len == 0) continue;
            str there = below == SIZE_MAX ? (str){0} : document_line(c->d, below);
            /* A lone closer is judged by filter_bracket, which looks at its depth. */
            same = is_same_line(line, there) && (equal || has_letter(line));
            equal++;
            if (same) below = document_line_after(c->d, below);
        }
        if (!same) continue;
        c->text = str_sub(c->text, 0, i);
        return;
    }
}

const char *filter_duplicate(candidate *c) {
    str first = first_line(c->text);
    str text = c->text;
    bool on_next_line = first.len == 0; /* behind an opener: the text begins with a line end */
    if (on_next_line) first = first_line(str_sub(text, 1, text.len));

    char *whole = on_next_line ? arena_printf(c->a, "%.*s", STR_ARG(first))
                               : arena_printf(c->a, "%.*s%.*s", STR_ARG(c->before), STR_ARG(first));
    str line = str_trim(str_of(whole));
    bool tail_blank = str_trim(c->after).len == 0;
    if (tail_blank && is_same_line(line, c->next)) return "duplicates-suffix";
    str above = on_next_line ? c->before : c->above;
    if (line.len >= ABOVE_BYTES_MIN && has_letter(line) && str_eq(line, str_trim(above)))
        return "duplicates-prefix";
    cut_common_tail(c);
    return str_trim(c->text).len ? NULL : "duplicates-suffix";
}
