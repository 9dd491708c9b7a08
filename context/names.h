/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Names in a piece of code: which identifiers are variables, and whether each place reads or binds.
 * For C, Go, JavaScript, TypeScript and Python.  Thread: any. */
#include "context/target.h"

typedef enum {
    NAME_OTHER, /* no variable: a member, a keyword argument, a label */
    NAME_READ,
    NAME_BIND, /* gets a value: an assignment, a declaration, a parameter, a loop */
    NAME_BOTH, /* is changed: += and the like, its address is taken */
} name_role;

typedef struct {
    TSNode node;
    str text;
    name_role role;
} name_use;

typedef VEC(name_use) name_uses;

/* All variables of the subtree, in order; false: there are too many. */
bool names_find(str text, TSNode root, name_uses *out);
name_role names_role(TSNode identifier);
/* The innermost function around a node, or the root. */
TSNode names_scope(TSNode node);
/* Whether running the subtree may have effects, or depend on them: calls, assignments. */
bool names_impure(TSNode node);
/* Such a node that ends at or before `before`, in the subtree. */
bool names_impure_before(TSNode root, size_t before);
/* Nothing but literals and operators. */
bool names_constant(TSNode node);
bool names_within(TSNode node, TSNode outer);
