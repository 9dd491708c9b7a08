/* SPDX-License-Identifier: Apache-2.0 */
/* Applying a delta.  Float arithmetic follows the format's definition operation by operation (no
 * contraction: engine/CMakeLists.txt), because the result is checked by its hash. */
#include "engine/delta.h"

#include <errno.h>
#include <math.h>

#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/delta_private.h"
#include "engine/gguf_write.h"

enum { ROWS_A_PIECE = 64, TYPE_I8 = 24, TYPE_I32 = 26 };

status delta_file_sha256(const char *path, char out[static 65], err *e) {
    FILE *f = fopen(path, "rb");
    if (!f) {
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot read %s: %s", path,
                       strerror(errno));
    }
    size_t cap = (size_t)1 << 20, n;
    uint8_t *bytes = xmalloc(cap);
    sha256 h;
    sha256_init(&h);
    while ((n = fread(bytes, 1, cap, f)) > 0)
        sha256_add(&h, bytes, n);
    bool failed = ferror(f) != 0;
    fclose(f);
    xfree(bytes);
    if (failed) return err_set(e, ERR_IO, "reading %s failed: %s", path, strerror(errno));
    sha256_hex(&h, out);
    return OK;
}

/* ---- one tensor ---- */

static status find_part(const gguf *delta, str name, const char *suffix, int type, uint64_t bytes,
                        const void **out, err *e) {
    char full[256];
    snprintf(full, sizeof full, "%.*s%s", STR_ARG(name), suffix);
    const gguf_tensor *t = gguf_tensor_find(delta, full);
    if (!t || t->type != type || t->bytes != bytes) {
        return err_set(e, ERR_FORMAT, "%s: %s is %s; the delta is damaged or for another base",
                       gguf_path(delta), full, t ? "not of the expected type and size" : "missing");
    }
    *out = t->data;
    return OK;
}

static status find_rows(const gguf *delta, const gguf_tensor *t, delta_tensor *d, err *e) {
    char full[256];
    snprintf(full, sizeof full, "%.*s.row_ids", STR_ARG(t->name));
    const gguf_tensor *ids = gguf_tensor_find(delta, full);
    if (!ids) return OK;
    const void *values;
    d->n_rows = ids->bytes / 4;
    if (ids->type != TYPE_I32 || d->n_rows > t->ne[1])
        return err_set(e, ERR_FORMAT, "%s: %s is not a list of rows", gguf_path(delta), full);
    status s =
        find_part(delta, t->name, ".row_values", K_F16, d->n_rows * t->ne[0] * 2, &values, e);
    if (s != OK) return s;
    d->row_ids = ids->data;
    d->row_values = values;
    for (uint64_t i = 0; i < d->n_rows; i++) {
        int32_t row;
        memcpy(&row, d->row_ids + 4 * i, sizeof row);
        if (row < 0 || (uint64_t)row >= t->ne[1])
            return err_set(e, ERR_FORMAT, "%s: %s names row %d of %llu", gguf_path(delta), full,
                           row, (unsigned long long)t->ne[1]);
    }
    return OK;
}

static status find_tensor(const gguf *delta, const gguf_tensor *t, delta_tensor *d, err *e) {
    memset(d, 0, sizeof *d);
    uint64_t n = t->ne[0] * t->ne[1];
    if (t->n_dims != 2 || t->ne[0] % DELTA_GROUP != 0 || t->bytes == 0) {
        return err_set(e, ERR_UNSUPPORTED,
                       "tensor %.*s has a shape or type that deltas do not cover",
                       STR_ARG(t->name));
    }
    const void *code = NULL, *scale = NULL;
    status s = find_part(delta, t->name, ".code", TYPE_I8, n / 4, &code, e);
    if (s == OK) s = find_part(delta, t->name, ".scale", K_F16, n / DELTA_GROUP * 2, &scale, e);
    d->code = code;
    d->scale = scale;
    return s == OK ? find_rows(delta, t, d, e) : s;
}

/* `first` is the number of the row's first weight in its tensor. */
static void add_row(float *w, uint64_t cols, uint64_t first, const delta_tensor *d,
                    const float levels[static 4]) {
    for (uint64_t i = 0; i < cols; i++) {
        uint64_t at = first + i;
        float scale = k_half_to_float(d->scale[at / DELTA_GROUP]);
        float step = levels[d->code[at / 4] >> (2 * (at % 4)) & 3] * scale;
        w[i] = w[i] + step;
    }
}

static void replace_row(float *w, uint64_t cols, uint64_t row, const delta_tensor *d) {
    for (uint64_t k = 0; k < d->n_rows; k++) {
        int32_t id;
        memcpy(&id, d->row_ids + 4 * k, sizeof id);
        if ((uint64_t)id != row) continue;
        for (uint64_t i = 0; i < cols; i++)
            w[i] = k_half_to_float(d->row_values[k * cols + i]);
    }
}

static void quantise_row(const float *w, uint64_t cols, block_q8_0 *out) {
    for (uint64_t b = 0; b < cols / 32; b++) {
        float top = 0;
        for (int i = 0; i < 32; i++)
            top = fmaxf(top, fabsf(w[32 * b + (uint64_t)i]));
        float d = top / 127.0f, inverse = d == 0 ? 0 : 1.0f / d;
        out[b].d = k_float_to_half(d);
        for (int i = 0; i < 32; i++) {
            float x = w[32 * b + (uint64_t)i] * inverse;
            out[b].qs[i] = (int8_t)truncf(x + copysignf(0.5f, x));
        }
    }
}

static status compute_matrix(const gguf_tensor *t, const delta_tensor *d,
                             const float levels[static 4], delta_sink sink, void *ud, err *e) {
    uint64_t cols = t->ne[0], blocks = cols / 32;
    size_t row_bytes = k_row_bytes((k_type)t->type, (int64_t)cols);
    float *w = xmalloc(cols * sizeof *w);
    block_q8_0 *q = xmalloc(ROWS_A_PIECE * blocks * sizeof *q);
    status s = OK;
    for (uint64_t row = 0; row < t->ne[1] && s == OK; row += ROWS_A_PIECE) {
        uint64_t n = MIN((uint64_t)ROWS_A_PIECE, t->ne[1] - row);
        for (uint64_t r = row; r < row + n; r++) {
            k_dequant((k_type)t->type, (const uint8_t *)t->data + r * row_bytes, w, (int64_t)cols);
            add_row(w, cols, r * cols, d, levels);
            replace_row(w, cols, r, d);
            quantise_row(w, cols, q + (r - row) * blocks);
        }
        s = sink(ud, q, n * blocks * sizeof *q, e);
    }
    xfree(w);
    xfree(q);
    return s;
}

status delta_compute(const gguf *base, const gguf *delta, const float levels[static 4],
                     delta_sink sink, void *ud, const delta_hooks *hooks, err *e) {
    size_t count = gguf_tensor_count(base);
    uint64_t done = 0, all = MAX(gguf_file_bytes(base), 1);
    for (size_t i = 0; i < count; i++) {
        const gguf_tensor *t = gguf_tensor_at(base, i);
        status s;
        if (t->n_dims == 1) {
            const void *data;
            s = find_part(delta, t->name, "", K_F32, t->ne[0] * 4, &data, e);
            if (s == OK) s = sink(ud, data, t->ne[0] * 4, e);
        } else {
            delta_tensor d;
            s = find_tensor(delta, t, &d, e);
            if (s == OK) s = compute_matrix(t, &d, levels, sink, ud, e);
        }
        if (s != OK) return s;
        done += t->bytes;
        if (hooks && hooks->progress && !hooks->progress(hooks->ud, (double)done / (double)all))
            return err_set(e, ERR_CANCELLED, "cancelled");
    }
    return OK;
}

/* ---- the whole file ---- */

typedef struct {
    const gguf *base, *delta;
    gguf_writer *writer;
    sha256 hash;
} apply;

static bool in_list(const gguf *g, const char *list, str key) {
    gguf_type type;
    uint64_t n;
    if (!gguf_find_array(g, list, &type, &n) || type != GGUF_STRING) return false;
    for (uint64_t i = 0; i < n; i++) {
        if (str_eq(gguf_array_str(g, list, i), key)) return true;
    }
    return false;
}

/* The base's pairs without those that change or go, then the delta's own. */
static status write_pairs(apply *a, err *e) {
    gguf_type type;
    uint64_t n;
    str arch = STR("llama");
    if (!gguf_find_str(a->base, "general.architecture", &arch))
        return err_set(e, ERR_FORMAT, "%s names no architecture", gguf_path(a->base));
    gguf_write_str(a->writer, STR("general.architecture"), arch);
    for (size_t i = 0; i < gguf_key_count(a->base); i++) {
        str key = gguf_key_at(a->base, i, &type);
        if (str_eq(key, STR("general.architecture")) || in_list(a->delta, "delta.keys", key) ||
            in_list(a->delta, "delta.drop", key))
            continue;
        gguf_write_copy(a->writer, key, a->base, i);
    }
    if (!gguf_find_array(a->delta, "delta.keys", &type, &n) || type != GGUF_STRING)
        return err_set(e, ERR_FORMAT, "%s has no delta.keys", gguf_path(a->delta));
    for (uint64_t k = 0; k < n; k++) {
        str key = gguf_array_str(a->delta, "delta.keys", k);
        bool found = false;
        for (size_t i = 0; i < gguf_key_count(a->delta) && !found; i++) {
            str have = gguf_key_at(a->delta, i, &type);
            found = str_starts_with(have, STR("delta.key.")) &&
                    str_eq(str_sub(have, strlen("delta.key."), have.len), key);
            if (found) gguf_write_copy(a->writer, key, a->delta, i);
        }
        if (!found)
            return err_set(e, ERR_FORMAT, "%s promises the key %.*s and does not have it",
                           gguf_path(a->delta), STR_ARG(key));
    }
    return OK;
}

static void write_descriptions(apply *a) {
    for (size_t i = 0; i < gguf_tensor_count(a->base); i++) {
        const gguf_tensor *t = gguf_tensor_at(a->base, i);
        uint64_t n = t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
        bool matrix = t->n_dims > 1;
        gguf_write_tensor(a->writer, t->name, matrix ? K_Q8_0 : K_F32, t->n_dims, t->ne,
                          matrix ? n / 32 * sizeof(block_q8_0) : n * 4);
    }
}

static status take_bytes(void *ud, const void *bytes, size_t n, err *e) {
    apply *a = ud;
    UNUSED(e);
    sha256_add(&a->hash, bytes, n);
    gguf_write_data(a->writer, bytes, n);
    return OK;
}

static status check_delta(const apply *a, const char *base_path, err *e) {
    str arch = {0}, want = {0}, source = STR("unknown");
    int64_t version = 0, group = 0;
    gguf_find_str(a->delta, "general.architecture", &arch);
    gguf_find_i64(a->delta, "delta.version", &version);
    gguf_find_i64(a->delta, "delta.group", &group);
    if (!str_eq(arch, STR("delta")) || version != DELTA_VERSION || group != DELTA_GROUP) {
        return err_set(e, ERR_FORMAT,
                       "%s is not a delta that this program reads (version %d, groups "
                       "of %d)",
                       gguf_path(a->delta), DELTA_VERSION, DELTA_GROUP);
    }
    if (!gguf_find_str(a->delta, "delta.base.sha256", &want))
        return err_set(e, ERR_FORMAT, "%s does not say which base it is for", gguf_path(a->delta));
    gguf_find_str(a->delta, "delta.base.source", &source);
    char have[65];
    status s = delta_file_sha256(base_path, have, e);
    if (s == OK && !str_eq(str_of(have), want)) {
        s = err_set(e, ERR_FORMAT,
                    "%s is not the base that this delta was made for; that one is: "
                    "%.*s",
                    base_path, STR_ARG(source));
    }
    return s;
}

static status run_apply(apply *a, const char *out, const delta_hooks *hooks, err *e) {
    float levels[DELTA_LEVELS];
    str promised;
    char have[65];
    if (!gguf_array_f32(a->delta, "delta.levels", levels, DELTA_LEVELS) ||
        !gguf_find_str(a->delta, "delta.result.sha256", &promised))
        return err_set(e, ERR_FORMAT, "%s lacks delta.levels or delta.result.sha256",
                       gguf_path(a->delta));
    status s = gguf_writer_open(&a->writer, out, e);
    if (s == OK) s = write_pairs(a, e);
    if (s != OK) return s;
    write_descriptions(a);
    sha256_init(&a->hash);
    s = delta_compute(a->base, a->delta, levels, take_bytes, a, hooks, e);
    if (s != OK) return s;
    sha256_hex(&a->hash, have);
    if (!str_eq(str_of(have), promised)) {
        return err_set(e, ERR_FORMAT,
                       "%s does not give the result that it promises: the file was "
                       "altered or is damaged; get it again",
                       gguf_path(a->delta));
    }
    return gguf_writer_commit(a->writer, e);
}

status delta_apply(const char *base, const char *delta, const char *out, const delta_hooks *hooks,
                   err *e) {
    apply a = {0};
    gguf *b = NULL, *d = NULL;
    status s = gguf_open(&b, base, e);
    if (s == OK) s = gguf_open(&d, delta, e);
    a.base = b;
    a.delta = d;
    if (s == OK) s = check_delta(&a, base, e);
    if (s == OK) s = run_apply(&a, out, hooks, e);
    gguf_writer_close(a.writer);
    gguf_close(b);
    gguf_close(d);
    return s;
}
