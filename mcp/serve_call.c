/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of a host: tools/call, prompts/get, resources/read.
 *
 *     running --(done)--> answered
 *             --(ask, older revisions)--> requests of ours on the same stream;
 *               when all are answered it runs on
 *             --(ask, 2026-07-28)--> answered with "input_required"; the call is put aside, and a
 *               request that brings its requestState goes on with it
 *
 * requestState is a random token that is good once: there is nothing in it to be tampered with.
 * Thread: loop. */
#include "mcp/serve_private.h"

typedef struct {
    int64_t id; /* of our request; 0: answered */
    char *name;
    serve_running *owner;
} question;

struct serve_running {
    serve *owner;
    rpc_id id;
    bool modern;
    own_kind kind;
    uint64_t call;
    cJSON *progress; /* the token, or NULL */
    int log_level;
    question *asked[LIMIT_OWN_ASKS];
    cJSON *answers;
};

/* ---- questions ------------------------------------------------------------------------------- */

static void withdraw(serve_running *r) {
    for (size_t i = 0; i < COUNTOF(r->asked); i++) {
        question *q = r->asked[i];
        if (!q) continue;
        (void)rpc_drop(r->owner->rpc, q->id);
        xfree(q->name);
        xfree(q);
        r->asked[i] = NULL;
    }
    cJSON_Delete(r->answers);
    r->answers = NULL;
}

static void on_answered(void *ud, const rpc_answer *a) {
    question *q = ud;
    serve_running *r = q->owner;
    bool open = false;
    err e = {{0}};
    if (a->status == ERR_CANCELLED) return; /* rpc_free: the whole stream goes */
    if (a->status != OK) {
        char why[200];
        snprintf(why, sizeof why, "the host has refused: %.160s", a->message ? a->message : "");
        withdraw(r);
        own_tools_refuse(r->owner->tools, r->call, why);
        return;
    }
    cJSON_AddItemToObject(r->answers, q->name, cJSON_Duplicate(a->result, true));
    for (size_t i = 0; i < COUNTOF(r->asked); i++) {
        if (r->asked[i] == q) r->asked[i] = NULL;
        open |= r->asked[i] != NULL;
    }
    xfree(q->name);
    xfree(q);
    if (open) return;
    cJSON *answers = r->answers;
    r->answers = NULL;
    if (own_tools_reply(r->owner->tools, r->call, answers, &e))
        own_tools_refuse(r->owner->tools, r->call, e.text);
    cJSON_Delete(answers);
}

static void ask_older(serve_running *r, const cJSON *requests) {
    const cJSON *one;
    size_t n = 0;
    r->answers = cJSON_CreateObject();
    cJSON_ArrayForEach(one, requests) {
        const cJSON *params = GET(one, "params");
        question *q = xcalloc(1, sizeof *q);
        *q = (question){.name = xstrdup(one->string), .owner = r};
        q->id = rpc_next_id(r->owner->rpc);
        r->asked[n++] = q;
        bool before = r->owner->partial;
        r->owner->partial = true;
        rpc_request(r->owner->rpc, GET(one, "method")->valuestring,
                    params ? cJSON_Duplicate(params, true) : cJSON_CreateObject(), 0, on_answered,
                    q);
        r->owner->partial = before;
    }
}

static void forget(serve_running *r) {
    serve *s = r->owner;
    for (size_t i = 0; i < s->calls.count; i++) {
        if (s->calls.at[i] != r) continue;
        vec_remove(&s->calls, i);
        break;
    }
    withdraw(r);
    cJSON_Delete(r->progress);
    xfree(r);
}

static void on_ask(void *ud, const cJSON *requests) {
    serve_running *r = ud;
    char token[OWN_TOKEN_BYTES];
    if (!requests) {
        withdraw(r);
    } else if (!r->modern && r->owner->ended) {
        own_tools_refuse(r->owner->tools, r->call, "the host has gone");
    } else if (!r->modern) {
        ask_older(r, requests);
    } else {
        cJSON *result = cJSON_CreateObject();
        cJSON_AddItemToObject(result, "inputRequests", cJSON_Duplicate(requests, true));
        own_tools_park(r->owner->tools, r->call, token);
        cJSON_AddStringToObject(result, "requestState", token);
        serve_answer_as(r->owner, &r->id, true, "input_required", result);
        forget(r);
    }
}

/* ---- what comes before the answer ------------------------------------------------------------ */

static void on_tell(void *ud, const char *what, const cJSON *params) {
    serve_running *r = ud;
    if (!strcmp(what, "log")) {
        int level = serve_level(cJSON_GetStringValue(GET(params, "level")));
        if (level < r->log_level) return;
        serve_notify(r->owner, "notifications/message", cJSON_Duplicate(params, true));
        return;
    }
    if (!r->progress) return;
    cJSON *copy = cJSON_Duplicate(params, true);
    cJSON_AddItemToObject(copy, "progressToken", cJSON_Duplicate(r->progress, true));
    serve_notify(r->owner, "notifications/progress", copy);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void refuse_lacking(serve_running *r, str capability) {
    char sentence[120], name[40];
    cJSON *data = cJSON_CreateObject();
    snprintf(name, sizeof name, "%.*s", STR_ARG(capability));
    snprintf(sentence, sizeof sentence, "this needs a host that offers %s", name);
    cJSON_AddObjectToObject(cJSON_AddObjectToObject(data, "requiredCapabilities"), name);
    serve_refuse(r->owner, &r->id, r->modern ? LACKS_CAPABILITY : RPC_INVALID_PARAMS, sentence,
                 data);
}

static void answer_tool(serve_running *r, const own_answer *a) {
    cJSON *result = cJSON_CreateObject();
    cJSON_AddItemToObject(result, "content", cJSON_Duplicate(a->content, true));
    if (a->structured)
        cJSON_AddItemToObject(result, "structuredContent", cJSON_Duplicate(a->structured, true));
    if (a->outcome != OWN_DONE) cJSON_AddTrueToObject(result, "isError");
    serve_answer(r->owner, &r->id, r->modern, result);
}

static void on_done(void *ud, const own_answer *a) {
    serve_running *r = ud;
    if (a->outcome == OWN_LACKS) {
        refuse_lacking(r, a->text);
    } else if (r->kind == OWN_TOOL) {
        answer_tool(r, a);
    } else if (a->outcome != OWN_DONE) {
        char *sentence = xstrndup(a->text.ptr, MIN(a->text.len, (size_t)LIMIT_MCP_TEXT_BYTES));
        serve_refuse(r->owner, &r->id, RPC_INTERNAL_ERROR, sentence, NULL);
        xfree(sentence);
    } else {
        cJSON *result = cJSON_CreateObject();
        cJSON_AddItemToObject(result, r->kind == OWN_PROMPT ? "messages" : "contents",
                              cJSON_Duplicate(a->content, true));
        if (r->kind == OWN_RESOURCE) serve_add_caching(result, r->modern, 0);
        serve_answer(r->owner, &r->id, r->modern, result);
    }
    forget(r);
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* NULL: it can be tried. */
static const char *what_is_wrong(const serve_request *q, const cJSON *answers) {
    const cJSON *one, *arguments = GET(q->params, "arguments"),
                      *state = GET(q->params, "requestState");
    if (arguments && !cJSON_IsObject(arguments)) return "\"arguments\" is not an object";
    if (state && !cJSON_IsString(state)) return "\"requestState\" is not a text";
    if (answers && !cJSON_IsObject(answers)) return "\"inputResponses\" is not an object";
    cJSON_ArrayForEach(one, answers) if (!cJSON_IsObject(one)) return "an inputResponse is not an "
                                                                      "object";
    return NULL;
}

static void refuse_unknown(serve *s, const serve_request *q, own_kind kind, const char *name) {
    static const char *const kinds[] = {"tool", "prompt", "resource"};
    char sentence[160];
    bool resource = kind == OWN_RESOURCE;
    cJSON *data = resource ? cJSON_CreateObject() : NULL;
    snprintf(sentence, sizeof sentence, "there is no %s \"%.100s\"", kinds[kind], name);
    if (resource) cJSON_AddStringToObject(data, "uri", name);
    /* -32002 was the older revisions' */
    serve_refuse(s, q->id, resource && !q->modern ? -32002 : RPC_INVALID_PARAMS, sentence, data);
}

static void call(serve *s, const serve_request *q, own_kind kind, const char *name) {
    const cJSON *answers = q->modern ? GET(q->params, "inputResponses") : NULL;
    const cJSON *state = q->modern ? GET(q->params, "requestState") : NULL;
    const cJSON *progress = GET(GET(q->params, "_meta"), "progressToken");
    const char *wrong = name ? what_is_wrong(q, answers) : "the name is missing";
    err e = {{0}};
    if (wrong) {
        serve_refuse(s, q->id, RPC_INVALID_PARAMS, wrong, NULL);
        return;
    }
    serve_running *r = xcalloc(1, sizeof *r);
    *r = (serve_running){.owner = s, .id = *q->id, .modern = q->modern, .kind = kind};
    r->log_level = s->mute ? LOG_NONE : q->log_level;
    if ((cJSON_IsString(progress) || cJSON_IsNumber(progress)) && !s->mute)
        r->progress = cJSON_Duplicate(progress, true);
    vec_push(&s->calls, r);
    const own_request request = {.kind = kind,
                                 .name = name,
                                 .arguments = GET(q->params, "arguments"),
                                 .client = q->client,
                                 .answers = answers};
    const own_hooks hooks = {r, on_done, on_tell, s->mute && !q->modern ? NULL : on_ask};
    r->call = state ? own_tools_resume(s->tools, state->valuestring, &request, &hooks, &e)
                    : own_tools_call(s->tools, &request, &hooks);
    if (r->call) return;
    forget(r);
    if (state)
        serve_refuse(s, q->id, RPC_INVALID_PARAMS, e.text, NULL);
    else
        refuse_unknown(s, q, kind, name);
}

void serve_call_tool(serve *s, const serve_request *q) {
    call(s, q, OWN_TOOL, cJSON_GetStringValue(GET(q->params, "name")));
}

void serve_get_prompt(serve *s, const serve_request *q) {
    call(s, q, OWN_PROMPT, cJSON_GetStringValue(GET(q->params, "name")));
}

void serve_read_resource(serve *s, const serve_request *q) {
    call(s, q, OWN_RESOURCE, cJSON_GetStringValue(GET(q->params, "uri")));
}

void serve_input_ended(serve *s) {
    s->ended = true;
    for (size_t i = 0; i < s->calls.count; i++) {
        serve_running *r = s->calls.at[i];
        if (!r->answers) continue;
        withdraw(r);
        own_tools_refuse(s->tools, r->call, "the host has gone");
    }
}

/* ---- ends ------------------------------------------------------------------------------------ */

static serve_running *find(const serve *s, const rpc_id *id) {
    for (size_t i = 0; i < s->calls.count; i++)
        if (rpc_id_equal(&s->calls.at[i]->id, id)) return s->calls.at[i];
    return NULL;
}

bool serve_call_has(const serve *s, const rpc_id *id) {
    return find(s, id) != NULL;
}

bool serve_cancel_call(serve *s, const rpc_id *id) {
    serve_running *r = find(s, id);
    if (!r) return false;
    own_tools_cancel(s->tools, r->call);
    forget(r);
    return true;
}

void serve_forget_calls(serve *s) {
    while (s->calls.count) {
        serve_running *r = s->calls.at[s->calls.count - 1];
        own_tools_cancel(s->tools, r->call);
        forget(r);
    }
    vec_free(&s->calls);
}
