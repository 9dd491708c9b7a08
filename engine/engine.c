/* SPDX-License-Identifier: Apache-2.0 */
/* The only implementation of engine.h: a thread, a mailbox, and what the caller's side remembers.
 *
 * Owns the thread and the mailbox.  Models belong to the thread (worker.c).  A tokenizer is lent to
 * the caller from the delivery of EV_LOADED to that of EV_UNLOADED; the letter of EV_UNLOADED
 * carries it back to be freed here, so it can never vanish under the caller. Thread: the caller's.
 */
#include "engine/engine.h"

#include <pthread.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/mailbox.h"
#include "engine/memory.h"
#include "engine/tokenizer.h"
#include "engine/worker.h"

struct engine {
    mailbox *mail;
    engine_device device;
    worker_options worker;
    pthread_t thread;
    bool running;
    uint64_t loads;                                   /* numbers given */
    const tokenizer *tokenizers[LIMIT_ENGINE_MODELS]; /* borrowed; NULL: not loaded */
};

static void *thread_main(void *ud) {
    worker_run(ud);
    return NULL;
}

status engine_start(engine **out, const engine_options *opt, err *e) {
    engine *g = xcalloc(1, sizeof *g);
    g->mail = mailbox_new(opt->wake, opt->wake_ud);
    g->worker = (worker_options){g->mail, {opt->device, opt->threads}};
    if (pthread_create(&g->thread, NULL, thread_main, &g->worker) != 0) {
        engine_stop(g);
        return err_set(e, ERR_IO,
                       "the engine's thread could not be started; the system is out of "
                       "threads or memory");
    }
    g->running = true;
    status s = mailbox_wait_started(g->mail, &g->device, e);
    if (s != OK) {
        engine_stop(g);
        return s;
    }
    *out = g;
    return OK;
}

void engine_stop(engine *g) {
    if (!g) return;
    mailbox_close(g->mail);
    if (g->running) ASSERT(pthread_join(g->thread, NULL) == 0);
    mailbox_free(g->mail);
    xfree(g);
}

const engine_device *engine_get_device(const engine *g) {
    return &g->device;
}

uint64_t engine_host_memory(void) {
    return memory_available();
}

/* ---- models ---------------------------------------------------------------------------------- */

uint64_t engine_load(engine *g, int slot, const engine_model_options *opt) {
    ASSERT(slot >= 0 && slot < LIMIT_ENGINE_MODELS);
    command *c = xcalloc(1, sizeof *c);
    c->wish = WISH_LOAD;
    c->slot = slot;
    c->path = xstrdup(opt->path);
    c->name = xstrdup(opt->name ? opt->name : opt->path);
    c->context_tokens = opt->context_tokens;
    c->kv_type = opt->kv_type;
    c->cpu = opt->cpu;
    c->memory_max = opt->memory_max;
    uint64_t load = c->load = ++g->loads;
    mailbox_command(g->mail, c); /* which takes c */
    return load;
}

void engine_unload(engine *g, int slot) {
    ASSERT(slot >= 0 && slot < LIMIT_ENGINE_MODELS);
    command *c = xcalloc(1, sizeof *c);
    c->slot = slot;
    mailbox_command(g->mail, c);
}

static void wish_about_sequence(engine *g, int slot, wish what, const char *path) {
    ASSERT(slot >= 0 && slot < LIMIT_ENGINE_MODELS);
    command *c = xcalloc(1, sizeof *c);
    c->wish = what;
    c->slot = slot;
    c->path = xstrdup(path);
    mailbox_command(g->mail, c);
}

void engine_save(engine *g, int slot, const char *path) {
    wish_about_sequence(g, slot, WISH_SAVE, path);
}

void engine_restore(engine *g, int slot, const char *path) {
    wish_about_sequence(g, slot, WISH_RESTORE, path);
}

const tokenizer *engine_tokenizer(const engine *g, int slot) {
    return slot >= 0 && slot < LIMIT_ENGINE_MODELS ? g->tokenizers[slot] : NULL;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

status engine_submit(engine *g, const engine_job *spec, job_id *id, err *e) {
    job *j;
    status s = job_new(&j, spec, e);
    if (s != OK) return s;
    s = mailbox_post(g->mail, j, e);
    if (s != OK) {
        job_free(j);
        return s;
    }
    *id = j->id; /* alive: only this thread's drain frees it */
    return OK;
}

int engine_count_jobs(engine *g, int slot) {
    return mailbox_count_jobs(g->mail, slot);
}

void engine_cancel(engine *g, job_id id) {
    mailbox_cancel(g->mail, id);
}

/* ---- events ---------------------------------------------------------------------------------- */

const char *finish_reason_name(finish_reason r) {
    switch (r) {
    case FINISH_EOG: return "eog";
    case FINISH_LINE: return "line";
    case FINISH_BLOCK: return "block";
    case FINISH_STRING: return "string";
    case FINISH_TOKENS: return "length";
    case FINISH_TIME: return "time";
    case FINISH_CONTEXT: return "context";
    case FINISH_DOUBT: return "doubt";
    case FINISH_GRAMMAR: return "grammar";
    case FINISH_FAILED: return "failed";
    }
    return "unknown";
}

static engine_event event_of(const delivery *d) {
    engine_event ev = {0};
    switch (d->kind) {
    case MAIL_TEXT:
        ev = (engine_event){.kind = EV_TEXT,
                            .slot = d->job->spec.slot,
                            .job = d->job->id,
                            .tokens = d->tokens,
                            .text = d->text};
        break;
    case MAIL_DONE:
        ev = (engine_event){.kind = EV_DONE,
                            .slot = d->job->spec.slot,
                            .job = d->job->id,
                            .result = &d->job->result};
        break;
    case MAIL_LOAD:
        ev = (engine_event){.kind = d->load->kind,
                            .slot = d->load->slot,
                            .load = d->load->load,
                            .progress = d->load->progress,
                            .what = d->load->what};
        if (ev.kind == EV_LOADED) ev.info = &d->load->info;
        ev.status = d->load->status;
        ev.missing = d->load->missing;
        ev.tokens = d->load->tokens;
        if (d->load->error.text[0]) ev.error = &d->load->error;
        break;
    }
    return ev;
}

/* What the caller's side remembers; frees what the letter carried. */
static void after(delivery *d, tokenizer *gone) {
    tokenizer_close(gone);
    if (d->kind == MAIL_DONE) job_free(d->job);
    if (d->kind == MAIL_LOAD) xfree(d->load);
}

void engine_drain(engine *g, void (*fn)(void *ud, const engine_event *ev), void *ud) {
    /* Not more than there is now, so that a busy engine cannot keep the caller here. */
    delivery d;
    for (size_t left = mailbox_waiting(g->mail); left > 0 && mailbox_next(g->mail, &d); left--) {
        tokenizer *gone = NULL;
        if (d.kind == MAIL_LOAD && d.load->kind == EV_LOADED)
            g->tokenizers[d.load->slot] = d.load->tokenizer;
        if (d.kind == MAIL_LOAD && d.load->kind == EV_UNLOADED) {
            g->tokenizers[d.load->slot] = NULL;
            gone = d.load->tokenizer;
        }
        engine_event ev = event_of(&d);
        fn(ud, &ev);
        after(&d, gone);
    }
}
