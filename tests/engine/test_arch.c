/* SPDX-License-Identifier: Apache-2.0 */
/* Architectures and plans: what a good file gives, and one sentence for each thing that can be
 * wrong. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/arch.h"
#include "engine/base/mem.h"
#include "engine/plan.h"
#include "tests/engine/tiny_model.h"

typedef struct {
    char *bytes;
    gguf *g;
    arch arch;
    plan plan;
    err e;
} fixture;

/* Reads parameters and binds tensors; what failed first decides. */
static status open_model(fixture *f, const tiny_options *opt) {
    size_t n;
    *f = (fixture){0};
    f->bytes = tiny_model_make(opt, &n);
    status s = gguf_parse(&f->g, f->bytes, n, "tiny.gguf", &f->e);
    assert_int_equal(s, OK);
    s = arch_read(&f->arch, f->g, &f->e);
    if (s == OK) s = plan_build(&f->plan, &f->arch, f->g, 256, &f->e);
    return s;
}

static void close_model(fixture *f) {
    plan_deinit(&f->plan);
    gguf_close(f->g);
    xfree(f->bytes);
}

static void a_plan_is_complete(void **state) {
    UNUSED(state);
    fixture f;
    assert_int_equal(open_model(&f, &(tiny_options){.layers = 3}), OK);
    const k_plan *p = &f.plan.plan;
    static const k_op_kind layer[] = {OP_QKV, OP_ATTEND, OP_ATTN_OUT, OP_GATE_UP, OP_FFN_DOWN};
    assert_int_equal(p->n_ops, 2 + 3 * 5);
    assert_int_equal(p->ops[0].kind, OP_EMBED);
    assert_int_equal(p->ops[p->n_ops - 1].kind, OP_HEAD);
    assert_ptr_equal(p->ops[p->n_ops - 1].w[0].data, p->ops[0].w[0].data); /* tied */
    for (int i = 0; i < 15; i++) {
        assert_int_equal(p->ops[1 + i].kind, layer[i % 5]);
        if (i % 5 < 2) assert_int_equal(p->ops[1 + i].kv_layer, i / 5);
    }
    assert_int_equal(p->dim, 32);
    assert_int_equal(p->n_kv_layers, 3);
    assert_true(fabsf(p->ops[2].scale - 1.0f / sqrtf(8.0f)) < 1e-6f);
    const k_rope *r = &p->ops[1].rope;
    assert_int_equal(r->kind, ROPE_NORM);
    assert_int_equal(r->n_rot, 8);
    for (int i = 0; i < 4; i++)
        assert_true(fabs((double)r->inv_freq[i] - pow(10000.0, -2.0 * i / 8)) < 1e-7);
    close_model(&f);
}

static void rows_differ_as_they_should(void **state) {
    UNUSED(state);
    fixture f;
    assert_int_equal(open_model(&f, &(tiny_options){.arch = "qwen2"}), OK);
    assert_int_equal(f.plan.plan.ops[1].rope.kind, ROPE_NEOX);
    assert_int_equal(f.plan.plan.ops[1].bias[2].cols, 16);
    close_model(&f);
    assert_int_equal(open_model(&f, &(tiny_options){.arch = "gemma3", .layers = 6}), OK);
    const k_op *ops = f.plan.plan.ops;
    assert_true(fabsf(ops[0].scale - sqrtf(32.0f)) < 1e-5f);
    assert_int_equal(ops[2].window, 16);        /* layers 0 to 4 are local */
    assert_int_equal(ops[2 + 5 * 5].window, 0); /* layer 5 is not */
    assert_int_equal(ops[1].q_norm.weight.cols, 8);
    assert_int_equal(ops[3].norm.weight.cols, 32);
    close_model(&f);
    assert_int_equal(open_model(&f, &(tiny_options){.arch = "phi3"}), OK);
    ops = f.plan.plan.ops;
    assert_int_equal(ops[1].w[0].rows, 32);
    assert_int_equal(ops[1].w[2].rows, 16);
    assert_ptr_equal(ops[1].w[2].data, (const float *)ops[1].w[0].data + 48 * 32);
    assert_ptr_equal(ops[4].w[1].data, (const float *)ops[4].w[0].data + 64 * 32);
    close_model(&f);
    assert_int_equal(open_model(&f, &(tiny_options){.arch = "starcoder2"}), OK);
    ops = f.plan.plan.ops;
    assert_int_equal(ops[1].norm.kind, NORM_LAYER);
    assert_int_equal(ops[4].w[0].rows, 0); /* no gate */
    assert_int_equal(ops[5].bias[0].cols, 32);
    close_model(&f);
}

static void a_mixture_with_latent_attention(void **state) {
    UNUSED(state);
    static const k_op_kind kinds[] = {
        OP_EMBED,
        OP_LATENT, OP_ATTEND, OP_VALUES, OP_ATTN_OUT, OP_GATE_UP, OP_FFN_DOWN,
        OP_LATENT, OP_ATTEND, OP_VALUES, OP_ATTN_OUT, OP_GATE_UP, OP_ROUTE, OP_EXPERTS, OP_FFN_DOWN,
        OP_HEAD,
    };
    fixture f;
    assert_int_equal(open_model(&f, &(tiny_options){.arch = "deepseek2"}), OK);
    const k_plan *p = &f.plan.plan;
    assert_int_equal(p->n_ops, COUNTOF(kinds));
    for (size_t i = 0; i < COUNTOF(kinds); i++)
        assert_int_equal(p->ops[i].kind, kinds[i]);
    assert_int_equal(p->n_head_kv, 1); /* one vector for all heads */
    assert_int_equal(p->head_dim, 16 + 8);
    assert_true(fabsf(p->ops[2].scale - 0.25f) < 1e-6f); /* 16 dimensions before compression */
    /* attn_kv_b holds keys [8, 16] and values [16, 16] per head; keys are used turned over. */
    const float *both = gguf_tensor_find(f.g, "blk.0.attn_kv_b.weight")->data;
    const float *keys = p->ops[1].w[2].data, *values = p->ops[3].w[0].data;
    assert_int_equal(p->ops[1].w[2].rows, 4 * 16);
    assert_int_equal(p->ops[3].w[0].rows, 4 * 16);
    for (int h = 0; h < 4; h++)
        for (int r = 0; r < 8; r++)
            for (int c = 0; c < 16; c++) {
                assert_true(keys[(h * 16 + c) * 8 + r] == both[(h * 24 + r) * 16 + c]);
                assert_true(values[(h * 16 + r) * 16 + c] == both[(h * 24 + 8 + r) * 16 + c]);
            }
    assert_int_equal(p->ops[13].w[2].rows, 4 * 32);
    assert_false(p->ops[12].shares);
    close_model(&f);
    assert_int_equal(open_model(&f, &(tiny_options){.arch = "qwen3moe"}), OK);
    assert_true(f.plan.plan.ops[4].kind == OP_ROUTE && f.plan.plan.ops[4].shares);
    close_model(&f);
}

static void bad_files_end_in_a_sentence(void **state) {
    UNUSED(state);
    static const struct {
        tiny_options opt;
        status want;
        const char *says;
    } cases[] = {
        {{.arch = "rwkv"}, ERR_UNSUPPORTED, "\"rwkv\""},
        {{.arch = "rwkv"}, ERR_UNSUPPORTED, "the nearest that works is llama ("},
        {{.arch = "qwen2moe"}, ERR_UNSUPPORTED, "is qwen2 ("},
        {{.arch = "qwen3next"}, ERR_UNSUPPORTED, "is qwen3 ("},
        {{.arch = "gemma3n"}, ERR_UNSUPPORTED, "is gemma3 ("},
        {{.arch = "mllama"}, ERR_UNSUPPORTED, "is llama ("},
        {{.arch = "stablelm3"}, ERR_UNSUPPORTED, "starcoder2)"},
        {{.without = "general.architecture"}, ERR_FORMAT, "general.architecture"},
        {{.without = "embedding_length"}, ERR_FORMAT, "llama.embedding_length"},
        {{.without = "context_length"}, ERR_FORMAT, "llama.context_length"},
        {{.odd_key = "block_count", .odd_value = 0}, ERR_FORMAT, "llama.block_count is 0"},
        {{.odd_key = "block_count", .odd_value = 4000000000u}, ERR_FORMAT, "4000000000"},
        {{.odd_key = "block_count", .odd_value = 3}, ERR_FORMAT, "blk.2."},
        {{.odd_key = "embedding_length", .odd_value = 64}, ERR_FORMAT, "[64, "},
        {{.odd_key = "embedding_length", .odd_value = 1u << 31}, ERR_FORMAT, "embedding_length"},
        {{.odd_key = "attention.head_count", .odd_value = 0}, ERR_FORMAT, "head_count"},
        {{.odd_key = "attention.head_count_kv", .odd_value = 3}, ERR_FORMAT, "cannot share"},
        {{.odd_key = "attention.head_count_kv", .odd_value = 0}, ERR_FORMAT, "head_count_kv"},
        {{.odd_key = "attention.key_length", .odd_value = 7}, ERR_UNSUPPORTED, "7 key"},
        {{.odd_key = "rope.dimension_count", .odd_value = 16}, ERR_FORMAT, "rope.dimension_count"},
        {{.odd_key = "rope.dimension_count", .odd_value = 3}, ERR_FORMAT, "odd"},
        {{.odd_key = "feed_forward_length", .odd_value = 128}, ERR_FORMAT, "ffn"},
        {{.arch = "qwen2", .odd_key = "expert_count", .odd_value = 8}, ERR_UNSUPPORTED, "experts"},
        {{.odd_key = "expert_count", .odd_value = 8}, ERR_FORMAT, "llama.expert_used_count"},
        {{.arch = "qwen3moe", .odd_key = "expert_used_count", .odd_value = 5}, ERR_FORMAT, "is 5"},
        {{.arch = "qwen3moe", .odd_key = "expert_count", .odd_value = 8}, ERR_FORMAT, "blk.0.ffn"},
        {{.arch = "qwen3moe", .without = "blk.1.ffn_up_exps.weight"}, ERR_FORMAT, "ffn_up_exps"},
        {{.arch = "deepseek2", .odd_key = "attention.q_lora_rank", .odd_value = 8},
         ERR_UNSUPPORTED,
         "use a Lite model"},
        {{.arch = "deepseek2", .odd_key = "expert_gating_func", .odd_value = 2},
         ERR_UNSUPPORTED,
         "softmax"},
        {{.arch = "deepseek2", .odd_key = "expert_group_count", .odd_value = 8},
         ERR_UNSUPPORTED,
         "groups"},
        {{.arch = "deepseek2", .odd_key = "attention.key_length", .odd_value = 8},
         ERR_FORMAT,
         "8 of them rotated"},
        {{.arch = "deepseek2", .odd_key = "attention.kv_lora_rank", .odd_value = 32},
         ERR_FORMAT,
         "attn_kv_a_mqa"},
        {{.arch = "deepseek2", .without = "blk.1.attn_kv_b.weight"}, ERR_FORMAT, "attn_kv_b"},
        {{.without = "token_embd.weight"}, ERR_FORMAT, "token_embd.weight"},
        {{.without = "output_norm.weight"}, ERR_FORMAT, "output_norm.weight"},
        {{.without = "blk.1.ffn_down.weight"}, ERR_FORMAT, "blk.1.ffn_down.weight"},
        {{.wide = "blk.0.attn_q.weight"}, ERR_FORMAT, "blk.0.attn_q.weight is [64, 32"},
        {{.wide = "blk.1.attn_norm.weight"}, ERR_FORMAT, "blk.1.attn_norm.weight"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        fixture f;
        status s = open_model(&f, &cases[i].opt);
        if (s != cases[i].want || !strstr(f.e.text, cases[i].says))
            fail_msg("case %zu: status %s, \"%s\" does not say \"%s\"", i, status_name(s), f.e.text,
                     cases[i].says);
        close_model(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_is_complete),
        cmocka_unit_test(rows_differ_as_they_should),
        cmocka_unit_test(a_mixture_with_latent_attention),
        cmocka_unit_test(bad_files_end_in_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
