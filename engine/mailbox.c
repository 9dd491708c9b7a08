/* SPDX-License-Identifier: Apache-2.0 */
/* The only place where the caller's thread and the engine thread meet.
 *
 *     caller                                        engine thread
 *     mailbox_post(job)    -> queue of jobs      -> mailbox_take_job
 *     mailbox_command(c)   -> queue of commands  -> mailbox_take_command
 *     mailbox_cancel(id)   -> one mark per job      (read between steps)
 *     mailbox_next(out)    <- list of mail       <- mailbox_emit_*(...), then wake()
 *
 * Invariants
 *   (1) `lock` guards everything in the struct but the atomics; it is never held during wake() or
 *       while the caller looks at a delivery.
 *   (2) One wake() may stand for many letters; the caller goes on until mailbox_next is false.
 *   (3) A job has one owner: the caller until mailbox_post succeeds, the engine until
 *       mailbox_emit_done, the caller again from mailbox_next on.
 *   (4) table[] holds a job from mailbox_post until its MAIL_DONE is delivered, and only the
 *       caller's thread puts in and takes out: so cancelling can never touch freed memory, and at
 *       most LIMIT_ENGINE_JOBS jobs exist however slowly the caller reads, beside those that it
 *       has cancelled: a burst of keys cancels as many as it posts, and the last one counts.
 *   (5) Letters about jobs are embedded in the job, and a text letter that is still queued only
 *       grows: sending allocates nothing.  The text itself never moves; `shared` publishes it.
 *   (6) MAIL_DONE is the last letter of its job, because it is sent last and the list keeps order.
 *   (7) `interrupt` may turn true late (for a job that has stopped stepping) and is then cleared by
 *       the next mailbox_set_running; it never misses a job that came before or during the step.
 */
#include "engine/mailbox.h"

#include <math.h>
#include <pthread.h>
#include <time.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/tokenizer.h"

#define SLEEP_MS_MAX 60000.0 /* then it looks again */

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t posted; /* by CLOCK_MONOTONIC */
    job *table[LIMIT_ENGINE_JOBS + LIMIT_ENGINE_ENDING];
    job *jobs, **jobs_tail;
    command *commands, **commands_tail;
    mail *mails, **mails_tail;
    size_t n_mails;
    job_id last_id;
    bool closed, started, nudged;
    status start_status; /* valid when started */
    err start_error;
    engine_device device;
    const job *running;
    atomic_bool interrupt;
    void (*wake)(void *ud);
    void *wake_ud;
};

mailbox *mailbox_new(void (*wake)(void *ud), void *ud) {
    mailbox *m = xcalloc(1, sizeof *m);
    pthread_condattr_t monotonic;
    ASSERT(pthread_condattr_init(&monotonic) == 0 &&
           pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    ASSERT(pthread_mutex_init(&m->lock, NULL) == 0 &&
           pthread_cond_init(&m->posted, &monotonic) == 0);
    pthread_condattr_destroy(&monotonic);
    m->jobs_tail = &m->jobs;
    m->commands_tail = &m->commands;
    m->mails_tail = &m->mails;
    atomic_init(&m->interrupt, false);
    m->wake = wake;
    m->wake_ud = ud;
    return m;
}

static void delivery_free(delivery *d) {
    if (d->kind == MAIL_DONE) job_free(d->job);
    if (d->kind == MAIL_LOAD) {
        if (d->load->kind == EV_UNLOADED) tokenizer_close(d->load->tokenizer);
        xfree(d->load);
    }
}

void mailbox_free(mailbox *m) {
    if (!m) return;
    delivery d;
    while (mailbox_next(m, &d))
        delivery_free(&d);
    for (command *c; (c = mailbox_take_command(m));)
        command_free(c);
    for (job *j; (j = mailbox_take_job(m));)
        job_free(j);
    pthread_cond_destroy(&m->posted);
    pthread_mutex_destroy(&m->lock);
    xfree(m);
}

void command_free(command *c) {
    if (!c) return;
    xfree(c->path);
    xfree(c->name);
    xfree(c);
}

static void lock(mailbox *m) {
    ASSERT(pthread_mutex_lock(&m->lock) == 0);
}
static void unlock(mailbox *m) {
    ASSERT(pthread_mutex_unlock(&m->lock) == 0);
}

/* ---- caller ---------------------------------------------------------------------------------- */

status mailbox_post(mailbox *m, job *j, err *e) {
    lock(m);
    size_t free_at = COUNTOF(m->table), wanted = 0;
    for (size_t i = COUNTOF(m->table); i-- > 0;) {
        if (!m->table[i])
            free_at = i;
        else
            wanted += !atomic_load(&m->table[i]->cancel);
    }
    if (free_at == COUNTOF(m->table) || wanted >= LIMIT_ENGINE_JOBS) {
        unlock(m);
        return err_set(e, ERR_LIMIT, "the engine has %d jobs waiting; try again when one has ended",
                       LIMIT_ENGINE_JOBS);
    }
    m->table[free_at] = j;
    j->id = ++m->last_id;
    j->next = NULL;
    *m->jobs_tail = j;
    m->jobs_tail = &j->next;
    if (m->running && j->spec.priority < m->running->spec.priority)
        atomic_store(&m->interrupt, true);
    pthread_cond_signal(&m->posted);
    unlock(m);
    return OK;
}

void mailbox_cancel(mailbox *m, job_id id) {
    lock(m);
    for (size_t i = 0; i < COUNTOF(m->table); i++) {
        job *j = m->table[i];
        if (!j || j->id != id) continue;
        atomic_store(&j->cancel, true);
        m->nudged = true;
        pthread_cond_signal(&m->posted);
    }
    unlock(m);
}

void mailbox_command(mailbox *m, command *c) {
    lock(m);
    c->next = NULL;
    *m->commands_tail = c;
    m->commands_tail = &c->next;
    m->nudged = true;
    pthread_cond_signal(&m->posted);
    unlock(m);
}

void mailbox_close(mailbox *m) {
    lock(m);
    m->closed = true;
    atomic_store(&m->interrupt, true);
    pthread_cond_signal(&m->posted);
    unlock(m);
}

int mailbox_count_jobs(mailbox *m, int slot) {
    lock(m);
    int n = 0;
    for (size_t i = 0; i < COUNTOF(m->table); i++)
        n += m->table[i] && m->table[i]->spec.slot == slot;
    unlock(m);
    return n;
}

status mailbox_wait_started(mailbox *m, engine_device *device, err *e) {
    lock(m);
    while (!m->started)
        pthread_cond_wait(&m->posted, &m->lock); /* the engine thread does not wait on it yet */
    status s = m->start_status;
    if (s != OK && e) *e = m->start_error;
    *device = m->device;
    unlock(m);
    return s;
}

size_t mailbox_waiting(mailbox *m) {
    lock(m);
    size_t n = m->n_mails;
    unlock(m);
    return n;
}

static void table_remove(mailbox *m, const job *j) {
    for (size_t i = 0; i < COUNTOF(m->table); i++)
        if (m->table[i] == j) m->table[i] = NULL;
}

bool mailbox_next(mailbox *m, delivery *out) {
    lock(m);
    mail *first = m->mails;
    if (!first) {
        unlock(m);
        return false;
    }
    m->mails = first->next;
    if (!m->mails) m->mails_tail = &m->mails;
    m->n_mails--;
    first->queued = false;
    *out = (delivery){.kind = first->kind, .job = first->job};
    if (first->kind == MAIL_TEXT) {
        out->text =
            (str){first->job->text + first->job->taken, first->job->shared - first->job->taken};
        first->job->taken = first->job->shared;
        out->tokens = first->job->shared_tokens;
    } else if (first->kind == MAIL_DONE) {
        table_remove(m, first->job);
    } else {
        out->load = (load_mail *)(void *)first; /* mail is its first member */
    }
    unlock(m);
    return true;
}

/* ---- engine ---------------------------------------------------------------------------------- */

void mailbox_set_started(mailbox *m, status s, const engine_device *device, const err *e) {
    lock(m);
    m->started = true;
    m->start_status = s;
    m->start_error = *e;
    m->device = *device;
    pthread_cond_signal(&m->posted);
    unlock(m);
}

/* Lock held.  May wake for nothing: the worker just looks. */
static void sleep_for(mailbox *m, double ms) {
    if (isinf(ms)) {
        pthread_cond_wait(&m->posted, &m->lock);
        return;
    }
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t ns = end.tv_nsec + (int64_t)(MIN(ms, SLEEP_MS_MAX) * 1e6);
    end.tv_sec += (time_t)(ns / 1000000000);
    end.tv_nsec = (long)(ns % 1000000000);
    pthread_cond_timedwait(&m->posted, &m->lock, &end);
}

bool mailbox_wait(mailbox *m, double ms, bool reading) {
    lock(m);
    if (ms > 0 && !m->closed && !m->jobs && !m->nudged && (reading || !m->commands))
        sleep_for(m, ms);
    m->nudged = false;
    bool open = !m->closed;
    unlock(m);
    return open;
}

void mailbox_nudge(mailbox *m) {
    lock(m);
    m->nudged = true;
    pthread_cond_signal(&m->posted);
    unlock(m);
}

bool mailbox_is_closed(mailbox *m) {
    lock(m);
    bool closed = m->closed;
    unlock(m);
    return closed;
}

command *mailbox_take_command(mailbox *m) {
    lock(m);
    command *c = m->commands;
    if (c) m->commands = c->next;
    if (!m->commands) m->commands_tail = &m->commands;
    unlock(m);
    return c;
}

void mailbox_return_command(mailbox *m, command *c) {
    lock(m);
    c->next = m->commands;
    if (!m->commands) m->commands_tail = &c->next;
    m->commands = c;
    m->nudged = true;
    unlock(m);
}

bool mailbox_has_command(mailbox *m, int slot) {
    lock(m);
    bool found = false;
    for (const command *c = m->commands; c; c = c->next)
        found |= c->slot == slot && (c->wish == WISH_LOAD || c->wish == WISH_UNLOAD);
    unlock(m);
    return found;
}

job *mailbox_take_job(mailbox *m) {
    lock(m);
    job *j = m->jobs;
    if (j) m->jobs = j->next;
    if (!m->jobs) m->jobs_tail = &m->jobs;
    unlock(m);
    return j;
}

const atomic_bool *mailbox_set_running(mailbox *m, const job *j) {
    lock(m);
    bool stop = m->closed;
    for (const job *q = m->jobs; q && j; q = q->next)
        stop |= q->spec.priority < j->spec.priority;
    m->running = j;
    atomic_store(&m->interrupt, stop);
    unlock(m);
    return &m->interrupt;
}

/* Lock held. */
static void append(mailbox *m, mail *letter) {
    letter->queued = true;
    letter->next = NULL;
    *m->mails_tail = letter;
    m->mails_tail = &letter->next;
    m->n_mails++;
}

static void wake(mailbox *m) {
    if (m->wake) m->wake(m->wake_ud);
}

void mailbox_emit_text(mailbox *m, job *j, size_t upto) {
    ASSERT(upto <= j->text_len);
    lock(m);
    bool news = upto > j->shared;
    if (news) {
        j->shared = upto;
        j->shared_tokens = j->result.n_tokens;
    }
    if (news && !j->text_mail.queued) append(m, &j->text_mail);
    unlock(m);
    if (news) wake(m);
}

void mailbox_emit_done(mailbox *m, job *j) {
    lock(m);
    if (m->running == j) m->running = NULL;
    append(m, &j->done_mail);
    unlock(m);
    wake(m);
}

void mailbox_emit_load(mailbox *m, load_mail *l) {
    l->mail = (mail){.kind = MAIL_LOAD};
    lock(m);
    append(m, &l->mail);
    unlock(m);
    wake(m);
}
