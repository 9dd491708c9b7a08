/* SPDX-License-Identifier: Apache-2.0 */
/* A server that wants a token: its requests wait, its clocks stand still, and a person may be asked
 * to log in.  Thread: loop. */
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "mcp/host_private.h"
#include "mcp/http.h"

static uint64_t on_authorize(void *ud, const char *method, const char *url, strbuf *authorization,
                             strbuf *dpop) {
    const server *s = ud;
    return oauth_headers(auth_machine(s->auth), method, url, authorization, dpop);
}

static void wait_for_token(server *s, bool on) {
    if (s->authorizing == on) return;
    s->authorizing = on;
    if (s->session) session_hold(s->session, on, clock_ms());
    host_wake_at(s->host, clock_ms());
}

static http_verdict on_challenged(void *ud, const http_challenge *c) {
    server *s = ud;
    err why;
    switch (oauth_refused(auth_machine(s->auth), c->status, c->challenge, c->token, &why)) {
    case OAUTH_AGAIN: return HTTP_AGAIN;
    case OAUTH_WAIT: wait_for_token(s, true); return HTTP_WAIT;
    case OAUTH_NO: break;
    }
    snprintf(s->auth_why, sizeof s->auth_why, "%s", why.text);
    return HTTP_REFUSED;
}

static void on_accepted(void *ud) {
    const server *s = ud;
    oauth_accepted(auth_machine(s->auth));
}

static void on_nonce(void *ud, const char *nonce) {
    const server *s = ud;
    oauth_nonce(auth_machine(s->auth), nonce);
}

static void on_login(void *ud, const char *url) {
    server *s = ud;
    if (s->host->hooks.ask)
        ask_login(s, url);
    else
        auth_stop(s->auth, "somebody has to log in");
}

static void on_done(void *ud, bool good, const char *why) {
    server *s = ud;
    asks_forget_login(s);
    wait_for_token(s, false);
    snprintf(s->auth_why, sizeof s->auth_why, "%s", why);
    if (s->http) http_authorized(s->http, good, why);
    host_server_settle(s);
    calls_run(s);
}

void host_auth_open(server *s, http_hooks *hooks) {
    for (size_t i = 0; i < s->def->headers.count; i++) /* somebody takes care of it by hand */
        if (str_eq_ignore_case(str_of(s->def->headers.at[i].name), STR("Authorization"))) return;
    s->auth_why[0] = 0;
    s->authorizing = false;
    s->auth =
        auth_open(s->host->loop, s->def, s->host->tokens, &(auth_hooks){s, on_login, on_done});
    hooks->authorize = on_authorize;
    hooks->challenged = on_challenged;
    hooks->accepted = on_accepted;
    hooks->nonce = on_nonce;
}
