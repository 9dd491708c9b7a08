/* SPDX-License-Identifier: Apache-2.0 */
/* C = A W^T for a few dozen rows of A, W in strips (strips.cuh): short prompts read the quantised
 * weights, a third (Q4_K) to a half (Q8_0) of what their float16 mirrors have.
 *
 * A CTA takes up to 18 strips, two a warp and a range of their tiles; a warp more fetches tiles and
 * the rows' columns under them by bulk copies, some stages ahead.  The 16-byte pieces of a strip
 * are registers of an int8 product; as float16 each is two registers of mma.m16n8k16 once the order
 * of columns inside 16 is changed: lane t of a quad takes 4t .. 4t + 3, which is one 8-byte load of
 * a row of A.  Where strips are too few for all SMs, the tiles are shared out in a cluster whose
 * CTAs add up their parts through distributed shared memory, in the order of the tiles.
 *
 * How strips and tiles are shared out depends on shapes alone, so that a row has the same bits in
 * any number of rows.  Values are the float16 mirror's, but for K-quants with a minimum, where
 * minimum and value are rounded (all else is exact).  From sm_90 on, as the token kernel. */
#include "kernels/cuda/model.cuh"
#include "kernels/cuda/token_stream.cuh"

enum {
    WARPS = STRIP_GEMM_STRIPS / 2,
    THREADS = (WARPS + 1) * 32, /* and the one that fetches */
    STAGES_MAX = 8,
    PAD = 32, /* bytes behind a row of A in shared memory: 4 rows in different banks */
    CLUSTER_MAX = 8,
    COUNT = 3, /* kernels, by blocks of 8 rows */
};
static const int blocks_of[COUNT] = {1, 2, 4};

typedef struct {
    wmat w;
    int strips, ctas; /* ctas: clusters that its strips take */
    int column;       /* of C, where its rows go */
} strip_part;

typedef struct {
    strip_part part[3];
    strip_share share;
    int stages, stage_bytes;
    strip_product p;
} gemm_args;

/* What a CTA works on. */
typedef struct {
    const strip_part *part;
    int strip, count;      /* first strip, strips */
    int from, to;          /* tiles */
    int tile_bytes, width; /* of a tile, in columns */
    uint8_t *ring;
    uint64_t *full, *empty;
} gemm_job;

/* ---- weights as float16 ---------------------------------------------------------------------- */

/* value = s2 * (s1 * (1024 + q) + o1) + o2 for rows g and g + 8; Q6_K s2 and its lost part for each
 * half of 16 columns. */
typedef struct {
    __half2 s1[2], o1[2], s2[2][2], o2[2], lost[2][2];
} half_scales;

/* 1024 + byte, of the lower or upper two bytes. */
static __device__ __forceinline__ __half2 with_1024(uint32_t v, bool upper) {
    uint32_t r = __byte_perm(v, 0x64646464, upper ? 0x4342 : 0x4140);
    return *(__half2 *)&r;
}

static __device__ __forceinline__ __half2 both_halves(uint32_t bits) {
    return __half2half2(__ushort_as_half((unsigned short)bits));
}

/* What the smallest q stands for, times -1, with the sign bit of Q8_0 turned. */
template <int FMT> static __device__ __forceinline__ constexpr float zero_point() {
    return FMT == FMT_Q8_0   ? 128
           : FMT == FMT_Q4_0 ? 8
           : FMT == FMT_Q5_0 ? 16
           : FMT == FMT_Q6_K ? 32
                             : 0;
}

/* Of chunk j in its group; factors: what the tile's chunks share. */
template <int FMT>
static __device__ __forceinline__ void half_scales_of(half_scales &s, const uint8_t *cell, int j,
                                                      const __half2 factors[2],
                                                      const float4 &floats) {
    typedef tile_of<FMT> T;
    const bool by_16 = T::by_16 && (j & 1);
    if constexpr (T::halves) {
        two_scales f;
        chunk_scales<FMT>(f, cell, j, floats);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            __half high = __float2half_rn(f.a[i]);
            s.s2[i & 1][i >> 1] = __half2half2(high);
            s.lost[i & 1][i >> 1] = __half2half2(lost_half(f.a[i], high));
        }
    }
    if constexpr (T::k_quant && !T::halves) {
        uint32_t v = *(const uint32_t *)cell;
        __half2 scale = __hsub2(with_1024(v, false), __float2half2_rn(1024));
        __half2 least = __hmul2(__hsub2(with_1024(v, true), __float2half2_rn(1024)), factors[1]);
        __half2 off = __hmul2(scale, __float2half2_rn(by_16 ? -64 : -1024));
        if (by_16) scale = __hmul2(scale, __float2half2_rn(0.0625f));
        s.s1[0] = __low2half2(scale), s.s1[1] = __high2half2(scale);
        s.o1[0] = __low2half2(off), s.o1[1] = __high2half2(off);
        s.o2[0] = __low2half2(least), s.o2[1] = __high2half2(least);
        s.s2[0][0] = s.s2[0][1] = __low2half2(factors[0]);
        s.s2[1][0] = s.s2[1][1] = __high2half2(factors[0]);
        return;
    }
    constexpr float zero = zero_point<FMT>();
#pragma unroll
    for (int r = 0; r < 2; r++) {
        s.s1[r] = __float2half2_rn(by_16 ? 0.0625f : 1.0f);
        s.o1[r] = __float2half2_rn(-zero - (by_16 ? 64 : 1024));
        if constexpr (!T::k_quant) {
            uint32_t v = ((const uint16_t *)cell)[r];
            s.s2[r][0] = s.s2[r][1] = both_halves(v);
            if (T::minimum) s.o2[r] = both_halves(((const uint16_t *)cell)[2 + r]);
        }
    }
}

template <int FMT>
static __device__ __forceinline__ uint32_t value_of(const half_scales &s, uint32_t bytes,
                                                    bool upper, int row, int half) {
    typedef tile_of<FMT> T;
    __half2 v = __hfma2(with_1024(bytes, upper), s.s1[row], s.o1[row]);
    if (T::halves)
        v = __hfma2(v, s.s2[row][half], __hmul2(v, s.lost[row][half]));
    else if (T::k_quant || T::minimum)
        v = __hfma2(v, s.s2[row][half], s.o2[row]);
    else
        v = __hmul2(v, s.s2[row][half]);
    return *(uint32_t *)&v;
}

/* A registers of 16 columns. */
template <int FMT>
static __device__ __forceinline__ void half_values(uint32_t a[4], const half_scales &s,
                                                   const uint32_t q[4], int half) {
#pragma unroll
    for (int r = 0; r < 2; r++) {
        uint32_t bytes = q[2 * half + r];
        if (FMT == FMT_Q8_0) bytes ^= 0x80808080;
        a[r] = value_of<FMT>(s, bytes, false, r, half);
        a[2 + r] = value_of<FMT>(s, bytes, true, r, half);
    }
}

/* ---- products -------------------------------------------------------------------------------- */

/* One tile of two strips times the rows' columns; left: its chunks that there are. */
template <int FMT, int NB>
static __device__ __forceinline__ void tile_products(float acc[2][NB][4],
                                                     const uint8_t *const tile[2],
                                                     const uint8_t *rows, int left, int lane) {
    typedef tile_of<FMT> T;
    constexpr int stride = T::chunks * CHUNK * 2 + PAD;
    const int g = lane >> 2, t = lane & 3;
    const uint8_t *b_at = rows + g * stride + t * 8;
    __half2 factors[2][2];
    float4 floats[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
        if constexpr (T::halves) floats[i] = tile_factors<FMT>(tile[i], lane);
        if constexpr (T::k_quant && !T::halves) {
            uint2 d = *(const uint2 *)(tile[i] + T::d_at + g * T::d_cell);
            uint32_t scale = __byte_perm(d.x, d.y, 0x5410), least = __byte_perm(d.x, d.y, 0x7632);
            factors[i][0] = *(__half2 *)&scale;
            factors[i][1] = __hneg2(*(__half2 *)&least);
        }
    }
#pragma unroll 1
    for (int pair = 0; pair < T::chunks / 2; pair++) {
        uint32_t q[2][2][4];
#pragma unroll
        for (int i = 0; i < 2; i++)
            two_chunks<FMT>(q[i], tile[i], pair, lane);
#pragma unroll
        for (int c = 0; c < 2; c++) {
            if (2 * pair + c >= left) return;
            half_scales s[2];
#pragma unroll
            for (int i = 0; i < 2; i++) {
                const uint8_t *cell = tile[i] + T::s_at + (pair >> 1) * T::s_group +
                                      (g * 4 + 2 * (pair & 1) + c) * T::s_cell;
                half_scales_of<FMT>(s[i], cell, c, factors[i], floats[i]);
            }
#pragma unroll
            for (int half = 0; half < 2; half++) {
                uint32_t a[2][4];
#pragma unroll
                for (int i = 0; i < 2; i++)
                    half_values<FMT>(a[i], s[i], q[i][c], half);
                const uint8_t *at = b_at + ((2 * pair + c) * CHUNK + half * HALF) * 2;
#pragma unroll
                for (int nb = 0; nb < NB; nb++) {
                    uint2 b = *(const uint2 *)(at + nb * 8 * stride);
                    mma_f16(acc[0][nb], a[0], b.x, b.y);
                    mma_f16(acc[1][nb], a[1], b.x, b.y);
                }
            }
        }
    }
}

static __device__ __forceinline__ void arrive(uint64_t *barrier) {
#if __CUDA_ARCH__ >= 900
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(smem_at(barrier)) : "memory");
#endif
}

template <int FMT, int NB>
static __device__ __forceinline__ void multiply(float acc[2][NB][4], const gemm_args &a,
                                                const gemm_job &job, int warp, int lane) {
    typedef tile_of<FMT> T;
    const int first = 2 * warp, second = min(first + 1, job.count - 1);
    int slot = 0;
    uint32_t parity = 0;
#pragma unroll 1
    for (int k = job.from; k < job.to; k++) {
        const uint8_t *stage = job.ring + (size_t)slot * a.stage_bytes;
        const uint8_t *const tile[2] = {stage + first * T::bytes, stage + second * T::bytes};
        wait_full(job.full + slot, parity);
        tile_products<FMT, NB>(acc, tile, stage + a.share.strips * T::bytes,
                               job.part->w.chunks - k * T::chunks, lane);
        __syncwarp();
        if (lane == 0) arrive(job.empty + slot);
        if (++slot == a.stages) slot = 0, parity ^= 1;
    }
}

/* ---- fetching -------------------------------------------------------------------------------- */

static __device__ __forceinline__ void copy_bulk(uint8_t *to, const void *from, uint32_t bytes,
                                                 uint64_t *full) {
#if __CUDA_ARCH__ >= 900
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
                 "[%0], [%1], %2, [%3];" ::"r"(smem_at(to)),
                 "l"(from), "r"(bytes), "r"(smem_at(full))
                 : "memory");
#endif
}

static __device__ __forceinline__ int columns_of(const gemm_args &a, const gemm_job &job, int k) {
    return min(job.width, a.p.cols - k * job.width);
}

/* Lane by lane, after all of the stage's bytes are announced. */
static __device__ void fetch_tiles(const gemm_args &a, const gemm_job &job, int k, int slot,
                                   int lane) {
    const wmat &w = job.part->w;
    uint8_t *to = job.ring + (size_t)slot * a.stage_bytes;
    uint32_t bytes = (uint32_t)(job.count * job.tile_bytes + a.p.n * columns_of(a, job, k) * 2);
#if __CUDA_ARCH__ >= 900
    if (lane == 0)
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                         smem_at(job.full + slot)),
                     "r"(bytes)
                     : "memory");
#endif
    __syncwarp();
    for (int i = lane; i < job.count; i += 32)
        copy_bulk(to + i * job.tile_bytes,
                  w.q + ((size_t)(job.strip + i) * w.tiles + k) * job.tile_bytes,
                  (uint32_t)job.tile_bytes, job.full + slot);
}

static __device__ void fetch_rows(const gemm_args &a, const gemm_job &job, int k, int slot,
                                  int lane) {
    uint8_t *to = job.ring + (size_t)slot * a.stage_bytes + a.share.strips * job.tile_bytes;
    const int bytes = columns_of(a, job, k) * 2, stride = job.width * 2 + PAD;
    for (int i = lane; i < a.p.n; i += 32)
        copy_bulk(to + i * stride, a.p.a + (size_t)i * a.p.cols + (size_t)k * job.width,
                  (uint32_t)bytes, job.full + slot);
}

/* Weights are there before the rows: they are asked for while the kernel before still runs. */
static __device__ void fetch_all(const gemm_args &a, const gemm_job &job, int lane) {
    const int ahead = min(a.stages, job.to - job.from);
    for (int i = 0; i < ahead; i++)
        fetch_tiles(a, job, job.from + i, i, lane);
    pdl_wait();
    for (int i = 0; i < ahead; i++)
        fetch_rows(a, job, job.from + i, i, lane);
    int slot = 0;
    uint32_t parity = 0;
    for (int k = job.from + ahead; k < job.to; k++) {
        wait_full(job.empty + slot, parity);
        fetch_tiles(a, job, k, slot, lane);
        fetch_rows(a, job, k, slot, lane);
        if (++slot == a.stages) slot = 0, parity ^= 1;
    }
}

/* ---- results --------------------------------------------------------------------------------- */

/* A fragment: rows 2t and 2t + 1 of the block, for rows g and g + 8 of the strip. */
static __device__ __forceinline__ void put_fragment(const gemm_args &a, const strip_part &part,
                                                    int strip, int block, const float c[4],
                                                    int lane) {
    const int g = lane >> 2, n = block * 8 + 2 * (lane & 3);
    if (a.p.u) { /* a gate and its up row */
        int column = strip * 8 + g;
        if (column >= part.w.rows) return;
#pragma unroll
        for (int i = 0; i < 2; i++)
            if (n + i < a.p.n)
                a.p.u[(size_t)(n + i) * part.w.rows + column] =
                    to_half(apply_act(a.p.act, c[i]) * c[2 + i]);
        return;
    }
    float *to[2], old[4] = {};
    bool there[4];
#pragma unroll
    for (int i = 0; i < 4; i++) { /* all loads before the first store */
        int row = row_of_strip(part.w.map, {strip, g + 8 * (i >> 1)});
        to[i >> 1] = a.p.c + (size_t)n * a.p.c_stride + part.column + row;
        there[i] = row < part.w.rows && n + (i & 1) < a.p.n;
        if (there[i] && a.p.add) old[i] = to[i >> 1][(i & 1) * a.p.c_stride];
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
        if (there[i]) to[i >> 1][(i & 1) * a.p.c_stride] = old[i] + c[i];
}

static __device__ __forceinline__ float4 load_of_peer(const float4 *at, int peer) {
    float4 v = make_float4(0, 0, 0, 0);
#if __CUDA_ARCH__ >= 900
    asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                 : "r"(at_peer(at, peer)));
#endif
    return v;
}

/* Sums of all CTAs of the cluster; each takes its share of the fragments. */
template <int NB>
static __device__ __forceinline__ void reduce(const gemm_args &a, const gemm_job &job,
                                              float acc[2][NB][4], int rank, int warp, int lane) {
    float4 *parts = (float4 *)job.ring; /* [strips][NB][32] */
    const int blocks = (a.p.n + 7) / 8;
    __syncthreads(); /* the ring has been read */
#pragma unroll
    for (int i = 0; i < 2; i++) {
        if (2 * warp + i >= job.count) continue;
#pragma unroll
        for (int nb = 0; nb < NB; nb++)
            parts[((2 * warp + i) * NB + nb) * 32 + lane] =
                make_float4(acc[i][nb][0], acc[i][nb][1], acc[i][nb][2], acc[i][nb][3]);
    }
    cluster_sync();
    for (int f = rank + a.share.splits * warp; f < job.count * blocks;
         f += a.share.splits * (WARPS + 1)) {
        int strip = f / blocks, block = f % blocks;
        float4 v[CLUSTER_MAX];
#pragma unroll
        for (int q = 0; q < CLUSTER_MAX; q++)
            if (q < a.share.splits)
                v[q] = load_of_peer(parts + (strip * NB + block) * 32 + lane, q);
        float c[4] = {v[0].x, v[0].y, v[0].z, v[0].w};
#pragma unroll
        for (int q = 1; q < CLUSTER_MAX; q++) {
            if (q >= a.share.splits) continue;
            c[0] += v[q].x, c[1] += v[q].y, c[2] += v[q].z, c[3] += v[q].w;
        }
        put_fragment(a, *job.part, job.strip + strip, block, c, lane);
    }
    cluster_sync(); /* nobody reads here any more */
}

/* ---- the kernel ------------------------------------------------------------------------------ */

static __device__ __forceinline__ gemm_job job_of(const gemm_args &a) {
    gemm_job job;
    int cluster = (int)blockIdx.x / a.share.splits, rank = (int)blockIdx.x % a.share.splits;
    job.part = a.part;
    while (cluster >= job.part->ctas)
        cluster -= job.part++->ctas;
    const wmat &w = job.part->w;
    tile_size size = strip_tile_size(w.fmt);
    job.strip = cluster * a.share.strips;
    job.count = min(a.share.strips, job.part->strips - job.strip);
    job.from = rank * w.tiles / a.share.splits;
    job.to = (rank + 1) * w.tiles / a.share.splits;
    job.tile_bytes = size.bytes;
    job.width = size.chunks * CHUNK;
    return job;
}

static __device__ __forceinline__ void open_barriers(const gemm_args &a, const gemm_job &job) {
#if __CUDA_ARCH__ >= 900
    if (threadIdx.x == 0) {
        for (int i = 0; i < a.stages; i++) {
            asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(smem_at(job.full + i)));
            asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(smem_at(job.empty + i)),
                         "r"((job.count + 1) / 2));
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        asm volatile("fence.proxy.async;" ::: "memory");
    }
#endif
    __syncthreads();
}

template <int NB>
static __global__ void __launch_bounds__(THREADS, 1)
    strip_gemm_kernel(const __grid_constant__ gemm_args a) {
    extern __shared__ __align__(128) uint8_t ring[];
    __shared__ uint64_t full[STAGES_MAX], empty[STAGES_MAX];
    const int warp = (int)threadIdx.x >> 5, lane = threadIdx.x & 31;
    gemm_job job = job_of(a);
    job.ring = ring;
    job.full = full;
    job.empty = empty;
    pdl_trigger();
    open_barriers(a, job);
    float acc[2][NB][4] = {};
    if (warp == WARPS) {
        fetch_all(a, job, lane);
    } else if (2 * warp < job.count) {
        switch (job.part->w.fmt) {
#define X(F)                                                                                       \
 case F: multiply<F, NB>(acc, a, job, warp, lane); break;
            STRIP_FORMATS(X)
#undef X
        default: break;
        }
    }
    pdl_wait(); /* what is written or added to now may have been read by the kernel before */
    if (a.share.splits > 1) {
        reduce<NB>(a, job, acc, (int)blockIdx.x % a.share.splits, warp, lane);
        return;
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
        if (2 * warp + i >= job.count) continue;
#pragma unroll
        for (int nb = 0; nb < NB; nb++)
            put_fragment(a, *job.part, job.strip + 2 * warp + i, nb, acc[i][nb], lane);
    }
}

typedef void (*strip_kernel)(const gemm_args);
static const strip_kernel kernels[COUNT] = {strip_gemm_kernel<1>, strip_gemm_kernel<2>,
                                            strip_gemm_kernel<4>};

/* ---- host ------------------------------------------------------------------------------------ */

static int stage_bytes_of(const wmat *w, int strips, int rows) {
    tile_size size = strip_tile_size(w->fmt);
    return strips * size.bytes + rows * (size.chunks * CHUNK * 2 + PAD);
}

/* The widest stage of an op's matrices. */
static int widest_stage(const wmat w[3], int strips, int rows) {
    int most = 0;
    for (int i = 0; i < 3; i++)
        if (w[i].rows) most = MAX(most, stage_bytes_of(&w[i], strips, rows));
    return most;
}

static cudaLaunchConfig_t config_of(cudaLaunchAttribute attr[2], int ctas, int splits,
                                    size_t smem) {
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3((unsigned)ctas);
    config.blockDim = dim3(THREADS);
    config.dynamicSmemBytes = smem;
    config.attrs = attr;
    if (splits > 1) {
        attr[0].id = cudaLaunchAttributeClusterDimension;
        attr[0].val.clusterDim = {(unsigned)splits, 1, 1};
        config.numAttrs = 1;
    }
    return config;
}

static size_t dynamic_smem(size_t smem_max) {
    return smem_max - 2 * STAGES_MAX * sizeof(uint64_t);
}

cudaError_t cuda_strip_gemm_prepare(int sms, size_t smem_max, strip_room *room) {
    room->smem = dynamic_smem(smem_max);
    for (int i = 0; i < COUNT; i++) {
        cudaError_t code = cudaFuncSetAttribute(
            kernels[i], cudaFuncAttributeMaxDynamicSharedMemorySize, (int)room->smem);
        if (code != cudaSuccess) return code;
    }
    room->ctas[0] = sms;
    for (int log = 1; 1 << log <= CLUSTER_MAX; log++) {
        cudaLaunchAttribute attr[2];
        cudaLaunchConfig_t config = config_of(attr, sms >> log << log, 1 << log, room->smem);
        int clusters = 0;
        cudaError_t code = cudaOccupancyMaxActiveClusters(&clusters, kernels[COUNT - 1], &config);
        if (code != cudaSuccess) return code;
        room->ctas[log] = clusters << log;
    }
    return cudaSuccess;
}

/* Nanoseconds of a CTA for one tile of `strips` strips: tensor cores do 5 TFLOP/s an SM, memory 23
 * bytes/ns, L2 45.  Reckoned with 72 rows although 1 to 32 come here: memory alone, which bounds
 * those, would give a CTA two strips and a single warp that multiplies, on a quarter of the SMs,
 * and what a warp costs that makes weights float16 is not in here. */
static double tile_time(const wmat *w, int strips) {
    const int rows = 72;
    tile_size size = strip_tile_size(w->fmt);
    double columns = size.chunks * CHUNK, weights = (double)strips * size.bytes;
    double compute = strips * STRIP * columns * rows * 2 / 5000;
    return MAX(MAX(compute, weights / 23), (weights + rows * columns * 2) / 45);
}

strip_share cuda_strip_share(const wmat w[3], bool pair, const strip_room *room) {
    const int rows_most = 8 * blocks_of[COUNT - 1];
    strip_share best = {0, 0};
    double least = 1e30;
    for (int log = 0; 1 << log <= CLUSTER_MAX; log++) {
        for (int strips = 2; strips <= STRIP_GEMM_STRIPS; strips += 2) {
            if ((size_t)widest_stage(w, strips, rows_most) * 2 > room->smem) break;
            int clusters = 0;
            double slowest = 0;
            for (int i = 0; i < (pair ? 1 : 3); i++) {
                int all = (w[i].rows * (pair ? 2 : 1) + STRIP - 1) / STRIP;
                clusters += (all + strips - 1) / strips;
                int tiles = (w[i].tiles + (1 << log) - 1) >> log;
                if (all) slowest = MAX(slowest, tiles * tile_time(&w[i], MIN(strips, all)));
            }
            int waves = ((clusters << log) + room->ctas[log] - 1) / MAX(room->ctas[log], 1);
            double sums = log ? 1000 + 100 * strips : 0;
            if (room->ctas[log] == 0 || waves * (slowest + sums + 1500) >= least) continue;
            least = waves * (slowest + sums + 1500);
            best = {strips, 1 << log};
        }
    }
    return best;
}

static cudaError_t launch(const launch_ctx *l, const gemm_args *a, int kernel, int ctas,
                          size_t smem) {
    cudaLaunchAttribute attr[2];
    cudaLaunchConfig_t config = config_of(attr, ctas, a->share.splits, smem);
    config.stream = l->stream;
    if (l->pdl) {
        cudaLaunchAttribute *more = attr + config.numAttrs++;
        more->id = cudaLaunchAttributeProgrammaticStreamSerialization;
        more->val.programmaticStreamSerializationAllowed = 1;
    }
    return cudaLaunchKernelEx(&config, kernels[kernel], *a);
}

/* Rows from .. from + n - 1. */
static cudaError_t run_rows(const launch_ctx *l, gemm_args a, const wmat w[3], int ctas,
                            const strip_room *room, int from, int n) {
    int kernel = 0, deepest = 1;
    while (8 * blocks_of[kernel] < n)
        kernel++;
    for (int i = 0; i < 3; i++)
        deepest = MAX(deepest, (w[i].tiles + a.share.splits - 1) / a.share.splits);
    a.stage_bytes = (widest_stage(w, a.share.strips, 8 * blocks_of[kernel]) + 127) / 128 * 128;
    a.stages = MIN(MIN((int)(room->smem / (size_t)a.stage_bytes), (int)STAGES_MAX), deepest);
    size_t sums = a.share.splits > 1 ? (size_t)a.share.strips * blocks_of[kernel] * 512 : 0;
    a.p.a += (size_t)from * a.p.cols;
    if (a.p.u)
        a.p.u += (size_t)from * w[0].rows;
    else
        a.p.c += (size_t)from * a.p.c_stride;
    a.p.n = n;
    return launch(l, &a, kernel, ctas, MAX(sums, (size_t)a.stages * (size_t)a.stage_bytes));
}

cudaError_t cuda_strip_gemm(const launch_ctx *l, const wmat w[3], const strip_share *share,
                            const strip_room *room, const strip_product *p) {
    gemm_args a;
    memset(&a, 0, sizeof a);
    a.share = *share;
    a.p = *p;
    const int most = 8 * blocks_of[COUNT - 1];
    int clusters = 0, column = 0;
    for (int i = 0, k = 0; i < (p->u ? 1 : 3); i++) {
        if (w[i].rows == 0) continue;
        strip_part *part = &a.part[k++];
        part->w = w[i];
        part->strips = (w[i].rows * (p->u ? 2 : 1) + STRIP - 1) / STRIP;
        part->ctas = (part->strips + share->strips - 1) / share->strips;
        part->column = column;
        column += w[i].rows;
        clusters += part->ctas;
    }
    a.p.c_stride = column;
    int pieces = (p->n + most - 1) / most, step = (p->n + pieces - 1) / pieces;
    for (int from = 0; from < p->n; from += step) {
        cudaError_t code =
            run_rows(l, a, w, clusters * share->splits, room, from, MIN(step, p->n - from));
        if (code != cudaSuccess) return code;
    }
    return cudaSuccess;
}
