/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What delta.c (apply) and delta_make.c share: the tensors of one delta step by step. */
#include "engine/delta.h"
#include "engine/gguf.h"

enum { DELTA_GROUP = 64, DELTA_LEVELS = 4, DELTA_VERSION = 1 };

/* What a delta says of one 2-D tensor; everything points into its mapping. */
typedef struct {
    const uint8_t *code;
    const uint16_t *scale;      /* f16 bits */
    const uint8_t *row_ids;     /* i32, little endian, unaligned; NULL: none */
    const uint16_t *row_values; /* f16 [n_rows][ne0] */
    uint64_t n_rows;
} delta_tensor;

/* Called with each row range of each result tensor in the base's order; `bytes` is f32 or Q8_0. */
typedef status (*delta_sink)(void *ud, const void *bytes, size_t n, err *e);

/* Computes the result's tensors in order.  `levels` are the delta's own. */
status delta_compute(const gguf *base, const gguf *delta, const float levels[static 4],
                     delta_sink sink, void *ud, const delta_hooks *hooks, err *e) MUST_USE;
status delta_file_sha256(const char *path, char out[static 65], err *e) MUST_USE;
