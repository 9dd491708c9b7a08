/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The process that an editor starts when the daemon is shared: relays between standard input and
 * output and the user's daemon, starts that when it is not there or dies.  Thread: main. */
#include "engine/base/status.h"

typedef struct {
    const char *socket;    /* NULL: the user's own */
    int64_t client_pid;    /* 0, or end when this process does */
    int idle_seconds;      /* what a daemon that is started here gets as --idle-exit */
    const char *log_level; /* and as --log-level */
    const char *health;    /* and as --health; NULL: nothing */
} proxy_options;

/* Runs until the editor says exit or its stream ends; gives the exit code (0 after shutdown and
 * exit, else 1).  Standard output carries nothing but the protocol. */
int proxy_run(const proxy_options *options);
