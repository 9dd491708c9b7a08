/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One spelling for equal JSON values: what hashes and keys of calls are made of. */
#include <cjson/cJSON.h>

#include "engine/base/str.h"

/* Appends `json` without white space, members sorted by their bytes (the order of RFC 8785 for all
 * names that occur), numbers in the shortest form that reads back.  NULL is null. */
void canonical_add(strbuf *out, const cJSON *json);
/* SHA-256 of that, hex. */
void canonical_hash(const cJSON *json, char out[static 65]);
