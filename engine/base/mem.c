/* SPDX-License-Identifier: Apache-2.0 */
/* The only malloc of the program.  Counts and seals per thread, one fault-injection hook. */
#include "engine/base/mem.h"

#include <stdatomic.h>

static _Thread_local const char *sealed; /* NULL: this thread may allocate */
static _Thread_local uint64_t count;

/* Test hook: counts down over all threads. */
static atomic_uint_fast64_t fail_in;
static void (*_Atomic fail_hook)(void);

static void before_alloc(void) {
    if (sealed) {
        fprintf(stderr, "inlined: bug: allocation while sealed for \"%s\"\n", sealed);
        ASSERT(!sealed);
    }
    count++;
    if (atomic_load_explicit(&fail_in, memory_order_relaxed) == 0) return;
    if (atomic_fetch_sub(&fail_in, 1) == 1) {
        void (*hook)(void) = atomic_load(&fail_hook);
        if (hook) hook();
    }
}

NORETURN static void out_of_memory(size_t bytes) {
    fprintf(stderr,
            "inlined: out of memory: %zu bytes could not be had; close other programs or "
            "use a smaller model\n",
            bytes);
    abort();
}

void *xmalloc(size_t bytes) {
    before_alloc();
    void *p = malloc(bytes ? bytes : 1);
    if (!p) out_of_memory(bytes);
    return p;
}

void *xcalloc(size_t n, size_t bytes) {
    before_alloc();
    void *p = calloc(n ? n : 1, bytes ? bytes : 1); /* checks the product */
    if (!p) out_of_memory(bytes);
    return p;
}

void *xrealloc(void *p, size_t bytes) {
    before_alloc();
    void *q = realloc(p, bytes ? bytes : 1);
    if (!q) out_of_memory(bytes);
    return q;
}

char *xstrndup(const char *s, size_t n) {
    char *p = xmalloc(n + 1);
    if (n) memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

char *xstrdup(const char *s) {
    return xstrndup(s, strlen(s));
}

void *xaligned(size_t bytes) {
    before_alloc();
    size_t rounded = (bytes + 63) / 64 * 64;
    void *p = rounded < bytes ? NULL : aligned_alloc(64, rounded ? rounded : 64);
    if (!p) out_of_memory(bytes);
    memset(p, 0, rounded);
    return p;
}

void xfree(void *p) {
    free(p);
}

void mem_seal(const char *what) {
    ASSERT(what);
    sealed = what;
}

void mem_unseal(void) {
    sealed = NULL;
}

uint64_t mem_count(void) {
    return count;
}

void mem_fail_at(uint64_t n, void (*hook)(void)) {
    atomic_store(&fail_hook, hook);
    atomic_store(&fail_in, n);
}
