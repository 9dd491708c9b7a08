/* SPDX-License-Identifier: Apache-2.0 */
/* Writes what engine/gguf.c reads.  Knows nothing of its limits, so that a test can break them. */
#include "tests/engine/gguf_builder.h"

#define BYTES_MAX (64u << 20)

void builder_init(gguf_builder *b) {
    *b = (gguf_builder){.alignment = 32, .version = 3};
    strbuf_init(&b->kvs, BYTES_MAX);
    strbuf_init(&b->infos, BYTES_MAX);
    strbuf_init(&b->file, BYTES_MAX);
}

void builder_deinit(gguf_builder *b) {
    strbuf_deinit(&b->kvs);
    strbuf_deinit(&b->infos);
    strbuf_deinit(&b->file);
}

static void put(strbuf *to, uint64_t v, int bytes) {
    for (int i = 0; i < bytes; i++)
        strbuf_add_char(to, (char)(uint8_t)(v >> (8 * i)));
}

void put_u32(strbuf *to, uint32_t v) {
    put(to, v, 4);
}

void put_u64(strbuf *to, uint64_t v) {
    put(to, v, 8);
}

void put_str(strbuf *to, str s) {
    put_u64(to, s.len);
    strbuf_add_str(to, s);
}

void builder_key(gguf_builder *b, const char *key, uint32_t type) {
    put_str(&b->kvs, str_of(key));
    put_u32(&b->kvs, type);
    b->n_kvs++;
}

void builder_u32(gguf_builder *b, const char *key, uint32_t v) {
    builder_key(b, key, GGUF_U32);
    put_u32(&b->kvs, v);
}

void builder_bool(gguf_builder *b, const char *key, bool v) {
    builder_key(b, key, GGUF_BOOL);
    strbuf_add_char(&b->kvs, v ? 1 : 0);
}

void builder_str(gguf_builder *b, const char *key, const char *v) {
    builder_key(b, key, GGUF_STRING);
    put_str(&b->kvs, str_of(v));
}

static void array(gguf_builder *b, const char *key, gguf_type elem, size_t n) {
    builder_key(b, key, GGUF_ARRAY);
    put_u32(&b->kvs, elem);
    put_u64(&b->kvs, n);
}

void builder_strs(gguf_builder *b, const char *key, const str *v, size_t n) {
    array(b, key, GGUF_STRING, n);
    for (size_t i = 0; i < n; i++)
        put_str(&b->kvs, v[i]);
}

void builder_i32s(gguf_builder *b, const char *key, const int32_t *v, size_t n) {
    array(b, key, GGUF_I32, n);
    for (size_t i = 0; i < n; i++)
        put_u32(&b->kvs, (uint32_t)v[i]);
}

void builder_f32s(gguf_builder *b, const char *key, const float *v, size_t n) {
    array(b, key, GGUF_F32, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &v[i], sizeof bits);
        put_u32(&b->kvs, bits);
    }
}

void builder_tensor_at(gguf_builder *b, const char *name, int type, int n_dims, const uint64_t *ne,
                       uint64_t offset) {
    put_str(&b->infos, str_of(name));
    put_u32(&b->infos, (uint32_t)n_dims);
    for (int i = 0; i < n_dims; i++)
        put_u64(&b->infos, ne[i]);
    put_u32(&b->infos, (uint32_t)type);
    put_u64(&b->infos, offset);
    b->n_tensors++;
}

void builder_tensor(gguf_builder *b, const char *name, int type, int n_dims, const uint64_t *ne) {
    builder_tensor_at(b, name, type, n_dims, ne, b->data_bytes);
    uint64_t bytes = k_row_bytes((k_type)type, (int64_t)ne[0]);
    for (int i = 1; i < n_dims; i++)
        bytes *= ne[i];
    b->data_bytes += (bytes + b->alignment - 1) / b->alignment * b->alignment;
}

str builder_finish(gguf_builder *b) {
    strbuf_clear(&b->file);
    strbuf_add_str(&b->file, STR("GGUF"));
    put_u32(&b->file, b->version);
    put_u64(&b->file, b->n_tensors);
    put_u64(&b->file, b->n_kvs);
    strbuf_add_str(&b->file, strbuf_str(&b->kvs));
    strbuf_add_str(&b->file, strbuf_str(&b->infos));
    while (b->file.len % b->alignment)
        strbuf_add_char(&b->file, 0);
    for (uint64_t i = 0; i < b->data_bytes; i++)
        strbuf_add_char(&b->file, (char)(uint8_t)i);
    return strbuf_str(&b->file);
}
