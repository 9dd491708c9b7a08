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

static status check_chat(const engine_prompt *p, err *e);

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
    if (s->trigger.len > LIMIT_TRIGGER_BYTES)
        return err_set(e, ERR_LIMIT, "a trigger has at most %d bytes", LIMIT_TRIGGER_BYTES);
    status ok = check_chat(&s->prompt, e);
    return ok == OK ? check_sampling(&s->sampling, e) : ok;
}

/* What the engine may not borrow from another thread.  Bounded by check_chat. */
static chat_value copy_chat(arena *a, chat_value v) {
    chat_value out = v;
    if (v.kind == CHAT_STR) {
        out.text = arena_str(a, v.text);
    } else if (v.kind == CHAT_LIST) {
        out = chat_new_list(a);
        for (size_t i = 0; i < chat_count(v); i++)
            chat_list_add(a, out, copy_chat(a, chat_at(v, i, NULL)));
    } else if (v.kind == CHAT_DICT) {
        out = chat_new_dict(a);
        for (size_t i = 0; i < chat_count(v); i++) {
            str key;
            chat_value item = chat_at(v, i, &key);
            chat_dict_set(a, out, arena_str(a, key), copy_chat(a, item));
        }
    }
    return out;
}

/* Bytes of the texts in `v`; SIZE_MAX: it nests too deep. */
static size_t measure_chat(chat_value v, int depth) {
    size_t sum = v.kind == CHAT_STR ? v.text.len : 16;
    if (depth > LIMIT_JSON_DEPTH) return SIZE_MAX;
    for (size_t i = 0; i < chat_count(v); i++) {
        str key = {0};
        size_t more = measure_chat(chat_at(v, i, &key), depth + 1);
        if (more > LIMIT_CHAT_MESSAGES_BYTES) return SIZE_MAX;
        sum += key.len + more;
        if (sum > LIMIT_CHAT_MESSAGES_BYTES) return SIZE_MAX;
    }
    return sum;
}

static status check_chat(const engine_prompt *p, err *e) {
    if (p->kind != PROMPT_CHAT) return OK;
    if (p->chat.kind != CHAT_DICT)
        return err_set(e, ERR_USAGE, "a conversation is a dict with messages");
    if (measure_chat(p->chat, 0) > LIMIT_CHAT_MESSAGES_BYTES)
        return err_set(e, ERR_LIMIT, "a conversation has at most %u MB of text in %d levels",
                       LIMIT_CHAT_MESSAGES_BYTES >> 20, LIMIT_JSON_DEPTH);
    return OK;
}

static void copy_prompt(engine_prompt *p, arena *a) {
    if (p->kind == PROMPT_CHAT) p->chat = copy_chat(a, p->chat);
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
    j->spec.trigger = arena_str(&j->mem, spec->trigger);
    j->spec.grammar = j->grammar = grammar_hold((grammar *)(uintptr_t)spec->grammar);
    j->posted_ms = clock_ms();
    atomic_init(&j->cancel, false);
    j->text_mail = (mail){.kind = MAIL_TEXT, .job = j};
    j->done_mail = (mail){.kind = MAIL_DONE, .job = j};
    *out = j;
    return OK;
}

void job_free(job *j) {
    if (!j) return;
    grammar_release(j->grammar);
    arena_deinit(&j->mem);
    xfree(j);
}
