/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a person, and which calls need one.
 *
 * A question is open until it is decided, until its time is up (then it counts as dismissed), or
 * until what it was about has ended.  Yes for ever is bound to hashes (approvals.c).  Thread:
 * loop. */
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "mcp/host_private.h"
#include "mcp/output.h"

/* ---- rules ----------------------------------------------------------------------------------- */

static bool listed(const mcp_texts *patterns, const char *name) {
    for (size_t i = 0; i < patterns->count; i++)
        if (mcp_pattern_matches(patterns->at[i], name)) return true;
    return false;
}

policy policy_of(const call *c, const mcp_tool *t, const char **why) {
    const mcp_definition *d = c->server->def;
    bool person = c->purpose == MCP_FOR_USER || c->purpose == MCP_FOR_MODEL;
    if (!t) return POLICY_ALLOW;
    if (listed(&d->deny, t->name) || (d->included.count && !listed(&d->included, t->name))) {
        *why = "the configuration denies this tool";
        return POLICY_DENY;
    }
    if (t->quarantined) {
        *why = "the tool's definition has changed since it was approved; see inlined mcp approve";
        return POLICY_DENY;
    }
    if (!person && !(d->trusted && t->read_only && listed(&d->allow, t->name))) {
        *why = "look-ups of the editor may call only read-only tools of trusted servers that the "
               "configuration allows";
        return POLICY_DENY;
    }
    if (c->approved) return POLICY_ALLOW;
    bool asks = listed(&d->ask, t->name);
    bool harmless = t->annotated && t->read_only && !t->open_world;
    if (!asks && (harmless || listed(&d->allow, t->name))) return POLICY_ALLOW;
    if (approvals_has_tool(c->host->approvals, c->server->hash, t->pin)) return POLICY_ALLOW;
    if (c->host->hooks.ask) return POLICY_ASK;
    *why = "nobody can be asked whether this tool may be called";
    return POLICY_DENY;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void ask(mcp_host *h, asked *q, const mcp_question *shown) {
    q->id = ++h->last_id;
    q->until_ms = clock_ms() + LIMIT_MCP_ASK_MS;
    vec_push(&h->questions, *q);
    host_wake_at(h, q->until_ms);
    mcp_question copy = *shown;
    copy.id = q->id;
    copy.kind = q->kind;
    copy.server = q->server->def->name;
    h->hooks.ask(h->hooks.ud, &copy);
}

void ask_server(server *s) {
    if (s->asked || !s->host->hooks.ask) return;
    strbuf shown;
    strbuf_init(&shown, 1u << 20);
    mcp_definition_show(s->def, &shown);
    s->asked = s->host->last_id + 1;
    ask(s->host, &(asked){.kind = MCP_ASK_SERVER, .server = s}, &(mcp_question){.text = shown.ptr});
    strbuf_deinit(&shown);
}

void ask_tool(call *c, const mcp_tool *t) {
    c->state = CALL_ASKING;
    ask(c->host, &(asked){.kind = MCP_ASK_TOOL, .server = c->server, .call = c},
        &(mcp_question){.tool = t->name, .text = t->description, .data = c->arguments});
}

static const char *text_member(const cJSON *object, const char *name) {
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(m) ? m->valuestring : "";
}

static void answer_roots(server *s, uint64_t number) {
    cJSON *result = cJSON_CreateObject(), *roots = cJSON_AddArrayToObject(result, "roots");
    if (s->host->workspace) {
        strbuf uri;
        strbuf_init(&uri, 1u << 16);
        strbuf_addf(&uri, "file://%s", s->host->workspace);
        cJSON *root = cJSON_CreateObject();
        cJSON_AddStringToObject(root, "uri", uri.ptr);
        cJSON_AddItemToArray(roots, root);
        strbuf_deinit(&uri);
    }
    session_answer(s->session, number, result);
}

void ask_session(server *s, const session_question *q) {
    mcp_host *h = s->host;
    if (strcmp(q->method, "roots/list") == 0) {
        answer_roots(s, q->number);
        return;
    }
    bool form = strcmp(q->method, "elicitation/create") == 0;
    bool url = form && strcmp(text_member(q->params, "mode"), "url") == 0;
    const cJSON *schema = cJSON_GetObjectItemCaseSensitive(q->params, "requestedSchema");
    strbuf shown;
    strbuf_init(&shown, 1u << 16);
    output_clean(&shown, str_sub(str_of(text_member(q->params, url ? "url" : "message")), 0,
                                 LIMIT_MCP_TEXT_BYTES));
    asked a = {.kind = url    ? MCP_ASK_URL
                       : form ? MCP_ASK_FORM
                              : MCP_ASK_TEXT,
               .server = s,
               .number = q->number,
               .schema = form && schema ? cJSON_Duplicate(schema, true) : NULL};
    s->open_questions++;
    ask(h, &a,
        &(mcp_question){.text = shown.ptr ? shown.ptr : "", .data = form ? schema : q->params});
    strbuf_deinit(&shown);
}

void ask_login(server *s, const char *url) {
    s->open_questions++;
    ask(s->host, &(asked){.kind = MCP_ASK_URL, .server = s, .login = true},
        &(mcp_question){.text = url});
}

/* It has been answered with the browser, or nobody waits for it any more. */
void asks_forget_login(server *s) {
    mcp_host *h = s->host;
    for (size_t i = h->questions.count; i-- > 0;) {
        if (h->questions.at[i].server != s || !h->questions.at[i].login) continue;
        s->open_questions--;
        vec_remove(&h->questions, i);
    }
}

/* ---- decisions ------------------------------------------------------------------------------- */

static void decide_server(server *s, mcp_decision d) {
    mcp_host *h = s->host;
    s->asked = 0;
    if (d == MCP_ALLOW_ONCE || d == MCP_ALLOW_ALWAYS) {
        if (d == MCP_ALLOW_ALWAYS) {
            approvals_add_server(h->approvals, s->hash, s->def->name);
            approvals_save(h->approvals);
        }
        host_server_set(s, MCP_IDLE, "");
        host_server_start(s);
        return;
    }
    s->denied = d == MCP_DENY;
    for (size_t i = s->calls.count; i-- > 0;)
        call_fail(s->calls.at[i], MCP_DENIED, "the start of server %s was not approved",
                  s->def->name);
}

static void decide_tool(call *c, mcp_decision d) {
    server *s = c->server;
    if (d != MCP_ALLOW_ONCE && d != MCP_ALLOW_ALWAYS) {
        call_fail(c, MCP_DENIED, "the call was not approved");
        return;
    }
    const mcp_tool *t = catalogue_tool(host_server_list(s, LIST_TOOLS), c->name);
    if (d == MCP_ALLOW_ALWAYS && t) {
        approvals_add_tool(c->host->approvals, s->hash, t->pin, t->name);
        approvals_save(c->host->approvals);
    }
    c->approved = true;
    c->state = CALL_QUEUED;
    c->queued_ms = clock_ms();
    calls_run(s);
}

/* What was filled in, completed by the defaults of the schema. */
static cJSON *form_content(const cJSON *schema, const cJSON *content) {
    cJSON *out = cJSON_IsObject(content) ? cJSON_Duplicate(content, true) : cJSON_CreateObject();
    const cJSON *property;
    cJSON_ArrayForEach(property, cJSON_GetObjectItemCaseSensitive(schema, "properties")) {
        const cJSON *otherwise = cJSON_GetObjectItemCaseSensitive(property, "default");
        if (otherwise && !cJSON_GetObjectItemCaseSensitive(out, property->string))
            cJSON_AddItemToObject(out, property->string, cJSON_Duplicate(otherwise, true));
    }
    return out;
}

/* Yes: the browser is there; what happens in it is heard elsewhere. */
static void decide_login(server *s, mcp_decision d) {
    s->open_questions--;
    if (d != MCP_ALLOW_ONCE && d != MCP_ALLOW_ALWAYS) auth_stop(s->auth, "the login was declined");
}

static void decide_session(const asked *q, mcp_decision d, const cJSON *content) {
    session *n = q->server->session;
    bool yes = d == MCP_ALLOW_ONCE || d == MCP_ALLOW_ALWAYS;
    q->server->open_questions--;
    if (q->kind == MCP_ASK_TEXT) {
        if (yes && content)
            session_answer(n, q->number, cJSON_Duplicate(content, true));
        else
            session_refuse(n, q->number, -1, "the person declined");
        return;
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "action",
                            yes             ? "accept"
                            : d == MCP_DENY ? "decline"
                                            : "cancel");
    if (yes && q->kind == MCP_ASK_FORM)
        cJSON_AddItemToObject(result, "content", form_content(q->schema, content));
    session_answer(n, q->number, result);
}

void mcp_decide(mcp_host *h, uint64_t question, mcp_decision d, const cJSON *content) {
    for (size_t i = 0; i < h->questions.count; i++) {
        if (h->questions.at[i].id != question) continue;
        asked q = h->questions.at[i];
        vec_remove(&h->questions, i);
        if (q.kind == MCP_ASK_SERVER)
            decide_server(q.server, d);
        else if (q.kind == MCP_ASK_TOOL)
            decide_tool(q.call, d);
        else if (q.login)
            decide_login(q.server, d);
        else
            decide_session(&q, d, content);
        cJSON_Delete(q.schema);
        return;
    }
}

/* A call's question goes with the call; a server's go with its session. */
void asks_forget(mcp_host *h, const server *s, const call *c) {
    for (size_t i = h->questions.count; i-- > 0;) {
        asked *q = &h->questions.at[i];
        bool gone = c ? q->call == c : q->server == s && !q->call;
        if (!gone) continue;
        if (!c && (q->number || q->login)) q->server->open_questions--;
        if (!c && q->kind == MCP_ASK_SERVER) q->server->asked = 0;
        cJSON_Delete(q->schema);
        vec_remove(&h->questions, i);
    }
}

void asks_tick(mcp_host *h, double now_ms) {
    for (size_t i = h->questions.count; i-- > 0;) {
        if (i >= h->questions.count) continue;
        if (now_ms >= h->questions.at[i].until_ms)
            mcp_decide(h, h->questions.at[i].id, MCP_DISMISS, NULL);
        else
            host_wake_at(h, h->questions.at[i].until_ms);
    }
}
