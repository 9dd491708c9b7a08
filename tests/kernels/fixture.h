/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Random tensors and small random models for the kernel tests. */
#include "engine/base/arena.h"
#include "kernels/kernels.h"

typedef struct {
    uint64_t state;
} rng;

uint32_t rng_next(rng *r);
float rng_float(rng *r);          /* about normal, deviation 1 */
int rng_below(rng *r, int bound); /* 0..bound-1 */

/* All block types. */
extern const k_type all_types[];
extern const int n_all_types;

/* All instruction sets, as INLINED_CPU names them, best first. */
extern const char *const isa_names[];
extern const int n_isa_names;

/* Random blocks with scales so small that values are about `size`. */
k_tensor tensor_random(arena *a, rng *r, k_type type, int64_t rows, int64_t cols, float size);
/* Random blocks with scales of 1: all values are whole numbers (of at most 4,096). */
k_tensor tensor_whole(arena *a, rng *r, k_type type, int64_t rows, int64_t cols);
/* f32 [1, cols]: base + size * normal. */
k_tensor vector_random(arena *a, rng *r, int64_t cols, float base, float size);

/* What a random model looks like. */
typedef struct {
    k_type type, head_type;
    int dim, ffn, heads, heads_kv, head_dim, layers, vocab;
    k_norm_kind norm;
    k_rope_kind rope;
    int n_rot;
    k_act act;
    bool bias, no_gate, qk_norm, post_norm, tied;
    float attn_softcap, final_softcap;
    int window;        /* on odd layers */
    int experts, used; /* a mixture beside every FFN; 0: none */
    int latent;        /* latent attention over so many dimensions, n_rot more; 0: none.  head_dim
                          then is a head's query and its value */
} shape;

k_plan plan_random(arena *a, rng *r, const shape *s);
