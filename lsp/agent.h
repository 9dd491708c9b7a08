/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A piece of work by a model that may call tools: it answers, or it calls one and is told the
 * result, round by round, until it answers.
 *
 *     agent_start -> job -> EV_DONE -> call? -> hooks.call -> agent_tell -> job -> ... -> done
 *
 * Calls are written under a grammar that is made from the tools' schemas, so that a call names a
 * tool that exists and its arguments fit.  Above AGENT_TOOLS tools the model sees three instead: to
 * search them, to look at one, and to call one that it has looked at.  What tools say is data, and
 * the model is told so; whether a call is allowed is for whoever carries it out.  Rounds, tokens,
 * results and time are bounded; the conversation's tokens are kept, so that each round begins where
 * the last one's keys and values end.
 *
 * Who drains the engine hands each event to agents_event().  Thread: loop.  Nothing blocks.
 */
#include <cjson/cJSON.h>

#include "engine/engine.h"
#include "engine/grammar.h"

#define AGENT_TOOLS 12 /* more are offered by search, see agent_tool */

typedef struct agents agents; /* the running ones of one engine */
typedef struct agent agent;

agents *agents_new(engine *g); /* the engine is borrowed */
/* Ends what still runs without calling `done`; accepts NULL. */
void agents_free(agents *as);
/* True when the event belonged to one of them. */
bool agents_event(agents *as, const engine_event *ev);
/* Ends with ERR_LIMIT those whose time is over; call every second or so. */
void agents_tick(agents *as, double now_ms);

typedef struct {
    const char *name, *description;
    const cJSON *schema; /* of its arguments; NULL: none */
    bool spare; /* left out where the others are not too many, so that these need no search */
} agent_tool;

typedef struct {
    const char *role; /* "system", "user", "assistant" */
    str text;
} agent_message;

/* Borrowed during agent_start, which copies. */
typedef struct {
    const agent_message *messages;
    size_t n_messages;
    const agent_tool *tools;
    size_t n_tools;
    const cJSON *schema; /* the answer is JSON that fits; then there are no tools; NULL: text */
    const engine_model_info *model; /* that is loaded in `slot` */
    int slot;
    uint64_t client;
    job_priority priority;
    sampling sampling;
    int tokens_max;          /* of the answer */
    int rounds_max;          /* calls of tools; 0: LIMIT_AGENT_ROUNDS */
    int time_ms;             /* in all; 0: LIMIT_AGENT_MS */
    const str *stop_strings; /* of the answer; copied */
    size_t n_stop_strings;
} agent_order;

typedef struct {
    uint64_t id;      /* for agent_tell; grows */
    const char *tool; /* one of the order's */
    const cJSON *arguments;
    size_t result_bytes; /* of its text that the model is told: what is longer loses its middle */
} agent_call;

/* Valid during done(). */
typedef struct {
    status status;
    err error;            /* when status != OK: one sentence */
    str text;             /* the answer, trimmed, without thoughts and calls */
    cJSON *json;          /* the answer as a value when the order had a schema; else NULL */
    bool cut;             /* it ended for a limit; `json` is then what is whole of it */
    finish_reason finish; /* of the last round */
    int rounds, calls, prompt_tokens, reused_tokens, tokens; /* tokens: generated, of all rounds */
    double prefill_ms, decode_ms;
} agent_result;

typedef struct {
    void *ud;
    /* The answer as it grows; pieces before a call are part of it.  May be NULL. */
    void (*text)(void *ud, str piece);
    /* Tokens generated so far and how many a second; may be NULL. */
    void (*progress)(void *ud, int tokens, double per_second);
    /* Carry out this call, then agent_tell, later or at once.  NULL only without tools. */
    void (*call)(void *ud, agent *a, const agent_call *c);
    /* Exactly once unless it is cancelled; the agent is dead after it. */
    void (*done)(void *ud, const agent_result *r);
} agent_hooks;

/* ERR_UNSUPPORTED: the model has no chat template.  ERR_LIMIT: the engine's queue is full, or the
 * schemas are too large.  After an error nothing was started. */
status agent_start(agent **out, agents *as, const agent_order *order, const agent_hooks *hooks,
                   err *e) MUST_USE;
/* What came of the call: its text, or (ok false) the sentence that says why there is none.  Unknown
 * ids are ignored. */
void agent_tell(agent *a, uint64_t call, bool ok, str text);
/* `done` is not called; the pointer is dead after this. */
void agent_cancel(agent *a);
