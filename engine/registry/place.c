/* SPDX-License-Identifier: Apache-2.0 */
/* Where a model's file lies and whether it is whole: paths, presence by size, verification by hash.
 * Thread: any; registry_verify blocks for as long as the file takes to read. */
#include "engine/registry/place.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/registry.h"
#include "engine/registry/folder.h"
#include "engine/registry/hub.h"
#include "engine/registry/record.h"

#define READ_BYTES (1u << 20)

status registry_folder(char **out, err *e) {
    char *path = folder_user("XDG_DATA_HOME", ".local/share", "inlined/models");
    if (!path) {
        return err_set(e, ERR_NOT_FOUND,
                       "no place for models: set HOME or XDG_DATA_HOME to an absolute path");
    }
    *out = path;
    return OK;
}

status registry_path(const model_entry *m, char **out, err *e) {
    char *folder = NULL;
    status s = registry_folder(&folder, e);
    if (s == OK) *out = folder_join(folder, m->file);
    xfree(folder);
    return s;
}

bool registry_facts(const model_entry *m, model_facts *out) {
    *out = (model_facts){.bytes = m->bytes};
    memcpy(out->sha256, m->sha256, sizeof out->sha256);
    if (m->bytes && m->sha256[0]) return true;
    char *folder = NULL;
    err ignored;
    bool known = registry_folder(&folder, &ignored) == OK && record_read(folder, m->file, out);
    /* A list that got to know more than it did then wins over the record. */
    if (m->bytes && m->bytes != out->bytes) known = false;
    if (m->sha256[0] && strcmp(m->sha256, out->sha256) != 0) known = false;
    xfree(folder);
    return known;
}

uint64_t registry_part_bytes(const model_entry *m) {
    char *folder = NULL;
    err ignored;
    uint64_t bytes = 0;
    if (registry_folder(&folder, &ignored) == OK) bytes = hub_part_bytes(folder, m->name);
    xfree(folder);
    return bytes;
}

model_presence registry_presence(const model_entry *m, uint64_t *have_bytes) {
    uint64_t have = 0;
    model_presence p = MODEL_ABSENT;
    char *path = NULL;
    err ignored;
    struct stat st;
    if (registry_path(m, &path, &ignored) == OK && stat(path, &st) == 0) {
        model_facts want;
        have = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
        p = registry_facts(m, &want) && have == want.bytes ? MODEL_PRESENT : MODEL_DAMAGED;
    }
    xfree(path);
    if (have_bytes) *have_bytes = have;
    return p;
}

static status say_damaged(const model_entry *m, uint64_t have, err *e) {
    model_facts want;
    if (!registry_facts(m, &want))
        return err_set(e, ERR_FORMAT,
                       "nobody knows what %s should hold (its record is missing); run: inlined "
                       "models pull %s",
                       m->file, m->name);
    return err_set(e, ERR_FORMAT,
                   "the file of the model %s is damaged (%llu of %llu bytes); run: inlined "
                   "models pull %s",
                   m->name, (unsigned long long)have, (unsigned long long)want.bytes, m->name);
}

static status resolve_entry(const model_entry *m, char **path, char **name, err *e) {
    uint64_t have = 0;
    switch (registry_presence(m, &have)) {
    case MODEL_ABSENT:
        return err_set(e, ERR_NOT_FOUND,
                       "the model %s is not here yet; run: inlined models pull %s", m->name,
                       m->name);
    case MODEL_DAMAGED: return say_damaged(m, have, e);
    case MODEL_PRESENT: break;
    }
    status s = registry_path(m, path, e);
    if (s == OK) *name = xstrdup(m->name);
    return s;
}

static status resolve_file(const char *given, char **path, char **name, err *e) {
    struct stat st;
    if (stat(given, &st) != 0) {
        return err_set(e, ERR_NOT_FOUND, "no model file %s: %s", given, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) return err_set(e, ERR_FORMAT, "%s is not a model file", given);
    *path = xstrdup(given);
    const char *slash = strrchr(given, '/');
    *name = xstrdup(slash ? slash + 1 : given);
    return OK;
}

status registry_resolve(const registry *r, const char *name_or_path, char **path, char **name,
                        err *e) {
    const char *given = name_or_path && name_or_path[0] ? name_or_path : "default";
    const model_entry *m = registry_find(r, given);
    if (m) return resolve_entry(m, path, name, e);
    if (strchr(given, '/') || str_ends_with(str_of(given), STR(".gguf"))) {
        return resolve_file(given, path, name, e);
    }
    const char *near = registry_nearest(r, given);
    if (near) {
        return err_set(e, ERR_NOT_FOUND, "no model is called %s; did you mean %s?", given, near);
    }
    return err_set(e, ERR_NOT_FOUND,
                   "no model is called %s; inlined models list shows them, a path to a .gguf works "
                   "too",
                   given);
}

static bool is_cancelled(const pull_hooks *h) {
    return h && h->cancelled && h->cancelled(h->ud);
}

static status hash_open_file(int fd, const char *path, uint64_t all, const pull_hooks *hooks,
                             char hex[static 65], err *e) {
    uint8_t *buffer = xmalloc(READ_BYTES);
    sha256 h;
    sha256_init(&h);
    status s = OK;
    for (uint64_t done = 0; s == OK;) {
        ssize_t n = read(fd, buffer, READ_BYTES);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) s = err_set(e, ERR_IO, "cannot read %s: %s", path, strerror(errno));
        if (n <= 0) break;
        sha256_add(&h, buffer, (size_t)n);
        done += (uint64_t)n;
        if (hooks && hooks->progress) hooks->progress(hooks->ud, PULL_CHECKING, done, all);
        if (is_cancelled(hooks)) s = err_set(e, ERR_CANCELLED, "cancelled");
    }
    sha256_hex(&h, hex);
    xfree(buffer);
    return s;
}

status registry_hash_file(const char *path, uint64_t all, const pull_hooks *hooks,
                          char hex[static 65], err *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_set(e, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    status s = hash_open_file(fd, path, all, hooks, hex, e);
    close(fd);
    return s;
}

status registry_check_file(const char *path, const model_entry *m, const pull_hooks *hooks,
                           err *e) {
    model_facts want;
    char hex[65];
    if (!registry_facts(m, &want)) return say_damaged(m, 0, e);
    status s = registry_hash_file(path, want.bytes, hooks, hex, e);
    if (s == OK && strcmp(hex, want.sha256) != 0) {
        s = err_set(e, ERR_FORMAT,
                    "the file of the model %s is damaged (wrong SHA-256); run: inlined models pull "
                    "%s",
                    m->name, m->name);
    }
    return s;
}

status registry_verify(const model_entry *m, const pull_hooks *hooks, err *e) {
    char *path = NULL, *name = NULL;
    status s = resolve_entry(m, &path, &name, e);
    if (s == OK) s = registry_check_file(path, m, hooks, e);
    xfree(path);
    xfree(name);
    return s;
}
