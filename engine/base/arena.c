/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks in a list, newest first; an allocation comes from the newest block or starts a new one. */
#include "engine/base/arena.h"

#include <stdarg.h>

#include "engine/base/mem.h"

#if defined(__has_feature)
# if __has_feature(address_sanitizer)
#  define HAVE_ASAN 1
# endif
#elif defined(__SANITIZE_ADDRESS__)
# define HAVE_ASAN 1
#endif
#ifdef HAVE_ASAN
# include <sanitizer/asan_interface.h>
# define POISON(p, n) __asan_poison_memory_region((p), (n))
# define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
# define POISON(p, n) ((void)(p), (void)(n))
# define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

struct arena_block {
    arena_block *older;
    size_t size, used; /* bytes behind the header */
    _Alignas(16) uint8_t bytes[];
};

static const size_t BLOCK_BYTES = (size_t)16 << 10;

void arena_init(arena *a) {
    *a = (arena){0};
}

static void drop_until(arena *a, const arena_block *keep) {
    while (a->head != keep) {
        arena_block *b = a->head;
        a->head = b->older;
        UNPOISON(b->bytes, b->size);
        xfree(b);
    }
}

void arena_deinit(arena *a) {
    drop_until(a, NULL);
    *a = (arena){0};
}

void arena_clear(arena *a) {
    if (!a->head) return;
    arena_block *newest = a->head;
    a->head = newest->older;
    drop_until(a, NULL);
    newest->older = NULL;
    newest->used = 0;
    POISON(newest->bytes, newest->size);
    a->head = newest;
    a->used = 0;
}

void *arena_alloc(arena *a, size_t bytes) {
    size_t need = (MAX(bytes, 1) + 15) / 16 * 16;
    ASSERT(need >= bytes);
    arena_block *b = a->head;
    if (!b || need > b->size - b->used) {
        size_t size = MAX(need, BLOCK_BYTES);
        b = xmalloc(sizeof *b + size);
        *b = (arena_block){.older = a->head, .size = size};
        POISON(b->bytes, size);
        a->head = b;
    }
    void *p = b->bytes + b->used;
    b->used += need;
    a->used += need;
    UNPOISON(p, need);
    memset(p, 0, need);
    return p;
}

str arena_str(arena *a, str s) {
    char *p = arena_alloc(a, s.len + 1);
    if (s.len) memcpy(p, s.ptr, s.len);
    return (str){p, s.len};
}

char *arena_printf(arena *a, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

arena_mark arena_save(const arena *a) {
    return (arena_mark){a->head, a->head ? a->head->used : 0, a->used};
}

void arena_reset_to(arena *a, arena_mark mark) {
    drop_until(a, mark.block);
    a->used = mark.used;
    if (!a->head) return;
    POISON(a->head->bytes + mark.used_in_block, a->head->used - mark.used_in_block);
    a->head->used = mark.used_in_block;
}
