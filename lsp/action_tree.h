/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Actions that the syntax tree does exactly, with their edits ready in the menu.  Thread: loop. */
#include "lsp/actions.h"

/* Adds to `list` what can be done with bytes [from, to), and imports of the name there; kinds that
 * `only` does not want are left out.  True: a function can be extracted. */
bool action_tree_add(server *s, document *d, size_t from, size_t to, const cJSON *only,
                     cJSON *list);
