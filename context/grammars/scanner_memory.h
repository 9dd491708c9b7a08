/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Goes before every line of a grammar's scanner (-include): they use what malloc gives without a
 * look, so it is the program's, which ends with a sentence when there is nothing to give.  Not
 * engine/base/mem.h itself, whose list of forbidden functions is for our own code.  Thread: any. */
#include <stdlib.h>
#include <string.h>

void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t bytes);
void *xrealloc(void *p, size_t bytes);

#define malloc(bytes) xmalloc(bytes)
#define calloc(count, bytes) xcalloc(count, bytes)
#define realloc(p, bytes) xrealloc(p, bytes)
