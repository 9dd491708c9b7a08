/* SPDX-License-Identifier: Apache-2.0 */
/* The CUDA backend's face to kernels.c: opens the device, maps the table of backend.h onto load.cu
 * and forward.cu, and turns CUDA codes into sentences.  A CUDA error leaves the context unusable,
 * so the backend is marked dead and every later call fails with ERR_DEVICE; the engine then reopens
 * on the CPU.  Thread: engine.
 */
#include <cmath>

#include "kernels/cuda/model.cuh"

status cuda_fail(err *e, cudaError_t code, const char *what, const char *file, int line) {
    const char *slash = strrchr(file, '/');
    if (code == cudaErrorMemoryAllocation) /* somebody else took it meanwhile */
        return err_set(e, ERR_LIMIT, "the GPU has no memory left for this model");
    return err_set(e, ERR_DEVICE, "CUDA failed: %s (%s at %s:%d)", cudaGetErrorString(code), what,
                   slash ? slash + 1 : file, line);
}

static cuda_backend *backend_of(k_backend *b) {
    return (cuda_backend *)b;
}

static status check_alive(const cuda_backend *b, err *e) {
    if (!b->dead) return OK;
    return err_set(e, ERR_DEVICE, "the GPU failed earlier and is not used until a restart");
}

static status remember(cuda_backend *b, status s) {
    if (s == ERR_DEVICE) b->dead = true;
    return s;
}

static void backend_close(k_backend *base) {
    cuda_backend *b = backend_of(base);
    cuda_gemm_close(b->products);
    if (b->stream) cudaStreamDestroy(b->stream);
    xfree(b);
}

static k_memory backend_plan_memory(const k_backend *base, const k_model_options *opt) {
    return cuda_model_measure((const cuda_backend *)base, opt);
}

static status backend_model_new(k_model **out, k_backend *base, const k_model_options *opt,
                                err *e) {
    cuda_backend *b = backend_of(base);
    status s = check_alive(b, e);
    if (s != OK) return s;
    cuda_model *m;
    s = cuda_model_open(&m, b, opt, e);
    if (s != OK) {
        cudaGetLastError(); /* a failed allocation is not a dead device */
        return s;
    }
    m->base.backend = base;
    m->base.vocab = opt->plan->vocab;
    m->base.kv_pages = opt->kv_pages;
    m->base.rows_max = opt->rows_max;
    m->base.memory.weight_bytes = m->weight_bytes;
    m->base.memory.kv_bytes = m->kv_bytes;
    m->base.memory.work_bytes = m->work_bytes;
    *out = &m->base;
    return OK;
}

static void backend_model_free(k_model *base) {
    cuda_model_close((cuda_model *)base);
}

static status backend_forward(k_model *base, const k_batch *batch, err *e) {
    cuda_model *m = (cuda_model *)base;
    status s = check_alive(m->b, e);
    if (s != OK) return s;
    if (batch->cancel && *batch->cancel)
        return err_set(e, ERR_CANCELLED, "the step was cancelled before it started");
    s = remember(m->b, cuda_model_forward(m, batch, e));
    m->base.n_wanted = s == OK ? m->n_want : 0;
    return s;
}

static void give_nothing(int count, int32_t *ids, float *logprobs) {
    for (int k = 0; k < count; k++) {
        ids[k] = k;
        logprobs[k] = -INFINITY;
    }
}

static void backend_top(k_model *base, int i, int count, int32_t *ids, float *logprobs) {
    cuda_model *m = (cuda_model *)base;
    err e;
    if (remember(m->b, cuda_model_top(m, i, count, ids, logprobs, &e)) == OK) return;
    log_error("cuda", "%s", e.text); /* the next k_forward reports the dead device */
    give_nothing(count, ids, logprobs);
}

static const float *backend_logits(k_model *base, int i) {
    cuda_model *m = (cuda_model *)base;
    float *row = m->logits_host + (size_t)i * (size_t)m->s.vocab;
    err e;
    status s = cuda_model_head(m, i / HEAD_ROWS, &e);
    if (s == OK) {
        const float *from = m->w.logits + (size_t)(i % HEAD_ROWS) * (size_t)m->s.vocab;
        cudaError_t code =
            cudaMemcpy(row, from, (size_t)m->s.vocab * sizeof(float), cudaMemcpyDeviceToHost);
        if (code != cudaSuccess) s = cuda_fail(&e, code, "logits", __FILE__, __LINE__);
    }
    if (remember(m->b, s) != OK) log_error("cuda", "%s", e.text);
    return row;
}

/* ---- KV pages: K and V of every layer, one after the other ---------------------------------- */

static size_t slab_bytes(const cuda_model *m) {
    return kv_slab_halves(&m->s) * sizeof(__half);
}

static uint8_t *slab_at(const cuda_model *m, int slab, int page) {
    return m->kv + ((size_t)slab * m->s.kv_pages + page) * slab_bytes(m);
}

static void backend_kv_copy_page(k_model *base, int dst, int src) {
    cuda_model *m = (cuda_model *)base;
    for (int slab = 0; slab < 2 * m->s.n_kv_layers; slab++) {
        cudaError_t code = cudaMemcpyAsync(slab_at(m, slab, dst), slab_at(m, slab, src),
                                           slab_bytes(m), cudaMemcpyDeviceToDevice, m->b->stream);
        if (code != cudaSuccess) m->b->dead = true;
    }
}

static size_t backend_kv_page_bytes(const k_model *base) {
    const cuda_model *m = (const cuda_model *)base;
    return 2 * (size_t)m->s.n_kv_layers * slab_bytes(m);
}

static status move_page(cuda_model *m, int page, void *host, bool out, err *e) {
    for (int slab = 0; slab < 2 * m->s.n_kv_layers; slab++) {
        uint8_t *dev = slab_at(m, slab, page), *h = (uint8_t *)host + (size_t)slab * slab_bytes(m);
        CU_TRY(e, cudaMemcpyAsync(out ? h : dev, out ? dev : h, slab_bytes(m), cudaMemcpyDefault,
                                  m->b->stream));
    }
    CU_TRY(e, cudaStreamSynchronize(m->b->stream));
    return OK;
}

static status backend_kv_read_page(k_model *base, int page, void *host, err *e) {
    cuda_model *m = (cuda_model *)base;
    return remember(m->b, move_page(m, page, host, true, e));
}

static status backend_kv_write_page(k_model *base, int page, const void *host, err *e) {
    cuda_model *m = (cuda_model *)base;
    return remember(m->b, move_page(m, page, (void *)host, false, e));
}

static void backend_memory(const k_backend *base, uint64_t *free_bytes, uint64_t *all_bytes) {
    UNUSED(base);
    size_t left = 0, all = 0;
    if (cudaMemGetInfo(&left, &all) != cudaSuccess) return;
    *free_bytes = left;
    *all_bytes = all;
}

/* Milliseconds of `times` copies of half of the buffer to its other half; 0: failed. */
static float copy_ms(cudaStream_t st, uint8_t *buffer, size_t half, int times) {
    cudaEvent_t from = NULL, to = NULL;
    float ms = 0;
    bool good = cudaEventCreate(&from) == cudaSuccess && cudaEventCreate(&to) == cudaSuccess;
    if (good) {
        cudaEventRecord(from, st);
        for (int i = 0; i < times; i++)
            cudaMemcpyAsync(buffer, buffer + half, half, cudaMemcpyDeviceToDevice, st);
        cudaEventRecord(to, st);
        good = cudaEventSynchronize(to) == cudaSuccess;
    }
    if (!good || cudaEventElapsedTime(&ms, from, to) != cudaSuccess) ms = 0;
    cudaEventDestroy(from);
    cudaEventDestroy(to);
    return ms;
}

static double backend_bandwidth(const k_backend *base) {
    const cuda_backend *b = (const cuda_backend *)base;
    const size_t half = (size_t)128 << 20;
    const int times = 20;
    uint8_t *buffer = NULL;
    if (cudaMalloc(&buffer, 2 * half) != cudaSuccess) {
        cudaGetLastError();
        return 0;
    }
    copy_ms(b->stream, buffer, half, 2); /* the clocks rise */
    float ms = copy_ms(b->stream, buffer, half, times);
    cudaFree(buffer);
    return ms > 0 ? 2.0 * (double)half * times / (ms * 1e-3) : 0;
}

static const k_backend_table table = {
    backend_close,         backend_plan_memory,  backend_model_new,     backend_model_free,
    backend_forward,       backend_logits,       backend_top,           backend_kv_copy_page,
    backend_kv_page_bytes, backend_kv_read_page, backend_kv_write_page, backend_memory,
    backend_bandwidth,
};

/* ---- opening -------------------------------------------------------------------------------- */

static status choose_device(cuda_backend *b, cudaDeviceProp *prop, err *e) {
    int count = 0;
    cudaError_t code = cudaGetDeviceCount(&count);
    if (code == cudaErrorInsufficientDriver)
        return err_set(e, ERR_DEVICE,
                       "no usable NVIDIA driver (580 or newer is needed for CUDA 13)");
    if (code != cudaSuccess || count == 0)
        return err_set(e, ERR_DEVICE, "no NVIDIA device: %s",
                       code == cudaSuccess ? "none is visible" : cudaGetErrorString(code));
    CU_TRY(e, cudaSetDevice(0));
    CU_TRY(e, cudaGetDeviceProperties(prop, 0));
    b->sms = prop->multiProcessorCount;
    b->cc = prop->major * 10 + prop->minor;
    b->smem_max = prop->sharedMemPerBlockOptin;
    b->cooperative = prop->cooperativeLaunch != 0;
    if (b->cc < 80) {
        return err_set(e, ERR_DEVICE, "%s has compute capability %d.%d; 8.0 or newer is needed",
                       prop->name, prop->major, prop->minor);
    }
    return OK;
}

extern "C" status cuda_open(k_backend **out, const k_options *opt, err *e) {
    UNUSED(opt);
    cudaDeviceProp prop;
    cuda_backend *b = (cuda_backend *)xcalloc(1, sizeof *b);
    b->base.table = &table;
    status s = choose_device(b, &prop, e);
    if (s == OK) {
        cudaError_t code = cudaStreamCreateWithFlags(&b->stream, cudaStreamNonBlocking);
        if (code != cudaSuccess) s = cuda_fail(e, code, "stream", __FILE__, __LINE__);
    }
    if (s != OK) {
        xfree(b);
        return s;
    }
    b->products = cuda_gemm_open(b->stream);
    snprintf(b->base.name, sizeof b->base.name, "cuda (%.40s, %s)", prop.name,
             cuda_gemm_name(b->products));
    snprintf(b->base.why, sizeof b->base.why, "an NVIDIA device is present");
    *out = &b->base;
    return OK;
}
