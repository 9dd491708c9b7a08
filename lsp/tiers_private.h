/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The table behind tiers.h: tiers.c (names and states) and tiers_memory.c (slots, budgets, who goes
 * when there is no room).  Thread: loop. */
#include "engine/base/vec.h"
#include "lsp/tiers.h"

/* A name as settings write it, and the model that it turned out to be. */
typedef struct {
    char *wanted;
    model *model;
} known_name;

struct tiers {
    engine *engine;
    tiers_hooks hooks;
    VEC(model *) models;
    VEC(known_name) names;
    model *lent; /* tiers_lend */
    int *asked;
    bool fixed;
    char fixed_name[SETTINGS_NAME_BYTES];
    bool used[TIER_COUNT]; /* tiers_use */
    char used_name[TIER_COUNT][SETTINGS_NAME_BYTES];
    bool chosen; /* choice and choice_why are those of the models on this machine */
    tier_survey choice;
    char *spill_folder; /* NULL: sequences are forgotten */
    model none;         /* of a name that nobody asked for yet */
    uint64_t generation;
};

static inline bool model_has_load(const model *m) {
    return m->state == MODEL_LOADING || m->state == MODEL_READY;
}

void tiers_tell(tiers *t, const model *m);

/* ---- tiers_memory.c ---- */
/* Starts the engine's load of m->path; FAILED when there is no slot for it. */
void tiers_start_load(tiers *t, model *m, const settings *s);
/* The load failed for want of memory: makes room and starts it again, on the CPU if there is no
 * other way.  False: nothing can be done. */
bool tiers_load_again(tiers *t, model *m);
void tiers_drop_load(tiers *t, model *m);
/* The same, but its last sequence is kept for the next load. */
void tiers_put_away(tiers *t, model *m);

/* ---- tiers_spill.c ---- */
void tiers_spill(tiers *t, model *m);   /* before its load is dropped */
void tiers_unspill(tiers *t, model *m); /* it is ready again */
void tiers_forget_spill(model *m);      /* its file is of no use any more */
