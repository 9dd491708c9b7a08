/* SPDX-License-Identifier: Apache-2.0 */
/* The list of models as a user may write it: any bytes end in a registry or in one sentence. */
#include "engine/base/mem.h"
#include "engine/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    registry *r = NULL;
    err e = {{0}};
    str json = {(const char *)data, size};
    if (registry_parse(&r, json, "fuzz", &e) != OK) {
        if (!e.text[0]) abort();
        return 0;
    }
    const model_entry *m = registry_default(r);
    if (strchr(m->file, '/') || m->name[0] == '-' || strlen(m->sha256) != 64) abort();
    registry_close(r);
    return 0;
}
