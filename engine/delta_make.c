/* SPDX-License-Identifier: Apache-2.0 */
/* Making a delta: two bits a weight, chosen against thresholds half way between the levels, with
 * the
 * root mean square of each group of 64 as its scale.  The order of additions in that mean is part
 * of
 * the format's reference (eight strands, then pairwise), so that two makers give the same file. */
#include <math.h>

#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/vec.h"
#include "engine/delta_private.h"
#include "engine/gguf_write.h"

static const float LEVELS[DELTA_LEVELS] = {-1.5104f, -0.4528f, 0.4528f, 1.5104f};
#define EMBEDDING STR("token_embd.weight")

typedef struct {
    const gguf *base, *trained;
    const char *base_path, *out;
    const delta_make_options *opt;
    const delta_hooks *hooks;
} make;

static bool has_rows(const make *m, const gguf_tensor *t) {
    return m->opt->n_rows > 0 && str_eq(t->name, EMBEDDING);
}

static bool is_row(const make *m, const gguf_tensor *t, uint64_t row) {
    for (size_t i = 0; has_rows(m, t) && i < m->opt->n_rows; i++) {
        if ((uint64_t)m->opt->rows[i] == row) return true;
    }
    return false;
}

static const gguf_tensor *partner(const make *m, const gguf_tensor *t, err *e) {
    char name[LIMIT_GGUF_NAME_BYTES + 1];
    snprintf(name, sizeof name, "%.*s", STR_ARG(t->name));
    const gguf_tensor *other = gguf_tensor_find(m->trained, name);
    bool same = other && other->bytes && other->ne[0] == t->ne[0] && other->ne[1] == t->ne[1] &&
                k_type_block((k_type)other->type) > 0 && k_type_block((k_type)t->type) > 0;
    bool covered = t->n_dims == 1 || (t->n_dims == 2 && t->ne[0] % DELTA_GROUP == 0);
    if (same && covered) return other;
    err_set(e, same ? ERR_UNSUPPORTED : ERR_FORMAT,
            "tensor %s is not in both files with the same "
            "shape (rows a multiple of %d)",
            name, DELTA_GROUP);
    return NULL;
}

/* ---- pairs and descriptions ---- */

static bool same_value(const gguf *a, size_t i, const gguf *b, size_t k) {
    uint32_t ha[2], hb[2];
    uint64_t na, nb;
    str va = gguf_key_raw(a, i, ha, &na), vb = gguf_key_raw(b, k, hb, &nb);
    return ha[0] == hb[0] && ha[1] == hb[1] && na == nb && str_eq(va, vb);
}

static ptrdiff_t key_index(const gguf *g, str key) {
    gguf_type type;
    for (size_t i = 0; i < gguf_key_count(g); i++) {
        if (str_eq(gguf_key_at(g, i, &type), key)) return (ptrdiff_t)i;
    }
    return -1;
}

static void write_pairs(const make *m, gguf_writer *w, const char *base_sha, const char *result) {
    VEC(str) own = {0}, gone = {0};
    gguf_type type;
    for (size_t i = 0; i < gguf_key_count(m->trained); i++) {
        str key = gguf_key_at(m->trained, i, &type);
        ptrdiff_t k = key_index(m->base, key);
        if (str_eq(key, STR("general.architecture"))) continue;
        if (k < 0 || !same_value(m->trained, i, m->base, (size_t)k)) vec_push(&own, key);
    }
    for (size_t i = 0; i < gguf_key_count(m->base); i++) {
        str key = gguf_key_at(m->base, i, &type);
        if (key_index(m->trained, key) < 0) vec_push(&gone, key);
    }
    gguf_write_str(w, STR("general.architecture"), STR("delta"));
    gguf_write_u32(w, STR("delta.version"), DELTA_VERSION);
    gguf_write_str(w, STR("delta.base.sha256"), str_of(base_sha));
    gguf_write_str(w, STR("delta.base.source"), str_of(m->opt->source ? m->opt->source : ""));
    gguf_write_str(w, STR("delta.result.sha256"), str_of(result));
    gguf_write_u32(w, STR("delta.group"), DELTA_GROUP);
    gguf_write_f32s(w, STR("delta.levels"), LEVELS, DELTA_LEVELS);
    gguf_write_strs(w, STR("delta.keys"), own.at, own.count);
    if (gone.count) gguf_write_strs(w, STR("delta.drop"), gone.at, gone.count);
    for (size_t i = 0; i < own.count; i++) {
        strbuf name;
        strbuf_init(&name, LIMIT_GGUF_NAME_BYTES + 16);
        strbuf_addf(&name, "delta.key.%.*s", STR_ARG(own.at[i]));
        gguf_write_copy(w, strbuf_str(&name), m->trained, (size_t)key_index(m->trained, own.at[i]));
        strbuf_deinit(&name);
    }
    vec_free(&own);
    vec_free(&gone);
}

static void describe(gguf_writer *w, str tensor, const char *suffix, int type, uint64_t n,
                     uint64_t bytes) {
    strbuf name;
    strbuf_init(&name, LIMIT_GGUF_NAME_BYTES + 16);
    strbuf_addf(&name, "%.*s%s", STR_ARG(tensor), suffix);
    gguf_write_tensor(w, strbuf_str(&name), type, 1, &n, bytes);
    strbuf_deinit(&name);
}

enum { TYPE_I8 = 24, TYPE_I32 = 26 };

static void write_descriptions(const make *m, gguf_writer *w) {
    for (size_t i = 0; i < gguf_tensor_count(m->base); i++) {
        const gguf_tensor *t = gguf_tensor_at(m->base, i);
        uint64_t n = t->ne[0] * t->ne[1];
        if (t->n_dims == 1) {
            describe(w, t->name, "", K_F32, n, n * 4);
            continue;
        }
        describe(w, t->name, ".code", TYPE_I8, n / 4, n / 4);
        describe(w, t->name, ".scale", K_F16, n / DELTA_GROUP, n / DELTA_GROUP * 2);
        if (!has_rows(m, t)) continue;
        uint64_t rows = m->opt->n_rows;
        describe(w, t->name, ".row_ids", TYPE_I32, rows, rows * 4);
        describe(w, t->name, ".row_values", K_F16, rows * t->ne[0], rows * t->ne[0] * 2);
    }
}

/* ---- tensors ---- */

static float group_scale(const float *d) {
    float r[8];
    for (int k = 0; k < 8; k++)
        r[k] = d[k] * d[k];
    for (int i = 8; i < DELTA_GROUP; i += 8) {
        for (int k = 0; k < 8; k++)
            r[k] += d[i + k] * d[i + k];
    }
    float sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    return sqrtf(sum / (float)DELTA_GROUP);
}

static int nearest_level(float x) {
    int code = 0;
    for (int i = 0; i + 1 < DELTA_LEVELS; i++)
        code += (LEVELS[i] + LEVELS[i + 1]) / 2 < x;
    return code;
}

static void code_row(const float *d, uint64_t cols, uint8_t *code, k_half *scale) {
    for (uint64_t g = 0; g < cols / DELTA_GROUP; g++, d += DELTA_GROUP) {
        scale[g] = k_float_to_half(group_scale(d));
        float s = fmaxf(k_half_to_float(scale[g]), 1e-12f);
        for (int i = 0; i < DELTA_GROUP; i += 4) {
            int byte = 0;
            for (int k = 0; k < 4; k++)
                byte |= nearest_level(d[i + k] / s) << (2 * k);
            code[(g * DELTA_GROUP + (uint64_t)i) / 4] = (uint8_t)byte;
        }
    }
}

static void row_of(const gguf_tensor *t, uint64_t row, float *out) {
    size_t bytes = k_row_bytes((k_type)t->type, (int64_t)t->ne[0]);
    k_dequant((k_type)t->type, (const uint8_t *)t->data + row * bytes, out, (int64_t)t->ne[0]);
}

static void write_rows(const make *m, gguf_writer *w, const gguf_tensor *trained) {
    uint64_t cols = trained->ne[0];
    float *v = xmalloc(cols * sizeof *v);
    k_half *h = xmalloc(cols * sizeof *h);
    gguf_write_data(w, m->opt->rows, m->opt->n_rows * sizeof *m->opt->rows);
    for (size_t i = 0; i < m->opt->n_rows; i++) {
        row_of(trained, (uint64_t)m->opt->rows[i], v);
        for (uint64_t c = 0; c < cols; c++)
            h[c] = k_float_to_half(v[c]);
        gguf_write_data(w, h, cols * sizeof *h);
    }
    xfree(v);
    xfree(h);
}

static void write_matrix(const make *m, gguf_writer *w, const gguf_tensor *base,
                         const gguf_tensor *trained) {
    uint64_t cols = base->ne[0], rows = base->ne[1], groups = cols / DELTA_GROUP;
    float *a = xmalloc(cols * sizeof *a), *b = xmalloc(cols * sizeof *b);
    uint8_t *code = xmalloc(rows * cols / 4);
    k_half *scale = xmalloc(rows * groups * sizeof *scale);
    for (uint64_t r = 0; r < rows; r++) {
        row_of(trained, r, a);
        row_of(base, r, b);
        bool whole = is_row(m, base, r);
        for (uint64_t c = 0; c < cols; c++)
            a[c] = whole ? 0 : a[c] - b[c];
        code_row(a, cols, code + r * cols / 4, scale + r * groups);
    }
    gguf_write_data(w, code, rows * cols / 4);
    gguf_write_data(w, scale, rows * groups * sizeof *scale);
    if (has_rows(m, base)) write_rows(m, w, trained);
    xfree(a);
    xfree(b);
    xfree(code);
    xfree(scale);
}

static status write_tensors(const make *m, gguf_writer *w, err *e) {
    for (size_t i = 0; i < gguf_tensor_count(m->base); i++) {
        const gguf_tensor *t = gguf_tensor_at(m->base, i), *other = partner(m, t, e);
        if (t->n_dims == 1) {
            float *v = xmalloc(t->ne[0] * sizeof *v);
            row_of(other, 0, v);
            gguf_write_data(w, v, t->ne[0] * sizeof *v);
            xfree(v);
        } else {
            write_matrix(m, w, t, other);
        }
        double done = (double)(i + 1) / (double)gguf_tensor_count(m->base);
        if (m->hooks && m->hooks->progress && !m->hooks->progress(m->hooks->ud, done))
            return err_set(e, ERR_CANCELLED, "cancelled");
    }
    return OK;
}

static status write_delta(const make *m, const char *base_sha, const char *result, err *e) {
    gguf_writer *w = NULL;
    status s = gguf_writer_open(&w, m->out, e);
    if (s == OK) {
        write_pairs(m, w, base_sha, result);
        write_descriptions(m, w);
        s = write_tensors(m, w, e);
    }
    if (s == OK) s = gguf_writer_commit(w, e);
    gguf_writer_close(w);
    return s;
}

static status hash_bytes(void *ud, const void *bytes, size_t n, err *e) {
    UNUSED(e);
    sha256_add(ud, bytes, n);
    return OK;
}

/* The result's hash is known only after the delta is: it is written twice. */
static status run_make(const make *m, err *e) {
    char base_sha[65], result[65];
    gguf *delta = NULL;
    sha256 h;
    memset(result, '0', 64);
    result[64] = '\0';
    status s = delta_file_sha256(m->base_path, base_sha, e);
    if (s == OK) s = write_delta(m, base_sha, result, e);
    if (s == OK) s = gguf_open(&delta, m->out, e);
    sha256_init(&h);
    if (s == OK) s = delta_compute(m->base, delta, LEVELS, hash_bytes, &h, NULL, e);
    gguf_close(delta);
    if (s != OK) return s;
    sha256_hex(&h, result);
    return write_delta(m, base_sha, result, e);
}

status delta_make(const char *base, const char *trained, const char *out,
                  const delta_make_options *opt, const delta_hooks *hooks, err *e) {
    gguf *b = NULL, *t = NULL;
    status s = gguf_open(&b, base, e);
    if (s == OK) s = gguf_open(&t, trained, e);
    make m = {b, t, base, out, opt, hooks};
    for (size_t i = 0; s == OK && i < gguf_tensor_count(b); i++) {
        const gguf_tensor *x = gguf_tensor_at(b, i);
        if (!partner(&m, x, e)) s = ERR_FORMAT;
        for (size_t r = 0; s == OK && has_rows(&m, x) && r < opt->n_rows; r++) {
            if (opt->rows[r] < 0 || (uint64_t)opt->rows[r] >= x->ne[1])
                s = err_set(e, ERR_USAGE, "row %d is not in %.*s", opt->rows[r], STR_ARG(x->name));
        }
    }
    if (s == OK) s = run_make(&m, e);
    gguf_close(b);
    gguf_close(t);
    return s;
}
