/* SPDX-License-Identifier: Apache-2.0 */
/* The first half of loading: file, tokenizer, plan, memory plan; nothing large is allocated. */
#include "engine/inspect.h"

#include "engine/load.h"

static void take_text(const gguf *g, const char *key, char *out, size_t size) {
    str text;
    if (gguf_find_str(g, key, &text)) snprintf(out, size, "%.*s", STR_ARG(text));
}

static uint64_t count_weights(const gguf *g) {
    uint64_t sum = 0;
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        sum += t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
    }
    return sum;
}

static status plan_memory(const gguf *g, const arch *a, engine_outline *out, err *e) {
    k_backend *backend = NULL;
    plan p = {0};
    status s = k_open(&backend, &(k_options){.device = K_CPU}, e);
    if (s == OK) s = plan_build(&p, a, g, out->context_tokens, e);
    if (s == OK) {
        k_model_options opt = {.plan = &p.plan, .kv_pages = load_pages(out->context_tokens)};
        load_rows(g, backend, &opt);
        out->memory = k_model_plan_memory(backend, &opt);
        snprintf(out->quant, sizeof out->quant, "%s", k_type_name((int)p.main_type));
    }
    plan_deinit(&p);
    k_close(backend);
    return s;
}

status engine_inspect(const char *path, engine_outline *out, err *e) {
    *out = (engine_outline){0};
    gguf *g = NULL;
    tokenizer *t = NULL;
    arch a;
    prompt_style style;
    str template;
    status s = gguf_open(&g, path, e);
    if (s == OK) s = arch_read(&a, g, e);
    if (s == OK) s = tokenizer_open(&t, g, e);
    if (s != OK) goto done;
    prompt_style_detect(&style, t, g);
    take_text(g, "general.name", out->name, sizeof out->name);
    take_text(g, "general.license", out->licence, sizeof out->licence);
    snprintf(out->arch, sizeof out->arch, "%s", a.name);
    out->fim = style.format;
    out->single_line = style.single_line;
    out->has_template = gguf_find_str(g, "tokenizer.chat_template", &template);
    out->context_trained = a.context_trained;
    out->context_tokens = load_context(&a, 0);
    out->parameters = count_weights(g);
    out->file_bytes = gguf_file_bytes(g);
    s = plan_memory(g, &a, out, e);
done:
    tokenizer_close(t);
    gguf_close(g);
    return s;
}
