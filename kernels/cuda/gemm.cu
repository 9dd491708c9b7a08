/* SPDX-License-Identifier: Apache-2.0 */
/* C = A W^T on tensor cores, for prefill.  cuBLAS where its library is found at run time (it is
 * never linked: a machine with only a driver must run the program), else our own kernel: 128 x 128
 * tiles, 32 columns a stage, three stages of cp.async, ldmatrix and mma.m16n8k16.
 *
 * The library loads its code at its first products, which takes a quarter of a second: a thread
 * makes some when the device is opened, while files are mapped and read.
 *
 * Only four cuBLAS functions are used; their prototypes stand here so that its headers are not
 * needed to build.  Source: cuBLAS documentation, cublasGemmEx.
 */
#include <dlfcn.h>
#include <pthread.h>

#include "kernels/cuda/cuda.cuh"

typedef int (*cublas_create_fn)(void **);
typedef int (*cublas_destroy_fn)(void *);
typedef int (*cublas_set_stream_fn)(void *, cudaStream_t);
typedef int (*cublas_gemm_ex_fn)(void *, int, int, int, int, int, const void *, const void *, int,
                                 int, const void *, int, int, const void *, void *, int, int, int,
                                 int);

enum {
    CUBLAS_OP_N = 0,
    CUBLAS_OP_T = 1,
    CUDA_R_16F_ = 2,
    CUDA_R_32F_ = 0,
    COMPUTE_32F = 68,
    ALGO_DEFAULT = -1
};

struct gemm {
    cudaStream_t stream;
    void *library, *handle;
    cublas_destroy_fn destroy;
    cublas_set_stream_fn set_stream;
    cublas_gemm_ex_fn gemm_ex;
    bool own;
    pthread_t warming;
    bool is_warming;
};

/* Products as a prompt's, over memory that nobody reads, on a stream of their own: the engine's may
 * be recording a graph.  Thread: its own; the handle is its own until cuda_gemm_run. */
static void *warm(void *ud) {
    gemm *g = (gemm *)ud;
    static const int rows_of[] = {512, 48};
    const int width = 1024;
    __half *buffer = NULL;
    cudaStream_t st = NULL;
    const float one = 1, zero = 0;
    size_t bytes = (size_t)width * width * sizeof(__half);
    if (cudaStreamCreateWithFlags(&st, cudaStreamNonBlocking) != cudaSuccess) return NULL;
    if (cudaMalloc(&buffer, 4 * bytes) != cudaSuccess) {
        cudaStreamDestroy(st);
        return NULL;
    }
    g->set_stream(g->handle, st);
    cudaMemsetAsync(buffer, 0, 4 * bytes, st);
    for (size_t i = 0; i < COUNTOF(rows_of); i++) {
        for (int f16 = 0; f16 < 2; f16++)
            g->gemm_ex(g->handle, CUBLAS_OP_T, CUBLAS_OP_N, width, rows_of[i], width, &one, buffer,
                       CUDA_R_16F_, width, buffer + (size_t)width * width, CUDA_R_16F_, width,
                       &zero, buffer + (size_t)2 * width * width, f16 ? CUDA_R_16F_ : CUDA_R_32F_,
                       width, COMPUTE_32F, ALGO_DEFAULT);
    }
    cudaStreamSynchronize(st);
    cudaFree(buffer);
    cudaStreamDestroy(st);
    return NULL;
}

static void end_warming(gemm *g) {
    if (!g->is_warming) return;
    pthread_join(g->warming, NULL);
    g->is_warming = false;
    g->set_stream(g->handle, g->stream);
}

static void open_cublas(gemm *g) {
    static const char *const names[] = {"libcublas.so.13", "libcublas.so.12", "libcublas.so"};
    const char *wanted = getenv("INLINED_CUBLAS"); /* a path, or "none" */
    if (wanted && strcmp(wanted, "none") == 0) return;
    if (wanted) g->library = dlopen(wanted, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; !g->library && i < COUNTOF(names); i++)
        g->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!g->library) return;
    cublas_create_fn create = (cublas_create_fn)dlsym(g->library, "cublasCreate_v2");
    g->set_stream = (cublas_set_stream_fn)dlsym(g->library, "cublasSetStream_v2");
    g->destroy = (cublas_destroy_fn)dlsym(g->library, "cublasDestroy_v2");
    g->gemm_ex = (cublas_gemm_ex_fn)dlsym(g->library, "cublasGemmEx");
    if (!create || !g->set_stream || !g->destroy || !g->gemm_ex || create(&g->handle) != 0) {
        log_warn("cuda", "cuBLAS is there but does not start; our own kernel does the prefill");
        g->handle = NULL;
        return;
    }
    g->set_stream(g->handle, g->stream);
    g->is_warming = pthread_create(&g->warming, NULL, warm, g) == 0;
}

gemm *cuda_gemm_open(cudaStream_t st) {
    gemm *g = (gemm *)calloc(1, sizeof *g);
    if (!g) return NULL;
    g->stream = st;
    open_cublas(g);
    return g;
}

void cuda_gemm_close(gemm *g) {
    if (!g) return;
    end_warming(g);
    if (g->handle) g->destroy(g->handle);
    if (g->library) dlclose(g->library);
    free(g);
}

const char *cuda_gemm_name(const gemm *g) {
    return g->handle && !g->own ? "cuBLAS" : "own mma";
}

void cuda_gemm_use_own(gemm *g, bool own) {
    g->own = own;
}

/* ---- our own kernel ------------------------------------------------------------------------- */

enum { BM = 128, BN = 128, BK = 32, STAGES = 3, PAD = 8, LD = BK + PAD, GEMM_THREADS = 256 };

static __device__ __forceinline__ void copy16(void *smem, const void *global, bool there) {
    uint32_t to = (uint32_t)__cvta_generic_to_shared(smem);
    int bytes = there ? 16 : 0; /* the rest is filled with zeros */
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global),
                 "r"(bytes));
}

static __device__ __forceinline__ void ldmatrix4(uint32_t r[4], const __half *p) {
    uint32_t at = (uint32_t)__cvta_generic_to_shared(p);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at));
}

/* Brings tile k of A (rows n) and W (rows) into stage buffers; rows outside become zeros. */
static __device__ __forceinline__ void fetch(const __half *a, int n, const __half *w, int rows,
                                             int cols, int a0, int w0, int k, __half *sa,
                                             __half *sw) {
    for (int i = threadIdx.x; i < BM * (BK / 8); i += GEMM_THREADS) {
        int r = i / (BK / 8), c = i % (BK / 8) * 8;
        bool in = a0 + r < n && k + c < cols;
        copy16(sa + r * LD + c, in ? a + (size_t)(a0 + r) * cols + k + c : a, in);
        in = w0 + r < rows && k + c < cols;
        copy16(sw + r * LD + c, in ? w + (size_t)(w0 + r) * cols + k + c : w, in);
    }
    asm volatile("cp.async.commit_group;");
}

/* Warp (wm, wn) of 2 x 4 computes 64 x 32 of the tile. */
static __device__ __forceinline__ void multiply(const __half *sa, const __half *sw, int wm, int wn,
                                                float acc[4][4][4]) {
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int k = 0; k < BK; k += 16) {
        uint32_t fa[4][4], fb[2][4];
#pragma unroll
        for (int i = 0; i < 4; i++)
            ldmatrix4(fa[i], sa + (wm * 64 + i * 16 + (lane & 15)) * LD + k + (lane >> 4) * 8);
#pragma unroll
        for (int j = 0; j < 2; j++)
            ldmatrix4(fb[j], sw + (wn * 32 + j * 16 + (lane & 7) + (lane >> 4) * 8) * LD + k +
                                 (lane >> 3 & 1) * 8);
#pragma unroll
        for (int i = 0; i < 4; i++) {
#pragma unroll
            for (int j = 0; j < 4; j++)
                mma_f16(acc[i][j], fa[i], fb[j >> 1][(j & 1) * 2], fb[j >> 1][(j & 1) * 2 + 1]);
        }
    }
}

static __device__ __forceinline__ void put(void *c, bool f16, size_t at, float v, float beta) {
    if (f16) {
        __half *p = (__half *)c + at;
        if (beta != 0) v += beta * __half2float(*p);
        *p = __float2half(fminf(fmaxf(v, -65504.0f), 65504.0f));
    } else {
        float *p = (float *)c + at;
        *p = beta != 0 ? v + beta * *p : v;
    }
}

static __global__ void __launch_bounds__(GEMM_THREADS)
    gemm_kernel(const __half *w, int rows, int cols, const __half *a, int n, void *c, bool f16,
                float beta) {
    extern __shared__ __align__(16) __half stage[];
    __half *sa = stage, *sw = stage + STAGES * BM * LD;
    int a0 = blockIdx.y * BM, w0 = blockIdx.x * BN, warp = threadIdx.x >> 5;
    int wm = warp >> 2, wn = warp & 3, steps = (cols + BK - 1) / BK;
    float acc[4][4][4] = {};
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < steps)
            fetch(a, n, w, rows, cols, a0, w0, s * BK, sa + s * BM * LD, sw + s * BN * LD);
        else
            asm volatile("cp.async.commit_group;");
    }
    for (int s = 0; s < steps; s++) {
        asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 2));
        __syncthreads();
        int ahead = s + STAGES - 1, slot = ahead % STAGES;
        if (ahead < steps)
            fetch(a, n, w, rows, cols, a0, w0, ahead * BK, sa + slot * BM * LD,
                  sw + slot * BN * LD);
        else
            asm volatile("cp.async.commit_group;");
        multiply(sa + s % STAGES * BM * LD, sw + s % STAGES * BN * LD, wm, wn, acc);
    }
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int row = a0 + wm * 64 + i * 16 + lane / 4 + (e >> 1) * 8;
                int col = w0 + wn * 32 + j * 8 + (lane & 3) * 2 + (e & 1);
                if (row < n && col < rows)
                    put(c, f16, (size_t)row * rows + col, acc[i][j][e], beta);
            }
        }
    }
}

static status run_own(gemm *g, const __half *w, int rows, int cols, const __half *a, int n, void *c,
                      bool f16, float beta, err *e) {
    size_t smem = (size_t)STAGES * (BM + BN) * LD * sizeof(__half);
    CU_TRY(e, cudaFuncSetAttribute(gemm_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   (int)smem));
    dim3 grid((unsigned)((rows + BN - 1) / BN), (unsigned)((n + BM - 1) / BM));
    gemm_kernel<<<grid, GEMM_THREADS, smem, g->stream>>>(w, rows, cols, a, n, c, f16, beta);
    CU_TRY(e, cudaGetLastError());
    return OK;
}

/* cols is a multiple of 32 (padded with zeros on both sides). */
status cuda_gemm_run(gemm *g, const __half *w, int rows, int cols, const __half *a, int n, void *c,
                     bool c_is_f16, float beta, err *e) {
    if (!g->handle || g->own) return run_own(g, w, rows, cols, a, n, c, c_is_f16, beta, e);
    end_warming(g);
    float alpha = 1;
    int code = g->gemm_ex(g->handle, CUBLAS_OP_T, CUBLAS_OP_N, rows, n, cols, &alpha, w,
                          CUDA_R_16F_, cols, a, CUDA_R_16F_, cols, &beta, c,
                          c_is_f16 ? CUDA_R_16F_ : CUDA_R_32F_, rows, COMPUTE_32F, ALGO_DEFAULT);
    if (code != 0)
        return err_set(e, ERR_DEVICE, "cuBLAS failed with status %d in a %d x %d x %d product",
                       code, rows, n, cols);
    return OK;
}
