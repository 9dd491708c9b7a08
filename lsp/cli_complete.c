/* SPDX-License-Identifier: Apache-2.0 */
/* `inlined complete FILE:LINE:COL`: opens the file as an editor would and asks at one place,
 * through lsp/completion.h, which is all that the language server does too.  On a terminal it draws
 * the lines around the cursor with the ghost text; elsewhere it writes the text alone.  Thread:
 * main. */
#include <errno.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

#include "context/symbols.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include "lsp/cli_engine.h"
#include "lsp/completion.h"
#include "lsp/explain.h"
#include "lsp/uri.h"

#define LINES_SHOWN 4
#define INDEX_WAIT_MS 5000.0

typedef struct {
    const cli_args *args;
    cli_engine *engine;
    completer *completer;
    context *context;
    symbols *symbols; /* NULL: not needed */
    document *document;
    size_t offset;
    bool done;
    status status;
    err error;
} asking;

static status open_document(asking *q, err *e);
static void use_workspace(asking *q, const settings *st);
static status ask(asking *q, const settings *st, err *e);
static void on_done(void *ud, const completion_result *r);

status cli_complete(const cli_args *a, err *e) {
    asking q = {.args = a, .context = context_new()};
    settings st;
    status s =
        open_document(&q, e); /* before the model is loaded: a wrong place is cheap to find */
    if (s == OK) s = cli_settings(a, &st, e);
    if (s == OK) s = cli_engine_open(&q.engine, &st, e);
    if (s == OK) use_workspace(&q, &st);
    if (s == OK) s = ask(&q, &st, e);
    completer_free(q.completer);
    cli_engine_close(q.engine);
    context_free(q.context);
    symbols_stop(q.symbols);
    return s;
}

static status find_offset(asking *q, const cli_place *place, err *e) {
    size_t lines = document_line_count(q->document);
    if (place->line > lines) {
        return err_set(e, ERR_NOT_FOUND, "%.*s has %zu lines: there is no line %zu",
                       STR_ARG(place->path), lines, place->line);
    }
    str line = document_line(q->document, place->line - 1);
    size_t characters = utf8_count(line);
    if (place->column > characters + 1) {
        return err_set(e, ERR_NOT_FOUND, "line %zu of %.*s ends before column %zu: its last is %zu",
                       place->line, STR_ARG(place->path), place->column, characters + 1);
    }
    q->offset = document_line_start(q->document, place->line - 1) +
                utf8_offset_of_cp(line, place->column - 1);
    return OK;
}

/* The current folder stands for the workspace: the model sees the path below it. */
static status open_document(asking *q, err *e) {
    cli_place place;
    strbuf text, full, uri;
    strbuf_init(&text, LIMIT_DOCUMENT_BYTES);
    strbuf_init(&full, 65536);
    strbuf_init(&uri, 65536);
    char *path = NULL, cwd[4096];
    str root;
    status s = cli_place_parse(q->args->operands[0], &place, e);
    if (s != OK) goto done;
    if (!getcwd(cwd, sizeof cwd)) cwd[0] = 0;
    path = xstrndup(place.path.ptr, place.path.len);
    s = file_read(path, LIMIT_DOCUMENT_BYTES, &text, e);
    if (s != OK) goto done;
    while (path[0] != '/' && str_starts_with(place.path, STR("./")))
        place.path = str_sub(place.path, 2, place.path.len);
    if (path[0] != '/') strbuf_addf(&full, "%s/", cwd);
    strbuf_add_str(&full, place.path);
    strbuf_addf(&uri, "file://%s", full.ptr);
    root = str_of(cwd);
    s = context_open(q->context, strbuf_str(&uri), uri_relative(strbuf_str(&full), &root, 1),
                     STR(""), strbuf_str(&text), 1, &q->document, e);
    if (s == OK) context_locate(q->context, q->document, strbuf_str(&full));
    if (s == OK) s = find_offset(q, &place, e);
done:
    strbuf_deinit(&text);
    strbuf_deinit(&full);
    strbuf_deinit(&uri);
    xfree(path);
    return s;
}

/* The rules of the current folder, and its definitions where they are wanted: an editor's daemon
 * has had time to index it, so it is waited for, but not for ever. */
static void use_workspace(asking *q, const settings *st) {
    char cwd[4096];
    if (!getcwd(cwd, sizeof cwd)) return;
    str root = str_of(cwd);
    strbuf globs;
    context_request question;
    completion_question(st, cli_engine_info(q->engine), &question);
    strbuf_init(&globs, sizeof st->privacy.deny_globs.at + SETTINGS_LIST_COUNT);
    settings_deny_globs(st, &globs);
    context_set_roots(q->context, &root, 1);
    context_set_privacy(q->context, strbuf_str(&globs), st->privacy.respect_gitignore);
    if (question.retrieval && st->context.index) {
        q->symbols = symbols_start(NULL);
        symbols_view view = {.client = 1, .roots = &root, .n = 1, .deny_globs = strbuf_str(&globs),
                             .respect_gitignore = st->privacy.respect_gitignore};
        symbols_set_view(q->symbols, &view);
        symbols_stats stats = {0};
        double until = clock_ms() + INDEX_WAIT_MS;
        while ((!stats.scans || stats.busy) && clock_ms() < until) {
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
            symbols_get_stats(q->symbols, &stats);
        }
        context_set_symbols(q->context, q->symbols, 1);
    }
    strbuf_deinit(&globs);
}

static void on_event(void *ud, const engine_event *ev) {
    asking *q = ud;
    bool ours = completer_event(q->completer, ev);
    UNUSED(ours);
}

static status ask(asking *q, const settings *st, err *e) {
    q->completer = completer_new(cli_engine_get(q->engine));
    const completion_request rq = {
        .context = q->context,
        .document = q->document,
        .offset = q->offset,
        .invoked = !q->args->automatic,
        .client = 1,
        .priority = PRIO_TYPE,
        .received_ms = clock_ms(),
        .model = cli_engine_info(q->engine),
        .settings = st,
    };
    completion *run = completion_start(q->completer, &rq, on_done, q);
    status s = cli_engine_pump(q->engine, on_event, q, &q->done, e);
    if (s != OK && run && !q->done) completion_cancel(run);
    if (s == OK && q->status != OK) s = err_set(e, q->status, "%s", q->error.text);
    return s;
}

static void add_ms(cJSON *o, const char *key, double ms) {
    cJSON_AddNumberToObject(o, key, round(ms * 1000) / 1000);
}

static void add_text(cJSON *o, const char *key, str text) {
    strbuf clean;
    strbuf_init(&clean, LIMIT_DOCUMENT_BYTES);
    utf8_sanitize(&clean, text);
    cJSON_AddStringToObject(o, key, clean.ptr ? clean.ptr : "");
    strbuf_deinit(&clean);
}

static cJSON *result_json(const asking *q, const completion_result *r) {
    const engine_result *g = r->engine;
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "model", cli_engine_name(q->engine));
    cJSON_AddStringToObject(o, "backend", cli_engine_info(q->engine)->backend);
    add_text(o, "text", r->text);
    add_text(o, "raw", r->raw);
    cJSON_AddBoolToObject(o, "shown", r->shown);
    cJSON_AddStringToObject(o, "reason", r->reason);
    cJSON *prompt = cJSON_AddObjectToObject(o, "prompt");
    cJSON_AddStringToObject(prompt, "format", g ? g->format : "");
    cJSON_AddNumberToObject(prompt, "tokens", g ? g->n_prompt : 0);
    cJSON_AddNumberToObject(prompt, "prefix_tokens", g ? g->prefix_tokens : 0);
    cJSON_AddNumberToObject(prompt, "suffix_tokens", g ? g->suffix_tokens : 0);
    cJSON_AddNumberToObject(prompt, "context_tokens", g ? g->context_tokens : 0);
    cJSON *tokens = cJSON_AddObjectToObject(o, "tokens");
    cJSON_AddNumberToObject(tokens, "reused", g ? g->reused : 0);
    cJSON_AddNumberToObject(tokens, "prefilled", g ? g->prefilled : 0);
    cJSON_AddNumberToObject(tokens, "generated", g ? g->n_tokens : 0);
    cJSON *ms = cJSON_AddObjectToObject(o, "timings_ms");
    add_ms(ms, "queue", r->ms.queue);
    add_ms(ms, "context", r->ms.context);
    add_ms(ms, "prefill", r->ms.prefill);
    add_ms(ms, "decode", r->ms.decode);
    add_ms(ms, "post", r->ms.post);
    add_ms(ms, "total", r->ms.total);
    if (q->args->explain)
        cJSON_AddItemToObject(o, "context", explain_json(r->prompt, r->ms.context));
    return o;
}

/* A few lines before the cursor, the ghost text in colour, the rest of the line. */
static void add_picture(strbuf *out, const asking *q, const completion_result *r) {
    str text = document_text(q->document);
    size_t line = document_line_of(q->document, r->offset);
    size_t first = line > LINES_SHOWN ? line - LINES_SHOWN : 0;
    size_t start = document_line_start(q->document, first);
    size_t end = document_line_start(q->document, line) + document_line(q->document, line).len;
    char *ghost = xstrndup(r->text.ptr ? r->text.ptr : "", r->text.len);
    strbuf_add_str(out, str_sub(text, start, r->from));
    term_paint(out, true, COLOUR_GREEN, ghost);
    strbuf_add_str(out, str_sub(text, r->to, end));
    strbuf_add_char(out, '\n');
    xfree(ghost);
}

static void tell_times(const completion_result *r) {
    const engine_result *g = r->engine;
    fprintf(stderr,
            "%.0f ms: context %.1f, queue %.1f, prefill %.0f (%d tokens, %d reused), "
            "decode %.0f (%d tokens), post %.1f\n",
            r->ms.total, r->ms.context, r->ms.queue, r->ms.prefill, g ? g->prefilled : 0,
            g ? g->reused : 0, r->ms.decode, g ? g->n_tokens : 0, r->ms.post);
}

/* A table for people. */
static void tell_context(const completion_result *r) {
    const context_prompt *p = r->prompt;
    const engine_result *g = r->engine;
    fprintf(stderr, "%s, %s; prefix %zu bytes (%d tokens), suffix %zu bytes (%d tokens), pieces %d "
                    "tokens, %zu secrets masked, %.2f ms\n",
            p->scope, p->shape == SHAPE_BLOCK ? "block" : "line", p->prefix.len,
            g ? g->prefix_tokens : 0, p->suffix.len, g ? g->suffix_tokens : 0,
            g ? g->context_tokens : 0, p->secrets, r->ms.context);
    for (size_t i = 0; i < COUNTOF(p->sections) && p->sections[i].name; i++)
        fprintf(stderr, "  %-12s %zu of %zu pieces, %zu of %zu bytes, %.2f ms\n",
                p->sections[i].name, p->sections[i].chunks, p->sections[i].found,
                p->sections[i].bytes, p->sections[i].budget, p->sections[i].ms);
    for (size_t i = 0; i < p->n_chunks; i++)
        fprintf(stderr, "%s %.2f %.*s\n%.*s%s", p->chunks[i].why, (double)p->chunks[i].score,
                STR_ARG(p->chunks[i].path), STR_ARG(p->chunks[i].text),
                str_ends_with(p->chunks[i].text, STR("\n")) ? "" : "\n");
}

static void on_done(void *ud, const completion_result *r) {
    asking *q = ud;
    q->done = true;
    bool failed = r->engine && r->engine->status != OK;
    if (failed) {
        q->status = err_set(&q->error, r->engine->status, "%s", r->engine->error.text);
        return;
    }
    if (q->args->json) {
        q->status = term_write_json(result_json(q, r), &q->error);
        return;
    }
    if (q->args->explain) tell_context(r);
    if (!r->shown) {
        fprintf(stderr, "inlined: nothing to show here: %s%s%s\n", r->reason,
                r->detail[0] ? ": " : "", r->detail);
        return;
    }
    strbuf out;
    strbuf_init(&out, 2 * (size_t)LIMIT_DOCUMENT_BYTES);
    bool picture = term_has_colour(STDOUT_FILENO);
    if (picture)
        add_picture(&out, q, r);
    else
        strbuf_add_str(&out, r->text);
    q->status = term_write(strbuf_str(&out), &q->error);
    strbuf_deinit(&out);
    if (picture) tell_times(r);
}
