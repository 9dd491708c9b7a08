/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A server, or another program, as a child process: bytes to its standard input, bytes from its
 * standard output, the tail of its standard error, and an end that leaves nothing behind.
 * Thread: loop. */
#include <uv.h>

#include "engine/base/status.h"
#include "engine/base/str.h"

typedef struct process process;

typedef struct {
    void *ud;
    void (*bytes)(void *ud, str bytes); /* of standard output; valid during the call */
    /* The process ended, or closed its output; at most once, not after process_stop.  `why` is a
     * sentence.  process_stop is still to be called. */
    void (*ended)(void *ud, const char *why);
    void (*closed)(void *ud); /* after process_stop: it is gone and freed */
} process_hooks;

typedef struct {
    const char *command;
    const char *const *args; /* without the command */
    size_t n_args;
    const char *const *env; /* "NAME=value", all of it */
    size_t n_env;
    const char *cwd;    /* NULL: ours */
    const char *search; /* PATH for a command without '/' */
} process_options;

/* ERR_NOT_FOUND: no such command, with where it was looked for; ERR_IO. */
status process_start(process **out, uv_loop_t *loop, const process_options *o,
                     const process_hooks *hooks, err *e) MUST_USE;
/* Copies.  False: more than LIMIT_MCP_WRITE_BYTES wait, because it does not read; nothing is
 * taken. */
bool process_write(process *p, str bytes) MUST_USE;
/* What of it the process has not read yet, and how much it has read since it started; a pipe that
 * has room counts as read. */
size_t process_unread(const process *p);
uint64_t process_taken(const process *p);
/* Puts the path of `o->command` into `out`; ERR_NOT_FOUND: there is none, with where it was looked
 * for. */
status process_find(const process_options *o, strbuf *out, err *e) MUST_USE;
/* It gets no input (any more). */
void process_close_input(process *p);
/* Ends its input, then SIGTERM, then SIGKILL to its whole group, LIMIT_MCP_STOP_MS apart. */
void process_stop(process *p);
/* SIGKILL to its whole group now: for one that has nothing to finish.  Ends like process_stop. */
void process_kill(process *p);
/* -1: it runs, or was ended by a signal. */
int process_exit_code(const process *p);
int process_pid(const process *p);
uint64_t process_stderr_bytes(const process *p);
/* Appends the last lines of standard error, cleaned, at most about `bytes_max`. */
void process_stderr_tail(const process *p, strbuf *out, size_t bytes_max);
