/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What authorization servers gave us: one file, 0600, keyed by issuer.
 *
 *     {"issuers": {ISSUER: {"client": {...}, "grants": {URL OF AN MCP SERVER: {...}}}}}
 *
 * A client and a grant belong to the issuer that gave them and are never shown to another one.
 * Several processes may change the file: each change reads it again.  Objects that are handed out
 * are copies (cJSON_Delete).  Thread: loop; a change blocks for one small file. */
#include <cjson/cJSON.h>

#include "engine/base/base.h"

typedef struct tokens tokens;

tokens *tokens_open(const char *folder); /* NULL: kept in memory only */
void tokens_free(tokens *t);

/* The grant for a server's URL, and who gave it (`issuer`, on the heap); NULL: none. */
cJSON *tokens_grant(tokens *t, const char *url, char **issuer);
/* Takes `grant`; NULL: forgets it.  Grants of other issuers for this URL go. */
void tokens_set_grant(tokens *t, const char *issuer, const char *url, cJSON *grant);
void tokens_forget(tokens *t, const char *url);
cJSON *tokens_client(tokens *t, const char *issuer);
void tokens_set_client(tokens *t, const char *issuer, cJSON *client); /* takes; NULL: forgets */
