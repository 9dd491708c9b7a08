/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is known about an architecture, and a model's hyper-parameters, read and bounded once.
 * Thread: any. */
#include "engine/gguf.h"
#include "kernels/kernels.h"

/* One row per architecture: what its name alone decides.  Bits say how it differs from llama. */
typedef enum {
    ARCH_QK_NORM = 1 << 0,       /* per-head norm on q and k before rope                         */
    ARCH_POST_NORM = 1 << 1,     /* norms on the attention's and FFN's output too                */
    ARCH_FUSED_QKV = 1 << 2,     /* blk.N.attn_qkv: rows q, k, v                                 */
    ARCH_FUSED_GATE_UP = 1 << 3, /* blk.N.ffn_up: rows gate, up                                  */
    ARCH_NO_GATE = 1 << 4,       /* FFN without a gate                                           */
    ARCH_EMBED_SQRT = 1 << 5,    /* embeddings times sqrt(dim)                                   */
    ARCH_SCALES = 1 << 6,        /* attention.scale, residual_scale, embedding_scale, logit_scale */
    ARCH_LOCAL_ROPE = 1 << 7,    /* windowed layers turn with rope.freq_base_swa                 */
    ARCH_ROPE_SKIPS_4TH = 1 << 8, /* no rotation in every fourth layer                           */
    ARCH_EXPERTS = 1 << 9,       /* the FFN may be a mixture of experts                          */
    ARCH_EXPERT_SHARES = 1 << 10, /* weights of the chosen experts sum to 1, always           */
    ARCH_LATENT = 1 << 11,       /* attention over compressed keys and values (MLA)              */
} arch_bits;

typedef struct {
    const char *name; /* general.architecture */
    k_rope_kind rope;
    k_norm_kind norm;
    k_act act;
    int window_pattern; /* every n-th layer sees everything, the others `window`; 0: all do */
    unsigned bits;      /* arch_bits */
} arch_row;

typedef struct {
    const arch_row *row;
    char name[32];
    int layers, dim, heads, heads_kv, head_dim, ffn_dim, vocab, context_trained;
    float norm_eps;
    int rope_dims;
    double rope_base, rope_base_local;
    double rope_factor; /* linear or YaRN; 1: none */
    bool rope_yarn, rope_off;
    int rope_context_before; /* YaRN, longrope: trained before scaling; 0: unknown */
    double rope_attn_factor; /* 0: not given */
    double yarn_scale; /* latent attention: its scale grows by this times ln(factor); 0: not */
    int window;
    /* A mixture of experts from layer `dense_layers` on; experts 0: none. */
    int experts, experts_used, expert_dim, experts_shared, dense_layers;
    float expert_scale;
    bool expert_shares;
    /* Latent attention: what is cached, and a head's query without rotation and its value. */
    int latent_dim, plain_dim, value_dim;
    float attn_scale, attn_softcap, final_softcap;
    float embed_scale, residual_scale,
        logit_scale; /* 1: none; the logits are multiplied by the last */
} arch;

/* Errors: ERR_UNSUPPORTED names the architecture and those that work; ERR_FORMAT names the key. */
status arch_read(arch *out, const gguf *g, err *e) MUST_USE;
bool arch_layer_turns(const arch *a, int layer); /* q and k are rotated */
bool arch_layer_is_local(const arch *a, int layer);
bool arch_layer_is_mixture(const arch *a, int layer);
