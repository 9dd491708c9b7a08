/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A small piece of a document around a cursor that parses like the whole. */
#include "context/document.h"

typedef struct {
    str head;        /* headers of the blocks that the piece lies in */
    size_t from, to; /* whole lines of the document, the cursor's among them */
    str tail;        /* what closes the headers' brackets */
} excerpt;

/* About EXCERPT_BYTES at most, unless single lines are longer.  Lives in `a`. */
void excerpt_find(const document *d, size_t offset, arena *a, excerpt *out);
