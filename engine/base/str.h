/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* str: a borrowed slice of bytes, usually UTF-8, never assumed to be NUL-terminated.
 * strbuf: a growable byte buffer that is born with its maximum.
 *
 * strbuf invariants: ptr[len] == 0 whenever ptr != NULL; len <= max.  An append that would pass
 * `max` appends nothing and sets `overflow`; the caller checks once at the end.
 */
#include "engine/base/base.h"

typedef struct {
    const char *ptr; /* may be NULL when len == 0 */
    size_t len;      /* bytes */
} str;

#define STR(literal) ((str){("" literal), sizeof(literal) - 1})
#define STR_ARG(s) (int)(s).len, (s).ptr /* for "%.*s" */

str str_of(const char *cstr); /* NULL gives the empty slice */
bool str_eq(str a, str b);
bool str_eq_ignore_case(str a, str b); /* ASCII only */
bool str_contains_ignore_case(str s, str word);
bool str_starts_with(str s, str prefix);
bool str_ends_with(str s, str suffix);
str str_sub(str s, size_t from, size_t to); /* clamped to the slice */
str str_trim(str s);                        /* ASCII white space at both ends */
ptrdiff_t str_find(str s, str needle);      /* byte offset or -1; an empty needle is at 0 */
ptrdiff_t str_rfind_char(str s, char c);    /* byte offset or -1 */
size_t str_count_lines(str s);              /* the last may lack its line feed; "": 0 */
/* Takes the next piece up to `sep` off `*rest`; false when nothing is left. */
bool str_split(str *rest, char sep, str *piece);
/* The whole slice as a decimal integer with optional sign; false on anything else or overflow. */
bool str_to_i64(str s, int64_t *out) MUST_USE;
bool str_to_f64(str s, double *out) MUST_USE;

typedef struct {
    char *ptr;
    size_t len, cap, max;
    bool overflow;
} strbuf;

void strbuf_init(strbuf *b, size_t max); /* allocates nothing yet */
void strbuf_deinit(strbuf *b);           /* accepts a zeroed buffer */
void strbuf_clear(strbuf *b);            /* keeps capacity, clears overflow */
void strbuf_add(strbuf *b, const void *bytes, size_t n);
void strbuf_add_str(strbuf *b, str s);
void strbuf_add_char(strbuf *b, char c);
void strbuf_addf(strbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Replaces bytes [from, to) by `with`; offsets must be inside. */
void strbuf_splice(strbuf *b, size_t from, size_t to, str with);
str strbuf_str(const strbuf *b);
/* Hands the NUL-terminated bytes to the caller (free with xfree) and empties the buffer. */
char *strbuf_take(strbuf *b) MUST_USE;
