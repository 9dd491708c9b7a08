/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* git, asked as a child process: never on the loop's time, bounded in bytes and seconds.
 *
 * The user's own git, found in PATH.  It only reads: it takes no locks, asks nobody anything, and
 * runs no external diff, pager, hook or file system monitor that a repository's configuration
 * names.  (The `clean` filters that it names do run, as they do under every git command of an
 * editor.)  Thread: loop. */
#include <uv.h>

#include "engine/base/status.h"
#include "engine/base/str.h"

typedef struct git git;                 /* one for the program */
typedef struct git_command git_command; /* one question that waits or runs */

typedef struct {
    const char *folder;      /* absolute; where it runs */
    const char *const *args; /* "diff", "HEAD", ...; at most LIMIT_GIT_ARGS */
    size_t n_args;
    size_t bytes_max; /* of output; 0: LIMIT_GIT_BYTES */
    uint64_t ms_max;  /* from its start; 0: LIMIT_GIT_MS */
} git_question;

typedef struct {
    status status;   /* OK: it ended with code 0, or its output was cut.  ERR_NOT_FOUND: there is no
                        git.  ERR_LIMIT: too slow, or too many wait.  ERR_IO: it failed */
    const char *why; /* a sentence when not OK, with git's last words; "" otherwise */
    str output;      /* valid during the call; not checked: may be no UTF-8 */
    bool cut;        /* there was more than bytes_max: it ends anywhere */
} git_answer;

typedef void (*git_done)(void *ud, const git_answer *a);

/* `search`: where git is looked for, like PATH; NULL: PATH. */
git *git_new(uv_loop_t *loop, const char *search);
/* Cancels all; what runs is killed, and gone when the loop has run once more.  Accepts NULL. */
void git_free(git *g);

/* Copies the question.  `done` is called exactly once, from the loop and never from inside this,
 * unless git_cancel comes first; the pointer is dead after either. */
git_command *git_ask(git *g, const git_question *q, git_done done, void *ud);
void git_cancel(git_command *c);
