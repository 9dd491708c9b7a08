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
        size_t next = text[at] == ',' ? skip_blanks(t, at + 1) : len;
        if (next < len && strchr("]}", text[next])) text[at] = ' ';
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

/* Offset of the next key at or after `at`: a string with a colon behind it. */
static size_t next_key(str t, size_t at) {
    while (at < t.len) {
        if (t.ptr[at] != '"') {
            at++;
            continue;
        }
        size_t end = string_end(t, at), colon = skip_blanks(t, end);
        if (colon < t.len && t.ptr[colon] == ':') return at;
        at = end;
    }
    return t.len;
}

/* The tree and the text have their keys in the same order. */
static void add_places(str t, size_t *at, const cJSON *item, tree_places *places) {
    const cJSON *m;
    cJSON_ArrayForEach(m, item) {
        if (cJSON_IsObject(item)) {
            size_t key = next_key(t, *at);
            vec_push(places, ((tree_place){m, key}));
            *at = string_end(t, key);
        }
        add_places(t, at, m, places);
    }
}

status jsonc_parse(str text, cJSON **out, tree_places *places, size_t *offset, err *e) {
    char *copy = cleaned(text);
    *offset = 0;
    status s = rpc_parse(copy, text.len, out, e);
    if (s == ERR_FORMAT) { /* "... at byte N" */
        const char *at = strstr(e->text, "at byte ");
        int64_t n;
        if (at && str_to_i64(str_of(at + 8), &n)) *offset = MIN((size_t)n, text.len);
    }
    size_t at = 0;
    if (s == OK && places) add_places((str){copy, text.len}, &at, *out, places);
    xfree(copy);
    return s;
}

void text_place(str text, size_t offset, int *line, int *column) {
    str before = str_sub(text, 0, offset);
    const char *from = before.ptr, *end;
    *line = 1;
    while (from && (end = memchr(from, '\n', before.len - (size_t)(from - before.ptr)))) {
        from = end + 1;
        *line += 1;
    }
    *column = (int)(before.len - (size_t)(from - before.ptr)) + 1;
}
