/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the daemon tells people about itself: state, model, and why nothing was suggested.  Pure. */
#include "lsp/model.h"
#include "lsp/protocol.h"

typedef struct {
    const char *reason; /* machine-readable, "" when the last request had a suggestion */
    char detail[256];   /* a sentence, may be empty */
    char uri[1024];
} status_reason;

/* A text of at least 512 bytes is needed for the message, which *out points to. */
void status_describe(const model *m, const settings *s, const status_reason *why, char *message,
                     lsp_status *out);
/* A few words for a reason: "inside a comment"; an unknown reason is its own text. */
const char *status_reason_words(const char *reason);
