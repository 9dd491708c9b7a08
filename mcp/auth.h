/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The authorization of one server on the loop: the machine (mcp/oauth.h), its requests, and the
 * address that a login comes back to.  Thread: loop. */
#include <uv.h>

#include "mcp/oauth.h"

typedef struct auth auth;

typedef struct {
    void *ud;
    /* A person has to go to `url` (checked, https unless all is on this machine). */
    void (*login)(void *ud, const char *url);
    /* After OAUTH_WAIT: whether refused requests may go out again.  Never from inside a call. */
    void (*done)(void *ud, bool good, const char *why);
} auth_hooks;

/* `d` and `store` outlive it. */
auth *auth_open(uv_loop_t *loop, const mcp_definition *d, tokens *store, const auth_hooks *hooks);
oauth *auth_machine(auth *a); /* for oauth_headers, oauth_refused, oauth_accepted, oauth_nonce */
void auth_stop(auth *a, const char *why); /* what is under way */
/* Says nothing any more; `closed` comes later. */
void auth_close(auth *a, void (*closed)(void *ud), void *ud);
