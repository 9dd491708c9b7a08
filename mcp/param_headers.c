/* SPDX-License-Identifier: Apache-2.0 */
/* "x-mcp-header" annotations: found by walking `properties` only, which is the only way they may be
 * reached; any that stands elsewhere makes the tool unusable.  Depth is bounded by rpc_parse.
 * Pure. */
#include "mcp/param_headers.h"

#include "engine/base/vec.h"

static const char ANNOTATION[] = "x-mcp-header";

typedef struct {
    VEC(const char *) names;
    err *e;
} walk;

static const cJSON *member(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static bool is_token(const char *s) {
    size_t n = strlen(s);
    return n > 0 && n < 200 &&
           strspn(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == n;
}

static bool has_simple_type(const cJSON *schema) {
    const cJSON *type = member(schema, "type");
    if (!cJSON_IsString(type)) return false;
    const char *t = type->valuestring;
    return !strcmp(t, "string") || !strcmp(t, "integer") || !strcmp(t, "boolean");
}

static status check_one(walk *w, const cJSON *schema, const cJSON *name) {
    if (!cJSON_IsString(name) || !is_token(name->valuestring))
        return err_set(w->e, ERR_FORMAT, "an x-mcp-header is not the name of a header");
    if (!has_simple_type(schema))
        return err_set(w->e, ERR_FORMAT,
                       "x-mcp-header %.80s is not on a string, integer or "
                       "boolean",
                       name->valuestring);
    for (size_t i = 0; i < w->names.count; i++)
        if (str_eq_ignore_case(str_of(w->names.at[i]), str_of(name->valuestring)))
            return err_set(w->e, ERR_FORMAT, "x-mcp-header %.80s is there twice",
                           name->valuestring);
    vec_push(&w->names, (const char *)name->valuestring);
    return OK;
}

/* `reachable`: by `properties` alone.  Values of "properties" are schemas under names of the tool's
 * own choice; everywhere else members are keywords. */
static status check_schema(walk *w, const cJSON *schema, bool reachable) {
    if (cJSON_IsArray(schema)) {
        const cJSON *item;
        cJSON_ArrayForEach(item, schema) {
            status s = check_schema(w, item, false);
            if (s != OK) return s;
        }
        return OK;
    }
    const cJSON *name = cJSON_IsObject(schema) ? member(schema, ANNOTATION) : NULL;
    if (name && !reachable)
        return err_set(w->e, ERR_FORMAT, "an x-mcp-header stands where no argument is named");
    status s = name ? check_one(w, schema, name) : OK;
    const cJSON *m, *p;
    cJSON_ArrayForEach(m, schema) {
        if (s != OK) break;
        if (m->string && strcmp(m->string, "properties") == 0 && cJSON_IsObject(m)) {
            cJSON_ArrayForEach(p, m) {
                if (s == OK) s = check_schema(w, p, reachable);
            }
        } else {
            s = check_schema(w, m, false);
        }
    }
    return s;
}

status param_headers_check(const cJSON *schema, err *e) {
    walk w = {.e = e};
    const cJSON *own = member(schema, ANNOTATION); /* the whole of the arguments is no argument */
    status s = own ? err_set(e, ERR_FORMAT, "an x-mcp-header stands on the arguments themselves")
                   : check_schema(&w, schema, true);
    vec_free(&w.names);
    return s;
}

static void add_base64(strbuf *out, str in) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < in.len; i += 3) {
        size_t left = in.len - i;
        uint32_t a = (unsigned char)in.ptr[i], b = left > 1 ? (unsigned char)in.ptr[i + 1] : 0;
        uint32_t c = left > 2 ? (unsigned char)in.ptr[i + 2] : 0, v = a << 16 | b << 8 | c;
        strbuf_add_char(out, digits[v >> 18]);
        strbuf_add_char(out, digits[v >> 12 & 63]);
        strbuf_add_char(out, left > 1 ? digits[v >> 6 & 63] : '=');
        strbuf_add_char(out, left > 2 ? digits[v & 63] : '=');
    }
}

static bool needs_code(str v) {
    if (!v.len) return false;
    char first = v.ptr[0], last = v.ptr[v.len - 1];
    bool edges = first == ' ' || first == '\t' || last == ' ' || last == '\t';
    bool sentinel = str_starts_with(v, STR("=?base64?"));
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] < 0x20 || v.ptr[i] > 0x7E) return true;
    return edges || sentinel;
}

void param_header_value(strbuf *out, str value) {
    if (!needs_code(value)) {
        strbuf_add_str(out, value);
        return;
    }
    strbuf_addf(out, "=?base64?");
    add_base64(out, value);
    strbuf_addf(out, "?=");
}

static int digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Strict: padding where it belongs, no digit that means nothing. */
static bool decode_base64(strbuf *out, str in) {
    size_t padding = 0;
    while (padding < 2 && padding < in.len && in.ptr[in.len - 1 - padding] == '=')
        padding++;
    if (in.len % 4) return false;
    for (size_t i = 0; i + 4 <= in.len; i += 4) {
        size_t digits = i + 4 == in.len ? 4 - padding : 4;
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            int d = k < digits ? digit(in.ptr[i + k]) : 0;
            if (d < 0) return false;
            v = v << 6 | (uint32_t)d;
        }
        for (size_t k = 0; k + 1 < digits; k++)
            strbuf_add_char(out, (char)(v >> (16 - 8 * k)));
    }
    return true;
}

bool param_header_says(const char *header, const char *value) {
    const str open = STR("=?base64?"), end = STR("?=");
    strbuf plain, again;
    str given = str_trim(str_of(header)); /* white space around it is HTTP's, not its own */
    bool coded = given.len >= open.len + end.len && str_starts_with(given, open) &&
                 str_ends_with(given, end);
    strbuf_init(&plain, 1u << 20);
    strbuf_init(&again, 1u << 21);
    bool good = !coded || decode_base64(&plain, str_sub(given, open.len, given.len - end.len));
    param_header_value(&again, coded ? strbuf_str(&plain) : given);
    good = good && str_eq(strbuf_str(&again), str_of(value));
    strbuf_deinit(&plain);
    strbuf_deinit(&again);
    return good;
}

static void add_value(const cJSON *name, const cJSON *value,
                      void (*add)(void *ud, const char *name, const char *value), void *ud) {
    char header[256], number[40];
    strbuf out;
    strbuf_init(&out, 1u << 20);
    if (cJSON_IsString(value)) {
        param_header_value(&out, str_of(value->valuestring));
    } else if (cJSON_IsBool(value)) {
        strbuf_addf(&out, "%s", cJSON_IsTrue(value) ? "true" : "false");
    } else if (cJSON_IsNumber(value)) {
        snprintf(number, sizeof number, "%.15g", value->valuedouble);
        strbuf_addf(&out, "%s", number);
    } else {
        return;
    }
    snprintf(header, sizeof header, "Mcp-Param-%s", name->valuestring);
    add(ud, header, out.ptr ? out.ptr : "");
    strbuf_deinit(&out);
}

void param_headers_each(const cJSON *schema, const cJSON *arguments,
                        void (*add)(void *ud, const char *name, const char *value), void *ud) {
    const cJSON *p;
    cJSON_ArrayForEach(p, member(schema, "properties")) {
        const cJSON *value = member(arguments, p->string), *name = member(p, ANNOTATION);
        if (!value || cJSON_IsNull(value)) continue;
        if (cJSON_IsString(name))
            add_value(name, value, add, ud);
        else if (cJSON_IsObject(value))
            param_headers_each(p, value, add, ud);
    }
}
