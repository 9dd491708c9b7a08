/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One line or several: by the block that the cursor is in. */
#include "context/scope.h"

completion_shape shape_find(const document *d, size_t offset, scope_kind kind);
/* Columns of the header of the block that shape_find() found; -1: there is none. */
int shape_block_indent(const document *d, size_t offset);
/* Columns of the header that ends on `line`, when the line can be one; else of the line itself. */
int shape_header_indent(const document *d, size_t line, str text);
/* The line above on which the header that ends on `line` (whose text is `text`) began. */
size_t shape_header_start(const document *d, size_t line, str text);
