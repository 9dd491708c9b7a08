#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the small models of test_archs.py: `transformers` configurations with random weights, run
by `transformers`, and written as GGUF.

    archs_made.py FOLDER [card]

For each case FOLDER gets CASE.gguf (F32 matrices), CASE-q8.gguf (the same in Q8_0) and CASE.logits
(f32 [positions][vocab] for the prompts of prompts(), from torch in f32 on the CPU).  With `card`
they have heads of 32 instead of 24, as the CUDA kernels want them, the cases that a card refuses
are left out, and there are also CASE-f16.gguf and CASE-f16.logits, of the matrices rounded to F16
(test_archs_card.py).  Needs torch, transformers and gguf; the test does not,
once the folder is there.

The conversion is written from the GGUF documentation and from transformers' own names: where
transformers keeps a weight in another form (rows of q and k ordered for halves instead of pairs,
norm weights without their 1, matrices fused), it is brought into GGUF's.
"""
import json
import os
import sys

VOCAB, LAYERS, DIM, FFN = 320, 7, 96, 160
HEADS, KV_HEADS, HEAD_DIM = 6, 2, 24
HERE = os.path.dirname(os.path.abspath(__file__))
PROMPTS, POSITIONS = 8, 128

ROPE = {"rope_type": "default", "rope_theta": 10000.0}
GELU = {"hidden_activation": "gelu_pytorch_tanh", "hidden_act": "gelu_pytorch_tanh"}
EXPERT = {"moe_intermediate_size": 32, "num_experts_per_tok": 3}
# llama.cpp takes a model without q_lora_rank for one only with the Lite models' number of layers.
LATENT = {"num_key_value_heads": HEADS, "kv_lora_rank": 32, "q_lora_rank": None,
          "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16, "n_shared_experts": 2,
          "n_routed_experts": 8, "first_k_dense_replace": 1, "topk_method": "greedy",
          "routed_scaling_factor": 1.0, "rms_norm_eps": 1e-6, "num_hidden_layers": 27, **EXPERT}
LONG = [1.0 + 0.25 * i for i in range(12)]
SHORT = [1.0 + 0.03 * i for i in range(12)]
WINDOW = {"sliding_window": 48, "query_pre_attn_scalar": HEAD_DIM}

# case: (architecture in GGUF, configuration class, what differs from the common settings)
CASES = {
    "llama": ("llama", "LlamaConfig", {}),
    "llama-3": ("llama", "LlamaConfig", {"tie_word_embeddings": False, "rope_parameters": {
        "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 64}}),
    "llama-linear": ("llama", "LlamaConfig", {"attention_bias": True, "rope_parameters": {
        "rope_type": "linear", "rope_theta": 1e5, "factor": 4.0}}),
    "mixtral": ("llama", "MixtralConfig", {"num_local_experts": 8, "num_experts_per_tok": 2,
                                           "sliding_window": None}),
    "qwen2": ("qwen2", "Qwen2Config", {}),
    "qwen2-yarn": ("qwen2", "Qwen2Config", {"rope_parameters": {
        "rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0,
        "original_max_position_embeddings": 64}}),
    "qwen3": ("qwen3", "Qwen3Config", {"tie_word_embeddings": False}),
    "qwen3moe": ("qwen3moe", "Qwen3MoeConfig", {"num_experts": 8, "norm_topk_prob": True,
                                                **EXPERT}),
    "gemma": ("gemma", "GemmaConfig", GELU),
    "gemma2": ("gemma2", "Gemma2Config", {"attn_logit_softcapping": 2.0,
                                          "final_logit_softcapping": 5.0, **GELU, **WINDOW}),
    "gemma3": ("gemma3", "Gemma3TextConfig", {**GELU, **WINDOW, "rope_parameters": {
        "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0},
        "sliding_attention": ROPE}}),
    "granite": ("granite", "GraniteConfig", {
        "embedding_multiplier": 6.0, "residual_multiplier": 0.5, "attention_multiplier": 0.25,
        "logits_scaling": 3.0}),
    "phi3": ("phi3", "Phi3Config", {"sliding_window": None}),
    "phi3-short": ("phi3", "Phi3Config", {
        "sliding_window": None, "max_position_embeddings": 32768,
        "original_max_position_embeddings": 8192, "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 10000.0, "partial_rotary_factor": 0.75,
            "original_max_position_embeddings": 8192,
            "short_factor": SHORT[:6], "long_factor": LONG[:6]}}),
    "phi3-long": ("phi3", "Phi3Config", {
        "sliding_window": None, "max_position_embeddings": 256,
        "original_max_position_embeddings": 64, "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 10000.0,
            "original_max_position_embeddings": 64,
            "short_factor": SHORT[:8], "long_factor": LONG[:8]}}),
    "smollm3": ("smollm3", "SmolLM3Config", {"no_rope_layer_interval": 4}),
    "starcoder2": ("starcoder2", "Starcoder2Config", {
        "norm_epsilon": 1e-5, "use_bias": True, "hidden_act": "gelu_pytorch_tanh",
        "sliding_window": None}),
    "deepseek2": ("deepseek2", "DeepseekV2Config", {"tie_word_embeddings": False, **LATENT,
        "rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 40.0,
                            "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 0.707,
                            "mscale_all_dim": 0.707, "original_max_position_embeddings": 64}}),
    "deepseek2-old": ("deepseek2", "DeepseekV2Config", LATENT),
}
# What a card leaves to the CPU, and cases whose factors are for heads of another size.
NOT_FOR_CARDS = ("mixtral", "qwen3moe", "phi3-short", "phi3-long", "deepseek2", "deepseek2-old")
PAIRED = ("granite", "llama", "smollm3")  # rotate neighbours; transformers rotates halves
STEMS = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.qkv_proj": "attn_qkv", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa", "self_attn.kv_a_layernorm": "attn_kv_a_norm",
    "self_attn.kv_b_proj": "attn_kv_b", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "mlp.gate_up_proj": "ffn_up", "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down", "mlp.gate": "ffn_gate_inp",
    "mlp.shared_experts.gate_proj": "ffn_gate_shexp",
    "mlp.shared_experts.up_proj": "ffn_up_shexp",
    "mlp.shared_experts.down_proj": "ffn_down_shexp",
}
GEMMA_STEMS = {"post_attention_layernorm": "post_attention_norm",
               "pre_feedforward_layernorm": "ffn_norm",
               "post_feedforward_layernorm": "post_ffw_norm"}
TOPS = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def for_card():
    """Makes this module's models those of a card, before anything else is asked of it."""
    global DIM, HEADS, HEAD_DIM
    DIM, HEADS, HEAD_DIM = 128, 4, 32
    WINDOW["query_pre_attn_scalar"] = HEAD_DIM
    for case in ("gemma2", "gemma3"):
        CASES[case][2].update(WINDOW)
    for case in NOT_FOR_CARDS:
        del CASES[case]


def prompts():
    """Code as bytes: token ids below 256."""
    with open(os.path.join(HERE, "data", "code.json"), encoding="utf-8") as f:
        text = "".join(piece["text"] for piece in json.load(f)).encode()
    return [list(text[i * POSITIONS:(i + 1) * POSITIONS]) for i in range(PROMPTS)]


# ---- the models ---------------------------------------------------------------------------------

def make_model(case, seed):
    import torch
    import transformers
    arch, kind, extra = CASES[case]
    settings = {"vocab_size": VOCAB, "hidden_size": DIM, "intermediate_size": FFN,
                "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
                "num_key_value_heads": KV_HEADS, "rms_norm_eps": 1e-5, "pad_token_id": 0,
                "max_position_embeddings": 4096, "tie_word_embeddings": True,
                "rope_parameters": ROPE}
    if arch in ("gemma", "gemma2", "gemma3", "llama", "qwen3", "qwen3moe"):
        settings["head_dim"] = HEAD_DIM
    settings.update(extra)
    config = getattr(transformers, kind)(**settings)
    model = transformers.AutoModelForCausalLM.from_config(
        config, dtype=torch.float32, attn_implementation="eager").eval()
    rng = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=rng)
        with torch.no_grad():
            if "norm" in name and name.endswith("weight"):
                p.copy_(0.1 * noise + (0 if arch.startswith("gemma") else 1))
            elif name.endswith("bias"):
                p.copy_(0.2 * noise)
            else:
                p.copy_(noise * (0.3 if "embed" in name else p.shape[-1] ** -0.5))
    return model


def round_matrices(model):
    import torch
    for p in model.parameters():
        if p.ndim > 1:
            with torch.no_grad():
                p.copy_(p.half())


def run_model(model):
    import torch
    with torch.no_grad():
        return model(torch.tensor(prompts())).logits.reshape(-1, VOCAB).numpy()


# ---- GGUF ---------------------------------------------------------------------------------------

def halves_to_pairs(w, heads):
    return w.reshape(heads, 2, -1, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def tensors_of(case, model):
    """(name, array) as GGUF wants them."""
    import numpy as np
    arch, config = CASES[case][0], model.config
    stems = {**STEMS, **(GEMMA_STEMS if arch in ("gemma2", "gemma3") else {})}
    for name, p in model.state_dict().items():
        w = p.float().numpy()
        stem, _, kind = name.rpartition(".")
        if stem == "lm_head" and config.tie_word_embeddings:
            continue
        if "norm" in stem and arch.startswith("gemma"):
            w = w + np.float32(1)
        if stem in TOPS:
            yield f"{TOPS[stem]}.{kind}", w
            continue
        layer, part = name.removeprefix("model.layers.").split(".", 1)
        blk, part = f"blk.{layer}.", part.removesuffix("." + kind)
        if kind == "gate_up_proj":
            gate, up = np.split(w, 2, axis=1)
            yield blk + "ffn_gate_exps.weight", gate
            yield blk + "ffn_up_exps.weight", up
        elif kind == "down_proj":
            yield blk + "ffn_down_exps.weight", w
        elif case == "deepseek2" and part.endswith("kv_b_proj"):
            both = w.reshape(HEADS, -1, w.shape[1])
            yield blk + "attn_k_b.weight", both[:, :config.qk_nope_head_dim].swapaxes(1, 2)
            yield blk + "attn_v_b.weight", both[:, config.qk_nope_head_dim:]
        else:
            if arch in PAIRED and part.endswith(("q_proj", "k_proj")):
                w = halves_to_pairs(w, HEADS if part.endswith("q_proj") else KV_HEADS)
            yield f"{blk}{stems[part]}.{kind}", w


def rope_tensors(model):
    import numpy as np
    rope = model.config.rope_parameters
    if rope.get("rope_type") == "llama3":
        theta, dims = rope["rope_theta"], HEAD_DIM
        before = rope["original_max_position_embeddings"]
        low, high = rope["low_freq_factor"], rope["high_freq_factor"]
        factors = []
        for i in range(dims // 2):
            length = 2 * np.pi * theta ** (2 * i / dims)
            smooth = (before / length - low) / (high - low)
            mixed = 1 / ((1 - smooth) / rope["factor"] + smooth)
            factors.append(1.0 if length < before / high else
                           rope["factor"] if length > before / low else mixed)
        yield "rope_freqs.weight", np.array(factors, np.float32)
    for kind in ("long", "short"):
        if f"{kind}_factor" in rope:
            yield f"rope_factors_{kind}.weight", np.array(rope[f"{kind}_factor"], np.float32)


def add_rope_keys(put, config, rope, head_dim):
    put("rope.dimension_count", int(head_dim * rope.get("partial_rotary_factor", 1.0)))
    put("rope.freq_base", float(rope["rope_theta"]))
    kind = rope["rope_type"]
    if kind in ("linear", "yarn", "longrope"):
        put("rope.scaling.type", kind)
    if kind in ("linear", "yarn"):
        put("rope.scaling.factor", float(rope["factor"]))
    if "original_max_position_embeddings" in rope:
        put("rope.scaling.original_context_length", rope["original_max_position_embeddings"])
    if "mscale_all_dim" in rope:
        put("rope.scaling.yarn_log_multiplier", 0.1 * rope["mscale_all_dim"])
    if kind == "longrope":
        import math
        before = rope["original_max_position_embeddings"]
        scale = config.max_position_embeddings / before
        put("rope.scaling.attn_factor",
            math.sqrt(1 + math.log(scale) / math.log(before)) if scale > 1 else 1.0)


def add_keys(put, case, config):
    arch = CASES[case][0]
    latent = arch == "deepseek2"
    head_dim = getattr(config, "head_dim", None) or DIM // HEADS
    put("block_count", config.num_hidden_layers)
    put("context_length", config.max_position_embeddings)
    put("embedding_length", DIM)
    put("feed_forward_length", FFN)
    put("vocab_size", VOCAB)
    put("attention.head_count", HEADS)
    put("attention.head_count_kv", 1 if case == "deepseek2" else config.num_key_value_heads)
    put("attention.layer_norm_epsilon" if arch == "starcoder2" else
        "attention.layer_norm_rms_epsilon",
        config.norm_epsilon if arch == "starcoder2" else config.rms_norm_eps)
    if latent:
        turned, rank = config.qk_rope_head_dim, config.kv_lora_rank
        key, value = config.qk_nope_head_dim + turned, config.v_head_dim
        new = case == "deepseek2"
        put("attention.key_length", rank + turned if new else key)
        put("attention.value_length", rank if new else value)
        if new:
            put("attention.key_length_mla", key)
            put("attention.value_length_mla", value)
        put("attention.kv_lora_rank", rank)
        put("leading_dense_block_count", config.first_k_dense_replace)
        put("expert_shared_count", config.n_shared_experts)
        put("expert_weights_scale", 1.0)
        head_dim = turned
    else:
        put("attention.key_length", head_dim)
        put("attention.value_length", head_dim)
    experts = getattr(config, "num_local_experts", None) or getattr(config, "num_experts", None) \
        or getattr(config, "n_routed_experts", 0)
    if experts:
        put("expert_count", experts)
        put("expert_used_count", config.num_experts_per_tok)
        if arch != "llama":
            put("expert_feed_forward_length", config.moe_intermediate_size)
    if arch in ("gemma2", "gemma3"):
        put("attention.sliding_window", config.sliding_window)
    if arch == "gemma2":
        put("attn_logit_softcapping", config.attn_logit_softcapping)
        put("final_logit_softcapping", config.final_logit_softcapping)
    if arch == "granite":
        put("attention.scale", config.attention_multiplier)
        put("residual_scale", config.residual_multiplier)
        put("embedding_scale", config.embedding_multiplier)
        put("logit_scale", config.logits_scaling)
    rope = config.rope_parameters
    add_rope_keys(put, config, rope.get("full_attention", rope), head_dim)


def spelled(byte):
    """GPT-2's spelling of a byte."""
    same = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return chr(byte if byte in same else 256 + [b for b in range(256) if b not in same].index(byte))


def write(folder, case, model, kind):
    """CASE.gguf, with matrices in kind: F32, or CASE-q8.gguf in Q8_0, or CASE-f16.gguf in F16."""
    import gguf
    import numpy as np
    arch = CASES[case][0]
    ending = {"F32": "", "Q8_0": "-q8", "F16": "-f16"}[kind]
    w = gguf.GGUFWriter(os.path.join(folder, f"{case}{ending}.gguf"), arch)

    def put(suffix, value):
        name = f"{arch}.{suffix}"
        add = {str: w.add_string, int: w.add_uint32, float: w.add_float32}[type(value)]
        add(name, value)

    add_keys(put, case, model.config)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list([spelled(b) for b in range(256)] +
                     [f"<more {i}>" for i in range(VOCAB - 256)])
    w.add_token_types([1] * 256 + [4] * (VOCAB - 256))
    w.add_token_merges(["a b"])
    w.add_eos_token_id(VOCAB - 1)
    for name, array in [*tensors_of(case, model), *rope_tensors(model)]:
        array = np.ascontiguousarray(array)
        if array.ndim > 1 and array.shape[-1] % 32 == 0 and "gate_inp" not in name:
            code = gguf.GGMLQuantizationType[kind]
            w.add_tensor(name, gguf.quants.quantize(array, code), raw_dtype=code)
        else:
            w.add_tensor(name, array)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    folder = sys.argv[1]
    card = "card" in sys.argv[2:]
    if card:
        for_card()
    os.makedirs(folder, exist_ok=True)
    for seed, case in enumerate(CASES):
        model = make_model(case, seed)
        run_model(model).astype("<f4").tofile(os.path.join(folder, f"{case}.logits"))
        write(folder, case, model, "F32")
        write(folder, case, model, "Q8_0")
        if card:
            round_matrices(model)
            run_model(model).astype("<f4").tofile(os.path.join(folder, f"{case}-f16.logits"))
            write(folder, case, model, "F16")
        print(case, flush=True)


if __name__ == "__main__":
    main()
