/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which model completes, and how far it has come.  One per daemon, shared by the connections. */
#include "engine/engine.h"
#include "lsp/settings.h"

typedef enum { MODEL_NONE, MODEL_LOADING, MODEL_READY, MODEL_FAILED } model_state;

typedef struct {
    model_state state;
    char wanted[SETTINGS_NAME_BYTES]; /* what was asked for: a name, a path or "" */
    char name[128];                   /* shown to people */
    int percent;                      /* LOADING: 0..100 */
    char what[48];                    /* LOADING: "mapping", ... */
    engine_model_info info;           /* READY */
    err error;                        /* FAILED: why, and what to do */
    double failed_ms;                 /* FAILED: when, to try again after a while */
    uint64_t generation;              /* grows with each model that became ready */
} model;

#define MODEL_SLOT 0 /* the engine's slot of the completion model */

/* Sees to it that the settings' model is loaded or loading: finds its file and starts the engine's
 * load unless that has happened.  True when the state changed.  Without a file the state is FAILED,
 * and asking again after some seconds looks again (it may have been fetched). */
bool model_want(model *m, engine *g, const settings *s);
/* Takes the engine's load events; true when the state changed. */
bool model_event(model *m, const engine_event *ev);
