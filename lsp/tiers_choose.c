/* SPDX-License-Identifier: Apache-2.0 */
/* The choice by memory.  What a tier may take, in parts of what there is:
 *
 *              GPU              CPU alone, where memory is not what runs out first, but patience
 *     small    a quarter        0.6 GB   135M to 0.5B parameters: some 50 ms a line on two cores
 *     medium   a half           2.5 GB   to 3B
 *     large    what is left     6 GB     to 8B; never more than half of the memory
 *
 * Beside means together: large is what fits while small stays.  Medium may have to go for it; the
 * table of models sees to that.  Pure, but for tiers_survey; thread: any. */
#include "lsp/tiers_choose.h"

#include "engine/base/mem.h"
#include "engine/registry.h"

#define MB ((uint64_t)1 << 20)

static const char *const tier_names[] = {"small", "medium", "large"};
static const char *const role_names[] = {"completion", "actions", "review", "explain"};

const char *model_tier_name(model_tier t) {
    return tier_names[t];
}

const char *model_role_name(model_role r) {
    return role_names[r];
}

bool model_tier_parse(str name, model_tier *out) {
    for (model_tier t = 0; t < TIER_COUNT; t++) {
        if (!str_eq(name, str_of(tier_names[t]))) continue;
        *out = t;
        return true;
    }
    return false;
}

static uint64_t room(model_tier t, const tier_memory *have, uint64_t small) {
    static const uint64_t parts[] = {4, 2, 1}, patience[] = {600 * MB, 2500 * MB, 6000 * MB};
    uint64_t left = have->device ? have->device / parts[t] : have->host / 2;
    if (t > TIER_SMALL) left = left > small ? left - small : 0;
    return have->device ? left : MIN(left, patience[t]);
}

/* The largest that fits; of two of the same size the first. */
static const tier_candidate *largest(const tier_candidate *c, size_t n, model_tier t, uint64_t most,
                                     const settings *s) {
    const tier_candidate *best = NULL;
    const char *quantisation = s->tiers[t].quantisation;
    for (size_t i = 0; i < n; i++) {
        if (!(t == TIER_SMALL ? c[i].completes : c[i].answers)) continue;
        if (quantisation[0] && strcmp(quantisation, c[i].quantisation) != 0) continue;
        if (!c[i].memory || c[i].memory > most) continue;
        if (!best || c[i].memory > best->memory) best = &c[i];
    }
    return best;
}

void tiers_choose(const tier_candidate *c, size_t n, const tier_memory *have, const settings *s,
                  tier_choice out[static TIER_COUNT]) {
    uint64_t small = 0;
    for (model_tier t = 0; t < TIER_COUNT; t++) {
        uint64_t most = room(t, have, small);
        tier_choice *o = &out[t];
        o->at = largest(c, n, t, most, s);
        bool lower = o->at && t > TIER_SMALL && out[t - 1].at && t > TIER_MEDIUM &&
                     out[t - 1].at->memory >= o->at->memory;
        if (lower) o->at = NULL; /* the smaller tier's is no smaller */
        if (o->at)
            snprintf(o->why, sizeof o->why, "the largest here that %s within %llu MB of %s memory",
                     t == TIER_SMALL ? "completes" : "answers", (unsigned long long)(most / MB),
                     have->device ? "GPU" : "main");
        else if (t == TIER_SMALL)
            snprintf(o->why, sizeof o->why, "the default: nothing larger here fits into %llu MB",
                     (unsigned long long)(most / MB));
        else
            snprintf(o->why, sizeof o->why,
                     "shared with the %s tier: nothing larger here answers within %llu MB",
                     tier_names[t - 1], (unsigned long long)(most / MB));
        if (!o->at && t > TIER_SMALL) o->at = out[t - 1].at;
        if (t == TIER_SMALL && o->at) small = o->at->memory;
    }
}

/* The list does not say which models were trained to answer; their names do, or that they were not
 * made for completion. */
static bool seems_to_answer(const model_entry *m) {
    return !strcmp(m->fim, "none") || str_find(str_of(m->name), STR("instruct")) >= 0;
}

void tiers_survey(const settings *s, const tier_memory *have, tier_survey *out) {
    *out = (tier_survey){0};
    registry *r = NULL;
    err e;
    size_t n = registry_open(&r, &e) == OK ? registry_count(r) : 0, found = 0;
    tier_candidate *c = xcalloc(MAX(n, 1), sizeof *c);
    for (size_t i = 0; i < n; i++) {
        const model_entry *m = registry_at(r, i);
        if (registry_presence(m, NULL) != MODEL_PRESENT) continue;
        c[found++] = (tier_candidate){.name = m->name,
                                      .quantisation = m->quant,
                                      .memory = m->memory_bytes,
                                      .completes = strcmp(m->fim, "none") != 0,
                                      .answers = seems_to_answer(m)};
    }
    tier_choice choice[TIER_COUNT];
    tiers_choose(c, found, have, s, choice);
    for (model_tier t = 0; t < TIER_COUNT; t++) {
        if (choice[t].at) snprintf(out->name[t], sizeof out->name[t], "%s", choice[t].at->name);
        memcpy(out->why[t], choice[t].why, sizeof out->why[t]);
    }
    xfree(c);
    registry_close(r);
}

model_tier model_tier_nearest(model_tier tier, int n) {
    int below = (int)tier;
    return n <= below ? (model_tier)(below - n) : (model_tier)n;
}

const char *model_tier_wish(const settings *s, const tier_survey *chosen, model_tier tier,
                            const char **why) {
    *why = "the settings name it";
    if (s->tiers[tier].model[0]) return s->tiers[tier].model;
    if (s->model[0]) return s->model;
    *why = "the settings name it for another tier";
    for (int i = 1; i < TIER_COUNT; i++) {
        const char *name = s->tiers[model_tier_nearest(tier, i)].model;
        if (name[0]) return name;
    }
    *why = chosen->why[tier];
    return chosen->name[tier];
}
