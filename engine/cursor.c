/* SPDX-License-Identifier: Apache-2.0 */
/* The only bounds check of the model file parser is in cursor_take(), in the form that cannot
 * overflow.  Little-endian values are put together byte by byte, so that neither the host's order
 * nor the alignment of the mapping matters.
 * Owns nothing: the bytes and `err` belong to the caller. */
#include "engine/cursor.h"

#include <inttypes.h>
#include <stdarg.h>

void cursor_init(cursor *c, const void *bytes, size_t n, const char *name, err *e) {
    const uint8_t *p = bytes;
    *c = (cursor){.base = p, .at = p, .end = p ? p + n : p, .name = name, .err = e};
}

uint64_t cursor_position(const cursor *c) {
    return (uint64_t)(c->at - c->base);
}

uint64_t cursor_left(const cursor *c) {
    return (uint64_t)(c->end - c->at);
}

static status fail(cursor *c, status code, uint64_t position, const char *what) {
    const char *in = c->within.len ? " (in " : "", *end = c->within.len ? ")" : "";
    return err_set(c->err, code, "%s: %s at byte %" PRIu64 "%s%.*s%s", c->name, what, position, in,
                   (int)MIN(c->within.len, 80), c->within.ptr ? c->within.ptr : "", end);
}

const uint8_t *cursor_take(cursor *c, uint64_t n, const char *field) {
    if (c->status == OK && n > cursor_left(c)) {
        char what[256];
        snprintf(what, sizeof what,
                 "the file ends at byte %" PRIu64 " (truncated or damaged; download it again), "
                 "but %s needs %" PRIu64 " bytes",
                 (uint64_t)(c->end - c->base), field, n);
        c->status = fail(c, ERR_FORMAT, cursor_position(c), what);
    }
    if (c->status != OK) return NULL;
    const uint8_t *p = c->at;
    c->at += n;
    return p;
}

static uint64_t take_le(cursor *c, int bytes, const char *field) {
    const uint8_t *p = cursor_take(c, (uint64_t)bytes, field);
    uint64_t v = 0;
    for (int i = 0; p && i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint8_t cursor_u8(cursor *c, const char *field) {
    return (uint8_t)take_le(c, 1, field);
}

uint32_t cursor_u32(cursor *c, const char *field) {
    return (uint32_t)take_le(c, 4, field);
}

uint64_t cursor_u64(cursor *c, const char *field) {
    return take_le(c, 8, field);
}

str cursor_str(cursor *c, uint64_t max, const char *field) {
    uint64_t at = cursor_position(c);
    uint64_t n = cursor_u64(c, field);
    if (c->status == OK && n > max)
        cursor_fail(c, ERR_LIMIT, at, "%s has %" PRIu64 " bytes, at most %" PRIu64 " are allowed,",
                    field, n, max);
    const uint8_t *p = cursor_take(c, n, field);
    if (!p) return (str){0};
    return (str){(const char *)p, (size_t)n};
}

void cursor_fail(cursor *c, status code, uint64_t position, const char *fmt, ...) {
    if (c->status != OK) return;
    char what[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    c->status = fail(c, code, position, what);
}
