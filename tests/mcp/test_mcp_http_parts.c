/* SPDX-License-Identifier: Apache-2.0 */
/* mcp/sse and mcp/param_headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "mcp/param_headers.h"
#include "mcp/rpc.h"
#include "mcp/sse.h"

static void on_event(void *ud, const sse_event *e) {
    strbuf_addf(ud, "%s[%.*s]%s;", e->type, STR_ARG(e->data), e->id);
}

static void on_retry(void *ud, int64_t ms) {
    strbuf_addf(ud, "retry %d;", (int)ms);
}

static void test_events(void **state) {
    UNUSED(state);
    static const char *const cases[][2] = {
        {"data: a\n\n", "message[a];"},
        {"data:a\ndata:  b\n\n", "message[a\n b];"},
        {"event: x\rdata: a\r\rdata: b\r\n\r\n", "x[a];message[b];"},
        {": comment\n\nid: 7\ndata\n\n", "message[]7;"},
        {"id: 1\n\ndata: x\n\nid:\ndata: y\n\n", "message[]1;message[x]1;message[y];"},
        {"retry: 500\nretry: x\nretry: -1\n\n", "retry 500;"},
        {"\xEF\xBB\xBF"
         "data: a\n\n",
         "message[a];"},
        {"event: lost\n\ndata: a\n\n", "message[a];"},
        {"data: unfinished\n", ""},
        {"other: x\ndata: {\"a\":1}\n\n", "message[{\"a\":1}];"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        for (size_t step = 1; step < 30; step += 6) { /* however the bytes are cut */
            strbuf events;
            strbuf_init(&events, 1000);
            sse_reader r;
            sse_init(&r, &(sse_hooks){&events, on_event, on_retry}, 1000);
            str text = str_of(cases[i][0]);
            for (size_t at = 0; at < text.len; at += step)
                assert_true(sse_feed(&r, str_sub(text, at, at + step)));
            assert_string_equal(events.ptr ? events.ptr : "", cases[i][1]);
            sse_deinit(&r);
            strbuf_deinit(&events);
        }
    }
}

static void test_large_event(void **state) {
    UNUSED(state);
    strbuf events;
    strbuf_init(&events, 1000);
    sse_reader r;
    sse_init(&r, &(sse_hooks){&events, on_event, on_retry}, 64);
    assert_true(sse_feed(&r, STR("data: 0123456789012345678901234567890123456789\n")));
    assert_false(sse_feed(&r, STR("data: 0123456789012345678901234567890123456789\n\n")));
    assert_false(sse_feed(&r, STR("data: a\n\n")));
    assert_int_equal(events.len, 0);
    sse_deinit(&r);
    strbuf_deinit(&events);
}

static cJSON *json(const char *text) {
    char *copy = xstrdup(text);
    cJSON *out = NULL;
    err e;
    assert_int_equal(rpc_parse(copy, strlen(copy), &out, &e), OK);
    xfree(copy);
    return out;
}

static void test_annotations(void **state) {
    UNUSED(state);
/* clang-format off */
#define PROPERTY(p) "{\"type\":\"object\",\"properties\":{\"a\":" p "}}"
    static const struct {
        const char *schema;
        bool good;
    } cases[] = {
        {PROPERTY("{\"type\":\"string\",\"x-mcp-header\":\"Region\"}"), true},
        {PROPERTY("{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"boolean\","
                  "\"x-mcp-header\":\"B\"}}}"), true},
        {PROPERTY("{\"type\":\"string\"}"), true},
        {PROPERTY("{\"type\":\"string\",\"x-mcp-header\":\"\"}"), false},
        {PROPERTY("{\"type\":\"string\",\"x-mcp-header\":\"a b\"}"), false},
        {PROPERTY("{\"type\":\"string\",\"x-mcp-header\":\"a\\r\\nX: y\"}"), false},
        {PROPERTY("{\"type\":\"string\",\"x-mcp-header\":7}"), false},
        {PROPERTY("{\"type\":\"number\",\"x-mcp-header\":\"A\"}"), false},
        {PROPERTY("{\"type\":\"array\",\"items\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}"), false},
        {PROPERTY("{\"oneOf\":[{\"type\":\"string\",\"x-mcp-header\":\"A\"}]}"), false},
        {"{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"Same\"},"
         "\"b\":{\"type\":\"string\",\"x-mcp-header\":\"sAME\"}}}", false},
        {"{\"x-mcp-header\":\"A\",\"type\":\"string\"}", false},
        {"{\"properties\":{\"x-mcp-header\":{\"type\":\"string\"}}}", true},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        cJSON *schema = json(cases[i].schema);
        err e;
        assert_int_equal(param_headers_check(schema, &e) == OK, cases[i].good);
        cJSON_Delete(schema);
    }
}

/* clang-format on */

static void add(void *ud, const char *name, const char *value) {
    strbuf_addf(ud, "%s=%s;", name, value);
}

static void test_values(void **state) {
    UNUSED(state);
    cJSON *schema = json("{\"properties\":{"
                         "\"s\":{\"type\":\"string\",\"x-mcp-header\":\"S\"},"
                         "\"i\":{\"type\":\"integer\",\"x-mcp-header\":\"I\"},"
                         "\"n\":{\"type\":\"string\",\"x-mcp-header\":\"N\"},"
                         "\"o\":{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"boolean\","
                         "\"x-mcp-header\":\"B\"}}}}}");
    cJSON *arguments = json("{\"s\":\"h\\u00e9\",\"i\":42,\"n\":null,\"o\":{\"b\":false}}");
    strbuf out;
    strbuf_init(&out, 1000);
    param_headers_each(schema, arguments, add, &out);
    assert_string_equal(out.ptr, "Mcp-Param-S==?base64?aMOp?=;Mcp-Param-I=42;Mcp-Param-B=false;");
    static const char *const values[][2] = {
        {"plain text", "plain text"},
        {" edge", "=?base64?IGVkZ2U=?="},
        {"=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="},
        {"a\r\nb", "=?base64?YQ0KYg==?="},
        {"", ""},
    };
    for (size_t i = 0; i < COUNTOF(values); i++) {
        strbuf_clear(&out);
        param_header_value(&out, str_of(values[i][0]));
        assert_string_equal(out.len ? out.ptr : "", values[i][1]);
    }
    strbuf_deinit(&out);
    cJSON_Delete(schema);
    cJSON_Delete(arguments);
}

static void test_says(void **state) {
    (void)state;
    static const struct {
        const char *header, *value;
        bool says;
    } cases[] = {
        {"a", "a", true},
        {" a\t", "a", true},
        {"A", "a", false},
        {"=?base64?YQ==?=", "a", true},
        {"=?base64?YQ?=", "a", false},                              /* no padding */
        {"=?base64?Y!==?=", "a", false},                            /* no digit */
        {"=?base64?YQ==", "=?base64?PT9iYXNlNjQ/WVE9PQ==?=", true}, /* no end: as it stands */
        {"=?base64?w6Q=?=", "=?base64?w6Q=?=", true},
        {"=?base64?=", "a", false},
        {"", "", true},
        {"=?base64?"
         "?=",
         "", true},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++)
        assert_int_equal(param_header_says(cases[i].header, cases[i].value), cases[i].says);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),      cmocka_unit_test(test_large_event),
        cmocka_unit_test(test_annotations), cmocka_unit_test(test_values),
        cmocka_unit_test(test_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
