/* SPDX-License-Identifier: Apache-2.0 */
/* From a refusal to the endpoints of the authorization server: documents at known places, one after
 * the other.  A document that speaks of somebody else ends the attempt: the next place is not asked
 * whether it lies better.  Pure. */
#include "engine/base/mem.h"
#include "mcp/oauth_private.h"
#include "mcp/url.h"

void oauth_candidates_clear(oauth *o) {
    for (size_t i = 0; i < o->n_candidates; i++)
        xfree(o->candidates[i]);
    o->n_candidates = o->at = 0;
}

/* Takes `url`; NULL, and what is there already, is left out. */
static void add_candidate(oauth *o, char *url) {
    bool known = !url || !url_is_safe(url, o->loopback) || o->n_candidates == CANDIDATES_MAX;
    for (size_t i = 0; i < o->n_candidates && !known; i++)
        known = strcmp(o->candidates[i], url) == 0;
    if (known)
        xfree(url);
    else
        o->candidates[o->n_candidates++] = url;
}

/* False: there is no further place. */
static bool ask_next(oauth *o) {
    if (o->at == o->n_candidates) return false;
    o->hooks.fetch(o->hooks.ud, &(oauth_request){.url = o->candidates[o->at++]});
    return true;
}

/* ---- the issuer ------------------------------------------------------------------------------ */

static void look_for_issuer(oauth *o) {
    oauth_candidates_clear(o);
    o->step = STEP_ISSUER;
    static const struct {
        const char *name;
        well_known_place place;
    } places[] = {{"oauth-authorization-server", WELL_KNOWN_INSERTED},
                  {"openid-configuration", WELL_KNOWN_INSERTED},
                  {"openid-configuration", WELL_KNOWN_APPENDED}};
    for (size_t i = 0; i < COUNTOF(places); i++)
        add_candidate(o, url_well_known(o->issuer, places[i].name, places[i].place));
    if (!o->n_candidates) { /* an issuer without a path */
        add_candidate(o, url_well_known(o->issuer, "oauth-authorization-server", WELL_KNOWN_ROOT));
        add_candidate(o, url_well_known(o->issuer, "openid-configuration", WELL_KNOWN_ROOT));
    }
    if (!ask_next(o))
        oauth_fail(o, "its authorization server \"%.200s\" is not an https address", o->issuer);
}

/* An endpoint of the issuer; false: there is one that nothing may be sent to. */
static bool take_endpoint(oauth *o, const cJSON *document, const char *name, char **to) {
    const char *url = oauth_text(document, name);
    bool safe = !url || url_is_safe(url, o->loopback);
    oauth_set(to, url && safe ? url : NULL);
    if (!safe) oauth_fail(o, "the %s of %.150s is not an https address", name, o->issuer);
    return safe;
}

/* Where endpoints are when nobody says where (2025-03-26). */
static void take_usual_endpoints(oauth *o) {
    static const char *const paths[] = {"/authorize", "/token", "/register"};
    char **to[] = {&o->authorize_url, &o->token_url, &o->register_url};
    for (size_t i = 0; i < COUNTOF(paths); i++) {
        strbuf url;
        strbuf_init(&url, 1u << 16);
        strbuf_addf(&url, "%s%s", o->issuer, paths[i]);
        oauth_set(to[i], url.ptr);
        strbuf_deinit(&url);
    }
    oauth_get_client(o);
}

void oauth_on_issuer(oauth *o, const cJSON *document) {
    if (!document) {
        if (ask_next(o)) return;
        if (o->resource_document)
            oauth_fail(o, "%.150s does not say where its endpoints are", o->issuer);
        else
            take_usual_endpoints(o);
        return;
    }
    const char *issuer = oauth_text(document, "issuer");
    if (!issuer || strcmp(issuer, o->issuer) != 0) {
        oauth_fail(o, "the document of authorization server %.120s speaks of \"%.120s\"", o->issuer,
                   issuer ? issuer : "");
        return;
    }
    o->metadata = cJSON_Duplicate(document, true);
    if (!take_endpoint(o, document, "authorization_endpoint", &o->authorize_url) ||
        !take_endpoint(o, document, "token_endpoint", &o->token_url) ||
        !take_endpoint(o, document, "registration_endpoint", &o->register_url))
        return;
    if (!o->token_url)
        oauth_fail(o, "%.150s has no token_endpoint", o->issuer);
    else
        oauth_get_client(o);
}

/* ---- the resource ---------------------------------------------------------------------------- */

/* The issuer that is configured or known, if the resource lists it; else its first. */
static const char *choose_issuer(const oauth *o, const cJSON *document) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(document, "authorization_servers");
    const char *wanted = o->config->issuer ? o->config->issuer : o->issuer;
    if (wanted && oauth_lists(document, "authorization_servers", wanted)) return wanted;
    const cJSON *first = cJSON_IsArray(list) ? list->child : NULL;
    return cJSON_IsString(first) && *first->valuestring ? first->valuestring : NULL;
}

static void want_supported_scopes(oauth *o, const cJSON *document) {
    const cJSON *s;
    strbuf all;
    strbuf_init(&all, 4096);
    cJSON_ArrayForEach(s, cJSON_GetObjectItemCaseSensitive(document, "scopes_supported")) {
        if (!cJSON_IsString(s) || !*s->valuestring) continue;
        strbuf_addf(&all, "%s%s", all.len ? " " : "", s->valuestring);
    }
    if (all.len && !all.overflow) oauth_set(&o->wanted, all.ptr);
    strbuf_deinit(&all);
}

static void without_document(oauth *o) {
    char *origin = url_origin(o->d->url);
    xfree(o->issuer);
    o->issuer = origin;
    oauth_set(&o->resource, o->d->url);
    if (o->config->issuer && (!origin || strcmp(o->config->issuer, origin) != 0))
        oauth_fail(o, "it does not name the configured authorization server %.150s",
                   o->config->issuer);
    else if (origin)
        look_for_issuer(o);
    else
        oauth_fail(o, "its url cannot be read");
}

void oauth_on_resource(oauth *o, const cJSON *document) {
    if (!document) {
        if (!ask_next(o)) without_document(o);
        return;
    }
    const char *resource = oauth_text(document, "resource");
    const char *issuer = choose_issuer(o, document);
    if (!resource || !url_covers(resource, o->d->url)) {
        oauth_fail(o, "its document of protection is for another resource: \"%.200s\"",
                   resource ? resource : "");
        return;
    }
    if (!issuer || (o->config->issuer && strcmp(issuer, o->config->issuer) != 0)) {
        oauth_fail(o,
                   issuer ? "it does not name the configured authorization server %.150s"
                          : "it names no authorization server%.0s",
                   issuer ? o->config->issuer : "");
        return;
    }
    char *chosen = xstrdup(issuer);
    xfree(o->issuer);
    o->issuer = chosen;
    o->resource_document = cJSON_Duplicate(document, true);
    oauth_set(&o->resource, resource);
    if (!o->wanted) want_supported_scopes(o, document);
    look_for_issuer(o);
}

void oauth_discover(oauth *o) {
    o->step = STEP_RESOURCE;
    const char *told = o->challenge.resource_metadata;
    add_candidate(o, *told ? xstrdup(told) : NULL);
    static const well_known_place places[] = {WELL_KNOWN_INSERTED, WELL_KNOWN_ROOT};
    for (size_t i = 0; i < COUNTOF(places); i++)
        add_candidate(o, url_well_known(o->d->url, "oauth-protected-resource", places[i]));
    if (!ask_next(o)) oauth_fail(o, "it wants a token, which is not sent without https");
}
