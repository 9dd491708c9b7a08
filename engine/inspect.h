/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a GGUF file is, without loading it: for `inlined models add` and for the list of models. */
#include "engine/engine.h"

typedef struct {
    char name[128], arch[32], quant[16], licence[64]; /* "" where the file does not say */
    fim_format fim;
    bool single_line;      /* trained on single lines, as far as we know */
    bool has_template;     /* it can be talked to */
    int context_trained;   /* what it was made for ... */
    int context_tokens;    /* ... and what would be used, when nothing else is asked for */
    uint64_t parameters;
    uint64_t file_bytes; /* of all parts of a split file */
    k_memory memory;     /* on the CPU, at context_tokens */
} engine_outline;

/* Opens and checks everything that loading would check before it takes memory.  Blocks for some
 * tenths of a second.  Errors: those of loading, one sentence each; an architecture or a tensor
 * type that does not work is named. */
status engine_inspect(const char *path, engine_outline *out, err *e) MUST_USE;
