/* SPDX-License-Identifier: Apache-2.0 */
/* mcp/config: every product's format, variables in each dialect, scopes, places of mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mcp/config.h"

/* clang-format off: texts as they stand in files */
static const char *variable(void *ud, const char *name) {
    UNUSED(ud);
    if (strcmp(name, "TOKEN") == 0) return "secret";
    return strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

static const char *input(void *ud, const char *id) {
    UNUSED(ud);
    return strcmp(id, "gh_token") == 0 ? "typed" : NULL;
}

static status read_as(mcp_config *c, const char *text, const char *product, mcp_scope scope) {
    err e;
    return mcp_config_read(c, str_of(text),
                           &(mcp_source){.file = "f.json",
                                         .product = product,
                                         .scope = scope,
                                         .workspace = "/w",
                                         .home = "/h",
                                         .variable = variable,
                                         .input = input},
                           &e);
}

static const mcp_definition *one(mcp_config *c, const char *text, const char *product) {
    mcp_config_init(c);
    assert_int_equal(read_as(c, text, product, MCP_USER), OK);
    assert_int_equal(c->servers.count, 1);
    return c->servers.at[0];
}

static void test_ours(void **state) {
    UNUSED(state);
    mcp_config c;
    const mcp_definition *d =
        one(&c,
            "{ // a comment, with \"quotes\" and {braces}\n"
            "  \"mcpServers\": { /* two\n lines */\n"
            "    \"memory\": {\"command\": \"npx\", \"args\": [\"-y\", \"${userHome}/x//y\",],\n"
            "      \"env\": {\"A\": \"${TOKEN}\", \"B\": \"${NONE:-b}\", \"C\": \"$TOKEN\"},\n"
            "      \"x-host\": {\"timeoutMs\": 5000, \"idleStopMs\": 0, \"maxConcurrency\": 1,\n"
            "        \"lazy\": false, \"trust\": true, \"allow\": [\"read_*\"], \"era\": \"modern\",\n"
            "        \"surprise\": 1}},\n"
            "  },\n}\n",
            NULL);
    assert_string_equal(d->name, "memory");
    assert_int_equal(d->transport, MCP_STDIO);
    assert_string_equal(d->args.at[1], "/h/x//y");
    assert_string_equal(d->env.at[0].value, "secret");
    assert_string_equal(d->env.at[1].value, "b");
    assert_string_equal(d->env.at[2].value, "$TOKEN");
    assert_int_equal(d->total_ms, 5000);
    assert_int_equal(d->idle_stop_ms, UINT32_MAX);
    assert_true(d->eager && d->trusted && d->concurrency == 1 && d->era == MCP_ERA_MODERN);
    assert_int_equal(d->line, 4);
    assert_int_equal(d->column, 5);
    assert_null(d->problem);
    assert_int_equal(c.notes.count, 1);
    assert_string_equal(c.notes.at[0].text, "x-host has no \"surprise\"");
    mcp_config_deinit(&c);
}

static void test_formats(void **state) {
    UNUSED(state);
    static const struct {
        const char *text, *product, *runs;
        mcp_transport transport;
        uint32_t total_ms;
    } cases[] = {
        {"{\"servers\":{\"s\":{\"type\":\"stdio\",\"command\":\"c\",\"env\":{\"T\":\"${input:gh_token}\"}}},"
         "\"inputs\":[]}",
         "vscode", "T=... c", MCP_STDIO, 0},
        {"{\"mcp\":{\"servers\":{\"s\":{\"type\":\"http\",\"url\":\"https://e/${env:TOKEN}\"}}}}", NULL,
         "https://e/secret", MCP_HTTP, 0},
        {"{\"context_servers\":{\"s\":{\"command\":{\"path\":\"c\",\"args\":[\"${TOKEN}\"]}}}}", NULL,
         "c '${TOKEN}'", MCP_STDIO, 0},
        {"{\"mcpServers\":{\"s\":{\"serverUrl\":\"https://e/\"}}}", "windsurf", "https://e/", MCP_HTTP,
         0},
        {"{\"mcpServers\":{\"s\":{\"url\":\"https://e/\"}}}", "gemini", "https://e/", MCP_SSE, 0},
        {"{\"mcpServers\":{\"s\":{\"httpUrl\":\"https://e/%TOKEN%/$TOKEN\",\"timeout\":7000}}}",
         "gemini", "https://e/secret/secret", MCP_HTTP, 7000},
        {"{\"servers\":[{\"id\":\"s\",\"source\":{\"type\":\"Process\",\"command\":\"c\",\"args\":[\"-x\"],"
         "\"work_dir\":null}}],\"auto_register_tools\":true}",
         NULL, "c -x", MCP_STDIO, 0},
        {"{\"extensions\":{\"s\":{\"type\":\"stdio\",\"cmd\":\"c\",\"args\":[\"a b\"],\"timeout\":300},"
         "\"developer\":{\"type\":\"builtin\"}}}",
         NULL, "c 'a b'", MCP_STDIO, 300000},
        {"{\"mcp_servers\":{\"s\":{\"command\":\"c\",\"tool_timeout_sec\":60}}}", NULL, "c", MCP_STDIO,
         60000},
        {"{\"s\":{\"command\":\"c\",\"working_directory\":\"/x\"}}", NULL, "c", MCP_STDIO, 0},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        mcp_config c;
        const mcp_definition *d = one(&c, cases[i].text, cases[i].product);
        strbuf shown;
        strbuf_init(&shown, 1000);
        mcp_definition_show(d, &shown);
        assert_string_equal(d->name, "s");
        assert_string_equal(shown.ptr, cases[i].runs);
        assert_int_equal(d->transport, cases[i].transport);
        assert_int_equal(d->total_ms, cases[i].total_ms);
        assert_null(d->problem);
        strbuf_deinit(&shown);
        mcp_config_deinit(&c);
    }
}

/* A variable that is not there stops the server, names itself and shows no other. */
static void test_missing(void **state) {
    UNUSED(state);
    static const struct {
        const char *value, *product, *problem;
    } cases[] = {
        {"${TOKEN}${GONE}", NULL, "the environment variable GONE is not set"},
        {"${env:GONE}", "vscode", "the environment variable GONE is not set"},
        {"${input:other}", "vscode", "the input \"other\" was not given"},
        {"${EMPTY}", "warp", "the environment variable EMPTY is empty"},
        {"$GONE", "gemini", "the environment variable GONE is not set"},
        {"${env:GONE}", "cursor", "the environment variable GONE is not set"},
        {"${env:GONE}", "windsurf", "the environment variable GONE is not set"},
        {"${env:GONE}", "lmstudio", "the environment variable GONE is not set"},
        {"${GONE}", "claude", "the environment variable GONE is not set"},
        {"%GONE%", "gemini", "the environment variable GONE is not set"},
        {"${GONE}", "claude-desktop", NULL}, /* it expands nothing */
        {"${EMPTY}${input:x}", "claude", NULL},
        {"${TOKEN", NULL, NULL},
        {"${}", NULL, NULL},
        {"${:-x}", NULL, NULL},
        {"$GONE %GONE%", NULL, NULL},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        char text[300];
        snprintf(text, sizeof text, "{\"mcpServers\":{\"s\":{\"command\":\"c\",\"args\":[\"%s\"]}}}",
                 cases[i].value);
        mcp_config c;
        const mcp_definition *d = one(&c, text, cases[i].product);
        if (!cases[i].problem) {
            assert_null(d->problem);
        } else {
            if (!d->problem || !strstr(d->problem, cases[i].problem))
                fail_msg("%s (%s): %s", cases[i].value, cases[i].product ? cases[i].product : "",
                         d->problem ? d->problem : "no problem");
            assert_null(strstr(d->problem, "secret"));
            assert_null(strstr(c.notes.at[0].text, "secret"));
            assert_int_equal(c.notes.count, 1);
            assert_true(c.notes.at[0].error);
            assert_int_equal(c.notes.at[0].column, 35);
        }
        mcp_config_deinit(&c);
    }
}

static void test_scopes(void **state) {
    UNUSED(state);
    mcp_config c;
    mcp_config_init(&c);
    assert_int_equal(read_as(&c, "{\"mcpServers\":{\"a\":{\"command\":\"p\"}}}", NULL, MCP_PROJECT), OK);
    assert_int_equal(read_as(&c, "{\"mcpServers\":{\"a\":{\"command\":\"u\"},\"b\":{\"command\":\"u\"}}}",
                             NULL, MCP_USER), OK);
    assert_int_equal(c.servers.count, 2);
    assert_string_equal(mcp_config_find(&c, "a")->command, "p");
    assert_int_equal(read_as(&c, "{\"mcpServers\":{\"a\":{\"command\":\"l\"}}}", NULL, MCP_LOCAL), OK);
    assert_string_equal(mcp_config_find(&c, "a")->command, "l");
    assert_int_equal(c.notes.count, 2); /* neither was silent */
    mcp_config_deinit(&c);
}

static void test_mistakes(void **state) {
    UNUSED(state);
    static const struct {
        const char *text;
        int line;
    } broken[] = {{"{\n\"mcpServers\": {\n\"a\" 1}}", 3}, {"", 1}, {"[]", 1}, {"{\"other\":1}", 1},
                  {"{\"mcpServers\":{}", 1}};
    for (size_t i = 0; i < COUNTOF(broken); i++) {
        mcp_config c;
        mcp_config_init(&c);
        assert_int_not_equal(read_as(&c, broken[i].text, NULL, MCP_USER), OK);
        assert_int_equal(c.servers.count, 0);
        assert_int_equal(c.notes.count, 1);
        assert_int_equal(c.notes.at[0].line, broken[i].line);
        mcp_config_deinit(&c);
    }
    mcp_config c;
    const mcp_definition *d = one(&c, "{\"mcpServers\":{\"a\":{\"url\":\"file:///etc/passwd\"}}}", NULL);
    assert_non_null(d->problem);
    mcp_config_deinit(&c);
    d = one(&c, "{\"mcpServers\":{\"a\":{\"command\":\"npx\",\"args\":[\"-y\","
                "\"@modelcontextprotocol/server-time@0.2.2\"]}}}", NULL);
    assert_non_null(strstr(c.notes.at[0].text, "mcp-time"));
    mcp_config_deinit(&c);
}

static void test_hash_and_patterns(void **state) {
    UNUSED(state);
    mcp_config a, b;
    char x[65], y[65];
    mcp_definition_hash(one(&a, "{\"m\":{\"command\":\"c\",\"args\":[\"ab\"],\"env\":{\"K\":\"1\"}}}", NULL), x);
    mcp_definition_hash(one(&b, "{\"m\":{\"command\":\"c\",\"args\":[\"ab\"],\"env\":{\"K\":\"2\"}}}", NULL), y);
    assert_string_equal(x, y); /* values are secrets that may rotate */
    mcp_config_deinit(&b);
    mcp_definition_hash(one(&b, "{\"m\":{\"command\":\"c\",\"args\":[\"a\",\"b\"],\"env\":{\"K\":\"1\"}}}", NULL), y);
    assert_string_not_equal(x, y);
    mcp_config_deinit(&a);
    mcp_config_deinit(&b);
    assert_true(mcp_pattern_matches("read_*", "read_file"));
    assert_true(mcp_pattern_matches("*", ""));
    assert_true(mcp_pattern_matches("a*b*c", "aXbYbZc"));
    assert_true(mcp_pattern_matches("a?c", "abc"));
    assert_false(mcp_pattern_matches("read_*", "write_file"));
    assert_false(mcp_pattern_matches("a?c", "ac"));
    assert_false(mcp_pattern_matches("", "a"));
}

/* clang-format on */
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ours),    cmocka_unit_test(test_formats),
        cmocka_unit_test(test_missing), cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_mistakes), cmocka_unit_test(test_hash_and_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
