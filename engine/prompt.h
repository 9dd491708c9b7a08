/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* From an order (path, context, prefix, suffix) to the token ids that a model sees.
 * Thread: engine. */
#include "engine/chat_prompt.h"
#include "engine/heal.h"

/* How prompts for a model look; decided once, from its file. */
typedef struct {
    fim_format format;
    const char *layout;     /* P, S: prefix and suffix text; p, s, m: their markers */
    int32_t pre, suf, mid;  /* -1: none */
    int32_t sep;            /* stands before a path line; -1: none */
    int32_t begin;          /* begins every prompt; -1: none */
    int32_t begin_if_empty; /* a prompt must not be empty; -1: the model has nothing for it */
    const char *path_mark;  /* stands before a path line where there is no `sep` */
    bool header;            /* the path of the file itself stands in a line before everything */
    bool cross_file;        /* pieces of other files are worth their tokens */
    bool single_line;       /* trained on lines only: blocks are beyond it */
} prompt_style;

void prompt_style_detect(prompt_style *out, const tokenizer *t, const gguf *g);

typedef struct {
    token_vec ids;
    int prefix_tokens, suffix_tokens, context_tokens;
    const char *format;               /* static: "prefix", "fim-psm", ... */
    heal heal;                        /* what the output must begin with */
} prompt;

/* Errors: ERR_LIMIT when a raw prompt is longer than the context (completions are cut instead),
 * ERR_USAGE for token ids that do not exist or an empty prompt.  `context`: positions in a
 * sequence. */
status prompt_build(prompt *out, const prompt_style *style, const chat_format *chat,
                    const tokenizer *t, const engine_job *job, int context, err *e) MUST_USE;
void prompt_deinit(prompt *p); /* accepts a zeroed prompt */
