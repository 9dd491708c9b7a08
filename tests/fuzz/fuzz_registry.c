/* SPDX-License-Identifier: Apache-2.0 */
/* The list of models as a user may write it: any bytes end in a registry or in one sentence.  The
 * same bytes as the headers of a hub, and as a record of what it said. */
#include "engine/base/mem.h"
#include "engine/registry.h"
#include "engine/registry/http.h"
#include "engine/registry/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_other_texts(str text) {
    http_reply r = {0};
    model_facts facts;
    if (record_parse(text, "m.gguf", &facts) && (!facts.bytes || strlen(facts.sha256) != 64))
        abort();
    for (str line; str_split(&text, '\n', &line);)
        http_read_header(&r, line);
    if (strlen(r.linked_etag) >= sizeof r.linked_etag || r.retry_after_s < 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    read_other_texts((str){(const char *)data, size});
    registry *r = NULL;
    err e = {{0}};
    str json = {(const char *)data, size};
    if (registry_parse(&r, json, "fuzz", &e) != OK) {
        if (!e.text[0]) abort();
        return 0;
    }
    const model_entry *m = registry_default(r);
    if (strchr(m->file, '/') || m->name[0] == '-') abort();
    if (m->sha256[0] && strlen(m->sha256) != 64) abort();
    registry_close(r);
    return 0;
}
