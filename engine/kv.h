/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Pages of a model's KV cache: who uses which.  Counts only; the bytes live in the backend.
 * Thread: engine. */
#include "kernels/kernels.h"

typedef struct {
    k_model *model;     /* borrowed; NULL in tests: then nothing is copied */
    int32_t *refs;      /* [n_pages] sequences that hold the page; 0: free */
    int32_t *free_list; /* [n_free] a stack */
    int n_pages, n_free;
} kv_pool;

void kv_init(kv_pool *p, k_model *model, int n_pages);
void kv_deinit(kv_pool *p); /* accepts a zeroed pool */
/* A free page with one reference, or -1. */
int32_t kv_take(kv_pool *p);
void kv_ref(kv_pool *p, int32_t page);
void kv_unref(kv_pool *p, int32_t page); /* the last reference frees it */
bool kv_is_shared(const kv_pool *p, int32_t page);
