/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the SIMD files offer to the CPU backend: one table per instruction set, compiled with its
 * own flags from the same bodies (body_*.h) over its own vector words (simd_*.h).
 *
 * Weights lie in panels of `panel_rows` rows; activations in tiles of tokens:
 *
 *   panel  q plane [blocks][code bytes], then planes of scales (cpu_matrix below)
 *   tile   [blocks] of {int8 q[T][32]; f32 d[T]; i32 neg[T]; f32 sum[T]; i32 neg16[2][T];
 *          f32 sum16[2][T]} with T the tile's width; neg = -sum of q, sum = d * sum of q
 *
 * All functions are pure.  Thread: any.
 */
#include "kernels/kernels.h"

#define CPU_BLOCK 32     /* columns that share an activation scale           */
#define CPU_ROW_ALIGN 16 /* every f32 row is padded to a multiple of this    */
#define CPU_SPAN_PAGES 8 /* KV pages that one softmax span covers            */
#define CPU_SPAN (CPU_SPAN_PAGES * K_PAGE_TOKENS)
#define CPU_QUERIES_MAX 12 /* queries of one KV head that go through a span together */

/* A weight matrix in panels.  Offsets are bytes from the panel's start; 0 where a plane is absent.
 *   F32, F16, BF16     [cols][panel_rows] elements
 *   32-blocks          codes, `scale` f16 [blocks][R] (MXFP4: f32), `min` f16 [blocks][R]
 *   256-blocks         codes, `scale` i8 [groups][R], `min` i8 [groups][R],
 *                      `d` f16 [blocks / 8][R], `dmin` f16 [blocks / 8][R], negated */
typedef struct {
    k_type type;
    int64_t rows, cols, panels;
    int panel_rows, blocks;
    size_t panel_bytes, scale, min, d, dmin;
    uint8_t *data; /* owned, 64-byte aligned */
} cpu_matrix;

/* Activations of n tokens, `cols` wide.  With two planes a token takes two neighbouring places of a
 * tile: its codes, and the codes of what they left over (16 bits in all); their products are
 * added. */
typedef struct {
    uint8_t *tiles;    /* int8 tiles of n * planes places; see above */
    const float *rows; /* the same as f32, for float weights         */
    size_t ld;         /* floats from row to row of `rows`           */
    int n, planes, cols;
} cpu_act;

/* One span of positions for a few queries that read the same KV head. */
typedef struct {
    const float *q[CPU_QUERIES_MAX];                    /* [head_dim] each                  */
    int first[CPU_QUERIES_MAX], last[CPU_QUERIES_MAX];  /* positions that a query sees      */
    float *acc[CPU_QUERIES_MAX];                        /* out: [value_dim], not normalised */
    float *max[CPU_QUERIES_MAX], *sum[CPU_QUERIES_MAX]; /* out; sum 0: nothing seen         */
    int queries;
    int start;               /* first position of the span, a multiple of CPU_SPAN            */
    const int32_t *pages;    /* the sequence's page table                                     */
    const k_half *kv;        /* page 0, this layer and KV head: K transposed [head_dim][32], then
                                V [32][value_dim]                                             */
    size_t page_stride;      /* halves from page to page                                      */
    int head_dim, value_dim; /* value_dim: head_dim rounded up to 32                          */
    float scale, softcap;
} cpu_span;

typedef struct {
    const char *name;
    int panel_rows;
    int tile;     /* widest tile of tokens */
    int queries;  /* best number of queries in a span */
    bool signed8; /* 8-bit codes are stored signed, else with 128 added */

    /* Writes token t of a tile of width T. `residual`, if not NULL, gets x minus what was coded. */
    void (*quantise)(const float *x, int cols, uint8_t *tile, int width, int t, float *residual);
    /* out[token * ld + row - first row of p0] for all rows of the panels p0..p1-1, those beyond the
     * matrix's last included. */
    void (*matmul)(const cpu_matrix *w, int64_t p0, int64_t p1, const cpu_act *a, float *out,
                   size_t ld);
    void (*norm)(const k_norm *norm, float *y, const float *x, int n);
    /* u = act(gate) * u, or act(u) without a gate. */
    void (*activate)(k_act act, float *u, const float *gate, int n);
    void (*attend)(const cpu_span *s);
    /* Adds the span (acc, max, sum) to the running total of the same shape. */
    void (*merge)(float *total, float *total_max, float *total_sum, const float *acc, float max,
                  float sum, int n);
    /* y = softcap(scale * y) */
    void (*finish_logits)(float *y, float scale, float softcap, int n);
    /* x += scale * y */
    void (*add_scaled)(float *x, const float *y, float scale, int n);
    /* n floats as halves, each `stride` halves after the one before. */
    void (*half_row)(k_half *dst, const float *src, int n, size_t stride);
    float (*max)(const float *x, int n);
    double (*sum_exp)(const float *x, float max, int n); /* sum of exp(x - max) */
} cpu_isa;

/* NULL when not compiled for this architecture. */
const cpu_isa *cpu_isa_amx(void);
const cpu_isa *cpu_isa_avx512(void);
const cpu_isa *cpu_isa_avxvnni(void);
const cpu_isa *cpu_isa_avx2(void);
const cpu_isa *cpu_isa_neondot(void);
const cpu_isa *cpu_isa_neon(void);
const cpu_isa *cpu_isa_portable(void);

/* The width of the next tile when `left` places are still to be filled: the classes are 1, 2, 4, 8,
 * ... up to the ISA's widest. */
static inline int cpu_tile_width(int tile, int left) {
    if (left >= tile) return tile;
    int width = 1;
    while (width < left)
        width *= 2;
    return width < tile ? width : tile;
}

/* Bytes of one token's share of a tile, per block: 32 codes and 7 words. */
#define CPU_ACT_BLOCK_BYTES (CPU_BLOCK + 7 * 4)
