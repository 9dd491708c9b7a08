/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The list of files that people added: <models>/added.json, written by this program alone. */
#include "engine/registry/catalog.h"

/* Its text; ERR_NOT_FOUND when nothing was added yet.  *path (may be NULL) is where it lies. */
status own_read(strbuf *text, char **path, err *e) MUST_USE;
