/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* textDocument/inlineCompletion: the glue between request, cache, ghost machine and completion.
 * textDocument/completion, where the setting completion.menu asks for it, goes the same way. */
#include "engine/base/vec.h"
#include "lsp/completion.h"
#include "lsp/feedback.h"
#include "lsp/ghost.h"
#include "lsp/inline_answer.h"
#include "lsp/protocol.h"
#include "lsp/reply.h"
#include "lsp/speculation.h"
#include "lsp/suggestion.h"

struct inline_slot;

/* One completion of a request; several of them when it was invoked by hand. */
typedef struct {
    struct inline_slot *slot;
    completion *run; /* NULL: done, or never started */
} inline_try;

/* The unanswered request of one document. */
typedef struct inline_slot {
    server *server;
    document *document;
    bool menu; /* textDocument/completion: has a slot of its own */
    ghost ghost;
    reply *reply; /* not NULL exactly while the ghost is not IDLE */
    inline_try tries[CANDIDATES_MAX];
    size_t open;              /* tries that are not done */
    document *fork;           /* what a speculation that was taken over works on, or NULL */
    lsp_inline_params params; /* its slices are dead; uri and selected_text are not used */
    size_t offset;
    char *forced; /* rest of the selected menu item, or NULL */
    inline_found found;
    shown shown; /* what became of the last answer */
} inline_slot;

typedef struct {
    VEC(inline_slot *) slots; /* at most two per document that was ever asked about */
    suggestion_cache *cache;
    speculation ahead;
    uint64_t model_generation; /* of the answers in the cache */
    uint64_t serial, items;    /* last ones given */
} inline_completions;

void inline_completion_init(server *s);
void inline_completion_deinit(server *s); /* abandons what is open */

void inline_completion_request(server *s, const cJSON *params, reply *r);
void inline_completion_menu_request(server *s, const cJSON *params, reply *r);
/* True when `id` was an open request of ours; it is answered with -32800. */
bool inline_completion_cancel(server *s, const rpc_id *id);
void inline_completion_timer(server *s);
/* The timer is wanted when no key has come for a moment. */
void inline_completion_rest(server *s);
/* The document is about to change (or to close): its open requests are answered with -32800. */
void inline_completion_edit(server *s, document *d);
void inline_completion_close(server *s, document *d);
/* One edit of it, then the whole message, has been applied. */
void inline_completion_edited(server *s, const document *d, size_t from, size_t to, size_t added);
void inline_completion_changed(server *s, const document *d);
void inline_completion_drop_all(server *s);
void inline_completion_settings_changed(server *s);
