/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The loopback address that a login comes back to: http://127.0.0.1:PORT/callback?...
 * It answers browsers with one sentence and is open only while somebody logs in.  Thread: loop. */
#include <uv.h>

#include "engine/base/str.h"

typedef struct redirect redirect;

/* `came` gets the query of /callback; false: it is not the one that is waited for.  It may close.
 * `wanted`: the port, if it is free; 0: any.  NULL: no address can be opened. */
redirect *redirect_open(uv_loop_t *loop, uint16_t wanted, bool (*came)(void *ud, str query),
                        void *ud);
uint16_t redirect_port(const redirect *r);
/* Answers that are on their way still go out; then `closed` is called. */
void redirect_close(redirect *r, void (*closed)(void *ud), void *ud);
