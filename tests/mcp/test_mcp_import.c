/* SPDX-License-Identifier: Apache-2.0 */
/* mcp/document, mcp/toml, mcp/yaml, and mcp/export: what goes out comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "mcp/config_tree.h"
#include "mcp/export.h"

static const char *variable(void *ud, const char *name) {
    UNUSED(ud);
    if (strcmp(name, "TOKEN") == 0 || strcmp(name, "INLINED_INPUT_key") == 0) return "canary-value";
    if (strcmp(name, "HOME") == 0) return "/h";
    return NULL;
}

static const char *input(void *ud, const char *id) {
    UNUSED(ud);
    return strcmp(id, "key") == 0 ? "canary-value" : NULL;
}

static status env_file(void *ud, const char *path, strbuf *out, err *e) {
    UNUSED(ud);
    if (strcmp(path, "/w/.env") != 0) return err_set(e, ERR_NOT_FOUND, "there is no %s", path);
    strbuf_addf(out, "# comment\nexport A=1\nB='x y'\r\nC=\"=\"\n\nno pair\nTOKEN=t\n");
    return OK;
}

static mcp_source source(const char *product) {
    return (mcp_source){.file = "f",
                        .product = product,
                        .scope = MCP_USER,
                        .workspace = "/w",
                        .home = "/h",
                        .variable = variable,
                        .input = input,
                        .read = env_file};
}

static void read_text(mcp_config *c, const char *text, const char *product) {
    err e = {{0}};
    mcp_source from = source(product);
    mcp_config_init(c);
    status s = mcp_config_read(c, str_of(text), &from, &e);
    if (s != OK) print_error("%s\n%s\n", e.text, text);
    assert_int_equal(s, OK);
}

/* ---- TOML ------------------------------------------------------------------------------------ */

static void test_toml(void **state) {
    UNUSED(state);
    static const char *const cases[][2] = {
        {"", "{}"},
        {"# only a comment", "{}"},
        {"a = 1\nb.c = true\nb.d = 'x\\n'\n", "{\"a\":1,\"b\":{\"c\":true,\"d\":\"x\\\\n\"}}"},
        {"\"q.r\".s = \"\\u00e4\\t\\\"\"", "{\"q.r\":{\"s\":\"\xC3\xA4\\t\\\"\"}}"},
        {"[x.y]\nz = 0x1F\r\n[x]\nw = 1_000\n", "{\"x\":{\"y\":{\"z\":31},\"w\":1000}}"},
        {"a = [ 1, 2, # c\n 3,\n]\n", "{\"a\":[1,2,3]}"},
        {"a = [[], {b = 1, c.d = 2}]", "{\"a\":[[],{\"b\":1,\"c\":{\"d\":2}}]}"},
        {"[[p]]\nn = 1\n[p.q]\nr = 2\n[[p]]\nn = 3\n",
         "{\"p\":[{\"n\":1,\"q\":{\"r\":2}},{\"n\":3}]}"},
        {"a = \"\"\"\nx\\\n   y\"\"\"\nb = '''it's'''", "{\"a\":\"xy\",\"b\":\"it's\"}"},
        {"a = \"\"\"\"\"q\"\"\"\"\"", "{\"a\":\"\\\"\\\"q\\\"\\\"\"}"},
        {"d = 1979-05-27 07:32:00Z\nt = 07:32:00",
         "{\"d\":\"1979-05-27 07:32:00Z\",\"t\":\"07:32:00\"}"},
        {"f = -2.5e3\ng = +7", "{\"f\":-2500,\"g\":7}"},
        {"[a]\n[a.b]\n[a.c]\nx = 1", "{\"a\":{\"b\":{},\"c\":{\"x\":1}}}"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        cJSON *root = NULL;
        tree_places places = {0};
        size_t offset;
        err e = {{0}};
        status s = toml_parse(str_of(cases[i][0]), &root, &places, &offset, &e);
        if (s != OK) print_error("%zu: %s\n", i, e.text);
        assert_int_equal(s, OK);
        char *text = cJSON_PrintUnformatted(root);
        assert_string_equal(text, cases[i][1]);
        cJSON_free(text);
        cJSON_Delete(root);
        vec_free(&places);
    }
}

static void test_toml_refuses(void **state) {
    UNUSED(state);
    static const struct {
        const char *text;
        size_t offset;
    } cases[] = {{"a = ", 4},
                 {"a = 1\na = 2", 8},
                 {"[a]\nb=1\n[a]\n", 12},
                 {"a = 1\n[a]\n", 10},
                 {"a = 1 2", 6},
                 {"a = \"x", 6},
                 {"a = {b = 1", 10},
                 {"a = [1 2]", 7},
                 {"a.b = 1\n[a]\n", 12},
                 {"= 1", 0},
                 {"a = \"\\q\"", 6},
                 {"a = \"\\uD800\"", 10},
                 {"[a\nb = 1", 3},
                 {"a = {}\na.b = 1", 9},
                 {"a = [1]\n[[a]]\n", 14},
                 {"a = nan9", 4},
                 {"a", 1},
                 {"[[a]]\n[a]\n", 10}};
    int wrong = 0;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        cJSON *root = NULL;
        tree_places places = {0};
        size_t offset;
        err e = {{0}};
        status s = toml_parse(str_of(cases[i].text), &root, &places, &offset, &e);
        if (s == OK || offset != cases[i].offset) {
            print_error("case %zu: %s at %zu, not %zu\n", i, e.text, offset, cases[i].offset);
            wrong++;
        }
        assert_int_equal(places.count, 0);
        vec_free(&places);
    }
    assert_int_equal(wrong, 0);
    strbuf deep; /* nesting is bounded, whichever way it goes */
    strbuf_init(&deep, 100000);
    strbuf_addf(&deep, "a = ");
    for (int i = 0; i < 5000; i++)
        strbuf_addf(&deep, "[");
    cJSON *root = NULL;
    tree_places places = {0};
    size_t offset;
    assert_int_equal(toml_parse(strbuf_str(&deep), &root, &places, &offset, NULL), ERR_LIMIT);
    strbuf_clear(&deep);
    for (int i = 0; i < 5000; i++)
        strbuf_addf(&deep, "a.");
    assert_int_equal(toml_parse(strbuf_str(&deep), &root, &places, &offset, NULL), ERR_LIMIT);
    strbuf_deinit(&deep);
    vec_free(&places);
}

/* ---- YAML ------------------------------------------------------------------------------------ */

static void test_yaml(void **state) {
    UNUSED(state);
    static const char *const good[][2] = {
        {"a: 1\nb: [x, 'y', \"1\"]\nc: {d: ~}\n",
         "{\"a\":1,\"b\":[\"x\",\"y\",\"1\"],\"c\":{\"d\":null}}"},
        {"---\na: true\nb: |\n  x\n  y\n", "{\"a\":true,\"b\":\"x\\ny\\n\"}"},
        {"a: 1.5.2\na2: yes\n", "{\"a\":\"1.5.2\",\"a2\":\"yes\"}"},
    };
    static const char *const bad[] = {"a: &x 1\nb: *x\n", "- 1\n", "a: [1\n", "? [1]\n: 2\n",
                                      "a: b: c"};
    for (size_t i = 0; i < COUNTOF(good); i++) {
        config_tree d;
        size_t offset;
        assert_int_equal(config_tree_read(&d, str_of(good[i][0]), &offset, NULL), OK);
        char *text = cJSON_PrintUnformatted(d.root);
        assert_string_equal(text, good[i][1]);
        cJSON_free(text);
        config_tree_free(&d);
    }
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        cJSON *root = NULL;
        tree_places places = {0};
        size_t offset;
        err e;
        assert_int_not_equal(yaml_parse(str_of(bad[i]), &root, &places, &offset, &e), OK);
        vec_free(&places);
    }
}

/* ---- whole files ----------------------------------------------------------------------------- */

static void test_goose(void **state) {
    UNUSED(state);
    mcp_config c;
    read_text(&c,
              "GOOSE_MODEL: \xC3\xA4\n"
              "extensions:\n"
              "  developer: {type: builtin, enabled: true}\n"
              "  git:\n"
              "    type: stdio\n    cmd: uvx\n    args: [mcp-server-git, --x]\n    enabled: false\n"
              "    envs: {A: '1'}\n    env_keys: [TOKEN]\n    timeout: 300\n"
              "    available_tools: [git_log]\n"
              "  web:\n    type: streamable_http\n    uri: https://e/\n"
              "    env_keys: [GONE]\n"
              "    headers: {X: y}\n",
              NULL);
    assert_int_equal(c.servers.count, 2);
    const mcp_definition *d = c.servers.at[0];
    assert_string_equal(d->command, "uvx");
    assert_true(d->disabled && d->total_ms == 300000);
    assert_string_equal(d->env.at[1].name, "TOKEN");
    assert_string_equal(d->env.at[1].value, "canary-value");
    assert_string_equal(d->included.at[0], "git_log");
    assert_int_equal(d->line, 4);
    assert_int_equal(d->column, 3);
    assert_string_equal(c.servers.at[1]->url, "https://e/");
    mcp_config_deinit(&c);
    read_text(&c, "extensions:\n  g:\n    cmd: c\n    env_keys: [GONE]\n", NULL);
    assert_non_null(strstr(c.servers.at[0]->problem, "GONE"));
    assert_int_equal(c.notes.at[0].line, 4);
    mcp_config_deinit(&c);
}

static void test_codex(void **state) {
    UNUSED(state);
    mcp_config c;
    read_text(&c,
              "model = \"gpt\"\n\n[mcp_servers.time]\ncommand = \"mcp-time\"\nenv_vars = [\"TZ\"]\n"
              "startup_timeout_sec = 10\ntool_timeout_sec = 2.5\nenv = { A = \"${TOKEN}\" }\n"
              "disabled_tools = [\"x\"]\n\n"
              "[mcp_servers.\"web one\"]\nurl = \"https://e/\"\nbearer_token_env_var = \"TOKEN\"\n"
              "[mcp_servers.\"web one\".env_http_headers]\nX-Key = \"GONE\"\n",
              NULL);
    const mcp_definition *d = c.servers.at[0];
    assert_string_equal(d->env.at[0].value, "${TOKEN}"); /* it expands nothing */
    assert_string_equal(d->env_passthrough.at[0], "TZ");
    assert_true(d->start_ms == 10000 && d->total_ms == 2500);
    d = c.servers.at[1];
    assert_string_equal(d->name, "web one");
    assert_string_equal(d->headers.at[0].value, "Bearer canary-value");
    assert_non_null(strstr(d->problem, "GONE"));
    assert_int_equal(d->line, 11);
    assert_int_equal(c.notes.at[0].line, 15);
    mcp_config_deinit(&c);
}

static void test_env_file_and_inputs(void **state) {
    UNUSED(state);
    mcp_config c;
    read_text(
        &c,
        "{\"inputs\":[{\"id\":\"region\",\"default\":\"eu\"},"
        "{\"id\":\"pw\",\"default\":\"no\",\"password\":true}],"
        "\"servers\":{\"a\":{\"command\":\"c\",\"env\":{\"A\":\"mine\",\"R\":\"${input:region}\"},"
        "\"envFile\":\"${workspaceFolder}/.env\"},"
        "\"b\":{\"command\":\"c\",\"args\":[\"${input:pw}\"]},"
        "\"c\":{\"command\":\"c\",\"envFile\":\"/gone\"}}}",
        "vscode");
    const mcp_definition *d = c.servers.at[0];
    static const char *const expected[][2] = {
        {"A", "mine"}, {"R", "eu"}, {"B", "x y"}, {"C", "="}, {"TOKEN", "t"}};
    assert_int_equal(d->env.count, COUNTOF(expected));
    for (size_t i = 0; i < COUNTOF(expected); i++) {
        assert_string_equal(d->env.at[i].name, expected[i][0]);
        assert_string_equal(d->env.at[i].value, expected[i][1]);
    }
    assert_non_null(strstr(c.servers.at[1]->problem, "pw"));
    assert_non_null(strstr(c.servers.at[2]->problem, "/gone"));
    mcp_config_deinit(&c);
}

static void test_claude_of_folder(void **state) {
    UNUSED(state);
    mcp_config c;
    read_text(&c,
              "{\"mcpServers\":{\"a\":{\"command\":\"all\"},\"b\":{\"command\":\"all\"}},\n"
              "\"projects\":{\"/other\":{\"mcpServers\":{\"x\":{\"command\":\"o\"}}},\n"
              "\"/w\":{\"mcpServers\":{\"a\":{\"command\":\"here\"}}}}}",
              "claude");
    assert_int_equal(c.servers.count, 2);
    assert_string_equal(mcp_config_find(&c, "a")->command, "here");
    assert_int_equal(mcp_config_find(&c, "a")->line, 3);
    mcp_config_deinit(&c);
    read_text(&c, "{\"theme\":\"dark\"}", "zed"); /* settings without servers are no mistake */
    assert_int_equal(c.servers.count + c.notes.count, 0);
    mcp_config_deinit(&c);
    read_text(&c,
              "{\"context_servers\":{\"ext\":{\"source\":\"extension\",\"settings\":{}},"
              "\"own\":{\"source\":\"custom\",\"command\":\"c\",\"args\":[]}}}",
              "zed");
    assert_int_equal(c.servers.count, 1);
    mcp_config_deinit(&c);
}

/* ---- export ---------------------------------------------------------------------------------- */

static const char OURS[] =
    "{\"mcpServers\":{"
    "\"files\":{\"command\":\"node\",\"args\":[\"a b\",\"\\\"q\\\\\"],\"cwd\":\"/x\","
    "\"env\":{\"TOKEN\":\"${TOKEN}\",\"PLAIN\":\"p\"},\"x-host\":{\"timeoutMs\":5000,"
    "\"deny\":[\"rm_*\"],\"maxConcurrency\":2}},"
    "\"web\":{\"url\":\"https://e/mcp\",\"headers\":{\"Authorization\":\"Bearer ${env:TOKEN}\","
    "\"X-Key\":\"${TOKEN}\",\"X-Plain\":\"v\"}},"
    "\"ask\":{\"command\":\"c\",\"args\":[\"x\"],\"env\":{\"K\":\"${input:key}\"}},"
    "\"lost\":{\"command\":\"c\",\"args\":[\"${workspaceFolder}/${userHome}\"]}}}";

static void assert_same_pairs(const mcp_pairs *a, const mcp_pairs *b) {
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        size_t k = 0;
        while (k < b->count && strcmp(a->at[i].name, b->at[k].name) != 0)
            k++;
        assert_true(k < b->count);
        assert_string_equal(a->at[i].value, b->at[k].value);
    }
}

/* JSON allows it, and other programs take the last one: so do we, and say so at its place. */
static void test_twice(void **state) {
    UNUSED(state);
    mcp_config c;
    read_text(&c,
              "{\"mcpServers\":{\"a\":{\"command\":\"gone\",\n"
              "\"env\":{\"X\":\"1\",\"Y\":\"2\",\"X\":\"3\",\"X\":\"4\"},\n"
              "\"command\":\"c\"}}}",
              NULL);
    const mcp_definition *d = c.servers.at[0];
    assert_string_equal(d->command, "c");
    assert_int_equal(d->env.count, 2);
    assert_string_equal(d->env.at[0].name, "Y");
    assert_string_equal(d->env.at[1].value, "4");
    assert_int_equal(c.notes.count, 1);
    assert_string_equal(c.notes.at[0].text, "\"command\" is there twice; the last one counts");
    assert_int_equal(c.notes.at[0].line, 3);
    mcp_config_deinit(&c);
    /* A header that is written and named. */
    read_text(&c,
              "[mcp_servers.a]\nurl = \"https://e/\"\nbearer_token_env_var = \"TOKEN\"\n"
              "http_headers = { authorization = \"x\", \"A\\nB\" = \"y\" }\n",
              NULL);
    d = c.servers.at[0];
    assert_int_equal(d->headers.count, 1);
    assert_string_equal(d->headers.at[0].value, "Bearer canary-value");
    mcp_config_deinit(&c);
}

/* Files that a project brings are read while an editor waits: no shape of one may take more time
 * than its size.  A step more per byte shows in the time of each. */
static void test_huge(void **state) {
    UNUSED(state);
    static const struct {
        const char *before, *again, *after;
        const char *product;
    } shapes[] = {
        {"{\"mcpServers\":{\"a\":{\"command\":\"c\"", " ", "}}}", NULL},
        {"{\"mcpServers\":{\"a\":{\"command\":\"c\"", "\n,", "}}}", NULL},
        {"{\"mcpServers\":{\"a\":{\"command\":\"c\",\"args\":[\"", "${", "\"]}}}", "claude"},
        {"{\"mcpServers\":{\"a\":{\"command\":\"c\",\"args\":[\"", "$A", "\"]}}}", "gemini"},
        {"{\"mcpServers\":{\"a\":{\"command\":\"c\",\"x-host\":{\"\":1", ",\"xx\":1", "}}}}", NULL},
        {"{\"mcpServers\":{\"a\":{\"command\":\"c\",\"env\":{\"\":\"\"", ",\"xx\":\"\"", "}}}}",
         NULL},
        {"{\"mcpServers\":{\"a\":{\"command\":\"c\"", ",\"timeout\":0", "}}}", NULL},
        {"{\"mcpServers\":{\"a\":{}", ",\"xx\":{}", "}}", NULL},
        {"extensions:\n  a: {cmd: c, env_keys: [", "T,", "]}\n", "goose"},
        {"[mcp_servers.a]\ncommand = \"c\"\n", "[xx]\n", "", "codex"},
    };
    for (size_t i = 0; i < COUNTOF(shapes); i++) {
        strbuf text;
        strbuf_init(&text, LIMIT_MCP_CONFIG_BYTES + 64);
        strbuf_addf(&text, "%s", shapes[i].before);
        for (unsigned k = 0; text.len < (256u << 10); k++) {
            size_t at = text.len;
            strbuf_addf(&text, "%s", shapes[i].again);
            char *x = strstr(text.ptr + at, "xx"); /* names that differ */
            if (x) memcpy(x, (char[]){(char)('a' + k % 26), (char)('a' + k / 26 % 26)}, 2);
        }
        strbuf_addf(&text, "%s", shapes[i].after);
        mcp_config c;
        mcp_config_init(&c);
        mcp_source from = source(shapes[i].product);
        err e = {{0}};
        status s = mcp_config_read(&c, strbuf_str(&text), &from, &e);
        assert_true(s == OK || c.notes.count > 0);
        mcp_config_deinit(&c);
        strbuf_deinit(&text);
    }
}

static void test_round_trip(void **state) {
    UNUSED(state);
    static const char *const formats[] = {"claude", "cursor", "vscode", "warp", "codex", "zed"};
    mcp_config direct;
    read_text(&direct, OURS, NULL);
    for (size_t f = 0; f < COUNTOF(formats); f++) {
        exporter x;
        err e;
        mcp_config kept, again;
        strbuf out;
        strbuf_init(&out, 1u << 20);
        assert_int_equal(exporter_init(&x, formats[f], "/w", "/h", &e), OK);
        mcp_config_init(&kept);
        mcp_source from = source(NULL);
        from.keep = exporter_keep;
        from.ud = &x;
        assert_int_equal(mcp_config_read(&kept, str_of(OURS), &from, &e), OK);
        exporter_write(&x, &kept, "/opt/inlined", NULL, 0, &out);
        assert_null(strstr(out.ptr, "canary"));
        assert_null(strstr(x.notes.ptr ? x.notes.ptr : "", "canary"));
        read_text(&again, out.ptr, formats[f]);
        assert_int_equal(again.servers.count, direct.servers.count + 1);
        assert_string_equal(mcp_config_find(&again, "inlined")->command, "/opt/inlined");
        bool codex = f == 4, zed = f == 5;
        for (size_t i = 0; i < direct.servers.count; i++) {
            const mcp_definition *d = direct.servers.at[i];
            const mcp_definition *b = mcp_config_find(&again, d->name);
            assert_non_null(b);
            assert_int_equal(d->transport, b->transport);
            assert_string_equal(d->command ? d->command : "", b->command ? b->command : "");
            assert_string_equal(d->url ? d->url : "", b->url ? b->url : "");
            assert_string_equal(d->cwd ? d->cwd : "", b->cwd ? b->cwd : "");
            assert_int_equal(d->total_ms, b->total_ms);
            assert_int_equal(d->deny.count, b->deny.count);
            assert_int_equal(d->args.count, b->args.count);
            for (size_t k = 0; k < d->args.count; k++)
                assert_string_equal(d->args.at[k], b->args.at[k]);
            if (!zed && !(codex && i != 1)) assert_same_pairs(&d->env, &b->env);
            if (!zed) assert_same_pairs(&d->headers, &b->headers);
        }
        if (codex) { /* a variable of the same name is passed on by name */
            assert_string_equal(mcp_config_find(&again, "files")->env_passthrough.at[0], "TOKEN");
            assert_non_null(strstr(x.notes.ptr, "INLINED_INPUT_key"));
        }
        if (zed) assert_non_null(strstr(x.notes.ptr, "expands no variables"));
        mcp_config_deinit(&again);
        mcp_config_deinit(&kept);
        exporter_deinit(&x);
        strbuf_deinit(&out);
    }
    exporter x;
    err e;
    assert_int_equal(exporter_init(&x, "emacs", NULL, NULL, &e), ERR_USAGE);
    mcp_config_deinit(&direct);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_toml),
        cmocka_unit_test(test_toml_refuses),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_goose),
        cmocka_unit_test(test_codex),
        cmocka_unit_test(test_env_file_and_inputs),
        cmocka_unit_test(test_claude_of_folder),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_huge),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
