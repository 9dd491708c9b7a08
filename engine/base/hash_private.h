/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What hash.c and its faster form share.  Both give the same bits; tests compare them. */
#include "engine/base/hash.h"

extern const uint32_t sha256_k[64];

/* Blocks of 64 bytes into the state. */
void sha256_blocks_plain(uint32_t s[8], const uint8_t *p, size_t blocks);
/* Only where sha256_has_ni() says that this processor can. */
void sha256_blocks_ni(uint32_t s[8], const uint8_t *p, size_t blocks);
bool sha256_has_ni(void);
