/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* From an architecture and a file's tensors to the list of operations that the kernels run.
 * Thread: engine. */
#include "engine/arch.h"
#include "engine/base/arena.h"

typedef struct {
    k_plan plan;      /* its tensors point into the mapped file, or into mem */
    arena mem;        /* owns ops, names, rope tables and transposed matrices */
    k_type main_type; /* the type that most weight bytes have */
} plan;

/* Binds every tensor: name, shape and type are checked, expected against actual.  `context` decides
 * between rope tables for short and long contexts. */
status plan_build(plan *out, const arch *a, const gguf *g, int context, err *e) MUST_USE;
void plan_deinit(plan *p); /* accepts a zeroed plan */
