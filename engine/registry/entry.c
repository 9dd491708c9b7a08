/* SPDX-License-Identifier: Apache-2.0 */
/* One model of the list: JSON to struct, every field checked.
 *
 * The checks are what makes the rest safe: a name goes into lock and folder names, a file into a
 * path, package and version into pip's command line.  So none of them may hold a slash or start
 * with a dash or a dot.  */
#include <ctype.h>

#include "engine/base/limits.h"
#include "engine/registry/catalog.h"

static const char *const FIM_KINDS[] = {"none", "psm", "spm"};

/* Letters, digits and ". _ + -", not starting with one of ". + -". */
static bool is_plain(const char *s, size_t bytes_max) {
    size_t n = strlen(s);
    if (n == 0 || n > bytes_max || s[0] == '.' || s[0] == '-' || s[0] == '+') return false;
    for (; *s; s++) {
        if (!isalnum((unsigned char)*s) && !strchr("._+-", *s)) return false;
    }
    return true;
}

/* A path inside an archive: plain pieces joined by single slashes. */
static bool is_member(const char *s) {
    str rest = str_of(s), piece;
    if (rest.len == 0 || rest.len > LIMIT_REGISTRY_TEXT_BYTES || s[rest.len - 1] == '/')
        return false;
    while (str_split(&rest, '/', &piece)) {
        char copy[LIMIT_REGISTRY_TEXT_BYTES + 1];
        snprintf(copy, sizeof copy, "%.*s", STR_ARG(piece));
        if (!is_plain(copy, LIMIT_REGISTRY_TEXT_BYTES)) return false;
    }
    return true;
}

/* Text for people and logs: bounded, no control characters. */
static bool is_text(const char *s) {
    if (strlen(s) > LIMIT_REGISTRY_TEXT_BYTES) return false;
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) return false;
    }
    return true;
}

typedef enum { TEXT_ANY, TEXT_PLAIN, TEXT_MEMBER } text_kind;

static status read_text(const cJSON *json, const char *key, text_kind kind, arena *a,
                        const char **out, err *e) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, key);
    if (!v && kind == TEXT_ANY) {
        *out = "";
        return OK;
    }
    if (!cJSON_IsString(v)) return err_set(e, ERR_FORMAT, "\"%s\" must be a text", key);
    const char *s = v->valuestring;
    bool good = kind == TEXT_ANY     ? is_text(s)
                : kind == TEXT_PLAIN ? is_plain(s, LIMIT_REGISTRY_NAME_BYTES)
                                     : is_member(s);
    if (!good) return err_set(e, ERR_FORMAT, "\"%s\" has a value that is not allowed", key);
    *out = arena_str(a, str_of(s)).ptr;
    return OK;
}

static status read_count(const cJSON *json, const char *key, bool needed, uint64_t *out, err *e) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, key);
    *out = 0;
    if (!v && !needed) return OK;
    bool good = cJSON_IsNumber(v) && v->valuedouble >= 1 && v->valuedouble <= 9e15;
    if (good) good = v->valuedouble == (double)(uint64_t)v->valuedouble;
    if (!good) return err_set(e, ERR_FORMAT, "\"%s\" must be a whole number above 0", key);
    *out = (uint64_t)v->valuedouble;
    return OK;
}

/* May be absent where the hub tells it: such a file is recorded when it is fetched (record.c). */
static status read_sha256(const cJSON *json, bool needed, char out[static 65], err *e) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, "sha256");
    if (!v && !needed) return OK;
    const char *s = cJSON_IsString(v) ? v->valuestring : "";
    if (strlen(s) != 64 || strspn(s, "0123456789abcdef") != 64) {
        return err_set(e, ERR_FORMAT, "\"sha256\" must be 64 lower-case hexadecimal digits");
    }
    memcpy(out, s, 65);
    return OK;
}

static status read_source(const cJSON *json, arena *a, model_source *out, err *e) {
    *out = (model_source){0};
    status s = read_text(json, "kind", TEXT_PLAIN, a, &out->kind, e);
    if (s == OK && strcmp(out->kind, "pypi") == 0) {
        s = read_text(json, "package", TEXT_PLAIN, a, &out->package, e);
        if (s == OK) s = read_text(json, "version", TEXT_PLAIN, a, &out->version, e);
        if (s == OK) s = read_text(json, "member", TEXT_MEMBER, a, &out->member, e);
        if (s == OK) s = read_count(json, "package_bytes", false, &out->package_bytes, e);
    } else if (s == OK && strcmp(out->kind, "hf") == 0) {
        s = read_text(json, "repo", TEXT_MEMBER, a, &out->repo, e);
        if (s == OK) s = read_text(json, "file", TEXT_MEMBER, a, &out->file, e);
        out->revision = "main";
        if (s == OK && cJSON_GetObjectItemCaseSensitive(json, "revision"))
            s = read_text(json, "revision", TEXT_PLAIN, a, &out->revision, e);
    } else if (s == OK && strcmp(out->kind, "delta") == 0) {
        s = read_text(json, "base", TEXT_PLAIN, a, &out->base, e);
        if (s == OK) s = read_text(json, "file", TEXT_PLAIN, a, &out->file, e);
    }
    /* Other kinds are for later versions of the program: kept, skipped by pull. */
    return s;
}

static status read_sources(const cJSON *json, arena *a, model_entry *out, err *e) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "sources");
    if (!list) return OK;
    int count = cJSON_GetArraySize(list);
    if (!cJSON_IsArray(list) || count > LIMIT_REGISTRY_SOURCES) {
        return err_set(e, ERR_FORMAT, "\"sources\" must be a list of at most %d",
                       LIMIT_REGISTRY_SOURCES);
    }
    model_source *sources = arena_alloc(a, (size_t)MAX(count, 1) * sizeof *sources);
    size_t index = 0;
    for (const cJSON *item = list->child; item; item = item->next, index++) {
        status s = read_source(item, a, &sources[index], e);
        if (s != OK) return err_prefix(e, s, "sources[%zu]", index);
    }
    out->sources = sources;
    out->n_sources = index;
    return OK;
}

static status read_fim(const cJSON *json, arena *a, model_entry *out, err *e) {
    status s = read_text(json, "fim", TEXT_PLAIN, a, &out->fim, e);
    if (s != OK) return s;
    for (size_t i = 0; i < COUNTOF(FIM_KINDS); i++) {
        if (strcmp(out->fim, FIM_KINDS[i]) == 0) return OK;
    }
    return err_set(e, ERR_FORMAT, "\"fim\" must be \"none\", \"psm\" or \"spm\"");
}

static bool only_from_hub(const model_entry *m) {
    for (size_t i = 0; i < m->n_sources; i++) {
        if (strcmp(m->sources[i].kind, "hf") != 0) return false;
    }
    return m->n_sources > 0;
}

status entry_read(const cJSON *json, arena *a, model_entry *out, err *e) {
    *out = (model_entry){.endpoint = ""};
    if (!cJSON_IsObject(json)) return err_set(e, ERR_FORMAT, "it must be an object");
    uint64_t context = 0;
    status s = read_text(json, "name", TEXT_PLAIN, a, &out->name, e);
    if (s == OK) s = read_text(json, "file", TEXT_PLAIN, a, &out->file, e);
    if (s == OK) s = read_text(json, "architecture", TEXT_ANY, a, &out->arch, e);
    if (s == OK) s = read_text(json, "tier", TEXT_ANY, a, &out->tier, e);
    if (s == OK) s = read_text(json, "parameters", TEXT_ANY, a, &out->parameters, e);
    if (s == OK) s = read_text(json, "quantisation", TEXT_ANY, a, &out->quant, e);
    if (s == OK) s = read_text(json, "licence", TEXT_ANY, a, &out->licence, e);
    if (s == OK) s = read_text(json, "note", TEXT_ANY, a, &out->note, e);
    if (s == OK) s = read_fim(json, a, out, e);
    if (s == OK) s = read_count(json, "context_tokens", true, &context, e);
    if (s == OK) s = read_count(json, "memory_bytes", false, &out->memory_bytes, e);
    if (s == OK) s = read_sources(json, a, out, e);
    bool hub = s == OK && only_from_hub(out);
    if (s == OK) s = read_count(json, "bytes", !hub, &out->bytes, e);
    if (s == OK) s = read_sha256(json, !hub, out->sha256, e);
    if (s != OK) return s;
    if (context > INT32_MAX) return err_set(e, ERR_FORMAT, "\"context_tokens\" is too large");
    out->context_tokens = (int)context;
    if (!str_ends_with(str_of(out->file), STR(".gguf"))) {
        return err_set(e, ERR_FORMAT, "\"file\" must end in .gguf");
    }
    return OK;
}
