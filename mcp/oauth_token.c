/* SPDX-License-Identifier: Apache-2.0 */
/* The grants: what is shown for a token, and what comes back.  Pure but for a statement in a file
 * (mcp_oauth.assertion_file), which is read when it is needed. */
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "mcp/oauth_private.h"
#include "mcp/url.h"

#define TOKEN_TYPE "urn:ietf:params:oauth:token-type:"

/* ---- the request for a token ----------------------------------------------------------------- */

static const char *scope_of(const oauth *o) {
    return o->config->scope ? o->config->scope : o->wanted;
}

/* Sends `form` with what proves who we are. */
static void send_form(oauth *o) {
    strbuf body, authorization, dpop;
    strbuf_init(&body, 1u << 18);
    strbuf_init(&authorization, 1u << 16);
    strbuf_init(&dpop, 1u << 16);
    strbuf_addf(&body, "%s", o->form);
    if (oauth_add_client(o, &body, &authorization)) {
        if (o->prove) oauth_proof(o, &dpop, "POST", o->token_url, NULL, o->issuer_nonce);
        o->step = STEP_TOKEN;
        o->hooks.fetch(o->hooks.ud, &(oauth_request){.url = o->token_url,
                                                     .body = body.ptr,
                                                     .type = "application/x-www-form-urlencoded",
                                                     .authorization = authorization.ptr,
                                                     .dpop = dpop.ptr});
    }
    strbuf_deinit(&body);
    strbuf_deinit(&authorization);
    strbuf_deinit(&dpop);
}

/* Both sides want a token that is bound to a key. */
static bool wants_proof(const oauth *o) {
    bool server =
        o->challenge.dpop || cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(
                                 o->resource_document, "dpop_bound_access_tokens_required"));
    return server && oauth_lists(o->metadata, "dpop_signing_alg_values_supported", "ES256");
}

/* `with_scope`: the grant has not said it before. */
static void ask_token(oauth *o, strbuf *form, bool with_scope) {
    const char *scope = scope_of(o);
    if (with_scope && scope) form_add(form, "scope", scope);
    if (o->resource) form_add(form, "resource", o->resource);
    oauth_set(&o->form, form->ptr);
    o->prove = o->refreshing ? o->bound : wants_proof(o);
    if (o->prove && !o->key) o->key = jose_key_new();
    o->nonce_tried = false;
    if (form->overflow)
        oauth_fail(o, "the request for a token is too long");
    else
        send_form(o);
}

static void ask_with_assertion(oauth *o) {
    strbuf form;
    strbuf_init(&form, 1u << 17);
    form_add(&form, "grant_type", JWT_BEARER);
    form_add(&form, "assertion", o->assertion);
    ask_token(o, &form, true);
    strbuf_deinit(&form);
}

void oauth_refresh(oauth *o) {
    strbuf form;
    strbuf_init(&form, 1u << 17);
    o->refreshing = true;
    form_add(&form, "grant_type", "refresh_token");
    form_add(&form, "refresh_token", o->refresh);
    ask_token(o, &form, false);
    strbuf_deinit(&form);
}

/* ---- a person logs in ------------------------------------------------------------------------ */

/* A refresh token saves later logins; it is asked for only where it is offered. */
static void want_offline(oauth *o) {
    if (o->config->scope || !oauth_lists(o->metadata, "scopes_supported", "offline_access")) return;
    strbuf scope;
    strbuf_init(&scope, 1u << 16);
    if (o->wanted) strbuf_addf(&scope, "%s ", o->wanted);
    strbuf_addf(&scope, "offline_access");
    if (!o->wanted || !strstr(o->wanted, "offline_access")) oauth_set(&o->wanted, scope.ptr);
    strbuf_deinit(&scope);
}

static void fresh_text(char **to, size_t bytes) {
    strbuf text;
    strbuf_init(&text, 256);
    jose_random(&text, bytes);
    oauth_set(to, text.ptr);
    strbuf_deinit(&text);
}

static void login(oauth *o) {
    if (o->metadata && !oauth_lists(o->metadata, "code_challenge_methods_supported", "S256")) {
        oauth_fail(o, "%.150s does not protect its codes (PKCE with S256)", o->issuer);
        return;
    }
    strbuf url, form, hash;
    strbuf_init(&url, 1u << 16);
    strbuf_init(&form, 1u << 16);
    strbuf_init(&hash, 64);
    want_offline(o);
    fresh_text(&o->verifier, 48);
    fresh_text(&o->state, 24);
    jose_hash(&hash, str_of(o->verifier));
    form_add(&form, "response_type", "code");
    form_add(&form, "client_id", o->client_id);
    form_add(&form, "redirect_uri", o->redirect);
    form_add(&form, "state", o->state);
    form_add(&form, "code_challenge", hash.ptr);
    form_add(&form, "code_challenge_method", "S256");
    if (o->resource) form_add(&form, "resource", o->resource);
    if (scope_of(o)) form_add(&form, "scope", scope_of(o));
    strbuf_addf(&url, "%s%c%s", o->authorize_url, strchr(o->authorize_url, '?') ? '&' : '?',
                form.ptr);
    o->step = STEP_LOGIN;
    if (url.overflow || form.overflow)
        oauth_fail(o, "the address of the login is too long");
    else
        o->hooks.login(o->hooks.ud, url.ptr);
    strbuf_deinit(&url);
    strbuf_deinit(&form);
    strbuf_deinit(&hash);
}

/* The parameter as a text of its own; NULL: it is not there. */
static char *parameter(str query, const char *name) {
    strbuf value;
    strbuf_init(&value, 8192);
    char *text = NULL;
    if (form_get(query, name, &value)) text = value.len ? strbuf_take(&value) : xstrdup("");
    strbuf_deinit(&value);
    return text;
}

/* The answer comes from the issuer that was asked (RFC 9207), compared to the letter. */
static bool is_from_issuer(oauth *o, const char *said) {
    bool promised = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(
        o->metadata, "authorization_response_iss_parameter_supported"));
    if (said ? strcmp(said, o->issuer) == 0 : !promised) return true;
    oauth_fail(o, "the login came back from \"%.150s\" instead of %.150s", said ? said : "",
               o->issuer);
    return false;
}

static void take_code(oauth *o, const char *code) {
    strbuf form;
    strbuf_init(&form, 1u << 17);
    form_add(&form, "grant_type", "authorization_code");
    form_add(&form, "code", code);
    form_add(&form, "redirect_uri", o->redirect);
    form_add(&form, "code_verifier", o->verifier);
    ask_token(o, &form, false);
    strbuf_deinit(&form);
}

bool oauth_redirected(oauth *o, str query) {
    char *state = parameter(query, "state");
    bool ours = o->step == STEP_LOGIN && state && strcmp(state, o->state) == 0;
    xfree(state);
    if (!ours) return false;
    char *issuer = parameter(query, "iss"), *code = parameter(query, "code");
    char *error = parameter(query, "error"), *text = parameter(query, "error_description");
    if (is_from_issuer(o, issuer)) {
        if (error)
            oauth_fail(o, "the login failed: %.80s%s%.200s", error, text ? ": " : "",
                       text ? text : "");
        else if (!code || !*code)
            oauth_fail(o, "the login came back without a code");
        else
            take_code(o, code);
    }
    xfree(issuer);
    xfree(code);
    xfree(error);
    xfree(text);
    return true;
}

/* ---- other grants ---------------------------------------------------------------------------- */

static void ask_for_ourselves(oauth *o) {
    strbuf form;
    strbuf_init(&form, 1u << 17);
    form_add(&form, "grant_type", "client_credentials");
    ask_token(o, &form, true);
    strbuf_deinit(&form);
}

static void show_assertion(oauth *o) {
    const mcp_oauth *c = o->config;
    strbuf text;
    strbuf_init(&text, TOKEN_BYTES_MAX);
    err e;
    status s = OK;
    if (c->assertion_file) s = file_read(c->assertion_file, TOKEN_BYTES_MAX, &text, &e);
    if (s != OK) {
        oauth_fail(o, "%s", e.text);
    } else {
        str trimmed = c->assertion_file ? str_trim(strbuf_str(&text)) : str_of(c->assertion);
        xfree(o->assertion);
        o->assertion = xstrndup(trimmed.ptr ? trimmed.ptr : "", trimmed.len);
        if (trimmed.len)
            ask_with_assertion(o);
        else
            oauth_fail(o, "there is no assertion to show");
    }
    strbuf_deinit(&text);
}

static void exchange(oauth *o) {
    const mcp_oauth *c = o->config;
    if (!c->idp_token_url || !c->idp_token || !url_is_safe(c->idp_token_url, o->loopback)) {
        oauth_fail(o, "oauth.idp needs a tokenUrl with https, and an idToken");
        return;
    }
    strbuf form;
    strbuf_init(&form, 1u << 17);
    form_add(&form, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
    form_add(&form, "subject_token", c->idp_token);
    form_add(&form, "subject_token_type", TOKEN_TYPE "id_token");
    form_add(&form, "requested_token_type", TOKEN_TYPE "id-jag");
    form_add(&form, "audience", o->issuer);
    if (o->resource) form_add(&form, "resource", o->resource);
    if (scope_of(o)) form_add(&form, "scope", scope_of(o));
    if (c->idp_client_id) form_add(&form, "client_id", c->idp_client_id);
    o->step = STEP_EXCHANGE;
    o->hooks.fetch(o->hooks.ud, &(oauth_request){.url = c->idp_token_url,
                                                 .body = form.ptr,
                                                 .type = "application/x-www-form-urlencoded"});
    strbuf_deinit(&form);
}

void oauth_grant(oauth *o) {
    switch (o->config->grant) {
    case MCP_GRANT_CODE: login(o); break;
    case MCP_GRANT_CLIENT: ask_for_ourselves(o); break;
    case MCP_GRANT_ASSERTION: show_assertion(o); break;
    case MCP_GRANT_EXCHANGE: exchange(o); break;
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static void refused(oauth *o, const char *who, int http, const cJSON *answer) {
    const char *error = oauth_text(answer, "error");
    const char *text = oauth_text(answer, "error_description");
    if (error && strcmp(error, "invalid_client") == 0) oauth_drop_client(o);
    oauth_fail(o, "%.120s gives no token (HTTP status %d%s%.60s%s%.120s)", who, http,
               error ? ", " : "", error ? error : "", text ? ": " : "", text ? text : "");
}

void oauth_on_exchange(oauth *o, int http, const cJSON *answer) {
    const char *statement = oauth_text(answer, "access_token");
    const char *type = oauth_text(answer, "issued_token_type");
    if (http < 200 || http >= 300 || !statement || !type ||
        strcmp(type, TOKEN_TYPE "id-jag") != 0) {
        refused(o, o->config->idp_token_url, http, answer);
        return;
    }
    oauth_set(&o->assertion, statement);
    ask_with_assertion(o);
}

/* Something that can stand in a header. */
static bool is_token(const char *text) {
    size_t n = 0;
    for (; text && text[n]; n++)
        if (text[n] <= 0x20 || text[n] >= 0x7f) return false;
    return n > 0 && n < TOKEN_BYTES_MAX;
}

void oauth_on_token(oauth *o, int http, const cJSON *answer, const char *nonce) {
    const char *access = oauth_text(answer, "access_token"),
               *type = oauth_text(answer, "token_type");
    const char *error = oauth_text(answer, "error"), *refresh = oauth_text(answer, "refresh_token");
    bool asks_nonce = o->prove && error && strcmp(error, "use_dpop_nonce") == 0 && *nonce;
    if (*nonce) snprintf(o->issuer_nonce, sizeof o->issuer_nonce, "%s", nonce);
    if (asks_nonce && !o->nonce_tried) {
        o->nonce_tried = true;
        send_form(o);
        return;
    }
    bool good = http >= 200 && http < 300 && is_token(access);
    if (!good && o->refreshing) { /* it has ended: from the beginning */
        o->refreshing = false;
        oauth_set(&o->refresh, NULL);
        oauth_discover(o);
        return;
    }
    if (!good) {
        refused(o, o->issuer, http, answer);
        return;
    }
    bool dpop = type && str_eq_ignore_case(str_of(type), STR("DPoP"));
    if (dpop && !o->prove) {
        oauth_fail(o, "%.150s gave a bound token that was not asked for", o->issuer);
        return;
    }
    o->bound = dpop;
    oauth_set(&o->access, access);
    if (refresh || !o->refreshing) oauth_set(&o->refresh, is_token(refresh) ? refresh : NULL);
    if (!o->refreshing) oauth_set(&o->granted, scope_of(o));
    oauth_finish(o);
}
