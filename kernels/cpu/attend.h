/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Attention over the paged KV cache, on the pool. */
#include "kernels/cpu/model.h"

/* m->att = attention of m->q over the cache, for all rows of the batch. */
void attend_run(cpu_model *m, const k_op *op, const k_batch *batch);

/* Puts K and V of one position, f32 [head_dim], into the cache. */
void attend_keep(const cpu_model *m, const k_op *op, int page, int place, int head, const float *k,
                 const float *v);

/* Where one page, layer and KV head begin in the cache. */
static inline k_half *attend_kv(const cpu_model *m, int page, int layer, int head) {
    size_t plane = (size_t)layer * (size_t)m->plan.n_head_kv + (size_t)head;
    return m->kv + (plane * (size_t)m->base.kv_pages + (size_t)page) * m->head_halves;
}
