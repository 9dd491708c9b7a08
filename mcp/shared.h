/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Results of look-ups in a cache that others can write: what they are called and how they are
 * wrapped.  A value is `1 MADE_MS LIFE_MS SHA256 JSON`; times are of the wall clock.  Pure. */
#include <cjson/cJSON.h>

#include "engine/base/str.h"
#include "mcp/config.h"

/* The name of one result.  Equal for those who would get the same answer: the same program or URL
 * with the same variables, headers and arguments (`call`, a hash); `place` says where it looks,
 * NULL for what is the same from everywhere. */
void shared_key(const mcp_definition *d, const char *call, const char *place, char out[static 80]);
/* This machine, user and folder, for `place`. */
void shared_place(const char *workspace, char out[static 65]);

void shared_seal(strbuf *out, const cJSON *result, double made_ms, double life_ms);
/* NULL: it is not whole, its time is over, it claims to come from the future, or it was made before
 * `since_ms`.  `*left_ms`: how long it may still be used, at most `most_ms`.  cJSON_Delete it. */
cJSON *shared_open(str value, double now_ms, double since_ms, double most_ms,
                   double *left_ms) MUST_USE;
