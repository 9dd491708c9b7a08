/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The only place where the protocol's line/character meets our byte offsets. */
#include "context/context.h"
#include "lsp/protocol.h"

const char *position_encoding_name(position_encoding enc); /* "utf-8", "utf-16", "utf-32" */
/* Byte offset in a line (without its end) of `character`; past the end gives the end, and a
 * position inside a character gives that character's start. */
size_t position_in_line(str line, position_encoding enc, uint32_t character);
/* Units of `enc` in the first `offset` bytes of a line. */
uint32_t position_units(str line, position_encoding enc, size_t offset);
/* Byte offset in the document, clamped: a line past the last is the document's end. */
size_t position_to_offset(const document *d, position_encoding enc, lsp_position at);
lsp_position position_of_offset(const document *d, position_encoding enc, size_t offset);
