/* SPDX-License-Identifier: Apache-2.0 */
/* Ghost text of one document: newest request wins.
 *
 *              REQUEST               TIMER              DONE (same serial)
 *     IDLE --------------> WAITING ---------> RUNNING ----------------------> IDLE   finish
 *                             |                  |
 *                             +------------------+--- EDIT, CANCEL (same serial) ---> IDLE     drop
 *                             |                  |
 *                             +------------------+--- REQUEST ---> WAITING   drop the older one
 *
 * IDLE:    nothing is owed.
 * WAITING: one request is owed an answer; the timer will come.  (It also gathers a burst: whatever
 *          the stream brings at once is read before a timer of 0 ms fires.)
 * RUNNING: one request is owed an answer and a completion works on it.
 *
 * Stale timers and results find another state and change nothing.  So every request is answered
 * exactly once: by `finish` or by `drop`.  Thread: loop; no I/O.
 */
#include "lsp/ghost.h"

ghost_output ghost_step(ghost *g, ghost_input in, uint64_t serial) {
    ghost_output out = {0};
    ghost before = *g;
    switch (in) {
    case GHOST_REQUEST:
        ASSERT(serial > before.request);
        *g = (ghost){GHOST_WAITING, serial};
        out.start_timer = true;
        break;
    case GHOST_TIMER:
        if (g->state == GHOST_WAITING) {
            g->state = GHOST_RUNNING;
            out.start_job = true;
        }
        break;
    case GHOST_DONE:
        if (g->state == GHOST_RUNNING && serial == g->request) {
            out.finish = serial;
            *g = (ghost){0};
        }
        break;
    case GHOST_EDIT: /* the place that was asked about has changed */ *g = (ghost){0}; break;
    case GHOST_CANCEL:
        if (serial == g->request) *g = (ghost){0};
        break;
    }
    if (before.request && before.request != g->request && before.request != out.finish) {
        out.drop = before.request;
        out.stop_job = before.state == GHOST_RUNNING;
    }
    ASSERT((g->state == GHOST_IDLE) == (g->request == 0));
    return out;
}
