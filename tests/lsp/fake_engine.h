/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* engine.h without a thread or a model, for the orders of events that a real engine gives once in a
 * thousand runs.  Jobs wait until the test says how they end. */
#include "engine/engine.h"

/* What engine_load was asked, in order: its number is n + 1.  Nothing is loaded; the test feeds the
 * events. */
typedef struct {
    int slot;
    engine_model_options options; /* but for path and name */
    char path[256];
} fake_load;
const fake_load *fake_engine_load(const engine *g, size_t n); /* NULL: there was none */
size_t fake_engine_loads(const engine *g);
int fake_engine_unloads(const engine *g);
const char *fake_engine_saved(const engine *g);    /* path of the last engine_save; "": none */
const char *fake_engine_restored(const engine *g); /* and of the last engine_restore */
void fake_engine_set_busy(engine *g, bool busy);   /* every slot has a job */
void fake_engine_set_device(engine *g, uint64_t free_bytes);

size_t fake_engine_waiting(const engine *g); /* jobs without an end */
size_t fake_engine_submitted(const engine *g);
size_t fake_engine_cancelled(const engine *g);
/* The next engine_submit calls fail with ERR_LIMIT while this is true. */
void fake_engine_refuse(engine *g, bool refuse);
/* Ends the oldest waiting job: with this text, or (NULL) with this status.  False: none waits. */
bool fake_engine_end(engine *g, const char *text, status s);
/* The same for the n-th waiting job, which fake_engine_job shows before (NULL: there is none). */
const engine_job *fake_engine_job(const engine *g, size_t n);
bool fake_engine_end_nth(engine *g, size_t n, const char *text, status s);
job_priority fake_engine_priority(const engine *g); /* of the newest job */
/* More text of the oldest waiting job, at the next drain. */
void fake_engine_write(engine *g, const char *text);
/* How jobs end from now on that end well; FINISH_LINE at first. */
void fake_engine_set_finish(engine *g, finish_reason finish);
/* The newest job's conversation, a line "role: content" each. */
str fake_engine_chat(const engine *g);
/* The prefix of the newest job's prompt. */
str fake_engine_prefix(const engine *g);
