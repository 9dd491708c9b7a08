/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One function for each section of retrieve.c: finds pieces, with relevance 0 to 1 as score. */
#include "context/retrieve.h"

typedef struct {
    context *c;
    document *d;
    size_t offset, line; /* of the cursor */
    size_t from, to;     /* the window of the prompt */
    arena *arena;
} asking;

typedef VEC(context_chunk) piece_list;

void find_diff(const asking *q, piece_list *out);
void find_recent(const asking *q, piece_list *out);
void find_open(const asking *q, piece_list *out);
void find_definitions(const asking *q, piece_list *out);
void find_diagnostics(const asking *q, piece_list *out);
void find_edits(const asking *q, piece_list *out);

/* The text around the cursor that other texts are compared with. */
str asking_near(const asking *q);
/* Path as the model sees it: below its root. */
str asking_path(const asking *q, str absolute);
