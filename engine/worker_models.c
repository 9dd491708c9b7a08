/* SPDX-License-Identifier: Apache-2.0 */
/* The engine thread's models: what was asked for, in order.
 *
 *     slot:  EMPTY --load--> reading (opening.c) --> building --> READY --unload, load--> EMPTY
 *                               |                      |
 *                               +-- failed, given up --+--> FAILED: jobs end with its sentence
 *
 * Nothing here keeps the jobs of other models waiting.  The file is read on a thread of its own,
 * while this one runs jobs.  Building (repacking the weights) needs the backend, which belongs to
 * this thread; so each time when the backend says how far it is, every few milliseconds of work,
 * the jobs of the other slots go on: those of typing until there are none, of the rest one step.
 *
 * One model is loaded at a time; later commands wait, whatever they are about, so that they are
 * obeyed in order.  A newer wish about the slot that is loading ends that load.
 *
 * A model that the device has no kernels for runs on the CPU beside it.  When a device fails it is
 * gone for good: the CPU is opened instead, and every model is loaded again there.
 * Thread: engine.
 */
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/session_file.h"
#include "engine/worker_private.h"

static void emit(worker *w, event_kind kind, int slot, const load_mail *details) {
    load_mail *l = xcalloc(1, sizeof *l);
    *l = *details;
    l->kind = kind;
    l->slot = slot;
    l->load = w->slots[slot].load;
    mailbox_emit_load(w->mail, l);
}

void worker_unload(worker *w, int slot) {
    err e;
    status s = err_set(&e, ERR_CANCELLED, "the model was unloaded");
    for (int i = w->n_entries - 1; i >= 0; i--)
        if (w->entries[i].run && w->entries[i].job->spec.slot == slot) worker_end_job(w, i, s, &e);
    model_slot *ms = &w->slots[slot];
    if (ms->model) emit(w, EV_UNLOADED, slot, &(load_mail){.tokenizer = model_free(ms->model)});
    command_free(ms->wanted);
    *ms = (model_slot){0};
}

bool worker_is_loading(const worker *w, int slot) {
    return w->slots[slot].loading || mailbox_has_command(w->mail, slot);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void start_reading(worker *w, command *c) { /* takes c */
    w->slots[c->slot].loading = true;
    w->slots[c->slot].load = c->load;
    w->opening = opening_start(c, w->mail);
}

void worker_stop_opening(worker *w) {
    if (!w->opening) return;
    opening_cancel(w->opening);
    model *m = NULL;
    command *c = NULL;
    err e;
    status s = opening_finish(w->opening, &m, &c, &e);
    UNUSED(s);
    tokenizer_close(model_free(m));
    command_free(c);
    w->opening = NULL;
}

/* ---- building -------------------------------------------------------------------------------- */

typedef struct {
    worker *w;
    int slot;
    float last;
    const char *what;
} load_watch;

/* The jobs of the models that are there go on: those of typing until there are none, of the rest
 * one step. */
static void let_others_run(worker *w) {
    bool more = true;
    while (more && !mailbox_is_closed(w->mail) && !w->device_lost) {
        worker_take_jobs(w);
        worker_end_unwanted(w);
        more = worker_advance(w) && worker_has_job(w, PRIO_TYPE);
    }
}

static bool on_progress(void *ud, float done, const char *what) {
    load_watch *watch = ud;
    worker *w = watch->w;
    if (what != watch->what || done >= watch->last + 0.02f) {
        watch->what = what;
        watch->last = done;
        emit(w, EV_LOAD_PROGRESS, watch->slot, &(load_mail){.progress = done, .what = what});
    }
    let_others_run(w);
    return !mailbox_is_closed(w->mail) && !mailbox_has_command(w->mail, watch->slot);
}

/* The CPU beside the device, opened when it is needed first. */
static k_backend *open_beside(worker *w, err *e) {
    k_options cpu = w->options;
    cpu.device = K_CPU;
    if (!w->beside && k_open(&w->beside, &cpu, e) != OK) return NULL;
    return w->beside;
}

/* On the device if it has one, unless the command says otherwise or the device cannot run it. */
static status build(worker *w, model *m, const command *c, uint64_t *missing, err *e) {
    load_watch watch = {.w = w, .slot = c->slot};
    load_order order = {.path = c->path,
                        .name = c->name,
                        .context_tokens = c->context_tokens,
                        .kv_type = c->kv_type,
                        .memory_max = c->memory_max,
                        .why = w->lost_why.text[0] ? w->lost_why.text : NULL,
                        .progress = on_progress,
                        .progress_ud = &watch};
    if (!w->backend) /* a device failed, and the CPU could not be opened instead */
        return err_set(e, ERR_DEVICE, "no device is left; restart inlined");
    bool device = k_backend_is_device(w->backend);
    status s = ERR_UNSUPPORTED;
    if (!device || !c->cpu) s = model_build(m, w->backend, &order, missing, e);
    if (s != ERR_UNSUPPORTED || !device) return s;
    if (!c->cpu) log_warn("engine", "not on the device model=%s why=\"%s\"", c->name, e->text);
    err why = *e;
    order.why = c->cpu ? "its tier stays on the CPU, or the GPU has no room for it" : why.text;
    k_backend *beside = open_beside(w, e);
    return beside ? model_build(m, beside, &order, missing, e) : ERR_DEVICE;
}

static void build_what_was_read(worker *w) {
    model *m = NULL;
    command *c = NULL;
    err e = {0};
    uint64_t missing = 0;
    status s = opening_finish(w->opening, &m, &c, &e);
    w->opening = NULL;
    model_slot *ms = &w->slots[c->slot];
    ms->wanted = c;
    if (s == OK && mailbox_has_command(w->mail, c->slot))
        s = err_set(&e, ERR_CANCELLED, "loading was cancelled");
    if (s == OK) s = build(w, m, c, &missing, &e);
    ms->loading = false;
    if (s == OK) {
        ms->model = m;
        emit(w, EV_LOADED, c->slot, &(load_mail){.info = m->info, .tokenizer = m->tok});
        return;
    }
    tokenizer_close(model_free(m));
    if (s == ERR_DEVICE && w->backend && k_backend_is_device(w->backend)) {
        worker_lose_device(w, &e); /* what is wanted is loaded again, on the CPU */
        return;
    }
    ms->failed = s;
    ms->error = e;
    log_warn("engine", "model not loaded name=%s status=%s error=\"%s\"", c->name, status_name(s),
             e.text);
    emit(w, EV_LOAD_FAILED, c->slot, &(load_mail){.status = s, .missing = missing, .error = e});
}

/* ---- commands -------------------------------------------------------------------------------- */

static bool between_pages(void *ud) {
    worker *w = ud;
    let_others_run(w);
    return !mailbox_is_closed(w->mail) && !w->device_lost;
}

static void move_sequence(worker *w, command *c) { /* takes c */
    model *m = w->slots[c->slot].model;
    load_mail said = {0};
    if (!m) {
        err_set(&said.error, ERR_NOT_FOUND, "no model is loaded in slot %d", c->slot);
    } else {
        session_store store = {.table = &m->sessions,
                               .kernels = m->kernels,
                               .identity = m->identity,
                               .vocab = m->vocab,
                               .between = between_pages,
                               .between_ud = w};
        err e = {0};
        w->slots[c->slot].restoring = c->wish == WISH_RESTORE;
        status s = c->wish == WISH_SAVE ? session_save(&store, c->path, &said.tokens, &e)
                                        : session_restore(&store, c->path, &said.tokens, &e);
        w->slots[c->slot].restoring = false;
        if (s != OK) said.error = e;
        if (s == ERR_DEVICE) worker_lose_device(w, &e);
    }
    emit(w, c->wish == WISH_SAVE ? EV_SAVED : EV_RESTORED, c->slot, &said);
    command_free(c);
}

static void obey(worker *w, command *c) { /* takes c */
    if (c->wish == WISH_SAVE || c->wish == WISH_RESTORE) {
        move_sequence(w, c);
        return;
    }
    worker_unload(w, c->slot);
    if (c->wish == WISH_LOAD)
        start_reading(w, c);
    else
        command_free(c);
}

void worker_obey(worker *w) {
    for (;;) {
        if (w->opening) {
            if (mailbox_has_command(w->mail, opening_of(w->opening)->slot))
                opening_cancel(w->opening);
            if (!opening_is_done(w->opening)) return;
            build_what_was_read(w);
        }
        command *c = mailbox_take_command(w->mail);
        if (!c) return;
        obey(w, c);
    }
}

void worker_replace_device(worker *w) {
    w->device_lost = false;
    if (!w->backend || !k_backend_is_device(w->backend)) return;
    log_warn("engine", "device failed, going on with the cpu name=\"%s\" why=\"%s\"",
             k_backend_name(w->backend), w->lost_why.text);
    command *again[LIMIT_ENGINE_MODELS];
    for (int i = 0; i < LIMIT_ENGINE_MODELS; i++) {
        again[i] = w->slots[i].wanted;
        if (w->slots[i].loading) continue; /* it is being read, which no device is needed for */
        w->slots[i].wanted = NULL;
        worker_unload(w, i);
    }
    k_close(w->backend);
    w->backend = w->beside;
    w->beside = NULL;
    w->options.device = K_CPU;
    err e = {0};
    status s = w->backend ? OK : k_open(&w->backend, &w->options, &e);
    for (int i = LIMIT_ENGINE_MODELS - 1; i >= 0; i--) {
        command *c = again[i];
        if (!c) continue;
        if (s == OK && !mailbox_has_command(w->mail, i)) {
            mailbox_return_command(w->mail, c);
            continue;
        }
        if (s != OK) w->slots[i] = (model_slot){.failed = s, .error = e};
        command_free(c);
    }
}
