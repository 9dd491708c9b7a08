/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU backend: SIMD on repacked weights, a few threads.  This file opens it and answers for
 * results and KV pages; model.c builds models, forward.c runs them.
 *
 *     isa_*.c   the arithmetic, once per instruction set    machine.c  which one, on how many cores
 *     pool.c    loops over threads                          pack.c     weights into panels
 *
 * KV is kept as f16, or as int8 where that was asked for; f32 is not worth its bytes here.
 * Thread: engine.
 */
#include <math.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "kernels/cpu/attend.h"
#include "kernels/cpu/machine.h"
#include "kernels/cpu/model.h"

static void cpu_close(k_backend *base) {
    cpu_backend *b = (cpu_backend *)base;
    pool_stop(b->pool);
    xfree(b);
}

static k_memory cpu_plan_memory(const k_backend *base, const k_model_options *opt) {
    const cpu_backend *b = (const cpu_backend *)base;
    return cpu_model_plan(b->isa, pool_threads(b->pool), opt);
}

static const float *cpu_logits(k_model *base, int i) {
    const cpu_model *m = (const cpu_model *)base;
    return m->logits + (size_t)i * m->ld_logits;
}

/* Puts id into the best `n` of at most `count`; ties to the smaller id, which came first. */
static int keep_best(const float *logits, int32_t id, int n, int count, int32_t *ids) {
    int at = n < count ? n : n - 1;
    for (; at > 0 && logits[id] > logits[ids[at - 1]]; at--)
        ids[at] = ids[at - 1];
    ids[at] = id;
    return MIN(n + 1, count);
}

static void cpu_top(k_model *base, int i, int count, int32_t *ids, float *logprobs) {
    const cpu_model *m = (const cpu_model *)base;
    const float *logits = cpu_logits(base, i);
    int vocab = base->vocab, n = 0;
    const int stretch = 256;
    for (int32_t from = 0; from < vocab; from += stretch) {
        int32_t to = MIN(from + stretch, vocab);
        if (n == count && !(m->isa->max(logits + from, to - from) > logits[ids[n - 1]])) continue;
        for (int32_t id = from; id < to; id++)
            if (n < count || logits[id] > logits[ids[n - 1]])
                n = keep_best(logits, id, n, count, ids);
    }
    float max = logits[ids[0]];
    double log_sum = log(m->isa->sum_exp(logits, max, vocab));
    for (int k = 0; k < count; k++) {
        logprobs[k] = k < n ? (float)((double)logits[ids[k]] - (double)max - log_sum) : -INFINITY;
        if (k >= n) ids[k] = -1;
    }
}

/* ---- KV pages -------------------------------------------------------------------------------- */

/* A page lies in as many pieces as there are layers and KV heads; outside, they stand in that
 * order. */
static int page_pieces(const cpu_model *m) {
    return m->plan.n_kv_layers * m->plan.n_head_kv;
}

static k_half *piece_at(const cpu_model *m, int page, int piece) {
    return attend_kv(m, page, piece / m->plan.n_head_kv, piece % m->plan.n_head_kv);
}

static size_t cpu_kv_page_bytes(const k_model *base) {
    return ((const cpu_model *)base)->page_halves * sizeof(k_half);
}

static void cpu_kv_copy_page(k_model *base, int dst, int src) {
    const cpu_model *m = (const cpu_model *)base;
    for (int i = 0; i < page_pieces(m); i++)
        memmove(piece_at(m, dst, i), piece_at(m, src, i), m->head_halves * sizeof(k_half));
}

static status cpu_kv_read_page(k_model *base, int page, void *host, err *e) {
    UNUSED(e);
    const cpu_model *m = (const cpu_model *)base;
    k_half *to = host;
    for (int i = 0; i < page_pieces(m); i++, to += m->head_halves)
        memcpy(to, piece_at(m, page, i), m->head_halves * sizeof(k_half));
    return OK;
}

static status cpu_kv_write_page(k_model *base, int page, const void *host, err *e) {
    UNUSED(e);
    const cpu_model *m = (const cpu_model *)base;
    const k_half *from = host;
    for (int i = 0; i < page_pieces(m); i++, from += m->head_halves)
        memcpy(piece_at(m, page, i), from, m->head_halves * sizeof(k_half));
    return OK;
}

/* ---- open ------------------------------------------------------------------------------------ */

static const k_backend_table table = {
    .close = cpu_close,
    .plan_memory = cpu_plan_memory,
    .model_new = cpu_model_new,
    .model_free = cpu_model_free,
    .forward = cpu_forward,
    .logits = cpu_logits,
    .top = cpu_top,
    .kv_copy_page = cpu_kv_copy_page,
    .kv_page_bytes = cpu_kv_page_bytes,
    .kv_read_page = cpu_kv_read_page,
    .kv_write_page = cpu_kv_write_page,
};

status cpu_open(k_backend **out, const k_options *opt, err *e) {
    const cpu_isa *isa = NULL;
    status s = machine_isa(&isa, e);
    if (s != OK) return s;
    int threads = opt->threads > 0 ? MIN(opt->threads, LIMIT_THREADS) : machine_cores();
    pool *p = NULL;
    s = pool_start(&p, threads, e);
    if (s != OK) return s;
    cpu_backend *b = xcalloc(1, sizeof *b);
    b->base.table = &table;
    b->isa = isa;
    b->pool = p;
    snprintf(b->base.name, sizeof b->base.name, "cpu (%s, %d thread%s)", isa->name, threads,
             threads == 1 ? "" : "s");
    snprintf(b->base.why, sizeof b->base.why, "%s; %s",
             opt->device == K_CPU ? "the CPU was asked for" : "no other device is usable",
             opt->threads > 0 ? "the number of threads was set"
                              : "one thread per core that this process may use");
    *out = &b->base;
    return OK;
}
