/* SPDX-License-Identifier: Apache-2.0 */
/* Copying a job in.  Everything that a caller may get wrong is checked here, on the caller's
 * thread, so that the engine meets only sane orders.
 */
#include "engine/job.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

static status check_sampling(const sampling *s, err *e) {
    if (!(s->temperature >= 0.0f && s->temperature <= 100.0f))
        return err_set(e, ERR_USAGE, "temperature must be between 0 and 100");
    if (s->top_k < 0) return err_set(e, ERR_USAGE, "top_k must not be negative");
    if (!(s->top_p >= 0.0f && s->top_p <= 1.0f))
        return err_set(e, ERR_USAGE, "top_p must be between 0 and 1");
    if (!(s->min_p >= 0.0f && s->min_p <= 1.0f))
        return err_set(e, ERR_USAGE, "min_p must be between 0 and 1");
    if (!(s->repeat_penalty >= 0.0f && s->repeat_penalty <= 100.0f))
        return err_set(e, ERR_USAGE, "repeat_penalty must be between 0 (or 1: off) and 100");
    return OK;
}

static status check(const engine_job *s, err *e) {
    if (s->slot < 0 || s->slot >= LIMIT_ENGINE_MODELS)
        return err_set(e, ERR_USAGE, "model slot %d does not exist", s->slot);
    if (s->tokens_max < 1 || s->tokens_max > LIMIT_GENERATE_TOKENS)
        return err_set(e, ERR_USAGE, "the number of tokens to generate must be between 1 and %d",
                       LIMIT_GENERATE_TOKENS);
    if (s->logprobs < 0 || s->logprobs > LIMIT_LOGPROBS)
        return err_set(e, ERR_USAGE, "logprobs must be between 0 and %d", LIMIT_LOGPROBS);
    if (s->n_stop_strings > LIMIT_STOP_STRINGS)
        return err_set(e, ERR_LIMIT, "at most %d stop strings are possible", LIMIT_STOP_STRINGS);
    if (s->prompt.n_tokens > LIMIT_PROMPT_TOKENS)
        return err_set(e, ERR_LIMIT, "a prompt has at most %d tokens", LIMIT_PROMPT_TOKENS);
    return check_sampling(&s->sampling, e);
}

static void copy_prompt(engine_prompt *p, arena *a) {
    if (p->n_tokens) {
        int32_t *tokens = arena_alloc(a, p->n_tokens * sizeof *tokens);
        memcpy(tokens, p->tokens, p->n_tokens * sizeof *tokens);
        p->tokens = tokens;
    }
    if (p->n_chunks) {
        prompt_chunk *chunks = arena_alloc(a, p->n_chunks * sizeof *chunks);
        for (size_t i = 0; i < p->n_chunks; i++)
            chunks[i] =
                (prompt_chunk){arena_str(a, p->chunks[i].path), arena_str(a, p->chunks[i].text)};
        p->chunks = chunks;
    }
    p->path = arena_str(a, p->path);
    p->prefix = arena_str(a, p->prefix);
    p->suffix = arena_str(a, p->suffix);
}

status job_new(job **out, const engine_job *spec, err *e) {
    status s = check(spec, e);
    if (s != OK) return s;
    job *j = xcalloc(1, sizeof *j);
    arena_init(&j->mem);
    j->spec = *spec;
    copy_prompt(&j->spec.prompt, &j->mem);
    if (spec->n_stop_strings) {
        str *stops = arena_alloc(&j->mem, spec->n_stop_strings * sizeof *stops);
        for (size_t i = 0; i < spec->n_stop_strings; i++)
            stops[i] = arena_str(&j->mem, spec->stop_strings[i]);
        j->spec.stop_strings = stops;
    }
    j->posted_ms = clock_ms();
    atomic_init(&j->cancel, false);
    j->text_mail = (mail){.kind = MAIL_TEXT, .job = j};
    j->done_mail = (mail){.kind = MAIL_DONE, .job = j};
    *out = j;
    return OK;
}

void job_free(job *j) {
    if (!j) return;
    arena_deinit(&j->mem);
    xfree(j);
}
