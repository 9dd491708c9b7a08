/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Plans with random weights, for comparing backends and for timing: the shapes of a model without
 * its file.  Weights are random blocks of the wanted type with scales that give a standard
 * deviation of about 0.02 (as trained weights have), so activations stay in range through any
 * depth. */
#include "kernels/kernels.h"

typedef struct {
    int layers, dim, heads, kv_heads, head_dim, ff, vocab;
    k_type low, high; /* most matrices; attn_v, ffn_down and the head where they are finer */
    bool mixed;       /* every third layer (and the ends) takes `high`, as Q4_K_M files do */
    bool bias, qk_norm, post_norm, no_gate, layer_norm, untied, out_bias;
    k_rope_kind rope;
    int n_rot, window;
    float attn_cap, final_cap;
    k_act act;
    uint64_t seed;
} plan_shape;

/* Everything in one owned block; free with random_plan_free. */
typedef struct random_plan random_plan;
random_plan *random_plan_new(const plan_shape *s);
void random_plan_free(random_plan *p);
const k_plan *random_plan_get(const random_plan *p);
uint64_t random_plan_weight_bytes(const random_plan *p); /* read once per decoded token */

/* xorshift64*, for tests: same numbers everywhere. */
uint64_t random_next(uint64_t *state);
