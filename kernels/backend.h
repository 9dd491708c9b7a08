/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a backend is: a table of functions behind kernels.h.  Private to kernels/.  A backend embeds
 * k_backend as the first member of its own struct, and k_model as the first of its model. */
#include "kernels/kernels.h"

typedef struct {
    void (*close)(k_backend *b);
    k_memory (*plan_memory)(const k_backend *b, const k_model_options *opt);
    status (*model_new)(k_model **out, k_backend *b, const k_model_options *opt, err *e);
    void (*model_free)(k_model *m);
    status (*forward)(k_model *m, const k_batch *batch, err *e);
    const float *(*logits)(k_model *m, int i);
    void (*top)(k_model *m, int i, int count, int32_t *ids, float *logprobs);
    void (*kv_copy_page)(k_model *m, int dst, int src);
    size_t (*kv_page_bytes)(const k_model *m);
    status (*kv_read_page)(k_model *m, int page, void *host, err *e);
    status (*kv_write_page)(k_model *m, int page, const void *host, err *e);
    void (*memory)(const k_backend *b, uint64_t *free_bytes, uint64_t *all_bytes); /* or NULL */
    double (*bandwidth)(const k_backend *b);                                       /* or NULL */
} k_backend_table;

struct k_backend {
    const k_backend_table *table;
    char name[96];
    char why[256];
};

struct k_model {
    k_backend *backend;
    k_memory memory;
    bool borrows_file;
    int vocab, kv_pages, rows_max;
    int n_wanted; /* rows of the last k_forward that have logits */
};

status ref_open(k_backend **out, const k_options *opt, err *e) MUST_USE;
status cpu_open(k_backend **out, const k_options *opt, err *e) MUST_USE;
#ifdef INLINED_CUDA
status cuda_open(k_backend **out, const k_options *opt, err *e) MUST_USE;
#endif

/* ---- what backends share --------------------------------------------------------------------- */

/* A deep copy of everything in a plan that is not a tensor's data (ops, rope tables); the k_tensor
 * pointers still point into the file.  Freed with k_plan_free. */
k_plan *k_plan_copy(const k_plan *p) MUST_USE;
void k_plan_free(k_plan *p); /* accepts NULL */

/* Says which tensor of a plan no backend can run; OK when there is none. */
status k_plan_check(const k_plan *p, err *e) MUST_USE;

/* Of a stack of matrices (experts, heads) each has a multiple of this many rows. */
#define K_STACK_ROWS 16

/* Widths within OP_LATENT and OP_VALUES, from the shapes of their matrices. */
typedef struct {
    int latent;  /* c: cached and compressed            */
    int turned;  /* r, t: rotated                       */
    int plain;   /* n: of a head's query, not rotated   */
} k_latent;
static inline k_latent k_latent_of(const k_op *op) {
    int latent = (int)op->k_norm.weight.cols;
    return (k_latent){latent, op->head_dim - latent, (int)op->w[2].cols};
}

/* The definition of OP_ROUTE over one row of the router's outputs: ids ascend. */
void k_route(const k_op *op, const float *row, int32_t *ids, float *weights);

/* The definition of k_top over one row of logits. */
void k_top_of_row(const float *logits, int vocab, int count, int32_t *ids, float *logprobs);
