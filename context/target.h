/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Definitions in a syntax tree, for the files of this module.  Node kinds of all grammars are in
 * one list: where two grammars use a word, they mean the same. */
#include "context/change.h"
#include "context/context_private.h"

/* Whether the node is the definition of a function or a type. */
bool target_is_function(TSNode node);
bool target_is_type(TSNode node);
bool target_is_comment(TSNode node);
/* The node that holds the name; false: it has none. */
bool target_name_node(TSNode node, TSNode *out);
/* The node with what is part of it: decorators, export, a template's head, the variable that a
 * function is assigned to. */
TSNode target_whole(TSNode node);
/* The innermost node around `from`..`to` for which `is` holds; a null node: none. */
TSNode target_around(TSNode root, size_t from, size_t to, bool (*is)(TSNode));
/* Field by its name; null: there is none.  A null node, as broken texts have them in odd places,
 * has no field, no text and is of no kind. */
TSNode target_field(TSNode node, const char *name);
/* Whether `node` is a child of that field (of several, where a list has one name). */
bool target_is_field(TSNode parent, const char *field, TSNode node);
bool target_kind_is(TSNode node, const char *kind);
bool target_kind_in(TSNode node, const char *const *kinds, size_t n);
str target_text(str text, TSNode node);
/* The smallest named node that covers exactly [from, to); false: none does. */
bool target_exact(TSNode root, size_t from, size_t to, TSNode *out);
