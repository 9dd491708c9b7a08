/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the CUDA backend's files share: error handling, device structs, small warp idioms.
 *
 * Everything runs on one stream of the engine thread.  Weights lie in planes (formats.cuh), the KV
 * cache in pages (attention.cu), activations in float32 with int8 copies for the decode path.
 * Launch only through the host functions declared at the end: no <<<>>> elsewhere.
 */
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <cuda_fp16.h>
#include <cuda_runtime.h>

extern "C" {
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "kernels/backend.h"
}

/* ---- errors --------------------------------------------------------------------------------- */

status cuda_fail(err *e, cudaError_t code, const char *what, const char *file, int line);

#define CU_TRY(e, call)                                                                            \
 do {                                                                                              \
  cudaError_t cu_code_ = (call);                                                                   \
  if (cu_code_ != cudaSuccess) return cuda_fail((e), cu_code_, #call, __FILE__, __LINE__);         \
 } while (0)

/* ---- device structs ------------------------------------------------------------------------- */

enum { CHUNK = 32 }; /* weights and activations are handled 32 at a time */

typedef enum {
    FMT_NONE,
    FMT_Q8_0,
    FMT_Q4_0,
    FMT_Q4_1,
    FMT_Q5_0,
    FMT_Q5_1,
    FMT_Q4_K,
    FMT_Q5_K,
    FMT_Q6_K,
    FMT_G, /* int8 values with float scale and offset per 16: every other quantised type, exact */
    FMT_F16,
    FMT_BF16,
    FMT_F32,
} wfmt;

/* Which row of a matrix lies where in its strips (strips.cuh). */
typedef enum { MAP_PLAIN, MAP_HEADS, MAP_UPPER, MAP_LOWER } row_map_kind;
typedef struct {
    int kind;              /* row_map_kind */
    int head_dim, turning; /* MAP_HEADS: d and d + turning are partners, for d < turning */
} row_map;

/* A weight matrix on the device, rows padded to whole chunks of 32 columns: in planes (formats.cuh)
 * for the launch path, or in strips (strips.cuh) for the token kernel. */
typedef struct {
    const uint8_t *q, *h, *s, *d; /* planes; what is in them depends on fmt; strips: q only */
    int fmt, rows, cols, chunks;
    int tiles; /* of a strip; 0: planes */
    row_map map;
} wmat;

/* int8 activations of one row: lo[chunks][16], hi[chunks][16], meta[chunks] float4 {scale; sums of
 * the first half, the second half and both, times the scale}. */
static __host__ __device__ inline size_t act_bytes(int chunks) {
    return (size_t)chunks * 48;
}

/* One step, uploaded as one block of ints; pointers into device memory. */
typedef struct {
    const int *token, *pos, *seq; /* [n] */
    const int *pages;             /* [n_seqs][pages_stride] */
    const int *tiles; /* [n_tiles][3]: first batch row, first packed row, packed rows left */
    const int *want;  /* [n_want] batch rows whose logits are wanted */
    int pages_stride;
} step_dev;

/* Rows that enter a product, in float16: rounded, or (low is not NULL: the model is float, see
 * dev_shape.fine) each value as the sum of two, which keeps 22 of float32's 24 bits. */
typedef struct {
    __half *high, *low;
} half_rows;

typedef struct {
    k_rope_kind kind;
    int n_rot;
    const float *inv_freq; /* device */
    float mscale;
} rope_dev;

typedef struct {
    int kind;           /* k_norm_kind, or -1: none */
    const float *w, *b; /* device; b may be NULL */
    float eps;
} norm_dev;

/* A head's part of a page is a cell: keys [32][hd], values [hd][32], in binary16; or, coded, int8
 * and behind them a binary16 scale for each 32 dimensions and position, [hd / 32][32] (the numbers
 * of kernels/cpu/coded.h). */
typedef struct {
    __half *k, *v;                       /* of this layer, [page][kv_head] cells each */
    int n_head, n_head_kv, head_dim, hd; /* hd: head_dim rounded up to 64, 96, 128 or 256 */
    bool coded;
} kv_dev;

static __host__ __device__ constexpr int kv_cell_halves(int hd, bool coded) {
    return coded ? K_PAGE_TOKENS / 2 * hd + hd / CHUNK * K_PAGE_TOKENS : K_PAGE_TOKENS * hd;
}

#ifdef __CUDACC__

/* The two dimensions of pair number `pair` of a head, as rotation turns them; what lies behind
 * n_rot is not turned. */
static __device__ __forceinline__ int2 rope_pair(const rope_dev &rope, int pair) {
    int half = rope.n_rot / 2;
    bool apart = rope.kind == ROPE_NEOX && pair < half;
    return apart ? make_int2(pair, pair + half) : make_int2(2 * pair, 2 * pair + 1);
}

/* ---- warp idioms ---------------------------------------------------------------------------- */

static __device__ __forceinline__ float warp_sum(float v) {
# pragma unroll
    for (int o = 16; o > 0; o >>= 1)
        v += __shfl_xor_sync(0xffffffffu, v, o);
    return v;
}

static __device__ __forceinline__ float warp_max(float v) {
# pragma unroll
    for (int o = 16; o > 0; o >>= 1)
        v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, o));
    return v;
}

/* Sum over the block; every thread gets it.  `red` has 33 floats of shared memory. */
static __device__ __forceinline__ float block_sum(float v, float *red) {
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    v = warp_sum(v);
    __syncthreads(); /* red may still be read from a previous call */
    if (lane == 0) red[warp] = v;
    __syncthreads();
    float s = 0;
    for (int i = 0; i < (int)(blockDim.x >> 5); i++)
        s += red[i];
    return s;
}

/* 4 neighbouring values of each of 8 neighbouring lanes are a chunk: symmetric int8, scale = max /
 * 127. Returns this lane's four bytes; meta is complete in every lane.  All lanes of the warp call
 * it. */
static __device__ __forceinline__ int act_quantise(const float v[4], float4 &meta) {
    float top = fmaxf(fmaxf(fabsf(v[0]), fabsf(v[1])), fmaxf(fabsf(v[2]), fabsf(v[3])));
# pragma unroll
    for (int o = 4; o > 0; o >>= 1)
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, o));
    float inverse = top > 0 ? __fdividef(127.0f, top) : 0.0f;
    int q[4], packed;
# pragma unroll
    for (int k = 0; k < 4; k++)
        q[k] = __float2int_rn(v[k] * inverse);
    asm("cvt.pack.sat.s8.s32.b32 %0, %1, %2, 0;" : "=r"(packed) : "r"(q[3]), "r"(q[2]));
    asm("cvt.pack.sat.s8.s32.b32 %0, %1, %2, %0;" : "+r"(packed) : "r"(q[1]), "r"(q[0]));
    int sum = q[0] + q[1] + q[2] + q[3];
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    sum += __shfl_xor_sync(0xffffffffu, sum, 2); /* over 4 lanes: one half of 16 columns */
    int other = __shfl_xor_sync(0xffffffffu, sum, 4);
    float scale = top * (1.0f / 127.0f);
    bool low = !(threadIdx.x & 4);
    float mine = scale * (float)sum, theirs = scale * (float)other;
    meta = make_float4(scale, low ? mine : theirs, low ? theirs : mine, mine + theirs);
    return packed;
}

/* Programmatic dependent launch: the part before pdl_wait() may run while the predecessor still
 * does; it must not read what the predecessor writes.  No-ops before sm_90 and without the launch
 * attribute. */
static __device__ __forceinline__ void pdl_wait() {
# if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
# endif
}
static __device__ __forceinline__ void pdl_trigger() {
# if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
# endif
}

static __device__ __forceinline__ void mma_f16(float c[4], const uint32_t a[4], uint32_t b0,
                                               uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* Clusters are of sm_90 and later; on others no kernel gets here. */
static __device__ __forceinline__ void cluster_sync() {
# if __CUDA_ARCH__ >= 900
    asm volatile("barrier.cluster.arrive.release.aligned;\n"
                 "barrier.cluster.wait.acquire.aligned;" ::
                     : "memory");
# endif
}

/* The same place in the shared memory of another CTA of the cluster. */
static __device__ __forceinline__ uint32_t at_peer(const void *here, int peer) {
    uint32_t there = 0;
# if __CUDA_ARCH__ >= 900
    asm("mapa.shared::cluster.u32 %0, %1, %2;"
        : "=r"(there)
        : "r"((uint32_t)__cvta_generic_to_shared(here)), "r"(peer));
# endif
    return there;
}

/* Largest finite float16: a larger activation is cut instead of becoming infinite. */
static __device__ __forceinline__ __half to_half(float v) {
    return __float2half(fminf(fmaxf(v, -65504.0f), 65504.0f));
}

/* What v lost when it became `high`: the second half of a split value. */
static __device__ __forceinline__ __half lost_half(float v, __half high) {
    return to_half(v - __half2float(high));
}

static __device__ __forceinline__ float act_silu(float v) {
    return __fdividef(v, 1.0f + __expf(-v));
}
static __device__ __forceinline__ float act_gelu(float v) {
    float t = 0.7978845608028654f * (v + 0.044715f * v * v * v);
    return 0.5f * v * (1.0f + tanhf(t));
}
static __device__ __forceinline__ float apply_act(int act, float v) {
    return act == ACT_SILU ? act_silu(v) : act_gelu(v);
}
#endif

/* ---- launches (each checks nothing but geometry; errors surface at the end of the step) ----- */

typedef struct {
    cudaStream_t stream;
    bool pdl; /* launch with programmatic stream serialization */
} launch_ctx;

/* repack.cu: raw GGUF rows in device memory -> planes; planes -> float16 rows. `low` gets what the
 * rounding lost; NULL: nobody asks. */
void cuda_repack(cudaStream_t st, int type, const void *raw, size_t raw_row_bytes, const wmat *w,
                 int row0, int n_rows);
void cuda_to_f16(cudaStream_t st, const wmat *w, __half *dst, __half *low, int dst_stride);
wfmt cuda_format(k_type t);
/* strips.cu: planes -> strips. */
void cuda_put_strips(cudaStream_t st, const wmat *from, const wmat *to, int row0);
size_t cuda_strip_bytes(int fmt, int rows, int chunks, int *tiles);
size_t cuda_plane_bytes(wfmt f, int rows, int chunks, size_t plane[4]);

/* decode.cu: 1..8 rows of activations against a weight matrix. */
enum { DECODE_ROWS_MAX = 8 };
typedef struct {
    int n;          /* rows of activations: 1, 2, 4 or 8 */
    const float *x; /* [n][dim] residual stream: input of QKV, GATE_UP, HEAD */
    int dim;
    norm_dev norm;
    wmat w[3];
    const float *bias[3];
    step_dev step;
    rope_dev rope;
    kv_dev kv;
    float *q_raw; /* [n][q+k+v]: written instead of rope and KV when raw is set */
    bool raw;
    int q_rows, k_rows, raw_stride; /* set by cuda_decode_qkv */
    __half *q;                      /* [n][n_head][hd] */
    int act;                        /* GATE_UP */
    uint8_t *act_q; /* ATTN_OUT, FFN_DOWN: input; GATE_UP: output; act_bytes(chunks) a row */
    size_t act_stride;
    float *out; /* ATTN_OUT, FFN_DOWN: x [n][out_stride], added to; HEAD: logits */
    int out_stride;
    float scale, softcap;
    bool add;          /* ATTN_OUT, FFN_DOWN: add to out; false: overwrite */
    const int *gather; /* HEAD: batch rows to read from x; NULL: rows 0..n-1 */
} decode_args;
cudaError_t cuda_decode_qkv(const launch_ctx *l, const decode_args *a);
cudaError_t cuda_decode_proj(const launch_ctx *l, const decode_args *a);
cudaError_t cuda_decode_gate_up(const launch_ctx *l, const decode_args *a);
cudaError_t cuda_decode_head(const launch_ctx *l, const decode_args *a);

/* attention.cu */
enum { PREFILL_TILES = 4 }; /* neighbouring tiles that one CTA takes */
typedef struct {
    kv_dev kv;
    step_dev step;
    const __half *q; /* [n][n_head][hd] */
    int n_tiles;     /* row tiles of 16 packed (position, head of the group) rows */
    int splits;      /* CTAs that share the pages of one tile and KV head; in prefill of four tiles,
                        1, 2, 4 or 8, and 1 before sm_90 and with att.low */
    float scale, softcap;
    int window;
    float *part;    /* [tile][kv_head][split][16][hd + 2] */
    int *ticket;    /* [tile][kv_head], zero before and after */
    uint8_t *act_q; /* decode output: int8 rows for ATTN_OUT, or NULL */
    size_t act_stride;
    half_rows att; /* prefill output [n][n_head * head_dim]; high NULL: decode */
} attend_args;
cudaError_t cuda_attend(const launch_ctx *l, const attend_args *a);
int cuda_head_dim_padded(int head_dim); /* 0: not supported */

/* elementwise.cu */
cudaError_t cuda_embed(const launch_ctx *l, const wmat *e, const int *token, int n, float scale,
                       float *x, int dim);
cudaError_t cuda_norm_f16(const launch_ctx *l, const float *x, int n, int dim, norm_dev norm,
                          half_rows h, int h_stride);
cudaError_t cuda_norm_add(const launch_ctx *l, float *x, const float *y, int n, int dim,
                          norm_dev norm, const float *bias, float scale);
typedef struct {
    const float *qkv; /* [n][stride]: q rows, then k, then v */
    int stride, n;
    const float *bias[3];
    norm_dev q_norm, k_norm;
    rope_dev rope;
    step_dev step;
    kv_dev kv;
    __half *q; /* [n][n_head][hd] */
} rope_args;
cudaError_t cuda_rope_kv(const launch_ctx *l, const rope_args *a);
/* u [n][ff] = act(gu[.., gate]) * gu[.., up]; gated: gu [n][2 ff], else [n][ff]; float32 where u is
 * split, else float16. */
cudaError_t cuda_act_f16(const launch_ctx *l, const void *gu, const float *b_gate,
                         const float *b_up, int n, int ff, bool gated, int act, half_rows u);
/* Best token and log-sum-exp per row: out[row] = {id, logit, max, sum of exp(logit - max)}. */
typedef struct {
    int id;
    float logit, max, sum;
} top_one;
cudaError_t cuda_top_one(const launch_ctx *l, const float *logits, int n, int vocab, int stride,
                         top_one *scratch, int *ticket, top_one *out);
/* The `count` best ids and logits of one row, unsorted ties broken by the smaller id. */
cudaError_t cuda_top_many(const launch_ctx *l, const float *logits, int vocab, int count,
                          float2 *scratch, float2 *out);

/* gemm.cu: C [n][rows] = alpha * A [n][cols] * W [rows][cols]^T + beta * C, float16 in, tensor
 * cores. */
typedef struct gemm gemm;
gemm *cuda_gemm_open(cudaStream_t st); /* opens cuBLAS at run time where it is found */
void cuda_gemm_close(gemm *g);
const char *cuda_gemm_name(const gemm *g);
void cuda_gemm_use_own(gemm *g, bool own); /* for tests: our kernel even where cuBLAS is */
status cuda_gemm_run(gemm *g, const __half *w, int rows, int cols, const __half *a, int n, void *c,
                     bool c_is_f16, float beta, err *e);

/* strip_gemm.cu: the same for few rows and W in strips. */
enum { STRIP_GEMM_STRIPS = 18 }; /* of a CTA, at most */
typedef struct {
    size_t smem; /* of a CTA */
    int ctas[4]; /* that run at once in clusters of 1, 2, 4 and 8 */
} strip_room;
typedef struct {
    int strips, splits; /* of a CTA; CTAs that share their columns.  strips 0: no way */
} strip_share;
typedef struct {
    const __half *a; /* [n][cols] */
    int n, cols;     /* cols: padded to 32 */
    float *c;        /* [n][rows of all matrices]; c_stride is set inside */
    int c_stride;
    bool add;  /* to c */
    __half *u; /* not NULL: w[0] and w[1] are gate and up, and u [n][rows] = act(gate) * up */
    int act;
} strip_product;
cudaError_t cuda_strip_gemm_prepare(int sms, size_t smem_max, strip_room *room);
strip_share cuda_strip_share(const wmat w[3], bool pair, const strip_room *room);
cudaError_t cuda_strip_gemm(const launch_ctx *l, const wmat w[3], const strip_share *share,
                            const strip_room *room, const strip_product *p);
