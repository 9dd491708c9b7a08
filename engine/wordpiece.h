/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* WordPiece, as BERT models use it: each word becomes the longest pieces from its start. */
#include "engine/tokenizer.h"
#include "engine/vocab.h"

/* Appends the ids of `text`; a word that cannot be made of pieces is `unk` (left out when -1).
 * `fold`: letters lose case and accents first.  Blanks and controls are not kept. */
void wordpiece_encode(const vocab *v, int32_t unk, bool fold, str text, token_vec *out);
