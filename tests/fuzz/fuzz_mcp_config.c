/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files of any product: what comes out is whole, and secrets stay out of
 * sentences. */
#include "mcp/export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *variable(void *ud, const char *name) {
    UNUSED(ud);
    return name[0] == 'T' ? "canary-value" : NULL;
}

/* An export has no values, and can be read again. */
static void export_as(const uint8_t *data, size_t size, const char *product, const char *format,
                      bool told) {
    exporter x;
    err e;
    status s = exporter_init(&x, format, "/w", "/h", &e);
    ASSERT(s == OK);
    mcp_config c, again;
    mcp_config_init(&c);
    mcp_config_init(&again);
    strbuf out;
    strbuf_init(&out, 1u << 24);
    mcp_source from = {.file = "f",
                       .product = product,
                       .workspace = "/w",
                       .variable = variable,
                       .keep = exporter_keep,
                       .ud = &x};
    if (mcp_config_read(&c, (str){(const char *)data + 1, size - 1}, &from, &e) == OK) {
        exporter_write(&x, &c, "/self", NULL, 0, &out);
        ASSERT(told || !strstr(out.ptr, "canary-value"));
        from.keep = NULL;
        from.product = format;
        s = mcp_config_read(&again, strbuf_str(&out), &from, &e);
        if (s != OK) fprintf(stderr, "%s\n%s\n", e.text, out.ptr);
        ASSERT(s == OK);
        ASSERT(again.servers.count >= 1);
    }
    mcp_config_deinit(&c);
    mcp_config_deinit(&again);
    exporter_deinit(&x);
    strbuf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const products[] = {NULL,   "claude",   "cursor", "vscode", "gemini",
                                           "warp", "windsurf", "zed",    "codex",  "goose"};
    static const char *const formats[] = {"claude", "codex", "cursor", "vscode", "warp", "zed"};
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
    export_as(data, size, products[data[0] % COUNTOF(products)],
              formats[data[0] % COUNTOF(formats)], told);
    return 0;
}
