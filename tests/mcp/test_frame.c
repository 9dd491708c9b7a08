/* SPDX-License-Identifier: Apache-2.0 */
/* mcp/frame: however a stream is cut into pieces, its messages are the same; broken frames end it.
 * Runs in one process, without I/O. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "mcp/frame.h"

/* Feeds `in` in pieces of `step` bytes and joins the messages with '|'. */
static status run(frame_mode mode, size_t max, str in, size_t step, strbuf *out) {
    frame_reader r;
    frame_reader_init(&r, mode, max);
    status s = OK;
    for (size_t at = 0; at < in.len && !s; at += step) {
        frame_feed(&r, str_sub(in, at, at + step));
        bool got = true;
        while (!s && got) {
            char *message;
            size_t len;
            err e = {{0}};
            s = frame_next(&r, &message, &len, &got, &e);
            assert_int_equal(s != OK, e.text[0] != 0);
            if (got) {
                strbuf_add(out, message, len);
                strbuf_add_char(out, '|');
            }
        }
    }
    if (!s && !frame_at_boundary(&r)) strbuf_add_str(out, STR("<half>"));
    frame_reader_deinit(&r);
    return s;
}

static void expect(frame_mode mode, str in, status want, const char *messages) {
    for (size_t step = 1; step <= in.len; step++) {
        strbuf out;
        strbuf_init(&out, 1000);
        strbuf_add(&out, "", 0);
        assert_int_equal(run(mode, 64, in, step, &out), want);
        if (messages) assert_string_equal(out.ptr ? out.ptr : "", messages);
        strbuf_deinit(&out);
    }
}

static void test_headers(void **state) {
    UNUSED(state);
    expect(FRAME_HEADERS, STR("Content-Length: 2\r\n\r\n{}Content-Length: 3\r\n\r\n[1]"), OK,
           "{}|[1]|");
    expect(FRAME_HEADERS,
           STR("Content-Type: application/vscode-jsonrpc; "
               "charset=utf-8\r\ncontent-LENGTH:2\r\n\r\n{}"),
           OK, "{}|");
    expect(FRAME_HEADERS, STR("Content-Length: 0\r\n\r\nContent-Length: 1\n\n1"), OK, "|1|");
    expect(FRAME_HEADERS, STR("Content-Length: 5\r\n\r\n{}"), OK, "<half>");
    expect(FRAME_HEADERS, STR("Content-Le"), OK, "<half>");
}

static void test_broken_headers(void **state) {
    UNUSED(state);
    expect(FRAME_HEADERS, STR("hello\r\n\r\n"), ERR_FORMAT, "");
    expect(FRAME_HEADERS, STR("Content-Length: -1\r\n\r\n"), ERR_FORMAT, "");
    expect(FRAME_HEADERS, STR("Content-Length: 1x\r\n\r\n"), ERR_FORMAT, "");
    expect(FRAME_HEADERS, STR("Content-Length: 99999999999999999999\r\n\r\n"), ERR_FORMAT, "");
    expect(FRAME_HEADERS, STR("X: y\r\n\r\n"), ERR_FORMAT, "");
    expect(FRAME_HEADERS, STR("{\"jsonrpc\":\"2.0\"}"), ERR_FORMAT, "");
    expect(FRAME_HEADERS, STR("\n{\"jsonrpc\":\"2.0\"}\n"), ERR_FORMAT, "");
    expect(FRAME_HEADERS, STR("hello\n"), ERR_FORMAT, "");
    expect(FRAME_HEADERS, STR("Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), ERR_FORMAT, "");
    expect(FRAME_HEADERS, STR("Content-Length: 65\r\n\r\n"), ERR_LIMIT, "");
    expect(FRAME_HEADERS, STR("Content-Length: 2\r\n\r\n{}{}\r\n\r\n"), ERR_FORMAT, "{}|");
}

static void test_headers_without_end(void **state) {
    UNUSED(state);
    strbuf in, out;
    strbuf_init(&in, 1u << 20);
    strbuf_init(&out, 1000);
    for (int i = 0; i < 1000; i++)
        strbuf_add_str(&in, STR("X-Pad: y\r\n"));
    assert_int_equal(run(FRAME_HEADERS, 64, strbuf_str(&in), 7, &out), ERR_FORMAT);
    strbuf_deinit(&in);
    strbuf_deinit(&out);
}

static void test_lines(void **state) {
    UNUSED(state);
    expect(FRAME_LINES, STR("{}\n[1]\r\n\nx"), OK, "{}|[1]||<half>");
    strbuf in, out;
    strbuf_init(&in, 1000);
    strbuf_init(&out, 1000);
    for (int i = 0; i < 65; i++)
        strbuf_add_char(&in, 'a');
    assert_int_equal(run(FRAME_LINES, 64, strbuf_str(&in), 9, &out), ERR_LIMIT);
    strbuf_deinit(&in);
    strbuf_deinit(&out);
}

static void test_write(void **state) {
    UNUSED(state);
    strbuf out;
    strbuf_init(&out, 1000);
    frame_write(&out, FRAME_HEADERS, STR("{\"a\":1}"));
    assert_string_equal(out.ptr, "Content-Length: 7\r\n\r\n{\"a\":1}");
    strbuf_clear(&out);
    frame_write(&out, FRAME_LINES, STR("{}"));
    assert_string_equal(out.ptr, "{}\n");
    strbuf_deinit(&out);
}

/* A large message in small pieces costs one pass, not one per piece. */
static void test_large(void **state) {
    UNUSED(state);
    size_t n = 8u << 20;
    strbuf in;
    strbuf_init(&in, n + 100);
    char *body = xmalloc(n);
    memset(body, 'x', n);
    frame_write(&in, FRAME_HEADERS, (str){body, n});
    frame_reader r;
    frame_reader_init(&r, FRAME_HEADERS, LIMIT_MESSAGE_BYTES);
    bool got = false;
    char *message = NULL;
    size_t len = 0;
    err e;
    for (size_t at = 0; at < in.len; at += LIMIT_READ_BYTES) {
        assert_false(got);
        frame_feed(&r, str_sub(strbuf_str(&in), at, at + LIMIT_READ_BYTES));
        assert_int_equal(frame_next(&r, &message, &len, &got, &e), OK);
    }
    assert_true(got);
    assert_int_equal(len, n);
    assert_memory_equal(message, body, n);
    frame_reader_deinit(&r);
    strbuf_deinit(&in);
    xfree(body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_broken_headers),
        cmocka_unit_test(test_headers_without_end),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
