/* SPDX-License-Identifier: Apache-2.0 */
/* The way of one completion, apart from any protocol.
 *
 *     completion_start      context_assemble; skip? -> done at once
 *         engine_submit     prompt and stop rule by the shape that the syntax asks for
 *     completer_event       EV_DONE: context_finish -> done
 *
 * A completion owns an arena with everything it borrowed nothing for.  It is freed right after
 * done(), or by completion_cancel; the engine's late EV_DONE of a cancelled one finds nobody, which
 * is right.  Invariant: a completion is in the completer's list exactly while its job runs.
 * Thread: loop.
 */
#include "lsp/completion.h"

#include <math.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/vec.h"

struct completion {
    completer *owner;
    context *context;
    document *document;
    arena arena;
    str forced;
    context_prompt prompt;
    float logprob_mean_min, logprob_token_min;
    uint32_t filters_off;
    job_id job;
    completion_done done;
    void *ud;
    double received_ms, started_ms, context_ms;
};

struct completer {
    engine *engine;
    VEC(completion *) running;
};

completer *completer_new(engine *g) {
    completer *c = xcalloc(1, sizeof *c);
    c->engine = g;
    return c;
}

static void completion_free(completion *run) {
    arena_deinit(&run->arena);
    xfree(run);
}

void completer_free(completer *c) {
    if (!c) return;
    for (size_t i = 0; i < c->running.count; i++)
        completion_free(c->running.at[i]);
    vec_free(&c->running);
    xfree(c);
}

/* ---- the question ---------------------------------------------------------------------------- */

void completion_question(const settings *st, const engine_model_info *model, context_request *out) {
    settings_switch cross_file = st->context.cross_file;
    *out = (context_request){
        .prefix_bytes_max = st->context.prefix_bytes,
        .suffix_bytes_max = st->context.suffix_bytes,
        .multiline_allowed =
            st->completion.multiline == MULTILINE_AUTO && !(model && model->single_line),
        .retrieval =
            cross_file == SWITCH_ON || (cross_file == SWITCH_AUTO && model && model->cross_file),
        .chunk_bytes_max = st->context.cross_file_bytes,
    };
    for (int i = 0; i < st->context.sections_off.count; i++)
        out->sections_off |= context_section_bit(st->context.sections_off.at[i]);
}

static void assemble(completion *run, const completion_request *rq) {
    context_request question;
    completion_question(rq->settings, rq->model, &question);
    question.offset = rq->offset;
    question.invoked = rq->invoked;
    question.tab_size = rq->tab_size;
    question.tabs = rq->tabs;
    context_assemble(run->context, run->document, &question, &run->arena, &run->prompt);
    if (rq->settings->completion.multiline == MULTILINE_ALWAYS) run->prompt.shape = SHAPE_BLOCK;
}

static sampling sampling_of(int variant) {
    sampling s = {.top_p = 1.0f, .repeat_penalty = 1.0f};
    if (variant) {
        s.temperature = 0.8f;
        s.top_p = 0.95f;
        s.seed = (uint64_t)variant;
    }
    return s;
}

static float logprob_of(int percent) {
    return percent > 0 ? logf((float)percent / 100.0f) : -1e30f;
}

static void remember_rules(completion *run, const completion_request *rq) {
    model_confidence least = {0}; /* who asks by hand gets what there is */
    if (rq->model && !rq->invoked) least = rq->model->confidence;
    if (rq->settings->completion.confidence >= 0) least.show = rq->settings->completion.confidence;
    if (rq->settings->completion.cut_below >= 0) least.cut = rq->settings->completion.cut_below;
    run->logprob_mean_min = logprob_of(least.show);
    run->logprob_token_min = logprob_of(least.cut);
    const settings_list *off = &rq->settings->completion.filters_off;
    for (int i = 0; i < off->count; i++)
        run->filters_off |= context_filter_bit(off->at[i]);
}

/* What nobody waits for yet may come at any time. */
static double deadline_of(const completion_request *rq) {
    int ms = rq->settings->completion.deadline_ms;
    return ms > 0 && rq->priority == PRIO_TYPE ? rq->received_ms + ms : 0;
}

static const char *reason_of(status s) {
    return s == ERR_CANCELLED ? "cancelled" : s == ERR_LATE ? "late" : "engine";
}

static engine_job job_of(completion *run, const completion_request *rq) {
    const context_prompt *p = &run->prompt;
    const settings *set = rq->settings;
    prompt_chunk *chunks = arena_alloc(&run->arena, MAX(p->n_chunks, 1) * sizeof *chunks);
    for (size_t i = 0; i < p->n_chunks; i++)
        chunks[i] = (prompt_chunk){p->chunks[i].path, p->chunks[i].text};
    str prefix = p->prefix;
    if (run->forced.len) /* as if it stood there already */
        prefix =
            str_of(arena_printf(&run->arena, "%.*s%.*s", STR_ARG(prefix), STR_ARG(run->forced)));
    return (engine_job){
        .client = rq->client,
        .slot = rq->slot,
        .priority = rq->priority,
        .prompt = {.kind = PROMPT_COMPLETION,
                   .path = p->path,
                   .chunks = chunks,
                   .n_chunks = p->n_chunks,
                   .prefix = prefix,
                   .suffix = p->suffix,
                   .order = set->context.order,
                   .heal = set->completion.healing,
                   /* Bytes that a user asks for go in whole: no token is shorter than one. */
                   .prefix_tokens_max = set->context.prefix_bytes,
                   .suffix_tokens_max = set->context.suffix_bytes,
                   .context_tokens_max = set->context.cross_file_bytes},
        .sampling = sampling_of(rq->variant),
        .tokens_max = set->completion.max_tokens,
        .time_budget_ms = set->completion.time_budget_ms,
        .deadline_ms = deadline_of(rq),
        /* What comes behind doubt is cut anyway (context/filter_doubt.c). */
        .token_logprob_min =
            run->filters_off & context_filter_bit("doubt") ? 0 : run->logprob_token_min,
        .stop = p->shape == SHAPE_BLOCK ? STOP_BLOCK : STOP_LINE,
        .indent = p->indent,
    };
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* The tokens that have text, with their places in the raw text, where forced bytes come first. */
static void add_tokens(completion *run, const engine_result *result, context_answer *answer) {
    context_token *tokens =
        arena_alloc(&run->arena, (size_t)MAX(result->n_tokens, 1) * sizeof *tokens);
    for (int i = 0; i < result->n_tokens; i++) {
        if ((size_t)result->token_start[i] >= result->text.len) continue;
        tokens[answer->n_tokens++] = (context_token){
            run->forced.len + (size_t)result->token_start[i], result->token_logprob[i]};
    }
    answer->tokens = tokens;
}

static void judge(completion *run, const engine_result *result, completion_result *r) {
    context_answer answer = {
        .raw = result->text,
        .complete = !finish_reason_cuts(result->finish),
        .logprob_mean = result->logprob_mean,
        .logprob_min = result->logprob_min,
    };
    if (run->forced.len)
        answer.raw = str_of(
            arena_printf(&run->arena, "%.*s%.*s", STR_ARG(run->forced), STR_ARG(result->text)));
    add_tokens(run, result, &answer);
    context_suggestion s = {0};
    context_set_confidence(run->context, run->logprob_mean_min, run->logprob_token_min);
    context_set_filters_off(run->context, run->filters_off);
    context_finish(run->context, run->document, &run->prompt, &answer, &run->arena, &s);
    r->raw = answer.raw;
    r->shown = s.shown;
    r->reason = s.reason;
    r->text = s.text;
    r->from = s.from;
    r->to = s.to;
    /* The filters may cut, but not into what the editor is going to insert itself. */
    if (r->shown && run->forced.len && !str_starts_with(s.text, run->forced)) {
        r->shown = false;
        r->reason = "selected-item";
    }
}

/* Calls done() and frees; `result` is NULL when the model was not asked. */
static void finish(completion *run, const engine_result *result, const char *reason,
                   const char *detail) {
    double before = clock_ms();
    completion_result r = {
        .reason = reason,
        .detail = detail,
        .offset = run->prompt.offset,
        .from = run->prompt.offset,
        .to = run->prompt.offset,
        .version = run->prompt.version,
        .prompt = &run->prompt,
        .engine = result,
        .ms = {.context = run->context_ms},
    };
    if (result && !reason[0]) judge(run, result, &r);
    double now = clock_ms();
    r.ms.queue = run->started_ms - run->received_ms + (result ? result->queue_ms : 0);
    r.ms.prefill = result ? result->prefill_ms : 0;
    r.ms.decode = result ? result->decode_ms : 0;
    r.ms.post = now - before;
    r.ms.total = now - run->received_ms;
    run->done(run->ud, &r);
    completion_free(run);
}

/* ---- public ---------------------------------------------------------------------------------- */

completion *completion_start(completer *c, const completion_request *rq, completion_done done,
                             void *ud) {
    completion *run = xcalloc(1, sizeof *run);
    *run = (completion){.owner = c,
                        .context = rq->context,
                        .document = rq->document,
                        .done = done,
                        .ud = ud,
                        .received_ms = rq->received_ms,
                        .started_ms = clock_ms()};
    arena_init(&run->arena);
    run->forced = arena_str(&run->arena, rq->forced);
    remember_rules(run, rq);
    assemble(run, rq);
    run->context_ms = clock_ms() - run->started_ms;
    if (run->prompt.skip) {
        finish(run, NULL, run->prompt.reason, "");
        return NULL;
    }
    engine_job job = job_of(run, rq);
    err e = {{0}};
    status s = engine_submit(c->engine, &job, &run->job, &e);
    if (s) {
        log_warn("completion", "job refused why=\"%s\"", e.text);
        finish(run, NULL, s == ERR_LIMIT ? "busy" : "engine", e.text);
        return NULL;
    }
    vec_push(&c->running, run);
    return run;
}

static void forget(completer *c, const completion *run) {
    for (size_t i = 0; i < c->running.count; i++) {
        if (c->running.at[i] != run) continue;
        vec_remove(&c->running, i);
        return;
    }
}

void completion_cancel(completion *run) {
    engine_cancel(run->owner->engine, run->job);
    forget(run->owner, run);
    completion_free(run);
}

void completion_redirect(completion *run, completion_done done, void *ud) {
    run->done = done;
    run->ud = ud;
}

bool completer_event(completer *c, const engine_event *ev) {
    completion *run = NULL;
    for (size_t i = 0; i < c->running.count && !run; i++) {
        if (c->running.at[i]->job == ev->job) run = c->running.at[i];
    }
    if (!run || (ev->kind != EV_DONE && ev->kind != EV_TEXT)) return false;
    if (ev->kind == EV_TEXT) return true;
    forget(c, run);
    const engine_result *r = ev->result;
    if (r->status == OK)
        finish(run, r, "", "");
    else
        finish(run, r, reason_of(r->status), r->error.text);
    return true;
}
