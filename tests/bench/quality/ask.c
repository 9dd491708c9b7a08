/* SPDX-License-Identifier: Apache-2.0 */
/* Answers many places in one process: a line of JSON in, a line of JSON out.
 *
 *     quality_ask MODEL [THREADS]
 *     in   {"id":1, "path":"src/a.py", "text":"...", "offset":99, "settings":{...}}
 *     out  {"id":1, "raw":"...", "logprob_mean":-0.4, ..., "with":{"all":{...}, "syntax":{...}}}
 *
 * Each place goes the way that every completion goes (lsp/completion.h); then the filters run again
 * on the same raw text with each of them left out, and with none ("raw"), so that a lever that is
 * behind the model costs no second run of it.  "settings" is a section as an editor sends it.
 * A new line of input with the text of the line before is typing: the engine keeps what it has.
 *
 * A line that brings "raw" (with "tokens", "logprob_mean", "logprob_min", "finish" and "shape", as
 * an earlier run wrote them) is only filtered again: with "-" for MODEL no model is needed.
 */
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include "lsp/cli_engine.h"
#include "lsp/completion.h"

static const char *const switchable[] = {"doubt",     "marker", "confidence", "indent", "repeat",
                                         "duplicate", "suffix", "bracket",    "known",  "syntax"};

typedef struct {
    cli_engine *engine;
    completer *completer;
    context *context;
    document *document;
    settings settings;
    cJSON *answer;
    bool done;
} asker;

static void add_text(cJSON *o, const char *key, str text) {
    strbuf clean;
    strbuf_init(&clean, 1u << 20);
    utf8_sanitize(&clean, text);
    cJSON_AddStringToObject(o, key, clean.ptr ? clean.ptr : "");
    strbuf_deinit(&clean);
}

static void add_suggestion(cJSON *to, const char *name, const context_suggestion *s,
                           size_t offset) {
    cJSON *o = cJSON_AddObjectToObject(to, name);
    cJSON_AddBoolToObject(o, "shown", s->shown);
    cJSON_AddStringToObject(o, "reason", s->reason);
    if (!s->shown) return;
    add_text(o, "text", s->text);
    cJSON_AddNumberToObject(o, "swallows", (double)(s->to - MIN(s->to, offset)));
}

/* What is left of an answer with all filters but one, and with none. */
static void add_variants(asker *q, const context_prompt *p, const context_answer *answer,
                         arena *a) {
    cJSON *with = cJSON_AddObjectToObject(q->answer, "with");
    uint32_t all = 0;
    for (size_t i = 0; i <= COUNTOF(switchable); i++) {
        const char *name = i < COUNTOF(switchable) ? switchable[i] : "raw";
        uint32_t bit = i < COUNTOF(switchable) ? context_filter_bit(name) : all;
        all |= bit;
        context_suggestion s = {0};
        context_set_filters_off(q->context, bit);
        context_finish(q->context, q->document, p, answer, a, &s);
        add_suggestion(with, name, &s, p->offset);
    }
    context_set_filters_off(q->context, 0);
}

static bool is_complete(const char *finish) {
    return strcmp(finish, finish_reason_name(FINISH_TOKENS)) != 0 &&
           strcmp(finish, finish_reason_name(FINISH_TIME)) != 0 &&
           strcmp(finish, finish_reason_name(FINISH_CONTEXT)) != 0;
}

static void add_own_variants(asker *q, const completion_result *r) {
    const engine_result *g = r->engine;
    context_answer answer = {.raw = r->raw,
                             .complete = is_complete(finish_reason_name(g->finish)),
                             .logprob_mean = g->logprob_mean,
                             .logprob_min = g->logprob_min};
    arena a;
    arena_init(&a);
    context_token *tokens = arena_alloc(&a, (size_t)MAX(g->n_tokens, 1) * sizeof *tokens);
    for (int i = 0; i < g->n_tokens; i++)
        if ((size_t)g->token_start[i] < g->text.len)
            tokens[answer.n_tokens++] =
                (context_token){(size_t)g->token_start[i], g->token_logprob[i]};
    answer.tokens = tokens;
    add_variants(q, r->prompt, &answer, &a);
    context_suggestion shown = {r->shown, r->reason, r->text, r->from, r->to};
    add_suggestion(cJSON_GetObjectItemCaseSensitive(q->answer, "with"), "all", &shown, r->offset);
    arena_deinit(&a);
}

/* [first byte in "raw", log-probability] of each token that has text. */
static void add_tokens(asker *q, const engine_result *g) {
    cJSON *tokens = cJSON_AddArrayToObject(q->answer, "tokens");
    for (int i = 0; i < g->n_tokens; i++) {
        if ((size_t)g->token_start[i] >= g->text.len) continue;
        const double pair[] = {(double)g->token_start[i], (double)g->token_logprob[i]};
        cJSON_AddItemToArray(tokens, cJSON_CreateDoubleArray(pair, 2));
    }
}

static void on_done(void *ud, const completion_result *r) {
    asker *q = ud;
    q->done = true;
    cJSON *o = q->answer;
    cJSON_AddStringToObject(o, "reason", r->reason);
    cJSON_AddStringToObject(o, "scope", r->prompt->scope ? r->prompt->scope : "");
    if (!r->engine || r->engine->status != OK) return;
    const engine_result *g = r->engine;
    add_text(o, "raw", r->raw);
    cJSON_AddStringToObject(o, "shape", r->prompt->shape == SHAPE_BLOCK ? "block" : "line");
    cJSON_AddStringToObject(o, "finish", finish_reason_name(g->finish));
    cJSON_AddNumberToObject(o, "logprob_mean", (double)g->logprob_mean);
    cJSON_AddNumberToObject(o, "logprob_min", (double)g->logprob_min);
    cJSON_AddNumberToObject(o, "prompt_tokens", g->n_prompt);
    cJSON_AddNumberToObject(o, "reused", g->reused);
    cJSON_AddNumberToObject(o, "generated", g->n_tokens);
    cJSON_AddNumberToObject(o, "ms", r->ms.total);
    add_tokens(q, g);
    add_own_variants(q, r);
}

static void on_event(void *ud, const engine_event *ev) {
    asker *q = ud;
    bool ours = completer_event(q->completer, ev);
    UNUSED(ours);
}

static void on_complaint(void *ud, const char *sentence) {
    UNUSED(ud);
    fprintf(stderr, "quality_ask: %s\n", sentence);
}

static const char *text_of(const cJSON *line, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(line, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

static double number_of(const cJSON *line, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(line, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* The tokens of an earlier answer. */
static size_t tokens_of(const cJSON *list, arena *a, context_token **out) {
    size_t n = 0;
    const cJSON *item;
    *out = arena_alloc(a, (size_t)(cJSON_GetArraySize(list) + 1) * sizeof **out);
    cJSON_ArrayForEach(item, list) {
        const cJSON *start = cJSON_GetArrayItem(item, 0), *logprob = cJSON_GetArrayItem(item, 1);
        if (!cJSON_IsNumber(start) || !cJSON_IsNumber(logprob)) continue;
        (*out)[n++] = (context_token){(size_t)start->valuedouble, (float)logprob->valuedouble};
    }
    return n;
}

static void filter_again(asker *q, const cJSON *line) {
    arena a;
    arena_init(&a);
    context_prompt p;
    context_request rq = {.offset = (size_t)number_of(line, "offset"), .multiline_allowed = true};
    context_assemble(q->context, q->document, &rq, &a, &p);
    p.shape = strcmp(text_of(line, "shape"), "block") != 0 ? SHAPE_LINE : SHAPE_BLOCK;
    context_token *tokens;
    context_answer answer = {.raw = str_of(text_of(line, "raw")),
                             .complete = is_complete(text_of(line, "finish")),
                             .logprob_mean = (float)number_of(line, "logprob_mean"),
                             .logprob_min = (float)number_of(line, "logprob_min")};
    answer.n_tokens = tokens_of(cJSON_GetObjectItemCaseSensitive(line, "tokens"), &a, &tokens);
    answer.tokens = tokens;
    add_variants(q, &p, &answer, &a);
    context_suggestion s = {0};
    context_finish(q->context, q->document, &p, &answer, &a, &s);
    add_suggestion(cJSON_GetObjectItemCaseSensitive(q->answer, "with"), "all", &s, p.offset);
    arena_deinit(&a);
}

static status ask_model(asker *q, const cJSON *line, const settings *st, err *e) {
    const completion_request rq = {
        .context = q->context,
        .document = q->document,
        .offset = (size_t)number_of(line, "offset"),
        .client = 1,
        .priority = PRIO_TYPE,
        .received_ms = clock_ms(),
        .model = cli_engine_info(q->engine),
        .settings = st,
    };
    q->done = false;
    completion *run = completion_start(q->completer, &rq, on_done, q);
    UNUSED(run);
    return cli_engine_pump(q->engine, on_event, q, &q->done, e);
}

static status ask(asker *q, const cJSON *line, err *e) {
    settings st = q->settings;
    settings_apply(&st, cJSON_GetObjectItemCaseSensitive(line, "settings"), on_complaint, NULL);
    str path = str_of(text_of(line, "path"));
    strbuf uri;
    strbuf_init(&uri, 65536);
    strbuf_addf(&uri, "file:///%.*s", STR_ARG(path));
    status s = context_open(q->context, strbuf_str(&uri), path, STR(""),
                            str_of(text_of(line, "text")), 1, &q->document, e);
    strbuf_deinit(&uri);
    if (s != OK) return s;
    q->answer = cJSON_CreateObject();
    cJSON_AddNumberToObject(q->answer, "id", number_of(line, "id"));
    if (cJSON_HasObjectItem(line, "raw"))
        filter_again(q, line);
    else if (q->engine)
        s = ask_model(q, line, &st, e);
    else
        s = err_set(e, ERR_USAGE, "without a model each line needs \"raw\"");
    char *out = cJSON_PrintUnformatted(q->answer);
    if (s == OK) fprintf(stdout, "%s\n", out);
    fflush(stdout);
    cJSON_free(out);
    cJSON_Delete(q->answer);
    context_close(q->context, q->document);
    return s;
}

static status ask_all(asker *q, err *e) {
    char *text = NULL;
    size_t capacity = 0;
    ssize_t n;
    status s = OK;
    while (s == OK && (n = getline(&text, &capacity, stdin)) > 0) {
        cJSON *line = cJSON_ParseWithLength(text, (size_t)n);
        s = line ? ask(q, line, e) : err_set(e, ERR_FORMAT, "a line is not JSON");
        cJSON_Delete(line);
    }
    free(text);
    return s;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: quality_ask MODEL [THREADS]\n");
        return 2;
    }
    asker q = {.context = context_new()};
    settings_default(&q.settings);
    snprintf(q.settings.model, sizeof q.settings.model, "%s", argv[1]);
    q.settings.engine.threads = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
    err e = {{0}};
    status s = strcmp(argv[1], "-") != 0 ? cli_engine_open(&q.engine, &q.settings, &e) : OK;
    if (s == OK && q.engine) q.completer = completer_new(cli_engine_get(q.engine));
    if (s == OK) s = ask_all(&q, &e);
    if (s != OK) fprintf(stderr, "quality_ask: %s\n", e.text);
    completer_free(q.completer);
    cli_engine_close(q.engine);
    context_free(q.context);
    return s == OK ? 0 : 1;
}
