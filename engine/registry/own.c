/* SPDX-License-Identifier: Apache-2.0 */
/* People's own files: added as a link in the models folder and an entry in added.json, and removed
 * again.
 *
 * Invariants: (1) a file that somebody added is never changed, moved or deleted, only the link to
 * it; (2) added.json appears by rename, under its lock; (3) what this program did not make, it does
 * not remove: only links of added models, files of the list that it fetched, their records and
 * parts. */
#include "engine/registry/own.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/inspect.h"
#include "engine/registry/folder.h"
#include "engine/registry/hub.h"
#include "engine/registry/lock.h"
#include "engine/registry/place.h"
#include "engine/registry/record.h"

static const char *const LIST = "added.json";

/* ---- the list -------------------------------------------------------------------------------- */

status own_read(strbuf *text, char **path, err *e) {
    char *folder = NULL;
    status s = registry_folder(&folder, e);
    if (s != OK) return ERR_NOT_FOUND; /* no home: nothing can have been added */
    char *file = folder_join(folder, LIST);
    s = file_read(file, LIMIT_REGISTRY_BYTES, text, e);
    xfree(folder);
    if (path && s != ERR_NOT_FOUND)
        *path = file;
    else
        xfree(file);
    return s;
}

/* The list without the model `name`, and with `entry` (taken; may be NULL). */
static status change_list(const char *folder, const char *name, cJSON *entry, err *e) {
    int lock = -1;
    strbuf text;
    strbuf_init(&text, LIMIT_REGISTRY_BYTES);
    status s = lock_take(folder, "added", NULL, &lock, e);
    if (s == OK) s = own_read(&text, NULL, e);
    if (s == ERR_NOT_FOUND) s = OK;
    cJSON *root = text.len ? cJSON_ParseWithLength(text.ptr, text.len) : cJSON_CreateObject();
    cJSON *models = cJSON_GetObjectItemCaseSensitive(root, "models");
    if (!models && cJSON_IsObject(root)) models = cJSON_AddArrayToObject(root, "models");
    if (s == OK && !cJSON_IsArray(models))
        s = err_set(e, ERR_FORMAT, "%s/%s is not what this program wrote", folder, LIST);
    int count = s == OK ? cJSON_GetArraySize(models) : 0;
    for (int i = count - 1; i >= 0; i--) {
        const cJSON *have = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(models, i), "name");
        if (cJSON_IsString(have) && strcmp(have->valuestring, name) == 0)
            cJSON_DeleteItemFromArray(models, i);
    }
    if (s == OK && entry)
        cJSON_AddItemToArray(models, entry);
    else
        cJSON_Delete(entry);
    char *printed = s == OK ? cJSON_Print(root) : NULL;
    if (s == OK) s = folder_write(folder, LIST, str_of(printed), e);
    cJSON_free(printed);
    cJSON_Delete(root);
    strbuf_deinit(&text);
    if (lock >= 0) close(lock);
    return s;
}

/* ---- adding ---------------------------------------------------------------------------------- */

const char *registry_tier(uint64_t memory_bytes) {
    return memory_bytes <= 1500000000    ? "tiny"
           : memory_bytes <= 5000000000  ? "small"
           : memory_bytes <= 14000000000 ? "medium"
                                         : "large";
}

/* A name out of a file's: what a name may not hold becomes a dash. */
static void name_of(const char *file, char *out, size_t size) {
    const char *slash = strrchr(file, '/');
    str stem = str_of(slash ? slash + 1 : file);
    if (str_ends_with(stem, STR(".gguf"))) stem.len -= 5;
    size_t n = 0;
    for (size_t i = 0; i < stem.len && n + 1 < size; i++) {
        char c = (char)tolower((unsigned char)stem.ptr[i]);
        bool fits = isalnum((unsigned char)c) || (n > 0 && strchr("._+-", c));
        if (fits || n > 0) out[n++] = fits ? c : '-';
    }
    out[n] = '\0';
}

static void text_of_parameters(uint64_t n, char *out, size_t size) {
    if (n >= 1000000000)
        snprintf(out, size, "%.1fB", (double)n / 1e9);
    else
        snprintf(out, size, "%.0fM", (double)n / 1e6);
}

static cJSON *entry_json(const added_model *m) {
    static const char *const kinds[] = {[FIM_NONE] = "none", [FIM_PSM] = "psm", [FIM_SPM] = "spm"};
    const engine_outline *o = &m->outline;
    char file[LIMIT_REGISTRY_NAME_BYTES + 8], parameters[16];
    snprintf(file, sizeof file, "%s.gguf", m->name);
    text_of_parameters(o->parameters, parameters, sizeof parameters);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", m->name);
    cJSON_AddStringToObject(json, "file", file);
    cJSON_AddStringToObject(json, "architecture", o->arch);
    cJSON_AddStringToObject(json, "tier", registry_tier(added_memory(m)));
    cJSON_AddStringToObject(json, "parameters", parameters);
    cJSON_AddStringToObject(json, "quantisation", o->quant);
    cJSON_AddStringToObject(json, "licence", o->licence);
    cJSON_AddStringToObject(json, "fim", kinds[o->fim]);
    cJSON_AddNumberToObject(json, "bytes", (double)o->file_bytes);
    cJSON_AddStringToObject(json, "sha256", m->sha256);
    cJSON_AddNumberToObject(json, "context_tokens", MAX(o->context_trained, 1));
    cJSON_AddNumberToObject(json, "memory_bytes", (double)added_memory(m));
    return json;
}

uint64_t added_memory(const added_model *m) {
    const k_memory *k = &m->outline.memory;
    return k->weight_bytes + k->kv_bytes + k->work_bytes;
}

static status check_name(const registry *r, const char *file, added_model *out, err *e) {
    if (!out->name[0] || strlen(out->name) > LIMIT_REGISTRY_NAME_BYTES - 8 ||
        strspn(out->name, "abcdefghijklmnopqrstuvwxyz0123456789._+-") != strlen(out->name) ||
        !isalnum((unsigned char)out->name[0]))
        return err_set(e, ERR_USAGE,
                       "a name has letters a to z, digits and . _ + -, and begins with one of the "
                       "first two; give one: inlined models add %s NAME",
                       file);
    if (!registry_find(r, out->name)) return OK;
    return err_set(e, ERR_USAGE,
                   "there is a model called %s already; give another name: inlined models add %s "
                   "NAME",
                   out->name, file);
}

/* The link first: an entry without its file would be a model that cannot be pulled. */
static status link_and_list(const char *source, const added_model *m, err *e) {
    char *folder = NULL, *link = NULL, file[LIMIT_REGISTRY_NAME_BYTES + 8];
    snprintf(file, sizeof file, "%s.gguf", m->name);
    status s = registry_folder(&folder, e);
    if (s == OK) s = folder_make(folder, e);
    if (s != OK) goto done;
    link = folder_join(folder, file);
    struct stat there;
    if (lstat(link, &there) == 0 && S_ISLNK(there.st_mode)) unlink(link); /* of a removed entry */
    if (symlink(source, link) != 0)
        s = err_set(e, ERR_IO, "cannot make the link %s: %s", link, strerror(errno));
    if (s != OK) goto done;
    s = change_list(folder, m->name, entry_json(m), e);
    if (s != OK) unlink(link);
done:
    xfree(link);
    xfree(folder);
    return s;
}

status registry_add(const registry *r, const char *file, const char *name, const pull_hooks *hooks,
                    added_model *out, err *e) {
    *out = (added_model){0};
    if (name)
        snprintf(out->name, sizeof out->name, "%s", name);
    else
        name_of(file, out->name, sizeof out->name);
    struct stat st;
    char *source = realpath(file, NULL);
    status s = check_name(r, file, out, e);
    if (s == OK && (!source || stat(source, &st) != 0))
        s = err_set(e, ERR_NOT_FOUND, "no model file %s: %s", file, strerror(errno));
    if (s == OK) s = engine_inspect(source, &out->outline, e);
    if (s == OK && out->outline.file_bytes != (uint64_t)st.st_size)
        s = err_set(e, ERR_UNSUPPORTED,
                    "%s is the first of several files, which a name cannot stand for: use its path "
                    "with --model",
                    file);
    if (s == OK) s = registry_hash_file(source, out->outline.file_bytes, hooks, out->sha256, e);
    if (s == OK) s = link_and_list(source, out, e);
    free(source); /* realpath's own */
    return s;
}

/* ---- removing -------------------------------------------------------------------------------- */

static status remove_file(const model_entry *m, const char *path, uint64_t *bytes, err *e) {
    struct stat st;
    if (lstat(path, &st) != 0) return OK;
    if (S_ISLNK(st.st_mode) != m->added || !(S_ISLNK(st.st_mode) || S_ISREG(st.st_mode)))
        return err_set(e, ERR_USAGE, "%s was not put there by this program: remove it yourself",
                       path);
    if (unlink(path) != 0) return err_set(e, ERR_IO, "cannot remove %s: %s", path, strerror(errno));
    *bytes += S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    return OK;
}

status registry_remove(const model_entry *m, const pull_hooks *hooks, uint64_t *bytes, err *e) {
    char *folder = NULL, *path = NULL;
    int lock = -1;
    *bytes = 0;
    status s = registry_folder(&folder, e);
    if (s != OK) return s;
    if (registry_presence(m, NULL) == MODEL_ABSENT && !hub_part_bytes(folder, m->name) && !m->added)
        s = err_set(e, ERR_NOT_FOUND, "the model %s is not here: there is nothing to remove",
                    m->name);
    if (s == OK) s = lock_take(folder, m->name, hooks, &lock, e);
    path = folder_join(folder, m->file);
    if (s == OK) s = remove_file(m, path, bytes, e);
    if (s == OK) {
        *bytes += hub_part_bytes(folder, m->name);
        hub_remove_parts(folder, m->name, NULL);
        record_remove(folder, m->file);
    }
    if (s == OK && m->added) s = change_list(folder, m->name, NULL, e);
    if (lock >= 0) close(lock);
    xfree(path);
    xfree(folder);
    return s;
}
