/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which models serve the tiers when nobody has named any.  Pure, but for tiers_survey. */
#include "engine/base/str.h"
#include "lsp/settings.h"

typedef struct {
    const char *name;
    const char *quantisation;
    uint64_t memory; /* weights, KV cache and workspace at the default context; 0: unknown */
    bool completes;  /* it can fill in the middle */
    bool answers;    /* it was trained to follow instructions */
} tier_candidate;

typedef struct {
    uint64_t host;   /* bytes that models may take of the main memory */
    uint64_t device; /* of the GPU's; 0: there is none */
} tier_memory;

typedef struct {
    const tier_candidate *at; /* NULL: the default model */
    char why[160];            /* one sentence for people */
} tier_choice;

/* Chooses among models that are on this machine.  Small: the largest that completes and is quick
 * enough; medium and large: the largest that answer and fit beside the small one.  A tier for which
 * there is nothing shares the choice of the smaller one. */
void tiers_choose(const tier_candidate *c, size_t n, const tier_memory *have, const settings *s,
                  tier_choice out[static TIER_COUNT]);

typedef struct {
    char name[TIER_COUNT][128]; /* "": the default model */
    char why[TIER_COUNT][160];
} tier_survey;
/* The same among the models that are on this machine: looks at the list and at files' sizes. */
void tiers_survey(const settings *s, const tier_memory *have, tier_survey *out);

/* The model that settings mean for a tier, and why: its own, `model`, the nearest tier's, the
 * chosen one. */
const char *model_tier_wish(const settings *s, const tier_survey *chosen, model_tier tier,
                            const char **why);
/* The n-th nearest tier to `tier`, itself first, smaller ones before larger ones. */
model_tier model_tier_nearest(model_tier tier, int n);

const char *model_tier_name(model_tier t); /* "small", ... */
const char *model_role_name(model_role r); /* "completion", ... */
/* False: there is no such tier. */
bool model_tier_parse(str name, model_tier *out);
