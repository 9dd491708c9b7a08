/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Model files that tests make themselves: real GGUF, a small byte-level vocabulary, random weights,
 * any architecture of engine/arch.c, and one thing wrong on request. */
#include "engine/base/str.h"

/* After this text (a byte, or a word that becomes a token; NULL: after all others) the model says
 * `best`, or, where that is not allowed, `second` (may be NULL). */
typedef struct {
    const char *after, *best, *second;
} tiny_rule;

typedef struct {
    const char *arch; /* NULL: "llama" */
    const char *name; /* general.name; NULL: "tiny" */
    bool fim;         /* with fill-in-the-middle markers and a file separator */
    int context;      /* 0: 256 */
    int layers;       /* 0: 2 */
    uint32_t seed;
    const char *without; /* a key's end or a whole tensor name that is left out */
    const char *odd_key; /* end of a whole-number key that gets odd_value instead */
    uint32_t odd_value;
    const char *chat;       /* a chat template */
    const char *wide;       /* a tensor with 32 columns too many */
    const tiny_rule *rules; /* instead of random weights: what follows depends on the last token */
    size_t n_rules;         /* at most 31 */
    bool card;              /* wide enough for a GPU: heads of 64, matrices of Q8_0 */
} tiny_options;

/* Control tokens by id; the bytes follow, then words. */
enum { TINY_END, TINY_PRE, TINY_SUF, TINY_MID, TINY_SEP, TINY_BYTES };

/* The whole file; free with xfree. */
char *tiny_model_make(const tiny_options *opt, size_t *n);
/* Writes it to a fresh file under the temporary folder and puts the path into `path`. */
void tiny_model_write(const tiny_options *opt, char path[static 128]);
