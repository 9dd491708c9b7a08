/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The daemon: owns the loop, the engine and the connections, and the order in which they start and
 * stop.  Thread: the calling thread becomes the loop thread.
 */
#include "kernels/kernels.h"
#include "lsp/settings.h"

typedef struct {
    bool stdio;              /* speak LSP on stdin and stdout */
    const char *listen_path; /* NULL, a Unix socket for further connections, or "fd": systemd's */
    const char *health; /* NULL, or where lsp/health.h's pages are: a port or a socket's path */
    settings settings;  /* where every connection starts from (defaults, --config) */
    bool model_fixed;   /* the model was named on the command line: clients cannot change it */
    int64_t client_pid; /* 0, or end when this process does */
    int idle_seconds;   /* without stdio: end after so long without a connection; 0: never */
} daemon_options;

/* Runs until the editor says exit, its stream ends, its process dies or a signal comes (SIGINT,
 * SIGTERM), and returns the process' exit code: 0 after shutdown and exit (or, without stdio, after
 * a signal), else 1.  Protects stdout: descriptor 1 points at stderr from here on. */
int daemon_run(const daemon_options *options);
