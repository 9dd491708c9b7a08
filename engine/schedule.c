/* SPDX-License-Identifier: Apache-2.0 */
/* The order between jobs.
 *
 * A *class* is a priority, a *lane* the jobs of one class on one model.
 *
 *   - A step is of the most urgent class that can go on; its lanes get the same time each (next is
 *     the one that used least; one that had nothing to do has no claim to what it did not use).
 *   - Jobs of a lane run together: each token's row goes with those of all others that write, in
 *     one step, because a step reads all weights however few its rows are.
 *   - A job that waits begins as soon as a sequence is free for it.  Every class leaves one for
 *     each more urgent class; a client has at most half of them in a lane, and reads one prompt at
 *     a time there (its next often begins with the same tokens, and finds them computed).  Next is
 *     who has least running, then who had a turn longest ago, then the older job.
 *   - Prompts of several clients are read in turns, a chunk each: the shortest rest first, so that
 *     a key waits for a chunk of another editor's long prompt and not for all of it; but every
 *     fourth chunk is that of the client whose turn is longest ago, so nobody starves.
 *   - When some of a lane read and some write, each job gets the same time, writers together half
 *     at most: a step of few is dear for what it brings, and soon there will be more of them.
 *
 * Thread: engine; pure.
 */
#include "engine/schedule.h"

#define FAIR_CHUNK 4 /* every so many chunks the length does not count */

static bool same_lane(const schedule_item *a, const schedule_item *b) {
    return a->priority == b->priority && a->slot == b->slot;
}

static uint64_t turn_of(const schedule *s, uint64_t client) {
    for (size_t i = 0; i < COUNTOF(s->clients); i++)
        if (s->clients[i].turn > 0 && s->clients[i].client == client) return s->clients[i].turn;
    return 0;
}

static void note_turn(schedule *s, uint64_t client) {
    size_t to = 0;
    for (size_t i = 0; i < COUNTOF(s->clients); i++) {
        bool same = s->clients[i].turn > 0 && s->clients[i].client == client;
        if (same || s->clients[i].turn < s->clients[to].turn) to = i;
        if (same) break;
    }
    s->clients[to].client = client;
    s->clients[to].turn = s->turn;
}

/* ---- who may begin --------------------------------------------------------------------------- */

/* Its client's jobs that run in its lane. */
static int running_beside(const schedule_item *items, int n, const schedule_item *of) {
    int count = 0;
    for (int i = 0; i < n; i++)
        count += items[i].phase != SCHEDULE_WAITS && same_lane(&items[i], of) &&
                 items[i].client == of->client;
    return count;
}

static bool may_begin(const schedule_item *items, int n, const schedule_item *of) {
    int held = 0;
    for (int i = 0; i < n; i++) {
        const schedule_item *it = &items[i];
        if (it->slot == of->slot) held += it->phase != SCHEDULE_WAITS;
        bool reads = it->phase == SCHEDULE_READS && same_lane(it, of) && it->client == of->client;
        if (reads) return false;
    }
    return held + (int)of->priority < LIMIT_ENGINE_SEQUENCES &&
           running_beside(items, n, of) < LIMIT_ENGINE_SEQUENCES / 2;
}

static bool begins_before(const schedule *s, const schedule_item *items, int n,
                          const schedule_item *a, const schedule_item *b) {
    int x = running_beside(items, n, a), y = running_beside(items, n, b);
    if (x != y) return x < y;
    uint64_t turn_x = turn_of(s, a->client), turn_y = turn_of(s, b->client);
    return turn_x != turn_y ? turn_x < turn_y : a->id < b->id;
}

/* ---- who goes on ----------------------------------------------------------------------------- */

static bool reads_before(const schedule *s, bool fair, const schedule_item *a,
                         const schedule_item *b) {
    uint64_t turn_x = turn_of(s, a->client), turn_y = turn_of(s, b->client);
    if (fair && turn_x != turn_y) return turn_x < turn_y;
    if (!fair && a->left != b->left) return a->left < b->left;
    return a->id < b->id;
}

/* All that write in this lane, by age. */
static int pick_writers(const schedule_item *items, int n, const schedule_item *lane, int *chosen) {
    int count = 0;
    for (int i = 0; i < n && count < LIMIT_ENGINE_SEQUENCES; i++) {
        if (items[i].blocked || items[i].phase != SCHEDULE_WRITES || !same_lane(&items[i], lane))
            continue;
        int at = count++;
        for (; at > 0 && items[chosen[at - 1]].id > items[i].id; at--)
            chosen[at] = chosen[at - 1];
        chosen[at] = i;
    }
    return count;
}

/* The lane of an item that can go on. */
static int pick_in_lane(schedule *s, const schedule_item *items, int n, const schedule_item *of,
                        int *chosen) {
    schedule_lane *lane = &s->lanes[of->priority][of->slot];
    bool fair = lane->chunks % FAIR_CHUNK == FAIR_CHUNK - 1;
    int writers = pick_writers(items, n, of, chosen), readers = 0, reader = -1;
    for (int i = 0; i < n; i++) {
        if (items[i].blocked || items[i].phase != SCHEDULE_READS || !same_lane(&items[i], of))
            continue;
        readers++;
        if (reader < 0 || reads_before(s, fair, &items[i], &items[reader])) reader = i;
    }
    if (writers == 0 || readers == 0) lane->owed_ms = 0;
    lane->writers_share = readers > writers ? (double)writers / readers : 1;
    if (reader < 0 || (writers > 0 && lane->owed_ms > 0)) return writers;
    chosen[0] = reader;
    return 1;
}

static double used_by(const schedule *s, const schedule_item *lane) {
    return MAX(s->lanes[lane->priority][lane->slot].used_ms, s->used_ms[lane->priority]);
}

int schedule_pick(schedule *s, const schedule_item *items, int n,
                  int chosen[static LIMIT_ENGINE_SEQUENCES]) {
    const schedule_item *waits = NULL, *goes = NULL;
    int most = SCHEDULE_CLASSES;
    for (int i = 0; i < n; i++) {
        const schedule_item *it = &items[i];
        int class = (int)it->priority;
        if (it->blocked || class > most) continue;
        bool begins = it->phase == SCHEDULE_WAITS;
        if (begins && !may_begin(items, n, it)) continue;
        if (class < most) waits = goes = NULL;
        most = class;
        if (begins && (!waits || begins_before(s, items, n, it, waits))) waits = it;
        if (!begins && (!goes || used_by(s, it) < used_by(s, goes))) goes = it;
    }
    if (!waits) return goes ? pick_in_lane(s, items, n, goes, chosen) : 0;
    chosen[0] = (int)(waits - items);
    return 1;
}

void schedule_note(schedule *s, const schedule_item *item, double ms) {
    schedule_lane *lane = &s->lanes[item->priority][item->slot];
    s->turn++;
    if (item->phase != SCHEDULE_WRITES) note_turn(s, item->client);
    if (item->phase == SCHEDULE_WAITS) return;
    s->used_ms[item->priority] = used_by(s, item);
    lane->used_ms = s->used_ms[item->priority] + ms;
    if (item->phase == SCHEDULE_READS) {
        lane->chunks++;
        lane->owed_ms += ms * lane->writers_share;
    } else {
        lane->owed_ms -= ms;
    }
}
