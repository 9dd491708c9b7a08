/* SPDX-License-Identifier: Apache-2.0 */
/* One edit of a document, as the protocol says it.  Owns nothing.  Thread: any; pure. */
#include "lsp/did_change.h"

#include "lsp/position.h"

status did_change_apply(document *d, position_encoding encoding, const struct cJSON *change,
                        did_change_edit *done, err *e) {
    lsp_change in;
    *done = (did_change_edit){.whole = true};
    status st = protocol_read_change(change, &in, e);
    if (st) return st;
    if (in.whole) return document_replace(d, in.text, e);
    size_t from = position_to_offset(d, encoding, in.range.start);
    size_t to = position_to_offset(d, encoding, in.range.end);
    *done = (did_change_edit){.from = MIN(from, to), .to = MAX(from, to), .added = in.text.len};
    return document_edit(d, done->from, done->to, in.text, e);
}
