/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A GGUF v2/v3 file, mapped read-only, every field bounded before it is believed.
 * Thread: any, one at a time; after opening it is immutable. */
#include "engine/base/status.h"
#include "engine/base/str.h"
#include "kernels/blocks.h"

typedef struct gguf gguf;

typedef enum {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
} gguf_type;

typedef struct {
    str name;
    int type;         /* GGUF's number; may be one that k_type does not know */
    int n_dims;       /* 1..4 */
    uint64_t ne[4];   /* ne[0]: row length; unused dimensions are 1 */
    const void *data; /* inside the mapping */
    uint64_t bytes;   /* 0 when the type is unknown */
} gguf_tensor;

/* Opens a file (or the first part of NAME-00001-of-0000N.gguf and the rest beside it).  The error
 * sentence names the file, the field and the byte position. */
status gguf_open(gguf **out, const char *path, err *e) MUST_USE;
/* The same over bytes in memory, borrowed until gguf_close (tests, fuzzing). */
status gguf_parse(gguf **out, const void *bytes, size_t n, const char *name, err *e) MUST_USE;
void gguf_close(gguf *g); /* accepts NULL */

const char *gguf_path(const gguf *g);
uint64_t gguf_file_bytes(const gguf *g);
size_t gguf_tensor_count(const gguf *g);
const gguf_tensor *gguf_tensor_at(const gguf *g, size_t index);
const gguf_tensor *gguf_tensor_find(const gguf *g, const char *name); /* NULL: not there */

/* Metadata.  `find` forms return false when the key is absent or has another kind (any integer type
 * converts to i64, any float or integer to f64). */
bool gguf_find_i64(const gguf *g, const char *key, int64_t *out);
bool gguf_find_f64(const gguf *g, const char *key, double *out);
bool gguf_find_bool(const gguf *g, const char *key, bool *out);
bool gguf_find_str(const gguf *g, const char *key, str *out);
/* Arrays: element type and count; false when absent or no array. */
bool gguf_find_array(const gguf *g, const char *key, gguf_type *type, uint64_t *count);
/* Element `i` of an array found before (O(1) for all kinds; i < count, kind must match). */
str gguf_array_str(const gguf *g, const char *key, uint64_t i);
/* Whole string arrays: slices of the file; out has room for count elements. */
bool gguf_array_strs(const gguf *g, const char *key, str *out, uint64_t count);
/* Whole numeric arrays, converted; out has room for count elements. */
bool gguf_array_f32(const gguf *g, const char *key, float *out, uint64_t count);
bool gguf_array_i32(const gguf *g, const char *key, int32_t *out, uint64_t count);

size_t gguf_key_count(const gguf *g);
str gguf_key_at(const gguf *g, size_t index, gguf_type *type);
/* The value of pair `index` as it lies in the file, for writing it again: head[0] its type,
 * head[1] the
 * element type of an array, *count the elements of an array or the bytes of a string (whose lengths
 * do not stand in the result; those of the strings of an array do). */
str gguf_key_raw(const gguf *g, size_t index, uint32_t head[static 2], uint64_t *count);
