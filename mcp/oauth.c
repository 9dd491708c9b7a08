/* SPDX-License-Identifier: Apache-2.0 */
/* The authorization machine's life: what starts it, what it hears, what it adds to requests.
 *
 * A scope that was asked for is not asked for again because a server still says that it is missing,
 * and a server that takes none of LIMIT_MCP_LOGINS tokens in a row is believed.  Pure. */
#include <stdarg.h>
#include <time.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "mcp/oauth_private.h"
#include "mcp/rpc.h"
#include "mcp/url.h"

/* ---- small things ---------------------------------------------------------------------------- */

void oauth_set(char **to, const char *text) {
    char *copy = text ? xstrdup(text) : NULL;
    xfree(*to);
    *to = copy;
}

const char *oauth_text(const cJSON *object, const char *name) {
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(m) && *m->valuestring ? m->valuestring : NULL;
}

bool oauth_lists(const cJSON *object, const char *name, const char *word) {
    const cJSON *m;
    cJSON_ArrayForEach(m, cJSON_GetObjectItemCaseSensitive(
                              object, name)) if (cJSON_IsString(m) &&
                                                 strcmp(m->valuestring, word) == 0) return true;
    return false;
}

static bool has_word(str words, str word) {
    str piece;
    while (str_split(&words, ' ', &piece))
        if (str_eq(piece, word)) return true;
    return false;
}

/* Every word of `more` is among `words`. */
static bool has_all(const char *words, const char *more) {
    str rest = str_of(more), piece;
    while (str_split(&rest, ' ', &piece))
        if (piece.len && !has_word(str_of(words), piece)) return false;
    return true;
}

static char *joined(const char *a, const char *b) {
    strbuf out;
    strbuf_init(&out, 1u << 16);
    strbuf_addf(&out, "%s", a);
    str rest = str_of(b), piece;
    while (str_split(&rest, ' ', &piece)) {
        if (!piece.len || has_word(strbuf_str(&out), piece)) continue;
        if (out.len) strbuf_add_char(&out, ' ');
        strbuf_add_str(&out, piece);
    }
    return out.len ? strbuf_take(&out) : NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* What was granted earlier; false: nothing, or it cannot be used. */
static bool take_up(oauth *o) {
    char *issuer = NULL;
    cJSON *g = tokens_grant(o->store, o->d->url, &issuer);
    const char *access = oauth_text(g, "access"), *token_url = oauth_text(g, "token_url");
    const char *key = oauth_text(g, "key"), *id = oauth_text(g, "client_id");
    bool good = access && issuer && (!o->config->issuer || !strcmp(o->config->issuer, issuer));
    jose_key *kept = NULL;
    if (good && key) good = jose_key_read(&kept, str_of(key), NULL) == OK;
    if (good) {
        jose_key_free(o->key);
        o->key = kept;
        oauth_set(&o->access, access);
        oauth_set(&o->issuer, issuer);
        oauth_set(&o->refresh, token_url ? oauth_text(g, "refresh") : NULL);
        oauth_set(&o->granted, oauth_text(g, "scope"));
        oauth_set(&o->token_url, token_url);
        oauth_set(&o->resource, oauth_text(g, "resource"));
        oauth_set(&o->client_id, id);
        bool configured = id && o->config->client_id && !strcmp(id, o->config->client_id);
        oauth_set(&o->client_secret,
                  configured ? o->config->client_secret : oauth_text(g, "client_secret"));
        oauth_set(&o->auth_method, oauth_text(g, "auth_method"));
        o->bound = o->key && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(g, "bound"));
    }
    cJSON_Delete(g);
    xfree(issuer);
    return good;
}

oauth *oauth_new(const mcp_definition *d, tokens *store, const oauth_hooks *hooks) {
    oauth *o = xcalloc(1, sizeof *o);
    *o = (oauth){.d = d, .config = &d->oauth, .store = store, .hooks = *hooks};
    o->loopback = url_is_loopback(d->url);
    o->number = take_up(o) ? 1 : 0;
    return o;
}

void oauth_moved(oauth *o, const mcp_definition *d) {
    o->d = d;
    o->config = &d->oauth;
}

/* What one attempt has found out. */
static void forget_attempt(oauth *o) {
    oauth_candidates_clear(o);
    cJSON_Delete(o->resource_document);
    cJSON_Delete(o->metadata);
    o->resource_document = o->metadata = NULL;
    char **texts[] = {&o->authorize_url, &o->register_url, &o->verifier, &o->state,
                      &o->redirect,      &o->assertion,    &o->form};
    for (size_t i = 0; i < COUNTOF(texts); i++)
        oauth_set(texts[i], NULL);
    o->registered_now = o->nonce_tried = o->refreshing = false;
    o->step = STEP_IDLE;
}

void oauth_free(oauth *o) {
    if (!o) return;
    forget_attempt(o);
    char **texts[] = {&o->resource, &o->issuer, &o->token_url, &o->client_id, &o->client_secret,
                      &o->wanted,   &o->access, &o->refresh,   &o->granted,   &o->auth_method};
    for (size_t i = 0; i < COUNTOF(texts); i++)
        oauth_set(texts[i], NULL);
    jose_key_free(o->key);
    xfree(o);
}

void oauth_fail(oauth *o, const char *fmt, ...) {
    err e;
    char text[sizeof e.text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    err_set(&e, ERR_IO, "%s", *text ? text : "there is no answer"); /* cleaned */
    forget_attempt(o);
    o->hooks.done(o->hooks.ud, false, e.text);
}

void oauth_stop(oauth *o, const char *why) {
    if (o->step != STEP_IDLE) oauth_fail(o, "%s", why);
}

static void add_text(cJSON *object, const char *name, const char *text) {
    if (text) cJSON_AddStringToObject(object, name, text);
}

void oauth_finish(oauth *o) {
    cJSON *g = cJSON_CreateObject();
    bool configured =
        o->config->client_id && o->client_id && strcmp(o->client_id, o->config->client_id) == 0;
    char *key = o->bound ? jose_key_pem(o->key) : NULL;
    add_text(g, "access", o->access);
    add_text(g, "refresh", o->refresh);
    add_text(g, "scope", o->granted);
    add_text(g, "token_url", o->token_url);
    add_text(g, "resource", o->resource);
    add_text(g, "client_id", o->client_id);
    add_text(g, "client_secret", configured ? NULL : o->client_secret);
    add_text(g, "auth_method", o->auth_method);
    add_text(g, "key", key);
    if (o->bound) cJSON_AddTrueToObject(g, "bound");
    xfree(key);
    tokens_set_grant(o->store, o->issuer, o->d->url, g);
    o->number++;
    forget_attempt(o);
    o->hooks.done(o->hooks.ud, true, "");
}

/* ---- headers --------------------------------------------------------------------------------- */

static const char *text_in(strbuf *b) {
    return b->ptr ? b->ptr : "";
}

void oauth_proof(oauth *o, strbuf *out, const char *method, const char *url, const char *access,
                 const char *nonce) {
    cJSON *header = cJSON_CreateObject(), *claims = cJSON_CreateObject();
    char *bare = url_bare(url);
    strbuf text;
    strbuf_init(&text, 256);
    cJSON_AddStringToObject(header, "typ", "dpop+jwt");
    cJSON_AddItemToObject(header, "jwk", jose_key_public(o->key));
    jose_random(&text, 18);
    cJSON_AddStringToObject(claims, "jti", text_in(&text));
    cJSON_AddStringToObject(claims, "htm", method);
    cJSON_AddStringToObject(claims, "htu", bare ? bare : "");
    cJSON_AddNumberToObject(claims, "iat", (double)time(NULL));
    if (access) {
        strbuf_clear(&text);
        jose_hash(&text, str_of(access));
        cJSON_AddStringToObject(claims, "ath", text_in(&text));
    }
    if (*nonce) cJSON_AddStringToObject(claims, "nonce", nonce);
    status s = jose_sign(o->key, header, claims, out, NULL);
    ASSERT(s == OK); /* a key of our own making */
    xfree(bare);
    strbuf_deinit(&text);
    cJSON_Delete(header);
    cJSON_Delete(claims);
}

uint64_t oauth_headers(oauth *o, const char *method, const char *url, strbuf *authorization,
                       strbuf *dpop) {
    if (!o->access) return o->number;
    strbuf_addf(authorization, "%s %s", o->bound ? "DPoP" : "Bearer", o->access);
    if (o->bound) oauth_proof(o, dpop, method, url, o->access, o->server_nonce);
    return o->number;
}

void oauth_accepted(oauth *o) {
    o->attempts = 0;
}

void oauth_nonce(oauth *o, const char *nonce) {
    snprintf(o->server_nonce, sizeof o->server_nonce, "%s", nonce);
}

/* ---- refusals -------------------------------------------------------------------------------- */

/* Another process may have logged in meanwhile. */
static bool newer_in_store(oauth *o) {
    char *before = o->access ? xstrdup(o->access) : NULL;
    bool newer = take_up(o) && (!before || strcmp(before, o->access) != 0);
    if (newer) o->number++;
    xfree(before);
    return newer;
}

static oauth_verdict begin(oauth *o, bool fresh, err *why) {
    if (o->attempts >= LIMIT_MCP_LOGINS) {
        err_set(why, ERR_IO, "the server takes none of the tokens that were got for it");
        return OAUTH_NO;
    }
    o->attempts++;
    if (!fresh && o->refresh && o->attempts == 1)
        oauth_refresh(o);
    else
        oauth_discover(o);
    return OAUTH_WAIT;
}

/* A token is good, but not for this. */
static oauth_verdict step_up(oauth *o, const challenge *c, err *why) {
    const char *had = o->granted ? o->granted : "";
    if (!*c->scope || o->config->scope || has_all(had, c->scope)) {
        err_set(why, ERR_IO, "the token is not enough for this%s%.200s",
                *c->scope ? ", though it was asked for with scope " : "", c->scope);
        return OAUTH_NO;
    }
    xfree(o->wanted);
    o->wanted = joined(had, c->scope);
    return begin(o, true, why);
}

oauth_verdict oauth_refused(oauth *o, int http, const char *header, uint64_t token, err *why) {
    challenge c;
    challenge_read(&c, str_of(header));
    if (o->config->off || (http == 403 && strcmp(c.error, "insufficient_scope") != 0)) {
        err_set(why, ERR_IO, "it refuses us (HTTP status %d)", http);
        return OAUTH_NO;
    }
    if (o->step != STEP_IDLE) return OAUTH_WAIT;
    if (token != o->number || (o->bound && strcmp(c.error, "use_dpop_nonce") == 0))
        return OAUTH_AGAIN;
    if (newer_in_store(o)) return OAUTH_AGAIN;
    o->challenge = c;
    if (http == 403) return step_up(o, &c, why);
    oauth_set(&o->wanted, *c.scope ? c.scope : NULL);
    return begin(o, false, why);
}

/* ---- answers --------------------------------------------------------------------------------- */

static cJSON *parse(str body) {
    char *copy = xstrndup(body.ptr ? body.ptr : "", body.len);
    cJSON *json = NULL;
    if (rpc_parse(copy, body.len, &json, NULL) != OK) json = NULL;
    xfree(copy);
    if (cJSON_IsObject(json)) return json;
    cJSON_Delete(json);
    return NULL;
}

void oauth_fetched(oauth *o, int http, str body, const char *nonce) {
    if (http == 0 && o->step != STEP_RESOURCE && o->step != STEP_ISSUER && o->step != STEP_IDLE) {
        oauth_fail(o, "%.*s", (int)MIN(body.len, 300), body.ptr ? body.ptr : "");
        return;
    }
    cJSON *answer = http ? parse(body) : NULL;
    bool good = http >= 200 && http < 300;
    switch (o->step) {
    case STEP_RESOURCE: oauth_on_resource(o, good ? answer : NULL); break;
    case STEP_ISSUER: oauth_on_issuer(o, good ? answer : NULL); break;
    case STEP_REGISTER: oauth_on_register(o, http, answer); break;
    case STEP_EXCHANGE: oauth_on_exchange(o, http, answer); break;
    case STEP_TOKEN: oauth_on_token(o, http, answer, nonce); break;
    case STEP_IDLE:
    case STEP_LOGIN: break; /* an answer to a question that was given up */
    }
    cJSON_Delete(answer);
}
