/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a person said yes to, and the definitions of tools as they were then: one file, 0600,
 * written whole and renamed.  An approval is bound to hashes, never to names.  Thread: loop; a
 * change blocks for one small write. */
#include <cjson/cJSON.h>

#include "engine/base/status.h"

typedef struct approvals approvals;

/* Reads `folder`/approvals.json; folder NULL: nothing is read or written.  A file that cannot be
 * read counts as empty. */
approvals *approvals_open(const char *folder);
void approvals_free(approvals *a);

bool approvals_has_server(const approvals *a, const char *hash);
void approvals_add_server(approvals *a, const char *hash, const char *name);
void approvals_remove_server(approvals *a, const char *hash);
bool approvals_has_tool(const approvals *a, const char *hash, const char *pin);
void approvals_add_tool(approvals *a, const char *hash, const char *pin, const char *name);
/* The pin under which this server's tool is known; NULL: never seen. */
const char *approvals_pin(const approvals *a, const char *hash, const char *tool);
/* With the definition that it stands for, to show what changed later. */
void approvals_set_pin(approvals *a, const char *hash, const char *tool, const char *pin,
                       const cJSON *definition);
const cJSON *approvals_definition(const approvals *a, const char *hash, const char *tool);
void approvals_save(approvals *a); /* when something changed */
