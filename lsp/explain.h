/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What went into a prompt, why, and what it cost, as JSON: inlined/context/explain and
 * `inlined complete --explain`.  Thread: loop. */
#include "context/context.h"
#include "lsp/reply.h"
#include "lsp/settings.h"

struct cJSON;

/* `assemble_ms`: how long it took. */
struct cJSON *explain_json(const context_prompt *p, double assemble_ms);
/* inlined/context/explain: {textDocument, position}. */
void explain_request(server *s, const struct cJSON *params, reply *r);
