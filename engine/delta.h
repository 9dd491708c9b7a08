/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Delta models: a fine-tuned GGUF as a small file over a public base.
 *
 * A delta is a GGUF with general.architecture "delta": for each 2-D tensor of the base two-bit
 * codes and a
 * float16 scale per 64 weights (and rows that are stored whole), 1-D tensors whole, and the
 * metadata
 * that differs.  The result is Q8_0: w = base + levels[code] * scale, rounded half away from zero
 * in
 * blocks of 32.  docs/MODELS.md describes the format.  Thread: any; both functions take seconds. */
#include "engine/base/status.h"

typedef struct {
    bool (*progress)(void *ud, double done); /* 0..1; false cancels; may be NULL */
    void *ud;
} delta_hooks;

/* Writes the result as a plain Q8_0 GGUF; checks the base's SHA-256 before and the result's after.
 * Nothing half-written stays.  Errors: ERR_NOT_FOUND, ERR_FORMAT (damaged or altered delta, wrong
 * base;
 * the sentence names the base that is meant), ERR_IO, ERR_CANCELLED. */
status delta_apply(const char *base, const char *delta, const char *out, const delta_hooks *hooks,
                   err *e) MUST_USE;

typedef struct {
    const char *source;  /* where people get the base, as text in the file */
    const int32_t *rows; /* rows of token_embd.weight to store whole (new tokens) */
    size_t n_rows;
} delta_make_options;

/* The delta from `base` to `trained` (same tensors, any types). */
status delta_make(const char *base, const char *trained, const char *out,
                  const delta_make_options *opt, const delta_hooks *hooks, err *e) MUST_USE;
