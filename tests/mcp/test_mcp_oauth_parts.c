/* SPDX-License-Identifier: Apache-2.0 */
/* mcp/challenge, mcp/url, mcp/jose, and what mcp/oauth sends in a whole login. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "mcp/challenge.h"
#include "mcp/jose.h"
#include "mcp/oauth.h"
#include "mcp/rpc.h"
#include "mcp/url.h"

static void test_challenges(void **state) {
    UNUSED(state);
    challenge c;
    challenge_read(&c, STR("Basic realm=\"a, Bearer scope=x\", Bearer scope=\"a \\\"b\", "
                           "error=insufficient_scope , resource_metadata = \"https://x/y?z=1\""));
    assert_true(c.bearer && !c.dpop);
    assert_string_equal(c.scope, "a \"b");
    assert_string_equal(c.error, "insufficient_scope");
    assert_string_equal(c.resource_metadata, "https://x/y?z=1");
    challenge_read(&c, STR("DPoP algs=\"ES256\", error=\"use_dpop_nonce\", Negotiate abc=="));
    assert_true(c.dpop && !c.bearer);
    assert_string_equal(c.error, "use_dpop_nonce");
    challenge_read(&c, STR("Basic scope=\"no\""));
    assert_string_equal(c.scope, "");
    char text[3000];
    snprintf(text, sizeof text, "Bearer scope=\"%02000d\", error=\"e\"", 7);
    challenge_read(&c, str_of(text));
    assert_string_equal(c.scope, ""); /* longer than anybody's */
    assert_string_equal(c.error, "e");
    challenge_read(&c, STR("Bearer scope=\"open"));
    challenge_read(&c, STR(",,= =\"\\"));
}

static void test_urls(void **state) {
    UNUSED(state);
    assert_true(url_same_origin("https://a/x", "https://A:443/y"));
    assert_false(url_same_origin("https://a/x", "http://a/x"));
    assert_false(url_same_origin("https://a/", "https://a.b/"));
    assert_false(url_same_origin("nonsense", "nonsense"));
    assert_true(url_covers("https://a", "https://a/mcp"));
    assert_true(url_covers("https://a/mcp/", "https://a/mcp"));
    assert_false(url_covers("https://a/mc", "https://a/mcp"));
    assert_false(url_covers("https://a@b/", "https://a/"));
    assert_true(url_is_safe("https://a/", false));
    assert_false(url_is_safe("http://a/", true));
    assert_false(url_is_safe("http://127.0.0.1/", false));
    assert_false(url_is_safe("https://localhost/", false)); /* from outside */
    assert_true(url_is_safe("http://[::1]:8/", true));
    assert_false(url_is_safe("file:///etc/passwd", true));
    static const struct {
        const char *url;
        well_known_place place;
        const char *expected;
    } cases[] = {{"https://a/b/", WELL_KNOWN_INSERTED, "https://a/.well-known/n/b"},
                 {"https://a:9/b", WELL_KNOWN_ROOT, "https://a:9/.well-known/n"},
                 {"https://a/b", WELL_KNOWN_APPENDED, "https://a/b/.well-known/n"},
                 {"https://a/", WELL_KNOWN_APPENDED, NULL},
                 {"https://a", WELL_KNOWN_INSERTED, NULL}};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        char *got = url_well_known(cases[i].url, "n", cases[i].place);
        if (cases[i].expected)
            assert_string_equal(got, cases[i].expected);
        else
            assert_null(got);
        xfree(got);
    }
    strbuf form;
    strbuf_init(&form, 1000);
    form_add(&form, "a", "x y&\xC3\xA4");
    form_add(&form, "b", "");
    assert_string_equal(form.ptr, "a=x%20y%26%C3%A4&b=");
    strbuf value;
    strbuf_init(&value, 100);
    assert_true(form_get(strbuf_str(&form), "a", &value));
    assert_string_equal(value.ptr, "x y&\xC3\xA4");
    assert_false(form_get(STR("ab=1&c=2"), "a", &value));
    strbuf_clear(&value);
    assert_true(form_get(STR("x&q=a+b%2&q=2"), "q", &value));
    assert_string_equal(value.ptr, "a b%2");
    strbuf_deinit(&value);
    strbuf_deinit(&form);
}

static size_t decode_base64url(const char *text, size_t n, uint8_t *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    size_t have = 0, len = 0;
    for (size_t i = 0; i < n; i++) {
        const char *d = strchr(digits, text[i]);
        assert_non_null(d);
        bits = bits << 6 | (uint32_t)(d - digits);
        have += 6;
        if (have < 8) continue;
        have -= 8;
        out[len++] = (uint8_t)(bits >> have);
    }
    return len;
}

/* The signature is checked with the library's own verification, over the raw halves. */
static void test_signatures(void **state) {
    UNUSED(state);
    strbuf text;
    strbuf_init(&text, 1000);
    jose_base64(&text, STR("f"));
    jose_base64(&text, STR("fo"));
    jose_base64(&text, STR("foo"));
    assert_string_equal(text.ptr, "Zg==Zm8=Zm9v");
    strbuf_clear(&text); /* RFC 7636, appendix B */
    jose_hash(&text, STR("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    assert_string_equal(text.ptr, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    strbuf_clear(&text);
    jose_key *k = jose_key_new(), *again = NULL;
    char *pem = jose_key_pem(k);
    err e;
    assert_int_equal(jose_key_read(&again, str_of(pem), &e), OK);
    cJSON *header = cJSON_CreateObject(), *claims = cJSON_CreateObject();
    cJSON_AddStringToObject(claims, "iss", "me");
    assert_int_equal(jose_sign(again, header, claims, &text, &e), OK);
    const char *last = strrchr(text.ptr, '.');
    uint8_t raw[80], der[80];
    assert_int_equal(decode_base64url(last + 1, strlen(last + 1), raw), 64);
    ECDSA_SIG *s = ECDSA_SIG_new();
    ECDSA_SIG_set0(s, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL));
    uint8_t *p = der;
    int n = i2d_ECDSA_SIG(s, &p);
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(
        EVP_DigestVerify(c, der, (size_t)n, (const uint8_t *)text.ptr, (size_t)(last - text.ptr)),
        1);
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    BIO_free(bio);
    ECDSA_SIG_free(s);
    cJSON_Delete(header);
    cJSON_Delete(claims);
    assert_int_equal(jose_key_read(&again, STR("no key"), &e), ERR_FORMAT);
    jose_key_free(k);
    jose_key_free(again);
    xfree(pem);
    strbuf_deinit(&text);
}

/* ---- a login --------------------------------------------------------------------------------- */

typedef struct {
    strbuf sent; /* METHOD url [body]; ... */
    strbuf login;
    int done, good;
    char why[400];
} world;

static void on_fetch(void *ud, const oauth_request *r) {
    world *w = ud;
    strbuf_addf(&w->sent, "%s %s\n", r->body ? "POST" : "GET", r->url);
}

static uint16_t on_listen(void *ud, uint16_t wanted) {
    UNUSED(ud);
    return wanted ? wanted : 4711;
}

static void on_login(void *ud, const char *url) {
    world *w = ud;
    strbuf_clear(&w->login);
    strbuf_addf(&w->login, "%s", url);
}

static void on_done(void *ud, bool good, const char *why) {
    world *w = ud;
    w->done++;
    w->good += good;
    snprintf(w->why, sizeof w->why, "%s", why);
}

#define ISSUER "https://issuer.example/tenant"
#define RESOURCE "{\"resource\":\"https://mcp.example\",\"authorization_servers\":[\"" ISSUER "\"]}"
#define METADATA                                                                                   \
 "{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":\"" ISSUER "/a\",\"token_endpoint\":"      \
 "\"" ISSUER "/t\",\"registration_endpoint\":\"" ISSUER "/r\","                                    \
 "\"code_challenge_methods_supported\":[\"S256\"]}"

static void begin(world *w, mcp_definition **d, tokens **t, oauth **o) {
    *w = (world){0};
    strbuf_init(&w->sent, 10000);
    strbuf_init(&w->login, 10000);
    *d = mcp_definition_new("site");
    (*d)->url = "https://mcp.example/mcp";
    *t = tokens_open(NULL);
    *o = oauth_new(*d, *t, &(oauth_hooks){w, on_fetch, on_listen, on_login, on_done});
}

static void end(world *w, mcp_definition *d, tokens *t, oauth *o) {
    oauth_free(o);
    tokens_free(t);
    mcp_definition_free(d);
    strbuf_deinit(&w->sent);
    strbuf_deinit(&w->login);
}

static void say(oauth *o, int http, const char *body) {
    oauth_fetched(o, http, str_of(body), "");
}

/* With the state of the login that is shown. */
static bool come_back(oauth *o, const world *w, const char *rest) {
    strbuf query;
    strbuf_init(&query, 1000);
    strbuf_addf(&query, "state=");
    ptrdiff_t at = str_find(strbuf_str(&w->login), STR("&state="));
    assert_true(at > 0);
    strbuf_add_str(&query, str_sub(strbuf_str(&w->login), (size_t)at + 7, (size_t)at + 7 + 32));
    strbuf_addf(&query, "%s", rest);
    bool taken = oauth_redirected(o, strbuf_str(&query));
    strbuf_deinit(&query);
    return taken;
}

static void test_whole_login(void **state) {
    UNUSED(state);
    world w;
    mcp_definition *d;
    tokens *t;
    oauth *o;
    err why;
    begin(&w, &d, &t, &o);
    assert_int_equal(oauth_refused(o, 401, "Bearer scope=\"a\"", 0, &why), OAUTH_WAIT);
    assert_int_equal(oauth_refused(o, 401, "Bearer", 0, &why), OAUTH_WAIT); /* another request */
    say(o, 404, "");
    say(o, 200, RESOURCE);
    say(o, 404, "");
    say(o, 200, METADATA);
    say(o, 201, "{\"client_id\":\"me\"}");
    assert_string_equal(w.sent.ptr,
                        "GET https://mcp.example/.well-known/oauth-protected-resource/mcp\n"
                        "GET https://mcp.example/.well-known/oauth-protected-resource\n"
                        "GET https://issuer.example/.well-known/oauth-authorization-server/tenant\n"
                        "GET https://issuer.example/.well-known/openid-configuration/tenant\n"
                        "POST https://issuer.example/tenant/r\n");
    assert_non_null(strstr(w.login.ptr, "&resource=https%3A%2F%2Fmcp.example&scope=a"));
    assert_false(oauth_redirected(o, STR("state=guessed&code=c")));
    assert_false(oauth_redirected(o, STR("code=c")));
    assert_true(come_back(o, &w, "&code=c"));
    say(o, 200, "{\"access_token\":\"T\",\"token_type\":\"Bearer\",\"refresh_token\":\"R\"}");
    assert_int_equal(w.good, 1);
    strbuf a, p;
    strbuf_init(&a, 100);
    strbuf_init(&p, 100);
    uint64_t token = oauth_headers(o, "POST", d->url, &a, &p);
    assert_string_equal(a.ptr, "Bearer T");
    assert_int_equal(oauth_refused(o, 401, "Bearer", 0, &why), OAUTH_AGAIN); /* sent before it */
    assert_int_equal(
        oauth_refused(o, 403, "Bearer error=\"insufficient_scope\", scope=\"a\"", token, &why),
        OAUTH_NO); /* has been asked for */
    assert_int_equal(oauth_refused(o, 403, "Bearer", token, &why), OAUTH_NO);
    assert_int_equal(
        oauth_refused(o, 403, "Bearer error=\"insufficient_scope\", scope=\"b\"", token, &why),
        OAUTH_WAIT);
    oauth_stop(o, "enough");
    assert_string_equal(w.why, "enough");
    strbuf_deinit(&a);
    strbuf_deinit(&p);
    end(&w, d, t, o);
}

/* The issuer's answer to a login is compared to the letter. */
static void test_issuer_of_login(void **state) {
    UNUSED(state);
    static const struct {
        const char *rest;
        bool good;
    } cases[] = {{"&code=c&iss=https%3A%2F%2Fissuer.example%2Ftenant", true},
                 {"&code=c&iss=https%3A%2F%2Fissuer.example%2Ftenant%2F", false},
                 {"&code=c&iss=https%3A%2F%2Fevil.example", false},
                 {"&code=c&iss=", false},
                 {"&error=access_denied", false},
                 {"", false}};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        world w;
        mcp_definition *d;
        tokens *t;
        oauth *o;
        err why;
        begin(&w, &d, &t, &o);
        d->oauth.client_id = "me";
        assert_int_equal(oauth_refused(o, 401, "", 0, &why), OAUTH_WAIT);
        say(o, 200, RESOURCE);
        say(o, 200, METADATA);
        strbuf_clear(&w.sent);
        assert_true(come_back(o, &w, cases[i].rest));
        assert_string_equal(w.sent.ptr && w.sent.len ? w.sent.ptr : "",
                            cases[i].good ? "POST https://issuer.example/tenant/t\n" : "");
        assert_int_equal(w.done, cases[i].good ? 0 : 1);
        end(&w, d, t, o);
    }
}

/* A server that takes no token is believed after LIMIT_MCP_LOGINS. */
static void test_no_endless_logins(void **state) {
    UNUSED(state);
    world w;
    mcp_definition *d;
    tokens *t;
    oauth *o;
    err why;
    begin(&w, &d, &t, &o);
    d->oauth.grant = MCP_GRANT_CLIENT;
    d->oauth.client_id = "me";
    uint64_t token = 0;
    int rounds = 0;
    while (oauth_refused(o, 401, "", token, &why) == OAUTH_WAIT && rounds++ < 10) {
        say(o, 200, RESOURCE);
        say(o, 200, METADATA);
        say(o, 200, "{\"access_token\":\"T\"}");
        strbuf a, p;
        strbuf_init(&a, 100);
        strbuf_init(&p, 100);
        token = oauth_headers(o, "POST", d->url, &a, &p);
        strbuf_deinit(&a);
        strbuf_deinit(&p);
    }
    assert_int_equal(rounds, 3);
    end(&w, d, t, o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_challenges),      cmocka_unit_test(test_urls),
        cmocka_unit_test(test_signatures),      cmocka_unit_test(test_whole_login),
        cmocka_unit_test(test_issuer_of_login), cmocka_unit_test(test_no_endless_logins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
