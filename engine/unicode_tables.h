/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What engine/unicode_gen.py writes into unicode_tables.c; only unicode.c reads it. */
#include "engine/base/base.h"

extern const uint8_t unicode_ascii[128];
/* first code point << 8 | class bits; ends where the next begins */
enum { UNICODE_RANGES = 3535 };
extern const uint32_t unicode_ranges[UNICODE_RANGES];
