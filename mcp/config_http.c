/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of servers behind a URL: headers, secrets that are named instead of written, and how a
 * token is got.  Pure.  Thread: any. */
#include "mcp/config_private.h"

static void add_header(config_reader *r, const char *name, const char *value) {
    config_add_pair(r, &r->d->headers, name, value);
}

/* Secrets that are named, not written: the value comes from the environment. */
static void read_named_secrets(config_reader *r, const cJSON *entry) {
    const cJSON *m = config_member(entry, "bearer_token_env_var"),
                *named = config_member(entry, "env_http_headers");
    const char *value = cJSON_IsString(m) ? config_named(r, m->string, m->valuestring) : NULL;
    if (value) add_header(r, "Authorization", arena_printf(&r->d->memory, "Bearer %s", value));
    r->within = named ? named->string : NULL;
    cJSON_ArrayForEach(m, named) {
        value = cJSON_IsString(m) ? config_named(r, m->string, m->valuestring) : NULL;
        if (value) add_header(r, m->string, value);
    }
    r->within = NULL;
    m = config_member(entry, "bearer_token");
    if (cJSON_IsString(m) && *m->valuestring)
        add_header(r, "Authorization", arena_printf(&r->d->memory, "Bearer %s", m->valuestring));
}

static const char *named_text(config_reader *r, const cJSON *object, const char *ours,
                              const char *other) {
    const cJSON *m = config_member(object, ours);
    if (!m && other) m = config_member(object, other);
    if (!m || cJSON_IsNull(m)) return NULL;
    return config_text(r, m);
}

static void read_grant(config_reader *r, const cJSON *m) {
    static const struct {
        const char *name;
        mcp_grant grant;
    } grants[] = {{"authorization_code", MCP_GRANT_CODE},
                  {"client_credentials", MCP_GRANT_CLIENT},
                  {"jwt-bearer", MCP_GRANT_ASSERTION},
                  {"token-exchange", MCP_GRANT_EXCHANGE}};
    for (size_t i = 0; i < COUNTOF(grants); i++) {
        if (!cJSON_IsString(m) || strcmp(m->valuestring, grants[i].name) != 0) continue;
        r->d->oauth.grant = grants[i].grant;
        return;
    }
    config_problem(r, "grant",
                   "oauth.grant is authorization_code, client_credentials, jwt-bearer or "
                   "token-exchange");
}

/* Ours, and Claude's (clientId, callbackPort) and Cursor's (CLIENT_ID, CLIENT_SECRET). */
static void read_oauth(config_reader *r, const cJSON *x) {
    mcp_oauth *o = &r->d->oauth;
    o->off = cJSON_IsFalse(x);
    if (!cJSON_IsObject(x)) return;
    const cJSON *idp = config_member(x, "idp"), *port = config_member(x, "callbackPort");
    r->within = x->string;
    o->client_id = named_text(r, x, "clientId", "CLIENT_ID");
    o->client_secret = named_text(r, x, "clientSecret", "CLIENT_SECRET");
    o->client_document = named_text(r, x, "clientMetadataUrl", NULL);
    o->issuer = named_text(r, x, "issuer", NULL);
    o->scope = named_text(r, x, "scope", NULL);
    o->key = named_text(r, x, "privateKey", NULL);
    o->assertion = named_text(r, x, "assertion", NULL);
    o->assertion_file = named_text(r, x, "assertionFile", NULL);
    o->idp_token_url = named_text(r, idp, "tokenUrl", NULL);
    o->idp_client_id = named_text(r, idp, "clientId", NULL);
    o->idp_token = named_text(r, idp, "idToken", NULL);
    if (cJSON_IsNumber(port) && port->valuedouble >= 1 && port->valuedouble <= 65535)
        o->port = (uint16_t)port->valueint;
    if (config_member(x, "grant")) read_grant(r, config_member(x, "grant"));
    if (o->client_document && strncmp(o->client_document, "https://", 8) != 0)
        config_problem(r, "clientMetadataUrl", "oauth.clientMetadataUrl is an https address");
    r->within = NULL;
}

void config_http(config_reader *r, const cJSON *entry, const cJSON *url, bool sse) {
    static const char *const headers[] = {"headers", "http_headers", NULL};
    static const char *const oauth[] = {"oauth", "auth", NULL};
    r->d->transport = sse ? MCP_SSE : MCP_HTTP;
    r->d->url = config_text(r, url);
    bool web = r->d->url &&
               (strncmp(r->d->url, "http://", 7) == 0 || strncmp(r->d->url, "https://", 8) == 0);
    if (!web) config_problem(r, url->string, "its url is neither http:// nor https://");
    config_pairs(r, config_first(entry, headers), &r->d->headers);
    read_named_secrets(r, entry);
    const cJSON *x = config_member(entry, "x-host");
    read_oauth(r,
               config_member(x, "oauth") ? config_member(x, "oauth") : config_first(entry, oauth));
}
