/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One element of didChange's contentChanges, applied to a document: the daemon and the proxy that
 * stands before it do it with the same code, so their texts are the same.  Pure. */
#include "context/context.h"
#include "lsp/protocol.h"

typedef struct {
    bool whole;             /* the whole text was replaced */
    size_t from, to, added; /* else bytes [from, to) of the old text, and how many came instead */
} did_change_edit;

/* Positions are read against the text as it is now; out of range they are clamped, and backwards
 * ranges are turned.  Errors: ERR_USAGE (params), ERR_LIMIT (the document becomes too large); the
 * text stays as it was. */
status did_change_apply(document *d, position_encoding encoding, const struct cJSON *change,
                        did_change_edit *done, err *e) MUST_USE;
