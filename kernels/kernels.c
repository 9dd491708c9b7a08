/* SPDX-License-Identifier: Apache-2.0 */
/* The front of the module: chooses a backend and hands every call to its table (backend.h).  What
 * the engine promises about a batch is asserted here, once for all backends.
 * Thread: the engine thread.
 */
#include "kernels/kernels.h"

#include "kernels/backend.h"
#include "kernels/opener.h"

#ifdef INLINED_CUDA
k_opener k_open_device = cuda_open;
#else
k_opener k_open_device;
#endif

static status open_device(k_backend **out, const k_options *opt, err *e) {
    if (k_open_device) return k_open_device(out, opt, e);
    return err_set(e, ERR_UNSUPPORTED, "this build has no CUDA backend");
}

static status open_auto(k_backend **out, const k_options *opt, err *e) {
    err device;
    if (open_device(out, opt, &device) == OK) return OK;
    status s = cpu_open(out, opt, e);
    if (s == OK) snprintf((*out)->why, sizeof(*out)->why, "%.240s", device.text);
    return s;
}

status k_open(k_backend **out, const k_options *opt, err *e) {
    switch (opt->device) {
    case K_AUTO: return open_auto(out, opt, e);
    case K_CPU: return cpu_open(out, opt, e);
    case K_REF: return ref_open(out, opt, e);
    case K_CUDA: return open_device(out, opt, e);
    }
    return err_set(e, ERR_USAGE, "device %d does not exist", (int)opt->device);
}

void k_close(k_backend *b) {
    if (b) b->table->close(b);
}

const char *k_backend_name(const k_backend *b) {
    return b->name;
}

const char *k_backend_why(const k_backend *b) {
    return b->why;
}

bool k_backend_is_device(const k_backend *b) {
    return b->table->memory != NULL;
}

void k_device_memory(const k_backend *b, uint64_t *free_bytes, uint64_t *all_bytes) {
    *free_bytes = *all_bytes = 0;
    if (b->table->memory) b->table->memory(b, free_bytes, all_bytes);
}

double k_device_bandwidth(const k_backend *b) {
    return b->table->bandwidth ? b->table->bandwidth(b) : 0;
}

k_memory k_model_plan_memory(const k_backend *b, const k_model_options *opt) {
    return b->table->plan_memory(b, opt);
}

status k_model_new(k_model **out, k_backend *b, const k_model_options *opt, err *e) {
    ASSERT(opt->rows_max >= 1 && opt->rows_max <= K_ROWS_MAX && opt->kv_pages >= 1);
    status s = k_plan_check(opt->plan, e);
    if (s == OK) s = b->table->model_new(out, b, opt, e);
    return s;
}

void k_model_free(k_model *m) {
    if (m) m->backend->table->model_free(m);
}

k_memory k_model_memory(const k_model *m) {
    return m->memory;
}

bool k_model_borrows_file(const k_model *m) {
    return m->borrows_file;
}

static void check_batch(const k_model *m, const k_batch *b) {
    ASSERT(b->n >= 1 && b->n <= m->rows_max);
    for (int i = 0; i < b->n; i++) {
        ASSERT(b->token[i] >= 0 && b->token[i] < m->vocab);
        ASSERT(b->seq[i] >= 0 && b->seq[i] < b->n_seqs && b->pos[i] >= 0);
        int page = b->pages[b->seq[i]][b->pos[i] / K_PAGE_TOKENS];
        ASSERT(page >= 0 && page < m->kv_pages);
    }
}

status k_forward(k_model *m, const k_batch *batch, err *e) {
    check_batch(m, batch);
    return m->backend->table->forward(m, batch, e);
}

const float *k_logits(k_model *m, int i) {
    ASSERT(i >= 0 && i < m->n_wanted);
    return m->backend->table->logits(m, i);
}

void k_top(k_model *m, int i, int count, int32_t *ids, float *logprobs) {
    ASSERT(i >= 0 && i < m->n_wanted && count >= 1 && count <= 64);
    m->backend->table->top(m, i, count, ids, logprobs);
}

void k_kv_copy_page(k_model *m, int dst, int src) {
    ASSERT(dst >= 0 && dst < m->kv_pages && src >= 0 && src < m->kv_pages);
    m->backend->table->kv_copy_page(m, dst, src);
}

size_t k_kv_page_bytes(const k_model *m) {
    return m->backend->table->kv_page_bytes(m);
}

status k_kv_read_page(k_model *m, int page, void *host, err *e) {
    ASSERT(page >= 0 && page < m->kv_pages);
    return m->backend->table->kv_read_page(m, page, host, e);
}

status k_kv_write_page(k_model *m, int page, const void *host, err *e) {
    ASSERT(page >= 0 && page < m->kv_pages);
    return m->backend->table->kv_write_page(m, page, host, e);
}
