/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The engine thread.  Thread: engine. */
#include "engine/mailbox.h"

typedef struct {
    mailbox *mail; /* borrowed */
    k_options kernels;
} worker_options;

/* Opens the backend, says so in the mailbox, serves it until it is closed, then gives every job
 * back and frees every model. */
void worker_run(const worker_options *opt);
