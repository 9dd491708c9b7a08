/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Looking one step ahead: what would be suggested if the suggestion that is shown were accepted. */
#include "lsp/completion.h"
#include "lsp/suggestion.h"

typedef struct server server;

/* The last place that was looked at, and the completion that works on it. */
typedef struct {
    server *server;
    bool waiting;    /* for a moment without keys */
    document *fork;  /* the text as if it had been accepted; NULL: nothing runs */
    completion *run; /* not NULL exactly while fork is not */
    char *uri;       /* of the last place, or NULL; kept when the work is done */
    strbuf text;     /* its whole document */
    size_t offset;
    int tab_size; /* what the editor that asked last says of indentation */
    bool tabs;
} speculation;

void speculation_init(speculation *x, server *s);
void speculation_deinit(speculation *x);
/* `in` (as suggestion_inserted has it) is on the screen in `d`: goes on behind it at low priority,
 * when keys have rested (speculation_go), unless that place is the last one.  What comes of it goes
 * into the suggestion cache and nowhere else. */
void speculation_start(speculation *x, const document *d, const suggestion *in);
void speculation_go(speculation *x);
/* Gives the engine's work up; the place stays known. */
void speculation_stop(speculation *x);
void speculation_forget(speculation *x); /* stops, and the next place is new */
bool speculation_is_about(const speculation *x, str uri);
/* True when the running completion works on just this place of `d`. */
bool speculation_covers(const speculation *x, const document *d, size_t offset);
/* Hands the running completion over: it calls `done` instead, and `*fork`, on which it works, must
 * be freed after that. */
completion *speculation_take(speculation *x, document **fork, completion_done done, void *ud);
