/* SPDX-License-Identifier: Apache-2.0 */
/* Which files describe the MCP servers of a workspace, and where the host keeps its own.
 * Blocks for small local files; called at start and by the command line.  Thread: any. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "mcp/config.h"

/* Files of a project, weakest first; every server in them needs an approval. */
static const struct {
    const char *path, *product;
} PROJECT_FILES[] = {
    {".zed/settings.json", "zed"},     {".gemini/settings.json", "gemini"},
    {".warp/.mcp.json", "warp"},       {".cursor/mcp.json", "cursor"},
    {".vscode/mcp.json", "vscode"},    {".mcp.json", NULL},
};

static const char *from_environment(void *ud, const char *name) {
    UNUSED(ud);
    return getenv(name);
}

static status read_as(mcp_config *c, const char *path, const char *product, mcp_scope scope,
                      const char *workspace, err *e) {
    return mcp_config_read_file(c,
                                &(mcp_source){.file = path,
                                              .product = product,
                                              .scope = scope,
                                              .workspace = workspace,
                                              .home = getenv("HOME"),
                                              .variable = from_environment},
                                e);
}

status mcp_config_read_path(mcp_config *c, const char *path, mcp_scope scope,
                            const char *workspace, err *e) {
    return read_as(c, path, NULL, scope, workspace, e);
}

/* What is wrong with it becomes a note. */
static void read_one(mcp_config *c, const char *path, const char *product, mcp_scope scope,
                     const char *workspace) {
    err e;
    if (access(path, F_OK) != 0 || read_as(c, path, product, scope, workspace, &e) == OK) return;
    c->broken++;
    log_info("mcp", "a configuration is left out: %s", e.text);
}

char *mcp_folder(mcp_folder_kind kind) {
    static const struct {
        const char *variable, *below_home, *rest;
    } places[] = {
        [MCP_FOLDER_CONFIG] = {"XDG_CONFIG_HOME", ".config", "inlined"},
        [MCP_FOLDER_STATE] = {"XDG_STATE_HOME", ".local/state", "inlined/mcp"},
        [MCP_FOLDER_CACHE] = {"XDG_CACHE_HOME", ".cache", "inlined/mcp"},
    };
    const char *base = getenv(places[kind].variable), *home = getenv("HOME");
    strbuf path;
    strbuf_init(&path, 1u << 16);
    if (base && base[0] == '/')
        strbuf_addf(&path, "%s/%s", base, places[kind].rest);
    else if (home && home[0] == '/')
        strbuf_addf(&path, "%s/%s/%s", home, places[kind].below_home, places[kind].rest);
    else
        return NULL;
    return strbuf_take(&path);
}

bool mcp_folder_make(const char *path) {
    char *copy = xstrdup(path);
    bool good = true;
    for (char *p = copy + 1; good && *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        good = mkdir(copy, 0700) == 0 || errno == EEXIST || errno == EACCES || errno == EROFS;
        *p = '/';
    }
    good = mkdir(copy, 0700) == 0 || errno == EEXIST;
    xfree(copy);
    return good;
}

/* The user's own first, then those of the workspace. */
char **mcp_config_files(const char *workspace) {
    char **files = xcalloc(COUNTOF(PROJECT_FILES) + 2, sizeof *files);
    char *folder = mcp_folder(MCP_FOLDER_CONFIG);
    size_t n = 0;
    strbuf path;
    strbuf_init(&path, 1u << 16);
    if (folder) {
        strbuf_addf(&path, "%s/mcp.json", folder);
        files[n++] = strbuf_take(&path);
    }
    for (size_t i = 0; workspace && i < COUNTOF(PROJECT_FILES); i++) {
        strbuf_addf(&path, "%s/%s", workspace, PROJECT_FILES[i].path);
        files[n++] = strbuf_take(&path);
    }
    strbuf_deinit(&path);
    xfree(folder);
    return files;
}

void mcp_config_discover(mcp_config *c, const char *workspace) {
    char *folder = mcp_folder(MCP_FOLDER_CONFIG);
    strbuf path;
    strbuf_init(&path, 1u << 16);
    if (folder) {
        strbuf_addf(&path, "%s/mcp.json", folder);
        read_one(c, path.ptr, NULL, MCP_USER, workspace);
    }
    xfree(folder);
    for (size_t i = 0; workspace && i < COUNTOF(PROJECT_FILES); i++) {
        strbuf_clear(&path);
        strbuf_addf(&path, "%s/%s", workspace, PROJECT_FILES[i].path);
        read_one(c, path.ptr, PROJECT_FILES[i].product, MCP_PROJECT, workspace);
    }
    strbuf_deinit(&path);
}
