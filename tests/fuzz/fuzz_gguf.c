/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are a model file or end in one sentence; of what is accepted every byte can be read. */
#include "engine/base/mem.h"
#include "engine/gguf.h"
#include "engine/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads [p, p + n) so that a sanitizer sees a tensor that leaves the file. */
static void touch(const void *p, uint64_t n) {
    const volatile uint8_t *b = p;
    if (n) (void)(b[0] + b[n - 1]);
}

static void read_key(const gguf *g, str key) {
    char name[256];
    gguf_type type;
    uint64_t count;
    int64_t i;
    double d;
    bool flag;
    str s = {0};
    if (key.len >= sizeof name || memchr(key.ptr, 0, key.len)) return;
    snprintf(name, sizeof name, "%.*s", STR_ARG(key));
    (void)gguf_find_i64(g, name, &i);
    (void)gguf_find_f64(g, name, &d);
    (void)gguf_find_bool(g, name, &flag);
    if (gguf_find_str(g, name, &s)) touch(s.ptr, s.len);
    if (!gguf_find_array(g, name, &type, &count) || count > 100000) return;
    for (uint64_t k = 0; type == GGUF_STRING && k < count; k++) {
        s = gguf_array_str(g, name, k);
        touch(s.ptr, s.len);
    }
    float *floats = xcalloc((size_t)count + 1, sizeof *floats);
    int32_t *ints = xcalloc((size_t)count + 1, sizeof *ints);
    (void)gguf_array_f32(g, name, floats, count);
    (void)gguf_array_i32(g, name, ints, count);
    xfree(floats);
    xfree(ints);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    gguf *g = NULL;
    err e = {{0}};
    if (gguf_parse(&g, data, size, "fuzz", &e) != OK) {
        if (!e.text[0] || g) abort();
        return 0;
    }
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        touch(t->data, t->bytes);
    }
    for (size_t i = 0; i < gguf_key_count(g); i++)
        read_key(g, gguf_key_at(g, i, NULL));
    tokenizer *t = NULL;
    status s = tokenizer_open(&t, g, &e);
    gguf_close(g);
    if (s != OK) return 0;
    token_vec ids = {0};
    str text = {(const char *)data, MIN(size, 200)};
    if (tokenizer_encode(t, text, true, &ids, &e) != OK) abort();
    for (size_t i = 0; i < ids.count; i++) {
        if (ids.at[i] < 0 || ids.at[i] >= tokenizer_get_facts(t)->vocab) abort();
    }
    vec_clear(&ids);
    if (tokenizer_encode(t, text, false, &ids, &e) != OK) abort();
    for (size_t i = 0; i < ids.count; i++) { /* plain text never becomes a control token */
        if (tokenizer_is_control(t, ids.at[i]) && ids.at[i] != tokenizer_get_facts(t)->unk) abort();
    }
    vec_free(&ids);
    tokenizer_close(t);
    return 0;
}
