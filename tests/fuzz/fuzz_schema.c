/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON Schema from a server: it becomes a grammar or is refused, and what the grammar lets
 * through is JSON.  The first four bytes choose the walk. */
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "engine/base/mem.h"
#include "lsp/json_grammar.h"
#include "tests/lsp/schema_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 4 || size > 65536) return 0;
    uint32_t seed;
    memcpy(&seed, data, 4);
    cJSON *schema = cJSON_ParseWithLength((const char *)data + 4, size - 4);
    strbuf out, loose;
    strbuf_init(&out, 4096);
    strbuf_init(&loose, 1000);
    grammar *g = grammar_new();
    if (schema && grammar_start(g, json_grammar_value(g, schema, &loose)) &&
        schema_walk(g, &seed, &out, 200)) {
        cJSON *v = cJSON_Parse(out.ptr ? out.ptr : "");
        if (!v) abort();
        cJSON_Delete(v);
    }
    grammar_release(g);
    strbuf_deinit(&out);
    strbuf_deinit(&loose);
    cJSON_Delete(schema);
    return 0;
}
