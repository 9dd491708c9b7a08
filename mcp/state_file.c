/* SPDX-License-Identifier: Apache-2.0 */
/* Drafts are written beside the file and renamed over it, so that no reader sees half of one. */
#include "mcp/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "mcp/config.h"
#include "mcp/rpc.h"

char *state_path(const char *folder, const char *name) {
    if (!folder) return NULL;
    strbuf path;
    strbuf_init(&path, 1u << 16);
    strbuf_addf(&path, "%s/%s", folder, name);
    return strbuf_take(&path);
}

cJSON *state_read(const char *path) {
    strbuf text;
    strbuf_init(&text, LIMIT_MCP_CONFIG_BYTES);
    err e;
    cJSON *root = NULL;
    status s = file_read(path, LIMIT_MCP_CONFIG_BYTES, &text, &e);
    char none[1] = {0};
    if (s == OK) s = rpc_parse(text.ptr ? text.ptr : none, text.len, &root, &e);
    if (s != OK && s != ERR_NOT_FOUND) log_warn("mcp", "%s cannot be read: %s", path, e.text);
    strbuf_deinit(&text);
    if (cJSON_IsObject(root)) return root;
    cJSON_Delete(root);
    return cJSON_CreateObject();
}

static bool write_all(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return false;
    size_t bytes = strlen(text);
    bool good = write(fd, text, bytes) == (ssize_t)bytes && fsync(fd) == 0;
    return close(fd) == 0 && good;
}

static void make_folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? xstrndup(path, (size_t)(slash - path)) : NULL;
    if (folder) mcp_folder_make(folder);
    xfree(folder);
}

bool state_write(const char *path, const cJSON *root) {
    strbuf draft;
    strbuf_init(&draft, 1u << 16);
    strbuf_addf(&draft, "%s.%ld", path, (long)getpid());
    char *text = cJSON_PrintUnformatted(root);
    make_folder_of(path);
    bool good = write_all(draft.ptr, text) && rename(draft.ptr, path) == 0;
    if (!good) {
        log_warn("mcp", "%s cannot be written: %s", path, strerror(errno));
        unlink(draft.ptr);
    }
    cJSON_free(text);
    strbuf_deinit(&draft);
    return good;
}

int state_lock(const char *path) {
    strbuf name;
    strbuf_init(&name, 1u << 16);
    strbuf_addf(&name, "%s.lock", path);
    make_folder_of(path);
    int fd = open(name.ptr, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    strbuf_deinit(&name);
    /* The holder only reads and renames one small file: it does not keep us waiting. */
    if (fd >= 0 && flock(fd, LOCK_EX) == 0) return fd;
    state_unlock(fd);
    return -1;
}

void state_unlock(int lock) {
    if (lock >= 0) close(lock);
}

cJSON *state_object(cJSON *parent, const char *name) {
    cJSON *o = cJSON_GetObjectItemCaseSensitive(parent, name);
    if (cJSON_IsObject(o)) return o;
    cJSON_DeleteItemFromObjectCaseSensitive(parent, name);
    return cJSON_AddObjectToObject(parent, name);
}
