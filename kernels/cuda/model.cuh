/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A model on the device: three arenas (weights, KV pages, workspace) and the plan with device
 * pointers.  load.cu fills it, forward.cu runs it, backend.cu is its face to kernels.c. */
#include "kernels/cuda/cuda.cuh"

enum { GRAPHS = 3, TOP_CELLS = 64, HEAD_ROWS = DECODE_ROWS_MAX, SEQUENCES = 64 };

typedef struct {
    k_backend base;
    cudaStream_t stream;
    gemm *products;
    int sms, device, cc; /* cc: compute capability, 90 for 9.0 */
    size_t smem_max;     /* of a CTA */
    bool cooperative;
    bool dead; /* a CUDA call failed: every later call says so */
} cuda_backend;

/* An arena that is measured first (base NULL) and filled in a second pass by the same code. */
typedef struct {
    uint8_t *base;
    size_t used;
} arena_dev;

typedef struct {
    k_op_kind kind;
    norm_dev norm, q_norm, k_norm;
    float scale, softcap;
    wmat w[3];
    const float *bias[3];
    const float *strip_bias[3]; /* token kernel: where the order of strips is another */
    rope_dev rope;
    bool common_rope; /* as that of the first layer */
    kv_dev kv;
    int act, window;
    __half *mirror; /* float16 rows of w[0] | w[1] | w[2] one after the other; NULL: made per use */
    int mirror_rows, cols; /* cols: padded */
    size_t mirror_low;     /* where in the mirror stands what the rounding lost; 0: not kept */
    strip_share share;     /* how strip_gemm.cu shares out its work */
} dev_op;

/* Sizes of the plan that the workspace depends on. */
typedef struct {
    int dim, dim_pad, vocab, rows_max, q_dim, qkv_dim, ff, n_head, n_head_kv, head_dim, hd, group;
    int chunks_max;           /* widest decode input */
    int tiles_max, tiles_row; /* tiles of a whole prefill batch; of one row */
    int splits, kv_pages, n_kv_layers;
    size_t scratch_halves; /* largest mirror that is made per use; 0: all resident */
    bool coded;            /* keys and values in int8 */
    bool fine;             /* the body's matrices are float: what enters products is split */
    bool token;            /* decode by the token kernel */
    int token_chunks;      /* widest input, with room for the padding of a tile */
    int token_words, sms;  /* words of a CTA's list; CTAs */
    int n_ops;
} dev_shape;

/* Keys, or values, of one page and layer. */
static inline size_t kv_slab_halves(const dev_shape *s) {
    return (size_t)s->n_head_kv * (size_t)kv_cell_halves(s->hd, s->coded);
}

typedef struct {
    float *x, *y, *qkv, *logits, *part;
    half_rows h, att, u;
    __half *q, *scratch;
    void *gu; /* float16; float32 of a float model */
    uint8_t *act_q;
    size_t act_stride;
    int *tickets, *top_tickets; /* attention cells; one per row for top_one */
    uint8_t *token_ops, *token_segs, *token_lists, *token_bars, *token_h, *token_att, *token_mail;
    top_one *top_cells;
    float2 *many_cells, *many;
    int *step; /* device copy of the step block */
} dev_work;

/* Offsets (ints) in the step block. */
typedef struct {
    size_t token, pos, seq, want, tiles, pages, ints;
} step_layout;

typedef struct {
    k_model base;
    cuda_backend *b;
    dev_op *ops;
    int n_ops;
    dev_shape s;
    uint8_t *weights, *kv, *work;
    size_t weight_bytes, kv_bytes, work_bytes;
    dev_work w;
    step_layout at;
    int *step_host;    /* pinned */
    top_one *top_host; /* pinned, mapped: the decode graph writes it */
    top_one *top_dev;
    float *
        logits_host; /* [rows_max][vocab], address space: rows get memory when they are asked for */
    bool logits_pinned;            /* the first row */
    cudaEvent_t pace[2];           /* the last two layers of a prefill */
    float2 *many_host;             /* pinned */
    cudaGraphExec_t graph[GRAPHS]; /* 1, 4, 8 rows */
    int *want_rows;                /* host: batch row of each wanted row */
    int n_want, head_group;        /* head_group: which 8 wanted rows w.logits holds; -1: none */
    bool eager;                    /* no graphs: for tests */
    bool gemm_only;                /* float weights: no int8 path */
    int strip_rows;                /* prompts of up to so many read strips; 0: their mirrors */
    strip_room room;               /* what the device has for them */
    struct token_state *token;     /* NULL: decode by the launch path */
    int last_n;
} cuda_model;

void *arena_take(arena_dev *a, size_t bytes);

/* load.cu */
void cuda_fill_mirror(cudaStream_t st, const dev_op *op, __half *to);
status cuda_model_open(cuda_model **out, cuda_backend *b, const k_model_options *opt, err *e);
void cuda_model_close(cuda_model *m);
k_memory cuda_model_measure(const cuda_backend *b, const k_model_options *opt);

/* token_plan.cu: decode by one kernel a step (token.cu). */
typedef struct token_state token_state;
bool cuda_token_fits(const cuda_backend *b, const k_model_options *opt);
int cuda_token_parts(int kv_pages);
int cuda_token_words(const k_plan *p, int ctas); /* of a CTA's list */
status cuda_token_build(cuda_model *m, err *e);
void cuda_token_free(cuda_model *m);
status cuda_token_step(cuda_model *m, const k_batch *batch, err *e);
status cuda_token_head(cuda_model *m, const int *rows, int n, err *e);
size_t cuda_token_op_bytes(void);
size_t cuda_token_seg_bytes(void);
size_t cuda_token_act_bytes(const dev_shape *s);
size_t cuda_token_mail_bytes(const dev_shape *s);

/* forward.cu */
status cuda_model_forward(cuda_model *m, const k_batch *batch, err *e);
status cuda_model_head(cuda_model *m, int group, err *e);
status cuda_model_top(cuda_model *m, int i, int count, int32_t *ids, float *logprobs, err *e);
