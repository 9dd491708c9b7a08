/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* JSON with comments and trailing commas, as people write configuration; and where things stand. */
#include <cjson/cJSON.h>

#include "engine/base/status.h"
#include "engine/base/str.h"

/* Parses `text`; it is copied.  ERR_FORMAT: *offset is where it went wrong.  Free with
 * cJSON_Delete. */
status jsonc_parse(str text, cJSON **out, size_t *offset, err *e) MUST_USE;
/* Offset of the key that `path` (n member names from the root) leads to; of what was found last
 * when the rest is not there.  Text that jsonc_parse took. */
size_t jsonc_find(str text, const char *const *path, size_t n);
/* Line and column, both from 1; the column counts bytes. */
void text_place(str text, size_t offset, int *line, int *column);
