/* SPDX-License-Identifier: Apache-2.0 */
/* decode(encode(x)) == x for any bytes and every family of byte-level BPE, and plain text never
 * gives a control token.  The first byte of the input chooses the family. */
#include "engine/tokenizer.h"
#include "tests/engine/small_vocab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const families[] = {
    "smollm",      "gpt-2",  "qwen2",  "qwen35", "llama3",     "deepseek-coder", "deepseek-llm",
    "deepseek-v3", "tekken", "gpt-4o", "falcon", "seed-coder", "default",        "bloom",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    tokenizer *t = small_vocab_open(families[data[0] % COUNTOF(families)]);
    str text = {(const char *)data + 1, size - 1};
    token_vec ids = {0};
    strbuf back;
    strbuf_init(&back, size + 1);
    if (tokenizer_encode(t, text, false, &ids, NULL) != OK) abort();
    tokenizer_decode(t, ids.at, ids.count, true, &back);
    if (!str_eq(strbuf_str(&back), text)) abort();
    for (size_t i = 0; i < ids.count; i++) {
        if (tokenizer_is_control(t, ids.at[i])) abort();
    }
    vec_clear(&ids);
    strbuf_clear(&back);
    if (tokenizer_encode(t, text, true, &ids, NULL) != OK) abort();
    tokenizer_decode(t, ids.at, ids.count, true, &back);
    if (!str_eq(strbuf_str(&back), text)) abort();
    strbuf_deinit(&back);
    vec_free(&ids);
    tokenizer_close(t);
    return 0;
}
