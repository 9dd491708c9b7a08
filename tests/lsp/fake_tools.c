/* SPDX-License-Identifier: Apache-2.0 */
/* Scripted tools: see fake_tools.h.  The test's objects come before the library's, so this stands
 * for lsp/tools.c in the whole program.  Thread: the test's. */
#include "tests/lsp/fake_tools.h"

#include "engine/base/mem.h"
#include "engine/base/vec.h"
#include "lsp/tool_questions.h"

typedef struct {
    uint64_t number;
    mcp_done done; /* NULL: nobody waits any more */
    void *ud;
    bool allowed;
    cJSON *arguments;
} fake_call;

struct tools {
    server *person;
    bool trusted;
    cJSON *schema; /* of every tool's arguments */
    VEC(fake_call) calls;
    uint64_t last;
    uint32_t deadline_ms; /* of the last call */
};

tools *tools_new(uv_loop_t *loop, const tools_hooks *hooks) {
    tools *t = xcalloc(1, sizeof *t);
    UNUSED(loop);
    UNUSED(hooks);
    t->schema = cJSON_Parse("{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\"}},"
                            "\"required\":[\"path\"]}");
    return t;
}

static void remove_at(tools *t, size_t i) {
    cJSON_Delete(t->calls.at[i].arguments);
    vec_remove(&t->calls, i);
}

void tools_close(tools *t, void (*closed)(void *ud), void *ud) {
    while (t->calls.count)
        remove_at(t, 0);
    vec_free(&t->calls);
    cJSON_Delete(t->schema);
    xfree(t);
    if (closed) closed(ud);
}

void fake_tools_connect(tools *t, server *s) {
    t->person = s;
}

void fake_tools_trust(tools *t) {
    t->trusted = true;
}

size_t fake_tools_waiting(const tools *t) {
    size_t n = 0;
    for (size_t i = 0; i < t->calls.count; i++)
        n += t->calls.at[i].allowed;
    return n;
}

size_t fake_tools_calls(const tools *t) {
    return t->calls.count;
}

uint32_t fake_tools_deadline(const tools *t) {
    return t->deadline_ms;
}

static void end(tools *t, size_t i, mcp_outcome outcome, const char *text) {
    fake_call c = t->calls.at[i];
    remove_at(t, i);
    bool ok = outcome == MCP_OK || outcome == MCP_TOOL_ERROR;
    if (c.done)
        c.done(c.ud, &(mcp_answer){.call = c.number,
                                   .outcome = outcome,
                                   .message = outcome == MCP_OK ? "" : text,
                                   .text = ok ? str_of(text) : STR("")});
}

void fake_tools_answer_nth(tools *t, size_t n, mcp_outcome outcome, const char *text) {
    for (size_t i = 0; i < t->calls.count; i++) {
        if (!t->calls.at[i].allowed || n-- > 0) continue;
        end(t, i, outcome, text);
        return;
    }
}

void fake_tools_answer(tools *t, mcp_outcome outcome, const char *text) {
    fake_tools_answer_nth(t, 0, outcome, text);
}

/* ---- lsp/tools.h ----------------------------------------------------------------------------- */

void tools_configure(tools *t, const char *workspace, bool enabled, bool built_in,
                     const settings_list *usual) {
    UNUSED(usual);
    UNUSED(built_in);
    UNUSED(t);
    UNUSED(workspace);
    UNUSED(enabled);
}

void tools_tick(tools *t) {
    UNUSED(t);
}

void tools_wake(tools *t) {
    UNUSED(t);
}

bool tools_are_starting(const tools *t) {
    UNUSED(t);
    return false;
}

const char *tools_slow_start(const tools *t) {
    UNUSED(t);
    return NULL;
}

mcp_host *tools_host(tools *t) {
    UNUSED(t);
    return NULL;
}

size_t tools_list(tools *t, agent_tool *out, size_t max) {
    static const char *const names[] = {"demo__read_note", "demo__write_note", "demo__get_issue",
                                        "demo__search_nodes"};
    static const char *const texts[] = {"Reads a note.", "Writes a note.", "Gets an issue.",
                                        "Searches memory."};
    size_t n = 0;
    for (; n < (t->trusted ? COUNTOF(names) : 2) && n < max; n++)
        out[n] = (agent_tool){names[n], texts[n], t->schema, false};
    return n;
}

uint64_t tools_call(tools *t, const mcp_order *o, mcp_done done, void *ud) {
    fake_call c = {.number = ++t->last,
                   .done = done,
                   .ud = ud,
                   .allowed = o->purpose == MCP_FOR_ACTION,
                   .arguments = cJSON_Duplicate(o->arguments, true)};
    vec_push(&t->calls, c);
    t->deadline_ms = o->deadline_ms;
    if (c.allowed) return c.number;
    tool_questions_ask(t->person, &(mcp_question){.id = c.number,
                                                  .kind = MCP_ASK_TOOL,
                                                  .server = "demo",
                                                  .tool = o->name + strlen("demo__"),
                                                  .text = "",
                                                  .data = c.arguments});
    return c.number;
}

static fake_call *find(tools *t, uint64_t number, size_t *at) {
    for (size_t i = 0; i < t->calls.count; i++) {
        *at = i;
        if (t->calls.at[i].number == number) return &t->calls.at[i];
    }
    return NULL;
}

void tools_cancel(tools *t, uint64_t call) {
    size_t at;
    if (find(t, call, &at)) remove_at(t, at);
}

void tools_decide(tools *t, uint64_t question, mcp_decision d, const cJSON *content) {
    size_t at;
    fake_call *c = find(t, question, &at);
    UNUSED(content);
    if (!c) return;
    if (d == MCP_ALLOW_ONCE || d == MCP_ALLOW_ALWAYS)
        c->allowed = true;
    else
        end(t, at, MCP_DENIED, "the person at the editor said no");
}
