/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the daemon counts: jobs, tokens and errors per slot of the engine, over its life and the
 * last minute; suggestions and how many of them needed no model.  No text enters here.
 * Thread: loop; time comes in, nothing is asked. */
#include "engine/base/limits.h"
#include "engine/engine.h"

#define STATS_SECONDS 60

typedef struct {
    uint64_t read, wrote, reused; /* tokens: computed of prompts, generated, found in the cache */
    uint64_t jobs, failed, cancelled, late;
    double write_ms; /* spent generating */
} stats_sums;

typedef struct {
    int64_t second; /* which one this is about */
    double read, wrote, write_ms;
} stats_second;

typedef struct {
    stats_sums sums;
    stats_second last[STATS_SECONDS]; /* a ring, by second */
    int sequences, cached_tokens;     /* in its KV cache, when the last job ended */
} stats_slot;

typedef struct stats {
    stats_slot slots[LIMIT_ENGINE_MODELS];
    uint64_t asked, cached; /* suggestions that were asked for; those that needed no model */
    uint64_t connections, loads, failed_loads;
} stats;

/* A job ended. */
void stats_job(stats *s, int slot, const engine_result *r, double now_ms);
/* Another model is in this slot. */
void stats_forget(stats *s, int slot);

typedef struct {
    double read, wrote; /* tokens a second */
} stats_rate;
/* Over the last `seconds` (1..STATS_SECONDS), the running one included. */
stats_rate stats_rate_of(const stats_slot *s, int seconds, double now_ms);
/* Tokens that it generates in a second of generating: over the last minute, or, when it was idle,
 * over its life.  0: it has generated nothing. */
double stats_speed_of(const stats_slot *s, double now_ms);
