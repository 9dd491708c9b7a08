/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical JSON: sorted members, one form for numbers and texts.  Depth is bounded by rpc_parse.
 * Thread: any; no state. */
#include "mcp/canonical.h"

#include <math.h>

#include "engine/base/hash.h"
#include "engine/base/vec.h"

static int by_name(const void *a, const void *b) {
    return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

static void add_number(strbuf *out, double x) {
    if (floor(x) == x && fabs(x) < 1e15) {
        strbuf_addf(out, "%.0f", x == 0 ? 0 : x);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        char text[40];
        double back;
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (digits < 17 && (!str_to_f64(str_of(text), &back) || back < x || back > x)) continue;
        strbuf_add_str(out, str_of(text));
        return;
    }
}

static void add_text(strbuf *out, const char *text) {
    strbuf_add_char(out, '"');
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            strbuf_addf(out, "\\%c", c);
        else if (c < 0x20)
            strbuf_addf(out, "\\u%04x", c);
        else
            strbuf_add_char(out, *p);
    }
    strbuf_add_char(out, '"');
}

static void add_object(strbuf *out, const cJSON *json) {
    VEC(const cJSON *) members = {0};
    for (const cJSON *m = json->child; m; m = m->next)
        vec_push(&members, m);
    if (members.count) qsort(members.at, members.count, sizeof(const cJSON *), by_name);
    strbuf_add_char(out, '{');
    for (size_t i = 0; i < members.count; i++) {
        if (i) strbuf_add_char(out, ',');
        add_text(out, members.at[i]->string);
        strbuf_add_char(out, ':');
        canonical_add(out, members.at[i]);
    }
    strbuf_add_char(out, '}');
    vec_free(&members);
}

void canonical_add(strbuf *out, const cJSON *json) {
    if (cJSON_IsObject(json)) {
        add_object(out, json);
    } else if (cJSON_IsArray(json)) {
        strbuf_add_char(out, '[');
        for (const cJSON *m = json->child; m; m = m->next) {
            if (m != json->child) strbuf_add_char(out, ',');
            canonical_add(out, m);
        }
        strbuf_add_char(out, ']');
    } else if (cJSON_IsString(json)) {
        add_text(out, json->valuestring);
    } else if (cJSON_IsNumber(json)) {
        add_number(out, json->valuedouble);
    } else {
        strbuf_add_str(out, cJSON_IsTrue(json)    ? STR("true")
                            : cJSON_IsFalse(json) ? STR("false")
                                                  : STR("null"));
    }
}

void canonical_hash(const cJSON *json, char out[static 65]) {
    strbuf text;
    strbuf_init(&text, SIZE_MAX / 2);
    canonical_add(&text, json);
    sha256 h;
    sha256_init(&h);
    sha256_add(&h, text.ptr, text.len);
    sha256_hex(&h, out);
    strbuf_deinit(&text);
}
