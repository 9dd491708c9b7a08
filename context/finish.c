/* SPDX-License-Identifier: Apache-2.0 */
#include "context/context_private.h"

void context_finish(context *c, document *d, const context_prompt *p, const context_answer *answer,
                    arena *a, context_suggestion *out) {
    UNUSED(c);
    UNUSED(d);
    str text = answer->raw;
    size_t n = 0;
    while (n < text.len && text.ptr[n] != '\n' && text.ptr[n] != '\r')
        n++;
    text = str_sub(text, 0, n);
    *out = (context_suggestion){.text = arena_str(a, text), .from = p->offset, .to = p->offset};
    out->shown = str_trim(text).len > 0;
    out->reason = out->shown ? "" : "empty";
}
