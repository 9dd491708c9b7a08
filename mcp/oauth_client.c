/* SPDX-License-Identifier: Apache-2.0 */
/* Who we are to an issuer: a client that was registered by hand, our document, one that was
 * registered earlier, or a new one, in this order; and how that is proven.  Pure. */
#include <time.h>

#include "engine/base/mem.h"
#include "mcp/oauth_private.h"
#include "mcp/url.h"

#define ASSERTION_S 300 /* for how long a signed statement of ours holds */

static void take_client(oauth *o, const char *id, const char *secret, const char *method) {
    char *copies[] = {id ? xstrdup(id) : NULL, secret ? xstrdup(secret) : NULL,
                      method ? xstrdup(method) : NULL};
    char **to[] = {&o->client_id, &o->client_secret, &o->auth_method};
    for (size_t i = 0; i < COUNTOF(to); i++) {
        xfree(*to[i]);
        *to[i] = copies[i];
    }
}

/* ---- the loopback address -------------------------------------------------------------------- */

/* Opens it; false: it cannot, and said so. */
static bool open_redirect(oauth *o, uint16_t wanted) {
    uint16_t must = o->config->port;
    o->port = o->hooks.listen(o->hooks.ud, must ? must : wanted);
    if (!o->port || (must && o->port != must)) {
        if (must)
            oauth_fail(o, "port %d on this machine, where a login comes back to, is taken", must);
        else
            oauth_fail(o, "no address on this machine can be opened for a login to come back to");
        return false;
    }
    strbuf url;
    strbuf_init(&url, 64);
    strbuf_addf(&url, "http://127.0.0.1:%d/callback", o->port);
    oauth_set(&o->redirect, url.ptr);
    strbuf_deinit(&url);
    return true;
}

/* ---- registration ---------------------------------------------------------------------------- */

/* The first way that both sides know; issuers that say nothing know only Basic (RFC 8414). */
static const char *registered_method(const oauth *o) {
    static const char *const ours[] = {"none", "client_secret_basic", "client_secret_post"};
    const char *name = "token_endpoint_auth_methods_supported";
    for (size_t i = 0; i < COUNTOF(ours); i++)
        if (oauth_lists(o->metadata, name, ours[i])) return ours[i];
    return o->metadata ? "client_secret_basic" : "none";
}

static void add_list(cJSON *object, const char *name, const char *const *words, size_t n) {
    cJSON *list = cJSON_AddArrayToObject(object, name);
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(words[i]));
}

static void register_client(oauth *o) {
    if (!o->register_url) {
        oauth_fail(o, "%.150s registers no clients: set oauth.clientId for this server", o->issuer);
        return;
    }
    const char *redirect = o->redirect;
    cJSON *c = cJSON_CreateObject();
    cJSON_AddStringToObject(c, "client_name", "inlined");
    add_list(c, "redirect_uris", &redirect, 1);
    add_list(c, "grant_types", (const char *const[]){"authorization_code", "refresh_token"}, 2);
    add_list(c, "response_types", (const char *const[]){"code"}, 1);
    cJSON_AddStringToObject(c, "application_type", "native");
    cJSON_AddStringToObject(c, "token_endpoint_auth_method", registered_method(o));
    if (o->wanted) cJSON_AddStringToObject(c, "scope", o->wanted);
    char *body = cJSON_PrintUnformatted(c);
    o->step = STEP_REGISTER;
    o->registered_now = true;
    o->hooks.fetch(
        o->hooks.ud,
        &(oauth_request){.url = o->register_url, .body = body, .type = "application/json"});
    cJSON_free(body);
    cJSON_Delete(c);
}

void oauth_on_register(oauth *o, int http, const cJSON *answer) {
    const char *id = oauth_text(answer, "client_id"), *why = oauth_text(answer, "error");
    if (http < 200 || http >= 300 || !id) {
        oauth_fail(o, "%.120s registers no client (HTTP status %d%s%.100s): set oauth.clientId",
                   o->issuer, http, why ? ", " : "", why ? why : "");
        return;
    }
    const char *secret = oauth_text(answer, "client_secret");
    const char *method = oauth_text(answer, "token_endpoint_auth_method");
    take_client(o, id, secret, method);
    cJSON *kept = cJSON_CreateObject();
    cJSON_AddStringToObject(kept, "id", id);
    if (secret) cJSON_AddStringToObject(kept, "secret", secret);
    if (method) cJSON_AddStringToObject(kept, "method", method);
    cJSON_AddNumberToObject(kept, "port", o->port);
    tokens_set_client(o->store, o->issuer, kept);
    oauth_grant(o);
}

/* The client of an earlier time, unless its address is taken now; false: there is none. */
static bool known_client(oauth *o, const cJSON *c) {
    const cJSON *port = cJSON_GetObjectItemCaseSensitive(c, "port");
    const char *id = oauth_text(c, "id");
    if (!id || !cJSON_IsNumber(port) || o->port != port->valueint) return false;
    take_client(o, id, oauth_text(c, "secret"), oauth_text(c, "method"));
    return true;
}

void oauth_drop_client(oauth *o) {
    if (!o->registered_now && !o->config->client_id) tokens_set_client(o->store, o->issuer, NULL);
}

void oauth_get_client(oauth *o) {
    const mcp_oauth *c = o->config;
    bool login = c->grant == MCP_GRANT_CODE;
    cJSON *kept = tokens_client(o->store, o->issuer);
    const cJSON *port = cJSON_GetObjectItemCaseSensitive(kept, "port");
    bool known = cJSON_IsNumber(port) && port->valueint > 0 && port->valueint < 65536;
    take_client(o, NULL, NULL, NULL);
    if (login && !o->authorize_url) {
        oauth_fail(o, "%.150s has no authorization_endpoint", o->issuer);
    } else if (!login || open_redirect(o, known ? (uint16_t)port->valueint : 0)) {
        bool document =
            c->client_document && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(
                                      o->metadata, "client_id_metadata_document_supported"));
        if (c->client_id)
            take_client(o, c->client_id, c->client_secret, NULL);
        else if (login && document)
            take_client(o, c->client_document, NULL, "none");
        if (o->client_id || !login || known_client(o, kept))
            oauth_grant(o);
        else
            register_client(o);
    }
    cJSON_Delete(kept);
}

/* ---- proof ----------------------------------------------------------------------------------- */

static bool add_assertion(oauth *o, strbuf *body) {
    jose_key *key = NULL;
    err e;
    strbuf text, id;
    strbuf_init(&text, 1u << 16);
    strbuf_init(&id, 64);
    jose_random(&id, 18);
    cJSON *header = cJSON_CreateObject(), *claims = cJSON_CreateObject();
    double now = (double)time(NULL);
    cJSON_AddStringToObject(header, "typ", "JWT");
    cJSON_AddStringToObject(claims, "iss", o->client_id);
    cJSON_AddStringToObject(claims, "sub", o->client_id);
    cJSON_AddStringToObject(claims, "aud", o->issuer);
    cJSON_AddStringToObject(claims, "jti", id.ptr);
    cJSON_AddNumberToObject(claims, "iat", now);
    cJSON_AddNumberToObject(claims, "exp", now + ASSERTION_S);
    status s = jose_key_read(&key, str_of(o->config->key), &e);
    if (s == OK) s = jose_sign(key, header, claims, &text, &e);
    if (s == OK) {
        form_add(body, "client_id", o->client_id);
        form_add(body, "client_assertion_type",
                 "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        form_add(body, "client_assertion", text.ptr);
    }
    jose_key_free(key);
    cJSON_Delete(header);
    cJSON_Delete(claims);
    strbuf_deinit(&text);
    strbuf_deinit(&id);
    if (s != OK) oauth_fail(o, "%s", e.text);
    return s == OK;
}

static void add_basic(const oauth *o, strbuf *authorization) {
    strbuf pair;
    strbuf_init(&pair, 1u << 16);
    form_encode(&pair, str_of(o->client_id));
    strbuf_add_char(&pair, ':');
    form_encode(&pair, str_of(o->client_secret));
    strbuf_addf(authorization, "Basic ");
    jose_base64(authorization, strbuf_str(&pair));
    strbuf_deinit(&pair);
}

/* With a secret: as it was registered, else as the issuer can. */
static const char *secret_method(const oauth *o) {
    const char *name = "token_endpoint_auth_methods_supported";
    if (!o->client_secret) return "none";
    if (o->auth_method) return o->auth_method;
    bool only_post = oauth_lists(o->metadata, name, "client_secret_post") &&
                     !oauth_lists(o->metadata, name, "client_secret_basic");
    return only_post ? "client_secret_post" : "client_secret_basic";
}

bool oauth_add_client(oauth *o, strbuf *body, strbuf *authorization) {
    if (!o->client_id) return true; /* an assertion may say enough */
    if (o->config->key) return add_assertion(o, body);
    const char *method = secret_method(o);
    if (!o->auth_method) oauth_set(&o->auth_method, method);
    if (strcmp(method, "client_secret_basic") == 0) {
        add_basic(o, authorization);
        return true;
    }
    form_add(body, "client_id", o->client_id);
    if (strcmp(method, "client_secret_post") == 0)
        form_add(body, "client_secret", o->client_secret);
    return true;
}
