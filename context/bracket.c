/* SPDX-License-Identifier: Apache-2.0 */
/* A small reader of brackets, strings and line comments.
 *
 * The filters need to know which closing bracket of a suggestion belongs to what.  A syntax tree of
 * a text that is still being typed cannot tell (that is where its ERROR nodes are), but one line
 * before the cursor and the suggestion itself can be read like a person does: brackets nest, a
 * string hides them, a comment hides the rest of its line.  Strings other than `...` end with the
 * line, so a wrong guess about a quote (an apostrophe in prose) does not live long.  Thread: any.
 */
#include "context/bracket.h"

char bracket_closer(char opener) {
    return opener == '(' ? ')' : opener == '[' ? ']' : opener == '{' ? '}' : 0;
}

bool bracket_is_closer(char c) {
    return c == ')' || c == ']' || c == '}';
}

static bool is_comment_at(const language *l, str text, size_t at) {
    for (size_t i = 0; i < COUNTOF(l->line_comment) && l->line_comment[i]; i++) {
        if (str_starts_with(str_sub(text, at, text.len), str_of(l->line_comment[i]))) return true;
    }
    return false;
}

/* `known` is how many of the open brackets were opened by this piece. */
static void read_closer(brackets *b, char c, size_t at, size_t *known) {
    if (b->depth == 0) {
        if (b->closes_unknown == SIZE_MAX) b->closes_unknown = at;
        return;
    }
    if (bracket_closer(b->open[b->depth - 1]) != c) return; /* a slip; the parser judges it */
    b->depth--;
    if (*known > 0)
        (*known)--;
    else if (b->closes_earlier == SIZE_MAX)
        b->closes_earlier = at;
}

void brackets_read(brackets *b, const language *l, str text) {
    size_t known = 0;
    bool quote_is_old = b->quote != 0;
    b->closes_earlier = b->closes_unknown = SIZE_MAX;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\n') {
            b->comment = false;
            if (b->quote != '`') b->quote = 0;
        } else if (b->comment || c == '\0') {
            continue;
        } else if (b->quote) {
            if (c == '\\') i++;
            if (c != b->quote) continue;
            if (quote_is_old && b->closes_earlier == SIZE_MAX) b->closes_earlier = i;
            b->quote = 0;
            quote_is_old = false;
        } else if (l->quotes && strchr(l->quotes, c)) {
            b->quote = c;
        } else if (is_comment_at(l, text, i)) {
            b->comment = true;
        } else if (bracket_closer(c) && b->depth < BRACKET_DEPTH_MAX) {
            b->open[b->depth++] = c;
            known++;
        } else if (bracket_is_closer(c)) {
            read_closer(b, c, i, &known);
        }
    }
}
