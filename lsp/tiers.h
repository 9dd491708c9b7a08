/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which model serves which role: one table of models per daemon, shared by its connections.
 *
 * A role (what is asked) belongs to a tier (how large a model), a tier names a model, and each
 * model's file is loaded once, whoever names it and however often.  Every call that needs a model
 * asks here first; what is named and not there begins to load.
 *
 * A tier's model is, in this order: the one of tiers_use (a person at the command line), that of
 * --model, that of the tier's setting, that of the setting `model`, that of the nearest tier that
 * has a setting, and one that is on this machine and fits its memory (lsp/tiers_choose.h).
 * Thread: loop.  Nothing blocks, but for looks at small files.
 */
#include "lsp/model.h"
#include "lsp/tiers_choose.h"

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
/* Where a model that makes room, or that nobody uses for a while, leaves its last sequence, so that
 * its next load need not compute that again.  A folder of this user's alone; what dead processes
 * left there is removed.  Without it sequences are forgotten. */
void tiers_spill_to(tiers *t, const char *folder);
/* Every role is served by this name or path, whatever clients' settings say (--model). */
void tiers_fix(tiers *t, const char *name);

/* ---- for who needs a model ------------------------------------------------------------------- */

/* The model that serves `role` under these settings, asked to load when it isn't there.  Never
 * NULL; look at ->state.  READY: jobs go to ->slot.  LOADING: jobs for ->slot wait in the engine.
 * Otherwise there is no slot, and ->error (FAILED) is for people.  The pointer is good until the
 * loop's next turn: ask again, do not keep it.  A FAILED one is looked for again after some
 * seconds, when somebody asks; meanwhile the nearest tier's serves, if the settings say so. */
const model *tiers_want(tiers *t, const settings *s, model_role role);
/* The same without asking for a load, and without counting as use. */
const model *tiers_look(const tiers *t, const settings *s, model_role role);
/* The model that should serve `role`, when another does because it cannot be used; else NULL. */
const model *tiers_missed(const tiers *t, const settings *s, model_role role);

/* ---- for the daemon -------------------------------------------------------------------------- */

/* Takes the engine's events about models; true when one of the table's changed. */
bool tiers_event(tiers *t, const engine_event *ev);
/* These settings are still some connection's. */
void tiers_keep(tiers *t, const settings *s);
/* Unloads what nobody uses: after its tier's minutes, or a minute after the last connection whose
 * settings name it has gone.  Call every few seconds. */
void tiers_tick(tiers *t);

/* ---- for people ------------------------------------------------------------------------------ */

/* This tier's model is `name` (or a path) for every connection until the daemon ends; "": as the
 * settings say again.  ERR_NOT_FOUND: there is no such model. */
status tiers_use(tiers *t, model_tier tier, const char *name, err *e) MUST_USE;
/* The model of a tier, asked to load. */
const model *tiers_load(tiers *t, const settings *s, model_tier tier);
/* The model of a tier goes out of memory, or its load is given up.  False: it wasn't there. */
bool tiers_unload(tiers *t, const settings *s, model_tier tier);
/* Somebody gives up the load with this number.  Its model is FAILED, and is not loaded again before
 * some minutes have gone or somebody asks for it by hand (tiers_load).  False: it is over. */
bool tiers_cancel(tiers *t, uint64_t load);
/* The model of a tier, whatever its state; of no state at all: nobody asked for it yet. */
const model *tiers_of_tier(const tiers *t, const settings *s, model_tier tier);
/* Looks what is on this machine, if no model was asked for yet; tiers_name knows it then. */
void tiers_look_around(tiers *t, const settings *s);
/* The name of a tier's model as tiers_want would take it, and (may be NULL) why, one sentence. */
const char *tiers_name(const tiers *t, const settings *s, model_tier tier, const char **why);
size_t tiers_count(const tiers *t);
const model *tiers_at(const tiers *t, size_t index);
