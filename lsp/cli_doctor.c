/* SPDX-License-Identifier: Apache-2.0 */
/* `inlined doctor`: is everything here that a completion needs?  Collects the checks, tries the
 * whole way once with the real model, and prints a table or JSON.
 *
 * A check is not ok only when something that `inlined` needs is missing or wrong; what is merely
 * absent (a GPU, a second editor) is a detail.  Thread: main.
 */
#include "lsp/cli_doctor.h"

#include <math.h>
#include <stdarg.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "mcp/config.h"

#define TRIAL_TOKENS 32

check *check_add(check_vec *v, const char *name, bool ok, const char *detail, ...) {
    check c = {.name = name, .ok = ok};
    va_list args;
    va_start(args, detail);
    vsnprintf(c.detail, sizeof c.detail, detail, args);
    va_end(args);
    vec_push(v, c);
    return &v->at[v->count - 1];
}

void check_fix(check *c, const char *fix, ...) {
    va_list args;
    va_start(args, fix);
    vsnprintf(c->fix, sizeof c->fix, fix, args);
    va_end(args);
}

static void check_settings(check_vec *v, const cli_args *a, settings *st);
static void check_folder(check_vec *v);
static void check_mcp(check_vec *v);
static status check_model(check_vec *v, const settings *st);
static status check_completion(check_vec *v, const settings *st);
static status print_table(const check_vec *v, err *e);
static status print_json(const check_vec *v, int failed, err *e);

status cli_doctor(const cli_args *a, err *e) {
    check_vec v = {0};
    settings st;
    interrupt_hold();
    check_settings(&v, a, &st);
    check_machine(&v, &st);
    check_grammars(&v);
    check_folder(&v);
    check_mcp(&v);
    status s = check_model(&v, &st);
    if (s == OK) s = check_completion(&v, &st);
    if (s == ERR_CANCELLED) {
        vec_free(&v);
        return err_set(e, s, "cancelled");
    }
    check_editors(&v);
    int failed = 0;
    for (size_t i = 0; i < v.count; i++)
        failed += !v.at[i].ok;
    s = a->json ? print_json(&v, failed, e) : print_table(&v, e);
    if (s == OK && failed) {
        s = err_set(e, ERR_NOT_FOUND, "%d of %zu checks failed; each says how to mend it", failed,
                    v.count);
    }
    vec_free(&v);
    return s;
}

static void note_complaint(void *ud, const char *sentence) {
    check_vec *v = ud;
    check_fix(check_add(v, "settings", false, "%s", sentence), "mend that setting");
}

static void check_settings(check_vec *v, const cli_args *a, settings *st) {
    err e;
    settings_default(st);
    if (!a->config) {
        check_add(v, "settings", true, "the defaults; --config FILE is checked when it is given");
    } else {
        size_t before = v->count;
        if (settings_load(st, a->config, note_complaint, v, &e) != OK) {
            check_fix(check_add(v, "settings", false, "%s", e.text), "mend or remove the file");
        } else if (v->count == before) {
            check_add(v, "settings", true, "%s", a->config);
        }
    }
    cli_args only_words = *a;
    only_words.config = NULL;
    settings words;
    if (cli_settings(&only_words, &words, &e) != OK) return;
    if (a->model) memcpy(st->model, words.model, sizeof st->model);
    if (a->device) st->engine.device = words.engine.device;
    if (a->threads) st->engine.threads = words.engine.threads;
}

/* The folder need not exist: then its nearest parent decides. */
static void check_folder(check_vec *v) {
    char *folder = NULL;
    err e;
    if (registry_folder(&folder, &e) != OK) {
        check_fix(check_add(v, "data-folder", false, "%s", e.text), "export HOME=/path/to/home");
        return;
    }
    char *parent = xstrdup(folder);
    while (access(parent, F_OK) != 0) {
        char *slash = strrchr(parent, '/');
        if (!slash || slash == parent) break;
        *slash = 0;
    }
    bool writable = access(parent, W_OK | X_OK) == 0;
    check *c =
        check_add(v, "data-folder", writable, "%s%s", folder, writable ? "" : " cannot be written");
    if (!writable)
        check_fix(c, "give yourself the right to write %s, or set XDG_DATA_HOME", parent);
    xfree(parent);
    xfree(folder);
}

/* Only what the files say: whether servers work is what `inlined mcp doctor` finds out. */
static void check_mcp(check_vec *v) {
    char here[4096];
    mcp_config config;
    mcp_config_init(&config);
    mcp_config_discover(&config, getcwd(here, sizeof here) ? here : NULL);
    const mcp_note *wrong = NULL;
    for (size_t i = 0; i < config.notes.count && !wrong; i++)
        if (config.notes.at[i].error) wrong = &config.notes.at[i];
    if (wrong)
        check_fix(
            check_add(v, "mcp", false, "%.100s:%d: %.120s", wrong->file, wrong->line, wrong->text),
            "inlined mcp list");
    else
        check_add(v, "mcp", true, "%zu servers configured here; inlined mcp doctor tries them",
                  config.servers.count);
    mcp_config_deinit(&config);
}

static void show_checking(void *ud, pull_stage stage, uint64_t done, uint64_t all) {
    meter *line = ud;
    if (stage == PULL_CHECKING && line->terminal) meter_bytes(line, "checking", done, all);
}

static bool on_cancelled(void *ud) {
    UNUSED(ud);
    return interrupt_take();
}

static status check_listed_model(check_vec *v, const model_entry *m) {
    err e;
    meter line;
    meter_init(&line);
    const pull_hooks hooks = {show_checking, on_cancelled, &line};
    status s = registry_verify(m, &hooks, &e);
    meter_end(&line);
    if (s == OK) {
        check_add(v, "model", true, "%s, %.0f MB, SHA-256 right", m->name, (double)m->bytes / 1e6);
    } else if (s != ERR_CANCELLED) {
        check_fix(check_add(v, "model", false, "%s", e.text), "inlined models pull %s", m->name);
    }
    return s;
}

/* OK: there is a file that can be tried. */
static status check_model(check_vec *v, const settings *st) {
    registry *r = NULL;
    char *path = NULL, *name = NULL;
    err e;
    status s = registry_open(&r, &e);
    if (s != OK) {
        check_fix(check_add(v, "model", false, "%s", e.text), "mend or remove that file");
        return s;
    }
    const model_entry *m = registry_find(r, st->model[0] ? st->model : "default");
    if (m) {
        s = check_listed_model(v, m);
        goto done;
    }
    s = registry_resolve(r, st->model, &path, &name, &e);
    if (s == OK)
        check_add(v, "model", true, "%s", path);
    else
        check_fix(check_add(v, "model", false, "%s", e.text), "inlined models list");
done:
    xfree(path);
    xfree(name);
    registry_close(r);
    return s;
}

typedef struct {
    double prefill_ms, decode_ms;
    int prefilled, generated;
} trial;

static void on_trial(void *ud, const engine_result *r) {
    trial *t = ud;
    *t = (trial){r->prefill_ms, r->decode_ms, r->prefilled, r->n_tokens};
}

static status run_trial(cli_engine *c, trial *t, err *e) {
    const engine_job job = {
        .priority = PRIO_USER,
        .prompt = {.kind = PROMPT_TEXT,
                   .prefix = STR("def fibonacci(n):\n    \"\"\"The n-th number of Fibonacci's "
                                 "sequence.\"\"\"\n    a, b = 0, 1\n    for _ in range(n):\n")},
        .sampling = {.top_p = 1, .repeat_penalty = 1},
        .tokens_max = TRIAL_TOKENS,
        .ignore_eog = true,
    };
    const cli_job_hooks hooks = {.result = on_trial, .ud = t};
    return cli_engine_run(c, &job, &hooks, e);
}

static void add_speed(check_vec *v, const trial *t) {
    double read = t->prefill_ms > 0 ? t->prefilled * 1000.0 / t->prefill_ms : 0;
    double wrote = t->decode_ms > 0 ? t->generated * 1000.0 / t->decode_ms : 0;
    check_add(v, "completion", true,
              "%d tokens read at %.0f per second, %d written at %.0f per second", t->prefilled,
              read, t->generated, wrote);
}

static status check_completion(check_vec *v, const settings *st) {
    cli_engine *c = NULL;
    err e;
    status s = cli_engine_open(&c, st, &e);
    if (s != OK && s != ERR_CANCELLED) {
        check_fix(check_add(v, "load", false, "%s", e.text),
                  "inlined models verify default; if that is fine, report the sentence");
    }
    if (s != OK) return s;
    const engine_model_info *i = cli_engine_info(c);
    check_add(v, "load", true, "%s %s in %.0f ms on %s; %.0f MB, %d tokens of context", i->arch,
              i->quant, i->load_ms, i->backend,
              (double)(i->memory.weight_bytes + i->memory.kv_bytes + i->memory.work_bytes) / 1e6,
              i->context_tokens);
    trial t = {0};
    s = run_trial(c, &t, &e);
    if (s == OK)
        add_speed(v, &t);
    else
        check_fix(check_add(v, "completion", false, "%s", e.text), "report the sentence");
    cli_engine_close(c);
    return s;
}

static status print_table(const check_vec *v, err *e) {
    bool colours = term_has_colour(STDOUT_FILENO);
    strbuf out;
    strbuf_init(&out, 1u << 20);
    for (size_t i = 0; i < v->count; i++) {
        const check *c = &v->at[i];
        term_paint(&out, colours, c->ok ? COLOUR_GREEN : COLOUR_RED, c->ok ? " ok " : "FAIL");
        strbuf_addf(&out, "  %-12s  %s\n", c->name, c->detail);
        if (!c->fix[0]) continue;
        char fix[sizeof c->fix + 32];
        snprintf(fix, sizeof fix, "                    -> %s", c->fix);
        term_paint(&out, colours, COLOUR_YELLOW, fix);
        strbuf_add_char(&out, '\n');
    }
    status s = term_write(strbuf_str(&out), e);
    strbuf_deinit(&out);
    return s;
}

static status print_json(const check_vec *v, int failed, err *e) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddBoolToObject(root, "ok", failed == 0);
    cJSON *list = cJSON_AddArrayToObject(root, "checks");
    for (size_t i = 0; i < v->count; i++) {
        const check *c = &v->at[i];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", c->name);
        cJSON_AddBoolToObject(o, "ok", c->ok);
        cJSON_AddStringToObject(o, "detail", c->detail);
        cJSON_AddStringToObject(o, "fix", c->fix);
        cJSON_AddItemToArray(list, o);
    }
    return term_write_json(root, e);
}
