/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a WWW-Authenticate header asks for (RFC 9110, 6750, 9728, 9449).  Pure. */
#include "engine/base/str.h"

typedef struct {
    bool bearer, dpop; /* schemes that were offered */
    /* Members of these schemes; "" when absent or longer than there is room. */
    char resource_metadata[1024], scope[1024], error[64];
} challenge;

/* Reads all challenges of all headers of that name, joined by commas.  What cannot be read is
 * skipped. */
void challenge_read(challenge *c, str header);
