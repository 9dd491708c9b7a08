/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which files nobody but their editor may read: the one place that decides it.
 *
 * What is hidden enters no prompt, no cache, no index and no log, and nothing is suggested in it.
 * A file is hidden when
 *
 *   its name matches a deny glob of the settings             "denied-file"
 *   .inlinedignore (in its root, or the user's own) names it  "denied-file"
 *   a .gitignore between its root and it names it             "ignored-file", if so set
 *   one of these files cannot be read                         "privacy-unreadable"
 *
 * An unreadable .inlinedignore or a wrong list of globs hides everything, an unreadable .gitignore
 * what lies below it.  Blocks for the small files that it reads, which are kept until
 * privacy_refresh() sees that they have changed.  Thread: one at a time. */
#include "engine/base/str.h"

typedef struct privacy privacy;

privacy *privacy_new(void) MUST_USE; /* with no roots, no globs, .gitignore respected */
void privacy_free(privacy *p);       /* accepts NULL */

/* `globs` is a list in the syntax of .gitignore, one a line; letters match in either case. */
void privacy_set_rules(privacy *p, str globs, bool respect_gitignore);
void privacy_set_roots(privacy *p, const str *roots, size_t n); /* absolute folders */

/* Why `path` (absolute, or only a name for a text that is in no file) is hidden: one of the words
 * above, static; "" when it is not. */
const char *privacy_hides(privacy *p, str path, bool folder);
/* True when the file itself changes what is hidden: .gitignore, .inlinedignore. */
bool privacy_is_rule_file(str path);
/* Looks whether the files with rules have changed; true: verdicts may differ from now on. */
bool privacy_refresh(privacy *p);
/* Forgets all it has read. */
void privacy_forget(privacy *p);
/* A sentence about what cannot be read, "" when all is well. */
const char *privacy_trouble(const privacy *p);
