/* SPDX-License-Identifier: Apache-2.0 */
/* The client that the official conformance suite drives: conformance_client URL.  It is our host
 * with one server: connects, calls what the context names (or every tool), reads every resource,
 * gets every prompt, and ends.  The suite's checks are on its side. */
#include <curl/curl.h>
#include <signal.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "mcp/mcp.h"
#include "mcp/rpc.h"

typedef struct {
    uv_loop_t loop;
    mcp_host *host;
    cJSON *context;
    size_t open;
    bool begun, failed, closing;
} run;

static void finish(run *r) {
    if (r->closing || r->open) return;
    r->closing = true;
    mcp_host_close(r->host, NULL, NULL);
}

static void on_answer(void *ud, const mcp_answer *a) {
    run *r = ud;
    fprintf(stderr, "%s %s\n", mcp_outcome_name(a->outcome), a->message ? a->message : "");
    r->open--;
    finish(r);
}

static void order(run *r, mcp_verb verb, const char *name, const cJSON *arguments) {
    r->open++;
    mcp_call(r->host,
             &(mcp_order){.server = "suite",
                          .verb = verb,
                          .name = name,
                          .arguments = arguments,
                          .approved = true,
                          .idle_ms = 20000},
             on_answer, r);
}

/* Something of the right type for each argument that is required. */
static cJSON *arguments_for(const cJSON *schema) {
    cJSON *out = cJSON_CreateObject();
    const cJSON *p, *properties = cJSON_GetObjectItemCaseSensitive(schema, "properties");
    cJSON_ArrayForEach(p, properties) {
        const cJSON *type = cJSON_GetObjectItemCaseSensitive(p, "type");
        const char *t = cJSON_IsString(type) ? type->valuestring : "string";
        if (!strcmp(t, "number") || !strcmp(t, "integer"))
            cJSON_AddNumberToObject(out, p->string, 5);
        else if (!strcmp(t, "boolean"))
            cJSON_AddTrueToObject(out, p->string);
        else if (!strcmp(t, "object"))
            cJSON_AddItemToObject(out, p->string, arguments_for(p));
        else if (!strcmp(t, "array"))
            cJSON_AddArrayToObject(out, p->string);
        else
            cJSON_AddStringToObject(out, p->string, "text");
    }
    return out;
}

static void call_all(run *r) {
    const cJSON *listed = cJSON_GetObjectItemCaseSensitive(r->context, "toolCalls"), *c;
    cJSON_ArrayForEach(c, listed) {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(c, "name");
        if (cJSON_IsString(name))
            order(r, MCP_CALL_TOOL, name->valuestring,
                  cJSON_GetObjectItemCaseSensitive(c, "arguments"));
    }
    const mcp_tool *t, *first = mcp_tool_at(r->host, "suite", 0);
    for (size_t i = 0; !listed && (t = mcp_tool_at(r->host, "suite", i)); i++) {
        cJSON *a = arguments_for(cJSON_GetObjectItemCaseSensitive(t->definition, "inputSchema"));
        if (cJSON_GetObjectItemCaseSensitive(a, "schema")) /* an echo: of a schema as it came */
            cJSON_ReplaceItemInObjectCaseSensitive(
                a, "schema",
                cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(first->definition, "inputSchema"),
                                true));
        order(r, MCP_CALL_TOOL, t->name, a);
        cJSON_Delete(a);
    }
    const mcp_resource *m;
    for (size_t i = 0; (m = mcp_resource_at(r->host, "suite", i)); i++)
        if (!m->is_template) order(r, MCP_READ_RESOURCE, m->uri, NULL);
    const mcp_prompt *p;
    for (size_t i = 0; (p = mcp_prompt_at(r->host, "suite", i)); i++)
        order(r, MCP_GET_PROMPT, p->name, NULL);
}

static void on_changed(void *ud, const char *server) {
    run *r = ud;
    mcp_server_info s;
    if (!r->host || r->closing || !mcp_server_get(r->host, server, &s)) return;
    fprintf(stderr, "%s %s %s\n", mcp_state_name(s.state), s.why, s.oddities);
    if (s.state == MCP_READY && !r->begun) {
        r->begun = true;
        call_all(r);
        finish(r);
    }
    if (s.state == MCP_FAILED || s.state == MCP_BACKOFF) {
        r->failed = true;
        finish(r);
    }
}

/* ---- a login: the suite's page sends a browser straight back -------------------------------- */

typedef struct {
    uv_work_t work;
    char *url;
} visit;

static size_t read_nothing(char *bytes, size_t size, size_t n, void *ud) {
    UNUSED(bytes);
    UNUSED(ud);
    return size * n;
}

static void browse(uv_work_t *w) {
    const visit *v = w->data;
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, v->url);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 5000L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, read_nothing);
    curl_easy_perform(easy);
    curl_easy_cleanup(easy);
}

static void browsed(uv_work_t *w, int bad) {
    visit *v = w->data;
    UNUSED(bad);
    xfree(v->url);
    xfree(v);
}

static void on_ask(void *ud, const mcp_question *q) {
    run *r = ud;
    if (q->kind == MCP_ASK_URL) {
        visit *v = xcalloc(1, sizeof *v);
        v->work.data = v;
        v->url = xstrdup(q->text);
        uv_queue_work(&r->loop, &v->work, browse, browsed);
    }
    mcp_decide(r->host, q->id, MCP_ALLOW_ONCE, NULL);
}

static const char *told(const run *r, const char *name) {
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(r->context, name);
    return cJSON_IsString(m) ? m->valuestring : NULL;
}

/* What a scenario says that its client is. */
static void set_oauth(const run *r, mcp_oauth *o) {
    const char *scenario = getenv("MCP_CONFORMANCE_SCENARIO");
    bool itself = scenario && strstr(scenario, "client-credentials");
    o->client_document = "https://conformance-test.local/client-metadata.json";
    o->client_id = told(r, "client_id");
    o->client_secret = told(r, "client_secret");
    o->issuer = told(r, "issuer");
    o->key = told(r, "private_key_pem");
    o->assertion = told(r, "valid_jwt");
    o->idp_token_url = told(r, "idp_token_endpoint");
    o->idp_client_id = told(r, "idp_client_id");
    o->idp_token = told(r, "idp_id_token");
    o->grant = itself         ? MCP_GRANT_CLIENT
               : o->assertion ? MCP_GRANT_ASSERTION
               : o->idp_token ? MCP_GRANT_EXCHANGE
                              : MCP_GRANT_CODE;
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_ERROR);
    run r = {0};
    uv_loop_init(&r.loop);
    const char *context = getenv("MCP_CONFORMANCE_CONTEXT");
    if (context) {
        char *copy = xstrdup(context);
        err e;
        if (rpc_parse(copy, strlen(copy), &r.context, &e) != OK) fprintf(stderr, "%s\n", e.text);
        xfree(copy);
    }
    mcp_config c;
    mcp_config_init(&c);
    mcp_definition *d = mcp_definition_new("suite");
    d->transport = MCP_HTTP;
    d->url = argv[argc - 1];
    d->scope = MCP_USER;
    d->concurrency = 8;
    set_oauth(&r, &d->oauth);
    const char *version = getenv("MCP_CONFORMANCE_PROTOCOL_VERSION");
    if (version && strcmp(version, "2026-07-28") < 0) d->era = MCP_ERA_LEGACY;
    vec_push(&c.servers, d);
    r.host = mcp_host_new(&r.loop, &(mcp_options){.workspace = "/"},
                          &(mcp_hooks){.ud = &r, .ask = on_ask, .changed = on_changed});
    mcp_host_configure(r.host, &c);
    mcp_config_deinit(&c);
    mcp_server_start(r.host, "suite");
    uv_run(&r.loop, UV_RUN_DEFAULT);
    uv_loop_close(&r.loop);
    cJSON_Delete(r.context); /* what the definition pointed to: after the host */
    return r.failed || !r.begun;
}
