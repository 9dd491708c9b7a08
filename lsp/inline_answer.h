/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* From what was found to what is sent: nothing with a reason, ghost text, or items of a menu. */
#include "lsp/completion.h"
#include "lsp/protocol.h"
#include "lsp/reply.h"
#include "lsp/shown.h"
#include "lsp/suggestion.h"

#define CANDIDATES_MAX SHOWN_MAX /* the schema's maximum of completion.candidates */

/* Distinct suggestions for one place, best first, or the reason why there is none. */
typedef struct {
    arena arena; /* zeroed: nothing to free */
    suggestion at[CANDIDATES_MAX];
    char ids[CANDIDATES_MAX][SHOWN_ID_BYTES]; /* of the items, once they are shown */
    size_t count;
    const char *reason; /* static; of the best try */
    bool settled;       /* the model would say the same again: it was neither cut short nor ill */
    char detail[256];
} inline_found;

void inline_found_init(inline_found *f);
void inline_found_deinit(inline_found *f);
/* Takes over a result (its text is copied); `best`: its reason is what people should hear of. */
void inline_found_add(inline_found *f, const document *d, const completion_result *r, bool best);
/* A finished suggestion; one with the same text is dropped. */
void inline_found_add_suggestion(inline_found *f, const suggestion *s);

/* What an editor does when it inserts `s`: the document's line ends, and with it what follows on
 * the line when something there is replaced (the range then goes on to the line's end). */
suggestion suggestion_inserted(const document *d, const suggestion *s, arena *a);

/* Where the answer goes. */
typedef struct {
    bool menu;
    bool has_selected;
    lsp_range selected_range;
} inline_shape;

/* Each answers `r` and tells the status. */
void inline_answer_nothing(reply *r, bool menu, const char *reason, const char *detail, str uri);
void inline_answer(reply *r, const document *d, const inline_found *found, inline_shape shape);
