/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Hashes.  hash64 is for tables and caches (not against attackers who choose the bytes: tables that
 * hold outside keys are bounded); sha256 is for files. */
#include "engine/base/status.h"
#include "engine/base/str.h"

/* FNV-1a with a final mix.  Chain pieces by passing the last result as `seed`; start with 0. */
uint64_t hash64(uint64_t seed, const void *bytes, size_t n);

typedef struct {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t tail[64];
    bool has_ni; /* the processor has instructions for it */
} sha256;
void sha256_init(sha256 *h);
void sha256_add(sha256 *h, const void *bytes, size_t n);
void sha256_hex(sha256 *h, char out[static 65]); /* lower case, NUL-terminated; ends the hash */
