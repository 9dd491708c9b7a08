/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files of any product: what comes out is whole, and secrets stay out of
 * sentences. */
#include "mcp/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *variable(void *ud, const char *name) {
    UNUSED(ud);
    return name[0] == 'T' ? "canary-value" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const products[] = {NULL,     "claude", "cursor",   "vscode",
                                           "gemini", "warp",   "windsurf", "zed"};
    if (!size) return 0;
    /* The fuzzer finds the value in the comparison below, and may write it down itself. */
    bool told = str_find((str){(const char *)data, size}, STR("canary-value")) >= 0;
    mcp_config c;
    err e;
    mcp_config_init(&c);
    status s = mcp_config_read(&c, (str){(const char *)data + 1, size - 1},
                               &(mcp_source){.file = "f",
                                             .product = products[data[0] % COUNTOF(products)],
                                             .workspace = "/w",
                                             .variable = variable},
                               &e);
    ASSERT(s == OK || c.notes.count > 0);
    for (size_t i = 0; i < c.servers.count; i++) {
        const mcp_definition *d = c.servers.at[i];
        char hash[65];
        mcp_definition_hash(d, hash);
        ASSERT(d->problem || d->command || d->url);
        ASSERT(d->line >= 1 && d->column >= 1);
    }
    for (size_t i = 0; i < c.notes.count; i++) {
        ASSERT(c.notes.at[i].line >= 1 && c.notes.at[i].column >= 1);
        ASSERT(told || !strstr(c.notes.at[i].text, "canary-value"));
    }
    mcp_config_deinit(&c);
    return 0;
}
