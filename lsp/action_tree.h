/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Actions that the syntax tree does exactly, with their edits ready in the menu.  Thread: loop. */
#include "lsp/actions.h"

/* Adds to `list` what can be done with bytes [from, to); kinds that `only` does not want are left
 * out.  True: a function can be extracted. */
bool action_tree_add(server *s, document *d, size_t from, size_t to, const cJSON *only,
                     cJSON *list);
/* action_import.c: imports of what the symbol index knows, for the name at `at` and for those that
 * other tools' diagnostics (an array, or NULL) call unknown. */
void action_import_add(server *s, document *d, size_t at, const cJSON *diagnostics, cJSON *list);
