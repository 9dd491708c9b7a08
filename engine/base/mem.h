/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Host memory.  Running out is the end (abort with a sentence); sizes that outsiders choose are
 * bounded before they get here.
 *
 * mem_seal(what) makes every allocation on the calling thread abort until mem_unseal(): the engine
 * thread seals itself while it generates, so "a step allocates nothing" is executable.
 * Thread: any; sealing is per thread.
 */
#include "engine/base/base.h"

void *xmalloc(size_t bytes) MUST_USE;
void *xcalloc(size_t count, size_t bytes) MUST_USE; /* zeroed; the product is overflow-checked */
void *xrealloc(void *p, size_t bytes) MUST_USE;
char *xstrdup(const char *s) MUST_USE;
char *xstrndup(const char *s, size_t n) MUST_USE; /* n bytes and a NUL */
/* 64-byte aligned, zeroed; freed with xfree. */
void *xaligned(size_t bytes) MUST_USE;
void xfree(void *p); /* NULL is fine */

void mem_seal(const char *what);
void mem_unseal(void);

/* Allocations made by the calling thread so far; request log lines print the difference. */
uint64_t mem_count(void);

/* Fault injection for tests: the n-th allocation of the process from now on calls `hook` (which
 * may longjmp or exit); 0 switches it off. */
void mem_fail_at(uint64_t n, void (*hook)(void));
