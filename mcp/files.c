/* SPDX-License-Identifier: Apache-2.0 */
/* Which files describe the MCP servers of a workspace, and where the host keeps its own.
 * Blocks for small local files; called at start and by the command line.  Thread: any. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "mcp/config.h"
#include "mcp/config_tree.h"

/* Files of a project, weakest first; every server in them needs an approval. */
static const struct {
    const char *path, *product;
} PROJECT_FILES[] = {
    {".codex/config.toml", "codex"},
    {".zed/settings.json", "zed"},
    {".gemini/settings.json", "gemini"},
    {".warp/.mcp.json", "warp"},
    {".cursor/mcp.json", "cursor"},
    {".vscode/mcp.json", "vscode"},
    {".mcp.json", NULL},
};

/* Files of a user's other programs, below the home; read only when our own file asks for them, and
 * their servers need an approval, too. */
static const struct {
    const char *product, *path;
} OTHER_FILES[] = {
    {"claude", ".claude.json"},
    {"claude-desktop", ".config/Claude/claude_desktop_config.json"},
    {"codex", ".codex/config.toml"},
    {"copilot", ".copilot/mcp-config.json"},
    {"cursor", ".cursor/mcp.json"},
    {"gemini", ".gemini/settings.json"},
    {"goose", ".config/goose/config.yaml"},
    {"lmstudio", ".lmstudio/mcp.json"},
    {"vscode", ".config/Code/User/mcp.json"},
    {"warp", ".warp/.mcp.json"},
    {"windsurf", ".codeium/windsurf/mcp_config.json"},
    {"zed", ".config/zed/settings.json"},
};

/* ${input:my-id} is INLINED_INPUT_my_id in the environment. */
static const char *from_inputs(void *ud, const char *id) {
    char name[128] = "INLINED_INPUT_";
    size_t n = strlen(name);
    UNUSED(ud);
    for (; *id && n + 1 < sizeof name; id++) {
        bool plain =
            (*id >= 'a' && *id <= 'z') || (*id >= 'A' && *id <= 'Z') || (*id >= '0' && *id <= '9');
        name[n++] = plain ? *id : '_';
    }
    return getenv(name);
}

static status read_variables(void *ud, const char *path, strbuf *out, err *e) {
    UNUSED(ud);
    return file_read(path, LIMIT_MCP_CONFIG_BYTES, out, e);
}

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
                                              .variable = from_environment,
                                              .input = from_inputs,
                                              .read = read_variables,
                                              .keep = c->keep,
                                              .ud = c->keep_ud},
                                e);
}

status mcp_config_read_path(mcp_config *c, const char *path, mcp_scope scope, const char *workspace,
                            err *e) {
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

char *mcp_memory_file(void) {
    const char *named = getenv("MEMORY_FILE_PATH");
    char *folder = named ? NULL : mcp_folder(MCP_FOLDER_STATE);
    strbuf path;
    strbuf_init(&path, 1u << 16);
    if (named || folder)
        strbuf_addf(&path, "%s%s", named ? named : folder, named ? "" : "/memory.jsonl");
    xfree(folder);
    return path.len ? strbuf_take(&path) : NULL;
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

static void read_other(mcp_config *c, const char *product, const char *workspace) {
    const char *home = getenv("HOME");
    strbuf path;
    strbuf_init(&path, 1u << 16);
    for (size_t i = 0; home && i < COUNTOF(OTHER_FILES); i++) {
        if (strcmp(OTHER_FILES[i].product, product) != 0) continue;
        strbuf_addf(&path, "%s/%s", home, OTHER_FILES[i].path);
        read_one(c, path.ptr, product, MCP_IMPORTED, workspace);
    }
    if (home && !path.len)
        log_warn("mcp", "x-host.import names no product that is known: %s", product);
    strbuf_deinit(&path);
}

/* {"x-host": {"import": ["codex", ...]}} at the top of our own file. */
static void read_others(mcp_config *c, const char *own, const char *workspace) {
    strbuf text;
    strbuf_init(&text, LIMIT_MCP_CONFIG_BYTES);
    config_tree d;
    size_t offset;
    if (file_read(own, LIMIT_MCP_CONFIG_BYTES, &text, NULL) == OK &&
        config_tree_read(&d, strbuf_str(&text), &offset, NULL) == OK) {
        const cJSON *x = cJSON_GetObjectItemCaseSensitive(d.root, "x-host"), *product;
        cJSON_ArrayForEach(
            product, cJSON_GetObjectItemCaseSensitive(x, "import")) if (cJSON_IsString(product))
            read_other(c, product->valuestring, workspace);
        config_tree_free(&d);
    }
    strbuf_deinit(&text);
}

void mcp_config_discover(mcp_config *c, const char *workspace) {
    char *folder = mcp_folder(MCP_FOLDER_CONFIG);
    strbuf path;
    strbuf_init(&path, 1u << 16);
    if (folder) {
        strbuf_addf(&path, "%s/mcp.json", folder);
        read_one(c, path.ptr, NULL, MCP_USER, workspace);
        read_others(c, path.ptr, workspace);
    }
    xfree(folder);
    for (size_t i = 0; workspace && i < COUNTOF(PROJECT_FILES); i++) {
        strbuf_clear(&path);
        strbuf_addf(&path, "%s/%s", workspace, PROJECT_FILES[i].path);
        read_one(c, path.ptr, PROJECT_FILES[i].product, MCP_PROJECT, workspace);
    }
    strbuf_deinit(&path);
}
