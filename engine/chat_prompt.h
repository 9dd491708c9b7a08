/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A conversation as the token ids that its model was trained on.  Thread: engine. */
#include "engine/engine.h"
#include "engine/tokenizer.h"

typedef struct {
    chat_template *template; /* NULL: none that runs; `why` says why */
    chat_tool_style tools;
    err why;
} chat_format;

/* From the model's file, which may be closed afterwards. */
void chat_format_read(chat_format *out, const gguf *g);
void chat_format_deinit(chat_format *f);

/* Appends the ids.  A text inside of the conversation is never read as control tokens: where it
 * holds the text of one, that is spelled.  ERR_UNSUPPORTED: no template; else what the template
 * says. */
status chat_prompt_build(const chat_format *f, const tokenizer *t, const engine_prompt *p,
                         token_vec *out, err *e) MUST_USE;
