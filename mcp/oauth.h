/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Getting a token for one MCP server behind a URL (OAuth 2.1), as a pure machine: refusals, answers
 * and redirects come in, requests and headers go out.
 *
 *     IDLE --refused--> RESOURCE --> ISSUER --> (REGISTER) --> LOGIN --> TOKEN --> IDLE, done
 *                  \--(a refresh token)--------------------------------> TOKEN
 *
 * RESOURCE asks the server who protects it (RFC 9728), ISSUER asks that one for its endpoints (RFC
 * 8414, OpenID), REGISTER makes a client there unless there is one, LOGIN waits for a person, TOKEN
 * gets the token: for one resource (RFC 8707), with PKCE, bound to a key where both sides want that
 * (DPoP, RFC 9449).  Without a document about the resource, the server's own origin is the issuer
 * (2025-03-26).
 *
 * Nothing is sent in the clear but to this machine, and only for a server that is on this machine.
 * An issuer is who it says it is, to the letter.  Thread: one at a time (the loop). */
#include "mcp/config.h"
#include "mcp/tokens.h"

typedef struct oauth oauth;

/* One request at a time; its answer goes to oauth_fetched. */
typedef struct {
    const char *url;
    const char *body, *type;          /* NULL: GET */
    const char *authorization, *dpop; /* headers; NULL: none */
} oauth_request;

typedef struct {
    void *ud;
    void (*fetch)(void *ud, const oauth_request *r);
    /* Opens the loopback address that a login comes back to; its query goes to oauth_redirected.
     * The port, `wanted` if that is free (0: any); 0: it cannot. */
    uint16_t (*listen)(void *ud, uint16_t wanted);
    void (*login)(void *ud, const char *url); /* a person has to go there */
    void (*done)(void *ud, bool good, const char *why);
} oauth_hooks;

/* `d` and `store` outlive it.  Takes up what the store has for this url. */
oauth *oauth_new(const mcp_definition *d, tokens *store, const oauth_hooks *hooks);
void oauth_free(oauth *o);                           /* accepts NULL */
void oauth_moved(oauth *o, const mcp_definition *d); /* the same server's definition, read again */

/* The headers of a request to the server; empty when there is no token.  Returns the number of the
 * token, for oauth_refused. */
uint64_t oauth_headers(oauth *o, const char *method, const char *url, strbuf *authorization,
                       strbuf *dpop);
void oauth_accepted(oauth *o);                 /* the server took a token */
void oauth_nonce(oauth *o, const char *nonce); /* the server wants it in proofs */

typedef enum {
    OAUTH_NO,    /* `why` says what is wrong; the refusal stands */
    OAUTH_AGAIN, /* the headers are others now */
    OAUTH_WAIT,  /* `done` will say whether to try again */
} oauth_verdict;
/* The server refused a request with this status; `header`: its WWW-Authenticate, or "". */
oauth_verdict oauth_refused(oauth *o, int http, const char *header, uint64_t token, err *why);

/* The answer; status 0: there was none, and `body` is a sentence.  `nonce`: DPoP-Nonce or "". */
void oauth_fetched(oauth *o, int http, str body, const char *nonce);
/* A login came back; false: it is not ours. */
bool oauth_redirected(oauth *o, str query);
/* Gives up what is under way. */
void oauth_stop(oauth *o, const char *why);
