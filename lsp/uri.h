/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Document URIs and the paths that a model sees.  Pure. */
#include "engine/base/arena.h"

/* The decoded path of a file: URI; of another scheme what follows it; text without a scheme is a
 * path already.  Lives in `a`. */
str uri_path(str uri, arena *a);
/* Appends the file: URI of an absolute path. */
void uri_add_path(strbuf *out, str path);
/* `path` below the longest of `roots` that contains it (that root's own last name is not part of
 * it); without such a root the file's name alone. */
str uri_relative(str path, const str *roots, size_t n_roots);
