/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that lives for one file.  It writes to the struct until `done`, which is stored last and
 * read first; after that everything is the engine thread's.  Signals stay with the loop's thread.
 * Threads: engine and the reading one, as said. */
#include "engine/opening.h"

#include <pthread.h>
#include <signal.h>

#include "engine/base/mem.h"

struct opening {
    command *command;
    mailbox *mail;
    pthread_t thread;
    bool threaded;
    float told; /* progress; reading thread */
    const char *what;
    atomic_bool cancelled, done;
    model *model; /* the result, valid when done */
    status status;
    err error;
};

static bool on_progress(void *ud, float done, const char *what) { /* reading thread */
    opening *o = ud;
    if (what != o->what || done >= o->told + 0.02f) {
        load_mail *l = xcalloc(1, sizeof *l);
        *l = (load_mail){.kind = EV_LOAD_PROGRESS,
                         .slot = o->command->slot,
                         .load = o->command->load,
                         .progress = o->told = done,
                         .what = o->what = what};
        mailbox_emit_load(o->mail, l);
    }
    return !atomic_load(&o->cancelled) && !mailbox_is_closed(o->mail);
}

static void *read_file(void *ud) {
    opening *o = ud;
    load_order order = {.path = o->command->path,
                        .name = o->command->name,
                        .progress = on_progress,
                        .progress_ud = o};
    o->status = model_open(&o->model, &order, &o->error);
    atomic_store(&o->done, true);
    mailbox_nudge(o->mail);
    return NULL;
}

opening *opening_start(command *c, mailbox *box) {
    opening *o = xcalloc(1, sizeof *o);
    o->command = c;
    o->mail = box;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    o->threaded = pthread_create(&o->thread, NULL, read_file, o) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!o->threaded) read_file(o);
    return o;
}

const command *opening_of(const opening *o) {
    return o->command;
}

bool opening_is_done(const opening *o) {
    return atomic_load(&o->done);
}

void opening_cancel(opening *o) {
    atomic_store(&o->cancelled, true);
}

status opening_finish(opening *o, model **out, command **c, err *e) {
    if (o->threaded) ASSERT(pthread_join(o->thread, NULL) == 0);
    status s = o->status;
    if (s != OK) *e = o->error;
    *out = o->model;
    *c = o->command;
    xfree(o);
    return s;
}
