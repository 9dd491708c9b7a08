/* SPDX-License-Identifier: Apache-2.0 */
/* Work that takes a while: see work.h.
 *
 * The struct owns its promise, its progress, its question to the model and its request to the
 * client, and lets go of all of them in work_free, so that nothing can come back to it afterwards.
 * Invariant: a work in the server's list has an unanswered reply.  Thread: loop.
 */
#include "lsp/work.h"

#include <cjson/cJSON.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "lsp/answer.h"
#include "lsp/server.h"
#include "lsp/tools.h"

#define TOOLS_MAX 256 /* of MCP servers, that one question may use */
#define TELL_MS 200.0 /* between two reports of progress */

struct work {
    server *server;
    reply *reply;
    work_progress progress;
    char title[160];
    model_role role;
    document *document;
    bool bound;
    void (*ended)(void *own);
    void *own;
    agent *asking; /* NULL: no question is out */
    struct {
        bool open; /* it waits for the model */
        char *system, *user;
        cJSON *schema;
        work_answered answered;
        work_told told;
        void (*unanswered)(void *own);
        int tokens_max, time_ms;
        bool tools;
        enrichment *looking; /* it waits for what is looked up first */
    } question;
    enrich_budget budget;           /* for looking things up, of all its questions together */
    uint64_t tool_call, agent_call; /* a tool that runs, and for which call of the model; 0: none */
    strbuf written;                 /* by the model, so far */
    double told_ms;                 /* when progress was reported last */
    int64_t request;                /* to the client; 0: none is out */
    bool applying;                  /* it is an edit of ours */
    work_client_answer client_answer;
};

server *work_server(const work *w) {
    return w->server;
}

document *work_document(const work *w) {
    return w->document;
}

static void question_clear(work *w) {
    if (w->question.looking) enrich_cancel(w->question.looking);
    w->question.looking = NULL;
    xfree(w->question.system);
    xfree(w->question.user);
    cJSON_Delete(w->question.schema);
    w->question.open = false;
    w->question.system = w->question.user = NULL;
    w->question.schema = NULL;
}

static cJSON *request_id(int64_t id) {
    cJSON *params = cJSON_CreateObject();
    cJSON_AddNumberToObject(params, "id", (double)id);
    return params;
}

/* A question that is still open is taken back: nobody would hear the answer. */
static void work_free(work *w, const char *message) {
    server *s = w->server;
    for (size_t i = 0; i < s->works.count; i++) {
        if (s->works.at[i] != w) continue;
        vec_remove(&s->works, i);
        break;
    }
    if (w->tool_call) tools_cancel(s->options.tools, w->tool_call);
    if (w->asking) agent_cancel(w->asking);
    question_clear(w);
    strbuf_deinit(&w->written);
    if (w->request && rpc_drop(s->rpc, w->request) && s->state == SERVER_RUNNING)
        rpc_notify(s->rpc, "$/cancelRequest", request_id(w->request));
    work_progress_end(&w->progress, message);
    work_progress_deinit(&w->progress);
    w->ended(w->own);
    xfree(w);
}

void work_done(work *w, cJSON *result, const char *message) {
    reply_result(w->reply, result);
    work_free(w, message);
}

void work_fail(work *w, int code, const char *sentence) {
    reply_error(w->reply, code, sentence);
    work_free(w, code == LSP_REQUEST_CANCELLED ? "cancelled" : "failed");
}

work *work_new(server *s, reply *r, const work_order *o) {
    if (s->works.count >= LIMIT_WORKS) {
        reply_error(r, LSP_REQUEST_FAILED,
                    "too many tasks run already; wait for one, or cancel it");
        o->ended(o->own);
        return NULL;
    }
    work *w = xcalloc(1, sizeof *w);
    *w = (work){.server = s,
                .reply = r,
                .role = o->role,
                .document = o->document,
                .bound = o->bound,
                .ended = o->ended,
                .own = o->own};
    snprintf(w->title, sizeof w->title, "%.150s", o->title);
    bool telling = o->token || s->progress.rpc;
    work_progress_init_task(&w->progress, telling ? s->rpc : NULL, ++s->last_task, o->token);
    strbuf_init(&w->written, LIMIT_ANSWER_BYTES);
    vec_push(&s->works, w);
    work_progress_report(&w->progress, w->title, "", -1);
    return w;
}

void work_progress_text(work *w, const char *message, int percent) {
    work_progress_report(&w->progress, w->title, message, percent);
}

/* ---- the model ------------------------------------------------------------------------------- */

static void on_progress(void *ud, int tokens, double per_second) {
    work *w = ud;
    char message[96];
    double now = clock_ms();
    if (now < w->told_ms + TELL_MS) return;
    w->told_ms = now;
    snprintf(message, sizeof message, "%d tokens, %.0f per second", tokens, per_second);
    work_progress_text(w, message, -1);
}

/* There is no answer: the work goes on without, or fails. */
static void no_answer(work *w, const char *sentence) {
    if (w->asking) agent_cancel(w->asking);
    w->asking = NULL;
    question_clear(w);
    if (w->question.unanswered)
        w->question.unanswered(w->own);
    else
        work_fail(w, LSP_REQUEST_FAILED, sentence);
}

/* An answer that runs away is stopped while it comes. */
static void on_text(void *ud, str piece) {
    work *w = ud;
    strbuf_add_str(&w->written, piece);
    if (w->written.overflow)
        no_answer(w, "the model's answer is far too long; nothing was changed");
    else if (answer_runs_away(strbuf_str(&w->written)))
        no_answer(w, "the model repeats the same line for ever; nothing was changed");
    else if (w->question.told)
        w->question.told(w->own, strbuf_str(&w->written));
}

static void on_done(void *ud, const agent_result *r) {
    work *w = ud;
    w->asking = NULL;
    if (r->status == OK && r->text.len > LIMIT_ANSWER_BYTES)
        no_answer(w, "the model's answer is far too long; nothing was changed");
    else if (r->status == OK)
        w->question.answered(w->own, r);
    else if (r->status == ERR_CANCELLED)
        work_fail(w, LSP_REQUEST_CANCELLED, "cancelled");
    else
        no_answer(w, r->error.text);
}

static void on_tool_done(void *ud, const mcp_answer *a) {
    work *w = ud;
    w->tool_call = 0;
    bool ok = a->outcome == MCP_OK;
    bool said = ok || (a->outcome == MCP_TOOL_ERROR && a->text.len);
    agent_tell(w->asking, w->agent_call, ok, said ? a->text : str_of(a->message));
}

static void on_call(void *ud, agent *a, const agent_call *c) {
    work *w = ud;
    char message[120];
    UNUSED(a);
    snprintf(message, sizeof message, "calls %.80s", c->tool);
    work_progress_text(w, message, -1);
    w->agent_call = c->id;
    const mcp_order o = {.name = c->tool,
                         .arguments = c->arguments,
                         .purpose = MCP_FOR_MODEL,
                         .output_bytes = c->result_bytes};
    w->tool_call = tools_call(w->server->options.tools, &o, on_tool_done, w);
}

/* The model is there: the question goes to it. */
static void start(work *w, const model *m) {
    server *s = w->server;
    agent_message messages[] = {{"system", str_of(w->question.system)},
                                {"user", str_of(w->question.user)}};
    agent_tool *offered = xcalloc(TOOLS_MAX, sizeof *offered);
    size_t n_tools = 0;
    if (w->question.tools) n_tools = tools_list(s->options.tools, offered, TOOLS_MAX);
    agent_order order = {.messages = messages,
                         .n_messages = COUNTOF(messages),
                         .tools = offered,
                         .n_tools = n_tools,
                         .schema = w->question.schema,
                         .model = &m->info,
                         .slot = m->slot,
                         .client = s->options.client,
                         .priority = PRIO_USER,
                         .sampling = {.top_p = 1, .repeat_penalty = 1},
                         .tokens_max = w->question.tokens_max,
                         .time_ms = w->question.time_ms};
    agent_hooks hooks = {
        .ud = w, .text = on_text, .progress = on_progress, .call = on_call, .done = on_done};
    err e = {{0}};
    status st = agent_start(&w->asking, s->options.agents, &order, &hooks, &e);
    question_clear(w);
    xfree(offered);
    if (st) no_answer(w, e.text);
}

/* Goes on, waits, or fails: as the model is. */
static void try_start(work *w) {
    const model *m = server_want_model(w->server, w->role);
    switch (m->state) {
    case MODEL_READY:
        if (!w->question.tools || !tools_are_starting(w->server->options.tools)) start(w, m);
        break;
    case MODEL_LOADING:
        if (w->question.unanswered)
            no_answer(w, "the model is not loaded yet");
        else
            work_progress_text(w, "waiting for the model", -1);
        break;
    case MODEL_FAILED: no_answer(w, m->error.text); break;
    case MODEL_NONE: no_answer(w, "no model is loaded for this: see inlined.enable"); break;
    }
}

static void on_looked_up(void *ud, str text) {
    work *w = ud;
    w->question.looking = NULL;
    strbuf user;
    strbuf_init(&user, 8u << 20);
    strbuf_add_str(&user, text);
    strbuf_add_str(&user, str_of(w->question.user));
    if (!user.overflow) {
        xfree(w->question.user);
        w->question.user = strbuf_take(&user);
    }
    strbuf_deinit(&user);
    try_start(w);
}

void work_ask(work *w, const work_question *q) {
    ASSERT(!w->asking && !w->question.open);
    strbuf_clear(&w->written);
    w->question.system = xstrndup(q->system.ptr, q->system.len);
    w->question.user = xstrndup(q->user.ptr, q->user.len);
    w->question.schema = q->schema ? cJSON_Duplicate(q->schema, true) : NULL;
    w->question.answered = q->answered;
    w->question.told = q->told;
    w->question.unanswered = q->unanswered;
    const settings *set = &w->server->settings;
    w->question.tokens_max = q->tokens_max ? q->tokens_max : set->actions.max_tokens;
    w->question.time_ms = q->time_ms ? q->time_ms : set->actions.time_budget_ms;
    w->question.tools = q->tools && w->server->options.tools;
    if (w->question.tools) tools_wake(w->server->options.tools);
    work_progress_text(w, "reading", -1);
    if (q->about && w->document)
        w->question.looking =
            enrich_start(w->server, w->document, q->about, &w->budget, on_looked_up, w);
    w->question.open = true; /* not before: servers that start are told of, see retry() */
    if (!w->question.looking) try_start(w);
}

static void retry(server *s) {
    for (size_t i = s->works.count; i-- > 0;) {
        if (i >= s->works.count) continue;
        work *w = s->works.at[i];
        if (w->question.open && !w->question.looking) try_start(w);
    }
}

void works_model_changed(server *s) {
    retry(s);
}

void works_tools_changed(server *s) {
    if (!tools_are_starting(s->options.tools)) retry(s);
}

/* ---- the client ------------------------------------------------------------------------------ */

static void on_client_answer(void *ud, const rpc_answer *a) {
    work *w = ud;
    w->request = 0;
    w->applying = false;
    if (a->status == ERR_CANCELLED) return; /* the connection ends: works_abandon follows */
    w->client_answer(w->own, a);
}

void work_request(work *w, const char *method, cJSON *params, work_client_answer fn) {
    ASSERT(!w->request);
    w->client_answer = fn;
    w->applying = !strcmp(method, "workspace/applyEdit");
    w->request = rpc_request(w->server->rpc, method, params, 0, on_client_answer, w);
}

/* ---- from outside ---------------------------------------------------------------------------- */

bool works_cancel(server *s, const rpc_id *id) {
    for (size_t i = 0; i < s->works.count; i++) {
        work *w = s->works.at[i];
        if (!rpc_id_equal(&w->reply->id, id)) continue;
        work_fail(w, LSP_REQUEST_CANCELLED, "cancelled");
        return true;
    }
    return false;
}

void works_cancel_progress(server *s, const cJSON *token) {
    for (size_t i = 0; i < s->works.count; i++) {
        work *w = s->works.at[i];
        if (!work_progress_is(&w->progress, token)) continue;
        work_fail(w, LSP_REQUEST_CANCELLED, "cancelled");
        return;
    }
}

void works_document_changed(server *s, document *d) {
    for (size_t i = s->works.count; i-- > 0;) {
        work *w = s->works.at[i];
        if (w->document == d && w->bound && !w->applying)
            work_fail(w, LSP_CONTENT_MODIFIED, "the document has changed since");
    }
}

void works_document_closing(server *s, document *d) {
    for (size_t i = s->works.count; i-- > 0;) {
        work *w = s->works.at[i];
        if (w->document != d) continue;
        w->document = NULL;
        if (w->bound) work_fail(w, LSP_CONTENT_MODIFIED, "the document was closed");
    }
}

void works_end_all(server *s, const char *why) {
    while (s->works.count)
        work_fail(s->works.at[s->works.count - 1], LSP_REQUEST_CANCELLED, why);
}

void works_abandon(server *s) {
    while (s->works.count) {
        work *w = s->works.at[s->works.count - 1];
        reply_abandon(w->reply);
        work_free(w, "");
    }
    vec_free(&s->works);
}
