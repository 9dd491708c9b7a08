/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Builds GGUF files in memory for tests, the good and the bad ones.
 *
 *     gguf_builder b;  builder_init(&b);
 *     builder_u32(&b, "general.alignment", 64);
 *     builder_tensor(&b, "w", K_F32, 2, (uint64_t[]){8, 3});
 *     str file = builder_finish(&b);   (valid until builder_deinit) */
#include "engine/base/str.h"
#include "engine/gguf.h"

typedef struct {
    strbuf kvs, infos, file;
    uint64_t n_kvs, n_tensors;
    uint64_t data_bytes; /* so far, padded */
    uint64_t alignment;
    uint32_t version;
} gguf_builder;

void builder_init(gguf_builder *b);
void builder_deinit(gguf_builder *b);
/* Raw numbers and strings, for what should be wrong. */
void put_u32(strbuf *to, uint32_t v);
void put_u64(strbuf *to, uint64_t v);
void put_str(strbuf *to, str s);

void builder_u32(gguf_builder *b, const char *key, uint32_t v);
void builder_bool(gguf_builder *b, const char *key, bool v);
void builder_str(gguf_builder *b, const char *key, const char *v);
void builder_strs(gguf_builder *b, const char *key, const str *v, size_t n);
void builder_i32s(gguf_builder *b, const char *key, const int32_t *v, size_t n);
void builder_f32s(gguf_builder *b, const char *key, const float *v, size_t n);
/* A key of any type; the caller appends the value to b->kvs. */
void builder_key(gguf_builder *b, const char *key, uint32_t type);
/* A tensor behind the last one, its data zero. */
void builder_tensor(gguf_builder *b, const char *name, int type, int n_dims, const uint64_t *ne);
/* Only the info, with any offset and no data. */
void builder_tensor_at(gguf_builder *b, const char *name, int type, int n_dims, const uint64_t *ne,
                       uint64_t offset);
str builder_finish(gguf_builder *b);
