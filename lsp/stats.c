/* SPDX-License-Identifier: Apache-2.0 */
/* Counters.  A second of the ring that is about an older minute counts as empty and is begun anew
 * when it is written.  A job's tokens count for the second in which it ended.
 * Thread: loop; pure. */
#include "lsp/stats.h"

static int64_t second_of(double now_ms) {
    return (int64_t)(now_ms / 1000);
}

void stats_job(stats *s, int slot, const engine_result *r, double now_ms) {
    if (slot < 0 || slot >= LIMIT_ENGINE_MODELS) return;
    stats_slot *to = &s->slots[slot];
    to->sums.jobs++;
    to->sums.cancelled += r->status == ERR_CANCELLED;
    to->sums.late += r->status == ERR_LATE;
    to->sums.failed += r->status != OK && r->status != ERR_CANCELLED && r->status != ERR_LATE;
    to->sums.read += (uint64_t)r->prefilled;
    to->sums.wrote += (uint64_t)r->n_tokens;
    to->sums.reused += (uint64_t)r->reused;
    to->sums.write_ms += r->decode_ms;
    if (r->sequences > 0) {
        to->sequences = r->sequences;
        to->cached_tokens = r->cached_tokens;
    }
    int64_t second = second_of(now_ms);
    stats_second *at = &to->last[second % STATS_SECONDS];
    if (at->second != second) *at = (stats_second){.second = second};
    at->read += r->prefilled;
    at->wrote += r->n_tokens;
    at->write_ms += r->decode_ms;
}

void stats_forget(stats *s, int slot) {
    if (slot >= 0 && slot < LIMIT_ENGINE_MODELS) s->slots[slot] = (stats_slot){0};
}

stats_rate stats_rate_of(const stats_slot *s, int seconds, double now_ms) {
    stats_rate sum = {0};
    int64_t now = second_of(now_ms);
    for (int i = 0; i < STATS_SECONDS; i++) {
        const stats_second *at = &s->last[i];
        if (at->second <= now - seconds || at->second > now) continue;
        sum.read += at->read;
        sum.wrote += at->wrote;
    }
    return (stats_rate){sum.read / seconds, sum.wrote / seconds};
}

double stats_speed_of(const stats_slot *s, double now_ms) {
    double wrote = 0, ms = 0;
    int64_t now = second_of(now_ms);
    for (int i = 0; i < STATS_SECONDS; i++) {
        const stats_second *at = &s->last[i];
        if (at->second <= now - STATS_SECONDS || at->second > now) continue;
        wrote += at->wrote;
        ms += at->write_ms;
    }
    if (ms <= 0) {
        wrote = (double)s->sums.wrote;
        ms = s->sums.write_ms;
    }
    return ms > 0 ? 1000 * wrote / ms : 0;
}
