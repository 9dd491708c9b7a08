/* SPDX-License-Identifier: Apache-2.0 */
/* See own_private.h.  Thread: any. */
#include <regex.h>

#include "engine/base/limits.h"
#include "mcp/own_private.h"

#define GET(object, name) cJSON_GetObjectItemCaseSensitive(object, name)

static bool is_type(const cJSON *v, const char *type) {
    if (!strcmp(type, "object")) return cJSON_IsObject(v);
    if (!strcmp(type, "array")) return cJSON_IsArray(v);
    if (!strcmp(type, "string")) return cJSON_IsString(v);
    if (!strcmp(type, "boolean")) return cJSON_IsBool(v);
    if (!strcmp(type, "null")) return cJSON_IsNull(v);
    if (!strcmp(type, "number")) return cJSON_IsNumber(v);
    if (!strcmp(type, "integer"))
        return cJSON_IsNumber(v) && v->valuedouble > -9.1e15 && v->valuedouble < 9.1e15 &&
               v->valuedouble >= (double)(int64_t)v->valuedouble &&
               v->valuedouble <= (double)(int64_t)v->valuedouble;
    return true;
}

static bool type_fits(const cJSON *types, const cJSON *v) {
    const cJSON *one;
    if (cJSON_IsString(types)) return is_type(v, types->valuestring);
    if (!cJSON_IsArray(types)) return true;
    cJSON_ArrayForEach(one,
                       types) if (cJSON_IsString(one) && is_type(v, one->valuestring)) return true;
    return false;
}

static bool is_listed(const cJSON *list, const cJSON *v) {
    const cJSON *one;
    if (!cJSON_IsArray(list)) return true;
    cJSON_ArrayForEach(one, list) if (cJSON_Compare(one, v, true)) return true;
    return false;
}

/* Below the smallest or above the largest, as two members of the schema say. */
static bool is_beyond(const cJSON *schema, const char *least, const char *most, double value) {
    const cJSON *a = GET(schema, least), *b = GET(schema, most);
    return (cJSON_IsNumber(a) && value < a->valuedouble) ||
           (cJSON_IsNumber(b) && value > b->valuedouble);
}

static bool matches(const cJSON *pattern, const char *text) {
    regex_t r;
    if (!cJSON_IsString(pattern)) return true;
    if (regcomp(&r, pattern->valuestring, REG_EXTENDED | REG_NOSUB)) return false;
    bool good = regexec(&r, text, 0, NULL, 0) == 0;
    regfree(&r);
    return good;
}

static bool value_fits(const cJSON *schema, const cJSON *v) {
    if (!type_fits(GET(schema, "type"), v) || !is_listed(GET(schema, "enum"), v)) return false;
    if (cJSON_IsNumber(v)) return !is_beyond(schema, "minimum", "maximum", v->valuedouble);
    if (cJSON_IsArray(v)) return !is_beyond(schema, "minItems", "maxItems", cJSON_GetArraySize(v));
    if (!cJSON_IsString(v)) return true;
    return strlen(v->valuestring) <= LIMIT_OWN_ARGUMENT_BYTES &&
           !is_beyond(schema, "minLength", "maxLength", (double)strlen(v->valuestring)) &&
           matches(GET(schema, "pattern"), v->valuestring);
}

static status check(const cJSON *schema, const cJSON *v, const char *name, err *e);

static status check_members(const cJSON *schema, const cJSON *v, err *e) {
    const cJSON *m, *properties = GET(schema, "properties");
    cJSON_ArrayForEach(m, GET(schema, "required")) if (
        cJSON_IsString(m) &&
        !GET(v, m->valuestring)) return err_set(e, ERR_USAGE, "the argument \"%.80s\" is missing",
                                                m->valuestring);
    cJSON_ArrayForEach(m, v) {
        const cJSON *of = GET(properties, m->string);
        if (!of && cJSON_IsFalse(GET(schema, "additionalProperties")))
            return err_set(e, ERR_USAGE, "there is no argument \"%.80s\"", m->string);
        status s = of ? check(of, m, m->string, e) : OK;
        if (s) return s;
    }
    return OK;
}

static status check(const cJSON *schema, const cJSON *v, const char *name, err *e) {
    const cJSON *item, *items = GET(schema, "items");
    if (!value_fits(schema, v)) {
        char *wanted = cJSON_PrintUnformatted(schema);
        (void)err_set(e, ERR_USAGE, "%.80s is not what its schema wants: %.200s", name, wanted);
        cJSON_free(wanted);
        return ERR_USAGE;
    }
    if (cJSON_IsObject(v)) return check_members(schema, v, e);
    status s = OK;
    if (items && cJSON_IsArray(v))
        cJSON_ArrayForEach(item, v) if (!s) s = check(items, item, name, e);
    return s;
}

status own_check(const cJSON *schema, const cJSON *value, err *e) {
    return check(schema, value, "the arguments", e);
}
