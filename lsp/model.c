/* SPDX-License-Identifier: Apache-2.0 */
/* The completion model's way from a name to READY.
 *
 *              model_want            EV_LOADED
 *     NONE ---------------> LOADING -----------> READY
 *      |  no such file         | EV_LOAD_FAILED    | model_want(another)
 *      +--------> FAILED <-----+                   +------> LOADING
 *                   | model_want, some seconds later, or another name
 *                   +------> LOADING
 *
 * LOADING: the engine has the load; percent and what are its last report.  READY: info is valid.
 * FAILED: error holds the sentence that people see.  Thread: loop.
 */
#include "lsp/model.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/registry.h"

#define RETRY_MS 3000.0 /* between two looks for a file that was not there */

static bool fail(model *m, const err *e) {
    m->state = MODEL_FAILED;
    m->error = *e;
    m->failed_ms = clock_ms();
    log_error("model", "no model name=%s why=\"%s\"", m->wanted[0] ? m->wanted : "default",
              e->text);
    return true;
}

static status resolve(const char *wanted, char **path, char **name, err *e) {
    registry *r = NULL;
    status s = registry_open(&r, e);
    if (!s) s = registry_resolve(r, wanted, path, name, e);
    registry_close(r);
    return s;
}

bool model_want(model *m, engine *g, const settings *s) {
    bool same = m->state != MODEL_NONE && !strcmp(m->wanted, s->model);
    if (same && m->state != MODEL_FAILED) return false;
    if (same && clock_ms() - m->failed_ms < RETRY_MS) return false;
    snprintf(m->wanted, sizeof m->wanted, "%s", s->model);
    snprintf(m->name, sizeof m->name, "%.127s", s->model[0] ? s->model : "default");
    char *path = NULL, *name = NULL;
    err e = {{0}};
    if (resolve(s->model, &path, &name, &e)) return fail(m, &e);
    m->state = MODEL_LOADING;
    m->percent = 0;
    snprintf(m->what, sizeof m->what, "opening");
    snprintf(m->name, sizeof m->name, "%.127s", name);
    log_info("model", "loading name=%s path=%s", name, path);
    engine_load(g, MODEL_SLOT,
                &(engine_model_options){
                    .path = path,
                    .name = name,
                    .context_tokens = s->engine.context_tokens,
                    .kv_type = s->engine.kv_cache});
    xfree(path);
    xfree(name);
    return true;
}

bool model_event(model *m, const engine_event *ev) {
    if (ev->slot != MODEL_SLOT) return false;
    switch (ev->kind) {
    case EV_LOAD_PROGRESS: {
        if (m->state != MODEL_LOADING) return false;
        int percent = (int)(ev->progress * 100.0f);
        percent = MAX(0, MIN(percent, 100));
        bool changed = percent != m->percent || strcmp(m->what, ev->what ? ev->what : "");
        m->percent = percent;
        snprintf(m->what, sizeof m->what, "%s", ev->what ? ev->what : "");
        return changed;
    }
    case EV_LOADED:
        m->state = MODEL_READY;
        m->info = *ev->info;
        m->generation++;
        log_info("model", "ready name=%s backend=\"%s\" context=%d ms=%.0f", m->name,
                 m->info.backend, m->info.context_tokens, m->info.load_ms);
        return true;
    case EV_LOAD_FAILED: return fail(m, ev->error);
    case EV_UNLOADED:
        if (m->state != MODEL_READY) return false;
        m->state = MODEL_NONE;
        return true;
    case EV_SAVED:
    case EV_RESTORED:
    case EV_TEXT:
    case EV_DONE: break;
    }
    return false;
}
