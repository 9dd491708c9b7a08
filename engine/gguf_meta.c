/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF metadata: reading key-value pairs and answering questions about them.
 *
 * Values stay in the mapping and are decoded when asked for.  The only memory per pair is the table
 * of string positions of a string array, so that element i of 500,000 merges is found in O(1).  Its
 * size is bounded by what the file really holds: an element needs 8 bytes of length at least.
 * Thread: any, one at a time; after reading everything here is immutable. */
#include <inttypes.h>
#include <math.h>

#include "engine/gguf_private.h"

static const uint8_t type_bytes[] = {
    [GGUF_U8] = 1,  [GGUF_I8] = 1,     [GGUF_U16] = 2,   [GGUF_I16] = 2, [GGUF_U32] = 4,
    [GGUF_I32] = 4, [GGUF_F32] = 4,    [GGUF_BOOL] = 1,  [GGUF_U64] = 8, [GGUF_I64] = 8,
    [GGUF_F64] = 8, [GGUF_STRING] = 0, [GGUF_ARRAY] = 0,
};

/* ---- reading ------------------------------------------------------------------------------- */

static gguf_type read_type(cursor *c, const char *field) {
    uint64_t at = cursor_position(c);
    uint32_t t = cursor_u32(c, field);
    if (t > GGUF_F64) cursor_fail(c, ERR_FORMAT, at, "%s is %u, which no GGUF type has,", field, t);
    return c->status == OK ? (gguf_type)t : GGUF_U8;
}

static void read_string_array(cursor *c, gguf_kv *kv) {
    uint64_t start = cursor_position(c);
    kv->data = c->at;
    if (kv->count > cursor_left(c) / 8) {
        cursor_fail(c, ERR_FORMAT, start,
                    "an array claims %" PRIu64 " strings, more than the rest of the file can hold "
                    "(truncated or damaged; download it again)",
                    kv->count);
        return;
    }
    kv->offsets = xcalloc((size_t)MAX(kv->count, 1), sizeof *kv->offsets);
    for (uint64_t i = 0; i < kv->count && c->status == OK; i++) {
        uint64_t at = cursor_position(c) - start;
        if (at > UINT32_MAX) {
            cursor_fail(c, ERR_LIMIT, start, "a string array is larger than 4 GiB");
            return;
        }
        kv->offsets[i] = (uint32_t)at;
        cursor_str(c, LIMIT_GGUF_STRING_BYTES, "a string in an array");
    }
}

static void read_array(cursor *c, gguf_kv *kv) {
    uint64_t at = cursor_position(c);
    kv->elem = read_type(c, "the element type of an array");
    kv->count = cursor_u64(c, "the length of an array");
    if (c->status != OK) return;
    if (kv->elem == GGUF_ARRAY) {
        cursor_fail(c, ERR_UNSUPPORTED, at, "an array of arrays");
    } else if (kv->count > LIMIT_GGUF_ARRAY) {
        cursor_fail(c, ERR_LIMIT, at,
                    "an array claims %" PRIu64 " elements, at most %u are allowed,", kv->count,
                    LIMIT_GGUF_ARRAY);
    } else if (kv->elem == GGUF_STRING) {
        read_string_array(c, kv);
    } else {
        kv->data = cursor_take(c, kv->count * type_bytes[kv->elem], "the elements of an array");
    }
}

static void read_kv(cursor *c, gguf_kv *kv) {
    uint64_t at = cursor_position(c);
    kv->key = cursor_str(c, LIMIT_GGUF_NAME_BYTES, "a metadata key");
    if (c->status == OK && kv->key.len == 0)
        cursor_fail(c, ERR_FORMAT, at, "an empty metadata key");
    c->within = kv->key;
    kv->type = read_type(c, "the type of a metadata value");
    kv->count = 1;
    if (c->status != OK) return;
    if (kv->type == GGUF_ARRAY) {
        read_array(c, kv);
    } else if (kv->type == GGUF_STRING) {
        str s = cursor_str(c, LIMIT_GGUF_STRING_BYTES, "a metadata string");
        kv->data = (const uint8_t *)s.ptr;
        kv->bytes = s.len;
    } else {
        kv->data = cursor_take(c, type_bytes[kv->type], "a metadata value");
    }
    c->within = (str){0};
}

void gguf_read_kvs(cursor *c, uint64_t count, gguf_kv_vec *out) {
    for (uint64_t i = 0; i < count && c->status == OK; i++) {
        gguf_kv kv = {0};
        read_kv(c, &kv);
        vec_push(out, kv);
    }
}

void gguf_kvs_free(gguf_kv_vec *v) {
    for (size_t i = 0; i < v->count; i++)
        xfree(v->at[i].offsets);
    vec_free(v);
}

/* ---- names --------------------------------------------------------------------------------- */

static str name_at(const void *items, size_t stride, size_t i) {
    str s;
    memcpy(&s, (const char *)items + i * stride, sizeof s);
    return s;
}

static int compare(str a, str b) {
    size_t n = MIN(a.len, b.len);
    int d = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return d ? d : (a.len > b.len) - (a.len < b.len);
}

typedef struct {
    str name;
    uint32_t index;
} indexed;

static int compare_indexed(const void *a, const void *b) {
    const indexed *x = a, *y = b;
    return compare(x->name, y->name);
}

uint32_t *gguf_index(const void *items, size_t count, size_t stride, str *dup) {
    indexed *all = xcalloc(MAX(count, 1), sizeof *all);
    for (size_t i = 0; i < count; i++)
        all[i] = (indexed){name_at(items, stride, i), (uint32_t)i};
    qsort(all, count, sizeof *all, compare_indexed);
    uint32_t *order = xcalloc(MAX(count, 1), sizeof *order);
    for (size_t i = 0; i < count; i++) {
        order[i] = all[i].index;
        if (i > 0 && str_eq(all[i - 1].name, all[i].name)) {
            *dup = all[i].name;
            xfree(order);
            order = NULL;
            break;
        }
    }
    xfree(all);
    return order;
}

ptrdiff_t gguf_index_find(const void *items, size_t count, size_t stride, const uint32_t *order,
                          str name) {
    size_t lo = 0, hi = count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int d = compare(name_at(items, stride, order[mid]), name);
        if (d == 0) return (ptrdiff_t)order[mid];
        if (d < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return -1;
}

/* ---- questions ----------------------------------------------------------------------------- */

static const gguf_kv *find(const gguf *g, const char *key) {
    ptrdiff_t i =
        gguf_index_find(g->kvs.at, g->kvs.count, sizeof(gguf_kv), g->kv_order, str_of(key));
    return i < 0 ? NULL : &g->kvs.at[i];
}

static uint64_t load(const uint8_t *p, gguf_type type) {
    uint64_t v = 0;
    for (int i = 0; i < type_bytes[type]; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

/* Integers only; false for other kinds and for u64 above the range of i64. */
static bool element_i64(const gguf_kv *kv, gguf_type type, uint64_t i, int64_t *out) {
    if (type == GGUF_STRING || type == GGUF_ARRAY) return false;
    uint64_t v = load(kv->data + i * type_bytes[type], type);
    switch (type) {
    case GGUF_U8:
    case GGUF_U16:
    case GGUF_U32: *out = (int64_t)v; return true;
    case GGUF_I8: *out = (int8_t)v; return true;
    case GGUF_I16: *out = (int16_t)v; return true;
    case GGUF_I32: *out = (int32_t)v; return true;
    case GGUF_I64: *out = (int64_t)v; return true;
    case GGUF_U64: *out = (int64_t)v; return v <= INT64_MAX;
    case GGUF_BOOL:
    case GGUF_F32:
    case GGUF_F64:
    case GGUF_STRING:
    case GGUF_ARRAY: return false;
    }
    ASSERT(0);
}

static bool element_f64(const gguf_kv *kv, gguf_type type, uint64_t i, double *out) {
    int64_t whole;
    if (type == GGUF_F32) {
        uint32_t bits = (uint32_t)load(kv->data + i * 4, type);
        float f;
        memcpy(&f, &bits, sizeof f);
        *out = (double)f;
        return true;
    }
    if (type == GGUF_F64) {
        uint64_t bits = load(kv->data + i * 8, type);
        memcpy(out, &bits, sizeof *out);
        return true;
    }
    if (!element_i64(kv, type, i, &whole)) return false;
    *out = (double)whole;
    return true;
}

bool gguf_find_i64(const gguf *g, const char *key, int64_t *out) {
    const gguf_kv *kv = find(g, key);
    return kv && element_i64(kv, kv->type, 0, out);
}

bool gguf_find_f64(const gguf *g, const char *key, double *out) {
    const gguf_kv *kv = find(g, key);
    return kv && element_f64(kv, kv->type, 0, out);
}

bool gguf_find_bool(const gguf *g, const char *key, bool *out) {
    const gguf_kv *kv = find(g, key);
    if (!kv || kv->type != GGUF_BOOL) return false;
    *out = kv->data[0] != 0;
    return true;
}

bool gguf_find_str(const gguf *g, const char *key, str *out) {
    const gguf_kv *kv = find(g, key);
    if (!kv || kv->type != GGUF_STRING) return false;
    *out = (str){(const char *)kv->data, kv->bytes};
    return true;
}

bool gguf_find_array(const gguf *g, const char *key, gguf_type *type, uint64_t *count) {
    const gguf_kv *kv = find(g, key);
    if (!kv || kv->type != GGUF_ARRAY) return false;
    *type = kv->elem;
    *count = kv->count;
    return true;
}

static str element_str(const gguf_kv *kv, uint64_t i) {
    const uint8_t *p = kv->data + kv->offsets[i];
    return (str){(const char *)p + 8, (size_t)load(p, GGUF_U64)};
}

str gguf_array_str(const gguf *g, const char *key, uint64_t i) {
    const gguf_kv *kv = find(g, key);
    ASSERT(kv && kv->offsets && i < kv->count);
    return element_str(kv, i);
}

bool gguf_array_strs(const gguf *g, const char *key, str *out, uint64_t count) {
    const gguf_kv *kv = find(g, key);
    if (!kv || !kv->offsets || kv->count != count) return false;
    for (uint64_t i = 0; i < count; i++)
        out[i] = element_str(kv, i);
    return true;
}

bool gguf_array_f32(const gguf *g, const char *key, float *out, uint64_t count) {
    const gguf_kv *kv = find(g, key);
    if (!kv || kv->type != GGUF_ARRAY || kv->count != count) return false;
    for (uint64_t i = 0; i < count; i++) {
        double v;
        if (!element_f64(kv, kv->elem, i, &v)) return false;
        out[i] = (float)v;
    }
    return true;
}

bool gguf_array_i32(const gguf *g, const char *key, int32_t *out, uint64_t count) {
    const gguf_kv *kv = find(g, key);
    if (!kv || kv->type != GGUF_ARRAY || kv->count != count) return false;
    for (uint64_t i = 0; i < count; i++) {
        int64_t v;
        if (kv->elem == GGUF_BOOL)
            v = kv->data[i] != 0; /* per-layer flags are read as numbers */
        else if (!element_i64(kv, kv->elem, i, &v))
            return false;
        if (v < INT32_MIN || v > INT32_MAX) return false;
        out[i] = (int32_t)v;
    }
    return true;
}

size_t gguf_key_count(const gguf *g) {
    return g->kvs.count;
}

str gguf_key_at(const gguf *g, size_t index, gguf_type *type) {
    ASSERT(index < g->kvs.count);
    if (type) *type = g->kvs.at[index].type;
    return g->kvs.at[index].key;
}

uint64_t gguf_kvs_u64(const gguf_kv_vec *v, const char *key, uint64_t fallback) {
    for (size_t i = 0; i < v->count; i++) {
        int64_t n;
        const gguf_kv *kv = &v->at[i];
        if (str_eq(kv->key, str_of(key)) && element_i64(kv, kv->type, 0, &n) && n >= 0)
            return (uint64_t)n;
    }
    return fallback;
}

str gguf_key_raw(const gguf *g, size_t index, uint32_t head[static 2], uint64_t *count) {
    const gguf_kv *kv = &g->kvs.at[index];
    head[0] = (uint32_t)kv->type;
    head[1] = (uint32_t)kv->elem;
    *count = kv->type == GGUF_STRING ? kv->bytes : kv->count;
    if (kv->type == GGUF_STRING) return (str){(const char *)kv->data, kv->bytes};
    if (kv->type != GGUF_ARRAY) return (str){(const char *)kv->data, type_bytes[kv->type]};
    if (kv->elem != GGUF_STRING)
        return (str){(const char *)kv->data, (size_t)(kv->count * type_bytes[kv->elem])};
    if (kv->count == 0) return (str){NULL, 0};
    str last = element_str(kv, kv->count - 1);
    return (str){(const char *)kv->data, (size_t)(last.ptr + last.len - (const char *)kv->data)};
}
