/* SPDX-License-Identifier: Apache-2.0 */
/* The engine thread's loop: wishes about models first (worker_models.c), then one step of the most
 * urgent job.
 *
 *     job:   waiting --most urgent for the first time--> running --> done
 *
 * Order between jobs: smaller priority number first; of the same priority the one that already
 * runs, then that of the client whose last job began longest ago, then the older.  So at most one
 * job per priority and model is in the middle of its work, which is less than there are sessions.
 *
 * A step of a less urgent job is given up inside k_forward when a more urgent one arrives; its rows
 * are computed again later.  While somebody types, the chunks of less urgent prompts are so short
 * that a key waits for CHUNK_MS at most even where a step cannot be given up (and so that little is
 * computed twice where it can).  Jobs for a slot that is loading wait; the others go on.
 *
 * When a device fails, the job that saw it ends with its sentence.
 *
 * Invariant: every job taken from the mailbox is given back by worker_end_job exactly once.
 * Thread: engine.
 */
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/worker_private.h"

#define TYPING_MS 3000.0 /* after a job of PRIO_TYPE somebody counts as typing */

/* ---- jobs ------------------------------------------------------------------------------------ */

void worker_end_job(worker *w, int index, status s, const err *e) {
    entry en = w->entries[index];
    w->entries[index] = w->entries[--w->n_entries];
    if (en.run)
        run_end(en.run, s, e);
    else
        run_refuse(en.job, s, e);
    if (en.job->spec.stream) mailbox_emit_text(w->mail, en.job, en.job->text_len);
    const engine_result *r = &en.job->result;
    log_debug("engine",
              "job done id=%llu client=%llu priority=%d status=%s finish=%s prompt=%d reused=%d "
              "prefilled=%d generated=%d guessed=%d confirmed=%d queue_ms=%.1f prefill_ms=%.1f "
              "decode_ms=%.1f",
              (unsigned long long)en.job->id, (unsigned long long)en.job->spec.client,
              (int)en.job->spec.priority, status_name(r->status), finish_reason_name(r->finish),
              r->n_prompt, r->reused, r->prefilled, r->n_tokens, en.job->guessed, en.job->confirmed,
              r->queue_ms, r->prefill_ms, r->decode_ms);
    mailbox_emit_done(w->mail, en.job);
}

void worker_take_jobs(worker *w) {
    for (job *j; w->n_entries < LIMIT_ENGINE_JOBS && (j = mailbox_take_job(w->mail));) {
        w->entries[w->n_entries++] = (entry){.job = j};
        if (j->spec.priority == PRIO_TYPE) w->typed_ms = clock_ms();
    }
}

void worker_end_cancelled(worker *w) {
    err e;
    status s = err_set(&e, ERR_CANCELLED, "the job was cancelled");
    for (int i = w->n_entries - 1; i >= 0; i--)
        if (atomic_load(&w->entries[i].job->cancel)) worker_end_job(w, i, s, &e);
}

static uint64_t client_last_turn(const worker *w, uint64_t client) {
    for (size_t i = 0; i < COUNTOF(w->clients); i++)
        if (w->clients[i].turn > 0 && w->clients[i].client == client) return w->clients[i].turn;
    return 0;
}

static void note_turn(worker *w, uint64_t client) {
    client_turn *oldest = &w->clients[0];
    for (size_t i = 0; i < COUNTOF(w->clients); i++) {
        client_turn *c = &w->clients[i];
        bool same = c->turn > 0 && c->client == client;
        if (same || c->turn < oldest->turn) oldest = c;
        if (same) break;
    }
    *oldest = (client_turn){client, ++w->turn};
}

static bool is_more_urgent(const worker *w, const entry *a, const entry *b) {
    const engine_job *x = &a->job->spec, *y = &b->job->spec;
    if (x->priority != y->priority) return x->priority < y->priority;
    if ((a->run != NULL) != (b->run != NULL)) return a->run != NULL;
    uint64_t turn_x = client_last_turn(w, x->client), turn_y = client_last_turn(w, y->client);
    if (x->client != y->client && turn_x != turn_y) return turn_x < turn_y;
    return a->job->id < b->job->id;
}

static int find_most_urgent(const worker *w) {
    int best = -1;
    for (int i = 0; i < w->n_entries; i++)
        if (!w->entries[i].blocked &&
            (best < 0 || is_more_urgent(w, &w->entries[i], &w->entries[best])))
            best = i;
    return best;
}

/* The KV cache is full of running jobs: the least urgent other one starts over later. */
static void make_room(worker *w, int index) {
    int victim = -1;
    const model *m = w->entries[index].run->model;
    for (int i = 0; i < w->n_entries; i++) {
        const entry *en = &w->entries[i];
        if (i == index || !en->run || en->run->model != m || en->run->session->n_pages == 0)
            continue;
        if (victim < 0 || is_more_urgent(w, &w->entries[victim], en)) victim = i;
    }
    if (victim >= 0) {
        run_give_up_pages(w->entries[victim].run);
        return;
    }
    err e;
    worker_end_job(w, index, err_set(&e, ERR_LIMIT, "the KV cache of the model is full"), &e);
}

/* How long a chunk of its prompt may take; 0: as long as it likes. */
static double chunk_ms(const worker *w, const job *j) {
    bool yields = j->spec.priority > PRIO_TYPE && clock_ms() - w->typed_ms < TYPING_MS;
    return yields ? CHUNK_MS : 0;
}

void worker_lose_device(worker *w, const err *why) {
    w->device_lost = true;
    w->lost_why = *why;
}

static void step(worker *w, int index) {
    entry *en = &w->entries[index];
    err e = {0};
    const atomic_bool *interrupt = mailbox_set_running(w->mail, en->job);
    mem_seal("generate");
    step_outcome outcome = run_step(en->run, chunk_ms(w, en->job), interrupt, &e);
    mem_unseal();
    mailbox_set_running(w->mail, NULL);
    switch (outcome) {
    case STEP_MORE:
        if (en->job->spec.stream)
            mailbox_emit_text(w->mail, en->job,
                              stop_safe(&en->run->stop, (str){en->job->text, en->job->text_len}));
        break;
    case STEP_DONE:
        if (en->job->result.status == ERR_DEVICE) worker_lose_device(w, &en->job->result.error);
        worker_end_job(w, index, OK, &e);
        break;
    case STEP_YIELDED: break; /* the next turn sees why */
    case STEP_NO_PAGES: make_room(w, index); break;
    }
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
    if (en->run) note_turn(w, en->job->spec.client);
    return !en->blocked;
}

bool worker_has_job(const worker *w, job_priority least) {
    for (int i = 0; i < w->n_entries; i++) {
        const job *j = w->entries[i].job;
        if (j->spec.priority <= least && w->slots[j->spec.slot].model) return true;
    }
    return false;
}

bool worker_advance(worker *w) {
    for (int i = 0; i < w->n_entries; i++)
        w->entries[i].blocked = false;
    for (int best; (best = find_most_urgent(w)) >= 0;) {
        if (!w->entries[best].run && !start(w, best)) continue;
        step(w, best);
        return true;
    }
    return false;
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
    while (mailbox_wait(w.mail, busy, w.opening != NULL)) {
        if (w.device_lost) worker_replace_device(&w);
        worker_obey(&w);
        worker_take_jobs(&w);
        worker_end_cancelled(&w);
        busy = worker_advance(&w) || w.device_lost;
    }
    shut_down(&w);
}
