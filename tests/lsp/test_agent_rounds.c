/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of calls with the real engine: a made model that calls tools whenever it can, two ways
 * of templates to show calls, and the engine's own counters.  What a round computes is what was
 * added to the conversation, as its transcript is kept as tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "lsp/agent.h"
#include "tests/engine/tiny_model.h"

#define RESULT "there are 7 of them"
#define ROUNDS 5
#define ROUNDS_MAX 16

/* One round, by EV_DONE. */
typedef struct {
    int prompt, reused, prefilled, tokens;
} counters;

typedef struct {
    engine *g;
    agents *as;
    agent *a;
    engine_model_info info;
    bool loaded, ended;
    int calls;
    counters rounds[ROUNDS_MAX];
    int n_rounds;
    agent_result result;
    err error;
} fixture;

static void on_event(void *ud, const engine_event *ev) {
    fixture *f = ud;
    if (ev->kind == EV_LOADED) {
        f->info = *ev->info;
        f->loaded = true;
    }
    if (ev->kind == EV_DONE) {
        const engine_result *r = ev->result;
        assert_true(f->n_rounds < ROUNDS_MAX);
        f->rounds[f->n_rounds++] = (counters){r->n_prompt, r->reused, r->prefilled, r->n_tokens};
    }
    (void)agents_event(f->as, ev);
}

static void drain_until(fixture *f, const bool *what) {
    double end = clock_ms() + 120000;
    while (!*what) {
        engine_drain(f->g, on_event, f);
        if (clock_ms() > end) fail_msg("nothing came for two minutes");
        usleep(200);
    }
}

static void on_call(void *ud, agent *a, const agent_call *c) {
    fixture *f = ud;
    f->calls++;
    assert_int_equal(strncmp(c->tool, "count", 5), 0);
    agent_tell(a, c->id, true, STR(RESULT));
}

static void on_done(void *ud, const agent_result *r) {
    fixture *f = ud;
    f->ended = true;
    f->a = NULL;
    f->result = *r;
    f->error = r->error;
}

/* After '|', which ends the prompt, a call begins; a text ends where it began; blanks stand where
 * templates print them. */
static const tiny_rule calls_tools[] = {
    {NULL, "\"", NULL}, {"|", "<tool_call>", NULL}, {"<tool_call>", "\n", NULL}, {":", " ", "\""},
    {",", " ", NULL},   {"}", "}", "\n"},           {"\"", "\"", "}"},
};

/* A template with a place for tools, and one without: then calls are text. */
static const char with_tools[] =
    "{% if tools %}{{ tools | length }} tools\n{% endif %}{% for m in messages %}{{ m.role[0] }}|"
    "{{ m.content }}{% if m.tool_calls %}{% for c in m.tool_calls %}<tool_call>\n{\"name\": \""
    "{{ c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}\n</tool_call>"
    "{% endfor %}{% endif %}\n{% endfor %}{% if add_generation_prompt %}a|{% endif %}";
static const char without_tools[] = "{% for m in messages %}{{ m.role[0] }}|{{ m.content }}\n"
                                    "{% endfor %}{% if add_generation_prompt %}a|{% endif %}";

static void begin(fixture *f, const char *template) {
    char path[128];
    err e;
    *f = (fixture){.loaded = false};
    assert_int_equal(engine_start(&f->g, &(engine_options){.device = K_REF, .threads = 1}, &e), OK);
    f->as = agents_new(f->g);
    tiny_model_write(&(tiny_options){.context = 4096,
                                     .layers = 1,
                                     .chat = template,
                                     .rules = calls_tools,
                                     .n_rules = COUNTOF(calls_tools)},
                     path);
    engine_load(f->g, 0, &(engine_model_options){.path = path, .name = "tiny"});
    drain_until(f, &f->loaded);
    unlink(path);
}

static void end(fixture *f) {
    agents_free(f->as);
    engine_stop(f->g);
}

static void ask(fixture *f, int n_tools) {
    char names[20][16];
    agent_tool tools[20];
    cJSON *schema =
        cJSON_Parse("{\"type\":\"object\",\"properties\":{\"what\":{\"type\":\"string\"}},"
                    "\"required\":[\"what\"]}");
    for (int i = 0; i < n_tools; i++) {
        snprintf(names[i], sizeof names[i], "count%d", i);
        tools[i] = (agent_tool){names[i], "Counts things.", schema, false};
    }
    const agent_message messages[] = {{"system", STR("Be brief.")}, {"user", STR("How many?")}};
    agent_order o = {.messages = messages,
                     .n_messages = COUNTOF(messages),
                     .tools = tools,
                     .n_tools = (size_t)n_tools,
                     .model = &f->info,
                     .sampling = {.top_p = 1, .repeat_penalty = 1},
                     .rounds_max = ROUNDS,
                     .tokens_max = 160};
    agent_hooks hooks = {.ud = f, .call = on_call, .done = on_done};
    err e;
    if (agent_start(&f->a, f->as, &o, &hooks, &e) != OK) fail_msg("%s", e.text);
    drain_until(f, &f->ended);
    cJSON_Delete(schema);
    if (f->result.status != OK) fail_msg("%s", f->error.text);
}

/* Each round's prompt is the last one's tokens, those that the model wrote, and what was added: at
 * most a token a byte.  Of the former nothing is computed again, but for the very last token, of
 * which the engine wants the logits. */
static void check_rounds(const fixture *f, int added_bytes) {
    int computed = 0;
    assert_int_equal(f->n_rounds, ROUNDS + 1);
    for (int i = 0; i < f->n_rounds; i++) {
        const counters *r = &f->rounds[i];
        computed += r->prefilled;
        print_message("round %d: %d tokens, %d reused, %d computed\n", i, r->prompt, r->reused,
                      r->prefilled);
        assert_int_equal(r->reused + r->prefilled, r->prompt);
        if (i == 0) continue;
        int kept = f->rounds[i - 1].prompt + f->rounds[i - 1].tokens;
        assert_true(r->reused >= kept - 1);
        assert_true(r->prefilled <= added_bytes + 1);
    }
    assert_true(computed < f->rounds[f->n_rounds - 1].prompt + ROUNDS);
    assert_int_equal(f->result.rounds, ROUNDS);
    assert_int_equal(f->result.prompt_tokens - f->result.reused_tokens, computed);
}

static void a_template_with_tools(void **state) {
    UNUSED(state);
    fixture f;
    begin(&f, with_tools);
    assert_int_equal(f.info.chat_tools, CHAT_TOOLS_TAGGED);
    ask(&f, 3);
    assert_int_equal(f.calls, ROUNDS);
    check_rounds(&f, (int)strlen("\nt|" RESULT "\na|"));
    end(&f);
}

static void a_template_without(void **state) {
    UNUSED(state);
    fixture f;
    begin(&f, without_tools);
    assert_int_equal(f.info.chat_tools, CHAT_TOOLS_NONE);
    ask(&f, 3);
    assert_int_equal(f.calls, ROUNDS);
    check_rounds(&f, (int)strlen("\nu|<tool_response>\n" RESULT "\n</tool_response>\na|"));
    end(&f);
}

/* Above twelve tools: searching them is a round like any other. */
static void many_tools(void **state) {
    UNUSED(state);
    fixture f;
    begin(&f, with_tools);
    ask(&f, 20);
    assert_int_equal(f.calls, 0); /* it never looks at one */
    check_rounds(&f, (int)strlen("\nt|there is no tool of that name; find_tools lists them\na|"));
    end(&f);
}

/* The next question about the same begins with the last one's prompt. */
static void the_next_question(void **state) {
    UNUSED(state);
    fixture f;
    begin(&f, with_tools);
    ask(&f, 3);
    int first = f.rounds[0].prompt;
    f.n_rounds = 0;
    f.ended = false;
    ask(&f, 3);
    assert_int_equal(f.rounds[0].prompt, first);
    assert_true(f.rounds[0].prefilled <= 1);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_template_with_tools),
        cmocka_unit_test(a_template_without),
        cmocka_unit_test(many_tools),
        cmocka_unit_test(the_next_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
