/* SPDX-License-Identifier: Apache-2.0 */
/* JSONC: comments and trailing commas become spaces, so that offsets stay, then it is JSON.
 * Places are found by walking the cleaned text again; only for notes to a person.  Pure. */
#include "mcp/jsonc.h"

#include "engine/base/mem.h"
#include "mcp/rpc.h"

/* Offset after the string that starts at `at`. */
static size_t string_end(str t, size_t at) {
    for (at++; at < t.len && t.ptr[at] != '"'; at++)
        if (t.ptr[at] == '\\') at++;
    return MIN(at + 1, t.len);
}

static size_t comment_end(str t, size_t at) {
    bool block = t.ptr[at + 1] == '*';
    str rest = str_sub(t, at + 2, t.len);
    ptrdiff_t end = str_find(rest, block ? STR("*/") : STR("\n"));
    return end < 0 ? t.len : at + 2 + (size_t)end + (block ? 2 : 0);
}

static void blank(char *text, size_t from, size_t to) {
    for (size_t i = from; i < to; i++)
        if (text[i] != '\n') text[i] = ' ';
}

static void blank_comments(char *text, size_t len) {
    str t = {text, len};
    for (size_t at = 0; at < len;) {
        bool comment = text[at] == '/' && at + 1 < len && strchr("/*", text[at + 1]);
        if (text[at] == '"') {
            at = string_end(t, at);
        } else if (comment) {
            size_t end = comment_end(t, at);
            blank(text, at, end);
            at = end;
        } else {
            at++;
        }
    }
}

static size_t skip_blanks(str t, size_t at) {
    while (at < t.len && strchr(" \t\r\n", t.ptr[at]))
        at++;
    return at;
}

static void blank_commas(char *text, size_t len) {
    str t = {text, len};
    for (size_t at = 0; at < len;) {
        if (text[at] == '"') {
            at = string_end(t, at);
            continue;
        }
        size_t next = skip_blanks(t, at + 1);
        if (text[at] == ',' && next < len && strchr("]}", text[next])) text[at] = ' ';
        at++;
    }
}

static char *cleaned(str text) {
    char *copy = xstrndup(text.ptr ? text.ptr : "", text.len);
    if (str_starts_with(text, STR("\xEF\xBB\xBF"))) memset(copy, ' ', 3);
    if (text.len && !memchr(copy, 0, text.len)) {
        blank_comments(copy, text.len);
        blank_commas(copy, text.len);
    }
    return copy;
}

status jsonc_parse(str text, cJSON **out, size_t *offset, err *e) {
    char *copy = cleaned(text);
    *offset = 0;
    status s = rpc_parse(copy, text.len, out, e);
    if (s == ERR_FORMAT) { /* "... at byte N" */
        const char *at = strstr(e->text, "at byte ");
        int64_t n;
        if (at && str_to_i64(str_of(at + 8), &n)) *offset = MIN((size_t)n, text.len);
    }
    xfree(copy);
    return s;
}

/* Offset after the value that starts at `at`. */
static size_t value_end(str t, size_t at) {
    size_t depth = 0;
    while (at < t.len) {
        char c = t.ptr[at];
        if (c == '"') {
            at = string_end(t, at);
            if (!depth) return at;
            continue;
        }
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') {
            if (depth <= 1) return depth ? at + 1 : at;
            depth--;
        }
        if (c == ',' && !depth) return at;
        at++;
    }
    return at;
}

/* Offset of the key `name` in the object that starts at `at`; t.len when it is not there. */
static size_t member_key(str t, size_t at, const char *name) {
    at = skip_blanks(t, at);
    if (at >= t.len || t.ptr[at] != '{') return t.len;
    at = skip_blanks(t, at + 1);
    while (at < t.len && t.ptr[at] == '"') {
        size_t end = string_end(t, at);
        if (str_eq(str_sub(t, at + 1, end - 1), str_of(name))) return at;
        size_t colon = skip_blanks(t, end);
        at = skip_blanks(t, value_end(t, skip_blanks(t, colon + 1)));
        if (at < t.len && t.ptr[at] == ',') at = skip_blanks(t, at + 1);
    }
    return t.len;
}

size_t jsonc_find(str text, const char *const *path, size_t n) {
    char *copy = cleaned(text);
    str t = {copy, text.len};
    size_t found = 0, at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t key = member_key(t, at, path[i]);
        if (key >= t.len) break;
        found = key;
        at = skip_blanks(t, skip_blanks(t, string_end(t, key)) + 1);
    }
    xfree(copy);
    return found;
}

void text_place(str text, size_t offset, int *line, int *column) {
    str before = str_sub(text, 0, offset);
    *line = 1;
    for (size_t i = 0; i < before.len; i++)
        *line += before.ptr[i] == '\n';
    *column = (int)(before.len - (size_t)(str_rfind_char(before, '\n') + 1)) + 1;
}
