/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Secrets in a text: keys, tokens and passwords, found by their forms and by their entropy.  Pure.
 */
#include "engine/base/arena.h"

/* The next secret at or behind `from`; false: there is none.  A value whose quote is still open at
 * the end of the text counts while its name says that it is a secret: somebody is typing it. */
bool secret_next(str text, size_t from, size_t *start, size_t *end);
/* `text` with every secret replaced by "REDACTED" and *count of them; `text` itself when there is
 * none, else it lives in `a`. */
str secret_mask(str text, arena *a, size_t *count);
