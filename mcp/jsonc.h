/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* JSON with comments and trailing commas, as people write configuration; and where things stand. */
#include "mcp/config_tree.h"

/* Parses `text`; it is copied.  Adds a place for each key, in the text's order (`places` NULL: none
 * are not wanted).  ERR_FORMAT: *offset is where it went wrong.  Free with cJSON_Delete. */
status jsonc_parse(str text, cJSON **out, tree_places *places, size_t *offset, err *e) MUST_USE;
/* Line and column, both from 1; the column counts bytes. */
void text_place(str text, size_t offset, int *line, int *column);
