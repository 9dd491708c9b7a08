/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What place.c does for the rest of the module. */
#include "engine/registry.h"

/* Hashes a file that is not in its place yet: is it what `m` must be?  ERR_FORMAT: it is not. */
status registry_check_file(const char *path, const model_entry *m, const pull_hooks *hooks,
                           err *e) MUST_USE;

/* SHA-256 of a file of `all` bytes, with progress. */
status registry_hash_file(const char *path, uint64_t all, const pull_hooks *hooks,
                          char hex[static 65], err *e) MUST_USE;
