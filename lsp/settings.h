/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Settings: what a user may choose, in the section "inlined" of the editor's configuration or in a
 * --config file (whose top level is that section).
 *
 * docs/settings.schema.json is the single source of names, kinds, defaults, ranges and texts; it is
 * embedded in the program, and settings.c only maps its leaves to the fields below.  A wrong value
 * is one sentence and leaves the value that was there.  Thread: any; no shared state.
 */
#include "engine/engine.h"

typedef enum { MULTILINE_AUTO, MULTILINE_NEVER, MULTILINE_ALWAYS } settings_multiline;
typedef enum { HOVER_OFF, HOVER_INSTANT, HOVER_FULL } settings_hover;
typedef enum { SWITCH_AUTO, SWITCH_ON, SWITCH_OFF } settings_switch;
typedef enum { DEVICE_AUTO, DEVICE_CPU, DEVICE_CUDA, DEVICE_REF } settings_device;

/* How large a model is, and what is asked of it; lsp/tiers.h. */
typedef enum { TIER_SMALL, TIER_MEDIUM, TIER_LARGE, TIER_COUNT } model_tier;
typedef enum { ROLE_COMPLETION, ROLE_ACTIONS, ROLE_REVIEW, ROLE_EXPLAIN, ROLE_COUNT } model_role;
typedef enum { FALLBACK_NEAREST, FALLBACK_NONE } settings_fallback;
typedef enum { TIER_KV_AUTO, TIER_KV_F16, TIER_KV_Q8 } settings_tier_kv;

#define SETTINGS_NAME_BYTES 1024 /* longest text value, with its NUL */
#define SETTINGS_LIST_COUNT 64   /* most items of a list value */
#define SETTINGS_ITEM_BYTES 96   /* longest item, with its NUL */

typedef struct {
    char at[SETTINGS_LIST_COUNT][SETTINGS_ITEM_BYTES];
    int count;
} settings_list;

typedef struct {
    bool enable;
    char model[SETTINGS_NAME_BYTES]; /* "": the default of the registry */
    struct {
        bool automatic; /* "completion.auto": answer without being invoked */
        int debounce_ms;
        settings_multiline multiline;
        int max_tokens;
        int time_budget_ms;
        int deadline_ms; /* since the request; 0: none */
        int cache_entries;
        int candidates; /* for a completion that is invoked by hand */
        bool menu, speculate;
        int confidence, cut_below; /* percent; -1: the model's own */
        bool healing;
        settings_list filters_off;
        settings_list disabled_languages;
    } completion;
    struct {
        bool enable;
        int max_tokens;
        int time_budget_ms; /* 0: no limit */
    } actions;
    settings_hover hover;
    struct {
        int prefix_bytes, suffix_bytes; /* 0: chosen */
        bool index;                     /* keep a symbol index of the workspace */
        settings_switch cross_file;     /* pieces of other places enter prompts */
        settings_list sections_off;     /* of those pieces */
        int cross_file_bytes;           /* of all of them together; 0: chosen */
        prompt_order order;
    } context;
    struct {
        settings_list deny_globs; /* in the syntax of .gitignore */
        bool respect_gitignore;
    } privacy;
    struct {
        bool enable;                  /* offer the tools of MCP servers to the model */
        bool built_in;                /* and our own: */
        settings_list built_in_tools; /* patterns of those that are offered beside few others */
    } mcp;
    struct {
        settings_device device;
        int threads;        /* 0: chosen */
        int context_tokens; /* 0: chosen */
        k_kv_type kv_cache; /* KV_F16 or KV_Q8 */
    } engine;
    struct {
        int device_mb, host_mb; /* 0: chosen */
    } memory;
    model_tier roles[ROLE_COUNT];
    settings_fallback fallback;
    struct {
        char model[SETTINGS_NAME_BYTES];        /* "": another's, see the schema */
        char quantisation[SETTINGS_NAME_BYTES]; /* "": any */
        int context_tokens;                     /* 0: the engine's */
        settings_tier_kv kv_cache;
        int gpu_share;    /* percent */
        int idle_minutes; /* 0: it stays */
    } tiers[TIER_COUNT];
} settings;

/* Called once for each wrong or unknown setting; `sentence` names the setting, what is wrong with
 * it and what holds instead. */
typedef void (*settings_complain)(void *ud, const char *sentence);

void settings_default(settings *s);
/* Lays the JSON text of one section over `s`: what is absent or null stays as it is.  Anything but
 * an object is ERR_FORMAT. */
status settings_apply_text(settings *s, str json, settings_complain complain, void *ud,
                           err *e) MUST_USE;
/* The same for a section that is parsed already (NULL or JSON null: nothing to do). */
struct cJSON;
void settings_apply(settings *s, const struct cJSON *section, settings_complain complain, void *ud);
/* The same for a file; the sentence names it. */
status settings_load(settings *s, const char *path, settings_complain complain, void *ud,
                     err *e) MUST_USE;
bool settings_language_enabled(const settings *s, const char *language);
/* privacy.denyGlobs, one a line. */
void settings_deny_globs(const settings *s, strbuf *out);
bool settings_list_has(const settings_list *l, const char *item);
/* The schema as it was embedded. */
str settings_schema(void);
