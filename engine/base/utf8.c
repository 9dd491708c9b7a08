/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 decoding by the ranges of RFC 3629, section 4.
 * Pure functions over slices; what is no UTF-8 is told, never read past.  Thread: any. */
#include "engine/base/utf8.h"

/* Length that the first byte announces, 0 if it cannot start a sequence. */
static int announced(uint8_t c) {
    if (c < 0x80) return 1;
    if (c >= 0xc2 && c <= 0xdf) return 2;
    if (c >= 0xe0 && c <= 0xef) return 3;
    if (c >= 0xf0 && c <= 0xf4) return 4;
    return 0;
}

/* How many of the sequence's `need` bytes are there and valid (1..need). */
static int valid_bytes(const uint8_t *p, size_t len, int need) {
    uint8_t low = 0x80, high = 0xbf; /* the second byte is restricted after some first bytes */
    if (p[0] == 0xe0) low = 0xa0;
    if (p[0] == 0xed) high = 0x9f;
    if (p[0] == 0xf0) low = 0x90;
    if (p[0] == 0xf4) high = 0x8f;
    int n = 1;
    while (n < need && (size_t)n < len && p[n] >= low && p[n] <= high) {
        low = 0x80;
        high = 0xbf;
        n++;
    }
    return n;
}

int utf8_decode(str s, uint32_t *cp) {
    const uint8_t *p = (const uint8_t *)s.ptr;
    int need = announced(p[0]);
    if (need == 0 || valid_bytes(p, s.len, need) < need) {
        *cp = 0xfffd;
        return 1;
    }
    static const uint8_t mask[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t value = p[0] & mask[need];
    for (int i = 1; i < need; i++)
        value = value << 6 | (p[i] & 0x3fu);
    *cp = value;
    return need;
}

int utf8_encode(uint32_t cp, char out[static 4]) {
    if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff)) cp = 0xfffd;
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    int n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (int i = n - 1; i > 0; i--, cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3f));
    static const uint8_t head[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(head[n] | cp);
    return n;
}

/* Walks the slice; returns the byte offset where `stop` units were counted or the end. */
static size_t walk(str s, size_t stop, bool utf16, size_t *count) {
    size_t at = 0, units = 0;
    while (at < s.len && units < stop) {
        uint32_t cp;
        int n = utf8_decode(str_sub(s, at, s.len), &cp);
        size_t step = utf16 && cp > 0xffff ? 2 : 1;
        if (units + step > stop) break; /* inside a surrogate pair: stay before it */
        units += step;
        at += (size_t)n;
    }
    if (count) *count = units;
    return at;
}

size_t utf8_count(str s) {
    size_t count;
    walk(s, SIZE_MAX, false, &count);
    return count;
}

size_t utf8_count_utf16(str s) {
    size_t count;
    walk(s, SIZE_MAX, true, &count);
    return count;
}

size_t utf8_offset_of_cp(str s, size_t n) {
    return walk(s, n, false, NULL);
}

size_t utf8_offset_of_utf16(str s, size_t n) {
    return walk(s, n, true, NULL);
}

bool utf8_is_valid(str s) {
    for (size_t at = 0; at < s.len;) {
        const uint8_t *p = (const uint8_t *)s.ptr + at;
        int need = announced(p[0]);
        if (need == 0 || valid_bytes(p, s.len - at, need) < need) return false;
        at += (size_t)need;
    }
    return true;
}

size_t utf8_complete_prefix(str s) {
    for (size_t back = 1; back <= 3 && back <= s.len; back++) {
        const uint8_t *p = (const uint8_t *)s.ptr + s.len - back;
        int need = announced(p[0]);
        if (need == 0) continue; /* a continuation byte, or garbage: look further left */
        bool incomplete = (size_t)need > back && valid_bytes(p, back, need) == (int)back;
        return incomplete ? s.len - back : s.len;
    }
    return s.len;
}

void utf8_sanitize(strbuf *out, str s) {
    size_t clean_from = 0;
    for (size_t at = 0; at < s.len;) {
        const uint8_t *p = (const uint8_t *)s.ptr + at;
        int need = announced(p[0]);
        if (need && valid_bytes(p, s.len - at, need) == need) {
            at += (size_t)need;
            continue;
        }
        strbuf_add(out, s.ptr + clean_from, at - clean_from);
        strbuf_add(out, "\xef\xbf\xbd", 3);
        clean_from = ++at;
    }
    if (clean_from < s.len) strbuf_add(out, s.ptr + clean_from, s.len - clean_from);
}
