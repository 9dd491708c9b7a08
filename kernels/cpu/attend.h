/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Attention over the paged KV cache, on the pool. */
#include "kernels/cpu/model.h"

/* m->att = attention of m->q over the cache, for all rows of the batch. */
void attend_run(cpu_model *m, const k_op *op, const k_batch *batch);

/* Where one page, layer and KV head begin in the cache. */
static inline k_half *attend_kv(const cpu_model *m, int page, int layer, int head) {
    return m->kv + (size_t)page * m->page_halves +
           ((size_t)layer * (size_t)m->plan.n_head_kv + (size_t)head) * m->head_halves;
}
