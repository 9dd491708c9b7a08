/* SPDX-License-Identifier: Apache-2.0 */
/* See json_value.h.  Whole numbers become integers, because templates print them. */
#include "lsp/json_value.h"

#include <math.h>

#include <cjson/cJSON.h>

#include "engine/base/limits.h"

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

/* ---- what was cut ---------------------------------------------------------------------------- */

typedef struct {
    char open[LIMIT_JSON_DEPTH]; /* the brackets that end what is open */
    size_t depth, outer;         /* outer: depth inside of the outermost array; 0: not yet */
    size_t keep, keep_depth;     /* bytes that may stay, and what is open behind them */
    bool quoted, escaped;
} cut_scan;

/* One byte; false: no JSON. */
static bool scan_byte(cut_scan *c, char byte, size_t end) {
    if (c->quoted) {
        c->quoted = c->escaped || byte != '"';
        c->escaped = !c->escaped && byte == '\\';
        return true;
    }
    if (byte == '"') c->quoted = true;
    if (byte == '{' || byte == '[') {
        if (c->depth == LIMIT_JSON_DEPTH) return false;
        c->open[c->depth++] = byte == '{' ? '}' : ']';
        if (byte == '[' && !c->outer) c->outer = c->depth;
    } else if (byte == '}' || byte == ']') {
        if (!c->depth || c->open[c->depth - 1] != byte) return false;
        c->depth--;
    } else {
        return true;
    }
    bool begins = byte == '[' && c->depth == c->outer; /* empty, it is whole */
    bool ends = (byte == '}' || byte == ']') && c->outer && c->depth <= c->outer;
    if (begins || ends) {
        c->keep = end;
        c->keep_depth = c->depth;
    }
    return true;
}

cJSON *json_of_cut(str text) {
    cut_scan c = {.keep = 0};
    bool good = true;
    for (size_t i = 0; i < text.len && good; i++)
        good = scan_byte(&c, text.ptr[i], i + 1);
    if (!good || !c.keep) return NULL;
    strbuf whole;
    strbuf_init(&whole, text.len + LIMIT_JSON_DEPTH + 1);
    strbuf_add_str(&whole, str_sub(text, 0, c.keep));
    while (c.keep_depth > 0)
        strbuf_add_char(&whole, c.open[--c.keep_depth]);
    cJSON *json = whole.overflow ? NULL : cJSON_ParseWithLength(whole.ptr, whole.len);
    strbuf_deinit(&whole);
    return json;
}
