/* SPDX-License-Identifier: Apache-2.0 */
/* inlined mcp export --format PRODUCT [SERVER ...]: the configuration as another product's file, on
 * standard output; what could not be said goes to standard error.  Thread: main. */
#include <limits.h>
#include <unistd.h>

#include "lsp/cli_mcp.h"
#include "lsp/cli_term.h"
#include "mcp/export.h"

static status read_all(mcp_config *c, const cli_args *a, const char *workspace, err *e) {
    if (a->file) return mcp_config_read_path(c, a->file, MCP_USER, workspace, e);
    mcp_config_discover(c, workspace);
    return OK;
}

static status check_names(const mcp_config *c, const cli_args *a, err *e) {
    for (int i = 1; i < a->n_operands; i++)
        if (strcmp(a->operands[i], "inlined") != 0 && !mcp_config_find(c, a->operands[i]))
            return err_set(e, ERR_USAGE, "no MCP server \"%.80s\" is configured", a->operands[i]);
    return OK;
}

status cli_mcp_export(const cli_args *a, err *e) {
    if (!a->format)
        return err_set(e, ERR_USAGE,
                       "mcp export takes --format claude, codex, cursor, vscode, "
                       "warp or zed");
    char workspace[PATH_MAX], self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0 || !getcwd(workspace, sizeof workspace))
        return err_set(e, ERR_IO, "the current folder cannot be read");
    self[n] = 0;
    exporter x;
    status s = exporter_init(&x, a->format, workspace, getenv("HOME"), e);
    if (s != OK) return s;
    mcp_config c;
    mcp_config_init(&c);
    c.keep = exporter_keep;
    c.keep_ud = &x;
    strbuf out;
    strbuf_init(&out, 1u << 24);
    s = read_all(&c, a, workspace, e);
    if (s == OK) s = check_names(&c, a, e);
    if (s == OK) {
        exporter_write(&x, &c, self, &a->operands[1], (size_t)(a->n_operands - 1), &out);
        if (x.notes.len) fprintf(stderr, "%s", x.notes.ptr);
        s = term_write(strbuf_str(&out), e);
    }
    strbuf_deinit(&out);
    mcp_config_deinit(&c);
    exporter_deinit(&x);
    return s;
}
