/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* context/privacy.h for several threads: one set of rules behind a lock, and the texts of files
 * without their secrets.  Thread: any, except hidden_free.  Blocks for small files with rules. */
#include "engine/base/str.h"

typedef struct hidden hidden;

hidden *hidden_new(void) MUST_USE; /* with no roots and no globs */
void hidden_free(hidden *h);       /* accepts NULL */
/* Absolute folders; globs as in privacy_set_rules. */
void hidden_set(hidden *h, const str *roots, size_t n, str globs, bool respect_gitignore);
/* Looks whether the files with rules have changed. */
void hidden_look(void *h);
/* Whether nobody may be shown this absolute path. */
bool hidden_is(void *h, const char *path, bool folder);
/* Appends `text` with what looks like keys, tokens and passwords replaced. */
void hidden_mask(void *h, str text, strbuf *out);
