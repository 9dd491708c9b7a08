/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of this module share of a context. */
#include "context/document.h"
#include "context/privacy.h"
#include "context/symbols.h"
#include "context/words.h"

typedef struct {
    char *path, *uri, *text;
    word_set words;
} ring_piece;

/* One hunk of a branch's changes. */
typedef struct {
    char *folder; /* of the workspace, absolute */
    char *path;   /* below it */
    char *text;   /* lines "-old" and "+new" */
    word_set words;
} branch_piece;

typedef struct {
    TSQuery *query; /* NULL: not tried yet, or not compilable */
    bool tried;
} scope_query;

struct context {
    VEC(document *) documents;
    scope_query *queries;   /* one per grammar of the build */
    float logprob_mean_min, logprob_token_min; /* context_set_confidence */
    privacy *privacy;
    symbols *symbols; /* borrowed; NULL: none */
    uint64_t client;
    VEC(char *) roots;
    VEC(ring_piece) ring; /* oldest first */
    VEC(branch_piece) branch; /* each folder's in git's order */
    uint64_t branch_news;     /* how often it was set */
    struct {
        char *uri; /* NULL: nowhere yet */
        size_t line;
    } visit;
    uint32_t filters_off;   /* bits of context_filter_bit */
    syntax_trials *trials;  /* of the last answer's place (context/filter_syntax.c); NULL: none */
};

/* Goes on with a document's parse for `budget_us`; true when its tree is up to date. */
bool context_parse(document *d, uint64_t budget_us);
/* Who asks the index of symbols, in `a`; texts are borrowed. */
symbols_view context_view(const context *c, arena *a);
/* The scope query of a grammar, compiled at first use; NULL when it cannot be compiled. */
const TSQuery *context_query(context *c, const grammar *g);
