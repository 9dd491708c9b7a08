/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What engine/unicode_gen.py writes into unicode_tables.c; only unicode.c reads it. */
#include "engine/base/base.h"

extern const uint8_t unicode_ascii[128];
/* first code point << 8 | class bits; ends where the next begins */
enum { UNICODE_RANGES = 3535 };
extern const uint32_t unicode_ranges[UNICODE_RANGES];

/* first, first + step, ... (count of them) fold to themselves + difference; 0: to nothing */
typedef struct {
    uint32_t first;
    uint8_t step, count;
    int32_t difference;
} unicode_fold_run;
enum { UNICODE_FOLDS = 1407 };
extern const unicode_fold_run unicode_folds[UNICODE_FOLDS];
