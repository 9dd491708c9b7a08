/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The token kernel: a whole step of 1 to 8 rows in one launch (token.cu says how and why).  Here is
 * what its host side (token_plan.cu) and its device files share. */
#include "kernels/cuda/model.cuh"

enum {
    TOKEN_WARPS_LOG = 4,
    TOKEN_WARPS = 1 << TOKEN_WARPS_LOG,
    TOKEN_THREADS = TOKEN_WARPS * 32,
    TOKEN_ROWS = 8,
    TOKEN_SLOTS_MAX = 8,
    TOKEN_DIM_MAX = 8192,
    TOKEN_SEGS_MAX = 640,   /* matrices of a model: their table lies in shared memory */
    TOKEN_PAGES_MAX = 2048, /* pages of the KV cache */
    TOKEN_CLASSES_MAX = 3,  /* kinds of attention in a model that are cut differently */
    HALF = CHUNK / 2,       /* activations that share a scale */
};

/* A matrix as the weight stream sees it.  Its strips are dealt out in units of `abreast` strips;
 * `split` warps share a strip, each a range of its tiles.  Both are powers of two, kept as
 * exponents: divisions would stand in the chain of every phase. */
typedef struct {
    const uint8_t *base;
    int strips;
    uint16_t tiles, tile_bytes;
    uint8_t split_log, fmt;
} token_seg;

static __host__ __device__ inline int seg_abreast_log(const token_seg &s) {
    return TOKEN_WARPS_LOG - s.split_log;
}

/* What a CTA does is a list that the host made: a turn per op and one behind the last, then all
 * units in order, as words of UNIT_ fields.  A CTA without work in an op passes it over: it neither
 * waits nor is waited for. */
typedef struct {
    uint16_t unit;    /* the first of this op; they end where those of the next op begin */
    uint16_t workers; /* CTAs with work in this op, or TURN_COUNTED and an index */
    uint16_t rank;    /* of this CTA among them, where the work is counted */
    uint16_t unused;
} token_turn;

/* A unit: its number in its matrix, the matrix, and by how much its warps are turned: where the
 * tiles of a strip are not a multiple of its warps, another warp has one more in the next unit. */
enum { UNIT_SEG = 16, UNIT_TURN = 26, UNIT_NUMBER = 0xffff, UNIT_SEGS = 0x3ff };

typedef struct {
    int strip, tile, count; /* count 0: this warp has nothing in this unit */
} tile_range;

static __host__ __device__ inline tile_range token_range_of(const token_seg &s, uint32_t unit,
                                                            int warp) {
    int part = (warp + (int)(unit >> UNIT_TURN)) & ((1 << s.split_log) - 1);
    tile_range r;
    r.strip = ((int)(unit & UNIT_NUMBER) << seg_abreast_log(s)) + (warp >> s.split_log);
    r.tile = part * s.tiles >> s.split_log;
    r.count = r.strip < s.strips ? ((part + 1) * s.tiles >> s.split_log) - r.tile : 0;
    return r;
}

enum {
    TURN_COUNTED = 0x8000, /* the rest is an index into token_args.counts */
    TURN_WORKERS = 0x1fff,
    TURN_WORDS = sizeof(token_turn) / 4,
};

struct __align__(16) token_op {
    k_op_kind kind;
    int seg;       /* its first matrix */
    int in_chunks; /* width of the input in chunks, padded to whole tiles */
    int halves;    /* width of the input, unpadded, in HALFs */
    int rows;      /* ATTN_OUT, FFN_DOWN, HEAD: rows of the matrix (the last strip may be padded) */
    bool crowded;  /* so many read so much that all of them must not look for it all the time */
    norm_dev norm;
    const float *next; /* EMBED, ATTN_OUT, FFN_DOWN: the norm's weights of the op that reads x */
    float scale, softcap;
    const float *bias[3]; /* in strip order; GATE_UP: [0] for both */
    rope_dev rope;        /* QKV; ATTEND: that of its QKV */
    bool common_rope;     /* token_args.rope: its cosines are there when the step begins */
    kv_dev kv;
    int act, window;
};

/* int8 activations in global memory.  16 of them (a HALF, what one strip gives) share a scale.
 *
 * Several rows: for each chunk the B fragments of mma.m16n8k32 (8 bytes a lane: row lane / 4,
 * columns 4t and 16 + 4t) and a float4 a row {scales of the two halves; their sums, times the
 * scale}; for x also the sum of the squares of each half, before the norm.
 *
 * One row: each half is two pieces of mail (token_mail.cuh): codes 0..3 and 8..11, scale; codes
 * 4..7 and 12..15, sum of squares. */
typedef struct {
    uint2 *frag;    /* [chunks][32] */
    float4 *meta;   /* [chunks][8] */
    float *squares; /* [halves][8] */
    uint4 *mail;    /* [2][halves] */
    int halves;
} token_act;

typedef struct {
    const token_op *ops;
    const token_seg *segs;
    int n_segs;            /* of the model */
    const uint32_t *lists; /* [CTAs][list_words] */
    int list_words, n_ops;
    rope_dev rope;   /* what the layers have in common */
    int first, last; /* ops of this launch: [first, last) */
    uint32_t stamp;  /* of op 0 in this launch; no two launches share any */
    /* Pieces of work of what depends on the rows: the embedding's chunks, then the parts of
     * attention for each kind. */
    int counts[1 + TOKEN_CLASSES_MAX];
    int n, n_want;
    int token[TOKEN_ROWS], pos[TOKEN_ROWS], seq[TOKEN_ROWS], want[TOKEN_ROWS];
    int wanted_as[TOKEN_ROWS]; /* place of a row in want; -1: none */
    const int *pages;
    int pages_stride;
    wmat embed;
    float embed_scale;
    float *x;
    int dim, vocab, hd;
    float one_by_dim;
    token_act h, att; /* what the norms read; attention's and gate's output */
    uint2 *mail_x;    /* one row: x {value, stamp} [dim] */
    uint2 *mail_qkv;  /* one row: pairs of q, k, v {two halves, stamp} [heads][hd / 2] */
    __half *q;
    float *logits, *part;
    int part_cells; /* parts that `part` has room for, per row, KV head and tile */
    int *ticket;
    unsigned *bar, *bar_other;    /* this launch's barrier counter, and the next one's */
    int slot_bytes, slots, defer; /* defer: the last tiles of a phase, filled again behind it */
    int act_bytes, stage_chunks;  /* activations in shared memory; chunks of 8 rows that fit */
} token_args;

/* Pages of one part of a row's attention: few while that keeps all CTAs busy. */
static __host__ __device__ inline int token_part_pages(int pages) {
    return pages <= 512 ? 4 : 8;
}

/* Pages that a row at position `pos` sees: the first, how many, and into how many parts they are
 * cut. */
typedef struct {
    int from, pages, parts;
} token_cut;

static __host__ __device__ inline token_cut token_cut_of(int pos, int window) {
    token_cut c;
    c.from = window > 0 && pos + 1 > window ? (pos + 1 - window) / K_PAGE_TOKENS : 0;
    c.pages = pos / K_PAGE_TOKENS + 1 - c.from;
    int per = token_part_pages(c.pages);
    c.parts = (c.pages + per - 1) / per;
    return c;
}

/* Halfs of a row of q in shared memory: the pad lets 8 lanes read two rows without a conflict. */
static __host__ __device__ constexpr int token_q_stride(int hd) {
    return hd + 32;
}

/* token.cu */
cudaError_t cuda_token_prepare(unsigned formats, int hd, size_t smem_max);
cudaError_t cuda_token_launch(cudaStream_t st, const token_args *a, int ctas, size_t smem,
                              unsigned formats);
size_t cuda_token_static_smem(void);
