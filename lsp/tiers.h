/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which model serves which role: one table of models per daemon, shared by its connections.
 *
 * A role (what is asked) belongs to a tier (how large a model), a tier names a model, and each
 * model's file is loaded once, whoever names it and however often.  Every call that needs a model
 * asks here first; what is named and not there begins to load.
 * Thread: loop.  Nothing blocks.
 */
#include "lsp/model.h"

typedef enum { TIER_SMALL, TIER_MEDIUM, TIER_LARGE, TIER_COUNT } model_tier;
typedef enum { ROLE_COMPLETION, ROLE_ACTIONS, ROLE_REVIEW, ROLE_EXPLAIN, ROLE_COUNT } model_role;

typedef struct tiers tiers;

typedef struct {
    void *ud;
    /* The model's state, progress or error is another now; may be called inside tiers_want. */
    void (*changed)(void *ud, const model *m);
} tiers_hooks;

tiers *tiers_new(engine *g, const tiers_hooks *hooks); /* the engine is borrowed */
/* Every role is served by `m`, which the caller owns and sets; *asked (may be NULL) counts the
 * calls of tiers_want.  For tests. */
tiers *tiers_lend(model *m, int *asked);
void tiers_free(tiers *t); /* accepts NULL; the engine unloads by itself */
/* Every role is served by this name or path, whatever clients' settings say (--model). */
void tiers_fix(tiers *t, const char *name);

/* The model that serves `role` under these settings, asked to load when it isn't there.  Never
 * NULL; look at ->state.  READY: jobs go to ->slot.  LOADING: jobs for ->slot wait in the engine.
 * Otherwise there is no slot, and ->error (FAILED) is for people.  The pointer is good until the
 * loop's next turn: ask again, do not keep it.  A FAILED one is looked for again after some
 * seconds, when somebody asks. */
const model *tiers_want(tiers *t, const settings *s, model_role role);
/* The same without asking for a load, and without counting as use. */
const model *tiers_look(const tiers *t, const settings *s, model_role role);

/* Takes the engine's events about models; true when one of the table's changed. */
bool tiers_event(tiers *t, const engine_event *ev);
