/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The one error convention of the program.
 *
 * A function that can fail returns `status`, writes results through `out` parameters only on OK and
 * puts one sentence for a human (what, where, what to do) into `err`.  `bool` is for questions.
 * Four kinds of trouble: our bug -> ASSERT; bad bytes or requests -> status; a degraded environment
 * -> go on with less and say so once; host memory -> abort inside xmalloc.
 */
#include "engine/base/base.h"

typedef enum {
    OK = 0,
    ERR_IO,          /* the OS or a peer refused; the errno text is in err.text         */
    ERR_FORMAT,      /* bytes from outside are not what their format promises           */
    ERR_UNSUPPORTED, /* well-formed, but not implemented here                           */
    ERR_LIMIT,       /* a named limit in limits.h, or the machine's memory, was reached */
    ERR_NOT_FOUND,   /* a file, a model or a name that should exist does not            */
    ERR_USAGE,       /* the caller (a user, a client) asked for something senseless     */
    ERR_DEVICE,      /* CUDA said no; the backend is dead after this                    */
    ERR_CANCELLED,   /* somebody asked for it; not a failure                            */
    ERR_LATE,        /* its time is over: the answer would be of no use any more        */
} status;

typedef struct {
    char text[384]; /* one sentence, no newline; valid when the status is not OK */
} err;

/* Writes the sentence (cut to fit, control characters replaced) and returns `code`.  `e` may be
 * NULL: then only the code is kept. */
status err_set(err *e, status code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "CONTEXT: " before the sentence that is already in `e` and returns `code`. */
status err_prefix(err *e, status code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Short stable name of a status for logs and JSON: "ok", "io", "format", ... */
const char *status_name(status s);
