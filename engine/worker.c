/* SPDX-License-Identifier: Apache-2.0 */
/* The engine thread's loop: wishes about models first, then one step of the most urgent job.
 *
 *     slot:  EMPTY --load--> (loading, blocks the thread) --> READY --unload, load--> EMPTY
 *                                                        \--> FAILED: jobs end with its sentence
 *     job:   waiting --most urgent for the first time--> running --> done
 *
 * Order between jobs: smaller priority number first; of the same priority the one that already
 * runs, then that of the client whose last job began longest ago, then the older.  So at most one
 * job per priority and model is in the middle of its work, which is less than there are sessions.
 *
 * A step of a less urgent job is given up inside k_forward when a more urgent one arrives; its rows
 * are computed again later.  Jobs for a slot that is loading wait, because loading blocks this
 * thread; meanwhile cancelled ones are answered from the progress callback.
 *
 * A model that the device has no kernels for runs on the CPU beside it.
 *
 * When a device fails it is gone for good: the job that saw it ends with its sentence, the CPU is
 * opened instead, and every model is loaded again there.
 *
 * Invariant: every job taken from the mailbox is given back by `end` exactly once.
 * Thread: engine.
 */
#include "engine/worker.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/load.h"
#include "engine/run.h"
#include "engine/session_file.h"

typedef struct {
    model *model;  /* NULL: none */
    status failed; /* why not; OK: nothing was asked for */
    err error;
    uint64_t load;   /* its number */
    command *wanted; /* what was asked for, to load it again after a device failed; owned */
} model_slot;

typedef struct {
    job *job;
    run *run;     /* NULL: waiting */
    bool blocked; /* no session was free this turn */
} entry;

/* When a client's last job began, in jobs; for clients that have no record: 0. */
typedef struct {
    uint64_t client, turn;
} client_turn;

typedef struct {
    mailbox *mail;
    k_backend *backend;
    k_backend *beside; /* the CPU, for models that the device cannot run; NULL: not needed yet */
    k_options options;
    bool device_lost;
    model_slot slots[LIMIT_ENGINE_MODELS];
    entry entries[LIMIT_ENGINE_JOBS];
    int n_entries;
    client_turn clients[16]; /* the latest ones: more connections just share less exactly */
    uint64_t turn;
} worker;

/* ---- jobs ------------------------------------------------------------------------------------ */

/* Gives the job back.  With s == OK a running one ends as its steps left it. */
static void end(worker *w, int index, status s, const err *e) {
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

static void take_jobs(worker *w) {
    for (job *j; w->n_entries < LIMIT_ENGINE_JOBS && (j = mailbox_take_job(w->mail));)
        w->entries[w->n_entries++] = (entry){.job = j};
}

static void end_cancelled(worker *w) {
    err e;
    status s = err_set(&e, ERR_CANCELLED, "the job was cancelled");
    for (int i = w->n_entries - 1; i >= 0; i--)
        if (atomic_load(&w->entries[i].job->cancel)) end(w, i, s, &e);
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
    end(w, index, err_set(&e, ERR_LIMIT, "the KV cache of the model is full"), &e);
}

static void step(worker *w, int index) {
    entry *en = &w->entries[index];
    err e = {0};
    const atomic_bool *interrupt = mailbox_set_running(w->mail, en->job);
    mem_seal("generate");
    step_outcome outcome = run_step(en->run, interrupt, &e);
    mem_unseal();
    mailbox_set_running(w->mail, NULL);
    switch (outcome) {
    case STEP_MORE:
        if (en->job->spec.stream)
            mailbox_emit_text(w->mail, en->job,
                              stop_safe(&en->run->stop, (str){en->job->text, en->job->text_len}));
        break;
    case STEP_DONE:
        w->device_lost |= en->job->result.status == ERR_DEVICE;
        end(w, index, OK, &e);
        break;
    case STEP_YIELDED: break; /* the next turn sees why */
    case STEP_NO_PAGES: make_room(w, index); break;
    }
}

/* False: the entry is gone or blocked. */
static bool start(worker *w, int index) {
    entry *en = &w->entries[index];
    const model_slot *slot = &w->slots[en->job->spec.slot];
    err e = slot->error;
    status s = slot->failed;
    if (!slot->model && s == OK)
        s = err_set(&e, ERR_NOT_FOUND, "no model is loaded in slot %d", en->job->spec.slot);
    if (slot->model) s = run_start(&en->run, en->job, slot->model, &e);
    if (s != OK) {
        end(w, index, s, &e);
        return false;
    }
    en->blocked = en->run == NULL;
    if (en->run) note_turn(w, en->job->spec.client);
    return !en->blocked;
}

static void advance(worker *w) {
    for (int i = 0; i < w->n_entries; i++)
        w->entries[i].blocked = false;
    for (int best; (best = find_most_urgent(w)) >= 0;) {
        if (!w->entries[best].run && !start(w, best)) continue;
        step(w, best);
        return;
    }
}

/* ---- models ---------------------------------------------------------------------------------- */

static void emit_load(worker *w, event_kind kind, int slot, const load_mail *details) {
    load_mail *l = xcalloc(1, sizeof *l);
    *l = *details;
    l->kind = kind;
    l->slot = slot;
    l->load = w->slots[slot].load;
    mailbox_emit_load(w->mail, l);
}

static void unload(worker *w, int slot) {
    err e;
    status s = err_set(&e, ERR_CANCELLED, "the model was unloaded");
    for (int i = w->n_entries - 1; i >= 0; i--)
        if (w->entries[i].run && w->entries[i].job->spec.slot == slot) end(w, i, s, &e);
    model_slot *ms = &w->slots[slot];
    if (ms->model)
        emit_load(w, EV_UNLOADED, slot, &(load_mail){.tokenizer = model_free(ms->model)});
    command_free(ms->wanted);
    *ms = (model_slot){0};
}

typedef struct {
    worker *w;
    int slot;
    float last;
    const char *what;
} load_watch;

static bool on_progress(void *ud, float done, const char *what) {
    load_watch *watch = ud;
    worker *w = watch->w;
    take_jobs(w);
    end_cancelled(w);
    if (what != watch->what || done >= watch->last + 0.05f) {
        watch->what = what;
        watch->last = done;
        emit_load(w, EV_LOAD_PROGRESS, watch->slot, &(load_mail){.progress = done, .what = what});
    }
    return !mailbox_is_closed(w->mail) && !mailbox_has_command(w->mail, watch->slot);
}

/* The device has no kernels for this model: the CPU has. */
static status load_beside(worker *w, model_slot *ms, const load_order *order) {
    log_warn("engine", "not on the device model=%s why=\"%s\"", order->name, ms->error.text);
    k_options cpu = w->options;
    cpu.device = K_CPU;
    status s = w->beside ? OK : k_open(&w->beside, &cpu, &ms->error);
    return s == OK ? model_load(&ms->model, w->beside, order, &ms->error) : s;
}

static void load(worker *w, command *c) { /* takes c */
    model_slot *ms = &w->slots[c->slot];
    ms->wanted = c;
    ms->load = c->load;
    load_watch watch = {.w = w, .slot = c->slot};
    load_order order = {.path = c->path,
                        .name = c->name,
                        .context_tokens = c->context_tokens,
                        .kv_type = c->kv_type,
                        .progress = on_progress,
                        .progress_ud = &watch};
    if (w->backend)
        ms->failed = model_load(&ms->model, w->backend, &order, &ms->error);
    else /* a device failed, and the CPU could not be opened instead */
        ms->failed = err_set(&ms->error, ERR_DEVICE, "no device is left; restart inlined");
    if (ms->failed == ERR_UNSUPPORTED && k_backend_is_device(w->backend))
        ms->failed = load_beside(w, ms, &order);
    if (ms->failed != OK) {
        log_warn("engine", "model not loaded name=%s status=%s error=\"%s\"", c->name,
                 status_name(ms->failed), ms->error.text);
        emit_load(w, EV_LOAD_FAILED, c->slot, &(load_mail){.error = ms->error});
        return;
    }
    emit_load(w, EV_LOADED, c->slot,
              &(load_mail){.info = ms->model->info, .tokenizer = ms->model->tok});
}

static void move_sequence(worker *w, command *c) { /* takes c */
    model *m = w->slots[c->slot].model;
    load_mail said = {0};
    if (!m) {
        err_set(&said.error, ERR_NOT_FOUND, "no model is loaded in slot %d", c->slot);
    } else {
        session_store store = {&m->sessions, m->kernels, m->identity, m->vocab};
        err e = {0};
        status s = c->wish == WISH_SAVE ? session_save(&store, c->path, &said.tokens, &e)
                                        : session_restore(&store, c->path, &said.tokens, &e);
        if (s != OK) said.error = e;
        w->device_lost |= s == ERR_DEVICE;
    }
    emit_load(w, c->wish == WISH_SAVE ? EV_SAVED : EV_RESTORED, c->slot, &said);
    command_free(c);
}

static void obey(worker *w) {
    for (command *c; (c = mailbox_take_command(w->mail));) {
        if (c->wish == WISH_SAVE || c->wish == WISH_RESTORE) {
            move_sequence(w, c);
            continue;
        }
        unload(w, c->slot);
        if (c->wish == WISH_LOAD)
            load(w, c);
        else
            command_free(c);
    }
}

/* The device is gone: the CPU takes over. */
static void replace_device(worker *w) {
    w->device_lost = false;
    if (w->options.device == K_CPU || w->options.device == K_REF) return;
    log_warn("engine", "device failed, going on with the cpu name=\"%s\"",
             k_backend_name(w->backend));
    command *wanted[LIMIT_ENGINE_MODELS];
    for (int i = 0; i < LIMIT_ENGINE_MODELS; i++) {
        wanted[i] = w->slots[i].wanted;
        w->slots[i].wanted = NULL;
        unload(w, i);
    }
    k_close(w->backend);
    w->backend = w->beside;
    w->beside = NULL;
    w->options.device = K_CPU;
    err e = {0};
    status s = w->backend ? OK : k_open(&w->backend, &w->options, &e);
    for (int i = 0; i < LIMIT_ENGINE_MODELS; i++) {
        if (wanted[i] && s == OK) {
            load(w, wanted[i]);
            continue;
        }
        if (wanted[i]) w->slots[i] = (model_slot){.failed = s, .error = e};
        command_free(wanted[i]);
    }
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void shut_down(worker *w) {
    err e;
    status s = err_set(&e, ERR_CANCELLED, "the engine is shutting down");
    take_jobs(w);
    while (w->n_entries > 0)
        end(w, w->n_entries - 1, s, &e);
    for (int i = 0; i < LIMIT_ENGINE_MODELS; i++)
        unload(w, i);
    k_close(w->beside);
    k_close(w->backend);
}

void worker_run(const worker_options *opt) {
    worker w = {.mail = opt->mail, .options = opt->kernels};
    err e = {0};
    status s = k_open(&w.backend, &w.options, &e);
    mailbox_set_started(w.mail, s, &e);
    if (s != OK) return;
    log_info("engine", "backend name=\"%s\" why=\"%s\"", k_backend_name(w.backend),
             k_backend_why(w.backend));
    while (mailbox_wait(w.mail, w.n_entries > 0)) {
        if (w.device_lost) replace_device(&w);
        obey(&w);
        take_jobs(&w);
        end_cancelled(&w);
        advance(&w);
    }
    shut_down(&w);
}
