/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What differs between two definitions of a tool, for a person.  Pure. */
#include <cjson/cJSON.h>

#include "engine/base/str.h"

/* Appends lines "- where: what it was" and "+ where: what it is", cleaned; texts are compared
 * sentence by sentence. */
void changes_show(strbuf *out, const cJSON *before, const cJSON *after);
