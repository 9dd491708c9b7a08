/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What became of suggestions: from edits (lsp/shown.h), from the accept command, and from the
 * notifications that Copilot's clients send.  Each suggestion counts once, whoever tells of it. */
#include "lsp/inline_answer.h"
#include "lsp/shown.h"

struct inline_slot;

#define FEEDBACK_RECENT 16 /* suggestions whose end is remembered, for what is told late */

typedef struct {
    char id[SHOWN_ID_BYTES];
    bool partly, accepted;
} feedback_recent;

typedef struct {
    lsp_counts counts;
    feedback_recent recent[FEEDBACK_RECENT]; /* a ring */
    size_t next;
} feedback;

/* The suggestions are about to be sent: gives each its id. */
void feedback_show(struct inline_slot *slot, inline_found *found);
/* Bytes [from, to) of the slot's document are being replaced by `added` bytes. */
void feedback_edit(struct inline_slot *slot, size_t from, size_t to, size_t added);
/* A message of the editor has been applied. */
void feedback_changed(struct inline_slot *slot);

/* textDocument/didShowCompletion, textDocument/didPartiallyAcceptCompletion */
void feedback_did_show(server *s, const cJSON *params);
void feedback_did_accept_partly(server *s, const cJSON *params);
void feedback_accepted(server *s, str id); /* the command of an item */
