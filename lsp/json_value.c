/* SPDX-License-Identifier: Apache-2.0 */
/* See json_value.h.  Whole numbers become integers, because templates print them. */
#include "lsp/json_value.h"

#include <math.h>

#include <cjson/cJSON.h>

static chat_value number(double d) {
    bool whole = d <= floor(d) && fabs(d) < 9e15;
    return whole ? chat_int((int64_t)d) : chat_float(d);
}

chat_value json_chat_value(const cJSON *v, arena *a) {
    const cJSON *item;
    chat_value out = chat_none();
    if (cJSON_IsString(v)) return chat_str(arena_str(a, str_of(v->valuestring)));
    if (cJSON_IsBool(v)) return chat_bool(cJSON_IsTrue(v));
    if (cJSON_IsNumber(v)) return number(v->valuedouble);
    if (cJSON_IsArray(v)) {
        out = chat_new_list(a);
        cJSON_ArrayForEach(item, v) chat_list_add(a, out, json_chat_value(item, a));
    } else if (cJSON_IsObject(v)) {
        out = chat_new_dict(a);
        cJSON_ArrayForEach(item, v)
            chat_dict_set(a, out, arena_str(a, str_of(item->string)), json_chat_value(item, a));
    }
    return out;
}
