/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between the matrix products: embedding, norms, rotary embedding with KV writes,
 * activation, and the best tokens of a row of logits.  All bound by latency or by one pass over
 * their data. */
#include <cfloat>

#include "kernels/cuda/strips.cuh"

template <typename... Params, typename... Args>
static cudaError_t run(const launch_ctx *l, void (*kernel)(Params...), dim3 grid, int threads,
                       size_t smem, Args... args) {
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = dim3((unsigned)threads);
    config.dynamicSmemBytes = smem;
    config.stream = l->stream;
    cudaLaunchAttribute attr[1];
    attr[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attr[0].val.programmaticStreamSerializationAllowed = 1;
    config.attrs = attr;
    config.numAttrs = l->pdl ? 1 : 0;
    return cudaLaunchKernelEx(&config, kernel, Params(args)...);
}

static __global__ void embed_kernel(wmat e, const int *token, float scale, float *x, int dim) {
    pdl_trigger();
    pdl_wait();
    int row = blockIdx.y, c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= e.chunks) return;
    float v[32];
    weight_values(v, e, token[row], c);
    for (int i = 0; i < 32 && 32 * c + i < dim; i++)
        x[(size_t)row * dim + 32 * c + i] = v[i] * scale;
}

cudaError_t cuda_embed(const launch_ctx *l, const wmat *e, const int *token, int n, float scale,
                       float *x, int dim) {
    dim3 grid((unsigned)((e->chunks + 31) / 32), (unsigned)n);
    return run(l, embed_kernel, grid, 32, 0, *e, token, scale, x, dim);
}

/* Mean and inverse deviation of a row, by a whole block. */
static __device__ float2 row_statistics(const float *x, int dim, const norm_dev &norm, float *red) {
    if (norm.kind < 0) return make_float2(0, 1);
    float sum = 0;
    for (int i = threadIdx.x; i < dim; i += blockDim.x)
        sum += norm.kind == NORM_RMS ? x[i] * x[i] : x[i];
    sum = block_sum(sum, red) / (float)dim;
    if (norm.kind == NORM_RMS) return make_float2(0, rsqrtf(sum + norm.eps));
    float spread = 0;
    for (int i = threadIdx.x; i < dim; i += blockDim.x)
        spread += (x[i] - sum) * (x[i] - sum);
    return make_float2(sum, rsqrtf(block_sum(spread, red) / (float)dim + norm.eps));
}

static __device__ __forceinline__ float normed(float v, int i, float2 stat, const norm_dev &norm) {
    v = (v - stat.x) * stat.y;
    if (norm.kind >= 0) v = v * norm.w[i] + (norm.b ? norm.b[i] : 0);
    return v;
}

template <bool SPLIT>
static __global__ void norm_f16_kernel(const float *x, int dim, norm_dev norm, half_rows h,
                                       int h_stride) {
    __shared__ float red[33];
    pdl_trigger();
    pdl_wait();
    const float *row = x + (size_t)blockIdx.x * dim;
    float2 stat = row_statistics(row, dim, norm, red);
    for (int i = threadIdx.x; i < h_stride; i += blockDim.x) {
        size_t at = (size_t)blockIdx.x * h_stride + i;
        float v = i < dim ? normed(row[i], i, stat, norm) : 0;
        __half high = to_half(v);
        h.high[at] = high;
        if constexpr (SPLIT) h.low[at] = lost_half(v, high);
    }
}

cudaError_t cuda_norm_f16(const launch_ctx *l, const float *x, int n, int dim, norm_dev norm,
                          half_rows h, int h_stride) {
    auto kernel = h.low ? norm_f16_kernel<true> : norm_f16_kernel<false>;
    return run(l, kernel, dim3((unsigned)n), 256, 0, x, dim, norm, h, h_stride);
}

/* x += scale * norm(y + bias) */
static __global__ void norm_add_kernel(float *x, float *y, int dim, norm_dev norm,
                                       const float *bias, float scale) {
    __shared__ float red[33];
    pdl_trigger();
    pdl_wait();
    float *from = y + (size_t)blockIdx.x * dim, *to = x + (size_t)blockIdx.x * dim;
    if (bias) {
        for (int i = threadIdx.x; i < dim; i += blockDim.x)
            from[i] += bias[i];
        __syncthreads();
    }
    float2 stat = row_statistics(from, dim, norm, red);
    for (int i = threadIdx.x; i < dim; i += blockDim.x)
        to[i] += scale * normed(from[i], i, stat, norm);
}

cudaError_t cuda_norm_add(const launch_ctx *l, float *x, const float *y, int n, int dim,
                          norm_dev norm, const float *bias, float scale) {
    return run(l, norm_add_kernel, dim3((unsigned)n), 256, 0, x, (float *)y, dim, norm, bias,
               scale);
}

/* ---- rotary embedding and KV ---------------------------------------------------------------- */

/* Dimension d of position t of a coded cell, whose code stands at `at`. */
static __device__ __forceinline__ void put_code(__half *cell, int hd, int d, int t, int at,
                                                float v) {
    float most = warp_max(fabsf(v)); /* a warp has 32 neighbouring dimensions */
    __half scale = to_half(most / 127.0f);
    float by = __half2float(scale);
    float code = by > 0 ? fminf(fmaxf(rintf(v / by), -127.0f), 127.0f) : 0.0f;
    ((int8_t *)cell)[at] = (int8_t)code;
    __half *scales = cell + K_PAGE_TOKENS / 2 * hd;
    if (d % CHUNK == 0) scales[d / CHUNK * K_PAGE_TOKENS + t] = scale;
}

/* A block takes one head of one row: bias, per-head norm, rotation, store.  Heads are numbered q,
 * k, v.  blockDim is the padded head size. */
static __global__ void rope_kv_kernel(rope_args a) {
    extern __shared__ float y[];
    __shared__ float red[33];
    pdl_trigger();
    pdl_wait();
    const kv_dev &kv = a.kv;
    int row = blockIdx.y, head = blockIdx.x, d = threadIdx.x, hd = kv.head_dim;
    int which = head < kv.n_head ? 0 : head < kv.n_head + kv.n_head_kv ? 1 : 2;
    int at = head * hd + d; /* in the row of q, k, v */
    int in_part = which == 0 ? head : head - kv.n_head - (which == 2 ? kv.n_head_kv : 0);
    float v = 0;
    if (d < hd) {
        v = a.qkv[(size_t)row * a.stride + at];
        if (a.bias[which]) v += a.bias[which][in_part * hd + d];
    }
    const norm_dev &norm = which == 0 ? a.q_norm : a.k_norm;
    if (which < 2 && norm.kind >= 0) { /* uniform over the block */
        float mean = 0, kind_sum = block_sum(norm.kind == NORM_RMS ? v * v : v, red) / (float)hd;
        float spread = kind_sum;
        if (norm.kind == NORM_LAYER) {
            mean = kind_sum;
            spread = block_sum(d < hd ? (v - mean) * (v - mean) : 0, red) / (float)hd;
        }
        if (d < hd)
            v = (v - mean) * rsqrtf(spread + norm.eps) * norm.w[d] + (norm.b ? norm.b[d] : 0);
    }
    y[d] = v;
    __syncthreads();
    int pos = a.step.pos[row];
    if (which < 2 && a.rope.kind != ROPE_NONE && d < a.rope.n_rot) {
        bool neox = a.rope.kind == ROPE_NEOX;
        int half = a.rope.n_rot / 2;
        int turn = neox ? d % half : d / 2;
        int mate = neox ? (d < half ? d + half : d - half) : d ^ 1;
        bool low = neox ? d < half : !(d & 1);
        float sine, cosine;
        sincosf((float)pos * a.rope.inv_freq[turn], &sine, &cosine);
        sine *= a.rope.mscale;
        cosine *= a.rope.mscale;
        v = low ? v * cosine - y[mate] * sine : y[mate] * sine + v * cosine;
    }
    if (d >= hd) return;
    if (which == 0) {
        a.q[((size_t)row * kv.n_head + in_part) * kv.hd + d] = to_half(v);
        return;
    }
    int page = a.step.pages[a.step.seq[row] * a.step.pages_stride + pos / K_PAGE_TOKENS];
    __half *cell = which == 1 ? kv.k : kv.v;
    cell += ((size_t)page * kv.n_head_kv + in_part) * kv_cell_halves(kv.hd, kv.coded);
    int t = pos % K_PAGE_TOKENS, place = which == 1 ? t * kv.hd + d : d * K_PAGE_TOKENS + t;
    if (kv.coded)
        put_code(cell, kv.hd, d, t, place, v);
    else
        cell[place] = to_half(v);
}

cudaError_t cuda_rope_kv(const launch_ctx *l, const rope_args *a) {
    dim3 grid((unsigned)(a->kv.n_head + 2 * a->kv.n_head_kv), (unsigned)a->n);
    return run(l, rope_kv_kernel, grid, a->kv.hd, (size_t)a->kv.hd * sizeof(float), *a);
}

/* ---- activation ----------------------------------------------------------------------------- */

template <typename T> struct __align__(16) eight {
    T v[8];
};

/* 8 neighbouring columns a thread: 16-byte loads and stores.  T is float where u is split. */
template <typename T>
static __global__ void act_f16_kernel(const T *gu, const float *b_gate, const float *b_up, int ff,
                                      bool gated, int act, half_rows u) {
    pdl_trigger();
    pdl_wait();
    int i = (blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (i >= ff) return;
    size_t row = blockIdx.y;
    const T *in = gu + row * (gated ? 2 : 1) * ff;
    eight<T> gate = *(const eight<T> *)(in + i);
    eight<T> up = gated ? *(const eight<T> *)(in + ff + i) : gate;
    eight<__half> out, low;
#pragma unroll
    for (int k = 0; k < 8; k++) {
        const float *b = gated ? b_gate : b_up;
        float v = apply_act(act, (float)gate.v[k] + (b ? b[i + k] : 0));
        if (gated) v *= (float)up.v[k] + (b_up ? b_up[i + k] : 0);
        out.v[k] = to_half(v);
        low.v[k] = lost_half(v, out.v[k]);
    }
    *(eight<__half> *)(u.high + row * ff + i) = out;
    if constexpr (sizeof(T) == sizeof(float)) *(eight<__half> *)(u.low + row * ff + i) = low;
}

cudaError_t cuda_act_f16(const launch_ctx *l, const void *gu, const float *b_gate,
                         const float *b_up, int n, int ff, bool gated, int act, half_rows u) {
    dim3 grid((unsigned)((ff / 8 + 127) / 128), (unsigned)n);
    if (u.low)
        return run(l, act_f16_kernel<float>, grid, 128, 0, (const float *)gu, b_gate, b_up, ff,
                   gated, act, u);
    return run(l, act_f16_kernel<__half>, grid, 128, 0, (const __half *)gu, b_gate, b_up, ff, gated,
               act, u);
}

/* ---- best tokens ---------------------------------------------------------------------------- */

static __device__ __forceinline__ void better(top_one &a, const top_one &b) {
    float m = fmaxf(a.max, b.max);
    if (m > -INFINITY) a.sum = a.sum * __expf(a.max - m) + b.sum * __expf(b.max - m);
    a.max = m;
    bool wins = b.id >= 0 && (a.id < 0 || b.logit > a.logit || (b.logit == a.logit && b.id < a.id));
    if (wins) {
        a.id = b.id;
        a.logit = b.logit;
    }
}

static __device__ top_one block_top(top_one t) {
    __shared__ top_one warps[32];
    for (int o = 16; o > 0; o >>= 1) {
        top_one b;
        b.id = __shfl_xor_sync(0xffffffffu, t.id, o);
        b.logit = __shfl_xor_sync(0xffffffffu, t.logit, o);
        b.max = __shfl_xor_sync(0xffffffffu, t.max, o);
        b.sum = __shfl_xor_sync(0xffffffffu, t.sum, o);
        better(t, b);
    }
    if ((threadIdx.x & 31) == 0) warps[threadIdx.x >> 5] = t;
    __syncthreads();
    t = warps[0];
    for (int w = 1; w < (int)(blockDim.x >> 5); w++)
        better(t, warps[w]);
    __syncthreads();
    return t;
}

enum { TOP_BLOCKS = 64 };

/* Two passes over a slice that stays in L1: best value first, then the sum, so that no exponential
 * stands in the chain of comparisons.  NaN never wins; a row of NaN ends as id 0 with a NaN logit.
 *  */
static __global__ void top_one_kernel(const float *logits, int vocab, int stride, top_one *scratch,
                                      int *ticket, top_one *out) {
    __shared__ int last;
    __shared__ float red[33];
    pdl_trigger();
    pdl_wait();
    const float *row = logits + (size_t)blockIdx.y * stride;
    int step = gridDim.x * blockDim.x, first = blockIdx.x * blockDim.x + threadIdx.x;
    top_one t = {-1, -INFINITY, -INFINITY, 0};
    for (int i = first; i < vocab; i += step) {
        float v = row[i];
        if (v > t.logit) t.id = i, t.logit = v; /* i grows: ties keep the smaller id */
    }
    t.max = t.logit;
    t = block_top(t);
    float sum = 0;
    for (int i = first; i < vocab; i += step)
        sum += __expf(row[i] - t.max);
    t.sum = block_sum(sum, red);
    top_one *cells = scratch + (size_t)blockIdx.y * TOP_BLOCKS;
    if (threadIdx.x == 0) {
        cells[blockIdx.x] = t;
        __threadfence();
        last = atomicAdd(&ticket[blockIdx.y], 1) == TOP_BLOCKS - 1;
    }
    __syncthreads();
    if (!last) return;
    __threadfence();
    top_one none = {-1, -INFINITY, -INFINITY, 0};
    t = block_top(threadIdx.x < TOP_BLOCKS ? cells[threadIdx.x] : none);
    if (threadIdx.x == 0) {
        ticket[blockIdx.y] = 0;
        if (t.id < 0) t.id = 0;
        /* The id last: the host may be waiting for it (forward.cu, await_best). */
        volatile top_one *to = out + blockIdx.y;
        to->logit = t.logit;
        to->max = t.max;
        to->sum = t.sum;
        __threadfence_system();
        to->id = t.id;
    }
}

cudaError_t cuda_top_one(const launch_ctx *l, const float *logits, int n, int vocab, int stride,
                         top_one *scratch, int *ticket, top_one *out) {
    return run(l, top_one_kernel, dim3(TOP_BLOCKS, (unsigned)n), 256, 0, logits, vocab, stride,
               scratch, ticket, out);
}

/* `count` rounds of "best below the last best": for log-probability requests, not for every token.
 * (id as int bits, logit) pairs, best first. */
static __global__ void top_slice_kernel(const float *values, const float2 *pairs, int n, int count,
                                        float2 *out) {
    int per = (n + (int)gridDim.x - 1) / (int)gridDim.x;
    int from = blockIdx.x * per, to = min(n, from + per);
    float last_logit = INFINITY;
    int last_id = -1;
    for (int k = 0; k < count; k++) {
        top_one t = {-1, -INFINITY, -INFINITY, 0};
        for (int i = from + threadIdx.x; i < to; i += blockDim.x) {
            int id = pairs ? __float_as_int(pairs[i].x) : i;
            float v = pairs ? pairs[i].y : values[i];
            if (id < 0 || v > last_logit || (v == last_logit && id <= last_id)) continue;
            top_one b = {id, v, v, 1};
            better(t, b);
        }
        t = block_top(t);
        last_logit = t.logit;
        last_id = t.id;
        if (threadIdx.x == 0)
            out[(size_t)blockIdx.x * count + k] = make_float2(__int_as_float(t.id), t.logit);
        if (t.id < 0) last_logit = -INFINITY, last_id = 0x7fffffff; /* the slice is used up */
    }
}

cudaError_t cuda_top_many(const launch_ctx *l, const float *logits, int vocab, int count,
                          float2 *scratch, float2 *out) {
    launch_ctx plain = {l->stream, false};
    cudaError_t code = run(&plain, top_slice_kernel, dim3(TOP_BLOCKS), 256, 0, logits,
                           (const float2 *)NULL, vocab, count, scratch);
    if (code != cudaSuccess) return code;
    return run(&plain, top_slice_kernel, dim3(1), 256, 0, (const float *)NULL,
               (const float2 *)scratch, TOP_BLOCKS * count, count, out);
}
