/* SPDX-License-Identifier: Apache-2.0 */
/* Suffix: the text against the rest of the cursor's line.
 *
 * Editors close brackets and quotes by themselves, so "print(|)" is the usual cursor and the model,
 * asked for the rest of a line, writes "x)" or "x);".  What in the text ends something that was
 * opened before the cursor is found by reading brackets, not by comparing the ends of strings:
 * "f(|)" and "g(x)" share a ")" that belongs to g.
 *
 *   print(|)    x)        the tail is what stands there            trimmed:  x
 *   print(|)    x);       the rest is contained in the tail        replaced: ) by x);
 *   print(|);   x) + 1    neither: cut where the line closes       trimmed:  x
 *   print(|)    g(x)      nothing of the line is closed            inserted
 *
 * A rest that is no bracket (";", ":", a word) is trimmed when the text ends with all of it.
 */
#include "context/filter.h"

static bool is_subsequence(str needle, str s) {
    size_t at = 0;
    for (size_t i = 0; i < s.len && at < needle.len; i++)
        at += s.ptr[i] == needle.ptr[at];
    return at == needle.len;
}

/* Where the text ends something that was opened before it, or text.len. */
static size_t first_closing(const candidate *c) {
    brackets b = {0};
    brackets_read(&b, c->d->language, c->before);
    brackets_read(&b, c->d->language, c->text);
    return MIN(MIN(b.closes_earlier, b.closes_unknown), c->text.len);
}

static bool is_delimiter(char ch) {
    return ch && strchr("()[]{}<>\"'`", ch);
}

const char *filter_suffix(candidate *c) {
    str rest = str_trim(c->after);
    if (rest.len == 0 || c->to != c->prompt->offset) return NULL;
    size_t end = (size_t)(rest.ptr + rest.len - c->after.ptr); /* of the rest, without blanks */
    str line = first_line(c->text);
    if (line.len < c->text.len) return NULL; /* several lines between brackets */

    size_t at = first_closing(c);
    str tail = str_sub(line, at, line.len);
    while (tail.len && strchr(" \t", tail.ptr[tail.len - 1]))
        tail.len--;
    if (tail.len && tail.ptr[0] == rest.ptr[0]) {
        bool longer = !str_starts_with(rest, tail) && is_subsequence(rest, tail);
        if (longer)
            c->to = c->prompt->offset + end;
        else
            c->text = str_sub(c->text, 0, at);
    } else if (!is_delimiter(rest.ptr[0]) && str_ends_with(line, rest)) {
        c->text = str_sub(c->text, 0, line.len - rest.len);
    }
    return str_trim(c->text).len ? NULL : "duplicates-suffix";
}
