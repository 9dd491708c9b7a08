/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The configured servers as another product's file.  Variables stay variables, in that product's
 * dialect: no value of one is written.  Thread: any.
 *
 *     exporter_init(&x, "codex", ...); config.keep = exporter_keep; config.keep_ud = &x;
 *     (read the configuration)  exporter_write(&x, &config, ...); exporter_deinit(&x);
 */
#include <cjson/cJSON.h>

#include "mcp/config.h"

typedef enum {
    EXPORT_CLAUDE,
    EXPORT_CODEX,
    EXPORT_CURSOR,
    EXPORT_VSCODE,
    EXPORT_WARP,
    EXPORT_ZED,
} export_format;

typedef struct {
    export_format format;
    const char *workspace, *home; /* borrowed; NULL: not known */
    cJSON *inputs;                /* ids that VS Code will ask for */
    strbuf notes;                 /* what could not be said, a line each; never a value */
} exporter;

/* ERR_USAGE: no such format. */
status exporter_init(exporter *x, const char *format, const char *workspace, const char *home,
                     err *e) MUST_USE;
void exporter_deinit(exporter *x);
/* mcp_config.keep */
void exporter_keep(void *exporter, strbuf *out, mcp_variable kind, const char *name,
                   const char *otherwise);
/* Appends the file: our own server (`self`: the program, or NULL) and those of `c` whose names are
 * among `names` (n == 0: all). */
void exporter_write(exporter *x, const mcp_config *c, const char *self, const char *const *names,
                    size_t n, strbuf *out);
