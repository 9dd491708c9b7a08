/* SPDX-License-Identifier: Apache-2.0 */
/* A model's way from a name to READY.
 *
 *              tiers_want            EV_LOADED
 *     NONE ---------------> LOADING -----------> READY
 *      |  no such file         | EV_LOAD_FAILED    | EV_UNLOADED (the device was lost: the engine
 *      +--------> FAILED <-----+                   |  loads it again by itself)
 *                   | tiers_want, some seconds     +------> LOADING
 *                   |  later                       | the table gives its slot to another
 *                   +------> LOADING               +------> NONE
 *
 * LOADING: the engine has the load; percent and what are its last report.  READY: info is valid.
 * FAILED: error holds the sentence that people see.  Events carry the load's number, so that those
 * of a load that was given up find nobody.  Thread: loop.
 */
#include "lsp/model.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"

void model_fail(model *m, status s, const err *e) {
    m->state = MODEL_FAILED;
    m->status = s;
    m->missing = 0;
    m->load = 0;
    m->error = *e;
    m->failed_ms = clock_ms();
    log_error("model", "no model name=%s why=\"%s\"", m->wanted[0] ? m->wanted : "default",
              e->text);
}

static bool progress(model *m, const engine_event *ev) {
    if (m->state != MODEL_LOADING) return false;
    int percent = (int)(ev->progress * 100.0f);
    percent = MAX(0, MIN(percent, 100));
    bool changed = percent != m->percent || strcmp(m->what, ev->what ? ev->what : "");
    m->percent = percent;
    double spent = clock_ms() - m->started_ms;
    m->seconds_left = percent >= 5 && spent > 500 ? spent * (100 - percent) / percent / 1000 : -1;
    snprintf(m->what, sizeof m->what, "%s", ev->what ? ev->what : "");
    return changed;
}

bool model_event(model *m, const engine_event *ev, uint64_t generation) {
    if (!m->load || ev->load != m->load) return false;
    switch (ev->kind) {
    case EV_LOAD_PROGRESS: return progress(m, ev);
    case EV_LOADED:
        m->state = MODEL_READY;
        m->info = *ev->info;
        m->generation = generation;
        log_info("model", "ready name=%s backend=\"%s\" why=\"%s\" context=%d ms=%.0f", m->name,
                 m->info.backend, m->info.why, m->info.context_tokens, m->info.load_ms);
        return true;
    case EV_LOAD_FAILED:
        model_fail(m, ev->status, ev->error);
        m->missing = ev->missing;
        return true;
    case EV_UNLOADED:
        m->state = MODEL_LOADING;
        m->percent = 0;
        return true;
    case EV_SAVED:
    case EV_RESTORED:
    case EV_TEXT:
    case EV_DONE: break;
    }
    return false;
}
