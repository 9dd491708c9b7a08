/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* When to answer the inline-completion requests of one document.  Pure: no clock, no I/O; the
 * machine is drawn in ghost.c. */
#include "engine/base/base.h"

typedef enum { GHOST_IDLE, GHOST_WAITING, GHOST_RUNNING } ghost_state;
typedef enum { GHOST_REQUEST, GHOST_TIMER, GHOST_DONE, GHOST_EDIT, GHOST_CANCEL } ghost_input;

typedef struct {
    ghost_state state;
    uint64_t request; /* serial of the unanswered request; 0 exactly when IDLE */
} ghost;

/* What to do now, in this order.  Serials are 0 where there is nothing to do. */
typedef struct {
    bool stop_job;   /* stop the running completion, whose request is `drop` */
    uint64_t drop;   /* answer: cancelled */
    uint64_t finish; /* answer with the result that came */
    bool start_timer;
    bool start_job; /* for the request in the state */
} ghost_output;

/* `serial`: of the new request (REQUEST; larger than any before), of the finished one (DONE) or of
 * the cancelled one (CANCEL); otherwise ignored. */
ghost_output ghost_step(ghost *g, ghost_input in, uint64_t serial);
