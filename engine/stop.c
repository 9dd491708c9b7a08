/* SPDX-License-Identifier: Apache-2.0 */
/* Stop rules, judged byte by byte in one pass over the text as it grows.
 *
 * STOP_LINE ends at the first newline after a non-blank byte. STOP_BLOCK ends (a) before a line
 * whose first non-blank byte stands left of `indent`, (b) at a blank line after a line with
 * content, (c) after `lines_max` lines.  The text begins in the middle of a line, so its first line
 * is never judged by indentation.  A tab counts as one column, as in the caller's `indent`; files
 * that mix tabs and spaces are cut a little early or late. Stop strings end the text where they
 * begin.
 */
#include "engine/stop.h"

void stop_init(stop *s, const engine_job *job) {
    *s = (stop){.rule = job->stop,
                .indent = job->indent,
                .lines_max = job->lines_max > 0 ? job->lines_max : 64,
                .strings = job->stop_strings,
                .n_strings = job->n_stop_strings};
    for (size_t i = 0; i < s->n_strings; i++)
        s->longest = MAX(s->longest, s->strings[i].len);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/* The end of the line that the newline at `at` closes: a carriage return before it goes too. */
static size_t line_end(str text, size_t at) {
    return at > 0 && text.ptr[at - 1] == '\r' ? at - 1 : at;
}

static bool on_newline(stop *s, str text, size_t at, size_t *cut, finish_reason *why) {
    if (s->rule == STOP_LINE && s->content) {
        *cut = line_end(text, at);
        *why = FINISH_LINE;
        return true;
    }
    bool blank_line = s->lines > 0 && !s->line_content && s->content;
    s->lines++;
    s->line_start = at + 1;
    s->line_content = false;
    if (s->rule != STOP_BLOCK) return false;
    if (blank_line || s->lines >= s->lines_max) {
        *cut = s->content_end;
        *why = FINISH_BLOCK;
        return true;
    }
    return false;
}

static bool on_content(stop *s, size_t at, size_t *cut, finish_reason *why) {
    bool first = !s->line_content;
    s->line_content = true;
    bool outside =
        s->rule == STOP_BLOCK && first && s->lines > 0 && (int)(at - s->line_start) < s->indent;
    if (outside) {
        *cut = s->content_end;
        *why = FINISH_BLOCK;
        return true;
    }
    s->content = true;
    s->content_end = at + 1;
    return false;
}

/* The earliest stop string in text[from ..]. */
static bool find_string(const stop *s, str text, size_t from, size_t *cut) {
    bool found = false;
    for (size_t i = 0; i < s->n_strings; i++) {
        if (s->strings[i].len == 0) continue;
        ptrdiff_t at = str_find(str_sub(text, from, text.len), s->strings[i]);
        if (at < 0 || (found && from + (size_t)at >= *cut)) continue;
        *cut = from + (size_t)at;
        found = true;
    }
    return found;
}

bool stop_check(stop *s, str text, size_t *cut, finish_reason *why) {
    size_t from = s->seen > s->longest ? s->seen - s->longest : 0, string_cut;
    bool has_string = find_string(s, text, from, &string_cut);
    for (size_t at = s->seen; at < text.len; at++) {
        char c = text.ptr[at];
        bool ends = c == '\n' ? on_newline(s, text, at, cut, why)
                              : !is_blank(c) && on_content(s, at, cut, why);
        if (!ends) continue;
        if (has_string && string_cut <= *cut) break;
        return true;
    }
    s->seen = text.len;
    if (!has_string) return false;
    *cut = string_cut;
    *why = FINISH_STRING;
    return true;
}

/* Length of the longest end of `text` that a stop string begins with. */
static size_t begun_string(const stop *s, str text) {
    size_t longest = 0;
    for (size_t i = 0; i < s->n_strings; i++) {
        str stop_text = s->strings[i];
        for (size_t n = MIN(text.len, stop_text.len); n > longest; n--)
            if (str_ends_with(text, str_sub(stop_text, 0, n))) longest = n;
    }
    return longest;
}

size_t stop_safe(const stop *s, str text) {
    size_t safe = text.len - begun_string(s, text);
    if (s->rule == STOP_LINE && safe > 0 && text.ptr[safe - 1] == '\r') safe--;
    if (s->rule == STOP_BLOCK) safe = MIN(safe, s->content_end);
    return safe;
}
