/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A sticky, bounds-checked reader of little-endian bytes.  The first failure stays: later reads
 * give zeros and change nothing, so a parser reads a record and asks once.  Every read names its
 * field, because the sentence for the user must.  Thread: any, one at a time. */
#include "engine/base/status.h"
#include "engine/base/str.h"

typedef struct {
    const uint8_t *base, *at, *end;
    const char *name; /* of the file, for the sentence */
    str within;       /* what the sentence says the field belongs to (a key, a tensor), or empty */
    status status;    /* the first failure, or OK */
    err *err;
} cursor;

void cursor_init(cursor *c, const void *bytes, size_t n, const char *name, err *e);
/* Bytes read so far, and bytes left. */
uint64_t cursor_position(const cursor *c);
uint64_t cursor_left(const cursor *c);
/* The next n bytes, or NULL after a failure. */
const uint8_t *cursor_take(cursor *c, uint64_t n, const char *field);
uint8_t cursor_u8(cursor *c, const char *field);
uint32_t cursor_u32(cursor *c, const char *field);
uint64_t cursor_u64(cursor *c, const char *field);
/* A u64 length of at most `max` and that many bytes. */
str cursor_str(cursor *c, uint64_t max, const char *field);
/* Fails with "NAME: SENTENCE at byte POSITION (in WITHIN)", unless it failed before. */
void cursor_fail(cursor *c, status code, uint64_t position, const char *fmt, ...) PRINTF_LIKE(4, 5);
