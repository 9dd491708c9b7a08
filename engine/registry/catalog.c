/* SPDX-License-Identifier: Apache-2.0 */
/* The list of known models: the embedded JSON and the user's additions, merged by name.
 *
 * Invariants of an open registry: names are unique, default_name is one of them, every text was
 * checked by entry.c (so a name or a file is safe to put into a path or a command line).
 */
#include "engine/registry/catalog.h"

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/nearest.h"
#include "engine/registry/folder.h"
#include "engine/registry/own.h"

static status add_list(registry *r, str json, const char *origin, err *e);
static status add_own_list(registry *r, err *e);
static status add_user_list(registry *r, err *e);
static status check_default(const registry *r, const char *origin, err *e);

status registry_open(registry **out, err *e) {
    registry *r = xcalloc(1, sizeof *r);
    arena_init(&r->strings);
    str embedded = {(const char *)models_json, models_json_bytes};
    status s = add_list(r, embedded, "models.json", e);
    if (s == OK) s = add_own_list(r, e);
    if (s == OK) s = add_user_list(r, e);
    if (s == OK) s = check_default(r, "models.json", e);
    for (size_t i = 0; s == OK && i < r->models.count; i++)
        r->models.at[i].endpoint = r->endpoint ? r->endpoint : "";
    if (s != OK) {
        registry_close(r);
        return s;
    }
    *out = r;
    return OK;
}

status registry_parse(registry **out, str json, const char *origin, err *e) {
    registry *r = xcalloc(1, sizeof *r);
    arena_init(&r->strings);
    status s = add_list(r, json, origin, e);
    if (s == OK) s = check_default(r, origin, e);
    if (s != OK) {
        registry_close(r);
        return s;
    }
    *out = r;
    return OK;
}

void registry_close(registry *r) {
    if (!r) return;
    vec_free(&r->models);
    arena_deinit(&r->strings);
    xfree(r);
}

size_t registry_count(const registry *r) {
    return r->models.count;
}

const model_entry *registry_at(const registry *r, size_t index) {
    ASSERT(index < r->models.count);
    return &r->models.at[index];
}

const model_entry *registry_find(const registry *r, const char *name) {
    if (strcmp(name, "default") == 0) name = r->default_name;
    for (size_t i = 0; i < r->models.count; i++) {
        if (strcmp(r->models.at[i].name, name) == 0) return &r->models.at[i];
    }
    return NULL;
}

const model_entry *registry_default(const registry *r) {
    const model_entry *m = registry_find(r, r->default_name);
    ASSERT(m);
    return m;
}

const char *registry_nearest(const registry *r, const char *name) {
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < r->models.count; i++) {
        str known = str_of(r->models.at[i].name), typed = str_of(name);
        size_t d = name_distance(typed, known);
        /* Most people remember the family, not the tail: "smollm2" means smollm2-135m-instruct. */
        if (typed.len >= 4 && str_starts_with(known, typed)) d = 0;
        if (d < least && (d == 0 || name_is_near(typed, d))) {
            least = d;
            best = r->models.at[i].name;
        }
    }
    return best;
}

static void put(registry *r, const model_entry *m) {
    for (size_t i = 0; i < r->models.count; i++) {
        if (strcmp(r->models.at[i].name, m->name) == 0) {
            r->models.at[i] = *m;
            return;
        }
    }
    vec_push(&r->models, *m);
}

static status add_models(registry *r, const cJSON *models, const char *origin, err *e) {
    if (!cJSON_IsArray(models)) {
        return err_set(e, ERR_FORMAT, "%s: \"models\" must be a list of models", origin);
    }
    size_t index = 0;
    for (const cJSON *item = models->child; item; item = item->next, index++) {
        model_entry m;
        status s = entry_read(item, &r->strings, &m, e);
        if (s != OK) return err_prefix(e, s, "%s: models[%zu]", origin, index);
        m.added = r->reads_added;
        put(r, &m);
        if (r->models.count > LIMIT_REGISTRY_MODELS) {
            return err_set(e, ERR_LIMIT, "%s: more than %d models", origin, LIMIT_REGISTRY_MODELS);
        }
    }
    return OK;
}

static status add_list(registry *r, str json, const char *origin, err *e) {
    if (json.len > LIMIT_REGISTRY_BYTES) {
        return err_set(e, ERR_LIMIT, "%s is larger than %u bytes", origin, LIMIT_REGISTRY_BYTES);
    }
    const char *stopped = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(json.ptr ? json.ptr : "", json.len, &stopped, false);
    const cJSON *chosen = cJSON_GetObjectItemCaseSensitive(root, "default");
    const cJSON *endpoint = cJSON_GetObjectItemCaseSensitive(root, "endpoint");
    status s = OK;
    if (!cJSON_IsObject(root)) {
        size_t at = stopped && json.ptr ? (size_t)(stopped - json.ptr) : 0;
        s = err_set(e, ERR_FORMAT, "%s is not a JSON object (byte %zu)", origin, at);
        goto done;
    }
    if (chosen && !cJSON_IsString(chosen)) {
        s = err_set(e, ERR_FORMAT, "%s: \"default\" must be the name of a model", origin);
        goto done;
    }
    if (endpoint && !cJSON_IsString(endpoint)) {
        s = err_set(e, ERR_FORMAT, "%s: \"endpoint\" must be an address", origin);
        goto done;
    }
    if (endpoint) r->endpoint = arena_str(&r->strings, str_of(endpoint->valuestring)).ptr;
    if (chosen) r->default_name = arena_str(&r->strings, str_of(chosen->valuestring)).ptr;
    s = add_models(r, cJSON_GetObjectItemCaseSensitive(root, "models"), origin, e);
done:
    cJSON_Delete(root);
    return s;
}

/* The files that were added. */
static status add_own_list(registry *r, err *e) {
    char *path = NULL;
    strbuf text;
    strbuf_init(&text, LIMIT_REGISTRY_BYTES);
    status s = own_read(&text, &path, e);
    r->reads_added = true;
    if (s == OK) s = add_list(r, strbuf_str(&text), path, e);
    r->reads_added = false;
    if (s == ERR_NOT_FOUND) s = OK;
    strbuf_deinit(&text);
    xfree(path);
    return s;
}

/* $XDG_CONFIG_HOME/inlined/models.json; that it is absent is the normal case. */
static status add_user_list(registry *r, err *e) {
    char *path = folder_user("XDG_CONFIG_HOME", ".config", "inlined/models.json");
    if (!path) return OK;
    strbuf text;
    strbuf_init(&text, LIMIT_REGISTRY_BYTES);
    status s = file_read(path, LIMIT_REGISTRY_BYTES, &text, e);
    if (s == OK)
        s = add_list(r, strbuf_str(&text), path, e);
    else if (s == ERR_NOT_FOUND)
        s = OK;
    strbuf_deinit(&text);
    xfree(path);
    return s;
}

static status check_default(const registry *r, const char *origin, err *e) {
    if (r->default_name && strcmp(r->default_name, "default") != 0 &&
        registry_find(r, r->default_name)) {
        return OK;
    }
    return err_set(e, ERR_FORMAT, "%s: \"default\" must name one of the models", origin);
}
