/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What place.c does for pull.c alone. */
#include "engine/registry.h"

/* Hashes a file that is not in its place yet: is it what `m` must be?  ERR_FORMAT: it is not. */
status registry_check_file(const char *path, const model_entry *m, const pull_hooks *hooks,
                           err *e) MUST_USE;
