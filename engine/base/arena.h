/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Block arena: many small allocations with one common end.  Each LSP request owns one; a handler
 * frees nothing.  Freed blocks are poisoned under ASan.  Thread: one at a time. */
#include "engine/base/str.h"

typedef struct arena_block arena_block;
typedef struct {
    arena_block *head; /* newest block; NULL: nothing allocated yet */
    size_t used;       /* bytes handed out since init or clear */
} arena;
typedef struct {
    arena_block *block;
    size_t used_in_block, used;
} arena_mark;

void arena_init(arena *a);
void arena_deinit(arena *a);
void arena_clear(arena *a); /* keeps the newest block */
void *arena_alloc(arena *a, size_t bytes) MUST_USE; /* 16-byte aligned, zeroed; never NULL */
str arena_str(arena *a, str s);                     /* a copy, NUL-terminated behind its end */
char *arena_printf(arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
arena_mark arena_save(const arena *a);
void arena_reset_to(arena *a, arena_mark mark);
