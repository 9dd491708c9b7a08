/* SPDX-License-Identifier: Apache-2.0 */
/* `inlined models`: list, pull, path, verify, delta (add and rm: cli_models_own.c).  A thin face of
 * engine/registry.h: the table for people, the JSON for scripts, the progress of a pull.  Thread:
 * main; pull blocks until it is done and looks for Ctrl-C on the way. */
#include "lsp/cli_models.h"

#include <sys/stat.h>

#include "engine/base/mem.h"
#include "engine/delta.h"

static status list(const registry *r, const cli_args *a, err *e);
static status with_model(const registry *r, const cli_args *a, err *e);
static status pull(const model_entry *m, const cli_args *a, err *e);
static status path(const model_entry *m, const cli_args *a, err *e);
static status verify(const model_entry *m, const cli_args *a, err *e);

typedef struct {
    meter line;
    uint64_t bytes; /* of the base */
} delta_view;

static bool on_delta(void *ud, double done) {
    delta_view *v = ud;
    meter_bytes(&v->line, "computing", (uint64_t)(done * (double)v->bytes), v->bytes);
    return !interrupt_take();
}

static status delta(const cli_args *a, err *e) {
    delta_view view = {0};
    struct stat st;
    if (stat(a->operands[2], &st) == 0) view.bytes = (uint64_t)st.st_size;
    meter_init(&view.line);
    const delta_hooks hooks = {on_delta, &view};
    int32_t *rows = NULL;
    size_t n_rows = 0;
    status s = a->rows ? cli_ids_parse(a->rows, &rows, &n_rows, e) : OK;
    if (s != OK) return s;
    interrupt_hold();
    if (strcmp(a->operands[1], "apply") == 0) {
        s = delta_apply(a->operands[2], a->operands[3], a->operands[4], &hooks, e);
    } else {
        const delta_make_options opt = {a->source, rows, n_rows};
        s = delta_make(a->operands[2], a->operands[3], a->operands[4], &opt, &hooks, e);
    }
    meter_end(&view.line);
    xfree(rows);
    if (s != OK) return s;
    return term_write(str_of(a->operands[4]), e) == OK ? term_write(STR("\n"), e) : ERR_IO;
}

status cli_models(const cli_args *a, err *e) {
    if (strcmp(a->operands[0], "delta") == 0) return delta(a, e);
    static const char *const of_the_daemon[] = {"load", "unload", "use"};
    for (size_t i = 0; i < COUNTOF(of_the_daemon); i++)
        if (strcmp(a->operands[0], of_the_daemon[i]) == 0) return cli_models_tier(a, e);
    registry *r = NULL;
    status s = registry_open(&r, e);
    if (s != OK) return s;
    if (strcmp(a->operands[0], "list") == 0)
        s = list(r, a, e);
    else if (strcmp(a->operands[0], "add") == 0)
        s = cli_models_add(r, a, e);
    else
        s = with_model(r, a, e);
    registry_close(r);
    return s;
}

static status with_model(const registry *r, const cli_args *a, err *e) {
    const char *verb = a->operands[0], *name = a->operands[1];
    const model_entry *m = registry_find(r, name);
    bool is_path = strchr(name, '/') || str_ends_with(str_of(name), STR(".gguf"));
    if (!m && is_path && strcmp(verb, "rm") == 0)
        return err_set(e, ERR_USAGE,
                       "models rm takes names of the list: the file %s is yours to remove", name);
    if (!m) {
        const char *near = registry_nearest(r, name);
        if (near) {
            return err_set(e, ERR_NOT_FOUND, "no model is called %s; did you mean %s?", name, near);
        }
        return err_set(e, ERR_NOT_FOUND, "no model is called %s; inlined models list shows them",
                       name);
    }
    if (strcmp(verb, "pull") == 0) return pull(m, a, e);
    if (strcmp(verb, "rm") == 0) return cli_models_rm(m, a, e);
    if (strcmp(verb, "path") == 0) return path(m, a, e);
    return verify(m, a, e);
}

static const char *presence_word(const model_entry *m) {
    switch (registry_presence(m, NULL)) {
    case MODEL_PRESENT: return "present";
    case MODEL_DAMAGED: return "damaged";
    case MODEL_ABSENT: return registry_part_bytes(m) ? "partial" : "absent";
    }
    ASSERT(0);
}

/* Size and SHA-256, or null where only the hub knows them. */
static void add_facts(cJSON *o, const model_entry *m) {
    model_facts known;
    bool have = registry_facts(m, &known);
    if (have || known.bytes)
        cJSON_AddNumberToObject(o, "bytes", (double)known.bytes);
    else
        cJSON_AddNullToObject(o, "bytes");
    if (have || known.sha256[0])
        cJSON_AddStringToObject(o, "sha256", known.sha256);
    else
        cJSON_AddNullToObject(o, "sha256");
}

cJSON *cli_models_entry(const model_entry *m) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "name", m->name);
    cJSON_AddStringToObject(o, "architecture", m->arch);
    cJSON_AddStringToObject(o, "tier", m->tier);
    cJSON_AddStringToObject(o, "parameters", m->parameters);
    cJSON_AddStringToObject(o, "quantisation", m->quant);
    add_facts(o, m);
    cJSON_AddStringToObject(o, "licence", m->licence);
    cJSON_AddStringToObject(o, "fim", m->fim);
    cJSON_AddNumberToObject(o, "context_tokens", m->context_tokens);
    cJSON_AddNumberToObject(o, "memory_bytes", (double)m->memory_bytes);
    cJSON_AddStringToObject(o, "note", m->note);
    cJSON_AddStringToObject(o, "file", m->file);
    cJSON_AddStringToObject(o, "state", presence_word(m));
    cJSON_AddNumberToObject(o, "part_bytes", (double)registry_part_bytes(m));
    cJSON_AddBoolToObject(o, "present", registry_presence(m, NULL) == MODEL_PRESENT);
    cJSON_AddBoolToObject(o, "added", m->added);
    return o;
}

static status list_json(const registry *r, err *e) {
    char *folder = NULL;
    status s = registry_folder(&folder, e);
    if (s != OK) return s;
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "folder", folder);
    cJSON_AddStringToObject(root, "default", registry_default(r)->name);
    cJSON *models = cJSON_AddArrayToObject(root, "models");
    for (size_t i = 0; i < registry_count(r); i++)
        cJSON_AddItemToArray(models, cli_models_entry(registry_at(r, i)));
    xfree(folder);
    return term_write_json(root, e);
}

static status list(const registry *r, const cli_args *a, err *e) {
    if (a->json) return list_json(r, e);
    bool colours = term_has_colour(1);
    strbuf out;
    strbuf_init(&out, 1u << 20);
    int width = 4;
    for (size_t i = 0; i < registry_count(r); i++)
        width = MAX(width, (int)strlen(registry_at(r, i)->name));
    char head[256];
    snprintf(head, sizeof head, "  %-*s  %-8s %6s  %-6s %8s  %-12s %-5s ", width, "NAME", "STATE",
             "TIER", "QUANT", "SIZE", "LICENCE", "FIM");
    term_paint(&out, colours, COLOUR_BOLD, head);
    strbuf_add_char(&out, '\n');
    for (size_t i = 0; i < registry_count(r); i++) {
        const model_entry *m = registry_at(r, i);
        model_presence p = registry_presence(m, NULL);
        char state[16];
        snprintf(state, sizeof state, "%-8s", presence_word(m));
        strbuf_addf(&out, "%c %-*s  ", m == registry_default(r) ? '*' : ' ', width, m->name);
        term_paint(&out, colours,
                   p == MODEL_PRESENT   ? COLOUR_GREEN
                   : p == MODEL_DAMAGED ? COLOUR_RED
                                        : COLOUR_DIM,
                   state);
        model_facts known;
        char size[16] = "?";
        if (registry_facts(m, &known) || known.bytes)
            snprintf(size, sizeof size, "%.0f MB", (double)known.bytes / 1e6);
        strbuf_addf(&out, " %6s  %-6s %8s  %-12s %-5s\n", m->tier, m->quant, size, m->licence,
                    m->fim);
    }
    strbuf_addf(&out, "* the default\n");
    status s = term_write(strbuf_str(&out), e);
    strbuf_deinit(&out);
    return s;
}

static status path(const model_entry *m, const cli_args *a, err *e) {
    char *file = NULL;
    status s = registry_path(m, &file, e);
    if (s != OK) return s;
    if (a->json) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", m->name);
        cJSON_AddStringToObject(o, "path", file);
        cJSON_AddBoolToObject(o, "present", registry_presence(m, NULL) == MODEL_PRESENT);
        s = term_write_json(o, e);
    } else {
        s = term_write(str_of(file), e);
        if (s == OK) s = term_write(STR("\n"), e);
    }
    xfree(file);
    return s;
}

static void on_progress(void *ud, pull_stage stage, uint64_t done, uint64_t all) {
    static const char *const verbs[] = {
        [PULL_WAITING] = "waiting for another process that fetches",
        [PULL_FETCHING] = "fetching",
        [PULL_PAUSING] = "waiting for the server of",
        [PULL_UNPACKING] = "unpacking",
        [PULL_CHECKING] = "checking",
    };
    pull_view *v = ud;
    bool same = v->label[0] && v->stage == stage;
    if (!same) {
        v->stage = stage;
        v->line.label = NULL;
        snprintf(v->label, sizeof v->label, "%s %.100s", verbs[stage], v->name);
    }
    /* Checking what is there already is over before anybody could read a line about it. */
    if (stage == PULL_CHECKING && !v->line.terminal) return;
    meter_bytes(&v->line, v->label, done, all);
}

static bool on_cancelled(void *ud) {
    UNUSED(ud);
    return interrupt_take();
}

pull_hooks cli_models_hooks(pull_view *v) {
    meter_init(&v->line);
    interrupt_hold();
    return (pull_hooks){on_progress, on_cancelled, v};
}

static status report(const model_entry *m, bool fetched, const cli_args *a, err *e) {
    char *file = NULL;
    status s = registry_path(m, &file, e);
    if (s != OK) return s;
    if (a->json) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", m->name);
        cJSON_AddStringToObject(o, "path", file);
        add_facts(o, m);
        cJSON_AddBoolToObject(o, "fetched", fetched);
        s = term_write_json(o, e);
    } else {
        strbuf out;
        strbuf_init(&out, 8192);
        strbuf_addf(&out, "%s\n", file);
        s = term_write(strbuf_str(&out), e);
        strbuf_deinit(&out);
        fprintf(stderr, "inlined: %s is %s, SHA-256 right\n", m->name,
                fetched ? "fetched" : "here already");
    }
    xfree(file);
    return s;
}

static status pull(const model_entry *m, const cli_args *a, err *e) {
    pull_view v = {.name = m->name};
    const pull_hooks hooks = cli_models_hooks(&v);
    bool fetched = false;
    status s = registry_pull(m, &hooks, &fetched, e);
    meter_end(&v.line);
    if (s == ERR_CANCELLED && registry_part_bytes(m))
        return err_set(e, s, "cancelled; the next pull goes on where this one stopped");
    if (s == ERR_CANCELLED) return err_set(e, s, "cancelled; nothing half-written was left");
    return s == OK ? report(m, fetched, a, e) : s;
}

static status verify(const model_entry *m, const cli_args *a, err *e) {
    pull_view v = {.name = m->name};
    const pull_hooks hooks = cli_models_hooks(&v);
    status s = registry_verify(m, &hooks, e);
    meter_end(&v.line);
    return s == OK ? report(m, false, a, e) : s;
}
