/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the owner, and questions of the server.
 *
 * A legacy server asks by a request of its own; a modern one ends our request unfinished, names its
 * questions, and is asked again with the answers.  Both look the same to the owner.
 *
 * Invariants: a call is in `calls` until its `done` is about to run; a question is in `questions`
 * until it is answered, refused, or its call ends.  Pure.  Thread: loop. */
#include "engine/base/limits.h"
#include "mcp/session_private.h"

static void send_call(session_call *c, cJSON *params);

/* ---- calls ----------------------------------------------------------------------------------- */

static void forget_questions(session *s, const session_call *c) {
    for (size_t i = s->questions.count; i-- > 0;) {
        if (s->questions.at[i].call != c) continue;
        xfree(s->questions.at[i].key);
        vec_remove(&s->questions, i);
    }
}

static void round_free(session_call *c) {
    cJSON_Delete(c->responses);
    c->responses = NULL;
    xfree(c->state);
    c->state = NULL;
}

/* Takes the call out of the table; the caller frees it with call_free. */
static void call_leave(session_call *c) {
    session *s = c->session;
    forget_questions(s, c);
    for (size_t i = 0; i < s->calls.count; i++) {
        if (s->calls.at[i] != c) continue;
        vec_remove(&s->calls, i);
        return;
    }
}

static void call_free(session_call *c) {
    round_free(c);
    cJSON_Delete(c->params);
    xfree(c->method);
    xfree(c);
}

static void call_end(session_call *c, const rpc_answer *a) {
    rpc_answer own = *a;
    own.asked = c->asked;
    call_leave(c);
    c->done(c->ud, &own);
    call_free(c);
}

static void call_break(session_call *c, const char *why) {
    call_end(c, &(rpc_answer){.status = ERR_FORMAT, .message = why});
}

/* ---- unfinished results ---------------------------------------------------------------------- */

/* All questions are answered: the same request again, under a new id. */
static void ask_again(session_call *c) {
    cJSON *params = cJSON_Duplicate(c->params, true);
    if (c->responses) cJSON_AddItemToObject(params, "inputResponses", c->responses);
    c->responses = NULL;
    if (c->state) cJSON_AddStringToObject(params, "requestState", c->state);
    round_free(c);
    send_call(c, params);
}

static void tell_question(session *s, uint64_t number, int64_t call, const cJSON *request) {
    const cJSON *method = cJSON_GetObjectItemCaseSensitive(request, "method");
    s->hooks.question(s->hooks.ud,
                      &(session_question){
                          .number = number,
                          .call = call,
                          .method = method->valuestring,
                          .params = cJSON_GetObjectItemCaseSensitive(request, "params"),
                      });
}

static bool is_open(const session *s, uint64_t number) {
    for (size_t i = 0; i < s->questions.count; i++)
        if (s->questions.at[i].number == number) return true;
    return false;
}

static bool can_answer(const session *s, const char *method) {
    return (strcmp(method, "elicitation/create") == 0 && s->options.forms) ||
           (strcmp(method, "sampling/createMessage") == 0 && s->options.sampling) ||
           (strcmp(method, "roots/list") == 0 && s->options.roots);
}

/* `result` names questions; each may be answered from inside its hook. */
static void begin_round(session_call *c, const cJSON *result) {
    session *s = c->session;
    const cJSON *requests = cJSON_GetObjectItemCaseSensitive(result, "inputRequests");
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(result, "requestState"), *r;
    if (++c->rounds > LIMIT_MCP_ROUNDS) {
        call_break(c, "the server asks more and more questions about one call");
        return;
    }
    cJSON_ArrayForEach(r, requests) {
        const cJSON *m = cJSON_GetObjectItemCaseSensitive(r, "method");
        if (cJSON_IsString(m) && can_answer(s, m->valuestring)) continue;
        call_break(c, "the server asks something that was not offered");
        return;
    }
    round_free(c);
    c->asked |= cJSON_GetArraySize(requests) > 0;
    if (cJSON_IsString(state)) c->state = xstrdup(state->valuestring);
    uint64_t first = s->last_question + 1;
    int64_t handle = c->handle;
    cJSON_ArrayForEach(r, requests) {
        vec_push(
            &s->questions,
            ((open_question){.number = ++s->last_question, .call = c, .key = xstrdup(r->string)}));
        c->waiting++;
    }
    if (!c->waiting) {
        ask_again(c);
        return;
    }
    c->responses = cJSON_CreateObject();
    cJSON_ArrayForEach(r, requests) {
        if (is_open(s, first)) tell_question(s, first, handle, r);
        first++;
    }
}

static void on_answer(void *ud, const rpc_answer *a) {
    session_call *c = ud;
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(a->result, "resultType");
    bool plain = a->status != OK || !c->session->modern || !type ||
                 (cJSON_IsString(type) && strcmp(type->valuestring, "complete") == 0);
    if (plain)
        call_end(c, a);
    else if (cJSON_IsString(type) && strcmp(type->valuestring, "input_required") == 0)
        begin_round(c, a->result);
    else
        call_break(c, "the result is of a kind that this program does not know");
}

static void send_call(session_call *c, cJSON *params) {
    cJSON *meta = cJSON_GetObjectItemCaseSensitive(params, "_meta");
    if (!meta) meta = cJSON_AddObjectToObject(params, "_meta");
    cJSON_AddNumberToObject(meta, "progressToken", (double)c->handle);
    c->id = rpc_next_id(c->session->rpc);
    session_send(c->session, c->method, params, 0, on_answer, c);
}

int64_t session_request(session *s, const char *method, cJSON *params, rpc_done done, void *ud) {
    ASSERT(s->state == SESSION_READY);
    if (!params) params = cJSON_CreateObject();
    session_call *c = xcalloc(1, sizeof *c);
    *c = (session_call){.session = s, .handle = rpc_next_id(s->rpc), .done = done, .ud = ud};
    c->method = xstrdup(method);
    if (s->modern) c->params = cJSON_Duplicate(params, true);
    vec_push(&s->calls, c);
    int64_t handle = c->handle;
    send_call(c, params);
    return handle;
}

void session_cancel(session *s, int64_t call, const char *reason) {
    for (size_t i = 0; i < s->calls.count; i++) {
        session_call *c = s->calls.at[i];
        if (c->handle != call) continue;
        if (rpc_drop(s->rpc, c->id) && s->state != SESSION_FAILED) {
            cJSON *p = cJSON_CreateObject();
            cJSON_AddNumberToObject(p, "requestId", (double)c->id);
            cJSON_AddStringToObject(p, "reason", reason);
            session_notify(s, "notifications/cancelled", p);
        }
        call_leave(c);
        call_free(c);
        return;
    }
}

void session_lost(session *s, int64_t id, status code, const char *why) {
    rpc_end(s->rpc, id, &(rpc_answer){.status = code, .message = why});
}

void session_refused(session *s, int64_t id, int code, const char *why, const cJSON *data) {
    rpc_end(s->rpc, id,
            &(rpc_answer){.status = ERR_USAGE, .code = code, .message = why, .data = data});
}

bool session_waits_for(const session *s, int64_t id) {
    return rpc_is_pending(s->rpc, id);
}

/* ---- questions ------------------------------------------------------------------------------- */

void session_on_request(void *ud, const rpc_id *id, const char *method, const cJSON *params) {
    session *s = ud;
    if (strcmp(method, "ping") == 0) {
        rpc_reply(s->rpc, id, cJSON_CreateObject());
        return;
    }
    if (!can_answer(s, method)) {
        note_add(&s->oddities, "it asked for %.40s, which was not offered", method);
        rpc_reply_error(s->rpc, id, RPC_METHOD_NOT_FOUND, "not offered by this client", NULL);
        return;
    }
    if (s->questions.count >= LIMIT_MCP_QUEUE) {
        rpc_reply_error(s->rpc, id, RPC_INTERNAL_ERROR, "too many open questions", NULL);
        return;
    }
    uint64_t number = ++s->last_question;
    vec_push(&s->questions, ((open_question){.number = number, .id = *id}));
    int64_t call = s->calls.count == 1 ? s->calls.at[0]->handle : 0;
    for (size_t i = 0; i < s->calls.count; i++) /* it does not say for which */
        s->calls.at[i]->asked = true;
    s->hooks.question(s->hooks.ud, &(session_question){number, call, method, params});
}

/* Takes a question out of the table. */
static bool take_question(session *s, uint64_t number, open_question *out) {
    for (size_t i = 0; i < s->questions.count; i++) {
        if (s->questions.at[i].number != number) continue;
        *out = s->questions.at[i];
        vec_remove(&s->questions, i);
        return true;
    }
    return false;
}

void session_answer(session *s, uint64_t question, cJSON *result) {
    open_question q;
    if (!take_question(s, question, &q)) {
        cJSON_Delete(result);
        return;
    }
    if (!q.call) {
        rpc_reply(s->rpc, &q.id, result);
        return;
    }
    cJSON_AddItemToObject(q.call->responses, q.key, result);
    xfree(q.key);
    if (--q.call->waiting == 0) ask_again(q.call);
}

void session_refuse(session *s, uint64_t question, int code, const char *why) {
    open_question q;
    if (!take_question(s, question, &q)) return;
    xfree(q.key);
    if (q.call)
        call_end(q.call, &(rpc_answer){.status = ERR_USAGE, .code = code, .message = why});
    else
        rpc_reply_error(s->rpc, &q.id, code, why, NULL);
}

void session_calls_free(session *s) {
    while (s->calls.count) /* those that waited for answers to questions; others have ended */
        call_end(s->calls.at[s->calls.count - 1],
                 &(rpc_answer){.status = ERR_CANCELLED, .message = "the connection has ended"});
    vec_free(&s->calls);
    vec_free(&s->questions);
}
