/* SPDX-License-Identifier: Apache-2.0 */
/* The engine behind one command.  The daemon has an event loop; a command has nothing to do but
 * wait for one job, so a pipe that the engine's wake-up writes to is all the loop it needs.
 *
 * Thread: main is the loop thread of engine.h; on_wake alone runs on the engine thread.
 * Signals are held back (interrupt_hold) before the engine thread starts, so it never gets them. */
#include "lsp/cli_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "engine/base/mem.h"

#define POLL_MS 50

struct cli_engine {
    engine *g;
    registry *r;
    char *path, *name;
    int wake[2]; /* read end, write end */
    engine_model_info info;
    meter line;
    bool settled, loaded;
    err load_error;
    void (*fn)(void *ud, const engine_event *ev); /* of the pump that runs */
    void *ud;
};

static void on_wake(void *ud);
static void on_event(void *ud, const engine_event *ev);
static status start(cli_engine *c, const settings *st, err *e);

static void on_complaint(void *ud, const char *sentence) {
    UNUSED(ud);
    fprintf(stderr, "inlined: %s\n", sentence);
}

status cli_settings(const cli_args *a, settings *out, err *e) {
    static const char *const devices[] = {
        [DEVICE_AUTO] = "auto", [DEVICE_CPU] = "cpu", [DEVICE_CUDA] = "cuda", [DEVICE_REF] = "ref"};
    settings_default(out);
    status s = a->config ? settings_load(out, a->config, on_complaint, NULL, e) : OK;
    if (s != OK) return s;
    if (a->model) {
        if (strlen(a->model) >= sizeof out->model) {
            return err_set(e, ERR_USAGE, "--model is longer than %zu bytes", sizeof out->model - 1);
        }
        snprintf(out->model, sizeof out->model, "%s", a->model);
    }
    for (size_t i = 0; a->device && i < COUNTOF(devices); i++) {
        if (strcmp(a->device, devices[i]) == 0) out->engine.device = (settings_device)i;
    }
    if (a->threads) out->engine.threads = (int)a->threads;
    return OK;
}

static k_device device_of(settings_device d) {
    switch (d) {
    case DEVICE_AUTO: return K_AUTO;
    case DEVICE_CPU: return K_CPU;
    case DEVICE_CUDA: return K_CUDA;
    case DEVICE_REF: return K_REF;
    }
    ASSERT(0);
}

status cli_engine_open(cli_engine **out, const settings *st, err *e) {
    cli_engine *c = xcalloc(1, sizeof *c);
    c->wake[0] = c->wake[1] = -1;
    interrupt_hold();
    meter_init(&c->line);
    status s = registry_open(&c->r, e);
    if (s == OK) s = registry_resolve(c->r, st->model, &c->path, &c->name, e);
    if (s == OK && pipe(c->wake) != 0) {
        s = err_set(e, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    }
    if (s == OK) s = start(c, st, e);
    meter_end(&c->line);
    if (s != OK) {
        cli_engine_close(c);
        return s;
    }
    *out = c;
    return OK;
}

void cli_engine_close(cli_engine *c) {
    if (!c) return;
    engine_stop(c->g);
    if (c->wake[0] >= 0) close(c->wake[0]);
    if (c->wake[1] >= 0) close(c->wake[1]);
    registry_close(c->r);
    xfree(c->path);
    xfree(c->name);
    xfree(c);
}

engine *cli_engine_get(cli_engine *c) {
    return c->g;
}

const engine_model_info *cli_engine_info(const cli_engine *c) {
    return &c->info;
}

const char *cli_engine_name(const cli_engine *c) {
    return c->name;
}

static status start(cli_engine *c, const settings *st, err *e) {
    for (int i = 0; i < 2; i++) {
        fcntl(c->wake[i], F_SETFL, O_NONBLOCK);
        fcntl(c->wake[i], F_SETFD, FD_CLOEXEC);
    }
    const engine_options options = {.device = device_of(st->engine.device),
                                    .threads = st->engine.threads,
                                    .wake = on_wake,
                                    .wake_ud = c};
    status s = engine_start(&c->g, &options, e);
    if (s != OK) return s;
    const engine_model_options model = {.path = c->path,
                                        .name = c->name,
                                        .context_tokens = st->engine.context_tokens,
                                        .kv_type = st->engine.kv_cache};
    engine_load(c->g, 0, &model);
    s = cli_engine_pump(c, NULL, NULL, &c->settled, e);
    if (s == OK && !c->loaded) s = err_set(e, ERR_FORMAT, "%s", c->load_error.text);
    return s;
}

/* Engine thread.  A full pipe wakes as well as one more byte would. */
static void on_wake(void *ud) {
    const cli_engine *c = ud;
    ssize_t n = write(c->wake[1], "", 1);
    UNUSED(n);
}

static void on_event(void *ud, const engine_event *ev) {
    cli_engine *c = ud;
    switch (ev->kind) {
    case EV_LOAD_PROGRESS:
        meter_part(&c->line, ev->what ? ev->what : "loading", (double)ev->progress);
        return;
    case EV_LOADED:
        c->info = *ev->info;
        c->loaded = c->settled = true;
        return;
    case EV_LOAD_FAILED:
        c->load_error = *ev->error;
        c->settled = true;
        return;
    case EV_UNLOADED:
    case EV_SAVED:
    case EV_RESTORED: return;
    case EV_TEXT:
    case EV_DONE: break;
    }
    if (c->fn) c->fn(c->ud, ev);
}

status cli_engine_pump(cli_engine *c, void (*fn)(void *ud, const engine_event *ev), void *ud,
                       const bool *done, err *e) {
    c->fn = fn;
    c->ud = ud;
    status s = OK;
    while (s == OK && !*done) {
        struct pollfd p = {.fd = c->wake[0], .events = POLLIN};
        poll(&p, 1, POLL_MS);
        char bytes[64];
        while (read(c->wake[0], bytes, sizeof bytes) > 0) {
        }
        engine_drain(c->g, on_event, c);
        if (!*done && interrupt_take()) s = err_set(e, ERR_CANCELLED, "cancelled");
    }
    c->fn = NULL;
    return s;
}

typedef struct {
    const cli_job_hooks *hooks;
    job_id id;
    bool done;
    status status;
    err error;
} job_wait;

static void on_job_event(void *ud, const engine_event *ev) {
    job_wait *w = ud;
    if (ev->job != w->id) return;
    if (ev->kind == EV_TEXT && w->hooks->text) w->hooks->text(w->hooks->ud, ev->text);
    if (ev->kind != EV_DONE) return;
    w->status = ev->result->status;
    w->error = ev->result->error;
    if (w->hooks->result) w->hooks->result(w->hooks->ud, ev->result);
    w->done = true;
}

status cli_engine_run(cli_engine *c, const engine_job *job, const cli_job_hooks *hooks, err *e) {
    job_wait w = {.hooks = hooks};
    status s = engine_submit(c->g, job, &w.id, e);
    if (s != OK) return s;
    s = cli_engine_pump(c, on_job_event, &w, &w.done, e);
    if (s == ERR_CANCELLED) {
        /* The hooks' data lives in the caller: the job must have ended before we return. */
        err ignored;
        engine_cancel(c->g, w.id);
        status end = cli_engine_pump(c, on_job_event, &w, &w.done, &ignored);
        UNUSED(end);
        return s;
    }
    if (s == OK && w.status != OK) return err_set(e, w.status, "%s", w.error.text);
    return s;
}
