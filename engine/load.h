/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A loaded model and how it is loaded.  Thread: engine, but for model_open. */
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
    candidate *work;   /* [vocab] scratch of a step */
    int context;       /* positions of one sequence */
    int rows_max;      /* prompt tokens in one step */
    int guesses;       /* drafted tokens that a step checks at most */
    double row_ms;     /* of a prompt's row lately, in a chunk; 0: not measured yet */
    double chunk_ms;   /* that a chunk of a prompt takes at most; 0: rows_max alone says */
    bool last_alone;   /* the last row of a prompt has a step of its own */
    double opened_ms;  /* when loading began */
    int vocab;         /* ids that can be run and named */
    int piece_max;     /* bytes of the longest token */
    char identity[65]; /* of its bytes and the layout of its cache, for saved sequences */
    engine_model_info info;
} model;

typedef struct {
    const char *path, *name;
    int context_tokens; /* 0: chosen */
    k_kv_type kv_type;
    uint64_t memory_max; /* bytes that it may take; 0: what there is */
    const char *why;     /* this backend: one sentence; NULL: the backend's own */
    bool (*progress)(void *ud, float done, const char *what); /* false cancels */
    void *progress_ud;
} load_order;

/* What the memory of a model depends on, besides its file. */
int load_context(const arch *a, int asked); /* positions of a sequence; asked 0: chosen */
int load_pages(int context);                /* KV pages for that */
/* Sets rows_max, prompt tokens in one step; the rest of opt is there. */
void load_rows(const gguf *g, const k_backend *b, k_model_options *opt);

/* Maps the file, reads vocabulary and architecture, and touches every page of it.  Blocks for as
 * long as that takes; touches no backend, so any thread will do.  Errors: one sentence each. */
status model_open(model **out, const load_order *order, err *e) MUST_USE;
/* Checks every tensor of an opened model, plans memory against what there is, repacks the weights
 * and runs one token.  After an error the model is as model_open left it, so that another backend
 * may be tried; ERR_LIMIT with *missing > 0: so many bytes of memory were missing. */
status model_build(model *m, k_backend *backend, const load_order *order, uint64_t *missing,
                   err *e) MUST_USE;
/* Frees all but the tokenizer, which is handed to the caller (it may be NULL).  Accepts NULL. */
tokenizer *model_free(model *m);
