/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* FILE.sha256 beside a model file: what the hub said it is, kept for models whose size and SHA-256
 * the list does not know.  The format is sha256sum's own, so `sha256sum -c FILE.sha256` works. */
#include "engine/registry.h"

/* `from` (repository and commit) is for people. */
status record_write(const char *folder, const char *file, const model_facts *facts,
                    const char *from, err *e) MUST_USE;
/* False when there is none, or it is not ours. */
bool record_read(const char *folder, const char *file, model_facts *out);
/* Pure: for tests and fuzzing. */
bool record_parse(str text, const char *file, model_facts *out);
void record_remove(const char *folder, const char *file);
