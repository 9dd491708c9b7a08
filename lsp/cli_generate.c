/* SPDX-License-Identifier: Apache-2.0 */
/* `inlined generate`: the engine alone.  The prompt is taken as it is: no template, no context, no
 * healing.  With --prompt-logprobs it also asks for the distribution after each prompt token, as
 * one short job per prefix; the KV cache makes that one step per token.  Thread: main. */
#include <math.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include "engine/base/vec.h"
#include "lsp/cli_engine.h"

typedef VEC(int32_t) id_vec;

typedef struct {
    const cli_args *args;
    cli_engine *engine;
    strbuf text;  /* the prompt as text */
    int32_t *ids; /* the prompt as ids (--prompt-tokens) */
    size_t n_ids;
    id_vec prompt;  /* the prompt's ids as the engine ran them */
    cJSON *json;    /* the answer so far */
    cJSON *after;   /* --prompt-logprobs: one list per prompt token */
    strbuf output;  /* the generated text */
    status written; /* of streaming to stdout */
    err write_error;
} generation;

static status read_prompt(generation *g, err *e);
static status run_prompt(generation *g, err *e);
static status run_prefixes(generation *g, err *e);
static status answer(generation *g, err *e);

status cli_generate(const cli_args *a, err *e) {
    generation g = {.args = a};
    strbuf_init(&g.text, LIMIT_DOCUMENT_BYTES);
    strbuf_init(&g.output, LIMIT_DOCUMENT_BYTES);
    settings st;
    status s = read_prompt(&g, e);
    if (s == OK) s = cli_settings(a, &st, e);
    if (s == OK) s = cli_engine_open(&g.engine, &st, e);
    if (s == OK) s = run_prompt(&g, e);
    if (s == OK && a->prompt_logprobs) s = run_prefixes(&g, e);
    if (s == OK) s = answer(&g, e);
    cJSON_Delete(g.json);
    cJSON_Delete(g.after);
    cli_engine_close(g.engine);
    vec_free(&g.prompt);
    xfree(g.ids);
    strbuf_deinit(&g.text);
    strbuf_deinit(&g.output);
    return s;
}

static status read_prompt(generation *g, err *e) {
    const cli_args *a = g->args;
    if (a->prompt_tokens) {
        status s = cli_ids_parse(a->prompt_tokens, &g->ids, &g->n_ids, e);
        if (s == OK && !g->n_ids) s = err_set(e, ERR_USAGE, "--prompt-tokens is empty");
        return s;
    }
    if (a->prompt_file) return file_read(a->prompt_file, LIMIT_DOCUMENT_BYTES, &g->text, e);
    strbuf_add_str(&g->text, str_of(a->prompt));
    return OK;
}

static engine_job job_of(const generation *g) {
    const cli_args *a = g->args;
    engine_job job = {
        .priority = PRIO_USER,
        .prompt = {.kind = PROMPT_TEXT, .prefix = strbuf_str(&g->text), .special = a->special},
        .sampling = {.temperature = (float)a->temperature,
                     .top_p = 1,
                     .repeat_penalty = 1,
                     .seed = (uint64_t)a->seed},
        .tokens_max = (int)MAX(a->tokens, 1),
        .stop = STOP_NONE,
        .logprobs = (int)a->logprobs,
    };
    if (a->prompt_tokens) {
        job.prompt.kind = PROMPT_TOKENS;
        job.prompt.tokens = g->ids;
        job.prompt.n_tokens = g->n_ids;
    }
    return job;
}

static cJSON *ids_json(const int32_t *ids, int n) {
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber(ids[i]));
    return list;
}

/* [[id, log-probability], ...]; six decimals are more than f32 logits carry. */
static cJSON *probs_json(const token_prob *probs, int n) {
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < n; i++) {
        cJSON *pair = cJSON_CreateArray();
        cJSON_AddItemToArray(pair, cJSON_CreateNumber(probs[i].id));
        double lp = round((double)probs[i].logprob * 1e6) / 1e6;
        cJSON_AddItemToArray(pair, cJSON_CreateNumber(lp));
        cJSON_AddItemToArray(list, pair);
    }
    return list;
}

static double milliseconds(double ms) {
    return round(ms * 1000) / 1000;
}

static void on_result(void *ud, const engine_result *r) {
    generation *g = ud;
    if (r->status != OK) return;
    const engine_model_info *info = cli_engine_info(g->engine);
    bool none = g->args->tokens == 0; /* one was made to get at the logits: not asked for */
    int n = none ? 0 : r->n_tokens;
    for (int i = 0; i < r->n_prompt; i++)
        vec_push(&g->prompt, r->prompt[i]);
    if (!none) utf8_sanitize(&g->output, r->text);
    cJSON *o = g->json = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "model", cli_engine_name(g->engine));
    cJSON_AddStringToObject(o, "backend", info->backend);
    cJSON_AddItemToObject(o, "prompt_tokens", ids_json(r->prompt, r->n_prompt));
    cJSON_AddItemToObject(o, "tokens", ids_json(r->tokens, n));
    cJSON_AddStringToObject(o, "text", g->output.ptr ? g->output.ptr : "");
    cJSON *logprobs = cJSON_AddArrayToObject(o, "logprobs");
    int k = r->n_probs_per_token;
    for (int i = 0; g->args->logprobs && i < n; i++)
        cJSON_AddItemToArray(logprobs, probs_json(r->probs + (size_t)i * (size_t)k, k));
    cJSON_AddStringToObject(o, "stop", finish_reason_name(r->finish));
    cJSON *times = cJSON_AddObjectToObject(o, "timings_ms");
    cJSON_AddNumberToObject(times, "prefill", milliseconds(r->prefill_ms));
    cJSON_AddNumberToObject(times, "decode", milliseconds(r->decode_ms));
}

static void on_text(void *ud, str text) {
    generation *g = ud;
    if (g->written == OK) g->written = term_write(text, &g->write_error);
}

static status run_prompt(generation *g, err *e) {
    engine_job job = job_of(g);
    job.stream = !g->args->json && isatty(STDOUT_FILENO);
    const cli_job_hooks hooks = {on_result, job.stream ? on_text : NULL, g};
    status s = cli_engine_run(g->engine, &job, &hooks, e);
    if (s == OK && g->written != OK) return err_set(e, g->written, "%s", g->write_error.text);
    if (s == OK && job.stream) s = term_write(STR("\n"), e);
    return s;
}

static void on_prefix_result(void *ud, const engine_result *r) {
    generation *g = ud;
    if (r->status != OK) return;
    cJSON_AddItemToArray(g->after, probs_json(r->probs, r->n_tokens ? r->n_probs_per_token : 0));
}

/* Prefix i gives the distribution of the token after prompt[0..i]. */
static status run_prefixes(generation *g, err *e) {
    g->after = cJSON_CreateArray();
    engine_job job = job_of(g);
    job.prompt = (engine_prompt){.kind = PROMPT_TOKENS, .tokens = g->prompt.at};
    job.tokens_max = 1;
    job.ignore_eog = true;
    const cli_job_hooks hooks = {on_prefix_result, NULL, g};
    status s = OK;
    for (size_t i = 0; s == OK && i < g->prompt.count; i++) {
        job.prompt.n_tokens = i + 1;
        s = cli_engine_run(g->engine, &job, &hooks, e);
    }
    return s;
}

static status answer(generation *g, err *e) {
    if (g->args->json) {
        cJSON *json = g->json;
        g->json = NULL;
        if (g->after) cJSON_AddItemToObject(json, "prompt_logprobs", g->after);
        g->after = NULL;
        return term_write_json(json, e);
    }
    if (isatty(STDOUT_FILENO)) return OK; /* it was streamed */
    return term_write(strbuf_str(&g->output), e);
}
