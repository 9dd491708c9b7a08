/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, at most U+10FFFF. */
#include "engine/base/str.h"

/* Decodes one code point at s.ptr and returns its length in bytes (1-4).  On an invalid or
 * incomplete sequence *cp is 0xFFFD and the length is 1.  s.len must be > 0. */
int utf8_decode(str s, uint32_t *cp);
/* Writes 1-4 bytes; an invalid code point becomes U+FFFD. */
int utf8_encode(uint32_t cp, char out[static 4]);
bool utf8_is_valid(str s);
/* Length of the longest prefix that does not end inside a multi-byte sequence.  Only an incomplete
 * but so far valid tail is cut. */
size_t utf8_complete_prefix(str s);
size_t utf8_count(str s);        /* code points; an invalid byte counts as one */
size_t utf8_count_utf16(str s);  /* UTF-16 code units; an invalid byte counts as one */
/* Byte offset of code point / UTF-16 unit number n, clamped to s.len.  A position inside a
 * surrogate pair rounds down to its start. */
size_t utf8_offset_of_cp(str s, size_t n);
size_t utf8_offset_of_utf16(str s, size_t n);
/* Appends s with every invalid byte replaced by U+FFFD. */
void utf8_sanitize(strbuf *out, str s);
