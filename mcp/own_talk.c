/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of a command that speaks: one JSON object each, in both directions.
 *
 *     to it    {"name", "arguments", "client": capabilities, "workspace"}         first, once
 *              {"answers": {NAME: result}}  or  {"refused": "why"}                after each "ask"
 *     from it  {"progress": 1, "total": 2, "message": "..."}
 *              {"log": "info", "data": ..., "logger": "..."}
 *              {"content": BLOCK, "role": "user"}     a block of MCP; the role is for prompts
 *              {"structured": {...}}                  of a tool with an outputSchema
 *              {"ask": {NAME: {"method": "elicitation/create", "params": {...}}}}
 *              {"error": "a sentence"}                it has failed
 *
 *     RUNS --(ask)--> ASKS --(all are answered)--> RUNS
 *       answers that came with the request count; the rest is asked of the host
 *
 * The command's own time stands still while it asks.  A line that is none of these ends the call:
 * its author shall see it.  Thread: loop. */
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "mcp/jose.h"
#include "mcp/output.h"
#include "mcp/own_private.h"
#include "mcp/rpc.h"

#define GET(object, name) cJSON_GetObjectItemCaseSensitive(object, name)

/* ---- to the command -------------------------------------------------------------------------- */

static void send_line(own_call *c, cJSON *message) {
    strbuf line;
    char *text = cJSON_PrintUnformatted(message);
    strbuf_init(&line, LIMIT_MESSAGE_BYTES);
    strbuf_addf(&line, "%s\n", text);
    if (line.overflow || !process_write(c->process, strbuf_str(&line)))
        own_call_fail(c, "it does not read what it is told");
    strbuf_deinit(&line);
    cJSON_free(text);
    cJSON_Delete(message);
}

void own_talk_start(own_call *c) {
    cJSON *hello = cJSON_CreateObject();
    cJSON_AddStringToObject(hello, "name", c->name);
    cJSON_AddItemToObject(hello, "arguments", cJSON_Duplicate(c->arguments, true));
    cJSON_AddItemToObject(hello, "client",
                          c->client ? cJSON_Duplicate(c->client, true) : cJSON_CreateObject());
    cJSON_AddStringToObject(hello, "workspace", c->owner->place.workspace);
    frame_reader_init(&c->lines, FRAME_LINES, LIMIT_OWN_LINE_BYTES);
    send_line(c, hello);
}

/* ---- questions ------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    const char *method, *capability;
} ASKABLE[] = {
    {"elicitation/create",     "elicitation"},
    {"roots/list",             "roots"},
    {"sampling/createMessage", "sampling"},
};
/* clang-format on */

/* NULL: nothing that may be asked. */
static const char *capability_of(const cJSON *ask) {
    const char *method = cJSON_GetStringValue(GET(ask, "method"));
    for (size_t i = 0; method && i < COUNTOF(ASKABLE); i++)
        if (!strcmp(ASKABLE[i].method, method)) return ASKABLE[i].capability;
    return NULL;
}

static bool check_asks(own_call *c, const cJSON *asks) {
    const cJSON *one;
    int n = cJSON_IsObject(asks) ? cJSON_GetArraySize(asks) : 0;
    if (n < 1 || n > LIMIT_OWN_ASKS) {
        own_call_fail(c, "its \"ask\" is not an object with one to eight questions");
        return false;
    }
    cJSON_ArrayForEach(one, asks) {
        const char *capability = capability_of(one);
        if (!capability) {
            own_call_fail(c, "it asks for what cannot be asked");
            return false;
        }
        if (c->hooks.done && c->hooks.ask && GET(c->client, capability)) continue;
        own_call_fail(c, capability);
        c->outcome = OWN_LACKS;
        return false;
    }
    return true;
}

static status check_answer(const cJSON *ask, const cJSON *answer, err *e) {
    const cJSON *schema = GET(GET(ask, "params"), "requestedSchema");
    const char *action = cJSON_GetStringValue(GET(answer, "action"));
    if (!cJSON_IsObject(answer))
        return err_set(e, ERR_USAGE, "the answer to %.80s is not an object", ask->string);
    if (strcmp(capability_of(ask), "elicitation")) return OK;
    if (!action ||
        (strcmp(action, "accept") && strcmp(action, "decline") && strcmp(action, "cancel")))
        return err_set(e, ERR_USAGE, "the answer to %.80s has no \"action\"", ask->string);
    if (strcmp(action, "accept") || !schema) return OK;
    status s = own_check(schema, GET(answer, "content"), e);
    return s ? err_prefix(e, s, "the answer to %.80s", ask->string) : OK;
}

/* Moves what `answers` has from the open questions to the answered ones. */
static status take_answers(own_call *c, const cJSON *answers, err *e) {
    cJSON *ask, *next;
    status s = OK;
    cJSON_ArrayForEach(ask, c->asks) {
        const cJSON *answer = GET(answers, ask->string);
        if (answer && !s) s = check_answer(ask, answer, e);
    }
    for (ask = s ? NULL : c->asks->child; ask; ask = next) {
        const cJSON *answer = GET(answers, ask->string);
        next = ask->next;
        if (!answer) continue;
        cJSON_AddItemToObject(c->got, ask->string, cJSON_Duplicate(answer, true));
        cJSON_Delete(cJSON_DetachItemViaPointer(c->asks, ask));
    }
    return s;
}

static void forget_asks(own_call *c) {
    cJSON_Delete(c->asks);
    cJSON_Delete(c->got);
    c->asks = c->got = NULL;
    c->phase = CALL_RUNS;
    c->token[0] = '\0';
    c->until_ms = clock_ms() + c->left_ms;
    own_call_arm(c, c->left_ms);
}

/* Tells the command when nothing is open any more; false: something is. */
static bool tell_answers(own_call *c) {
    if (c->asks->child) return false;
    cJSON *message = cJSON_CreateObject();
    cJSON_AddItemToObject(message, "answers", c->got);
    c->got = NULL;
    forget_asks(c);
    send_line(c, message);
    return true;
}

static void ask(own_call *c, const cJSON *asks) {
    err e;
    if (!check_asks(c, asks)) return;
    c->asks = cJSON_Duplicate(asks, true);
    c->got = cJSON_CreateObject();
    c->left_ms = MAX(c->until_ms - clock_ms(), 1);
    c->phase = CALL_ASKS;
    own_call_arm(c, LIMIT_MCP_ASK_MS);
    if (c->given && take_answers(c, c->given, &e) == OK && tell_answers(c)) return;
    c->hooks.ask(c->hooks.ud, c->asks);
}

static void refuse(own_call *c, const char *why) {
    cJSON *message = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "refused", why);
    forget_asks(c);
    send_line(c, message);
}

void own_talk_timer(own_call *c) {
    if (c->phase == CALL_ASKS_AGAIN) {
        c->phase = CALL_ASKS;
        own_call_arm(c, LIMIT_MCP_ASK_MS);
        if (c->hooks.ask) c->hooks.ask(c->hooks.ud, c->asks);
    } else if (c->token[0]) {
        own_call_fail(c, "nobody has answered");
    } else {
        if (c->hooks.ask) c->hooks.ask(c->hooks.ud, NULL);
        refuse(c, "nobody has answered in time");
    }
}

static own_call *find_asking(const own_tools *t, uint64_t id) {
    for (size_t i = 0; i < t->calls.count; i++)
        if (t->calls.at[i]->id == id && t->calls.at[i]->asks) return t->calls.at[i];
    return NULL;
}

status own_tools_reply(own_tools *t, uint64_t id, const cJSON *answers, err *e) {
    own_call *c = find_asking(t, id);
    status s = c ? take_answers(c, answers, e) : OK;
    if (c && !s) (void)tell_answers(c);
    return s;
}

void own_tools_refuse(own_tools *t, uint64_t id, const char *why) {
    own_call *c = find_asking(t, id);
    if (c) refuse(c, why);
}

/* ---- put aside ------------------------------------------------------------------------------- */

static void make_room(own_tools *t) {
    own_call *oldest = NULL;
    size_t parked = 0;
    for (size_t i = 0; i < t->calls.count; i++) {
        if (!t->calls.at[i]->token[0]) continue;
        if (!oldest) oldest = t->calls.at[i];
        parked++;
    }
    if (parked >= LIMIT_OWN_PARKED) own_call_fail(oldest, "too many others ask");
}

void own_tools_park(own_tools *t, uint64_t id, char token[OWN_TOKEN_BYTES]) {
    strbuf text;
    own_call *c = find_asking(t, id);
    make_room(t);
    strbuf_init(&text, OWN_TOKEN_BYTES);
    jose_random(&text, (OWN_TOKEN_BYTES - 1) / 4 * 3);
    snprintf(token, OWN_TOKEN_BYTES, "%s", text.ptr);
    strbuf_deinit(&text);
    if (!c) return; /* it has ended, as one whose token is never found */
    memcpy(c->token, token, OWN_TOKEN_BYTES);
    c->hooks = (own_hooks){0};
}

static bool is_same(const own_call *c, const own_request *request) {
    cJSON *none = cJSON_CreateObject();
    bool same = c->entry->offer.kind == request->kind ||
                (c->entry->offer.kind == OWN_TEMPLATE && request->kind == OWN_RESOURCE);
    same = same && !strcmp(c->name, request->name);
    if (same && request->kind != OWN_RESOURCE)
        same = cJSON_Compare(c->arguments, request->arguments ? request->arguments : none, true);
    cJSON_Delete(none);
    return same;
}

uint64_t own_tools_resume(own_tools *t, const char *token, const own_request *request,
                          const own_hooks *hooks, err *e) {
    own_call *c = NULL;
    for (size_t i = 0; i < t->calls.count && !c; i++)
        if (t->calls.at[i]->asks && t->calls.at[i]->token[0] &&
            !strcmp(t->calls.at[i]->token, token))
            c = t->calls.at[i];
    if (!c || !is_same(c, request)) {
        (void)err_set(e, ERR_NOT_FOUND, "this requestState is of no call that waits; call again");
        return 0;
    }
    if (request->answers && take_answers(c, request->answers, e)) return 0;
    c->hooks = *hooks;
    c->token[0] = '\0';
    cJSON_Delete(c->client);
    c->client = request->client ? cJSON_Duplicate(request->client, true) : NULL;
    if (tell_answers(c)) return c->id;
    c->phase = CALL_ASKS_AGAIN; /* from the loop, not from inside */
    own_call_arm(c, 0);
    return c->id;
}

/* ---- from the command ------------------------------------------------------------------------ */

static void tell(own_call *c, const char *what, const cJSON *params) {
    if (c->hooks.tell) c->hooks.tell(c->hooks.ud, what, params);
}

static void progress(own_call *c, const cJSON *m) {
    const cJSON *done = GET(m, "progress"), *all = GET(m, "total"), *text = GET(m, "message");
    cJSON *params = cJSON_CreateObject();
    cJSON_AddNumberToObject(params, "progress", done->valuedouble);
    if (cJSON_IsNumber(all)) cJSON_AddNumberToObject(params, "total", all->valuedouble);
    if (cJSON_IsString(text)) cJSON_AddStringToObject(params, "message", text->valuestring);
    tell(c, "progress", params);
    cJSON_Delete(params);
}

static void log_line(own_call *c, const cJSON *m) {
    const cJSON *data = GET(m, "data"), *logger = GET(m, "logger");
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "level", GET(m, "log")->valuestring);
    cJSON_AddItemToObject(params, "data", data ? cJSON_Duplicate(data, true) : cJSON_CreateNull());
    cJSON_AddStringToObject(params, "logger",
                            cJSON_IsString(logger) ? logger->valuestring : c->entry->offer.name);
    tell(c, "log", params);
    cJSON_Delete(params);
}

static void content(own_call *c, const cJSON *m, size_t bytes) {
    cJSON *block;
    err e = {{0}};
    c->content_bytes += bytes;
    if (c->content_bytes > LIMIT_OWN_CONTENT_BYTES) {
        own_call_fail(c, "it makes more content than can be sent");
    } else if (own_block(c, GET(m, "content"), GET(m, "role"), &block, &e)) {
        own_call_fail(c, e.text);
    } else {
        if (!c->content) c->content = cJSON_CreateArray();
        cJSON_AddItemToArray(c->content, block);
    }
}

static void hear(own_call *c, const cJSON *m, size_t bytes) {
    const cJSON *structured = GET(m, "structured"), *failed = GET(m, "error");
    if (cJSON_IsNumber(GET(m, "progress"))) {
        progress(c, m);
    } else if (cJSON_IsString(GET(m, "log"))) {
        log_line(c, m);
    } else if (GET(m, "content")) {
        content(c, m, bytes);
    } else if (structured) {
        cJSON_Delete(c->structured);
        c->structured = cJSON_Duplicate(structured, true);
    } else if (GET(m, "ask") && !c->asks) {
        ask(c, GET(m, "ask"));
    } else if (cJSON_IsString(failed)) {
        own_call_fail(c, failed->valuestring);
    } else {
        own_call_fail(c, "it said a line that means nothing");
    }
}

void own_talk_bytes(own_call *c, str bytes) {
    char *line;
    size_t len;
    bool got = true;
    err e;
    frame_feed(&c->lines, bytes);
    while (got && c->outcome == OWN_DONE) {
        cJSON *message = NULL;
        if (frame_next(&c->lines, &line, &len, &got, &e)) {
            own_call_fail(c, "it said a line that is too long");
        } else if (got && (rpc_parse(line, len, &message, &e) || !cJSON_IsObject(message))) {
            own_call_fail(c, "it said a line that is no JSON object");
        } else if (got) {
            hear(c, message, len);
        }
        cJSON_Delete(message);
    }
}
