/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Signed tokens (JWT, JWK) and random texts for authorization, by OpenSSL's libcrypto.
 * Pure but for the random source.  Thread: any. */
#include <cjson/cJSON.h>

#include "engine/base/status.h"
#include "engine/base/str.h"

void jose_base64(strbuf *out, str bytes);    /* with padding, for Basic */
void jose_base64url(strbuf *out, str bytes); /* without */
void jose_random(strbuf *out, size_t bytes); /* so many random bytes, as base64url */
void jose_hash(strbuf *out, str text);       /* base64url of its SHA-256: PKCE's S256, `ath` */

typedef struct jose_key jose_key;
/* A private key in PEM: EC P-256 or RSA.  ERR_FORMAT, ERR_UNSUPPORTED. */
status jose_key_read(jose_key **out, str pem, err *e) MUST_USE;
jose_key *jose_key_new(void);                      /* EC P-256 */
void jose_key_free(jose_key *k);                   /* accepts NULL */
char *jose_key_pem(const jose_key *k);             /* the private key; xfree */
const char *jose_key_algorithm(const jose_key *k); /* "ES256", "RS256" */
/* The public half of an EC key as a JWK; NULL for others. */
cJSON *jose_key_public(const jose_key *k);

/* Appends header.claims.signature; sets `alg` in `header`. */
status jose_sign(const jose_key *k, cJSON *header, const cJSON *claims, strbuf *out,
                 err *e) MUST_USE;
