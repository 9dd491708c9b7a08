/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who is next: of all jobs, those whose rows make up the engine's next step.
 * Pure: no model, no thread, no clock.  Thread: engine. */
#include "engine/base/limits.h"
#include "engine/engine.h"

#define SCHEDULE_CLASSES (PRIO_BACKGROUND + 1)

typedef enum {
    SCHEDULE_WAITS,  /* has no sequence yet: the next thing is to begin it */
    SCHEDULE_READS,  /* more than its last row is missing: a chunk of its prompt is next */
    SCHEDULE_WRITES, /* a token is next; its row may go with those of others */
} schedule_phase;

typedef struct {
    job_id id;
    uint64_t client;
    job_priority priority;
    int slot;
    schedule_phase phase;
    int left;     /* SCHEDULE_READS: rows that are not computed yet */
    bool blocked; /* it cannot go on now, for a reason that is not the scheduler's */
} schedule_item;

/* The jobs of one class on one model. */
typedef struct {
    double used_ms;       /* of its class, up to the end of its last step; see schedule.c */
    double owed_ms;       /* to its writers, for what its readers had */
    double writers_share; /* of the time of a chunk: what they get after it */
    unsigned chunks;      /* read so far */
} schedule_lane;

typedef struct {
    uint64_t turn; /* counts what was noted */
    struct {
        uint64_t client, turn; /* of its last beginning or chunk; turn 0: no record */
    } clients[16];             /* the latest ones: more connections just share less exactly */
    schedule_lane lanes[SCHEDULE_CLASSES][LIMIT_ENGINE_MODELS];
    double used_ms[SCHEDULE_CLASSES]; /* where the lane that was served last had begun */
} schedule;

/* Writes the indices of the items that are next to `chosen` and returns their number: one that
 * WAITS, one that READS, or all of a class on one model that WRITE, the oldest first.  0: none can
 * go on. */
int schedule_pick(schedule *s, const schedule_item *items, int n,
                  int chosen[static LIMIT_ENGINE_SEQUENCES]);
/* What was chosen (its first item) has been done, and took so long. */
void schedule_note(schedule *s, const schedule_item *item, double ms);
