/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Small files.  Thread: any; blocks. */
#include "engine/base/status.h"
#include "engine/base/str.h"

/* Appends the bytes of `path` to `out` ("-": standard input), at most `bytes_max` of them.
 * ERR_NOT_FOUND: there is no such file; ERR_LIMIT: it is larger; ERR_IO: anything else. */
status file_read(const char *path, size_t bytes_max, strbuf *out, err *e) MUST_USE;

/* Another number when the regular file at `path` is written, replaced, comes or goes.  Chain
 * several by passing the last result as `seed`. */
uint64_t file_stamp(uint64_t seed, const char *path);
