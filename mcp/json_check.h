/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What must hold of a JSON text before a recursive, allocating parser may see it. */
#include "engine/base/status.h"
#include "engine/base/str.h"

/* Checks nesting, number of values and raw NULs, and replaces in place the escapes that a C string
 * of UTF-8 cannot hold: a lone surrogate becomes \ufffd, NUL becomes \u001a (both count one UTF-16
 * unit, as what they replace did).  Not a parser: text that is no JSON may pass. */
status json_check(char *text, size_t len, err *e) MUST_USE;
