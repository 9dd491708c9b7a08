/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* SentencePiece as Llama 2, Mistral, Gemma and Phi-3 use it: pairs are joined by best score. */
#include "engine/tokenizer.h"
#include "engine/vocab.h"

typedef struct spm_work spm_work; /* scratch of one encoding run */

spm_work *spm_work_new(void);
void spm_work_free(spm_work *w); /* accepts NULL */

/* Appends the ids of `text`, in which spaces are already U+2581.  A character without a token
 * becomes byte tokens, or `unk` (left out when -1) where there are none. */
void spm_encode(const vocab *v, int32_t unk, spm_work *w, str text, token_vec *out);
