/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One model of the daemon's table (lsp/tiers.h), and how far it has come. */
#include "engine/engine.h"
#include "lsp/settings.h"

typedef enum { MODEL_NONE, MODEL_LOADING, MODEL_READY, MODEL_FAILED } model_state;

#define MODEL_SPILL_BYTES 160

typedef struct {
    model_state state;
    int slot;      /* LOADING, READY: the engine's */
    uint64_t load; /* LOADING, READY: engine_load's number; 0: nothing of it is in the engine */
    char wanted[SETTINGS_NAME_BYTES]; /* what was asked for: a name, a path or "" */
    char *path;                       /* where that is; NULL: never found */
    char name[128];                   /* shown to people */
    int percent;                      /* LOADING: 0..100 */
    char what[48];                    /* LOADING: "mapping", ... */
    double started_ms;                /* LOADING: since when */
    double seconds_left;              /* LOADING: as it looks; < 0: nobody knows yet */
    engine_model_info info;           /* READY */
    err error;                        /* FAILED: why, and what to do */
    status status;                    /* FAILED */
    uint64_t missing;                 /* FAILED, ERR_LIMIT: bytes of memory; 1: nobody knows */
    double failed_ms;                 /* FAILED: when, to try again after a while */
    uint64_t generation;              /* of all loads that ended well, the number of this one */

    /* What tiers.c knows of its use. */
    model_tier tier;                 /* the smallest that named it */
    unsigned roles;                  /* bit per model_role that wanted it */
    double used_ms;                  /* when somebody wanted it last */
    double kept_ms;                  /* when some connection's settings named it last */
    double idle_ms;                  /* it goes when it was not used for so long; 0: never */
    bool untold;                     /* it failed, and hooks.changed has not been called for that */
    bool cpu;                        /* the GPU had no room for it */
    char spilled[MODEL_SPILL_BYTES]; /* file with its last sequence, for the next load; "": none */
    int context_tokens, gpu_share, device_mb, host_mb; /* as the settings said */
    k_kv_type kv_type;
} model;

/* It is FAILED from now on. */
void model_fail(model *m, status s, const err *e);
/* Takes the engine's events about its load; true when the state changed.  `generation` is the
 * number that it gets when it becomes ready. */
bool model_event(model *m, const engine_event *ev, uint64_t generation);
