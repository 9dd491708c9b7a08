/* SPDX-License-Identifier: Apache-2.0 */
/* lsp/position: the three encodings, surrogates, line ends, clamping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/utf8.h"
#include "lsp/position.h"

/* a, e acute, emoji (two UTF-16 units), b: offsets 0, 1, 3, 7, 8 */
static const str mixed = {"a\xC3\xA9\xF0\x9F\x98\x80"
                          "b",
                          8};

static void test_in_line(void **state) {
    UNUSED(state);
    static const size_t utf8[] = {0, 1, 1, 3, 3, 3, 3, 7, 8, 8};
    static const size_t utf16[] = {0, 1, 3, 3, 7, 8, 8};
    static const size_t utf32[] = {0, 1, 3, 7, 8, 8};
    for (uint32_t i = 0; i < COUNTOF(utf8); i++)
        assert_int_equal(position_in_line(mixed, ENCODING_UTF8, i), utf8[i]);
    for (uint32_t i = 0; i < COUNTOF(utf16); i++)
        assert_int_equal(position_in_line(mixed, ENCODING_UTF16, i), utf16[i]);
    for (uint32_t i = 0; i < COUNTOF(utf32); i++)
        assert_int_equal(position_in_line(mixed, ENCODING_UTF32, i), utf32[i]);
    assert_int_equal(position_in_line(mixed, ENCODING_UTF16, UINT32_MAX), 8);
    assert_int_equal(position_in_line((str){0}, ENCODING_UTF8, 5), 0);
}

static document *open_text(context *c, const char *text) {
    document *d = NULL;
    err e = {{0}};
    assert_int_equal(
        context_open(c, STR("file:///x"), STR("x"), STR("plaintext"), str_of(text), 1, &d, &e), OK);
    return d;
}

static void test_round_trip(void **state) {
    UNUSED(state);
    static const char *const texts[] = {
        "", "a", "a\n", "\n\n", "x\r\ny\r\n", "a\rb", "\xC3\xA9\xF0\x9F\x98\x80z\r\n\xE2\x82\xAC",
    };
    for (size_t t = 0; t < COUNTOF(texts); t++) {
        context *c = context_new();
        document *d = open_text(c, texts[t]);
        str text = document_text(d);
        for (size_t at = 0; at <= text.len;) {
            bool in_crlf = at && at < text.len && text.ptr[at - 1] == '\r' && text.ptr[at] == '\n';
            for (position_encoding enc = ENCODING_UTF8; !in_crlf && enc <= ENCODING_UTF32; enc++) {
                lsp_position p = position_of_offset(d, enc, at);
                assert_int_equal(position_to_offset(d, enc, p), at);
            }
            uint32_t cp;
            at += at < text.len ? (size_t)utf8_decode(str_sub(text, at, text.len), &cp) : 1;
        }
        context_free(c);
    }
}

static void test_clamped(void **state) {
    UNUSED(state);
    context *c = context_new();
    document *d = open_text(c, "ab\r\ncd");
    assert_int_equal(position_to_offset(d, ENCODING_UTF16, (lsp_position){0, 99}), 2);
    assert_int_equal(position_to_offset(d, ENCODING_UTF16, (lsp_position){0, 3}), 2);
    assert_int_equal(position_to_offset(d, ENCODING_UTF16, (lsp_position){1, 99}), 6);
    assert_int_equal(position_to_offset(d, ENCODING_UTF16, (lsp_position){2, 0}), 6);
    assert_int_equal(position_to_offset(d, ENCODING_UTF8, (lsp_position){UINT32_MAX, UINT32_MAX}),
                     6);
    context_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_line),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_clamped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
