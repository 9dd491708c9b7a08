/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Imports of a file and headers around a cursor. */
#include "context/document.h"

/* Half-open byte range of a document. */
typedef struct {
    size_t from, to;
} byte_range;

#define OUTLINE_SIGNATURES_MAX 3

typedef struct {
    byte_range imports; /* whole lines at the head of the file; empty: none */
    /* Headers of the blocks around the cursor, outermost first: whole lines, no body. */
    byte_range signatures[OUTLINE_SIGNATURES_MAX];
    size_t n_signatures;
} outline;

void outline_find(const document *d, size_t offset, outline *out);
