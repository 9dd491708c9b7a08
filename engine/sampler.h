/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Choosing the next token.  Pure and seeded: the same logits and seed give the same token.
 * Thread: engine. */
#include "engine/engine.h"

typedef struct {
    int32_t id;
    float logit;
} candidate;

typedef struct {
    sampling opt;
    uint64_t rng[4];
} sampler;

#define SAMPLER_RECENT 64 /* tokens that the repetition penalty looks back at */

void sampler_init(sampler *s, const sampling *opt);
/* True when the choice is simply the most likely token: then nobody needs candidates. */
bool sampler_is_greedy(const sampler *s);
/* Picks one of the n > 0 candidates, which are reordered and whose logits are penalised.  `recent`:
 * the last tokens before this one, any order.  *logprob: the chosen one's, at temperature 1, among
 * these candidates as they were given. */
int32_t sampler_choose(sampler *s, candidate *c, int n, const int32_t *recent, int n_recent,
                       float *logprob);
/* [0, 1) with 24 random bits. */
float sampler_random(sampler *s);
