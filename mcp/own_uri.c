/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of resources' addresses.  A text between places stands as it is; a place takes as few
 * characters as the text behind it allows.  Pure. */
#include "engine/base/limits.h"
#include "mcp/own_private.h"

/* The next {NAME} of a pattern at or behind `at`; false: there is none. */
static bool next_place(const char *at, str *before, str *name, const char **rest) {
    const char *open = strchr(at, '{'), *end = open ? strchr(open, '}') : NULL;
    if (!end) return false;
    *before = (str){at, (size_t)(open - at)};
    *name = (str){open + 1, (size_t)(end - open) - 1};
    *rest = end + 1;
    return true;
}

static bool is_name(str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool good =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!good) return false;
    }
    return s.len > 0;
}

bool own_uri_is_pattern(const char *pattern) {
    str before, name;
    bool any = false;
    while (next_place(pattern, &before, &name, &pattern)) {
        if (!is_name(name) || (any && !before.len)) return false; /* where would one end? */
        any = true;
    }
    return any && !strpbrk(pattern, "{}");
}

bool own_uri_has(const char *pattern, const char *wanted) {
    str before, name;
    while (next_place(pattern, &before, &name, &pattern))
        if (str_eq(name, str_of(wanted))) return true;
    return false;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* False: it is no text that an argument can be. */
static bool decode(str s, char *out) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            int high = s.len - i > 2 ? hex(s.ptr[i + 1]) : -1;
            int low = high < 0 ? -1 : hex(s.ptr[i + 2]);
            if (low < 0) return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if ((unsigned char)c < 0x20) return false;
        *out++ = c;
    }
    *out = '\0';
    return true;
}

bool own_uri_match(const char *pattern, const char *uri, cJSON **out) {
    char value[LIMIT_OWN_URI_BYTES + 1], key[LIMIT_OWN_URI_BYTES + 1];
    str before, name, rest = str_of(uri);
    bool good = rest.len <= LIMIT_OWN_URI_BYTES && strlen(pattern) <= LIMIT_OWN_URI_BYTES;
    *out = cJSON_CreateObject();
    while (good && next_place(pattern, &before, &name, &pattern)) {
        if (!str_starts_with(rest, before)) break;
        rest = str_sub(rest, before.len, rest.len);
        str behind = {pattern, strcspn(pattern, "{")};
        size_t end = 1; /* at least one character */
        while (end < rest.len && rest.ptr[end] != '/' &&
               !(behind.len && str_starts_with(str_sub(rest, end, rest.len), behind)))
            end++;
        good = rest.len > 0 && rest.ptr[0] != '/' && decode(str_sub(rest, 0, end), value);
        snprintf(key, sizeof key, "%.*s", STR_ARG(name));
        if (good) cJSON_AddStringToObject(*out, key, value);
        rest = str_sub(rest, MIN(end, rest.len), rest.len);
    }
    if (good && !strchr(pattern, '{') && str_eq(rest, str_of(pattern))) return true;
    cJSON_Delete(*out);
    *out = NULL;
    return false;
}
