/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a chat template: parsed, and rendered twice, which must end in the same way. */
#include "engine/base/limits.h"
#include "engine/chat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static chat_value message(arena *a, const char *role, const char *content) {
    chat_value m = chat_new_dict(a);
    chat_dict_set(a, m, STR("role"), chat_str(str_of(role)));
    chat_dict_set(a, m, STR("content"), chat_str(str_of(content)));
    return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    chat_template *t = NULL;
    err e = {{0}};
    arena a;
    strbuf out[2];
    if (chat_template_parse(&t, (str){(const char *)data, size}, &e) != OK) {
        if (!e.text[0]) abort(); /* every refusal has its sentence */
        return 0;
    }
    arena_init(&a);
    chat_value vars = chat_new_dict(&a), messages = chat_new_list(&a);
    chat_list_add(&a, messages, message(&a, "system", "S"));
    chat_list_add(&a, messages, message(&a, "user", "U\n"));
    chat_dict_set(&a, vars, STR("messages"), messages);
    chat_dict_set(&a, vars, STR("add_generation_prompt"), chat_bool(true));
    status s[2];
    for (int i = 0; i < 2; i++) {
        strbuf_init(&out[i], LIMIT_CHAT_OUTPUT_BYTES);
        s[i] = chat_template_render(t, vars, &out[i], &e);
        if (s[i] != OK && !e.text[0]) abort();
    }
    if (s[0] != s[1]) abort();
    for (int i = 0; i < 2; i++)
        strbuf_deinit(&out[i]);
    arena_deinit(&a);
    chat_template_free(t);
    return 0;
}
