/* SPDX-License-Identifier: Apache-2.0 */
/* Recent edits.
 *
 * An edit near the newest place extends it, any other begins a place of its own; the oldest place
 * goes.  A place remembers what stood there before its first edit; what stands there now is read
 * from the document.  Places that would become larger than PLACE_BYTES are forgotten: a paste or a
 * reformatted file says nothing about what comes next.
 *
 * Invariant: the places' lines follow the text through every edit, so first <= last < line count.
 */
#include "context/edits.h"

#include "context/document.h"
#include "engine/base/clock.h"

#define NEAR_LINES 3
#define PLACE_BYTES 600
#define DIFF_LINES 12

static void drop(edit_log *log, size_t i) {
    strbuf_deinit(&log->places.at[i].before);
    vec_remove(&log->places, i);
}

void edit_log_clear(edit_log *log) {
    while (log->places.count)
        drop(log, log->places.count - 1);
    vec_free(&log->places);
}

static str lines_of(const document *d, size_t first, size_t last) {
    return str_sub(document_text(d), document_line_start(d, first),
                   document_line_start(d, last + 1));
}

static bool begin(edit_log *log, const document *d, size_t first, size_t last) {
    str text = lines_of(d, first, last);
    if (text.len > PLACE_BYTES) return false;
    if (log->places.count == EDITS_MAX) drop(log, 0);
    edit_place p = {.first = first, .last = last};
    strbuf_init(&p.before, PLACE_BYTES);
    strbuf_add_str(&p.before, text);
    vec_push(&log->places, p);
    return true;
}

/* The newest place grows to take in lines [first, last]. */
static bool extend(edit_log *log, const document *d, size_t first, size_t last) {
    edit_place *p = &log->places.at[log->places.count - 1];
    strbuf all;
    strbuf_init(&all, PLACE_BYTES);
    if (first < p->first) strbuf_add_str(&all, lines_of(d, first, p->first - 1));
    strbuf_add_str(&all, strbuf_str(&p->before));
    if (last > p->last) strbuf_add_str(&all, lines_of(d, p->last + 1, last));
    if (all.overflow) {
        strbuf_deinit(&all);
        drop(log, log->places.count - 1);
        return false;
    }
    strbuf_deinit(&p->before);
    p->before = all;
    p->first = MIN(p->first, first);
    p->last = MAX(p->last, last);
    return true;
}

static size_t count_lines(str text) {
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n' || (text.ptr[i] == '\r' && (i + 1 == text.len ||
                                                             text.ptr[i + 1] != '\n'));
    return n;
}

/* Lines [first, last] become `now` lines: older places behind them move, those that meet go. */
static void move_others(edit_log *log, size_t n, size_t first, size_t last, size_t now) {
    for (size_t i = n; i-- > 0;) {
        edit_place *p = &log->places.at[i];
        if (p->first > last) {
            p->first = p->first + now - (last - first + 1);
            p->last = p->last + now - (last - first + 1);
        } else if (p->last >= first) {
            drop(log, i);
        }
    }
}

void edit_log_note(edit_log *log, const document *d, size_t from, size_t to, str text) {
    size_t first = document_line_of(d, from), last = document_line_of(d, to);
    size_t now = count_lines(text) + 1, n = log->places.count;
    bool near = false;
    if (n) {
        const edit_place *p = &log->places.at[n - 1];
        near = first <= p->last + NEAR_LINES && last + NEAR_LINES >= p->first;
    }
    bool kept = near ? extend(log, d, first, last) : begin(log, d, first, last);
    move_others(log, log->places.count - (kept ? 1 : 0), first, last, now);
    if (!kept) return;
    edit_place *p = &log->places.at[log->places.count - 1];
    p->last = p->last + now - (last - first + 1);
    p->at_us = clock_us();
    if (p->last - p->first > 4 * DIFF_LINES) drop(log, log->places.count - 1);
}

void edit_log_settle(edit_log *log, size_t lines) {
    for (size_t i = log->places.count; i-- > 0;)
        if (log->places.at[i].last >= lines || log->places.at[i].first > log->places.at[i].last)
            drop(log, i);
}

static void add_lines(strbuf *out, char mark, str text) {
    str line;
    size_t n = 0;
    while (n++ < DIFF_LINES && str_split(&text, '\n', &line)) {
        if (!line.len && !text.ptr) break; /* behind the last line end */
        if (line.len && line.ptr[line.len - 1] == '\r') line.len--;
        strbuf_add_char(out, mark);
        strbuf_add_str(out, line);
        strbuf_add_char(out, '\n');
    }
}

static str first_of(str text) {
    const char *lf = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
    return lf ? str_sub(text, 0, (size_t)(lf - text.ptr) + 1) : text;
}

static str last_of(str text) {
    if (!text.len) return text;
    ptrdiff_t lf = str_rfind_char(str_sub(text, 0, text.len - 1), '\n');
    return str_sub(text, (size_t)(lf + 1), text.len);
}

str edit_place_diff(const edit_place *p, const document *d, arena *a) {
    str before = strbuf_str(&p->before), after = lines_of(d, p->first, p->last);
    while (before.len && str_eq(first_of(before), first_of(after))) {
        size_t n = first_of(before).len;
        before = str_sub(before, n, before.len);
        after = str_sub(after, n, after.len);
    }
    while (before.len && str_eq(last_of(before), last_of(after))) {
        before.len -= last_of(before).len;
        after.len -= last_of(after).len;
    }
    strbuf out;
    strbuf_init(&out, (size_t)8 * PLACE_BYTES);
    add_lines(&out, '-', before);
    add_lines(&out, '+', after);
    str diff = arena_str(a, strbuf_str(&out));
    strbuf_deinit(&out);
    return diff;
}
