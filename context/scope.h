/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where the cursor is, and what of the file around it matters most. */
#include "context/context_private.h"

typedef enum { SCOPE_CODE, SCOPE_COMMENT, SCOPE_STRING, SCOPE_IMPORT } scope_kind;

/* Half-open byte range of a document. */
typedef struct {
    size_t from, to;
} byte_range;

#define SCOPE_SIGNATURES_MAX 3

typedef struct {
    scope_kind kind;
    bool parsed;        /* from a tree; else guessed from the line */
    byte_range imports; /* whole lines at the head of the file; empty: none known */
    /* Headers of the blocks around the cursor, outermost first: whole lines, no body. */
    byte_range signatures[SCOPE_SIGNATURES_MAX];
    size_t n_signatures;
} scope;

const char *scope_name(scope_kind kind); /* "code", "comment", ... */
void scope_find(context *c, document *d, size_t offset, scope *out);
/* Fills `signatures`: headers of the blocks around the cursor, by indentation. */
void scope_signatures(const document *d, size_t offset, scope *out);

/* Several lines only where a body is missing: behind the opener of a block, or on a blank line
 * below it, when the next line with text is not deeper than the opener. */
completion_shape scope_shape(const document *d, size_t offset, scope_kind kind);
/* Columns of the header of the block that scope_shape() found; -1: there is none. */
int scope_block_indent(const document *d, size_t offset);
