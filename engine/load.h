/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A loaded model and how it is loaded.  Thread: engine. */
#include "engine/arch.h"
#include "engine/chat_prompt.h"
#include "engine/engine.h"
#include "engine/plan.h"
#include "engine/prompt.h"
#include "engine/session.h"

typedef struct {
    gguf *file;     /* NULL once nobody reads it any more */
    plan plan;      /* zeroed likewise                    */
    tokenizer *tok; /* immutable; also lent to the caller's thread */
    arch arch;
    k_model *kernels;
    session_table sessions;
    prompt_style style;
    chat_format chat;
    candidate *work; /* [vocab] scratch of a step */
    int context;     /* positions of one sequence */
    int rows_max;    /* prompt tokens in one step */
    int guesses;     /* drafted tokens that a step checks at most */
    int vocab;       /* ids that can be run and named */
    int piece_max;   /* bytes of the longest token */
    char identity[65]; /* of its bytes and the layout of its cache, for saved sequences */
    engine_model_info info;
} model;

typedef struct {
    const char *path, *name;
    int context_tokens; /* 0: chosen */
    k_kv_type kv_type;
    bool (*progress)(void *ud, float done, const char *what); /* false cancels */
    void *progress_ud;
} load_order;

/* What the memory of a model depends on, besides its file. */
int load_context(const arch *a, int asked); /* positions of a sequence; asked 0: chosen */
int load_pages(int context);                /* KV pages for that */
int load_rows(const gguf *g, const k_backend *b); /* prompt tokens in one step */

/* Opens the file, checks everything, plans memory against what the machine has, repacks the weights
 * and runs one token.  Blocks for as long as that takes.  Errors: one sentence each. */
status model_load(model **out, k_backend *backend, const load_order *order, err *e) MUST_USE;
/* Frees all but the tokenizer, which is handed to the caller (it may be NULL).  Accepts NULL. */
tokenizer *model_free(model *m);
