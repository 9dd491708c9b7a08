/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The parts of the authorization machine that its files share. */
#include "mcp/challenge.h"
#include "mcp/jose.h"
#include "mcp/oauth.h"

typedef enum {
    STEP_IDLE,
    STEP_RESOURCE,
    STEP_ISSUER,
    STEP_REGISTER,
    STEP_LOGIN,
    STEP_EXCHANGE, /* at the identity provider */
    STEP_TOKEN,
} oauth_step;

#define JWT_BEARER "urn:ietf:params:oauth:grant-type:jwt-bearer"
#define CANDIDATES_MAX 4
#define TOKEN_BYTES_MAX 32768

struct oauth {
    const mcp_definition *d;
    const mcp_oauth *config;
    tokens *store;
    oauth_hooks hooks;
    oauth_step step;
    bool loopback; /* the server is on this machine */
    challenge challenge;

    char *candidates[CANDIDATES_MAX]; /* urls of the document that is looked for */
    size_t n_candidates, at;
    cJSON *resource_document, *metadata; /* of the issuer; NULL: none */
    char *resource, *issuer;
    char *authorize_url, *token_url, *register_url; /* NULL: there is none */

    char *client_id, *client_secret, *auth_method;
    bool registered_now;               /* within this attempt: not again */
    char *verifier, *state, *redirect; /* of the login that is under way */
    uint16_t port;
    char *assertion; /* the statement that is shown for a token */
    char *form;      /* of the request for a token that is under way, without the client */
    bool prove;      /* this request asks for a token that is bound to `key` */
    char *wanted;    /* the scope that is asked for, or NULL */
    bool refreshing;

    /* The token that is in use. */
    uint64_t number;                  /* 0: never had one */
    char *access, *refresh, *granted; /* granted: the scope it was asked for */
    bool bound;                       /* to `key` */
    jose_key *key;
    char issuer_nonce[256], server_nonce[256];
    bool nonce_tried; /* by the issuer, within this request */
    int attempts;     /* since the server last took a token */
};

/* ---- oauth.c ---- */
void oauth_fail(oauth *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
void oauth_finish(oauth *o);                 /* there is a token: stores it, and says so */
void oauth_set(char **to, const char *text); /* copies; NULL: none */
const char *oauth_text(const cJSON *object, const char *name); /* NULL: no text, or empty */
bool oauth_lists(const cJSON *object, const char *name, const char *word);
/* A proof of possession for one request (RFC 9449); `access`: NULL at the issuer. */
void oauth_proof(oauth *o, strbuf *out, const char *method, const char *url, const char *access,
                 const char *nonce);

/* ---- oauth_discover.c ---- */
void oauth_discover(oauth *o);
void oauth_on_resource(oauth *o, const cJSON *document);
void oauth_on_issuer(oauth *o, const cJSON *document);
void oauth_candidates_clear(oauth *o);

/* ---- oauth_client.c ---- */
void oauth_get_client(oauth *o); /* then on to the grant */
void oauth_on_register(oauth *o, int http, const cJSON *answer);
/* Adds what proves who we are to a request for a token; false: it failed and said so. */
bool oauth_add_client(oauth *o, strbuf *body, strbuf *authorization);
void oauth_drop_client(oauth *o); /* the issuer does not know it any more */

/* ---- oauth_token.c ---- */
void oauth_grant(oauth *o);   /* by the configured way */
void oauth_refresh(oauth *o); /* with the refresh token */
void oauth_on_exchange(oauth *o, int http, const cJSON *answer);
void oauth_on_token(oauth *o, int http, const cJSON *answer, const char *nonce);
