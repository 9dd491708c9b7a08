/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in tools behind lsp/tools.c, as a model calls them: what they answer, what they never
 * show, which of them ask, and what a configuration can say of them.  A real loop and real files in
 * a folder of its own; no process but git's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "context/hidden.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "lsp/tools.h"

#define LIST_MAX 64

typedef struct {
    char folder[64], work[80];
    uv_loop_t loop;
    uv_timer_t tick; /* a turn of the loop must not wait for ever: somebody looks at `done` */
    hidden *hidden;
    tools *tools;
    bool closed, answered, ready;
    mcp_decision decide; /* what the person says */
    int asked, servers_asked;
    mcp_outcome outcome;
    char text[65536], code[256];
} bench;

static bench b;

static void write_text(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", b.folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void make_folder(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", b.folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

/* ---- hooks ----------------------------------------------------------------------------------- */

static void on_ask(void *ud, const mcp_question *q) {
    assert_ptr_equal(ud, &b);
    if (q->kind == MCP_ASK_SERVER) { /* nobody answers */
        b.servers_asked++;
        return;
    }
    assert_int_equal(q->kind, MCP_ASK_TOOL);
    assert_string_equal(q->server, "inlined");
    b.asked++;
    tools_decide(b.tools, q->id, b.decide, NULL);
}

static void on_changed(void *ud) {
    (void)ud;
    if (b.tools) b.ready = !tools_are_starting(b.tools);
}

static bool on_code(void *ud, const own_code_request *q, strbuf *out, bool *busy) {
    (void)ud;
    *busy = false;
    snprintf(b.code, sizeof b.code, "%s %.*s|%s", q->tool, STR_ARG(q->file),
             q->trouble ? q->trouble : "");
    strbuf_addf(out, "asked");
    return true;
}

static void on_closed(void *ud) {
    (void)ud;
    b.closed = true;
}

static void on_done(void *ud, const mcp_answer *a) {
    (void)ud;
    b.answered = true;
    b.outcome = a->outcome;
    snprintf(b.text, sizeof b.text, "%.*s", STR_ARG(a->text));
}

/* ---- life ------------------------------------------------------------------------------------ */

static void run_until(const bool *done) {
    for (double end = clock_ms() + 60000; !*done && clock_ms() < end;)
        uv_run(&b.loop, UV_RUN_ONCE);
    assert_true(*done);
}

static void on_tick(uv_timer_t *tick) {
    (void)tick;
}

static void begin(bool enabled, bool built_in) {
    str root = str_of(b.work);
    uv_loop_init(&b.loop);
    uv_timer_init(&b.loop, &b.tick);
    uv_timer_start(&b.tick, on_tick, 5, 5);
    b.hidden = hidden_new();
    hidden_set(b.hidden, &root, 1, STR(".env\n"), true);
    b.ready = b.closed = false;
    b.asked = b.servers_asked = 0;
    b.tools = tools_new(&b.loop,
                        &(tools_hooks){.ud = &b,
                                       .ask = on_ask,
                                       .changed = on_changed,
                                       .code = on_code,
                                       .privacy = {b.hidden, hidden_look, hidden_is, hidden_mask}});
    tools_configure(b.tools, b.work, enabled, built_in,
                    &(settings_list){.count = 2, .at = {"read_*", "diagnostics"}});
    tools_wake(b.tools);
}

static void end(void) {
    tools *t = b.tools;
    b.tools = NULL;
    tools_close(t, on_closed, NULL);
    run_until(&b.closed);
    uv_close((uv_handle_t *)&b.tick, NULL);
    uv_run(&b.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b.loop), 0);
    hidden_free(b.hidden);
}

static void call(const char *name, const char *arguments, mcp_purpose purpose) {
    cJSON *given = cJSON_Parse(arguments);
    b.answered = false;
    tools_call(b.tools, &(mcp_order){.name = name, .arguments = given, .purpose = purpose}, on_done,
               NULL);
    cJSON_Delete(given);
    run_until(&b.answered);
}

static void expect(const char *name, const char *arguments, mcp_outcome outcome, const char *part) {
    call(name, arguments, MCP_FOR_MODEL);
    assert_int_equal(b.outcome, outcome);
    if (!strstr(b.text, part)) fail_msg("%s %s says: %s", name, arguments, b.text);
}

static bool is_listed(const char *name) {
    agent_tool list[LIST_MAX];
    size_t n = tools_list(b.tools, list, LIST_MAX);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i].name, name)) return list[i].schema != NULL && list[i].description[0];
    return false;
}

/* How many of the listed ones are (not) spare, and whether this one is not. */
static size_t count_usual(const char *name, bool *is_usual) {
    agent_tool list[LIST_MAX];
    size_t n = tools_list(b.tools, list, LIST_MAX), usual = 0;
    *is_usual = false;
    for (size_t i = 0; i < n; i++) {
        usual += !list[i].spare;
        if (!strcmp(list[i].name, name)) *is_usual = !list[i].spare;
    }
    return usual;
}

static int set_up(void **state) {
    (void)state;
    snprintf(b.folder, sizeof b.folder, "/tmp/inlined-tools-XXXXXX");
    if (!mkdtemp(b.folder)) return 1;
    snprintf(b.work, sizeof b.work, "%s/work", b.folder);
    const char *const unset[] = {"XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME",
                                 "MEMORY_FILE_PATH"};
    for (size_t i = 0; i < COUNTOF(unset); i++)
        unsetenv(unset[i]);
    setenv("HOME", b.folder, 1);
    make_folder("work");
    make_folder(".config");
    make_folder(".config/inlined");
    write_text("work/a.c", "int a;\n");
    write_text("work/.env", "canary\n");
    write_text("work/notes.txt", "canary\n");
    write_text("work/.inlinedignore", "notes.txt\n");
    return 0;
}

static int tear_down(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", b.folder);
    return system(command);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_offers(void **state) {
    static const char *const names[] = {
        "read_file",    "list_directory", "search_files", "find_symbol",    "list_symbols",
        "diagnostics",  "git_status",     "git_diff",     "git_log",        "git_show",
        "current_time", "convert_time",   "search_nodes", "create_entities"};
    char name[64];
    bool usual;
    mcp_server_info info;
    (void)state;
    begin(true, true);
    assert_true(tools_are_starting(b.tools));
    run_until(&b.ready);
    for (size_t i = 0; i < COUNTOF(names); i++) {
        snprintf(name, sizeof name, "inlined__%s", names[i]);
        if (!is_listed(name)) fail_msg("%s is not listed", name);
    }
    assert_int_equal(count_usual("inlined__read_output", &usual), 4); /* "read_*", diagnostics */
    assert_true(usual);
    assert_int_equal(count_usual("inlined__git_log", &usual), 4);
    assert_false(usual);
    assert_int_equal(mcp_server_count(tools_host(b.tools)), 1);
    assert_true(mcp_server_at(tools_host(b.tools), 0, &info));
    assert_int_equal(info.state, MCP_READY);
    assert_int_equal(info.pid, 0);
    assert_string_equal(info.server_name, "inlined");
    end();
}

static void test_files(void **state) {
    (void)state;
    begin(true, true);
    expect("inlined__read_file", "{\"path\":\"a.c\"}", MCP_OK, "int a;");
    write_text("work/a.c", "int b;\n"); /* nothing is kept of a file that a person edits */
    expect("inlined__read_file", "{\"path\":\"a.c\"}", MCP_OK, "int b;");
    expect("inlined__read_file", "{\"path\":\".env\"}", MCP_TOOL_ERROR, "hidden by the privacy");
    expect("inlined__read_file", "{\"path\":\"notes.txt\"}", MCP_TOOL_ERROR, "hidden by the");
    expect("inlined__read_file", "{\"path\":\"../.config\"}", MCP_TOOL_ERROR, "outside");
    expect("inlined__search_files", "{\"text\":\"canary\"}", MCP_OK, "no line of");
    expect("inlined__list_directory", "{}", MCP_OK, "a.c");
    assert_null(strstr(b.text, ".env"));
    expect("inlined__read_file", "{\"wrong\":1}", MCP_TOOL_ERROR, "is missing");
    expect("inlined__no_such", "{}", MCP_UNKNOWN, "");
    expect("inlined__current_time", "{\"timezone\":\"UTC\"}", MCP_OK, "+00:00");
    assert_int_equal(b.asked, 0);
    end();
}

static void test_code(void **state) {
    (void)state;
    begin(true, true);
    expect("inlined__find_symbol", "{\"name\":\"x\"}", MCP_OK, "asked");
    assert_string_equal(b.code, "find_symbol |");
    expect("inlined__diagnostics", "{}", MCP_OK, "asked");
    assert_string_equal(b.code, "diagnostics |");
    expect("inlined__diagnostics", "{\"path\":\"a.c\"}", MCP_OK, "asked");
    assert_string_equal(b.code, "diagnostics int b;\n|");
    expect("inlined__diagnostics", "{\"path\":\".env\"}", MCP_OK, "asked");
    assert_non_null(strstr(b.code, "|.env is hidden"));
    assert_null(strstr(b.code, "canary"));
    end();
}

/* The memory's changes ask; what is allowed for good is remembered; look-ups of the editor may not
 * use what nobody has allowed. */
static void test_policy(void **state) {
    const char *one = "{\"entities\":[{\"name\":\"n\",\"entityType\":\"t\",\"observations\":[]}]}";
    (void)state;
    begin(true, true);
    b.decide = MCP_DENY;
    expect("inlined__create_entities", one, MCP_DENIED, "");
    expect("inlined__read_graph", "{}", MCP_OK, "\"entities\"");
    assert_null(strstr(b.text, "\"n\""));
    b.decide = MCP_ALLOW_ALWAYS;
    expect("inlined__create_entities", one, MCP_OK, "");
    assert_int_equal(b.asked, 2);
    expect("inlined__search_nodes", "{\"query\":\"n\"}", MCP_OK, "\"n\"");
    call("inlined__search_nodes", "{\"query\":\"n\"}", MCP_FOR_ACTION);
    assert_int_equal(b.outcome, MCP_DENIED);
    end();
    begin(true, true);
    b.decide = MCP_DENY;
    expect("inlined__create_entities", one, MCP_OK, "");
    assert_int_equal(b.asked, 0);
    end();
}

static void test_configured(void **state) {
    (void)state;
    begin(true, false);
    assert_false(tools_are_starting(b.tools));
    assert_false(is_listed("inlined__read_file"));
    end();
    begin(false, true);
    assert_null(tools_host(b.tools));
    end();
    write_text(".config/inlined/mcp.json",
               "{\"mcpServers\":{\"inlined\":{\"type\":\"built-in\",\"x-host\":"
               "{\"deny\":[\"git_*\"],\"ask\":[\"read_file\"]}}}}");
    begin(true, true);
    b.decide = MCP_ALLOW_ONCE;
    expect("inlined__git_status", "{}", MCP_DENIED, "");
    expect("inlined__read_file", "{\"path\":\"a.c\"}", MCP_OK, "int b;");
    assert_int_equal(b.asked, 1);
    end();
    write_text(".config/inlined/mcp.json",
               "{\"mcpServers\":{\"inlined\":{\"type\":\"built-in\",\"disabled\":true}}}");
    begin(true, true);
    expect("inlined__read_file", "{\"path\":\"a.c\"}", MCP_NOT_STARTED, "");
    end();
    /* A project cannot loosen the rules. */
    write_text(".config/inlined/mcp.json", "{\"mcpServers\":{}}");
    write_text("work/.mcp.json", "{\"mcpServers\":{\"inlined\":{\"type\":\"built-in\",\"x-host\":"
                                 "{\"allow\":[\"*\"],\"trust\":true}}}}");
    begin(true, true);
    b.decide = MCP_DENY;
    expect("inlined__delete_entities", "{\"entityNames\":[\"n\"]}", MCP_DENIED, "");
    assert_int_equal(b.asked, 1);
    end();
}

/* What is cut is read on by its number. */
static void test_outputs(void **state) {
    char text[4000], arguments[80];
    unsigned long number = 0;
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i % 64 == 63 ? '\n' : 'a' + i % 26);
    text[sizeof text - 1] = '\0';
    write_text("work/long.txt", text);
    write_text(".config/inlined/mcp.json",
               "{\"mcpServers\":{\"inlined\":{\"type\":\"built-in\",\"x-host\":"
               "{\"maxOutputBytes\":400}}}}");
    begin(true, true);
    expect("inlined__read_file", "{\"path\":\"long.txt\"}", MCP_OK, "are left out here");
    const char *said = strstr(b.text, "read_output reads them, output ");
    assert_non_null(said);
    assert_int_equal(sscanf(said, "read_output reads them, output %lu]", &number), 1);
    snprintf(arguments, sizeof arguments, "{\"output\":%lu,\"offset\":1024,\"length\":64}", number);
    expect("inlined__read_output", arguments, MCP_OK, "\n[bytes 1024 to 1088 of ");
    assert_int_equal(strncmp(b.text, text + 1024, 64), 0);
    snprintf(arguments, sizeof arguments, "{\"output\":%lu}", number + 1);
    expect("inlined__read_output", arguments, MCP_TOOL_ERROR, "no output of that number");
    end();
    write_text(".config/inlined/mcp.json", "{\"mcpServers\":{}}");
}

/* Ends in the middle of a call: nobody is told, nothing is left. */
static void test_cut_off(void **state) {
    (void)state;
    cJSON *none = cJSON_CreateObject();
    begin(true, true);
    run_until(&b.ready);
    b.answered = false;
    const mcp_order git = {
        .name = "inlined__git_status", .arguments = none, .purpose = MCP_FOR_MODEL};
    mcp_order list = git;
    list.name = "inlined__list_directory";
    tools_call(b.tools, &git, on_done, NULL);
    for (int i = 0; i < 3; i++)
        uv_run(&b.loop, UV_RUN_NOWAIT);
    uint64_t number = tools_call(b.tools, &list, on_done, NULL);
    tools_cancel(b.tools, number);
    bool before = b.answered; /* by a git that was fast */
    end();
    assert_int_equal(b.answered, before);
    cJSON_Delete(none);
}

static void wake_for(const char *workspace) {
    tools_configure(b.tools, workspace, true, true, &(settings_list){.count = 0});
    for (int i = 0; i < 5; i++) {
        tools_wake(b.tools);
        uv_run(&b.loop, UV_RUN_ONCE);
    }
}

/* A project's server is asked about once; when settings take the question away, once more. */
static void test_asks_again(void **state) {
    (void)state;
    write_text("work/.mcp.json", "{\"mcpServers\":{\"mine\":{\"command\":\"/bin/true\"}}}");
    begin(true, true);
    wake_for(b.work);
    assert_int_equal(b.servers_asked, 1);
    wake_for(b.folder); /* has no server */
    assert_int_equal(b.servers_asked, 1);
    wake_for(b.work);
    assert_int_equal(b.servers_asked, 2);
    end();
    write_text("work/.mcp.json", "{\"mcpServers\":{}}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offers),     cmocka_unit_test(test_files),
        cmocka_unit_test(test_code),       cmocka_unit_test(test_policy),
        cmocka_unit_test(test_outputs),    cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_configured), cmocka_unit_test(test_asks_again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
