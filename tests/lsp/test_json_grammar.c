/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas as grammars: everything that they let through is JSON and fits the schema (judged by a
 * small validator that is written the other way round), and what does not fit is not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include "lsp/json_grammar.h"
#include "lsp/json_value.h"
#include "tests/lsp/schema_walk.h"

static grammar *compile(const char *schema, cJSON **parsed, char *loose, size_t n) {
    strbuf noted;
    strbuf_init(&noted, 1000);
    *parsed = cJSON_Parse(schema);
    assert_non_null(*parsed);
    grammar *g = grammar_new();
    assert_true(grammar_start(g, json_grammar_value(g, *parsed, &noted)));
    snprintf(loose, n, "%s", noted.ptr ? noted.ptr : "");
    strbuf_deinit(&noted);
    return g;
}

/* ---- the validator --------------------------------------------------------------------------- */

static const cJSON *root;

static bool fits(const cJSON *v, const cJSON *s);

static bool is_of_type(const cJSON *v, const char *type) {
    if (!strcmp(type, "string")) return cJSON_IsString(v);
    if (!strcmp(type, "number")) return cJSON_IsNumber(v);
    if (!strcmp(type, "integer"))
        return cJSON_IsNumber(v) && v->valuedouble <= floor(v->valuedouble);
    if (!strcmp(type, "boolean")) return cJSON_IsBool(v);
    if (!strcmp(type, "null")) return cJSON_IsNull(v);
    if (!strcmp(type, "array")) return cJSON_IsArray(v);
    return cJSON_IsObject(v);
}

static double bound(const cJSON *s, const char *key, double otherwise) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(s, key);
    return v ? v->valuedouble : otherwise;
}

static bool fits_object(const cJSON *v, const cJSON *s) {
    const cJSON *properties = cJSON_GetObjectItemCaseSensitive(s, "properties"), *p;
    cJSON_ArrayForEach(p, cJSON_GetObjectItemCaseSensitive(s, "required")) {
        if (!cJSON_HasObjectItem(v, p->valuestring)) return false;
    }
    cJSON_ArrayForEach(p, v) {
        const cJSON *of = cJSON_GetObjectItemCaseSensitive(properties, p->string);
        if (of ? !fits(p, of) : cJSON_GetArraySize(properties) > 0) return false;
    }
    return true;
}

static bool fits_items(const cJSON *v, const cJSON *s) {
    int n = cJSON_GetArraySize(v);
    const cJSON *item, *items = cJSON_GetObjectItemCaseSensitive(s, "items");
    if (n < bound(s, "minItems", 0) || n > bound(s, "maxItems", 1e9)) return false;
    cJSON_ArrayForEach(item, v) {
        if (items && !fits(item, items)) return false;
    }
    return true;
}

static bool fits_any(const cJSON *v, const cJSON *ways) {
    const cJSON *w;
    cJSON_ArrayForEach(w, ways) {
        if (fits(v, w)) return true;
    }
    return false;
}

static bool fits_type(const cJSON *v, const cJSON *s) {
    const cJSON *t = cJSON_GetObjectItemCaseSensitive(s, "type"), *one;
    if (cJSON_IsString(t)) return is_of_type(v, t->valuestring);
    bool found = !t;
    cJSON_ArrayForEach(one, t) found |= is_of_type(v, one->valuestring);
    return found;
}

static bool fits(const cJSON *v, const cJSON *s) {
    const cJSON *x;
    if ((x = cJSON_GetObjectItemCaseSensitive(s, "$ref"))) {
        const cJSON *defs = cJSON_GetObjectItemCaseSensitive(root, "$defs");
        return fits(v, cJSON_GetObjectItemCaseSensitive(defs, strrchr(x->valuestring, '/') + 1));
    }
    if ((x = cJSON_GetObjectItemCaseSensitive(s, "const"))) return cJSON_Compare(v, x, true);
    if ((x = cJSON_GetObjectItemCaseSensitive(s, "enum"))) {
        const cJSON *one;
        cJSON_ArrayForEach(one, x) {
            if (cJSON_Compare(v, one, true)) return true;
        }
        return false;
    }
    if ((x = cJSON_GetObjectItemCaseSensitive(s, "anyOf"))) return fits_any(v, x);
    if ((x = cJSON_GetObjectItemCaseSensitive(s, "oneOf"))) return fits_any(v, x);
    if (!fits_type(v, s)) return false;
    if (cJSON_IsObject(v)) return fits_object(v, s);
    if (cJSON_IsArray(v)) return fits_items(v, s);
    if (cJSON_IsString(v)) {
        double n = (double)utf8_count(str_of(v->valuestring));
        return n >= bound(s, "minLength", 0) && n <= bound(s, "maxLength", 1e9);
    }
    bool small = bound(s, "maximum", 1e18) - bound(s, "minimum", -1e18) < JSON_GRAMMAR_RANGE;
    return !small || !cJSON_IsNumber(v) ||
           (v->valuedouble >= bound(s, "minimum", 0) && v->valuedouble <= bound(s, "maximum", 0));
}

/* ---- tests ----------------------------------------------------------------------------------- */

static const char *const schemas[] = {
    "{\"type\":\"string\",\"minLength\":2,\"maxLength\":5}",
    "{\"type\":\"integer\",\"minimum\":-3,\"maximum\":12}",
    "{\"type\":\"integer\",\"minimum\":0}",
    "{\"type\":[\"number\",\"null\"]}",
    "{\"type\":\"boolean\"}",
    "{\"enum\":[\"a\",\"ab\",3,null,{\"x\":[1]}]}",
    "{\"const\":\"a \\\"b\\\"\"}",
    "{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":2,\"maxItems\":3}",
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"integer\"},"
    "\"c\":{\"type\":\"boolean\"}},\"required\":[\"b\"]}",
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"integer\"}}"
    "}",
    "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
    "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}",
    "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}",
    "{}",
    "{\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"integer\"},"
    "\"kids\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/n\"},\"maxItems\":2}},"
    "\"required\":[\"v\"]}},\"$ref\":\"#/$defs/n\"}",
};

static void what_passes_is_valid(void **state) {
    UNUSED(state);
    uint32_t seed = 7;
    int whole = 0;
    for (size_t i = 0; i < COUNTOF(schemas); i++) {
        char loose[256];
        cJSON *s;
        grammar *g = compile(schemas[i], &s, loose, sizeof loose);
        root = s;
        for (int round = 0; round < 120; round++) {
            strbuf out;
            strbuf_init(&out, 4096);
            if (schema_walk(g, &seed, &out, 800)) {
                cJSON *v = cJSON_Parse(out.ptr);
                if (!v || !fits(v, s) || !utf8_is_valid(strbuf_str(&out)))
                    fail_msg("%s let through: %s", schemas[i], out.ptr);
                cJSON_Delete(v);
                whole++;
            }
            strbuf_deinit(&out);
        }
        grammar_release(g);
        cJSON_Delete(s);
    }
    assert_true(whole > 120 * (int)COUNTOF(schemas) * 3 / 4);
}

static bool takes(const char *schema, const char *text) {
    char loose[256];
    cJSON *s;
    grammar *g = compile(schema, &s, loose, sizeof loose);
    grammar_state *st = xmalloc(sizeof *st);
    grammar_begin(st, g);
    bool yes = grammar_advance(st, str_of(text)) && grammar_may_end(st);
    xfree(st);
    grammar_release(g);
    cJSON_Delete(s);
    return yes;
}

static void usual_writing_passes_and_the_rest_does_not(void **state) {
    UNUSED(state);
    const char *o = schemas[8];
    assert_true(takes(o, "{\"a\": \"x\", \"b\": 1, \"c\": true}"));
    assert_true(takes(o, "{\"b\":1}"));
    assert_true(takes(o, "{\n  \"a\": \"\\u00e4\\n\",\n  \"b\": -12\n}"));
    assert_false(takes(o, "{\"a\":\"x\"}"));         /* b is required */
    assert_false(takes(o, "{\"b\":1,\"a\":\"x\"}")); /* the schema's order */
    assert_false(takes(o, "{\"b\":1,}"));
    assert_false(takes(o, "{\"b\":01}"));
    assert_false(takes(o, "{\"b\":1,\"d\":2}"));
    assert_false(takes(o, "{\"a\":\"\\ud800\",\"b\":1}")); /* half a surrogate pair */
    assert_false(takes(o, "{\"a\":\"\xC0\x80\",\"b\":1}"));
    assert_false(takes(o, "{\"a\":\"x\ny\",\"b\":1}"));
    assert_false(takes(schemas[1], "13"));
    assert_true(takes(schemas[1], "-3"));
    assert_true(takes("{}", "{\"a\":[1,{\"b\":null}],\"c\":-0.5}"));
}

static void names_follow_their_pattern(void **state) {
    UNUSED(state);
    static const char name[] = "{\"type\":\"string\",\"pattern\":\"^[A-Za-z_][A-Za-z0-9_]{1,3}$\"}";
    static const char fixed[] = "{\"type\":\"string\",\"pattern\":\"^a-[0-9]{2}$\"}";
    static const char *const other[] = {"^[^a]$", "^a+$",     "^a|b$", "a",         "^[a",
                                        "^a{2",   "^a{2,1}$", "^$",    "^[a\\\"]$", "^{2}$"};
    assert_true(takes(name, "\"ab_9\""));
    assert_true(takes(name, "\"_1\""));
    assert_false(takes(name, "\"a\""));
    assert_false(takes(name, "\"abcde\""));
    assert_false(takes(name, "\"9ab\""));
    assert_false(takes(name, "\"a b\""));
    assert_true(takes(fixed, "\"a-07\""));
    assert_false(takes(fixed, "\"a-7\""));
    for (size_t i = 0; i < COUNTOF(other); i++) { /* any text, and that is said */
        char schema[100], loose[256];
        cJSON *s;
        snprintf(schema, sizeof schema, "{\"type\":\"string\",\"pattern\":\"%s\"}", other[i]);
        assert_true(takes(schema, "\"any thing\""));
        grammar_release(compile(schema, &s, loose, sizeof loose));
        assert_string_equal(loose, "pattern");
        cJSON_Delete(s);
    }
}

static void what_is_not_enforced_is_named(void **state) {
    UNUSED(state);
    char loose[256];
    cJSON *s;
    grammar *g = compile("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\","
                         "\"pattern\":\"x\"},\"b\":{\"type\":\"string\",\"pattern\":\"y\","
                         "\"format\":\"uri\"},\"c\":{\"$ref\":\"other.json\"}}}",
                         &s, loose, sizeof loose);
    assert_string_equal(loose, "$ref, pattern, format");
    grammar_release(g);
    cJSON_Delete(s);
}

static void hostile_schemas_end(void **state) {
    UNUSED(state);
    static const char *const bad[] = {
        "{\"$ref\":\"#\"}",
        "{\"$defs\":{\"a\":{\"$ref\":\"#/$defs/a\"}},\"$ref\":\"#/$defs/a\"}",
        "{\"type\":\"nonsense\"}",
        "{\"type\":[]}",
        "{\"enum\":[]}",
        "{\"anyOf\":[]}",
        "{\"type\":\"array\",\"minItems\":1e300,\"maxItems\":-5}",
        "{\"type\":\"string\",\"minLength\":-1,\"maxLength\":1e12}",
        "{\"type\":\"integer\",\"minimum\":5,\"maximum\":2}",
        "{\"required\":[1,{}],\"properties\":[1,2]}",
    };
    uint32_t seed = 3;
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        char loose[256];
        cJSON *s;
        strbuf out;
        grammar *g = compile(bad[i], &s, loose, sizeof loose);
        strbuf_init(&out, 4096);
        bool ended = schema_walk(g, &seed, &out, 300);
        if (ended) {
            cJSON *v = cJSON_Parse(out.ptr);
            assert_non_null(v);
            cJSON_Delete(v);
        }
        strbuf_deinit(&out);
        grammar_release(g);
        cJSON_Delete(s);
    }
}

/* ---- JSON that was cut ----------------------------------------------------------------------- */

/* Wherever it is cut: what is left are the first elements, word for word, or nothing. */
static void cut_anywhere(void **state) {
    UNUSED(state);
    static const char whole[] = "{\"a\": [1, {\"x\": [2, {\"y\": \"]}\\\"[\"}]}, \"s\", {}, [3, "
                                "4], {\"z\": null}], \"b\": {\"c\": 1}}";
    cJSON *all = cJSON_Parse(whole);
    assert_non_null(all);
    const cJSON *want = cJSON_GetObjectItemCaseSensitive(all, "a");
    int most = 0;
    for (size_t n = 0; n <= strlen(whole); n++) {
        cJSON *got = json_of_cut((str){whole, n});
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(got, "a");
        assert_true(!got || cJSON_IsArray(list));
        assert_true((got != NULL) == (n > strlen("{\"a\": ")));
        int count = cJSON_GetArraySize(list);
        assert_true(count >= most); /* more text, never less of it */
        most = count;
        for (int i = 0; i < count; i++)
            assert_true(
                cJSON_Compare(cJSON_GetArrayItem(list, i), cJSON_GetArrayItem(want, i), true));
        cJSON_Delete(got);
    }
    assert_int_equal(most, cJSON_GetArraySize(want));
    cJSON_Delete(all);
}

static void cut_and_bad(void **state) {
    UNUSED(state);
    static const char *const bad[] = {
        "",           "I find nothing.", "{", "{\"a\":{\"b\":1}", "[1}", "]", "\"[",
        "{\"a\" 7 [", "{\"findings\"[{}"};
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_null(json_of_cut(str_of(bad[i])));
    strbuf deep;
    strbuf_init(&deep, 1u << 20);
    for (int i = 0; i < 100000; i++)
        strbuf_add_char(&deep, '[');
    assert_null(json_of_cut(strbuf_str(&deep)));
    strbuf_deinit(&deep);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_passes_is_valid),
        cmocka_unit_test(usual_writing_passes_and_the_rest_does_not),
        cmocka_unit_test(names_follow_their_pattern),
        cmocka_unit_test(what_is_not_enforced_is_named),
        cmocka_unit_test(hostile_schemas_end),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(cut_and_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
