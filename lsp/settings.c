/* SPDX-License-Identifier: Apache-2.0 */
/* Settings from JSON, checked against the embedded schema.
 *
 * The schema says what exists, of which kind, in which range and with which default; the table
 * `leaves` says only where each value lies in the struct.  Both are compared in a test.  Walking
 * goes along the JSON that came, so an unknown name is found as easily as a wrong value.
 *
 * Invariant: after any call every field of the struct is within the schema's range.
 * Thread: any; no state.
 */
#include "lsp/settings.h"

#include <math.h>

#include <cjson/cJSON.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/nearest.h"
#include "lsp/settings_schema.h"
#include "mcp/rpc.h"

typedef enum { LEAF_BOOL, LEAF_INT, LEAF_ENUM, LEAF_TEXT, LEAF_LIST } leaf_kind;

typedef struct {
    const char *path;
    leaf_kind kind;
    size_t at;
} leaf;

/* clang-format off */
static const leaf leaves[] = {
    {"actions.enable",               LEAF_BOOL, offsetof(settings, actions.enable)},
    {"actions.maxTokens",            LEAF_INT,  offsetof(settings, actions.max_tokens)},
    {"actions.timeBudgetMs",         LEAF_INT,  offsetof(settings, actions.time_budget_ms)},
    {"completion.auto",              LEAF_BOOL, offsetof(settings, completion.automatic)},
    {"completion.cacheEntries",      LEAF_INT,  offsetof(settings, completion.cache_entries)},
    {"completion.candidates",        LEAF_INT,  offsetof(settings, completion.candidates)},
    {"completion.confidence",        LEAF_INT,  offsetof(settings, completion.confidence)},
    {"completion.cutBelow",          LEAF_INT,  offsetof(settings, completion.cut_below)},
    {"completion.deadlineMs",        LEAF_INT,  offsetof(settings, completion.deadline_ms)},
    {"completion.debounceMs",        LEAF_INT,  offsetof(settings, completion.debounce_ms)},
    {"completion.disabledLanguages", LEAF_LIST, offsetof(settings, completion.disabled_languages)},
    {"completion.filtersOff",        LEAF_LIST, offsetof(settings, completion.filters_off)},
    {"completion.healing",           LEAF_BOOL, offsetof(settings, completion.healing)},
    {"completion.maxTokens",         LEAF_INT,  offsetof(settings, completion.max_tokens)},
    {"completion.menu",              LEAF_BOOL, offsetof(settings, completion.menu)},
    {"completion.multiline",         LEAF_ENUM, offsetof(settings, completion.multiline)},
    {"completion.speculate",         LEAF_BOOL, offsetof(settings, completion.speculate)},
    {"completion.timeBudgetMs",      LEAF_INT,  offsetof(settings, completion.time_budget_ms)},
    {"context.order",                LEAF_ENUM, offsetof(settings, context.order)},
    {"context.crossFile",            LEAF_ENUM, offsetof(settings, context.cross_file)},
    {"context.crossFileBytes",       LEAF_INT,  offsetof(settings, context.cross_file_bytes)},
    {"context.crossFileOff",         LEAF_LIST, offsetof(settings, context.sections_off)},
    {"context.index",                LEAF_BOOL, offsetof(settings, context.index)},
    {"context.prefixBytes",          LEAF_INT,  offsetof(settings, context.prefix_bytes)},
    {"context.suffixBytes",          LEAF_INT,  offsetof(settings, context.suffix_bytes)},
    {"enable",                       LEAF_BOOL, offsetof(settings, enable)},
    {"engine.contextTokens",         LEAF_INT,  offsetof(settings, engine.context_tokens)},
    {"engine.device",                LEAF_ENUM, offsetof(settings, engine.device)},
    {"engine.kvCache",               LEAF_ENUM, offsetof(settings, engine.kv_cache)},
    {"engine.threads",               LEAF_INT,  offsetof(settings, engine.threads)},
    {"hover",                        LEAF_ENUM, offsetof(settings, hover)},
    {"mcp.builtIn",                  LEAF_BOOL, offsetof(settings, mcp.built_in)},
    {"mcp.builtInTools",             LEAF_LIST, offsetof(settings, mcp.built_in_tools)},
    {"mcp.enable",                   LEAF_BOOL, offsetof(settings, mcp.enable)},
    {"memory.deviceMb",              LEAF_INT,  offsetof(settings, memory.device_mb)},
    {"memory.hostMb",                LEAF_INT,  offsetof(settings, memory.host_mb)},
    {"model",                        LEAF_TEXT, offsetof(settings, model)},
    {"privacy.denyGlobs",            LEAF_LIST, offsetof(settings, privacy.deny_globs)},
    {"privacy.respectGitignore",     LEAF_BOOL, offsetof(settings, privacy.respect_gitignore)},
    {"roles.actions",                LEAF_ENUM, offsetof(settings, roles[ROLE_ACTIONS])},
    {"roles.completion",             LEAF_ENUM, offsetof(settings, roles[ROLE_COMPLETION])},
    {"roles.explain",                LEAF_ENUM, offsetof(settings, roles[ROLE_EXPLAIN])},
    {"roles.review",                 LEAF_ENUM, offsetof(settings, roles[ROLE_REVIEW])},
    {"tiers.fallback",               LEAF_ENUM, offsetof(settings, fallback)},
    {"tiers.large.contextTokens",     LEAF_INT,  offsetof(settings, tiers[TIER_LARGE].context_tokens)},
    {"tiers.large.gpuShare",          LEAF_INT,  offsetof(settings, tiers[TIER_LARGE].gpu_share)},
    {"tiers.large.idleMinutes",       LEAF_INT,  offsetof(settings, tiers[TIER_LARGE].idle_minutes)},
    {"tiers.large.kvCache",           LEAF_ENUM, offsetof(settings, tiers[TIER_LARGE].kv_cache)},
    {"tiers.large.model",             LEAF_TEXT, offsetof(settings, tiers[TIER_LARGE].model)},
    {"tiers.large.quantisation",      LEAF_TEXT, offsetof(settings, tiers[TIER_LARGE].quantisation)},
    {"tiers.medium.contextTokens",    LEAF_INT,  offsetof(settings, tiers[TIER_MEDIUM].context_tokens)},
    {"tiers.medium.gpuShare",         LEAF_INT,  offsetof(settings, tiers[TIER_MEDIUM].gpu_share)},
    {"tiers.medium.idleMinutes",      LEAF_INT,  offsetof(settings, tiers[TIER_MEDIUM].idle_minutes)},
    {"tiers.medium.kvCache",          LEAF_ENUM, offsetof(settings, tiers[TIER_MEDIUM].kv_cache)},
    {"tiers.medium.model",            LEAF_TEXT, offsetof(settings, tiers[TIER_MEDIUM].model)},
    {"tiers.medium.quantisation",     LEAF_TEXT, offsetof(settings, tiers[TIER_MEDIUM].quantisation)},
    {"tiers.small.contextTokens",     LEAF_INT,  offsetof(settings, tiers[TIER_SMALL].context_tokens)},
    {"tiers.small.gpuShare",          LEAF_INT,  offsetof(settings, tiers[TIER_SMALL].gpu_share)},
    {"tiers.small.idleMinutes",       LEAF_INT,  offsetof(settings, tiers[TIER_SMALL].idle_minutes)},
    {"tiers.small.kvCache",           LEAF_ENUM, offsetof(settings, tiers[TIER_SMALL].kv_cache)},
    {"tiers.small.model",             LEAF_TEXT, offsetof(settings, tiers[TIER_SMALL].model)},
    {"tiers.small.quantisation",      LEAF_TEXT, offsetof(settings, tiers[TIER_SMALL].quantisation)},
};
/* clang-format on */

typedef struct {
    settings *to;
    settings_complain complain;
    void *ud;
} apply;

str settings_schema(void) {
    return (str){(const char *)settings_schema_json, settings_schema_bytes};
}

static cJSON *schema_parse(void) {
    cJSON *schema =
        cJSON_ParseWithLength((const char *)settings_schema_json, settings_schema_bytes);
    ASSERT(schema); /* it is part of the program, and a test reads it */
    return schema;
}

static const cJSON *get(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const leaf *leaf_find(const char *path) {
    for (size_t i = 0; i < COUNTOF(leaves); i++) {
        if (!strcmp(leaves[i].path, path)) return &leaves[i];
    }
    return NULL;
}

static void complain(const apply *a, const char *path, const cJSON *value, const char *rule) {
    if (!a->complain) return;
    char shown[64] = "";
    char *text = cJSON_PrintUnformatted(value);
    if (text) snprintf(shown, sizeof shown, "%.60s", text);
    cJSON_free(text);
    err sentence; /* takes out control characters */
    (void)err_set(&sentence, ERR_USAGE, "inlined.%s is %s, but must be %s; the setting is ignored",
                  path, shown, rule);
    a->complain(a->ud, sentence.text);
}

/* Lua has one kind of table, so Neovim may send [] for {} and {} for []. */
static bool is_empty(const cJSON *value) {
    return (cJSON_IsArray(value) || cJSON_IsObject(value)) && !value->child;
}

/* ---- one value ------------------------------------------------------------------------------- */

static void apply_int(const apply *a, const leaf *l, const cJSON *schema, const cJSON *value) {
    double min = get(schema, "minimum")->valuedouble, max = get(schema, "maximum")->valuedouble;
    double d = cJSON_IsNumber(value) ? value->valuedouble : (double)NAN;
    if (!(d >= min && d <= max && floor(d) == d)) {
        char rule[96];
        snprintf(rule, sizeof rule, "a whole number from %.0f to %.0f", min, max);
        complain(a, l->path, value, rule);
        return;
    }
    int n = (int)d;
    memcpy((char *)a->to + l->at, &n, sizeof n);
}

static void apply_enum(const apply *a, const leaf *l, const cJSON *schema, const cJSON *value) {
    char rule[128] = "one of";
    int index = 0;
    const cJSON *word;
    cJSON_ArrayForEach(word, get(schema, "enum")) {
        if (cJSON_IsString(value) && !strcmp(word->valuestring, value->valuestring)) {
            memcpy((char *)a->to + l->at, &index, sizeof index);
            return;
        }
        size_t n = strlen(rule);
        snprintf(rule + n, sizeof rule - n, "%s \"%s\"", index ? "," : "", word->valuestring);
        index++;
    }
    complain(a, l->path, value, rule);
}

static void apply_text(const apply *a, const leaf *l, const cJSON *value) {
    if (!cJSON_IsString(value) || strlen(value->valuestring) >= SETTINGS_NAME_BYTES) {
        complain(a, l->path, value, "a text of at most 1023 bytes");
        return;
    }
    snprintf((char *)a->to + l->at, SETTINGS_NAME_BYTES, "%s", value->valuestring);
}

/* A list without "enum" takes any word. */
static bool is_listed(const cJSON *words, const char *word) {
    const cJSON *known;
    cJSON_ArrayForEach(known, words) {
        if (!strcmp(known->valuestring, word)) return true;
    }
    return !words;
}

static void apply_list(const apply *a, const leaf *l, const cJSON *schema, const cJSON *value) {
    settings_list list = {0};
    const cJSON *words = get(get(schema, "items"), "enum"), *item;
    bool good = is_empty(value) || cJSON_IsArray(value);
    good = good && cJSON_GetArraySize(value) <= SETTINGS_LIST_COUNT;
    if (good) {
        cJSON_ArrayForEach(item, value) {
            good = good && cJSON_IsString(item) &&
                   strlen(item->valuestring) < SETTINGS_ITEM_BYTES &&
                   is_listed(words, item->valuestring);
        }
    }
    if (!good) {
        complain(a, l->path, value,
                 words ? "a list of the words in its description"
                       : "a list of at most 64 short texts");
        return;
    }
    cJSON_ArrayForEach(item, value) {
        snprintf(list.at[list.count++], SETTINGS_ITEM_BYTES, "%s", item->valuestring);
    }
    memcpy((char *)a->to + l->at, &list, sizeof list);
}

static void apply_leaf(const apply *a, const leaf *l, const cJSON *schema, const cJSON *value) {
    switch (l->kind) {
    case LEAF_BOOL:
        if (cJSON_IsBool(value))
            *((bool *)(void *)((char *)a->to + l->at)) = cJSON_IsTrue(value);
        else
            complain(a, l->path, value, "true or false");
        break;
    case LEAF_INT: apply_int(a, l, schema, value); break;
    case LEAF_ENUM: apply_enum(a, l, schema, value); break;
    case LEAF_TEXT: apply_text(a, l, value); break;
    case LEAF_LIST: apply_list(a, l, schema, value); break;
    }
}

/* ---- objects --------------------------------------------------------------------------------- */

static void complain_unknown(const apply *a, const char *path, const char *name,
                             const cJSON *properties) {
    if (!a->complain) return;
    const char *nearest = NULL;
    size_t best = SIZE_MAX;
    const cJSON *known;
    cJSON_ArrayForEach(known, properties) {
        size_t distance = name_distance(str_of(name), str_of(known->string));
        if (distance < best && name_is_near(str_of(name), distance)) {
            best = distance;
            nearest = known->string;
        }
    }
    err sentence;
    (void)err_set(&sentence, ERR_USAGE, "inlined.%.100s is no setting%s%s%s; it is ignored", path,
                  nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"" : "");
    a->complain(a->ud, sentence.text);
}

/* Three levels are all that the schema has; `prefix` is "", "completion." or "tiers.small.". */
static void apply_object(const apply *a, const char *prefix, const cJSON *schema,
                         const cJSON *object) {
    const cJSON *properties = get(schema, "properties"), *value;
    cJSON_ArrayForEach(value, object) {
        char path[160];
        snprintf(path, sizeof path, "%s%.100s", prefix, value->string);
        const cJSON *rule = get(properties, value->string);
        const leaf *l = leaf_find(path);
        if (!rule) {
            complain_unknown(a, path, value->string, properties);
        } else if (cJSON_IsNull(value)) {
            continue; /* editors send null for what is not set */
        } else if (l) {
            apply_leaf(a, l, rule, value);
        } else if (is_empty(value)) {
            continue;
        } else if (!cJSON_IsObject(value)) {
            complain(a, path, value, "an object");
        } else {
            char below[164];
            snprintf(below, sizeof below, "%s.", path);
            apply_object(a, below, rule, value);
        }
    }
}

static void apply_defaults(const apply *a, const char *prefix, const cJSON *schema) {
    const cJSON *rule;
    cJSON_ArrayForEach(rule, get(schema, "properties")) {
        char path[160];
        snprintf(path, sizeof path, "%s%.100s", prefix, rule->string);
        const leaf *l = leaf_find(path);
        if (l) {
            apply_leaf(a, l, rule, get(rule, "default"));
        } else {
            char below[164];
            snprintf(below, sizeof below, "%s.", path);
            apply_defaults(a, below, rule);
        }
    }
}

void settings_default(settings *s) {
    memset(s, 0, sizeof *s);
    cJSON *schema = schema_parse();
    apply_defaults(&(apply){.to = s}, "", schema);
    cJSON_Delete(schema);
}

void settings_apply(settings *s, const cJSON *section, settings_complain report, void *ud) {
    apply a = {s, report, ud};
    if (!section || cJSON_IsNull(section) || is_empty(section)) return;
    if (!cJSON_IsObject(section)) {
        if (report) report(ud, "the settings of inlined must be an object; they are ignored");
        return;
    }
    cJSON *schema = schema_parse();
    apply_object(&a, "", schema, section);
    cJSON_Delete(schema);
}

status settings_apply_text(settings *s, str json, settings_complain report, void *ud, err *e) {
    char *copy = xstrndup(json.ptr ? json.ptr : "", json.len);
    cJSON *section = NULL;
    status st = rpc_parse(copy, json.len, &section, e);
    if (!st && !cJSON_IsObject(section))
        st = err_set(e, ERR_FORMAT, "the settings must be one JSON object");
    if (!st) settings_apply(s, section, report, ud);
    cJSON_Delete(section);
    xfree(copy);
    return st;
}

status settings_load(settings *s, const char *path, settings_complain report, void *ud, err *e) {
    strbuf text;
    strbuf_init(&text, LIMIT_CONFIG_BYTES);
    status st = file_read(path, LIMIT_CONFIG_BYTES, &text, e);
    if (!st) {
        st = settings_apply_text(s, strbuf_str(&text), report, ud, e);
        if (st) (void)err_prefix(e, st, "%s", path);
    }
    strbuf_deinit(&text);
    return st;
}

bool settings_list_has(const settings_list *l, const char *item) {
    for (int i = 0; i < l->count; i++) {
        if (!strcmp(l->at[i], item)) return true;
    }
    return false;
}

bool settings_language_enabled(const settings *s, const char *language) {
    return !settings_list_has(&s->completion.disabled_languages, language);
}

void settings_deny_globs(const settings *s, strbuf *out) {
    for (int i = 0; i < s->privacy.deny_globs.count; i++)
        strbuf_addf(out, "%s\n", s->privacy.deny_globs.at[i]);
}
