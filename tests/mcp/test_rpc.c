/* SPDX-License-Identifier: Apache-2.0 */
/* mcp/rpc: ids, error codes, outgoing requests, and JSON that must not reach the parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "mcp/rpc.h"

typedef struct {
    rpc *rpc;
    strbuf sent;   /* what was written, one message per line */
    strbuf events; /* what was handed to the owner */
} peer;

static void on_write(void *ud, str framed) {
    strbuf_add_str(&((peer *)ud)->sent, framed);
}

static void note(peer *p, const char *kind, const char *method, const cJSON *params) {
    char *text = params ? cJSON_PrintUnformatted(params) : NULL;
    strbuf_addf(&p->events, "%s %s %s;", kind, method, text ? text : "-");
    cJSON_free(text);
}

static void on_request(void *ud, const rpc_id *id, const char *method, const cJSON *params) {
    peer *p = ud;
    note(p, "request", method, params);
    rpc_reply(p->rpc, id, cJSON_CreateNumber(7));
}

static void on_notification(void *ud, const char *method, const cJSON *params) {
    note(ud, "notification", method, params);
}

static void peer_open(peer *p) {
    *p = (peer){0};
    strbuf_init(&p->sent, 1u << 20);
    strbuf_init(&p->events, 1u << 20);
    p->rpc = rpc_new(FRAME_LINES, &(rpc_hooks){.ud = p,
                                               .write = on_write,
                                               .request = on_request,
                                               .notification = on_notification});
}

static void peer_close(peer *p) {
    rpc_free(p->rpc);
    strbuf_deinit(&p->sent);
    strbuf_deinit(&p->events);
}

static void feed(peer *p, const char *line) {
    err e = {{0}};
    strbuf_clear(&p->sent);
    strbuf_clear(&p->events);
    strbuf_add(&p->sent, "", 0);
    strbuf_add(&p->events, "", 0);
    assert_int_equal(rpc_feed(p->rpc, str_of(line), &e), OK);
    assert_int_equal(rpc_feed(p->rpc, STR("\n"), &e), OK);
}

static void expect_error(peer *p, const char *line, int code, const char *id) {
    feed(p, line);
    char want[128];
    snprintf(want, sizeof want, "\"id\":%s,\"error\":{\"code\":%d,", id, code);
    if (!strstr(p->sent.ptr, want)) fail_msg("%s\n  gave %s", line, p->sent.ptr);
    assert_string_equal(p->events.ptr, "");
}

static void test_ids(void **state) {
    UNUSED(state);
    peer p;
    peer_open(&p);
    feed(&p, "{\"jsonrpc\":\"2.0\",\"id\":\"a\\u00e9\",\"method\":\"m\",\"params\":[1]}");
    assert_string_equal(p.sent.ptr, "{\"jsonrpc\":\"2.0\",\"id\":\"a\xC3\xA9\",\"result\":7}\n");
    assert_string_equal(p.events.ptr, "request m [1];");
    feed(&p, "{\"jsonrpc\":\"2.0\",\"id\":-3,\"method\":\"m\",\"params\":null}");
    assert_string_equal(p.sent.ptr, "{\"jsonrpc\":\"2.0\",\"id\":-3,\"result\":7}\n");
    assert_string_equal(p.events.ptr, "request m -;");
    feed(&p, "{\"jsonrpc\":\"2.0\",\"id\":9007199254740991,\"method\":\"m\"}");
    assert_string_equal(p.sent.ptr, "{\"jsonrpc\":\"2.0\",\"id\":9007199254740991,\"result\":7}\n");
    feed(&p, "{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":{\"x\":{}}}");
    assert_string_equal(p.sent.ptr, "");
    assert_string_equal(p.events.ptr, "notification n {\"x\":{}};");
    peer_close(&p);
}

static void test_refused(void **state) {
    UNUSED(state);
    peer p;
    peer_open(&p);
    expect_error(&p, "{", RPC_PARSE_ERROR, "null");
    expect_error(&p, "", RPC_PARSE_ERROR, "null");
    expect_error(&p, "{} {}", RPC_PARSE_ERROR, "null");
    expect_error(&p, "[]", RPC_INVALID_REQUEST, "null");
    expect_error(&p, "{\"jsonrpc\":\"2.0\",\"id\":1}", RPC_INVALID_REQUEST, "1");
    expect_error(&p, "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"m\"}", RPC_INVALID_REQUEST, "1");
    expect_error(&p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}", RPC_INVALID_REQUEST, "1");
    expect_error(&p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":5}",
                 RPC_INVALID_REQUEST, "1");
    expect_error(&p, "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"m\"}", RPC_INVALID_REQUEST,
                 "null");
    expect_error(&p, "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"m\"}", RPC_INVALID_REQUEST,
                 "null");
    expect_error(&p, "{\"jsonrpc\":\"2.0\",\"ID\":1,\"METHOD\":\"m\"}", RPC_INVALID_REQUEST,
                 "null");
    peer_close(&p);
}

static void test_deep_and_wide(void **state) {
    UNUSED(state);
    peer p;
    peer_open(&p);
    strbuf b;
    strbuf_init(&b, 64u << 20);
    for (int i = 0; i < 100000; i++)
        strbuf_add_char(&b, '[');
    expect_error(&p, b.ptr, RPC_INVALID_REQUEST, "null");
    strbuf_clear(&b);
    for (int i = 0; i <= LIMIT_JSON_DEPTH; i++)
        strbuf_add_str(&b, STR("{\"a\":"));
    expect_error(&p, b.ptr, RPC_INVALID_REQUEST, "null");
    strbuf_clear(&b);
    strbuf_add_char(&b, '[');
    for (unsigned i = 0; i < LIMIT_JSON_VALUES; i++)
        strbuf_add_str(&b, STR("1,"));
    expect_error(&p, b.ptr, RPC_INVALID_REQUEST, "null");
    strbuf_clear(&b); /* brackets in strings do not nest */
    strbuf_add_str(&b, STR("{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":[\"\\\"[[[[\\\\\"]}"));
    feed(&p, b.ptr);
    assert_string_equal(p.events.ptr, "notification n [\"\\\"[[[[\\\\\"];");
    strbuf_deinit(&b);
    peer_close(&p);
}

static void test_texts(void **state) {
    UNUSED(state);
    static const struct {
        const char *sent, *read;
    } cases[] = {
        {"\\ud83d\\ude00", "\xF0\x9F\x98\x80"},
        {"a\\ud83dz", "a\xEF\xBF\xBDz"},
        {"\\ude00", "\xEF\xBF\xBD"},
        {"\\ud83d\\ud83d\\ude00", "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
        {"x\\u0000y", "x\\u001ay"},
        {"\\\\u0000", "\\\\u0000"},
        {"\xFFz", "\xEF\xBF\xBDz"},
    };
    peer p;
    peer_open(&p);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        char line[256], want[256];
        snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":[\"%s\"]}",
                 cases[i].sent);
        snprintf(want, sizeof want, "notification n [\"%s\"];", cases[i].read);
        feed(&p, line);
        assert_string_equal(p.events.ptr, want);
    }
    err e;
    assert_int_equal(rpc_feed(p.rpc, (str){"[\"\0\"]\n", 6}, &e), OK);
    assert_non_null(strstr(p.sent.ptr, "-32700"));
    peer_close(&p);
}

typedef struct {
    int calls;
    rpc_answer last;
    int value;
} answers;

static void on_answer(void *ud, const rpc_answer *a) {
    answers *got = ud;
    got->calls++;
    got->last = *a;
    got->value = a->result ? a->result->valueint : -1;
}

static void test_outgoing(void **state) {
    UNUSED(state);
    peer p;
    peer_open(&p);
    answers a = {0}, b = {0}, c = {0};
    assert_int_equal(rpc_request(p.rpc, "x", NULL, 0, on_answer, &a), 1);
    assert_int_equal(rpc_request(p.rpc, "y", NULL, 100, on_answer, &b), 2);
    assert_int_equal(rpc_request(p.rpc, "z", NULL, 0, on_answer, &c), 3);
    feed(&p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":42}");
    feed(&p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":43}");
    feed(&p, "{\"jsonrpc\":\"2.0\",\"id\":\"3\",\"result\":43}");
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.value, 42);
    rpc_expire(p.rpc, 99);
    assert_int_equal(b.calls, 0);
    rpc_expire(p.rpc, 100);
    assert_int_equal(b.calls, 1);
    assert_int_equal(b.last.status, ERR_LIMIT);
    assert_int_equal(rpc_pending(p.rpc), 1);
    feed(&p, "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32601,\"message\":\"no\"}}");
    assert_int_equal(c.last.status, ERR_USAGE);
    assert_int_equal(c.last.code, -32601);
    answers d = {0};
    rpc_request(p.rpc, "w", NULL, 0, on_answer, &d);
    peer_close(&p);
    assert_int_equal(d.calls, 1);
    assert_int_equal(d.last.status, ERR_CANCELLED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_texts),    cmocka_unit_test(test_deep_and_wide),
        cmocka_unit_test(test_outgoing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
