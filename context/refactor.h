/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Refactorings that the syntax tree does exactly, without a model, in C, Go, JavaScript, TypeScript
 * and Python.
 *
 * Each is offered only where it provably keeps the meaning by the rules of context/refactor_*.c
 * (order of evaluation, names in scope, values that do not change), and refuses in doubt.  What a
 * language lets happen behind a member access (getters, properties) is not looked at.  Everything
 * lives in the arena.  Thread: loop.
 */
#include "context/change.h"

typedef struct {
    str name; /* that was chosen for the new thing, or that of what is inlined */
    text_edit edits[32];
    size_t n;
} refactoring;

/* The expression that [from, to) covers becomes a variable in front of its statement. */
bool refactor_extract_variable(document *d, size_t from, size_t to, arena *a, refactoring *out);
/* The local variable at `at` is replaced by its value wherever it is read. */
bool refactor_inline_variable(document *d, size_t at, arena *a, refactoring *out);
/* The statements that [from, to) covers become a function in front of the one around them.  Python
 * and JavaScript (also TypeScript, without types). */
bool refactor_extract_function(document *d, size_t from, size_t to, arena *a, refactoring *out);
/* `from module import name`, where the file gives the name no meaning yet.  Python. */
bool refactor_add_import(document *d, str name, str module, arena *a, refactoring *out);
/* `#include "path"` behind the last one, where the file neither declares the name nor includes
 * a file of that name yet.  C. */
bool refactor_add_include(document *d, str name, str path, arena *a, refactoring *out);
