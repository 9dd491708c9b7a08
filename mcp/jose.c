/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures, keys and encodings by OpenSSL.  Owns what that gives; nothing is kept but in a
 * jose_key.  No state.  Thread: any. */
#include "mcp/jose.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "engine/base/mem.h"

#define COORDINATE_BYTES 32 /* of P-256: coordinates, and each half of a signature */

struct jose_key {
    EVP_PKEY *key;
    bool is_ec;
};

/* ---- texts ----------------------------------------------------------------------------------- */

static void encode(strbuf *out, str bytes, const char digits[64], bool padded) {
    const uint8_t *p = (const uint8_t *)bytes.ptr;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = MIN(bytes.len - i, 3);
        uint32_t v =
            (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
        for (size_t k = 0; k < 4; k++) {
            if (k <= n)
                strbuf_add_char(out, digits[v >> (18 - 6 * k) & 63]);
            else if (padded)
                strbuf_add_char(out, '=');
        }
    }
}

#define DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

void jose_base64(strbuf *out, str bytes) {
    encode(out, bytes, DIGITS "+/", true);
}

void jose_base64url(strbuf *out, str bytes) {
    encode(out, bytes, DIGITS "-_", false);
}

void jose_random(strbuf *out, size_t bytes) {
    uint8_t random[64];
    ASSERT(bytes <= sizeof random);
    ASSERT(RAND_bytes(random, (int)bytes) == 1); /* without chance there is no login */
    jose_base64url(out, (str){(const char *)random, bytes});
}

void jose_hash(strbuf *out, str text) {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)text.ptr, text.len, digest);
    jose_base64url(out, (str){(const char *)digest, sizeof digest});
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool is_p256(EVP_PKEY *key) {
    char curve[64];
    size_t n;
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof curve,
                                          &n) == 1 &&
           (strcmp(curve, "prime256v1") == 0 || strcmp(curve, "P-256") == 0);
}

static int no_password(char *buffer, int size, int writing, void *ud) {
    UNUSED(buffer);
    UNUSED(size);
    UNUSED(writing);
    UNUSED(ud);
    return -1; /* and nobody is asked on the terminal */
}

status jose_key_read(jose_key **out, str pem, err *e) {
    if (pem.len > 1u << 16) return err_set(e, ERR_FORMAT, "the private key is too long");
    BIO *bio = BIO_new_mem_buf(pem.ptr ? pem.ptr : "", (int)pem.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (!key) return err_set(e, ERR_FORMAT, "the private key is no PEM text without a password");
    bool ec = is_p256(key);
    if (!ec && !EVP_PKEY_is_a(key, "RSA")) {
        EVP_PKEY_free(key);
        return err_set(e, ERR_UNSUPPORTED, "the private key is neither EC P-256 nor RSA");
    }
    *out = xcalloc(1, sizeof **out);
    **out = (jose_key){key, ec};
    return OK;
}

jose_key *jose_key_new(void) {
    jose_key *k = xcalloc(1, sizeof *k);
    *k = (jose_key){EVP_EC_gen("P-256"), true};
    ASSERT(k->key);
    return k;
}

void jose_key_free(jose_key *k) {
    if (!k) return;
    EVP_PKEY_free(k->key);
    xfree(k);
}

char *jose_key_pem(const jose_key *k) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL, *text = NULL;
    if (PEM_write_bio_PrivateKey(bio, k->key, NULL, NULL, 0, NULL, NULL) == 1) {
        long n = BIO_get_mem_data(bio, &bytes);
        text = xstrndup(bytes, (size_t)n);
    }
    BIO_free(bio);
    return text;
}

const char *jose_key_algorithm(const jose_key *k) {
    return k->is_ec ? "ES256" : "RS256";
}

static void add_coordinate(cJSON *jwk, EVP_PKEY *key, const char *param, const char *name) {
    BIGNUM *n = NULL;
    uint8_t bytes[COORDINATE_BYTES];
    strbuf text;
    strbuf_init(&text, 64);
    if (EVP_PKEY_get_bn_param(key, param, &n) == 1 &&
        BN_bn2binpad(n, bytes, sizeof bytes) == (int)sizeof bytes)
        jose_base64url(&text, (str){(const char *)bytes, sizeof bytes});
    cJSON_AddStringToObject(jwk, name, text.ptr ? text.ptr : "");
    strbuf_deinit(&text);
    BN_free(n);
}

cJSON *jose_key_public(const jose_key *k) {
    if (!k->is_ec) return NULL;
    cJSON *jwk = cJSON_CreateObject();
    cJSON_AddStringToObject(jwk, "kty", "EC");
    cJSON_AddStringToObject(jwk, "crv", "P-256");
    add_coordinate(jwk, k->key, OSSL_PKEY_PARAM_EC_PUB_X, "x");
    add_coordinate(jwk, k->key, OSSL_PKEY_PARAM_EC_PUB_Y, "y");
    return jwk;
}

/* ---- signing --------------------------------------------------------------------------------- */

/* From ASN.1 to the two halves one after the other. */
static bool raw_signature(const uint8_t *der, size_t n, uint8_t raw[2 * COORDINATE_BYTES]) {
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)n);
    bool good = s && BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, COORDINATE_BYTES) > 0 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + COORDINATE_BYTES, COORDINATE_BYTES) > 0;
    ECDSA_SIG_free(s);
    return good;
}

static void add_json(strbuf *out, const cJSON *json) {
    char *text = cJSON_PrintUnformatted(json);
    jose_base64url(out, str_of(text));
    cJSON_free(text);
}

status jose_sign(const jose_key *k, cJSON *header, const cJSON *claims, strbuf *out, err *e) {
    strbuf text;
    strbuf_init(&text, 1u << 20);
    cJSON_DeleteItemFromObjectCaseSensitive(header, "alg");
    cJSON_AddStringToObject(header, "alg", jose_key_algorithm(k));
    add_json(&text, header);
    strbuf_add_char(&text, '.');
    add_json(&text, claims);
    uint8_t signature[1024], raw[2 * COORDINATE_BYTES];
    size_t n = sizeof signature;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool good = (size_t)EVP_PKEY_get_size(k->key) <= sizeof signature &&
                EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, k->key) == 1 &&
                EVP_DigestSign(c, signature, &n, (const uint8_t *)text.ptr, text.len) == 1 &&
                (!k->is_ec || raw_signature(signature, n, raw));
    EVP_MD_CTX_free(c);
    if (good) {
        strbuf_add_str(out, strbuf_str(&text));
        strbuf_add_char(out, '.');
        jose_base64url(out, k->is_ec ? (str){(const char *)raw, sizeof raw}
                                     : (str){(const char *)signature, n});
    }
    strbuf_deinit(&text);
    return good ? OK : err_set(e, ERR_UNSUPPORTED, "OpenSSL cannot sign with this key");
}
