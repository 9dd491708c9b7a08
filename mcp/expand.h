/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Variables in the texts of configuration files, in the dialect of the product that reads them. */
#include "mcp/config.h"

typedef enum {
    EXPAND_NONE,   /* texts are what they are */
    EXPAND_OURS, /* ${VAR} ${VAR:-default} ${env:VAR} ${input:id} ${workspaceFolder} ${userHome} */
    EXPAND_CLAUDE, /* ${VAR} ${VAR:-default} */
    EXPAND_VSCODE, /* ${env:VAR} ${input:id} ${workspaceFolder} ${userHome} ... */
    EXPAND_WARP,   /* ${VAR}, which must not be empty */
    EXPAND_GEMINI, /* $VAR ${VAR} %VAR% */
} expand_dialect;

/* Appends `text` with its variables' values.  ERR_NOT_FOUND: one is not set; the sentence names it
 * and never its neighbours' values. */
status expand_text(strbuf *out, str text, expand_dialect dialect, const mcp_source *from,
                   err *e) MUST_USE;
