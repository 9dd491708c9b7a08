/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A host on a loop of a test's own, driven until something is so, within a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mcp/mcp.h"

typedef struct {
    int ended; /* how many times `done` ran */
    mcp_outcome outcome;
    char text[512], message[384];
    size_t text_len;
    bool truncated, cached;
    char spill[256];
    uint64_t run_us;
    double age_ms;
    int order; /* among all answers of the driver */
} got;

typedef struct {
    uv_loop_t loop;
    mcp_host *host;
    uv_timer_t guard;
    bool closed, late;
    int progress, answers, questions;
    mcp_decision decide; /* what every question gets; MCP_DENY at first */
    mcp_ask asked;
    int fds;      /* open before the loop was made */
    bool checked; /* compare with them at the end */
} driver;

/* No state folder: nothing is remembered.  `ask`: questions are answered with `decide`. */
void driver_open(driver *d, bool ask);
void driver_open_at(driver *d, bool ask, const char *state_dir);
void driver_open_with(driver *d, bool ask, const char *state_dir, const char *redis_url);
/* Closes; fails when a child, or a descriptor, is left. */
void driver_close(driver *d);
/* A server of the hostile kind, not yet configured. */
mcp_definition *hostile(const char *mode);
/* Gives the host exactly these servers (taken). */
void driver_configure(driver *d, mcp_definition **servers, size_t n);
void driver_call(driver *d, const char *server, const char *tool, got *out);
uint64_t driver_order(driver *d, const mcp_order *o, got *out);
/* Runs the loop until every one of `n` has ended, or fails after `ms`. */
void driver_wait(driver *d, const got *first, size_t n, int ms);
void driver_wait_state(driver *d, const char *server, mcp_state s, int ms);
void driver_run(driver *d, int ms);
/* Processes that run a hostile server for the test program with this pid. */
int driver_children(long owner);
mcp_server_info driver_info(driver *d, const char *server);
