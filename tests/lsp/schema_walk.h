/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Random sentences of a grammar, byte by byte. */
#include "engine/grammar.h"

/* Writes a sentence of `g` to out (at most `max` bytes); bytes that close something become likelier
 * as it grows.  False: it did not end. */
bool schema_walk(const grammar *g, uint32_t *seed, strbuf *out, size_t max);
