/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What gguf.c (container, tensors, files) and gguf_meta.c (key-value pairs) share. */
#include "engine/base/limits.h"
#include "engine/base/vec.h"
#include "engine/cursor.h"
#include "engine/gguf.h"

/* One key-value pair; everything points into the mapping but `offsets`. */
typedef struct {
    str key;
    gguf_type type; /* GGUF_ARRAY: `elem` says of what */
    gguf_type elem;
    uint64_t count;      /* elements; 1 for scalars */
    const uint8_t *data; /* scalar or first element; for a string: its first character */
    size_t bytes;        /* of a scalar string */
    uint32_t *offsets; /* string arrays: element i starts (with its length) at data + offsets[i] */
} gguf_kv;

typedef VEC(gguf_kv) gguf_kv_vec;

typedef struct {
    char *path; /* or the name given to gguf_parse */
    const uint8_t *base;
    size_t bytes;
    bool mapped; /* munmap at the end */
} gguf_part;

struct gguf {
    VEC(gguf_part) parts;
    gguf_kv_vec kvs;    /* of the first part, in file order */
    uint32_t *kv_order; /* indices of kvs, sorted by key */
    VEC(gguf_tensor) tensors;
    uint32_t *tensor_order; /* indices of tensors, sorted by name */
};

/* Reads `count` pairs; refuses unknown types, nested arrays, limits. */
void gguf_read_kvs(cursor *c, uint64_t count, gguf_kv_vec *out);
void gguf_kvs_free(gguf_kv_vec *v);
/* Sorted index over `count` names (a stride-separated array of structs that begin with a str).
 * Returns the indices (xfree), or NULL with the name of a duplicate in *dup. */
uint32_t *gguf_index(const void *items, size_t count, size_t stride, str *dup);
/* Position of `name` in such an index, or -1. */
ptrdiff_t gguf_index_find(const void *items, size_t count, size_t stride, const uint32_t *order,
                          str name);
/* An unsigned number, found without the index (general.alignment, split.*); else `fallback`. */
uint64_t gguf_kvs_u64(const gguf_kv_vec *v, const char *key, uint64_t fallback);
