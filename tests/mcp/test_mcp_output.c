/* SPDX-License-Identifier: Apache-2.0 */
/* mcp/output and mcp/canonical: cleaning, cutting, texts of results, spill files, one spelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include "mcp/canonical.h"
#include "mcp/host_private.h"
#include "mcp/output.h"
#include "mcp/rpc.h"

static void test_clean(void **state) {
    UNUSED(state);
    static const char *const cases[][2] = {
        {"plain\n\ttext \xC3\xA9", "plain\n\ttext \xC3\xA9"},
        {"\033[1;31mred\033[0m", "red"},
        {"\033]0;title\a.\033]8;;url\033\\link", ".link"},
        {"a\033", "a"},
        {"\033[12", ""},
        {"line\033[\nnext", "line\nnext"},
        {"b\bell\x07\x7F", "bell"},
        {"zero\xE2\x80\x8Bwidth\xEF\xBB\xBF", "zerowidth"},
        {"\xE2\x80\xAE"
         "evil\xE2\x80\xAC",
         "evil"},
        {"tag\xF3\xA0\x81\xA1\xF3\xA0\x81\xBF.", "tag."},
        {"c1\xC2\x9B"
         "1m",
         "c11m"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        strbuf out;
        strbuf_init(&out, 1000);
        output_clean(&out, str_of(cases[i][0]));
        assert_string_equal(out.ptr ? out.ptr : "", cases[i][1]);
        strbuf_deinit(&out);
    }
}

static cJSON *json(const char *text) {
    char *copy = xstrdup(text);
    cJSON *out = NULL;
    err e;
    assert_int_equal(rpc_parse(copy, strlen(copy), &out, &e), OK);
    xfree(copy);
    return out;
}

static void test_text(void **state) {
    UNUSED(state);
    static const char *const cases[][2] = {
        {"{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image\",\"data\":\"x\","
         "\"mimeType\":\"image/png\"},{\"type\":\"zap\"},"
         "{\"type\":\"resource_link\",\"uri\":\"u\"}]}",
         "a\n[image: image/png]\n[unsupported content: zap]\n[resource: u]"},
        {"{\"content\":[{\"type\":\"resource\",\"resource\":{\"uri\":\"u\",\"text\":\"inner\"}}],"
         "\"structuredContent\":{\"a\":1}}",
         "inner"},
        {"{\"content\":[],\"structuredContent\":{\"a\":1}}", "{\"a\":1}"},
        {"{\"contents\":[{\"uri\":\"u\",\"text\":\"t\"},{\"uri\":\"v\",\"blob\":\"AA==\"}]}",
         "t\n[binary content]"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":\"hi\"}}]}",
         "user: hi"},
        {"[]", ""},
        {"{\"content\":[3,null,{\"text\":5}]}", "[binary content]\n[binary content]\n"
                                                "[binary content]"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        strbuf out;
        strbuf_init(&out, 1000);
        cJSON *r = json(cases[i][0]);
        output_text(&out, r);
        assert_string_equal(out.ptr ? out.ptr : "", cases[i][1]);
        cJSON_Delete(r);
        strbuf_deinit(&out);
    }
}

static void test_cut(void **state) {
    UNUSED(state);
    strbuf text, out;
    strbuf_init(&text, 1u << 20);
    strbuf_init(&out, 1u << 20);
    for (int i = 0; i < 1000; i++)
        strbuf_addf(&text, "\xC3\xA9%d", i);
    assert_false(mcp_text_cut(&out, strbuf_str(&text), text.len));
    assert_int_equal(out.len, text.len);
    for (size_t max = 50; max < 70; max++) {
        strbuf_clear(&out);
        assert_true(mcp_text_cut(&out, strbuf_str(&text), max));
        assert_true(utf8_is_valid(strbuf_str(&out)));
        assert_true(out.len <= max + 60);
        assert_true(str_find(strbuf_str(&out), STR("bytes are left out here")) > 0);
        assert_true(str_ends_with(strbuf_str(&out), STR("999")));
    }
    strbuf_deinit(&text);
    strbuf_deinit(&out);
}

static void test_spill(void **state) {
    UNUSED(state);
    char folder[] = "/tmp/inlined-spill-XXXXXX";
    assert_non_null(mkdtemp(folder));
    rmdir(folder); /* made again by the first write */
    spill *s = spill_new(folder), *other = spill_new(folder);
    uint64_t id = 0, theirs = 0;
    char *path = xstrdup(spill_write(s, STR("whole"), &id));
    strbuf back;
    strbuf_init(&back, 100);
    err e;
    assert_int_equal(file_read(path, 100, &back, &e), OK);
    assert_string_equal(back.ptr, "whole");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* Another connection's host has files of its own in the same folder. */
    assert_non_null(spill_write(other, STR("theirs"), &theirs));
    assert_int_not_equal(theirs, id);
    assert_string_equal(spill_find(s, id), path);
    assert_null(spill_find(s, theirs));
    spill_free(other);
    spill_free(s);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(rmdir(folder), 0);
    assert_null(spill_write(NULL, STR("x"), &id));
    strbuf_deinit(&back);
    xfree(path);
}

static void test_canonical(void **state) {
    UNUSED(state);
    cJSON *a = json("{\"b\":[1,2.50,-0,1e3,true,null],\"a\":{\"y\":\"\\u00e9\\n\\\"\",\"x\":0.1}}");
    cJSON *b = json("{ \"a\" : {\"x\":1e-1,\"y\":\"\xC3\xA9\\n\\u0022\"}, "
                    "\"b\":[1.0,2.5,0,1000,true,null]}");
    strbuf out;
    strbuf_init(&out, 1000);
    canonical_add(&out, a);
    assert_string_equal(out.ptr, "{\"a\":{\"x\":0.1,\"y\":\"\xC3\xA9\\u000a\\\"\"},"
                                 "\"b\":[1,2.5,0,1000,true,null]}");
    char ha[65], hb[65];
    canonical_hash(a, ha);
    canonical_hash(b, hb);
    assert_string_equal(ha, hb);
    cJSON_Delete(a);
    cJSON_Delete(b);
    strbuf_deinit(&out);
}

/* Of a server that has crashed: a growing pause, and not the same one for all. */
static void test_backoff(void **state) {
    (void)state;
    static const double seconds[] = {0, 0, 1, 2, 4, 8, 16, 30, 30};
    for (int failures = 0; failures < (int)COUNTOF(seconds); failures++) {
        double least = 1e9, most = 0;
        for (uint64_t chance = 0; chance < 1000; chance++) {
            double ms = host_backoff_ms(failures, chance);
            least = MIN(least, ms);
            most = MAX(most, ms);
        }
        assert_true(least > seconds[failures] * 799 - 1 && least < seconds[failures] * 801 + 1);
        assert_true(most > seconds[failures] * 1199 - 1 && most < seconds[failures] * 1201 + 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),     cmocka_unit_test(test_text),
        cmocka_unit_test(test_cut),       cmocka_unit_test(test_spill),
        cmocka_unit_test(test_canonical), cmocka_unit_test(test_backoff),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
