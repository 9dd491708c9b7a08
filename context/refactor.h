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
    const char *why; /* after a refusal to extract a function: what stands against it, "they
                        return", of the selected statements; NULL: they are none */
} refactoring;

/* `wanted`, in all of them: how the new thing is to be called, made different where the file uses
 * that already.  What is no name in the language (also an empty one) is replaced by one by rule. */

/* The expression that [from, to) covers becomes a variable in front of its statement. */
bool refactor_extract_variable(document *d, size_t from, size_t to, str wanted, arena *a,
                               refactoring *out);
/* The local variable at `at` is replaced by its value wherever it is read. */
bool refactor_inline_variable(document *d, size_t at, arena *a, refactoring *out);
/* The statements that [from, to) covers become a function in front of the one around them; in C and
 * Go only where the file says the types of its parameters and results, in TypeScript without
 * types. */
bool refactor_extract_function(document *d, size_t from, size_t to, str wanted, arena *a,
                               refactoring *out);
/* Whether `name` can be that of a new variable or function: no keyword, at most 40 bytes. */
bool refactor_is_name(str name);
/* `from module import name`, where the file gives the name no meaning yet.  Python. */
bool refactor_add_import(document *d, str name, str module, arena *a, refactoring *out);
/* `import { name } from "module"`, or (whole) `import name from "module"`; joined to the import of
 * that module, where there is one.  JavaScript and TypeScript with import statements. */
bool refactor_add_script_import(document *d, str name, str module, bool whole, arena *a,
                                refactoring *out);
/* "path" among the imports, in order; `package` is what it is called in the file.  Go. */
bool refactor_add_go_import(document *d, str package, str path, arena *a, refactoring *out);
/* What the file writes behind the names of its own modules: ".js", ".ts" or nothing. */
str refactor_script_ending(document *d, arena *a);
/* `#include "path"` behind the last one, where the file neither declares the name nor includes
 * a file of that name yet.  C. */
bool refactor_add_include(document *d, str name, str path, arena *a, refactoring *out);
