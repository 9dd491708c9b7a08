/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What other tools say about a document, told by the editor: inlined/diagnostics.
 * Thread: loop. */
struct cJSON;
typedef struct server server;

/* Notification, shaped like textDocument/publishDiagnostics: replaces what was told of the uri. */
void notes_diagnostics(server *s, const struct cJSON *params);
