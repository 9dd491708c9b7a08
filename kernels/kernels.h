/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* THE ARITHMETIC.  A transformer is a *plan*: a flat list of about ten kinds of operation, built
 * once from the model's architecture (engine/plan.c) and interpreted by every backend:
 *
 *     ref    scalar, float32 over dequantised weights, obvious: the definition of each operation
 *     cpu    SIMD on repacked weights, threads
 *     cuda   kernels on the device
 *
 * A backend owns the repacked weights, the KV cache and the workspace of each model it holds; the
 * engine owns tokens, positions and which KV page belongs to which sequence.
 * Thread: the engine thread only (helper threads inside a backend are anonymous labour).
 *
 * Conventions: matrices W [rows, cols] are row-major as in GGUF (ne0 = cols = input, ne1 = rows =
 * output): y[rows] = W x[cols].  x is the residual stream, one f32 row of `dim` per token.
 */
#ifdef __cplusplus
typedef volatile bool atomic_bool; /* CUDA host code only looks at the flag */
#else
# include <stdatomic.h>
#endif

#include "engine/base/status.h"
#include "kernels/blocks.h"

/* ---- weights -------------------------------------------------------------------------------- */

/* A tensor as it lies in the model file.  rows == 0: not present.  `data` is borrowed until
 * k_model_new returns; a backend that keeps using it (mapped file) says so with
 * k_model_borrows_file(). */
typedef struct {
    k_type type;
    int64_t rows, cols; /* a vector has rows == 1 */
    const void *data;   /* k_row_bytes(type, cols) * rows bytes */
    const char *name;   /* for messages; borrowed like data */
} k_tensor;

typedef enum { NORM_RMS, NORM_LAYER } k_norm_kind;
typedef struct {
    k_norm_kind kind;
    k_tensor weight; /* f32 [dim]; rows == 0: no norm at all, y = x */
    k_tensor bias;   /* f32 [dim] or absent */
    float eps;
} k_norm;

/* NORM: pairs (2i, 2i+1); NEOX: (i, i + n/2) */
typedef enum { ROPE_NONE, ROPE_NORM, ROPE_NEOX } k_rope_kind;
typedef struct {
    k_rope_kind kind;
    int n_rot;             /* dimensions of a head that turn, from its start                   */
    const float *inv_freq; /* f32 [n_rot / 2]: angle per position, all scaling already inside  */
    float mscale;          /* cos and sin are multiplied by it; 1 for nearly every model       */
} k_rope;

typedef enum { ACT_SILU, ACT_GELU_TANH } k_act;

/* ---- operations ------------------------------------------------------------------------------ */

typedef enum {
    /* x = E[token] * scale                                                                       */
    OP_EMBED,
    /* h = norm(x); q = Wq h + bq, k = Wk h + bk, v = Wv h + bv; per-head q_norm, k_norm; rope on
     * q and k; k and v go to layer `kv_layer` of the KV cache at the row's position.             */
    OP_QKV,
    /* att = softmax(cap(scale * q . K)) V over the sequence's positions 0..pos, at most `window`
     * of them (0: all); cap(s) = softcap * tanh(s / softcap), 0: none.  GQA: head h reads KV head
     * h / (n_head / n_head_kv).                                                                  */
    OP_ATTEND,
    /* x += scale * post_norm(W att + b)                                                          */
    OP_ATTN_OUT,
    /* h = norm(x); u = act(Wgate h + bgate) * (Wup h + bup); without a gate u = act(Wup h + bup) */
    OP_GATE_UP,
    /* x += scale * post_norm(W u + b)                                                            */
    OP_FFN_DOWN,
    /* logits = softcap(scale * (W norm(x) + b)), only for the rows that ask for them             */
    OP_HEAD,

    /* Latent attention: instead of OP_QKV, and OP_VALUES between OP_ATTEND and OP_ATTN_OUT.  What
     * is cached is one vector a token, key and value of every head at once.
     * h = norm(x); per head [n | r] = Wq h; [c | t] = Wkv h; q = [Wk n | rope(r)] per head;
     * k = v = [k_norm(c) | rope(t)].  w: q [n_head * (n + r)], kv [c + t], k [n_head * c, n];
     * head_dim = c + t, n_head_kv = 1.                                                           */
    OP_LATENT,
    /* att = per head Wv att[0 .. cols of Wv); w: v [n_head * its share of att, c]                */
    OP_VALUES,

    /* A mixture of experts: OP_ROUTE chooses, OP_EXPERTS computes.
     * p = softmax(W norm(x)); the n_used largest of n_experts (ties: the smaller number) get the
     * weight scale * p, with `shares` scale * p / sum of those p.                                */
    OP_ROUTE,
    /* h = norm(x); x += sum over the chosen experts, by number, of weight * Wdown (act(Wgate h) *
     * (Wup h)).  w: gate, up [n_experts * width, dim], down [n_experts * dim, width]             */
    OP_EXPERTS,
} k_op_kind;

typedef struct {
    k_op_kind kind;
    k_norm norm;      /* QKV, GATE_UP, HEAD: before;  ATTN_OUT, FFN_DOWN: after (post_norm)       */
    float scale;      /* EMBED, ATTEND, ATTN_OUT, FFN_DOWN, HEAD                                  */
    float softcap;    /* ATTEND, HEAD; 0: none                                                    */
    k_tensor w[3];    /* EMBED e; QKV q,k,v; ATTN_OUT o; GATE_UP gate,up; FFN_DOWN down; HEAD out;
                         LATENT q,kv,k; VALUES v; ROUTE r; EXPERTS gate,up,down                   */
    k_tensor bias[3]; /* beside w, f32, or absent                                                 */
    k_norm q_norm, k_norm; /* QKV: per head, weight [head_dim]; absent: none.  LATENT: k_norm     */
    k_rope rope; /* QKV, LATENT                                                              */
    k_act act;   /* GATE_UP, EXPERTS                                                         */
    int n_head, n_head_kv, head_dim; /* QKV, LATENT, ATTEND, VALUES                               */
    int kv_layer; /* QKV, LATENT, ATTEND                                                      */
    int window;   /* ATTEND; 0: everything                                                    */
    int n_experts, n_used; /* ROUTE, EXPERTS                                                      */
    bool shares; /* ROUTE                                                                    */
    bool fine;   /* what enters deserves more than 8 bits: the result decides much           */
} k_op;

typedef struct {
    k_op *ops;
    int n_ops;
    int dim;         /* width of x                                                          */
    int vocab;       /* rows of the head                                                    */
    int n_kv_layers; /* layers of the KV cache                                              */
    int n_head_kv, head_dim; /* the same in every layer                                          */
    int q_dim_max, ffn_dim_max; /* widest att row and u row: sizes of the workspace              */
    int n_experts, n_used; /* of every mixture; 0: none                                          */
} k_plan;

/* ---- backends and models --------------------------------------------------------------------- */

typedef enum { K_AUTO, K_CPU, K_CUDA, K_REF } k_device;
/* K_REF always keeps f32, K_CPU and K_CUDA f16 for f32; with KV_Q8 K_CUDA decodes by launches */
typedef enum { KV_F16, KV_Q8, KV_F32 } k_kv_type;

#define K_PAGE_TOKENS 32 /* positions in one KV page */
#define K_ROWS_MAX 2048  /* rows (tokens) in one k_forward; a model is opened with fewer */

typedef struct k_backend k_backend;
typedef struct k_model k_model;

typedef struct {
    k_device device;
    int threads; /* cpu: 0 = physical cores within the process' CPU quota */
} k_options;

/* Opens the device.  K_AUTO takes CUDA when it is compiled in and usable, else the CPU;
 * k_backend_name() and k_backend_why() say what and why.  Errors: ERR_DEVICE, ERR_UNSUPPORTED. */
status k_open(k_backend **out, const k_options *opt, err *e) MUST_USE;
void k_close(k_backend *b); /* after all its models; accepts NULL */
/* "cpu (avx512-vnni, 2 threads)"; lives as long as b */
const char *k_backend_name(const k_backend *b);
const char *k_backend_why(const k_backend *b); /* one sentence */
/* True when it has memory and kernels of its own, which a model may not fit; the CPU may do then */
bool k_backend_is_device(const k_backend *b);
/* Bytes of the device's own memory that are free now, and all of it; both 0 without a device. */
void k_device_memory(const k_backend *b, uint64_t *free_bytes, uint64_t *all_bytes);
/* Bytes per second, read and written, at which a device copies within its memory; takes a quarter
 * of a GB for some milliseconds.  0: no device, or it cannot be measured. */
double k_device_bandwidth(const k_backend *b);

typedef struct {
    const k_plan *plan; /* borrowed during the call; copied */
    int kv_pages;       /* pages of K_PAGE_TOKENS positions, shared by all sequences            */
    k_kv_type kv_type;
    int rows_max; /* 1..K_ROWS_MAX                                                        */
    bool (*progress)(void *ud, uint64_t bytes_done, uint64_t bytes_all); /* false cancels        */
    void *progress_ud;
} k_model_options;

typedef struct {
    uint64_t weight_bytes, kv_bytes, work_bytes; /* on the device (the heap, for cpu) */
} k_memory;

/* What k_model_new would take; allocates nothing. */
k_memory k_model_plan_memory(const k_backend *b, const k_model_options *opt);
/* Repacks or uploads the weights and allocates KV and workspace: the only allocation of a model.
 * Errors: ERR_LIMIT (memory), ERR_UNSUPPORTED (names type or shape), ERR_CANCELLED, ERR_DEVICE. */
status k_model_new(k_model **out, k_backend *b, const k_model_options *opt, err *e) MUST_USE;
void k_model_free(k_model *m); /* accepts NULL */
k_memory k_model_memory(const k_model *m);
/* True when the weights are still read from the mapped file: keep the mapping. */
bool k_model_borrows_file(const k_model *m);

/* One step: n rows through the whole plan.  Rows of one sequence stand together, in ascending
 * position; every earlier position of that sequence is already in the KV cache. */
typedef struct {
    int n;                       /* 1..rows_max                                                  */
    const int32_t *token;        /* [n] in [0, vocab)                                            */
    const int32_t *pos;          /* [n] position in its sequence, from 0                         */
    const int32_t *seq;          /* [n] index into pages                                         */
    const int32_t *const *pages; /* [sequence][pos / K_PAGE_TOKENS] = page number                */
    int n_seqs;
    const uint8_t *want;       /* [n] 1: logits of this row are wanted                         */
    const atomic_bool *cancel; /* read between operations; NULL: never                         */
} k_batch;

/* Computes the rows and writes their K and V.  ERR_CANCELLED: the rows' KV content is undefined,
 * all other positions are untouched.  ERR_DEVICE: the backend is dead.  Allocates nothing.
 * The same row gives the same bits for any thread count; on a device for 1 to 16 rows of which some
 * want logits (a float model apart), while rows of prompts may differ in their last bits. */
status k_forward(k_model *m, const k_batch *batch, err *e) MUST_USE;

/* Results of the last k_forward; `i` counts its wanted rows from 0. */
/* All logits of a row, f32 [vocab], host; valid until the next k_forward of this model. */
const float *k_logits(k_model *m, int i);
/* The `count` (1..64) most likely ids, best first (ties: smaller id), and their log-probabilities
 * over the whole vocabulary (natural logarithm, softmax at temperature 1). */
void k_top(k_model *m, int i, int count, int32_t *ids, float *logprobs);

/* KV pages: copy (before writing into a shared page), raw export for save, restore and spill. */
void k_kv_copy_page(k_model *m, int dst, int src);
size_t k_kv_page_bytes(const k_model *m);
status k_kv_read_page(k_model *m, int page, void *host, err *e) MUST_USE;
status k_kv_write_page(k_model *m, int page, const void *host, err *e) MUST_USE;
