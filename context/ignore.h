/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Lists of path patterns as .gitignore has them: `**`, anchors, `!`, folders.  Pure.
 *
 * Neither fnmatch (no `**`) nor a regex library (another syntax, unbounded time) knows them, so
 * they are matched here, in a bounded number of steps; a pattern that needs more counts as a
 * match, because what this protects must rather be hidden than shown. */
#include "engine/base/str.h"
#include "engine/base/vec.h"

typedef struct {
    uint32_t at, length; /* of the pattern, in ignore_list.text */
    bool negated, folder_only, anchored;
} ignore_rule;

typedef struct {
    char *text;
    bool fold; /* letters match in either case */
    VEC(ignore_rule) rules;
} ignore_list;

typedef enum { IGNORE_SILENT, IGNORE_YES, IGNORE_NO } ignore_answer;

/* Adds the lines of `text`; `list` is zeroed or from an earlier call.  False when `text` cannot be
 * such a list: it holds a NUL, or more than LIMIT_IGNORE_RULES lines. */
bool ignore_add(ignore_list *list, str text) MUST_USE;
void ignore_deinit(ignore_list *list); /* accepts a zeroed list */
/* What the last rule that matches says about `path`, relative to the folder that the list belongs
 * to, without a leading '/'.  Folders above it are not looked at. */
ignore_answer ignore_match(const ignore_list *list, str path, bool folder);
