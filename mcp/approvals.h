/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a person said yes to, and the definitions of tools as they were then: one file, 0600,
 * written whole and renamed.  An approval is bound to hashes, never to names.  It is the user's:
 * what one window or program was told counts for all, at once.  After a change comes
 * approvals_save(), before the loop turns.  Thread: loop; a change blocks for one small write, a
 * question for a look at the file. */
#include <cjson/cJSON.h>

#include "engine/base/status.h"

typedef struct approvals approvals;

/* Reads `folder`/approvals.json; folder NULL: nothing is read or written.  A file that cannot be
 * read counts as empty. */
approvals *approvals_open(const char *folder);
void approvals_free(approvals *a);

bool approvals_has_server(approvals *a, const char *hash);
void approvals_add_server(approvals *a, const char *hash, const char *name);
void approvals_remove_server(approvals *a, const char *hash);
bool approvals_has_tool(approvals *a, const char *hash, const char *pin);
void approvals_add_tool(approvals *a, const char *hash, const char *pin, const char *name);
/* The pin under which this server's tool is known; NULL: never seen.  Borrowed until the next
 * call. */
const char *approvals_pin(approvals *a, const char *hash, const char *tool);
/* With the definition that it stands for, to show what changed later. */
void approvals_set_pin(approvals *a, const char *hash, const char *tool, const char *pin,
                       const cJSON *definition);
const cJSON *approvals_definition(approvals *a, const char *hash, const char *tool);
void approvals_save(approvals *a); /* when something changed */
