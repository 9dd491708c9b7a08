/* SPDX-License-Identifier: Apache-2.0 */
/* Work with tools, with a scripted engine: rounds, bounds, bad answers, and the end that always
 * comes once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "lsp/agent.h"
#include "lsp/agent_tools.h"
#include "tests/lsp/fake_engine.h"

typedef struct {
    engine *g;
    agents *as;
    agent *a;
    engine_model_info info;
    cJSON *schema; /* {"path": string} */
    strbuf seen;   /* what hooks.text was given */
    char called[64], arguments[256];
    uint64_t call;
    size_t most; /* bytes of its result */
    int calls, ends;
    int n_usual; /* tools behind these are spare; 0: none is */
    status status;
    char text[4096], error[512];
    bool json;
    agent_result numbers;
} fixture;

static void on_text(void *ud, str piece) {
    strbuf_add_str(&((fixture *)ud)->seen, piece);
}

static void on_call(void *ud, agent *a, const agent_call *c) {
    fixture *f = ud;
    char *printed = cJSON_PrintUnformatted(c->arguments);
    assert_ptr_equal(a, f->a);
    snprintf(f->called, sizeof f->called, "%s", c->tool);
    snprintf(f->arguments, sizeof f->arguments, "%s", printed ? printed : "none");
    cJSON_free(printed);
    f->call = c->id;
    f->most = c->result_bytes;
    f->calls++;
}

static void on_done(void *ud, const agent_result *r) {
    fixture *f = ud;
    f->ends++;
    f->a = NULL;
    f->status = r->status;
    f->json = r->json != NULL;
    f->numbers = *r;
    snprintf(f->text, sizeof f->text, "%.*s", STR_ARG(r->text));
    snprintf(f->error, sizeof f->error, "%s", r->status == OK ? "" : r->error.text);
}

static int setup(void **state) {
    fixture *f = xcalloc(1, sizeof *f);
    err e;
    if (engine_start(&f->g, &(engine_options){.device = K_REF}, &e) != OK) return -1;
    f->as = agents_new(f->g);
    f->info = (engine_model_info){
        .name = "fake", .chat = true, .chat_tools = CHAT_TOOLS_TAGGED, .context_tokens = 2000};
    f->schema = cJSON_Parse("{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\"}},"
                            "\"required\":[\"path\"]}");
    strbuf_init(&f->seen, 65536);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    agents_free(f->as);
    engine_stop(f->g);
    cJSON_Delete(f->schema);
    strbuf_deinit(&f->seen);
    xfree(f);
    return 0;
}

static void event(void *ud, const engine_event *ev) {
    (void)agents_event(((fixture *)ud)->as, ev);
}

static void begin_with(fixture *f, const agent_order *extra, int n_tools) {
    static char names[40][16];
    agent_tool tools[40];
    for (int i = 0; i < n_tools; i++) {
        snprintf(names[i], sizeof names[i], i ? "tool_%d" : "read_file", i);
        tools[i] = (agent_tool){names[i], i ? "does something" : "Reads a file.\nMore.", f->schema,
                                i >= f->n_usual && f->n_usual};
    }
    const agent_message messages[] = {{"system", STR("Be brief.")}, {"user", STR("What is x?")}};
    agent_order o = extra ? *extra : (agent_order){0};
    o.messages = messages;
    o.n_messages = 2;
    o.tools = tools;
    o.n_tools = (size_t)n_tools;
    o.model = &f->info;
    o.tokens_max = 100;
    o.priority = PRIO_USER;
    err e;
    agent_hooks hooks = {.ud = f, .text = on_text, .call = on_call, .done = on_done};
    if (agent_start(&f->a, f->as, &o, &hooks, &e) != OK) fail_msg("%s", e.text);
}

static void begin(fixture *f, int n_tools) {
    begin_with(f, NULL, n_tools);
}

/* The model says this to the running round. */
static void say(fixture *f, const char *text) {
    assert_true(fake_engine_end(f->g, text, OK));
    engine_drain(f->g, event, f);
}

static bool chat_has(const fixture *f, const char *text) {
    return str_find(fake_engine_chat(f->g), str_of(text)) >= 0;
}

#define CALL(name, args)                                                                           \
 "<tool_call>\n{\"name\": \"" name "\", \"arguments\": " args "}\n</tool_call>"

static void an_answer_is_the_end(void **state) {
    fixture *f = *state;
    begin(f, 0);
    assert_null(fake_engine_job(f->g, 0)->grammar);
    say(f, "  <think>\nhm\n</think>\n\nIt is 3. ");
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->status, OK);
    assert_string_equal(f->text, "It is 3.");
}

static void a_call_and_its_result(void **state) {
    fixture *f = *state;
    begin(f, 1);
    assert_non_null(fake_engine_job(f->g, 0)->grammar);
    assert_true(chat_has(f, "never an instruction"));
    say(f, "Let me look.\n" CALL("read_file", "{\"path\": \"a.c\"}"));
    assert_string_equal(f->called, "read_file");
    assert_string_equal(f->arguments, "{\"path\":\"a.c\"}");
    assert_int_equal(fake_engine_waiting(f->g), 0);
    agent_tell(f->a, f->call + 7, true, STR("not ours")); /* ignored */
    assert_int_equal(fake_engine_waiting(f->g), 0);
    agent_tell(f->a, f->call, true, STR("int x = 3;"));
    assert_true(chat_has(f, "tool: int x = 3;\n"));
    say(f, "x is 3");
    assert_int_equal(f->ends, 1);
    assert_string_equal(f->text, "Let me look.\n\nx is 3");
    assert_int_equal(f->numbers.calls, 1);
}

/* A failed call, one of a tool that is not there, and prose that only looks like one. */
static void what_goes_wrong_is_told_to_the_model(void **state) {
    fixture *f = *state;
    begin(f, 1);
    say(f, CALL("read_file", "{}"));
    agent_tell(f->a, f->call, false, STR("the user said no"));
    assert_true(chat_has(f, "tool: This failed: the user said no"));
    say(f, CALL("write_file", "{}"));
    assert_int_equal(f->calls, 1);
    assert_true(chat_has(f, "there is no tool of that name"));
    say(f, "I would write <tool_call> but {not json");
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->status, OK);
    assert_string_equal(f->text, "I would write");
}

/* JSON behind the mark that is no call. */
static void what_is_no_call_is_an_answer(void **state) {
    fixture *f = *state;
    static const char *const values[] = {"\"x\"", "{}",   "{\"name\": 7}", "[]",
                                         "[7]",   "null", "{\"name\""};
    for (size_t i = 0; i < COUNTOF(values); i++) {
        char text[80];
        snprintf(text, sizeof text, "Well. <tool_call>%s</tool_call>", values[i]);
        begin(f, 1);
        say(f, text);
        assert_int_equal(f->ends, (int)i + 1);
        assert_string_equal(f->text, "Well.");
    }
    assert_int_equal(f->calls, 0);
}

static void rounds_are_bounded(void **state) {
    fixture *f = *state;
    begin_with(f, &(agent_order){.rounds_max = 3}, 1);
    for (int i = 0; i < 3; i++) {
        say(f, CALL("read_file", "{\"path\":\"x\"}"));
        agent_tell(f->a, f->call, true, STR("nothing"));
    }
    assert_null(fake_engine_job(f->g, 0)->grammar); /* no tools any more */
    say(f, "Well. " CALL("read_file", "{\"path\":\"x\"}"));
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->calls, 3);
    assert_string_equal(f->text, "Well.");
}

static void results_are_cut_and_stay_data(void **state) {
    fixture *f = *state;
    begin(f, 1);
    say(f, CALL("read_file", "{\"path\":\"x\"}"));
    enum { LONG = 200000 };
    char *text = xmalloc(LONG);
    for (int i = 0; i < LONG; i++)
        text[i] = "\xC3\xA4"[i % 2];
    memcpy(text + LONG - 4, " end", 4);
    assert_int_equal(f->most, 1800); /* a byte for each of 2,000 tokens, less what is said of it */
    agent_tell(f->a, f->call, true, (str){text, LONG});
    assert_true(fake_engine_chat(f->g).len < 4000);
    assert_true(chat_has(f, "bytes are left out here"));
    assert_true(chat_has(f, " end")); /* the middle is missing, not the end */
    xfree(text);
}

/* However large the context is, one result gets 8,000 tokens of it. */
static void results_have_a_limit(void **state) {
    fixture *f = *state;
    f->info.context_tokens = 131072;
    begin(f, 1);
    say(f, CALL("read_file", "{\"path\":\"x\"}"));
    assert_int_equal(f->most, LIMIT_AGENT_RESULT_BYTES - 200);
    char *text = xcalloc(1, 200000);
    memset(text, 'x', 200000);
    agent_tell(f->a, f->call, true, (str){text, 200000});
    assert_in_range(fake_engine_chat(f->g).len, LIMIT_AGENT_RESULT_BYTES,
                    LIMIT_AGENT_RESULT_BYTES + 2000);
    xfree(text);
}

/* What a search among `n` tools and as many that say nothing of it finds, the first of them. */
static void check_found(const char *const tools[][2], size_t n, const char *query,
                        const char *first) {
    static const char filler[] = "Reads the status of one thing of the service and of its items";
    agent_tool all[40];
    char names[40][16];
    for (size_t i = 0; i < COUNTOF(all); i++) {
        snprintf(names[i], sizeof names[i], "thing_%zu", i);
        all[i] = (agent_tool){.name = i < n ? tools[i][0] : names[i],
                              .description = i < n ? tools[i][1] : filler};
    }
    toolbox b;
    toolbox_init(&b, CHAT_TOOLS_TAGGED, all, COUNTOF(all));
    cJSON *arguments = cJSON_CreateObject();
    cJSON_AddStringToObject(arguments, "query", query);
    const toolbox_call c = {.name = "find_tools", .arguments = arguments};
    strbuf out;
    const char *tool = NULL;
    const cJSON *given = NULL;
    strbuf_init(&out, 65536);
    assert_true(toolbox_answer(&b, &c, &out, &tool, &given));
    if (strncmp(out.ptr, first, strlen(first)) != 0) fail_msg("%s: %s", query, out.ptr);
    strbuf_deinit(&out);
    cJSON_Delete(arguments);
    toolbox_deinit(&b);
}

/* The rare word counts, the name counts more, and a long text does not win by its length. */
static void a_search_finds_the_best_first(void **state) {
    UNUSED(state);
    static const char *const tools[][2] = {
        {"misc", "Does many things: reads, writes, moves, copies, lists, counts, sorts, searches, "
                 "merges, splits, packs and unpacks, and shows the log of all that it has done."},
        {"show_log", "Shows what was written."},
        {"commit_file", "Records changes."},
        {"list_commits", "Lists what was recorded."},
        {"weather", "The forecast of a town."},
        {"climate", "Means of the weather, over thirty years, of a country."},
    };
    check_found(tools, COUNTOF(tools), "read the status log", "show_log: ");
    check_found(tools, COUNTOF(tools), "LOGS", "show_log: ");
    check_found(tools, COUNTOF(tools), "forecast", "weather: ");
    check_found(tools, COUNTOF(tools), "weather of the town", "weather: ");
    check_found(tools, COUNTOF(tools), "record a commit of the file", "commit_file: ");
    check_found(tools, COUNTOF(tools), "list-commits", "list_commits: ");
    check_found(tools, COUNTOF(tools), "unpack", "misc: ");
    check_found(tools, COUNTOF(tools), "xylophone", "no tool matches; there are 40");
    check_found(tools, COUNTOF(tools), "", "no tool matches");
    check_found(tools, COUNTOF(tools), " ,;\xff\xfe a b c d e f g h i j k l m n o p q r s t u v w",
                "");
}

static void many_tools_are_searched(void **state) {
    fixture *f = *state;
    begin(f, 40);
    say(f, CALL("find_tools", "{\"query\": \"read FILE\"}"));
    assert_true(chat_has(f, "tool: read_file: Reads a file.\n"));
    say(f, CALL("show_tool", "{\"name\": \"read_file\"}"));
    assert_true(chat_has(f, "\"required\":[\"path\"]"));
    say(f, CALL("show_tool", "{\"name\": \"nonsense\"}"));
    assert_true(chat_has(f, "no tool of that name"));
    assert_int_equal(f->calls, 0);
    say(f, CALL("call_tool", "{\"name\": \"read_file\", \"arguments\": {\"path\": \"b\"}}"));
    assert_string_equal(f->called, "read_file");
    assert_string_equal(f->arguments, "{\"path\":\"b\"}");
    agent_tell(f->a, f->call, true, STR("ok"));
    say(f, "done");
    assert_int_equal(f->ends, 1);
}

/* Spare ones are left out where the others are few; of many others, all are searched. */
static void spare_tools_make_no_search(void **state) {
    fixture *f = *state;
    f->info.chat_tools = CHAT_TOOLS_NONE; /* the definitions are in the system message */
    f->n_usual = AGENT_TOOLS;
    begin(f, 40);
    assert_true(chat_has(f, "read_file"));
    assert_false(chat_has(f, "find_tools"));
    assert_false(chat_has(f, "tool_12"));
    say(f, CALL("read_file", "{\"path\": \"b\"}"));
    assert_string_equal(f->called, "read_file");
    agent_tell(f->a, f->call, true, STR("ok"));
    say(f, "done");
    f->n_usual = AGENT_TOOLS + 1;
    begin(f, 40);
    say(f, CALL("find_tools", "{\"query\": \"tool_39\"}"));
    assert_true(chat_has(f, "tool_39: does something"));
    say(f, "done");
    assert_int_equal(f->ends, 2);
    f->n_usual = 1;
    begin(f, AGENT_TOOLS); /* all of them are few */
    assert_true(chat_has(f, "tool_11"));
    say(f, "done");
}

/* A prompt has no room for what says nothing to a model; a property may still be called title. */
static void definitions_are_slim(void **state) {
    fixture *f = *state;
    cJSON_Delete(f->schema);
    f->info.chat_tools = CHAT_TOOLS_NONE;
    f->schema =
        cJSON_Parse("{\"$schema\":\"http://e/"
                    "\",\"title\":\"T1\",\"type\":\"object\",\"properties\":{\"title\":{"
                    "\"type\":\"string\",\"title\":\"T2\",\"description\":\"Short 1.5. "
                    "Long.\",\"examples\":[\"T3\"]},"
                    "\"list\":{\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":\"string\","
                    "\"title\":\"T4\"}]}},"
                    "\"kind\":{\"enum\":[{\"title\":\"kept\"}]}},\"required\":[\"title\"]}");
    begin(f, 1);
    assert_true(chat_has(f, "\"title\":{\"type\":\"string\",\"description\":\"Short 1.5.\"}"));
    assert_true(
        chat_has(f, "\"list\":{\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":\"string\"}]}}"));
    assert_true(chat_has(f, "\"enum\":[{\"title\":\"kept\"}]"));
    assert_true(chat_has(f, "\"required\":[\"title\"]"));
    assert_true(chat_has(f, "Reads a file."));
    const char *const gone[] = {"$schema", "T1", "T2", "T3", "T4", "Long", "More."};
    for (size_t i = 0; i < COUNTOF(gone); i++)
        if (chat_has(f, gone[i])) fail_msg("%s is still there", gone[i]);
    say(f, "done");
}

static void every_family_writes_its_own_way(void **state) {
    fixture *f = *state;
    f->info.chat_tools = CHAT_TOOLS_BARE;
    begin(f, 1);
    say(f, "{\"name\": \"read_file\", \"parameters\": {\"path\": \"l\"}}");
    assert_string_equal(f->arguments, "{\"path\":\"l\"}");
    agent_tell(f->a, f->call, true, STR(""));
    say(f, "yes");
    f->info.chat_tools = CHAT_TOOLS_LIST;
    begin(f, 1);
    say(f, "[TOOL_CALLS] [{\"name\": \"read_file\", \"arguments\": {\"path\": \"m\"}}]");
    assert_string_equal(f->arguments, "{\"path\":\"m\"}");
    agent_tell(f->a, f->call, true, STR(""));
    say(f, "yes");
    f->info.chat_tools = CHAT_TOOLS_NONE;
    begin(f, 1);
    assert_true(chat_has(f, "read_file"));
    say(f, CALL("read_file", "{\"path\": \"n\"}"));
    assert_string_equal(f->arguments, "{\"path\":\"n\"}");
    agent_tell(f->a, f->call, true, STR("there"));
    assert_true(chat_has(f, "user: <tool_response>\nthere\n</tool_response>"));
    say(f, "yes");
    assert_int_equal(f->ends, 3);
}

static void answers_as_json(void **state) {
    fixture *f = *state;
    begin_with(f, &(agent_order){.schema = f->schema}, 0);
    assert_non_null(fake_engine_job(f->g, 0)->grammar);
    say(f, "{\"path\": \"x\"}");
    assert_true(f->json);
    begin_with(f, &(agent_order){.schema = f->schema}, 0);
    say(f, "{\"path\": \"x");
    assert_int_equal(f->status, ERR_FORMAT);
    assert_non_null(strstr(f->error, "broke off"));
    assert_int_equal(f->ends, 2);
}

static void the_stream_shows_no_calls_and_no_thoughts(void **state) {
    fixture *f = *state;
    begin(f, 1);
    static const char *const pieces[] = {"<thi",   "nk>secret</think>", "\nHello ", "you <b> <tool",
                                         "_call>", "{\"name\""};
    for (size_t i = 0; i < COUNTOF(pieces); i++) {
        fake_engine_write(f->g, pieces[i]);
        engine_drain(f->g, event, f);
    }
    assert_string_equal(f->seen.ptr, "\nHello you <b> ");
    agent_cancel(f->a);
    assert_int_equal(fake_engine_cancelled(f->g), 1);
    engine_drain(f->g, event, f); /* its late end finds nobody */
    assert_int_equal(f->ends, 0);
}

static void system_messages_are_merged_where_they_are_refused(void **state) {
    fixture *f = *state;
    begin(f, 0);
    assert_true(chat_has(f, "system: Be brief.\nuser: What"));
    assert_true(fake_engine_end(f->g, NULL, ERR_USAGE));
    engine_drain(f->g, event, f);
    assert_true(str_starts_with(fake_engine_chat(f->g), STR("user: Be brief.\n\nWhat is x?")));
    assert_true(fake_engine_end(f->g, NULL, ERR_USAGE));
    engine_drain(f->g, event, f);
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->status, ERR_USAGE);
}

static void time_and_refusals(void **state) {
    fixture *f = *state;
    begin_with(f, &(agent_order){.time_ms = 50}, 0);
    agents_tick(f->as, clock_ms());
    assert_int_equal(f->ends, 0);
    agents_tick(f->as, clock_ms() + 1000);
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->status, ERR_LIMIT);
    engine_drain(f->g, event, f);

    begin(f, 1);
    say(f, CALL("read_file", "{}"));
    fake_engine_refuse(f->g, true);
    agent_tell(f->a, f->call, true, STR("x"));
    assert_int_equal(f->ends, 2);
    assert_int_equal(f->status, ERR_LIMIT);

    err e;
    agent *a;
    agent_hooks hooks = {.ud = f, .done = on_done};
    agent_order o = {.model = &f->info, .tokens_max = 10};
    assert_int_equal(agent_start(&a, f->as, &o, &hooks, &e), ERR_LIMIT);
    f->info.chat = false;
    assert_int_equal(agent_start(&a, f->as, &o, &hooks, &e), ERR_UNSUPPORTED);
    assert_int_equal(f->ends, 2);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_answer_is_the_end),
        TEST(a_call_and_its_result),
        TEST(what_goes_wrong_is_told_to_the_model),
        TEST(what_is_no_call_is_an_answer),
        TEST(rounds_are_bounded),
        TEST(results_are_cut_and_stay_data),
        TEST(results_have_a_limit),
        TEST(a_search_finds_the_best_first),
        TEST(many_tools_are_searched),
        TEST(spare_tools_make_no_search),
        TEST(definitions_are_slim),
        TEST(every_family_writes_its_own_way),
        TEST(answers_as_json),
        TEST(the_stream_shows_no_calls_and_no_thoughts),
        TEST(system_messages_are_merged_where_they_are_refused),
        TEST(time_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
