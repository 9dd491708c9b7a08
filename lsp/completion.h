/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* From a cursor to a suggestion: the one path that every completion takes, whoever asks.
 *
 *     completion_start -> context_assemble -> engine_submit -> (engine thread) -> EV_DONE
 *                      -> context_finish -> done()
 *
 * Who drains the engine hands each event to completer_event(); everything else happens inside.
 * Thread: loop (the thread that started the engine).  Nothing blocks.
 */
#include "context/context.h"
#include "engine/engine.h"
#include "lsp/settings.h"

/* The running completions of one engine. */
typedef struct completer completer;
typedef struct completion completion;

completer *completer_new(engine *g); /* the engine is borrowed */
/* Forgets what still runs without calling `done`; accepts NULL. */
void completer_free(completer *c);
/* True when the event belonged to a running completion. */
bool completer_event(completer *c, const engine_event *ev);

typedef struct {
    context *context;   /* both are borrowed until done() or completion_cancel() */
    document *document; /* must not change or close before that                  */
    size_t offset;      /* the cursor in bytes, on a character boundary */
    bool invoked;       /* asked for by hand */
    int variant;        /* 0: what the model thinks best; n: the n-th other, always the same */
    int tab_size; /* what the editor says of indentation; 0: nothing */
    bool tabs;
    str forced;         /* text that must come first at the cursor (the rest of the item that is
                           selected in the editor's menu); copied; usually empty */
    int slot;           /* of the model, which must be loaded */
    uint64_t client;
    job_priority priority;
    double received_ms;       /* clock_ms() when the question arrived */
    const engine_model_info *model; /* single_line, confidence_percent; borrowed; may be NULL */
    const settings *settings; /* read during completion_start only */
} completion_request;

typedef struct {
    double queue, context, prefill, decode, post, total; /* milliseconds */
} completion_times;

/* Valid during done() only. */
typedef struct {
    bool shown;
    const char *reason; /* why nothing is shown, machine-readable and stable; "" when shown */
    const char *detail; /* a sentence for people when something failed, else "" */
    str text;           /* to insert, \n line ends; begins with `forced` */
    size_t from, to;    /* bytes that it replaces, on the cursor's line, from <= offset <= to */
    str raw;            /* what the model wrote; begins with `forced` */
    size_t offset;
    int64_t version;              /* of the document */
    const context_prompt *prompt; /* what was assembled; never NULL */
    const engine_result *engine;  /* NULL: the model was not asked; counts and tokens are here */
    completion_times ms;
} completion_result;

typedef void (*completion_done)(void *ud, const completion_result *r);

/* What a completion with these settings asks of the context, without place and occasion; `model`
 * may be NULL. */
void completion_question(const settings *st, const engine_model_info *model, context_request *out);
/* Calls `done` exactly once, unless it is cancelled first.  When the model need not be asked (or
 * cannot be) that happens before this returns, and it returns NULL. */
completion *completion_start(completer *c, const completion_request *rq, completion_done done,
                             void *ud);
/* Stops the engine's work and forgets it; `done` is not called.  The pointer is dead after this, as
 * it is after done(). */
void completion_cancel(completion *run);
/* Somebody else is called when it is done. */
void completion_redirect(completion *run, completion_done done, void *ud);
