/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What every file starts from: libc headers, attributes, ASSERT, then the ban list.
 *
 * ASSERT is for our own bugs only and is compiled into every build: it prints the place, dumps the
 * log ring and aborts (the editor or the daemon's proxy restarts us).  Bytes from outside never
 * reach an ASSERT: they become a `status` (status.h).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
#define COUNTOF(a) (sizeof(a) / sizeof((a)[0]))
#ifndef MIN /* sys/param.h has them as well, and libuv brings it */
# define MIN(a, b) ((a) < (b) ? (a) : (b))
# define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif
#define UNUSED(x) ((void)(x))

#define ASSERT(cond) ((cond) ? (void)0 : assert_failed(#cond, __FILE__, __LINE__))

/* Prints the failed condition and the last log lines to stderr, then aborts. */
NORETURN void assert_failed(const char *cond, const char *file, int line);

#include "engine/base/banned.h"
