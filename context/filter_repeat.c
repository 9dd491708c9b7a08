/* SPDX-License-Identifier: Apache-2.0 */
/* Repeat: loops inside the text, the typical failure of a small model.
 *
 * At the end of the text: a piece of 1-2 bytes (a ruler, blanks) may stand 60 times, one of 3-9
 * bytes 5 times, one of 10 or more bytes 3 times; beyond that the text is a loop.  In several
 * lines: a line of substance that comes again directly, or for the third time, begins a loop.
 * A loop that begins behind a first sound line is cut, one that begins in it drops the candidate.
 */
#include "context/filter.h"

#define PERIOD_MAX 80
#define LINE_OF_SUBSTANCE 6

static size_t times_allowed(size_t period) {
    return period <= 2 ? 60 : period <= 9 ? 5 : 3;
}

/* Where a periodic tail begins, or text.len. */
static size_t loop_start(str text) {
    for (size_t period = 1; period <= PERIOD_MAX && period * 3 <= text.len; period++) {
        size_t at = text.len - period;
        while (at > 0 && text.ptr[at - 1] == text.ptr[at - 1 + period])
            at--;
        if ((text.len - at) / period >= times_allowed(period)) return at;
    }
    return text.len;
}

static size_t repeated_line(str text) {
    str rest = text, line, previous = {0};
    while (str_split(&rest, '\n', &line)) {
        str key = str_trim(line);
        size_t before = (size_t)(line.ptr - text.ptr);
        int seen = 0;
        str head = str_sub(text, 0, before ? before - 1 : 0), other;
        while (before && key.len >= LINE_OF_SUBSTANCE && str_split(&head, '\n', &other))
            seen += str_eq(str_trim(other), key);
        if (seen >= 2 || (seen == 1 && str_eq(previous, key))) return before ? before - 1 : 0;
        if (key.len) previous = key;
    }
    return text.len;
}

const char *filter_repeat(candidate *c) {
    size_t loop = loop_start(c->text);
    if (loop < c->text.len) { /* whole lines before the loop stay */
        ptrdiff_t lf = str_rfind_char(str_sub(c->text, 0, loop), '\n');
        c->text = str_sub(c->text, 0, lf < 0 ? 0 : (size_t)lf);
    }
    c->text = str_sub(c->text, 0, repeated_line(c->text));
    return str_trim(c->text).len ? NULL : "repetition";
}
