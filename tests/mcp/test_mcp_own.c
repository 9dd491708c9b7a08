/* SPDX-License-Identifier: Apache-2.0 */
/* Our own tools: schemas, the words of commands, the memory's file, and what is outside of a
 * folder stays outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "mcp/beneath.h"
#include "mcp/memory.h"
#include "mcp/own_private.h"

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/inlined-own-XXXXXX");
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static const char *path_of(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text) {
    FILE *f = fopen(path_of(name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static cJSON *parse(const char *text) {
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    return json;
}

/* ---- schemas --------------------------------------------------------------------------------- */

static void check(const char *schema, const char *value, const char *sentence) {
    cJSON *s = parse(schema), *v = parse(value);
    err e = {{0}};
    status got = own_check(s, v, &e);
    if (!sentence)
        assert_int_equal(got, OK);
    else
        assert_non_null(strstr(e.text, sentence));
    cJSON_Delete(s);
    cJSON_Delete(v);
}

static void test_schema(void **state) {
    (void)state;
    const char *s =
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":2},"
        "\"b\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"pattern\":\"^x\"},"
        "\"maxItems\":2},\"c\":{\"enum\":[\"on\",null]},\"d\":{\"type\":[\"number\","
        "\"null\"]}},\"required\":[\"a\"],\"additionalProperties\":false}";
    check(s, "{\"a\":2,\"b\":[\"x\",\"xy\"],\"c\":null,\"d\":null}", NULL);
    check(s, "{}", "\"a\" is missing");
    check(s, "{\"a\":1}", "a is not what");
    check(s, "{\"a\":2.5}", "a is not what");
    check(s, "{\"a\":\"2\"}", "a is not what");
    check(s, "{\"a\":1e300}", "a is not what");
    check(s, "{\"a\":2,\"b\":[\"y\"]}", "b is not what");
    check(s, "{\"a\":2,\"b\":[\"x\",\"x\",\"x\"]}", "b is not what");
    check(s, "{\"a\":2,\"c\":\"off\"}", "c is not what");
    check(s, "{\"a\":2,\"e\":1}", "no argument \"e\"");
    check(s, "[]", "the arguments is not what");
}

/* ---- commands -------------------------------------------------------------------------------- */

/* The words, each between bars; or the sentence. */
static const char *expand(const char *argv, const char *arguments) {
    static char out[512];
    cJSON *words = parse(argv), *given = parse(arguments);
    own_entry entry = {.argv = words};
    own_words list = {0};
    arena a;
    err e = {{0}};
    arena_init(&a);
    out[0] = '\0';
    if (own_expand(&entry, given, "/w", &a, &list, &e)) snprintf(out, sizeof out, "%s", e.text);
    for (size_t i = 0; !e.text[0] && i < list.count; i++)
        snprintf(out + strlen(out), sizeof out - strlen(out), "|%s", list.at[i]);
    vec_free(&list);
    arena_deinit(&a);
    cJSON_Delete(words);
    cJSON_Delete(given);
    return out;
}

static void test_words(void **state) {
    (void)state;
    const char *argv =
        "[\"t\",\"-C\",\"${workspaceFolder}/b\",\"-R\",\"${r}\",\"n=${n}\",\"${l}\"]";
    assert_string_equal(expand(argv, "{\"r\":\"a b; c\",\"n\":3,\"l\":[\"x\",\"y\"]}"),
                        "|t|-C|/w/b|-R|a b; c|n=3|x|y");
    assert_string_equal(expand(argv, "{}"), "|t|-C|/w/b|-R");
    assert_string_equal(expand("[\"${x\",\"$x\"]", "{\"x\":1}"), "|${x|$x");
    assert_string_equal(expand("[\"t\",\"${r}\"]", "{\"r\":\"${workspaceFolder}\"}"),
                        "|t|${workspaceFolder}");
    assert_non_null(strstr(expand(argv, "{\"r\":\"--output=/etc\"}"), "may not begin with -"));
    assert_non_null(strstr(expand(argv, "{\"l\":[\"a\",\"-x\"]}"), "may not begin with -"));
    assert_string_equal(expand("[\"--n=${n}\"]", "{\"n\":-3}"), "|--n=-3");
}

static void declare(const char *text, const char *sentence) {
    cJSON *root = parse(text);
    own_entries list = {0};
    err e = {{0}};
    if (own_declared(&list, root, false, &e) == OK) e.text[0] = '\0';
    if (sentence)
        assert_non_null(strstr(e.text, sentence));
    else
        assert_string_equal(e.text, "");
    vec_free(&list);
    cJSON_Delete(root);
}

static void test_declared(void **state) {
    (void)state;
#define TOOL(rest) "{\"tools\":{\"t\":{\"description\":\"d\"," rest "}}}"
#define SCHEMA "\"schema\":{\"type\":\"object\"}"
    declare(TOOL(SCHEMA ",\"argv\":[\"x\"]"), NULL);
    declare("{}", "no object \"tools\"");
    declare("{\"tools\":{\"a b\":{}}}", "no name for a tool");
    declare(TOOL("\"argv\":[\"x\"]"), "needs a \"description\" and a \"schema\"");
    declare(TOOL("\"schema\":{},\"argv\":[\"x\"]"), "not of type object");
    declare(TOOL(SCHEMA), "needs \"argv\"");
    declare(TOOL(SCHEMA ",\"argv\":[]"), "needs \"argv\"");
    declare(TOOL(SCHEMA ",\"argv\":\"rm -rf\""), "needs \"argv\"");
    declare(TOOL(SCHEMA ",\"argv\":[1]"), "needs \"argv\"");
    declare(TOOL(SCHEMA ",\"argv\":[\"x\"],\"timeoutMs\":0"), "\"timeoutMs\"");
    declare(TOOL(SCHEMA ",\"argv\":[\"x\"],\"env\":{\"A\":1}"), "\"env\"");
    declare("{\"tools\":{\"t\":{\"description\":\"d\"," SCHEMA ",\"argv\":[\"x\"]},"
            "\"t\":{\"description\":\"d\"," SCHEMA ",\"argv\":[\"x\"]}}}",
            "two tools t");
}

static void test_declared_offers(void **state) {
    (void)state;
#define PROMPT(rest) "{\"prompts\":{\"p\":{\"description\":\"d\"," rest "}}}"
#define RESOURCE(uri, rest) "{\"resources\":{\"" uri "\":{" rest "}}}"
#define TEMPLATE(uri, rest) "{\"resourceTemplates\":{\"" uri "\":{" rest "}}}"
    declare(PROMPT("\"messages\":[{\"role\":\"user\",\"text\":\"t\"}]"), NULL);
    declare(PROMPT("\"argv\":[\"x\"],\"arguments\":[{\"name\":\"n\",\"values\":[\"v\"]}]"), NULL);
    declare(PROMPT("\"messages\":[]"), "\"messages\"");
    declare(PROMPT("\"messages\":[{\"role\":\"system\",\"text\":\"t\"}]"), "\"messages\"");
    declare(PROMPT("\"argv\":[\"x\"],\"arguments\":[{}]"), "the arguments of p");
    declare(PROMPT("\"argv\":[\"x\"],\"arguments\":[{\"name\":\"n\",\"values\":[1]}]"),
            "the arguments of p");
    declare(RESOURCE("a:b", "\"text\":\"t\""), NULL);
    declare(RESOURCE("a:b", "\"file\":\"f\",\"text\":\"t\""), "needs one of");
    declare(RESOURCE("a:b", "\"title\":\"t\""), "needs one of");
    declare(RESOURCE("ab", "\"text\":\"t\""), "no address");
    declare(RESOURCE("a:b", "\"file\":1"), "\"file\" of a:b is not a text");
    declare(TEMPLATE("a:{x}", "\"file\":\"${x}\",\"values\":{\"x\":[\"1\"]}"), NULL);
    declare(TEMPLATE("a:{x}", "\"file\":\"${x}\",\"values\":{\"y\":[\"1\"]}"), "the values of");
    declare(TEMPLATE("a:b", "\"file\":\"f\""), "places like {name}");
    declare(TEMPLATE("a:{x}{y}", "\"file\":\"f\""), "places like {name}");
    declare(TEMPLATE("a:{x", "\"file\":\"f\""), "places like {name}");
    declare("{\"prompts\":[]}", "is not an object");
    declare(TOOL("\"argv\":[\"x\"],\"schema\":{\"type\":\"object\",\"properties\":{\"a\":"
                 "{\"type\":\"object\",\"x-mcp-header\":\"A\"}}}"),
            "x-mcp-header");
}

/* What stands in the places; "" when it does not match. */
static const char *match(const char *pattern, const char *uri) {
    static char out[256];
    cJSON *got;
    out[0] = '\0';
    if (!own_uri_match(pattern, uri, &got)) return out;
    cJSON_PrintPreallocated(got, out, sizeof out, false);
    cJSON_Delete(got);
    return out;
}

static void test_uris(void **state) {
    (void)state;
    assert_string_equal(match("t://{id}/data", "t://123/data"), "{\"id\":\"123\"}");
    assert_string_equal(match("t://{id}/data", "t:///data"), "");
    assert_string_equal(match("t://{id}/data", "t://1/2/data"), "");
    assert_string_equal(match("t://{id}/data", "t://1/dat"), "");
    assert_string_equal(match("t://{id}/data", "t://1/data/"), "");
    assert_string_equal(match("t://{a}-{b}", "t://1-2-3"), "{\"a\":\"1\",\"b\":\"2-3\"}");
    assert_string_equal(match("t://{a}", "t://a%20b%C3%A4"), "{\"a\":\"a b\xC3\xA4\"}");
    /* A slash that is written as a code stands for itself: what opens the file confines it. */
    assert_string_equal(match("t://{a}", "t://..%2Fx"), "{\"a\":\"../x\"}");
    assert_string_equal(match("t://{a}", "t://%00"), "");
    assert_string_equal(match("t://{a}", "t://%"), "");
    assert_string_equal(match("t://{a}", "t://%4"), "");
    assert_string_equal(match("t://{a}", "t://%zz"), "");
}

static void test_texts(void **state) {
    (void)state;
    strbuf out;
    err e;
    cJSON *arguments = parse("{\"a\":\"${b}\",\"b\":\"x\",\"n\":3}");
    strbuf_init(&out, 4096);
    assert_int_equal(
        own_expand_text("<${a}|${n}|${none}|${workspaceFolder}|${open", arguments, "/w", &out, &e),
        OK);
    assert_string_equal(out.ptr, "<${b}|3||/w|${open");
    strbuf_deinit(&out);
    cJSON_Delete(arguments);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void test_beneath(void **state) {
    beneath b = {0};
    strbuf out;
    uint64_t all;
    err e = {{0}};
    (void)state;
    mkdir(path_of("in"), 0700);
    mkdir(path_of("in/sub"), 0700);
    write_text("secret", "canary\n");
    write_text("in/sub/a.c", "int x;\nint Needle;\n");
    assert_int_equal(symlink("../secret", path_of("in/link")), 0);
    assert_int_equal(symlink("sub", path_of("in/inside")), 0);
    strbuf_init(&out, 65536);
    char root[128];
    snprintf(root, sizeof root, "%s", path_of("in"));
    assert_int_equal(beneath_open(&b, root, &e), OK);
    const char *const outside[] = {"../secret", "link", "/etc/passwd", "sub/../../secret",
                                   "/proc/self/root/etc/passwd"};
    for (size_t i = 0; i < COUNTOF(outside); i++)
        assert_int_not_equal(beneath_read(&b, outside[i], 0, 100, &out, &all, &e), OK);
    assert_int_equal(out.len, 0);
    assert_int_equal(beneath_read(&b, "inside/a.c", 4, 3, &out, &all, &e), OK);
    assert_string_equal(out.ptr, "x;\n");
    assert_int_equal(all, 19);
    strbuf_clear(&out);
    assert_int_equal(beneath_read(&b, path_of("in/sub/a.c"), 0, 3, &out, &all, &e), OK);
    strbuf_clear(&out);
    assert_int_equal(beneath_list(&b, ".", &out, &e), OK);
    assert_string_equal(out.ptr, "inside  (link)\nlink  (link)\nsub/\n");
    strbuf_clear(&out);
    const beneath_search search = {.text = "needle",
                                   .files = "*.c",
                                   .ignore_case = true,
                                   .lines_max = 5,
                                   .until_ms = clock_ms() + 10000};
    assert_int_equal(beneath_find(&b, ".", &search, &out, &e), OK);
    assert_string_equal(out.ptr, "sub/a.c:2: int Needle;\n");
    strbuf_deinit(&out);
    beneath_close(&b);
}

/* ---- git ------------------------------------------------------------------------------------- */

static bool hides(void *ud, const char *path, bool is_folder) {
    (void)ud;
    return strstr(path, "secret") != NULL || (is_folder && strstr(path, "private"));
}

static void sift(const char *tool, const char *printed, bool cut, const char *wanted) {
    const own_place at = {.workspace = (char[]){"/w"}, .privacy = {.hides = hides}};
    strbuf out;
    strbuf_init(&out, 4096);
    own_git_sift(&at, tool, str_of(printed), cut, &out);
    strbuf_add_char(&out, '\0');
    assert_string_equal(out.ptr, wanted);
    strbuf_deinit(&out);
}

#define LEFT_OUT(n) "(changes of " #n " hidden files are left out)\n"

/* What cannot be read is hidden; what only looks like a header is none. */
static void test_git(void **state) {
    (void)state;
    sift("git_diff",
         "diff --git a/a.c b/a.c\n@@ -1 +1 @@\n-diff --git a/secret b/secret\n+x\n"
         "diff --git a/secret.c b/secret.c\n-canary\n+diff --git a/a.c b/a.c\n"
         "diff --git \"a/s\\145cret\" \"b/s\\145cret\"\n+canary\n"
         "diff --git a/a b.c b/a b.c\n+y\n",
         false,
         "diff --git a/a.c b/a.c\n@@ -1 +1 @@\n-diff --git a/secret b/secret\n+x\n"
         "diff --git a/a b.c b/a b.c\n+y\n" LEFT_OUT(2));
    static const char *const unreadable[] = {"diff --git a/a.c b/b.c\n+canary\n",
                                             "diff --git a.c a.c\n+canary\n",
                                             "diff --git \n+canary\n",
                                             "diff --git a/../a b/../a\n+canary\n",
                                             "diff --git a/ b/\n+canary\n",
                                             "diff --git \"a/\\q\" \"b/\\q\"\n+canary\n",
                                             "diff --git \"a/x b/x\n+canary\n",
                                             "diff --git a/.git/config b/.git/config\n+canary\n",
                                             "diff --git a//etc/x b//etc/x\n+canary\n",
                                             "diff --strange a.c\n+canary\n",
                                             "diff --git \"a/\\00x\" \"b/\\00x\"\n+canary\n",
                                             "diff --git \"a/x\\000\" \"b/x\\000\"\n+canary\n",
                                             "diff --cc secret\n++canary\n",
                                             "* Unmerged path secret\n"};
    for (size_t i = 0; i < COUNTOF(unreadable); i++)
        sift("git_show", unreadable[i], false, LEFT_OUT(1));
    sift("git_show", "commit 1\n\n    diff --git a/secret b/secret\n", false,
         "commit 1\n\n    diff --git a/secret b/secret\n");
    sift("git_status", "## main\n M a.c\n?? secret.c\n?? private/\n M ../b.c\n M \"tab\\t.c\"\nx\n",
         false, "## main\n M a.c\n M \"tab\\t.c\"\n" LEFT_OUT(4));
    sift("git_status", " M a.c\n M secre", true, " M a.c\n(there was more)\n");
    sift("git_status", " M secre", true, "(there was more)\n");
}

/* ---- memory ---------------------------------------------------------------------------------- */

static char *remember(const char *tool, const char *arguments) {
    cJSON *given = parse(arguments), *result = NULL;
    err e = {{0}};
    status s = memory_call(path_of("memory.jsonl"), tool, given, &result, &e);
    char *text = s ? strdup(e.text) : cJSON_PrintUnformatted(result);
    cJSON_Delete(given);
    cJSON_Delete(result);
    return text;
}

static void expect(const char *tool, const char *arguments, const char *wanted) {
    char *text = remember(tool, arguments);
    assert_string_equal(text, wanted);
    free(text);
}

static void test_memory(void **state) {
    (void)state;
#define ANN "{\"name\":\"Ann\",\"entityType\":\"person\",\"observations\":[\"likes C\"]}"
#define KNOWS "{\"from\":\"Ann\",\"to\":\"Bob\",\"relationType\":\"knows\"}"
    expect("read_graph", "{}", "{\"entities\":[],\"relations\":[]}");
    expect("create_entities", "{\"entities\":[" ANN "]}", "[" ANN "]");
    expect("create_entities", "{\"entities\":[" ANN "]}", "[]");
    expect("create_relations", "{\"relations\":[" KNOWS "," KNOWS "]}", "[" KNOWS "]");
    expect("search_nodes", "{\"query\":\"LIKES\"}",
           "{\"entities\":[" ANN "],\"relations\":[" KNOWS "]}");
    expect("search_nodes", "{\"query\":\"Rust\"}", "{\"entities\":[],\"relations\":[]}");
    expect("add_observations",
           "{\"observations\":[{\"entityName\":\"Ann\",\"contents\":[\"likes C\",\"new\"]}]}",
           "[\"new\"]");
    expect("add_observations", "{\"observations\":[{\"entityName\":\"Eve\",\"contents\":[]}]}",
           "there is no entity \"Eve\"");
    expect("delete_observations",
           "{\"deletions\":[{\"entityName\":\"Ann\",\"observations\":[\"new\"]}]}", "\"deleted\"");
    expect("open_nodes", "{\"names\":[\"Ann\"]}",
           "{\"entities\":[" ANN "],\"relations\":[" KNOWS "]}");
    expect("delete_entities", "{\"entityNames\":[\"Ann\"]}", "\"deleted\"");
    expect("read_graph", "{}", "{\"entities\":[],\"relations\":[]}");
    write_text("memory.jsonl", "{\"type\":\"entity\",\"name\":\"Ann\"}\nnonsense\n");
    char *text = remember("create_entities", "{\"entities\":[]}");
    assert_non_null(strstr(text, "memory.jsonl"));
    free(text);
    strbuf kept; /* what could not be read was not written over */
    err e;
    strbuf_init(&kept, 1000);
    assert_int_equal(file_read(path_of("memory.jsonl"), 1000, &kept, &e), OK);
    assert_non_null(strstr(kept.ptr, "nonsense"));
    strbuf_deinit(&kept);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_declared),
        cmocka_unit_test(test_beneath),
        cmocka_unit_test(test_git),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_declared_offers),
        cmocka_unit_test(test_uris),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
