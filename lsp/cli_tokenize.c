/* SPDX-License-Identifier: Apache-2.0 */
/* `inlined tokenize`: text to token ids and back, with the model's own tokenizer and nothing else
 * of the model.  Plain output can be fed back: ids with commas go into --decode, and --decode
 * writes the exact bytes.  Thread: main. */
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include "engine/gguf.h"
#include "engine/registry.h"
#include "engine/tokenizer.h"
#include "lsp/cli_engine.h"

static status encode(const tokenizer *t, const cli_args *a, err *e);
static status decode(const tokenizer *t, const cli_args *a, err *e);

static status open_tokenizer(tokenizer **out, const cli_args *a, err *e) {
    settings st;
    registry *r = NULL;
    gguf *file = NULL;
    char *path = NULL, *name = NULL;
    status s = cli_settings(a, &st, e);
    if (s == OK) s = registry_open(&r, e);
    if (s == OK) s = registry_resolve(r, st.model, &path, &name, e);
    if (s == OK) s = gguf_open(&file, path, e);
    if (s == OK) s = tokenizer_open(out, file, e);
    gguf_close(file);
    registry_close(r);
    xfree(path);
    xfree(name);
    return s;
}

status cli_tokenize(const cli_args *a, err *e) {
    tokenizer *t = NULL;
    status s = open_tokenizer(&t, a, e);
    if (s == OK) s = a->decode ? decode(t, a, e) : encode(t, a, e);
    tokenizer_close(t);
    return s;
}

static status write_ids(const token_vec *ids, const cli_args *a, err *e) {
    if (a->json) {
        cJSON *o = cJSON_CreateObject();
        cJSON *list = cJSON_AddArrayToObject(o, "tokens");
        for (size_t i = 0; i < ids->count; i++)
            cJSON_AddItemToArray(list, cJSON_CreateNumber(ids->at[i]));
        return term_write_json(o, e);
    }
    strbuf out;
    strbuf_init(&out, (size_t)LIMIT_PROMPT_TOKENS * 12);
    for (size_t i = 0; i < ids->count; i++)
        strbuf_addf(&out, i ? ",%d" : "%d", (int)ids->at[i]);
    strbuf_add_char(&out, '\n');
    status s = term_write(strbuf_str(&out), e);
    strbuf_deinit(&out);
    return s;
}

static status encode(const tokenizer *t, const cli_args *a, err *e) {
    strbuf text;
    strbuf_init(&text, LIMIT_DOCUMENT_BYTES);
    token_vec ids = {0};
    status s = file_read(a->n_operands ? a->operands[0] : "-", LIMIT_DOCUMENT_BYTES, &text, e);
    if (s == OK) s = tokenizer_encode(t, strbuf_str(&text), a->special, &ids, e);
    if (s == OK) s = write_ids(&ids, a, e);
    vec_free(&ids);
    strbuf_deinit(&text);
    return s;
}

static status write_text(str text, const cli_args *a, err *e) {
    if (a->json) {
        strbuf clean;
        strbuf_init(&clean, 4 * (size_t)LIMIT_DOCUMENT_BYTES);
        utf8_sanitize(&clean, text);
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "text", clean.ptr ? clean.ptr : "");
        strbuf_deinit(&clean);
        return term_write_json(o, e);
    }
    status s = term_write(text, e);
    if (s == OK && isatty(STDOUT_FILENO)) s = term_write(STR("\n"), e);
    return s;
}

static status decode(const tokenizer *t, const cli_args *a, err *e) {
    int32_t *ids = NULL;
    size_t count = 0;
    strbuf text;
    strbuf_init(&text, LIMIT_DOCUMENT_BYTES);
    int vocab = tokenizer_get_facts(t)->vocab;
    status s = cli_ids_parse(a->decode, &ids, &count, e);
    for (size_t i = 0; s == OK && i < count; i++) {
        if (ids[i] < vocab) continue;
        s = err_set(e, ERR_USAGE, "there is no token %d: this model has ids from 0 to %d",
                    (int)ids[i], vocab - 1);
    }
    if (s == OK) tokenizer_decode(t, ids, count, a->special, &text);
    if (s == OK) s = write_text(strbuf_str(&text), a, e);
    strbuf_deinit(&text);
    xfree(ids);
    return s;
}
