/* SPDX-License-Identifier: Apache-2.0 */
/* `inlined models add FILE [NAME]` and `rm NAME`: a thin face of engine/registry.h.  Thread: main.
 */
#include "engine/base/mem.h"
#include "lsp/cli_models.h"

/* What a user of this file will miss, as sentences. */
static size_t find_missing(const engine_outline *o, const char *out[4]) {
    size_t n = 0;
    if (o->fim == FIM_NONE)
        out[n++] = "no fill-in-the-middle: it completes from what stands before the cursor alone";
    if (!o->has_template) out[n++] = "no chat template: it completes, and cannot be asked";
    if (!o->licence[0]) out[n++] = "no licence is named in the file";
    if (!o->name[0]) out[n++] = "no name stands in the file";
    return n;
}

static cJSON *added_json(const model_entry *m, const added_model *added, const char *path) {
    const engine_outline *o = &added->outline;
    const char *missing[4];
    size_t n = find_missing(o, missing);
    cJSON *json = cli_models_entry(m);
    cJSON_AddStringToObject(json, "path", path);
    cJSON_AddStringToObject(json, "title", o->name);
    cJSON_AddBoolToObject(json, "chat_template", o->has_template);
    cJSON *list = cJSON_AddArrayToObject(json, "missing");
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(missing[i]));
    return json;
}

static status added_text(const model_entry *m, const added_model *added, err *e) {
    const engine_outline *o = &added->outline;
    const char *missing[4];
    size_t n = find_missing(o, missing);
    strbuf out;
    strbuf_init(&out, 8192);
    strbuf_addf(&out, "%s: %s%s%s, %s parameters, %s, %.0f MB\n", m->name, o->name,
                o->name[0] ? ", " : "", m->arch, m->parameters, m->quant,
                (double)o->file_bytes / 1e6);
    strbuf_addf(&out, "  %s: needs %.0f MB of memory for %d tokens of context (made for %d)\n",
                m->tier, (double)m->memory_bytes / 1e6, o->context_tokens, o->context_trained);
    strbuf_addf(&out, "  fill-in-the-middle: %s%s; chat template: %s; licence: %s\n", m->fim,
                o->single_line ? " (single lines)" : "", o->has_template ? "yes" : "no",
                o->licence[0] ? o->licence : "not named");
    for (size_t i = 0; i < n; i++)
        strbuf_addf(&out, "  missing: %s\n", missing[i]);
    strbuf_addf(&out, "use it with --model %s, or \"model\": \"%s\" in the settings\n", m->name,
                m->name);
    status s = term_write(strbuf_str(&out), e);
    strbuf_deinit(&out);
    return s;
}

/* The entry as the list has it now, which is what everybody else will see. */
static status tell_added(const added_model *added, const cli_args *a, err *e) {
    registry *r = NULL;
    char *path = NULL;
    status s = registry_open(&r, e);
    const model_entry *m = s == OK ? registry_find(r, added->name) : NULL;
    if (s == OK && !m)
        s = err_set(e, ERR_IO, "%s was added and is not in the list: another process removed it",
                    added->name);
    if (s == OK) s = registry_path(m, &path, e);
    if (s == OK && a->json)
        s = term_write_json(added_json(m, added, path), e);
    else if (s == OK)
        s = added_text(m, added, e);
    xfree(path);
    registry_close(r);
    return s;
}

status cli_models_add(const registry *r, const cli_args *a, err *e) {
    pull_view v = {.name = a->operands[1]};
    const pull_hooks hooks = cli_models_hooks(&v);
    added_model *added = xcalloc(1, sizeof *added);
    status s = registry_add(r, a->operands[1], a->n_operands > 2 ? a->operands[2] : NULL, &hooks,
                            added, e);
    meter_end(&v.line);
    if (s == OK) s = tell_added(added, a, e);
    xfree(added);
    return s;
}

status cli_models_rm(const model_entry *m, const cli_args *a, err *e) {
    pull_view v = {.name = m->name};
    const pull_hooks hooks = cli_models_hooks(&v);
    uint64_t bytes = 0;
    bool added = m->added;
    status s = registry_remove(m, &hooks, &bytes, e);
    meter_end(&v.line);
    if (s != OK) return s;
    if (a->json) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", m->name);
        cJSON_AddNumberToObject(o, "freed_bytes", (double)bytes);
        cJSON_AddBoolToObject(o, "forgotten", added);
        return term_write_json(o, e);
    }
    strbuf out;
    strbuf_init(&out, 4096);
    if (added)
        strbuf_addf(&out, "%s is forgotten; the file itself stays where it is\n", m->name);
    else
        strbuf_addf(&out, "%s is removed: %.0f MB are free again\n", m->name, (double)bytes / 1e6);
    s = term_write(strbuf_str(&out), e);
    strbuf_deinit(&out);
    return s;
}
