/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Headers that repeat arguments of a tool (2026-07-28 over HTTP): where a schema says so by
 * "x-mcp-header".  Pure. */
#include <cjson/cJSON.h>

#include "engine/base/status.h"
#include "engine/base/str.h"

/* Whether the annotations of a tool's input schema can be followed; a tool that fails must not be
 * offered.  ERR_FORMAT: which one is wrong, and how. */
status param_headers_check(const cJSON *schema, err *e) MUST_USE;
/* Appends a header's value: as it is, or =?base64?...?= where a header could not carry it. */
void param_header_value(strbuf *out, str value);
/* Whether a header that came in says `value`: in plain or in that code.  `value` is what
 * param_headers_each gives. */
bool param_header_says(const char *header, const char *value);
/* Calls `add` with "Mcp-Param-NAME" and the encoded value for each argument that is there. */
void param_headers_each(const cJSON *schema, const cJSON *arguments,
                        void (*add)(void *ud, const char *name, const char *value), void *ud);
