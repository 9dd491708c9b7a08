/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over a JSON text that is about to be parsed.
 *
 * cJSON recurses per level, takes a node of 64 bytes per value, ends strings at NUL and refuses a
 * whole message for one lone surrogate, which editors do send (JavaScript cuts strings anywhere).
 * So levels and values are bounded here, and such escapes are replaced by ones of the same length.
 * Thread: any; no state.
 */
#include "mcp/json_check.h"

#include "engine/base/limits.h"

/* The value of four hex digits, or -1. */
static int32_t hex4(const char *p) {
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

static bool is_high(int32_t unit) {
    return unit >= 0xD800 && unit < 0xDC00;
}

static bool is_low(int32_t unit) {
    return unit >= 0xDC00 && unit < 0xE000;
}

/* `at` is the backslash of a \uXXXX; returns the offset after what was dealt with. */
static size_t unicode_escape(char *text, size_t len, size_t at) {
    if (len - at < 6) return at + 2;
    int32_t unit = hex4(text + at + 2);
    if (unit == 0) memcpy(text + at + 2, "001a", 4);
    if (is_high(unit)) {
        bool pair = len - at >= 12 && text[at + 6] == '\\' && text[at + 7] == 'u' &&
                    is_low(hex4(text + at + 8));
        if (pair) return at + 12;
    }
    if (is_high(unit) || is_low(unit)) memcpy(text + at + 2, "fffd", 4);
    return at + 6;
}

/* `at` is just after the opening quote; returns the offset just after the closing one. */
static size_t string_end(char *text, size_t len, size_t at) {
    while (at < len && text[at] != '"') {
        if (text[at] != '\\')
            at++;
        else if (at + 1 < len && text[at + 1] == 'u')
            at = unicode_escape(text, len, at);
        else
            at += 2;
    }
    return at + 1;
}

status json_check(char *text, size_t len, err *e) {
    if (len && memchr(text, '\0', len))
        return err_set(e, ERR_FORMAT, "the JSON text has a NUL byte");
    size_t depth = 0, values = 1;
    for (size_t at = 0; at < len;) {
        char c = text[at++];
        if (c == '"') {
            at = string_end(text, len, at);
        } else if (c == '{' || c == '[') {
            values++;
            if (++depth > LIMIT_JSON_DEPTH)
                return err_set(e, ERR_LIMIT, "the JSON text nests more than %d deep",
                               LIMIT_JSON_DEPTH);
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        } else if (c == ',') {
            values++;
        }
    }
    if (values > LIMIT_JSON_VALUES)
        return err_set(e, ERR_LIMIT, "the JSON text has more than %u values", LIMIT_JSON_VALUES);
    return OK;
}
