/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The text around the cursor that goes into the prompt. */
#include "context/outline.h"

/* Byte offset where a prefix of at most `bytes_max` begins: a line start that stays where it is
 * while the cursor moves a quarter of the window.  Inside the cursor's line only when that line
 * alone is too long. */
size_t window_start(const document *d, size_t offset, size_t bytes_max);
/* Where a suffix of at most `bytes_max` ends; stays where it is while text is typed before it. */
size_t window_end(const document *d, size_t offset, size_t bytes_max);

/* The prefix: the file's imports and the signatures around the cursor when the window has cut them
 * off, then the window.  Line ends are \n.  Lives in `a`. */
str window_prefix(const document *d, size_t offset, size_t bytes_max, arena *a);
str window_suffix(const document *d, size_t offset, size_t bytes_max, arena *a);
