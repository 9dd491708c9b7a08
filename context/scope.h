/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What kind of place the cursor is in. */
#include "context/context_private.h"

typedef enum { SCOPE_CODE, SCOPE_COMMENT, SCOPE_STRING, SCOPE_IMPORT } scope_kind;

const char *scope_name(scope_kind kind); /* "code", "comment", ... */
scope_kind scope_find(context *c, document *d, size_t offset);
