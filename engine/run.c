/* SPDX-License-Identifier: Apache-2.0 */
/* Running one job.
 *
 *     run_start: prompt -> session with the longest cached prefix
 *     run_step:  while the session lacks more than the last id: a chunk   (prefill)
 *                at the last id: its row and those of guesses behind it, beside those of other
 *                runs; the logits of each row choose a token, as long as the guess before it was
 *                the one chosen (decode)
 *     run_end:   result, session back to the table with everything that was computed
 *
 * Invariants
 *   (1) ids[0 .. n_ids) is what the model has been told; session->count < n_ids between steps, so
 *       that there is always a row left to compute.
 *   (2) Chunks end at multiples of rows_max, or of a power of two less, so that a prompt meets the
 *       same chunk boundaries whether or not its beginning was in the cache.
 *   (3) job->text is valid UTF-8 at any time: bytes of an unfinished character wait in `tail`.
 *   (4) A step allocates nothing: everything comes from the job's arena in run_start.
 * Thread: engine.
 */
#include "engine/run.h"

#include <math.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/utf8.h"

static void allocate(run *r) {
    job *j = r->job;
    size_t most = (size_t)j->spec.tokens_max;
    r->ids = arena_alloc(&j->mem, ((size_t)r->n_prompt + most) * sizeof *r->ids);
    memcpy(r->ids, r->prompt.ids.at, (size_t)r->n_prompt * sizeof *r->ids);
    r->piece_start = arena_alloc(&j->mem, most * sizeof *r->piece_start);
    r->shown_logprob = arena_alloc(&j->mem, most * sizeof *r->shown_logprob);
    /* An invalid byte becomes a U+FFFD of three bytes. */
    j->text_cap = (most + 1) * ((size_t)r->model->piece_max * 3 + 4);
    j->text = arena_alloc(&j->mem, j->text_cap);
    engine_result *res = &j->result;
    res->n_probs_per_token = MAX(1, j->spec.logprobs);
    res->probs = arena_alloc(&j->mem, most * (size_t)res->n_probs_per_token * sizeof(token_prob));
}

status run_start(run **out, job *j, model *m, err *e) {
    run *r = xcalloc(1, sizeof *r);
    *out = NULL;
    r->job = j;
    r->model = m;
    r->start_ms = clock_ms();
    status s = prompt_build(&r->prompt, &m->style, &m->chat, m->tok, &j->spec, m->context, e);
    if (s != OK) {
        xfree(r);
        return s;
    }
    r->n_prompt = r->n_ids = (int)r->prompt.ids.count;
    r->session = session_attach(&m->sessions, r->prompt.ids.at, r->n_prompt);
    if (!r->session) { /* the job waits, and its prompt is built again later */
        prompt_deinit(&r->prompt);
        xfree(r);
        return OK;
    }
    allocate(r);
    r->heal = r->prompt.heal;
    sampler_init(&r->sampler, &j->spec.sampling);
    stop_init(&r->stop, &j->spec);
    constraint_init(&r->constraint, &j->spec, &j->mem);
    engine_result *res = &j->result;
    res->prompt = r->ids;
    res->n_prompt = r->n_prompt;
    res->tokens = r->ids + r->n_prompt;
    snprintf(res->format, sizeof res->format, "%s", r->prompt.format);
    res->prefix_tokens = r->prompt.prefix_tokens;
    res->suffix_tokens = r->prompt.suffix_tokens;
    res->context_tokens = r->prompt.context_tokens;
    res->healed_bytes = r->heal.to - r->heal.from;
    res->reused = r->session->count;
    res->queue_ms = r->start_ms - j->posted_ms;
    *out = r;
    return OK;
}

/* ---- choosing a token ------------------------------------------------------------------------ */

typedef struct {
    int32_t id;
    float logprob; /* among all tokens          */
    float allowed; /* among those that may come */
} choice;

static int all_candidates(const run *r, const float *logits) {
    int n = 0;
    bool no_end = r->job->spec.ignore_eog;
    for (int32_t id = 0; id < r->model->vocab; id++)
        if (!no_end || !tokenizer_is_eog(r->model->tok, id))
            r->model->work[n++] = (candidate){id, logits[id]};
    return n;
}

/* Not all tokens may come: `allowed` is a share among those that may. */
static bool is_bound(const run *r) {
    return heal_is_owing(&r->heal) || constraint_is_active(&r->constraint);
}

/* May the likeliest token be taken without a look at the others? */
static bool is_plain(run *r, int32_t top) {
    if (heal_is_owing(&r->heal) || !sampler_is_greedy(&r->sampler)) return false;
    if (r->job->spec.ignore_eog && tokenizer_is_eog(r->model->tok, top)) return false;
    return !constraint_is_active(&r->constraint) ||
           constraint_allows(&r->constraint, r->model->tok, top);
}

static int32_t draw(run *r, int n, float *logprob) {
    int n_recent = MIN(r->n_ids, SAMPLER_RECENT);
    return sampler_choose(&r->sampler, r->model->work, n, r->ids + r->n_ids - n_recent, n_recent,
                          logprob);
}

/* Chooses among the tokens that may come.  A grammar's are listed only if the choice among all is
 * not one of them: drawing again among them gives the same distribution. */
static status pick(run *r, const float *logits, choice *out, err *e) {
    const model *m = r->model;
    bool owing = heal_is_owing(&r->heal), bound = constraint_is_active(&r->constraint) && !owing;
    int n = owing ? heal_candidates(&r->heal, m->tok, logits, m->vocab, m->work)
                  : all_candidates(r, logits);
    if (bound && !sampler_is_greedy(&r->sampler)) {
        out->id = draw(r, n, &out->allowed);
        if (constraint_allows(&r->constraint, m->tok, out->id)) return OK;
    }
    if (bound) n = constraint_candidates(&r->constraint, m->tok, logits, m->vocab, m->work);
    if (n == 0 && bound)
        return err_set(e, ERR_UNSUPPORTED,
                       "this vocabulary has no token that the answer's form "
                       "allows next; use another model for this");
    if (n == 0)
        return err_set(e, ERR_UNSUPPORTED,
                       "this vocabulary cannot reproduce the text before the "
                       "cursor; switch healing off for this model");
    out->id = draw(r, n, &out->allowed);
    return OK;
}

/* From the logits of the step's wanted row number `row`.  Also writes the token's log-probabilities
 * to the result. */
static status choose(run *r, int row, choice *out, err *e) {
    const engine_job *spec = &r->job->spec;
    engine_result *res = &r->job->result;
    int32_t top[LIMIT_LOGPROBS];
    float top_logprob[LIMIT_LOGPROBS];
    int n_top = MIN(res->n_probs_per_token, r->model->vocab);
    k_top(r->model->kernels, row, n_top, top, top_logprob);
    if (top[0] < 0 || top[0] >= r->model->arch.vocab || !isfinite(top_logprob[0]))
        return err_set(e, ERR_FORMAT,
                       "the model's output is not a number after %d tokens; fetch its file again",
                       r->n_ids);
    *out = (choice){top[0], top_logprob[0], top_logprob[0]};
    if (!is_plain(r, top[0])) {
        const float *logits = k_logits(r->model->kernels, row);
        status s = pick(r, logits, out, e);
        if (s != OK) return s;
        out->logprob = logits[out->id] - logits[top[0]] + top_logprob[0];
        if (!is_bound(r)) out->allowed = out->logprob;
    }
    token_prob *probs = (token_prob *)(uintptr_t)res->probs + /* ours until EV_DONE */
                        (size_t)res->n_tokens * (size_t)res->n_probs_per_token;
    for (int i = 0; i < n_top; i++)
        probs[i] = (token_prob){top[i], top_logprob[i]};
    if (spec->logprobs == 0) probs[0] = (token_prob){out->id, out->logprob};
    return OK;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* Appends bytes as complete UTF-8: what is invalid becomes U+FFFD, an unfinished end waits. */
static void add_text(run *r, str piece) {
    job *j = r->job;
    for (size_t i = 0; i < piece.len; i++) {
        r->tail[r->n_tail++] = (uint8_t)piece.ptr[i];
        str pending = {(const char *)r->tail, (size_t)r->n_tail};
        while (pending.len > 0 && utf8_complete_prefix(pending) > 0) {
            uint32_t cp;
            size_t used = (size_t)utf8_decode(pending, &cp);
            ASSERT(j->text_len + 4 <= j->text_cap);
            j->text_len += (size_t)utf8_encode(cp, j->text + j->text_len);
            pending = str_sub(pending, used, pending.len);
        }
        memmove(r->tail, pending.ptr, pending.len);
        r->n_tail = (int)pending.len;
    }
}

static bool finish(run *r, finish_reason why) {
    r->job->result.finish = why;
    r->done = true;
    return true;
}

/* The token `c` came: text, stop rules.  True: the job is done. */
static bool accept(run *r, const choice *c) {
    job *j = r->job;
    engine_result *res = &j->result;
    const tokenizer *tok = r->model->tok;
    str piece = tokenizer_piece(tok, c->id);
    int index = res->n_tokens++;
    r->ids[r->n_ids++] = c->id;
    r->piece_start[index] = INT32_MAX; /* no text of its own */
    r->shown_logprob[index] = c->allowed;
    if (tokenizer_is_eog(tok, c->id) && !j->spec.ignore_eog) return finish(r, FINISH_EOG);
    size_t before = j->text_len;
    if (tokenizer_is_control(tok, c->id) && !j->spec.control_text) {
        if (j->spec.prompt.kind == PROMPT_COMPLETION) return finish(r, FINISH_EOG);
    } else {
        int paid = heal_pay(&r->heal, piece);
        if ((size_t)paid < piece.len) {
            r->piece_start[index] = (int32_t)(j->text_len + (size_t)r->n_tail);
            add_text(r, str_sub(piece, (size_t)paid, piece.len));
        }
    }
    str text = {j->text, j->text_len};
    size_t cut;
    finish_reason why;
    if (stop_check(&r->stop, text, &cut, &why)) {
        j->text_len = cut;
        return finish(r, why);
    }
    if (constraint_take(&r->constraint, text, text.len - before, piece))
        return finish(r, FINISH_GRAMMAR);
    bool doubted = c->allowed < j->spec.token_logprob_min && r->piece_start[index] != INT32_MAX;
    if (j->spec.token_logprob_min < 0 && doubted) return finish(r, FINISH_DOUBT);
    if (res->n_tokens >= j->spec.tokens_max) return finish(r, FINISH_TOKENS);
    if (r->n_ids > r->model->context) return finish(r, FINISH_CONTEXT);
    double now = clock_ms();
    bool spent = j->spec.time_budget_ms > 0 && now - r->first_ms >= j->spec.time_budget_ms;
    bool late = j->spec.deadline_ms > 0 && now >= j->spec.deadline_ms;
    return spent || late ? finish(r, FINISH_TIME) : false;
}

/* ---- steps ----------------------------------------------------------------------------------- */

#define CHUNK_MIN 8 /* shorter ones cost as much */
/* Rows of a step of several runs: up to these a device gives each the bits that it has alone. */
#define ROWS_TOGETHER 16

/* Rows of a chunk.  Shorter ones than the model's are a power of two less, so that they meet the
 * ends of whole ones. */
static int chunk_rows(const run *r, double chunk_ms) {
    const model *m = r->model;
    double most = chunk_ms > 0 ? chunk_ms : m->chunk_ms;
    int chunk = m->rows_max;
    while (most > 0 && chunk >= 2 * CHUNK_MIN && chunk % 2 == 0 && chunk * m->row_ms > most)
        chunk /= 2;
    return chunk;
}

/* Rows for the next step: up to the end of a chunk, or to the last id.  A device computes rows that
 * want logits in another way than those of a prompt: there the last id has a step of its own,
 * whether or not the ids before it were in the cache, so that the text is the same. */
static int count_rows(const run *r, int chunk) {
    int from = r->session->count, end = r->n_ids;
    if (r->model->last_alone && end - from > 1) end--;
    return MIN((from / chunk + 1) * chunk, end) - from;
}

int run_left(const run *r) {
    return r->n_ids - r->session->count;
}

/* Guesses behind the last id, written there, at most `room`. */
static int guess(run *r, int room) {
    const engine_result *res = &r->job->result;
    if (r->job->spec.no_guesses) return 0;
    room = MIN(room, r->model->context - r->n_ids);
    room = MIN(room, r->model->guesses);
    room = MIN(room, r->job->spec.tokens_max - res->n_tokens - 1);
    return draft_find(&r->drafts, r->ids, r->n_ids, room, r->ids + r->n_ids);
}

static bool at_last_id(const run_part *p) {
    return p->from + p->rows == p->run->n_ids;
}

/* Which rows a run has in the step, at most `room`; false: there are no pages for them. */
static bool choose_rows(run_part *p, int chunk, int room) {
    run *r = p->run;
    p->from = r->session->count;
    p->rows = count_rows(r, chunk);
    p->guesses = at_last_id(p) ? guess(r, room - p->rows) : 0;
    return session_reserve(&r->model->sessions, r->session, p->from + p->rows + p->guesses);
}

typedef struct {
    int n, n_seqs;
    int32_t token[K_ROWS_MAX], pos[K_ROWS_MAX], seq[K_ROWS_MAX];
    uint8_t want[K_ROWS_MAX];
    const int32_t *pages[LIMIT_ENGINE_SEQUENCES];
} step_rows;

/* The run's rows, behind those of others; wanted are its last id's and those of guesses. */
static void add_rows(step_rows *b, const run_part *p) {
    const run *r = p->run;
    int wanted = at_last_id(p) ? r->n_ids - 1 : INT32_MAX;
    for (int pos = p->from; pos < p->from + p->rows + p->guesses; pos++) {
        b->token[b->n] = r->ids[pos];
        b->pos[b->n] = pos;
        b->seq[b->n] = b->n_seqs;
        b->want[b->n++] = pos >= wanted;
    }
    b->pages[b->n_seqs++] = r->session->pages;
}

static status forward(const model *m, const step_rows *b, const atomic_bool *interrupt, err *e) {
    k_batch batch = {.n = b->n,
                     .token = b->token,
                     .pos = b->pos,
                     .seq = b->seq,
                     .pages = b->pages,
                     .n_seqs = b->n_seqs,
                     .want = b->want,
                     .cancel = interrupt};
    return k_forward(m->kernels, &batch, e);
}

static step_outcome fail(run *r, status s, const err *e) {
    r->job->result.status = s;
    r->job->result.error = *e;
    finish(r, FINISH_FAILED);
    return STEP_DONE;
}

/* The rows of the last id and of the guesses have their logits, from the step's wanted row number
 * `wanted` on: takes tokens while they are what was guessed.  The KV of wrong guesses is
 * forgotten. */
static step_outcome take_tokens(run *r, int wanted, int guesses) {
    int first = r->n_ids;
    bool more = true;
    for (int i = 0; i <= guesses && more; i++) {
        int32_t guessed = i < guesses ? r->ids[first + i] : -1;
        choice c;
        err e;
        status s = choose(r, wanted + i, &c, &e);
        if (s != OK) return fail(r, s, &e);
        if (r->first_ms == 0) r->first_ms = clock_ms();
        more = !accept(r, &c) && c.id == guessed;
    }
    int confirmed = r->n_ids - first - 1;
    r->drafts.proposed += guesses;
    r->drafts.accepted += confirmed;
    r->job->guessed += guesses;
    r->job->confirmed += confirmed;
    session_rewind(&r->model->sessions, r->session, r->n_ids - 1);
    return r->done ? STEP_DONE : STEP_MORE;
}

/* How long a row of a prompt takes, when the step was large enough to tell.  On a device a row of a
 * short step takes many times as long as one of a whole chunk. */
static void note_speed(model *m, int rows, int chunk, double ms) {
    if (rows < CHUNK_MIN || (m->chunk_ms > 0 && rows < chunk / 2)) return;
    double one = ms / rows;
    m->row_ms = m->row_ms > 0 ? 0.7 * m->row_ms + 0.3 * one : one;
}

/* Its rows have been computed. */
static step_outcome take_rows(run_part *p, int wanted, bool together) {
    run *r = p->run;
    engine_result *res = &r->job->result;
    session_append(r->session, r->ids + p->from, p->rows + p->guesses);
    res->steps++;
    res->shared_steps += together;
    if (p->from < r->n_prompt && r->first_ms == 0)
        res->prefilled += MIN(p->rows, r->n_prompt - p->from);
    return at_last_id(p) ? take_tokens(r, wanted, p->guesses) : STEP_MORE;
}

void run_step(run_part *parts, int n, double chunk_ms, const atomic_bool *interrupt) {
    model *m = parts[0].run->model;
    double start = clock_ms();
    int chunk = chunk_rows(parts[0].run, chunk_ms);
    int most = n > 1 ? MIN(m->rows_max, ROWS_TOGETHER) : m->rows_max;
    step_rows rows;
    rows.n = rows.n_seqs = 0;
    for (int i = 0; i < n; i++) {
        int others = n - 1 - i; /* each needs a row */
        bool ok = choose_rows(&parts[i], chunk, most - rows.n - others);
        parts[i].outcome = ok ? STEP_MORE : STEP_NO_PAGES;
        if (ok) add_rows(&rows, &parts[i]);
    }
    if (rows.n == 0) return;
    err e;
    status s = forward(m, &rows, interrupt, &e);
    if (s == OK && n == 1) note_speed(m, rows.n, chunk, clock_ms() - start);
    int wanted = 0;
    for (int i = 0; i < n; i++) {
        run_part *p = &parts[i];
        if (p->outcome == STEP_NO_PAGES) continue;
        if (s == ERR_CANCELLED)
            p->outcome = STEP_YIELDED;
        else
            p->outcome = s == OK ? take_rows(p, wanted, rows.n_seqs > 1) : fail(p->run, s, &e);
        wanted += 1 + p->guesses; /* several are all at their last id */
    }
}

void run_give_up_pages(run *r) {
    session_rewind(&r->model->sessions, r->session, 0);
    if (r->first_ms > 0) return;
    r->job->result.reused = 0; /* the prompt starts from nothing again */
    r->job->result.prefilled = 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void fill_confidence(run *r) {
    engine_result *res = &r->job->result;
    res->token_start = r->piece_start;
    res->token_logprob = r->shown_logprob;
    double sum = 0;
    int n = 0;
    float least = 0;
    for (int i = 0; i < res->n_tokens; i++) {
        if ((size_t)r->piece_start[i] >= r->job->text_len) continue;
        sum += (double)r->shown_logprob[i];
        least = n == 0 ? r->shown_logprob[i] : MIN(least, r->shown_logprob[i]);
        n++;
    }
    res->logprob_mean = n ? (float)(sum / n) : 0.0f;
    res->logprob_min = least;
}

void run_end(run *r, status s, const err *e) {
    if (!r) return;
    engine_result *res = &r->job->result;
    double now = clock_ms();
    double first = r->first_ms > 0 ? r->first_ms : now;
    res->prefill_ms = first - r->start_ms;
    res->decode_ms = now - first;
    if (s != OK) {
        res->status = s;
        res->error = *e;
        res->finish = FINISH_FAILED;
    }
    res->text = (str){r->job->text, r->job->text_len};
    fill_confidence(r);
    /* What comes next begins with rows of a prompt only, computed as a prompt's are. */
    if (r->model->last_alone)
        session_rewind(&r->model->sessions, r->session, MIN(r->session->count, r->n_prompt - 1));
    session_release(&r->model->sessions, r->session);
    for (size_t i = 0; i < COUNTOF(r->model->sessions.at); i++) {
        const session *kept = &r->model->sessions.at[i];
        res->sequences += kept->count > 0;
        res->cached_tokens += kept->count;
    }
    prompt_deinit(&r->prompt);
    xfree(r);
}

void run_refuse(job *j, status s, const err *e) {
    engine_result *res = &j->result;
    res->status = s;
    res->error = *e;
    res->finish = FINISH_FAILED;
    res->text = (str){"", 0};
    res->queue_ms = clock_ms() - j->posted_ms;
}
