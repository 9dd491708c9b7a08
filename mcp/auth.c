/* SPDX-License-Identifier: Apache-2.0 */
/* Glue: the machine's requests through libcurl, one at a time and never redirected; its login
 * through a loopback listener.  What the machine is told comes from a timer or from the end of a
 * transfer, so that it is never called from inside itself.
 * Owns all of it.  Invariant: `open` counts what is not closed yet. */
#include "mcp/auth.h"

#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "mcp/redirect.h"
#include "mcp/web.h"

struct auth {
    uv_loop_t *loop;
    oauth *machine;
    auth_hooks hooks;
    web *web;
    redirect *redirect; /* NULL: nobody logs in */
    uv_timer_t timer;   /* until a login is too late, or `done` is told */
    bool told, good;    /* told: `done` is to be told at the next turn */
    char why[384];
    bool closing;
    void (*closed)(void *ud);
    void *closed_ud;
    int open;

    CURL *easy; /* the request that is under way, or NULL */
    struct curl_slist *headers;
    strbuf body, response;
    char nonce[256], error[CURL_ERROR_SIZE];
};

static void one_closed(void *ud) {
    auth *a = ud;
    if (--a->open) return;
    if (a->closed) a->closed(a->closed_ud);
    oauth_free(a->machine);
    strbuf_deinit(&a->body);
    strbuf_deinit(&a->response);
    xfree(a);
}

static void on_timer_closed(uv_handle_t *h) {
    one_closed(h->data);
}

static void close_redirect(auth *a) {
    if (!a->redirect) return;
    redirect_close(a->redirect, one_closed, a);
    a->redirect = NULL;
}

/* ---- requests -------------------------------------------------------------------------------- */

static void end_request(auth *a) {
    if (!a->easy) return;
    web_remove(a->web, a->easy);
    curl_easy_cleanup(a->easy);
    curl_slist_free_all(a->headers);
    a->easy = NULL;
    a->headers = NULL;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ud) {
    auth *a = ud;
    strbuf_add(&a->response, bytes, size * n);
    return a->response.overflow ? 0 : size * n;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *ud) {
    auth *a = ud;
    str line = {bytes, size * n}, name;
    if (str_split(&line, ':', &name) && str_eq_ignore_case(name, STR("DPoP-Nonce"))) {
        str value = str_trim(line);
        if (value.len < sizeof a->nonce)
            snprintf(a->nonce, sizeof a->nonce, "%.*s", STR_ARG(value));
    }
    return size * n;
}

static void add_header(auth *a, const char *name, const char *value) {
    strbuf line;
    strbuf_init(&line, 1u << 18);
    strbuf_addf(&line, "%s: %s", name, value);
    if (!line.overflow && !strpbrk(line.ptr, "\r\n"))
        a->headers = curl_slist_append(a->headers, line.ptr);
    strbuf_deinit(&line);
}

static void on_fetch(void *ud, const oauth_request *r) {
    auth *a = ud;
    end_request(a);
    if (a->closing) return;
    a->easy = curl_easy_init();
    a->nonce[0] = a->error[0] = 0;
    strbuf_clear(&a->body);
    strbuf_clear(&a->response);
    add_header(a, "Accept", "application/json");
    if (r->authorization) add_header(a, "Authorization", r->authorization);
    if (r->dpop) add_header(a, "DPoP", r->dpop);
    if (r->body) {
        add_header(a, "Content-Type", r->type);
        strbuf_addf(&a->body, "%s", r->body);
        curl_easy_setopt(a->easy, CURLOPT_POSTFIELDS, a->body.ptr);
        curl_easy_setopt(a->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)a->body.len);
    }
    curl_easy_setopt(a->easy, CURLOPT_URL, r->url);
    curl_easy_setopt(a->easy, CURLOPT_HTTPHEADER, a->headers);
    curl_easy_setopt(a->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(a->easy, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(a->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(a->easy, CURLOPT_HEADERDATA, a);
    curl_easy_setopt(a->easy, CURLOPT_ERRORBUFFER, a->error);
    curl_easy_setopt(a->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(a->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(a->easy, CURLOPT_TIMEOUT_MS, (long)LIMIT_MCP_AUTH_MS);
    curl_easy_setopt(a->easy, CURLOPT_USERAGENT, "inlined/" INLINED_VERSION);
    web_add(a->web, a->easy);
}

static void on_ended(void *ud, CURL *easy, CURLcode rc) {
    auth *a = ud;
    long code = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
    end_request(a);
    strbuf response = a->response; /* the machine may ask again at once */
    char nonce[sizeof a->nonce];
    memcpy(nonce, a->nonce, sizeof nonce);
    strbuf_init(&a->response, LIMIT_MCP_AUTH_BYTES);
    if (rc == CURLE_OK)
        oauth_fetched(a->machine, (int)code, strbuf_str(&response), nonce);
    else
        oauth_fetched(a->machine, 0, str_of(*a->error ? a->error : curl_easy_strerror(rc)), "");
    strbuf_deinit(&response);
}

/* ---- logins ---------------------------------------------------------------------------------- */

static bool on_came(void *ud, str query) {
    auth *a = ud;
    return oauth_redirected(a->machine, query);
}

static uint16_t on_listen(void *ud, uint16_t wanted) {
    auth *a = ud;
    close_redirect(a);
    a->redirect = redirect_open(a->loop, wanted, on_came, a);
    if (!a->redirect) return 0;
    a->open++;
    return redirect_port(a->redirect);
}

static void on_timer(uv_timer_t *t) {
    auth *a = t->data;
    if (!a->told) {
        auth_stop(a, "nobody logged in");
        return;
    }
    a->told = false;
    a->hooks.done(a->hooks.ud, a->good, a->why);
}

static void on_login(void *ud, const char *url) {
    auth *a = ud;
    uv_timer_start(&a->timer, on_timer, LIMIT_MCP_LOGIN_MS, 0);
    a->hooks.login(a->hooks.ud, url);
}

static void on_done(void *ud, bool good, const char *why) {
    auth *a = ud;
    close_redirect(a);
    if (a->closing) return;
    a->told = true;
    a->good = good;
    snprintf(a->why, sizeof a->why, "%s", why);
    log_info("mcp", "authorization outcome=%s%s%s", good ? "ok" : "failed why=\"", why,
             good ? "" : "\"");
    uv_timer_start(&a->timer, on_timer, 0, 0);
}

/* ---- life ------------------------------------------------------------------------------------ */

auth *auth_open(uv_loop_t *loop, const mcp_definition *d, tokens *store, const auth_hooks *hooks) {
    auth *a = xcalloc(1, sizeof *a);
    *a = (auth){.loop = loop, .hooks = *hooks, .open = 2};
    a->machine = oauth_new(d, store, &(oauth_hooks){a, on_fetch, on_listen, on_login, on_done});
    a->web = web_open(loop, on_ended, a);
    strbuf_init(&a->body, LIMIT_MCP_AUTH_BYTES);
    strbuf_init(&a->response, LIMIT_MCP_AUTH_BYTES);
    uv_timer_init(loop, &a->timer);
    a->timer.data = a;
    return a;
}

oauth *auth_machine(auth *a) {
    return a->machine;
}

void auth_stop(auth *a, const char *why) {
    end_request(a);
    oauth_stop(a->machine, why);
}

void auth_close(auth *a, void (*closed)(void *ud), void *ud) {
    a->closing = true;
    a->closed = closed;
    a->closed_ud = ud;
    end_request(a);
    close_redirect(a);
    uv_close((uv_handle_t *)&a->timer, on_timer_closed);
    web_close(a->web, one_closed, a);
}
