/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts attention into units and merges what they give.
 *
 * Positions are taken in spans of CPU_SPAN, each with its own softmax; spans are merged in
 * ascending order.  With few rows (decoding) the units are row x KV head x span and the leader
 * merges; with many (prefill) a unit is a KV head and a block of rows, and merges as it goes.  Both
 * do the same arithmetic per query, so a row gets the same bits either way.
 */
#include "kernels/cpu/attend.h"

#include "kernels/cpu/coded.h"

#define ROW_BLOCK 8 /* rows of a unit in prefill */

typedef struct {
    cpu_model *m;
    const k_op *op;
    const k_batch *batch;
    int group; /* query heads per KV head */
    int heads; /* query heads that a unit of the split form takes: group or 1 */
    int spans; /* of the longest row */
} job;

static int first_position(const k_op *op, int pos) {
    return op->window > 0 ? MAX(pos - op->window + 1, 0) : 0;
}

/* Adds the query of one row and head to a span. */
static void add_query(const job *j, cpu_span *s, int row, int head) {
    const cpu_model *m = j->m;
    int n = s->queries++, pos = j->batch->pos[row];
    s->q[n] = m->q + (size_t)row * m->ld_q + (size_t)(head * j->op->head_dim);
    s->first[n] = first_position(j->op, pos);
    s->last[n] = pos;
}

static cpu_span span_of(const job *j, int seq, int kv_head) {
    const cpu_model *m = j->m;
    return (cpu_span){.pages = j->batch->pages[seq],
                      .kv = attend_kv(m, 0, j->op->kv_layer, kv_head),
                      .page_stride = m->head_halves,
                      .head_dim = j->op->head_dim,
                      .value_dim = m->value_dim,
                      .scale = j->op->scale,
                      .softcap = j->op->softcap};
}

static void put_result(const job *j, int row, int head, const float *total, float sum) {
    const cpu_model *m = j->m;
    float *out = m->att + (size_t)row * m->ld_q + (size_t)(head * j->op->head_dim);
    for (int d = 0; d < j->op->head_dim; d++)
        out[d] = total[d] / sum;
}

void attend_keep(const cpu_model *m, const k_op *op, int page, int place, int head, const float *k,
                 const float *v) {
    k_half *to = attend_kv(m, page, op->kv_layer, head);
    if (m->coded) {
        coded_keep(to, place, k, v, op->head_dim, m->value_dim);
        return;
    }
    m->isa->half_row(to + place, k, op->head_dim, K_PAGE_TOKENS);
    m->isa->half_row(to + op->head_dim * K_PAGE_TOKENS + place * m->value_dim, v, op->head_dim, 1);
}

/* Where pages are coded, those that the queries see are widened first, into the worker's own. */
static void attend_span(const cpu_model *m, cpu_span *s, int worker) {
    static const int32_t own_pages[CPU_SPAN_PAGES] = {0, 1, 2, 3, 4, 5, 6, 7};
    if (!m->coded) {
        m->isa->attend(s);
        return;
    }
    int first = CPU_SPAN, last = 0;
    cpu_span own = *s;
    for (int n = 0; n < s->queries; n++) {
        own.first[n] -= s->start;
        own.last[n] -= s->start;
        first = MIN(first, MAX(own.first[n], 0));
        last = MAX(last, MIN(own.last[n], CPU_SPAN - 1));
    }
    own.start = 0;
    own.kv = m->scratch[worker].span;
    own.pages = own_pages;
    own.page_stride = plain_page_halves(s->head_dim, s->value_dim);
    for (int p = first / K_PAGE_TOKENS; p <= last / K_PAGE_TOKENS; p++) {
        const k_half *from =
            s->kv + (size_t)s->pages[s->start / K_PAGE_TOKENS + p] * s->page_stride;
        coded_widen(m->isa, m->scratch[worker].span + (size_t)p * own.page_stride, from,
                    s->head_dim, s->value_dim);
    }
    m->isa->attend(&own);
}

/* ---- many rows ------------------------------------------------------------------------------- */

/* All spans of a few queries, merged in order. */
static void attend_queries(const job *j, cpu_span *s, const int *row, const int *head, int worker) {
    const cpu_model *m = j->m;
    cpu_scratch *own = &m->scratch[worker];
    float max[CPU_QUERIES_MAX], sum[CPU_QUERIES_MAX];
    float total_max[CPU_QUERIES_MAX] = {0}, total_sum[CPU_QUERIES_MAX] = {0};
    size_t width = (size_t)m->value_dim;
    int first = s->first[0], last = s->last[0];
    for (int n = 0; n < s->queries; n++) {
        s->acc[n] = own->acc + (size_t)n * width;
        s->max[n] = &max[n];
        s->sum[n] = &sum[n];
        first = MIN(first, s->first[n]);
        last = MAX(last, s->last[n]);
    }
    for (s->start = first / CPU_SPAN * CPU_SPAN; s->start <= last; s->start += CPU_SPAN) {
        attend_span(m, s, worker);
        for (int n = 0; n < s->queries; n++)
            m->isa->merge(own->total + (size_t)n * width, &total_max[n], &total_sum[n], s->acc[n],
                          max[n], sum[n], m->value_dim);
    }
    for (int n = 0; n < s->queries; n++)
        put_result(j, row[n], head[n], own->total + (size_t)n * width, total_sum[n]);
}

/* Rows from..to-1, all of one sequence, and the heads of one KV head. */
static void attend_block(const job *j, int from, int to, int kv_head, int worker) {
    int row[CPU_QUERIES_MAX], head[CPU_QUERIES_MAX], count = (to - from) * j->group;
    for (int i = 0; i < count;) {
        cpu_span s = span_of(j, j->batch->seq[from], kv_head);
        for (; i < count && s.queries < j->m->isa->queries; i++) {
            int n = s.queries;
            row[n] = from + i / j->group;
            head[n] = kv_head * j->group + i % j->group;
            add_query(j, &s, row[n], head[n]);
        }
        attend_queries(j, &s, row, head, worker);
    }
}

/* Units: blocks of rows, latest (longest) first, times KV heads. */
static void block_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const job *j = arg;
    const k_batch *b = j->batch;
    int blocks = (b->n + ROW_BLOCK - 1) / ROW_BLOCK;
    for (int64_t unit = from; unit < to; unit++) {
        int kv_head = (int)(unit % j->op->n_head_kv);
        int block = blocks - 1 - (int)(unit / j->op->n_head_kv);
        int row = block * ROW_BLOCK, end = MIN(row + ROW_BLOCK, b->n);
        while (row < end) { /* cut where the sequence changes */
            int same = row + 1;
            while (same < end && b->seq[same] == b->seq[row])
                same++;
            attend_block(j, row, same, kv_head, worker);
            row = same;
        }
    }
}

/* ---- few rows -------------------------------------------------------------------------------- */

static float *partial_of(const job *j, int row, int head, int span) {
    const cpu_model *m = j->m;
    size_t at = ((size_t)row * (size_t)m->heads_max + (size_t)head) * (size_t)m->spans_max;
    return m->partial + (at + (size_t)span) * m->partial_ld;
}

/* Units: row, then group of heads, then span. */
static void span_stretch(void *arg, int64_t from, int64_t to, int worker) {
    const job *j = arg;
    const cpu_model *m = j->m;
    int groups = j->op->n_head / j->heads;
    for (int64_t unit = from; unit < to; unit++) {
        int span = (int)(unit % j->spans), g = (int)(unit / j->spans) % groups;
        int row = (int)(unit / j->spans) / groups, end = (g + 1) * j->heads;
        for (int head = g * j->heads; head < end;) {
            cpu_span s = span_of(j, j->batch->seq[row], head / j->group);
            s.start = span * CPU_SPAN;
            for (; head < end && s.queries < m->isa->queries; head++) {
                float *part = partial_of(j, row, head, span);
                s.acc[s.queries] = part;
                s.max[s.queries] = part + m->value_dim;
                s.sum[s.queries] = part + m->value_dim + 1;
                add_query(j, &s, row, head);
            }
            bool seen = s.start <= s.last[0] && s.start + CPU_SPAN > s.first[0];
            if (seen)
                attend_span(m, &s, worker);
            else
                for (int n = 0; n < s.queries; n++)
                    *s.sum[n] = 0;
        }
    }
}

static void merge_head(const job *j, int row, int head) {
    const cpu_model *m = j->m;
    float *total = m->scratch[0].total, max = 0, sum = 0;
    for (int span = 0; span < j->spans; span++) {
        const float *part = partial_of(j, row, head, span);
        m->isa->merge(total, &max, &sum, part, part[m->value_dim], part[m->value_dim + 1],
                      m->value_dim);
    }
    put_result(j, row, head, total, sum);
}

void attend_run(cpu_model *m, const k_op *op, const k_batch *batch) {
    job j = {.m = m, .op = op, .batch = batch, .group = op->n_head / op->n_head_kv};
    if (batch->n > CPU_FEW_ROWS) {
        int blocks = (batch->n + ROW_BLOCK - 1) / ROW_BLOCK;
        pool_run(m->pool, block_stretch, &j, (int64_t)blocks * op->n_head_kv, 1);
        return;
    }
    int last = 0;
    for (int t = 0; t < batch->n; t++)
        last = MAX(last, batch->pos[t]);
    j.spans = last / CPU_SPAN + 1;
    int64_t units = (int64_t)batch->n * j.spans * op->n_head_kv;
    bool whole_groups = units >= 4 * pool_threads(m->pool);
    j.heads = whole_groups ? j.group : 1;
    pool_run(m->pool, span_stretch, &j, (int64_t)batch->n * j.spans * (op->n_head / j.heads), 1);
    for (int t = 0; t < batch->n; t++)
        for (int h = 0; h < op->n_head; h++)
            merge_head(&j, t, h);
}
