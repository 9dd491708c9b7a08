/* SPDX-License-Identifier: Apache-2.0 */
/* Page pool of one model: reference counts and a stack of free pages.
 *
 * Invariants
 *   (1) refs[p] is the number of sessions whose page table contains p.
 *   (2) p is in free_list exactly when refs[p] == 0.
 *   (3) a page with refs > 1 is never written: session.c copies it first.
 * Thread: engine.  Allocates only in kv_init.
 */
#include "engine/kv.h"

#include "engine/base/mem.h"

void kv_init(kv_pool *p, k_model *model, int n_pages) {
    *p = (kv_pool){.model = model, .n_pages = n_pages, .n_free = n_pages};
    p->refs = xcalloc((size_t)n_pages, sizeof *p->refs);
    p->free_list = xcalloc((size_t)n_pages, sizeof *p->free_list);
    for (int i = 0; i < n_pages; i++)
        p->free_list[i] = n_pages - 1 - i; /* low pages first: memory is touched as it is needed */
}

void kv_deinit(kv_pool *p) {
    xfree(p->refs);
    xfree(p->free_list);
    *p = (kv_pool){0};
}

int32_t kv_take(kv_pool *p) {
    if (p->n_free == 0) return -1;
    int32_t page = p->free_list[--p->n_free];
    ASSERT(p->refs[page] == 0);
    p->refs[page] = 1;
    return page;
}

void kv_ref(kv_pool *p, int32_t page) {
    ASSERT(page >= 0 && page < p->n_pages && p->refs[page] > 0);
    p->refs[page]++;
}

void kv_unref(kv_pool *p, int32_t page) {
    ASSERT(page >= 0 && page < p->n_pages && p->refs[page] > 0);
    if (--p->refs[page] == 0) p->free_list[p->n_free++] = page;
}

bool kv_is_shared(const kv_pool *p, int32_t page) {
    return p->refs[page] > 1;
}
