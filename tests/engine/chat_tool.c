/* SPDX-License-Identifier: Apache-2.0 */
/* chat_tool: renders chat templates for chat_truth.py.  One JSON object a line on stdin,
 * {"template": text, "vars": {...}}; one a line on stdout, {"text": ...} or {"error", "status"}. */
#include <cjson/cJSON.h>

#include "engine/base/mem.h"
#include "engine/chat.h"

static chat_value value_of(arena *a, const cJSON *j) {
    if (cJSON_IsBool(j)) return chat_bool(cJSON_IsTrue(j));
    if (cJSON_IsString(j)) return chat_str(str_of(j->valuestring));
    if (cJSON_IsNumber(j)) {
        double whole = (double)(int64_t)j->valuedouble;
        bool is_whole = !(whole < j->valuedouble) && !(whole > j->valuedouble);
        return is_whole ? chat_int((int64_t)j->valuedouble) : chat_float(j->valuedouble);
    }
    if (!cJSON_IsArray(j) && !cJSON_IsObject(j)) return chat_none();
    chat_value v = cJSON_IsArray(j) ? chat_new_list(a) : chat_new_dict(a);
    for (const cJSON *c = j->child; c; c = c->next) {
        if (cJSON_IsArray(j))
            chat_list_add(a, v, value_of(a, c));
        else
            chat_dict_set(a, v, str_of(c->string), value_of(a, c));
    }
    return v;
}

static cJSON *render(const cJSON *order) {
    const char *source = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(order, "template"));
    cJSON *out = cJSON_CreateObject();
    chat_template *t = NULL;
    strbuf text;
    arena a;
    err e = {{0}};
    arena_init(&a);
    strbuf_init(&text, 1u << 24);
    status s = chat_template_parse(&t, str_of(source), &e);
    chat_value vars = value_of(&a, cJSON_GetObjectItemCaseSensitive(order, "vars"));
    if (s == OK) s = chat_template_render(t, vars, &text, &e);
    if (s == OK) {
        cJSON_AddStringToObject(out, "text", text.ptr ? text.ptr : "");
    } else {
        cJSON_AddStringToObject(out, "error", e.text);
        cJSON_AddStringToObject(out, "status", status_name(s));
    }
    chat_template_free(t);
    strbuf_deinit(&text);
    arena_deinit(&a);
    return out;
}

int main(void) {
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, stdin) > 0) {
        cJSON *order = cJSON_Parse(line), *out = render(order);
        char *json = cJSON_PrintUnformatted(out);
        puts(json);
        cJSON_free(json);
        cJSON_Delete(order);
        cJSON_Delete(out);
    }
    free(line);
    return 0;
}
