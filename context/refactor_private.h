/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the refactorings share: see refactor.c. */
#include "context/names.h"
#include "context/refactor.h"

typedef struct {
    document *document;
    const char *language;
    str text;
    TSNode root;
    arena *arena;
} refactor_site;

/* False: there is no fresh tree, or the language is none of ours. */
bool refactor_begin(refactor_site *s, document *d, arena *a);
bool refactor_is_script(const refactor_site *s); /* JavaScript, TypeScript */
/* The node's statement: the ancestor whose parent is a block.  False: the way there leads through
 * something that is not evaluated exactly once with the statement. */
bool refactor_statement(TSNode node, TSNode *statement);
bool refactor_is_block(TSNode node);
/* Whether the value itself, written where its variable is read, does there what the variable does:
 * it is not a place that is changed, nor part of a string's own text. */
bool refactor_may_stand(str text, TSNode value, TSNode read);
/* Whether only white space stands before the offset on its line; that is `indentation`. */
bool refactor_indentation(const refactor_site *s, size_t offset, str *indentation);
/* `wanted` if it is a name, else `base`; with a number behind it where the file uses that. */
str refactor_name(const refactor_site *s, str wanted, const char *base);
/* Whether evaluating `node` before all else of its statement changes nothing. */
bool refactor_may_move(TSNode node, TSNode statement);
/* Whether the file gives the name a meaning anywhere, or it has too many names to say. */
bool refactor_is_bound(const refactor_site *s, str name);
/* A line of its own at `at`, the start of a line or the end of the text. */
void refactor_add_line(const refactor_site *s, size_t at, const char *line, refactoring *out);
void refactor_add(refactoring *r, size_t from, size_t to, str text);
/* Whether calling that name in C may mean a macro: it is all capitals, or one of this file. */
bool refactor_is_macro(const refactor_site *s, str name);
/* The type that a C expression has; empty: not known for sure. */
str refactor_c_type(const refactor_site *s, TSNode expression, int depth);
