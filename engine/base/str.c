/* SPDX-License-Identifier: Apache-2.0 */
/* Slices and the bounded buffer.
 * A buffer grows by doubling up to its maximum and is always NUL-terminated; what does not fit is
 * not appended at all, so that a cut can never be mistaken for a whole.
 * Thread: any; a strbuf belongs to one thread at a time. */
#include "engine/base/str.h"

#include <stdarg.h>
#include <strings.h>

#include "engine/base/mem.h"

str str_of(const char *cstr) {
    return (str){cstr, cstr ? strlen(cstr) : 0};
}

bool str_eq(str a, str b) {
    return a.len == b.len && (!a.len || !memcmp(a.ptr, b.ptr, a.len));
}

bool str_eq_ignore_case(str a, str b) {
    return a.len == b.len && (!a.len || !strncasecmp(a.ptr, b.ptr, a.len));
}

bool str_contains_ignore_case(str s, str word) {
    for (size_t i = 0; i + word.len <= s.len; i++)
        if (str_eq_ignore_case(str_sub(s, i, i + word.len), word)) return true;
    return false;
}

bool str_starts_with(str s, str prefix) {
    return prefix.len <= s.len && (!prefix.len || !memcmp(s.ptr, prefix.ptr, prefix.len));
}

bool str_ends_with(str s, str suffix) {
    return suffix.len <= s.len &&
           (!suffix.len || !memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len));
}

str str_sub(str s, size_t from, size_t to) {
    to = MIN(to, s.len);
    from = MIN(from, to);
    return (str){s.ptr ? s.ptr + from : NULL, to - from};
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

str str_trim(str s) {
    while (s.len && is_space(s.ptr[0]))
        s = str_sub(s, 1, s.len);
    while (s.len && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

ptrdiff_t str_find(str s, str needle) {
    if (!needle.len) return 0;
    for (size_t i = 0; i + needle.len <= s.len; i++) {
        const char *hit = memchr(s.ptr + i, needle.ptr[0], s.len - needle.len - i + 1);
        if (!hit) return -1;
        i = (size_t)(hit - s.ptr);
        if (!memcmp(hit, needle.ptr, needle.len)) return (ptrdiff_t)i;
    }
    return -1;
}

ptrdiff_t str_rfind_char(str s, char c) {
    for (size_t i = s.len; i > 0; i--) {
        if (s.ptr[i - 1] == c) return (ptrdiff_t)i - 1;
    }
    return -1;
}

size_t str_count_lines(str s) {
    size_t n = s.len > 0 && s.ptr[s.len - 1] != '\n';
    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == '\n';
    return n;
}

bool str_split(str *rest, char sep, str *piece) {
    if (!rest->ptr) return false;
    const char *hit = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;
    if (!hit) {
        *piece = *rest;
        *rest = (str){NULL, 0};
        return true;
    }
    *piece = (str){rest->ptr, (size_t)(hit - rest->ptr)};
    *rest = str_sub(*rest, piece->len + 1, rest->len);
    return true;
}

bool str_to_i64(str s, int64_t *out) {
    bool negative = s.len && s.ptr[0] == '-';
    size_t i = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+');
    if (i == s.len) return false;
    int64_t value = 0;
    for (; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') return false;
        int digit = s.ptr[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value)) return false;
        if (__builtin_sub_overflow(value, digit, &value)) return false; /* counts downwards: */
    }                                                                   /* INT64_MIN fits    */
    if (!negative && value == INT64_MIN) return false;
    *out = negative ? value : -value;
    return true;
}

bool str_to_f64(str s, double *out) {
    char text[64];
    if (!s.len || s.len >= sizeof text || is_space(s.ptr[0])) return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    char *end;
    double value = strtod(text, &end);
    if (end != text + s.len) return false;
    *out = value;
    return true;
}

void strbuf_init(strbuf *b, size_t max) {
    *b = (strbuf){.max = max};
}

void strbuf_deinit(strbuf *b) {
    xfree(b->ptr);
    *b = (strbuf){0};
}

void strbuf_clear(strbuf *b) {
    b->len = 0;
    b->overflow = false;
    if (b->ptr) b->ptr[0] = '\0';
}

/* Makes room for `extra` more bytes and the NUL; false (and overflow) when that passes max. */
static bool reserve(strbuf *b, size_t extra) {
    if (b->overflow || extra > b->max - b->len) {
        b->overflow = true;
        return false;
    }
    size_t need = b->len + extra + 1;
    if (need <= b->cap) return true;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    b->ptr = xrealloc(b->ptr, cap);
    b->cap = cap;
    return true;
}

void strbuf_add(strbuf *b, const void *bytes, size_t n) {
    if (!reserve(b, n)) return;
    if (n) memcpy(b->ptr + b->len, bytes, n);
    b->len += n;
    b->ptr[b->len] = '\0';
}

void strbuf_add_str(strbuf *b, str s) {
    strbuf_add(b, s.ptr, s.len);
}

void strbuf_add_char(strbuf *b, char c) {
    strbuf_add(b, &c, 1);
}

void strbuf_addf(strbuf *b, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    if (reserve(b, (size_t)n)) {
        vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void strbuf_splice(strbuf *b, size_t from, size_t to, str with) {
    ASSERT(from <= to && to <= b->len);
    size_t gone = to - from;
    if (with.len > gone && !reserve(b, with.len - gone)) return;
    if (!b->ptr) return; /* empty by empty */
    memmove(b->ptr + from + with.len, b->ptr + to, b->len - to);
    if (with.len) memcpy(b->ptr + from, with.ptr, with.len);
    b->len = b->len - gone + with.len;
    b->ptr[b->len] = '\0';
}

str strbuf_str(const strbuf *b) {
    return (str){b->ptr, b->len};
}

char *strbuf_take(strbuf *b) {
    char *taken = b->ptr ? b->ptr : xstrdup("");
    *b = (strbuf){.max = b->max};
    return taken;
}
