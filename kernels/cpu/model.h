/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The CPU backend's structs: cpu.c opens and closes, model.c lays out and fills, forward.c runs. */
#include "kernels/backend.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/pool.h"

typedef struct {
    k_backend base;
    const cpu_isa *isa;
    pool *pool;
} cpu_backend;

/* A rope table that several operations use. */
typedef struct {
    k_rope rope;    /* inv_freq is owned by the model's memory                */
    float *cos_sin; /* [rows_max][n_rot / 2][2], of the current batch         */
} cpu_rope;

/* One operation with its weights in place; norms and biases point at the model's copies. */
typedef struct {
    k_op op;
    const cpu_matrix *w[3]; /* NULL: absent                                   */
    const float *bias[3];   /* padded to whole panels; NULL: absent           */
    const cpu_rope *rope;   /* NULL: none                                     */
} cpu_op;

/* What one worker needs for itself. */
typedef struct {
    float *acc, *total; /* [CPU_QUERIES_MAX][value_dim]: attention            */
    float *residual;    /* [widest input]: what the first plane left over */
    k_half *span;       /* KV_Q8: the pages of one span as halves             */
} cpu_scratch;

typedef struct {
    k_model base;
    const cpu_isa *isa;
    pool *pool;
    k_plan plan; /* sizes only: ops is NULL */
    cpu_op *ops;
    cpu_matrix *matrices;
    cpu_rope *ropes;
    int n_matrices, n_ropes;
    void *weights, *work; /* mapped memory; the pointers below go into it */
    size_t weights_mapped, work_mapped, kv_mapped;
    /* KV: [layer][kv head][page]{K transposed [head_dim][32]; V [32][value_dim]}: a head's pages
     * follow each other, because attention reads them in a row. */
    k_half *kv;
    int value_dim;                   /* head_dim rounded up to 32                           */
    size_t head_halves, page_halves; /* of a page: one head and layer, all          */
    bool coded;                      /* KV_Q8: K and V lie as int8; see coded.h     */
    /* Rows of f32, `ld_` floats apart. */
    float *x, *h, *y, *q, *att, *k, *v, *u, *gate, *logits;
    size_t ld_x, ld_q, ld_kv, ld_u, ld_logits;
    /* Mixtures only: the router's outputs; [row][n_used] experts and weights; gathered rows. */
    float *route, *share, *mix_in, *mix_u;
    int32_t *expert;
    size_t ld_route;
    uint8_t *tiles; /* quantised input of the current operation */
    float *partial; /* split attention: [row][head][span][partial_ld]: acc, max, sum */
    size_t partial_ld;
    int spans_max, heads_max;
    cpu_scratch *scratch; /* [threads] */
} cpu_model;

/* Up to this number of rows, the leader prepares them alone and attention is split over spans. */
#define CPU_FEW_ROWS 4

/* What a model will take. */
k_memory cpu_model_plan(const cpu_isa *isa, int threads, const k_model_options *opt);
status cpu_model_new(k_model **out, k_backend *b, const k_model_options *opt, err *e) MUST_USE;
void cpu_model_free(k_model *m);

status cpu_forward(k_model *m, const k_batch *batch, err *e) MUST_USE;
