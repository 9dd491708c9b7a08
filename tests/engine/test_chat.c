/* SPDX-License-Identifier: Apache-2.0 */
/* Chat templates as outside data: what is refused, and that nothing runs away.  That the rest is
 * rendered as Jinja2 does it is chat_truth.py's to show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "engine/chat.h"

/* Renders with a few variables; the text, or the error's sentence behind "! ". */
static const char *render(const char *source) {
    static char text[4096];
    chat_template *t = NULL;
    err e = {{0}};
    arena a;
    strbuf out;
    arena_init(&a);
    strbuf_init(&out, LIMIT_CHAT_OUTPUT_BYTES);
    chat_value vars = chat_new_dict(&a), messages = chat_new_list(&a), m = chat_new_dict(&a);
    chat_dict_set(&a, m, STR("role"), chat_str(STR("user")));
    chat_dict_set(&a, m, STR("content"), chat_str(STR("Hi")));
    chat_list_add(&a, messages, m);
    chat_dict_set(&a, vars, STR("messages"), messages);
    chat_dict_set(&a, vars, STR("n"), chat_int(3));
    status s = chat_template_parse(&t, str_of(source), &e);
    if (s == OK) s = chat_template_render(t, vars, &out, &e);
    if (s == OK)
        snprintf(text, sizeof text, "%.4000s", out.ptr ? out.ptr : "");
    else
        snprintf(text, sizeof text, "! %s: %s", status_name(s), e.text);
    chat_template_free(t);
    strbuf_deinit(&out);
    arena_deinit(&a);
    return text;
}

static void expect(const char *source, const char *text) {
    assert_string_equal(render(source), text);
}

static void expect_error(const char *source, const char *kind, const char *words) {
    const char *text = render(source);
    if (strncmp(text, "! ", 2) || strncmp(text + 2, kind, strlen(kind)) || !strstr(text, words))
        fail_msg("%s gave: %s", source, text);
}

static void test_rendering(void **state) {
    UNUSED(state);
    expect("", "");
    expect("{{ messages[0].content }}-{{ messages|length }}", "Hi-1");
    expect("a {%- if n > 2 %} b {% endif -%}  c", "a b c");
    expect("{% for i in range(3) %}{{ i }}{{ ',' if not loop.last }}{% endfor %}", "0,1,2");
    expect("{% set x = 1 %}{% for i in [2] %}{% set x = i %}{% endfor %}{{ x }}", "1");
    expect("{% set s = namespace(x=1) %}{% for i in [2] %}{% set s.x = i %}{% endfor %}{{ s.x }}",
           "2");
    expect("{% macro f(a, b='d') %}<{{ a }}{{ b }}>{% endmacro %}{{ f(1) }}{{ f(2, b=3) }}",
           "<1d><23>");
    expect("{{ [1, 2, 3][::-1] | join('-') }} {{ 'abc'[1:] }} {{ -7 // 2 }} {{ -7 % 3 }}",
           "3-2-1 bc -4 2");
    expect("{{ {'a': 1.5, 'b': [none, true]} | tojson }}", "{\"a\": 1.5, \"b\": [null, true]}");
    expect("{{ {'a': 'x\\'y', 2: 1e3} }}", "! format: chat template, line 1: , is missing before "
                                           "\"e3\"");
    expect("{{ undefined_name }}|{{ undefined_name is defined }}", "|False");
}

static void test_errors(void **state) {
    UNUSED(state);
    expect_error("{{ raise_exception('Roles must alternate') }}", "usage",
                 "refuses this: Roles must alternate");
    expect_error("a\nb {% if %}", "format", "line 2");
    expect_error("{% if n %}", "format", "endif");
    expect_error("{{ n", "format", "does not end");
    expect_error("{# n", "format", "does not end");
    expect_error("{{ 'abc }}", "format", "does not end");
    expect_error("{{ nothing.at.all }}", "format", "undefined");
    expect_error("{{ 1 / 0 }}", "format", "zero");
    expect_error("{{ 9223372036854775807 + 1 }}", "format", "too large");
    expect_error("{% include 'file' %}", "unsupported", "include");
    expect_error("{{ n | nonsense }}", "unsupported", "nonsense");
    expect_error("{{ n is nonsense }}", "unsupported", "nonsense");
    expect_error("{{ n.nonsense() }}", "unsupported", "nonsense");
    expect_error("{{ n() }}", "format", "no function");
}

static void test_nothing_runs_away(void **state) {
    UNUSED(state);
    expect_error("{% for i in range(999999999) %}{% endfor %}", "limit", "");
    expect_error("{{ 'abcdefgh' * 99999999 }}", "limit", "");
    expect_error("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "limit", "");
    expect_error("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
                 "limit", "");
    expect_error("{% set s = namespace() %}{% set s.a = [s, s] %}{{ s }}", "limit", "");
    expect("{% set s = namespace() %}{% set t = namespace(a=[s, s]) %}{% set s.a = [t, t] %}"
           "{{ s == t }}",
           "False");
    char deep[4096];
    memset(deep, '(', sizeof deep);
    memcpy(deep, "{{ ", 3);
    memcpy(deep + sizeof deep - 4, " }}", 4);
    memset(deep + 2000, ')', sizeof deep - 2004);
    deep[1999] = '1';
    expect_error(deep, "limit", "nested");
    strbuf large;
    strbuf_init(&large, SIZE_MAX / 2);
    for (size_t i = 0; i <= LIMIT_CHAT_TEMPLATE_BYTES; i += 8)
        strbuf_add_str(&large, STR("12345678"));
    strbuf_add_str(&large, STR("x"));
    expect_error(large.ptr, "limit", "bytes");
    strbuf_deinit(&large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rendering),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_nothing_runs_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
