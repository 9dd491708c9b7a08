/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whole small files.  Thread: any; blocks. */
#include "engine/base/status.h"
#include "engine/base/str.h"

/* Appends the bytes of `path` to `out` ("-": standard input), at most `bytes_max` of them.
 * ERR_NOT_FOUND: there is no such file; ERR_LIMIT: it is larger; ERR_IO: anything else. */
status file_read(const char *path, size_t bytes_max, strbuf *out, err *e) MUST_USE;
