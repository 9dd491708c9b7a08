/* SPDX-License-Identifier: Apache-2.0 */
/* Approvals and pins in one JSON file.
 *
 *     {"servers": {HASH: NAME}, "tools": {HASH: {PIN: NAME}}, "pins": {HASH: {NAME: PIN}}}
 *
 * Kept as the parsed object.  Thread: loop. */
#include "mcp/approvals.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/vec.h"
#include "mcp/rpc.h"

struct approvals {
    char *path; /* NULL: nothing is written */
    char *folder;
    cJSON *root, *servers, *tools, *pins;
    bool changed;
};

static cJSON *object_in(cJSON *parent, const char *name) {
    cJSON *o = cJSON_GetObjectItemCaseSensitive(parent, name);
    if (cJSON_IsObject(o)) return o;
    cJSON_DeleteItemFromObjectCaseSensitive(parent, name);
    return cJSON_AddObjectToObject(parent, name);
}

static cJSON *read_root(const char *path) {
    strbuf text;
    strbuf_init(&text, LIMIT_MCP_CONFIG_BYTES);
    err e;
    cJSON *root = NULL;
    status s = file_read(path, LIMIT_MCP_CONFIG_BYTES, &text, &e);
    if (s == OK) s = rpc_parse(text.ptr, text.len, &root, &e);
    if (s != OK && s != ERR_NOT_FOUND) log_warn("mcp", "approvals are lost: %s", e.text);
    strbuf_deinit(&text);
    if (cJSON_IsObject(root)) return root;
    cJSON_Delete(root);
    return cJSON_CreateObject();
}

approvals *approvals_open(const char *folder) {
    approvals *a = xcalloc(1, sizeof *a);
    if (folder) {
        strbuf path;
        strbuf_init(&path, 1u << 16);
        strbuf_addf(&path, "%s/approvals.json", folder);
        a->path = strbuf_take(&path);
        a->folder = xstrdup(folder);
    }
    a->root = a->path ? read_root(a->path) : cJSON_CreateObject();
    a->servers = object_in(a->root, "servers");
    a->tools = object_in(a->root, "tools");
    a->pins = object_in(a->root, "pins");
    return a;
}

void approvals_free(approvals *a) {
    if (!a) return;
    approvals_save(a);
    cJSON_Delete(a->root);
    xfree(a->path);
    xfree(a->folder);
    xfree(a);
}

bool approvals_has_server(const approvals *a, const char *hash) {
    return cJSON_GetObjectItemCaseSensitive(a->servers, hash) != NULL;
}

void approvals_add_server(approvals *a, const char *hash, const char *name) {
    if (approvals_has_server(a, hash)) return;
    cJSON_AddStringToObject(a->servers, hash, name);
    a->changed = true;
}

void approvals_remove_server(approvals *a, const char *hash) {
    cJSON_DeleteItemFromObjectCaseSensitive(a->servers, hash);
    cJSON_DeleteItemFromObjectCaseSensitive(a->tools, hash);
    cJSON_DeleteItemFromObjectCaseSensitive(a->pins, hash);
    a->changed = true;
}

bool approvals_has_tool(const approvals *a, const char *hash, const char *pin) {
    const cJSON *tools = cJSON_GetObjectItemCaseSensitive(a->tools, hash);
    return cJSON_GetObjectItemCaseSensitive(tools, pin) != NULL;
}

void approvals_add_tool(approvals *a, const char *hash, const char *pin, const char *name) {
    if (approvals_has_tool(a, hash, pin)) return;
    cJSON_AddStringToObject(object_in(a->tools, hash), pin, name);
    a->changed = true;
}

const char *approvals_pin(const approvals *a, const char *hash, const char *tool) {
    const cJSON *pins = cJSON_GetObjectItemCaseSensitive(a->pins, hash);
    const cJSON *pin = cJSON_GetObjectItemCaseSensitive(pins, tool);
    return cJSON_IsString(pin) ? pin->valuestring : NULL;
}

void approvals_set_pin(approvals *a, const char *hash, const char *tool, const char *pin) {
    const char *now = approvals_pin(a, hash, tool);
    if (now && strcmp(now, pin) == 0) return;
    cJSON *pins = object_in(a->pins, hash);
    cJSON_DeleteItemFromObjectCaseSensitive(pins, tool);
    cJSON_AddStringToObject(pins, tool, pin);
    a->changed = true;
}

static bool write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    size_t bytes = strlen(text);
    bool good = write(fd, text, bytes) == (ssize_t)bytes && fsync(fd) == 0;
    return close(fd) == 0 && good;
}

void approvals_save(approvals *a) {
    if (!a->changed || !a->path) return;
    strbuf draft;
    strbuf_init(&draft, 1u << 16);
    strbuf_addf(&draft, "%s.%ld", a->path, (long)getpid());
    char *text = cJSON_PrintUnformatted(a->root);
    mkdir(a->folder, 0700);
    if (write_file(draft.ptr, text) && rename(draft.ptr, a->path) == 0)
        a->changed = false;
    else
        log_warn("mcp", "cannot write the approvals");
    cJSON_free(text);
    strbuf_deinit(&draft);
}
