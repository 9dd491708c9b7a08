/* SPDX-License-Identifier: Apache-2.0 */
/* lsp/settings: defaults, every leaf of the schema, wrong values as one sentence each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "lsp/settings.h"
#include "mcp/rpc.h"

typedef struct {
    int count;
    char last[400];
} complaints;

static void on_complaint(void *ud, const char *sentence) {
    complaints *c = ud;
    c->count++;
    snprintf(c->last, sizeof c->last, "%s", sentence);
}

static void apply(settings *s, const char *json, int want, const char *words) {
    complaints c = {0};
    err e = {{0}};
    assert_int_equal(settings_apply_text(s, str_of(json), on_complaint, &c, &e), OK);
    if (c.count != want) fail_msg("%s: %d complaints, the last: %s", json, c.count, c.last);
    if (words && !strstr(c.last, words)) fail_msg("%s: %s", json, c.last);
}

static void test_defaults(void **state) {
    UNUSED(state);
    settings s;
    settings_default(&s);
    assert_true(s.enable && s.completion.automatic);
    assert_string_equal(s.model, "");
    assert_int_equal(s.completion.max_tokens, 96);
    assert_int_equal(s.completion.multiline, MULTILINE_AUTO);
    assert_int_equal(s.engine.device, DEVICE_AUTO);
    assert_int_equal(s.completion.disabled_languages.count, 0);
    assert_true(settings_list_has(&s.privacy.deny_globs, ".env"));
    assert_true(s.privacy.respect_gitignore);
}

static void test_values(void **state) {
    UNUSED(state);
    settings s;
    settings_default(&s);
    apply(&s,
          "{\"enable\":false,\"model\":\"m\",\"completion\":{\"auto\":false,\"cacheEntries\":1,"
          "\"confidence\":9,\"cutBelow\":7,\"filtersOff\":[\"syntax\",\"repeat\"],"
          "\"healing\":false,"
          "\"debounceMs\":2,\"disabledLanguages\":[\"a\",\"b\"],\"maxTokens\":3,"
          "\"multiline\":\"always\",\"timeBudgetMs\":4,\"deadlineMs\":5},"
          "\"context\":{\"order\":\"psm\",\"prefixBytes\":5,"
          "\"suffixBytes\":6},\"engine\":{\"contextTokens\":7,\"device\":\"ref\","
          "\"kvCache\":\"q8\",\"threads\":8},"
          "\"privacy\":{\"denyGlobs\":[\"x\"],\"respectGitignore\":false}}",
          0, NULL);
    assert_true(!s.enable && !s.completion.automatic);
    assert_string_equal(s.model, "m");
    assert_int_equal(s.completion.cache_entries, 1);
    assert_int_equal(s.completion.debounce_ms, 2);
    assert_int_equal(s.completion.max_tokens, 3);
    assert_int_equal(s.completion.time_budget_ms, 4);
    assert_int_equal(s.completion.deadline_ms, 5);
    assert_int_equal(s.completion.multiline, MULTILINE_ALWAYS);
    assert_int_equal(s.completion.confidence, 9);
    assert_int_equal(s.completion.cut_below, 7);
    assert_int_equal(s.completion.filters_off.count, 2);
    assert_string_equal(s.completion.filters_off.at[1], "repeat");
    assert_false(s.completion.healing);
    assert_int_equal(s.context.order, ORDER_PSM);
    assert_int_equal(s.context.prefix_bytes, 5);
    assert_int_equal(s.context.suffix_bytes, 6);
    assert_int_equal(s.engine.context_tokens, 7);
    assert_int_equal(s.engine.device, DEVICE_REF);
    assert_int_equal(s.engine.kv_cache, KV_Q8);
    assert_int_equal(s.engine.threads, 8);
    assert_true(settings_list_has(&s.privacy.deny_globs, "x"));
    assert_false(settings_list_has(&s.privacy.deny_globs, ".env"));
    assert_false(s.privacy.respect_gitignore);
    assert_false(settings_language_enabled(&s, "b"));
    assert_true(settings_language_enabled(&s, "c"));
    apply(&s, "{\"model\":null,\"completion\":{\"maxTokens\":null}}", 0, NULL);
    assert_string_equal(s.model, "m");
    assert_int_equal(s.completion.max_tokens, 3);
    apply(&s, "{\"completion\":[],\"context\":{}}", 0, NULL); /* Lua's empty tables */
    apply(&s, "{\"completion\":{\"disabledLanguages\":{}}}", 0, NULL);
    assert_true(settings_language_enabled(&s, "b"));
}

static void test_wrong(void **state) {
    UNUSED(state);
    settings s, before;
    settings_default(&s);
    settings_default(&before);
    apply(&s, "{\"completion\":{\"maxTokens\":0}}", 1,
          "inlined.completion.maxTokens is 0, but must be a whole number from 1 to 1024");
    apply(&s, "{\"completion\":{\"maxTokens\":1.5}}", 1, "1.5");
    apply(&s, "{\"completion\":{\"maxTokens\":1e300}}", 1, "maxTokens");
    apply(&s, "{\"completion\":{\"maxTokens\":\"9\"}}", 1, "\"9\"");
    apply(&s, "{\"completion\":{\"multiline\":\"AUTO\"}}", 1, "\"auto\", \"never\", \"always\"");
    apply(&s, "{\"completion\":{\"maxtokens\":9}}", 1, "did you mean \"maxTokens\"");
    apply(&s, "{\"completion\":9}", 1, "must be an object");
    apply(&s, "{\"enable\":\"yes\",\"model\":5,\"bogus\":{}}", 3, "inlined.bogus is no setting");
    apply(&s, "{\"completion\":{\"disabledLanguages\":[\"a\",5]}}", 1, "disabledLanguages");
    apply(&s, "{\"completion\":{\"filtersOff\":[\"syntax\",\"bogus\"]}}", 1, "filtersOff");
    assert_memory_equal(&s, &before, sizeof s);
    err e = {{0}};
    assert_int_equal(settings_apply_text(&s, STR("[]"), NULL, NULL, &e), ERR_FORMAT);
    assert_int_equal(settings_apply_text(&s, STR("{"), NULL, NULL, &e), ERR_FORMAT);
    assert_int_equal(settings_load(&s, "/nonexistent/config", NULL, NULL, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "/nonexistent/config"));
}

/* Every leaf of the schema is mapped to a field, and its default is within its own range.  `open`
 * and `close` are what stands around it: {"tiers":{"small":{ and }}}. */
static void walk(const cJSON *schema, const char *open, const char *close, int *leaves) {
    const cJSON *rule;
    cJSON_ArrayForEach(rule, cJSON_GetObjectItemCaseSensitive(schema, "properties")) {
        const cJSON *fallback = cJSON_GetObjectItemCaseSensitive(rule, "default");
        assert_non_null(cJSON_GetObjectItemCaseSensitive(rule, "type"));
        if (!fallback) {
            char deeper[200], end[16];
            snprintf(deeper, sizeof deeper, "%s\"%s\":{", open, rule->string);
            snprintf(end, sizeof end, "}%s", close);
            walk(rule, deeper, end, leaves);
            continue;
        }
        (*leaves)++;
        assert_non_null(cJSON_GetObjectItemCaseSensitive(rule, "description"));
        char *value = cJSON_PrintUnformatted(fallback);
        char json[4096];
        snprintf(json, sizeof json, "%s\"%s\":%s%s", open, rule->string, value, close);
        settings s;
        settings_default(&s);
        apply(&s, json, 0, NULL); /* a default within its own range, and known */
        cJSON_free(value);
    }
}

static void test_schema(void **state) {
    UNUSED(state);
    str text = settings_schema();
    char *copy = xstrndup(text.ptr, text.len);
    cJSON *schema = NULL;
    err e;
    assert_int_equal(rpc_parse(copy, text.len, &schema, &e), OK);
    int leaves = 0;
    walk(schema, "{", "}", &leaves);
    assert_true(leaves > 10); /* it did walk */
    cJSON_Delete(schema);
    xfree(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
