/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One process at a time per model: an flock on .NAME.lock, which vanishes with its holder. */
#include "engine/registry.h"

/* Waits visibly (PULL_WAITING) until it is ours; closing *fd lets go.  ERR_IO, ERR_CANCELLED. */
status lock_take(const char *folder, const char *name, const pull_hooks *hooks, int *fd,
                 err *e) MUST_USE;
