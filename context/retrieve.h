/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a prompt gets from outside its own window.  Thread: loop. */
#include "context/context_private.h"

/* Fills chunks and sections of `out`, whose window is bytes [from, to) of `d`. */
void retrieve(context *c, document *d, const context_request *rq, size_t from, size_t to, arena *a,
              context_prompt *out);
/* The cursor is here now; the place that it left may enter the ring. */
void retrieve_visit(context *c, const document *d, size_t offset);
/* The document is about to close: what of it is worth keeping enters the ring. */
void retrieve_leave(context *c, const document *d);
void selection_copy(selection *to, const selection *from); /* `to` is zeroed */
/* Frees what a selection holds. */
void selection_deinit(selection *s);
void ring_deinit(context *c);
