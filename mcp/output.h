/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What servers say, made fit for people and models: cleaned, bounded, the rest kept in a file. */
#include <cjson/cJSON.h>

#include "engine/base/status.h"
#include "engine/base/str.h"

/* Appends `text` without what a terminal obeys or a reader cannot see: escape sequences, control
 * characters (not newline and tab), zero-width and direction marks, tag characters. */
void output_clean(strbuf *out, str text);

/* Appends the text of a tool's, a resource's or a prompt's result: text blocks as they are
 * (cleaned), one line in brackets for what is no text.  Structured content only where there are no
 * blocks. */
void output_text(strbuf *out, const cJSON *result);

/* Files with whole outputs, in a folder of their own: at most LIMIT_MCP_SPILL_BYTES, the oldest go
 * first, none stays when the host is closed. */
typedef struct spill spill;
spill *spill_new(const char *folder); /* the folder is made at the first use; NULL: keeps nothing */
void spill_free(spill *s);            /* removes the files; accepts NULL */
/* Writes a file (0600) and returns its path, valid until the next call; NULL when it cannot.  *id
 * is its number, which no other text of this process has. */
const char *spill_write(spill *s, str text, uint64_t *id);
/* The path of a file that is still there; NULL: there is none of this number. */
const char *spill_find(const spill *s, uint64_t id);
