/* SPDX-License-Identifier: Apache-2.0 */
/* The engine thread's loop: wishes about models first (worker_models.c), then one step of the jobs
 * that are next (schedule.c says which).
 *
 *     job:   waiting --a sequence is free for it--> running --> done
 *
 * A step of a less urgent class is given up inside k_forward when a more urgent job arrives; its
 * rows are computed again later.  While somebody types, the chunks of less urgent prompts are so
 * short that a key waits for CHUNK_MS at most even where a step cannot be given up (and so that
 * little is computed twice where it can).  Jobs for a slot that is loading wait; the others go on.
 *
 * When the KV cache has no page left, the least urgent run of the model that has some gives them up
 * and waits until another one has ended.  "Less urgent" is a fixed order here (class, then age), so
 * the most urgent run is never robbed and always gets to its end.
 *
 * When a device fails, the jobs that saw it end with its sentence.
 *
 * Invariant: every job taken from the mailbox is given back by worker_end_job exactly once.
 * Thread: engine.
 */
#include <math.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/worker_private.h"

#define TYPING_MS 3000.0 /* after a job of PRIO_TYPE somebody counts as typing */

/* ---- jobs ------------------------------------------------------------------------------------ */

void worker_end_job(worker *w, int index, status s, const err *e) {
    entry en = w->entries[index];
    w->entries[index] = w->entries[--w->n_entries];
    for (int i = 0; en.run && i < w->n_entries; i++)
        if (w->entries[i].job->spec.slot == en.job->spec.slot) w->entries[i].robbed = false;
    if (en.run)
        run_end(en.run, s, e);
    else
        run_refuse(en.job, s, e);
    if (en.job->spec.stream) mailbox_emit_text(w->mail, en.job, en.job->text_len);
    const engine_result *r = &en.job->result;
    log_debug("engine",
              "job done id=%llu client=%llu priority=%d status=%s finish=%s prompt=%d reused=%d "
              "prefilled=%d generated=%d guessed=%d confirmed=%d steps=%d shared=%d queue_ms=%.1f "
              "prefill_ms=%.1f decode_ms=%.1f",
              (unsigned long long)en.job->id, (unsigned long long)en.job->spec.client,
              (int)en.job->spec.priority, status_name(r->status), finish_reason_name(r->finish),
              r->n_prompt, r->reused, r->prefilled, r->n_tokens, en.job->guessed, en.job->confirmed,
              r->steps, r->shared_steps, r->queue_ms, r->prefill_ms, r->decode_ms);
    mailbox_emit_done(w->mail, en.job);
}

void worker_take_jobs(worker *w) {
    for (job *j; w->n_entries < LIMIT_ENGINE_JOBS && (j = mailbox_take_job(w->mail));) {
        w->entries[w->n_entries++] = (entry){.job = j};
        if (j->spec.priority == PRIO_TYPE) w->typed_ms = clock_ms();
    }
}

/* Its time is over and no token is there. */
static bool is_late(const entry *en, double now) {
    double deadline = en->job->spec.deadline_ms;
    return deadline > 0 && now >= deadline && !(en->run && en->run->first_ms > 0);
}

void worker_end_unwanted(worker *w) {
    double now = clock_ms();
    for (int i = w->n_entries - 1; i >= 0; i--) {
        const job *j = w->entries[i].job;
        err e;
        if (atomic_load(&j->cancel))
            worker_end_job(w, i, err_set(&e, ERR_CANCELLED, "the job was cancelled"), &e);
        else if (is_late(&w->entries[i], now))
            worker_end_job(w, i,
                           err_set(&e, ERR_LATE,
                                   "the model had no answer %.1f s after it was asked, which is "
                                   "too late; a smaller model is faster",
                                   (now - j->posted_ms) / 1000),
                           &e);
    }
}

/* ---- the KV cache ---------------------------------------------------------------------------- */

static bool is_more_urgent(const job *a, const job *b) {
    return a->spec.priority != b->spec.priority ? a->spec.priority < b->spec.priority
                                                : a->id < b->id;
}

/* The least urgent run beside this one, of its model, that has pages; -1: there is none. */
static int find_least_urgent(const worker *w, int index) {
    int least = -1;
    const model *m = w->entries[index].run->model;
    for (int i = 0; i < w->n_entries; i++) {
        const entry *en = &w->entries[i];
        if (i == index || !en->run || en->run->model != m || en->run->session->n_pages == 0)
            continue;
        if (least < 0 || is_more_urgent(w->entries[least].job, en->job)) least = i;
    }
    return least;
}

/* The KV cache is full of running jobs. */
static void make_room(worker *w, int index) {
    int victim = find_least_urgent(w, index);
    if (victim < 0) {
        err e;
        worker_end_job(w, index, err_set(&e, ERR_LIMIT, "the KV cache of the model is full"), &e);
        return;
    }
    if (is_more_urgent(w->entries[victim].job, w->entries[index].job)) victim = index;
    run_give_up_pages(w->entries[victim].run);
    w->entries[victim].robbed = true;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* How long a chunk of its prompt may take; 0: as long as it likes. */
static double chunk_ms(const worker *w, const job *j) {
    bool yields = j->spec.priority > PRIO_TYPE && clock_ms() - w->typed_ms < TYPING_MS;
    return yields ? CHUNK_MS : 0;
}

void worker_lose_device(worker *w, const err *why) {
    w->device_lost = true;
    w->lost_why = *why;
}

static int find_job(const worker *w, const job *j) {
    int i = 0;
    while (w->entries[i].job != j) /* it is there until worker_end_job */
        i++;
    return i;
}

static void take_outcome(worker *w, job *j, step_outcome outcome) {
    int index = find_job(w, j);
    const entry *en = &w->entries[index];
    err none = {0};
    switch (outcome) {
    case STEP_MORE:
        if (j->spec.stream)
            mailbox_emit_text(w->mail, j, stop_safe(&en->run->stop, (str){j->text, j->text_len}));
        break;
    case STEP_DONE:
        if (j->result.status == ERR_DEVICE) worker_lose_device(w, &j->result.error);
        worker_end_job(w, index, OK, &none);
        break;
    case STEP_YIELDED: break; /* the next turn sees why */
    case STEP_NO_PAGES: make_room(w, index); break;
    }
}

/* Of running jobs of one class and model. */
static void step(worker *w, const int *chosen, int n) {
    run_part parts[LIMIT_ENGINE_SEQUENCES];
    job *jobs[LIMIT_ENGINE_SEQUENCES]; /* a run is gone when its job has ended */
    const job *first = w->entries[chosen[0]].job;
    for (int i = 0; i < n; i++) {
        parts[i].run = w->entries[chosen[i]].run;
        jobs[i] = w->entries[chosen[i]].job;
    }
    const atomic_bool *interrupt = mailbox_set_running(w->mail, first);
    mem_seal("generate");
    run_step(parts, n, chunk_ms(w, first), interrupt);
    mem_unseal();
    mailbox_set_running(w->mail, NULL);
    for (int i = 0; i < n; i++)
        take_outcome(w, jobs[i], parts[i].outcome);
}

/* False: the entry is gone or blocked. */
static bool start(worker *w, int index) {
    entry *en = &w->entries[index];
    const model_slot *slot = &w->slots[en->job->spec.slot];
    en->blocked = slot->restoring || (!slot->model && worker_is_loading(w, en->job->spec.slot));
    if (en->blocked) return false;
    err e = slot->error;
    status s = slot->failed;
    if (!slot->model && s == OK)
        s = err_set(&e, ERR_NOT_FOUND, "no model is loaded in slot %d", en->job->spec.slot);
    if (slot->model) s = run_start(&en->run, en->job, slot->model, &e);
    if (s != OK) {
        worker_end_job(w, index, s, &e);
        return false;
    }
    en->blocked = en->run == NULL;
    return !en->blocked;
}

bool worker_has_job(const worker *w, job_priority least) {
    for (int i = 0; i < w->n_entries; i++) {
        const job *j = w->entries[i].job;
        if (j->spec.priority <= least && w->slots[j->spec.slot].model) return true;
    }
    return false;
}

static void describe_entry(const worker *w, int index, schedule_item *out) {
    const entry *en = &w->entries[index];
    const engine_job *spec = &en->job->spec;
    *out = (schedule_item){.id = en->job->id,
                           .client = spec->client,
                           .priority = spec->priority,
                           .slot = spec->slot,
                           .blocked = en->blocked};
    if (!en->run) return;
    out->left = run_left(en->run);
    out->phase = out->left > 1 ? SCHEDULE_READS : SCHEDULE_WRITES;
    out->blocked = en->robbed && find_least_urgent(w, index) >= 0;
}

bool worker_advance(worker *w) {
    schedule_item items[LIMIT_ENGINE_JOBS];
    int chosen[LIMIT_ENGINE_SEQUENCES];
    for (int i = 0; i < w->n_entries; i++)
        w->entries[i].blocked = false;
    for (;;) {
        for (int i = 0; i < w->n_entries; i++)
            describe_entry(w, i, &items[i]);
        int n = schedule_pick(&w->schedule, items, w->n_entries, chosen);
        if (n == 0) return false;
        const schedule_item first = items[chosen[0]];
        double before = clock_ms();
        if (first.phase == SCHEDULE_WAITS) {
            if (start(w, chosen[0])) schedule_note(&w->schedule, &first, 0);
            continue;
        }
        step(w, chosen, n);
        schedule_note(&w->schedule, &first, clock_ms() - before);
        return true;
    }
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void shut_down(worker *w) {
    err e;
    status s = err_set(&e, ERR_CANCELLED, "the engine is shutting down");
    worker_stop_opening(w);
    worker_take_jobs(w);
    while (w->n_entries > 0)
        worker_end_job(w, w->n_entries - 1, s, &e);
    for (int i = 0; i < LIMIT_ENGINE_MODELS; i++)
        worker_unload(w, i);
    k_close(w->beside);
    k_close(w->backend);
}

static void describe(const k_backend *b, engine_device *out) {
    snprintf(out->name, sizeof out->name, "%s", k_backend_name(b));
    snprintf(out->why, sizeof out->why, "%s", k_backend_why(b));
    out->is_device = k_backend_is_device(b);
    k_device_memory(b, &out->free_bytes, &out->all_bytes);
}

/* How long nothing happens by itself. */
static double rest_ms(const worker *w) {
    double first = HUGE_VAL;
    for (int i = 0; i < w->n_entries; i++) {
        double deadline = w->entries[i].job->spec.deadline_ms;
        if (deadline > 0) first = MIN(first, deadline);
    }
    return isinf(first) ? first : MAX(first - clock_ms(), 1);
}

void worker_run(const worker_options *opt) {
    worker w = {.mail = opt->mail, .options = opt->kernels};
    err e = {0};
    status s = k_open(&w.backend, &w.options, &e);
    engine_device device = {0};
    if (s == OK) describe(w.backend, &device);
    mailbox_set_started(w.mail, s, &device, &e);
    if (s != OK) return;
    log_info("engine", "backend name=\"%s\" why=\"%s\"", k_backend_name(w.backend),
             k_backend_why(w.backend));
    bool busy = false;
    while (mailbox_wait(w.mail, busy ? 0 : rest_ms(&w), w.opening != NULL)) {
        if (w.device_lost) worker_replace_device(&w);
        worker_obey(&w);
        worker_take_jobs(&w);
        worker_end_unwanted(&w);
        busy = worker_advance(&w) || w.device_lost;
    }
    shut_down(&w);
}
