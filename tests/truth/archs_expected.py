#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what Hugging Face `transformers` computes for one small model of each architecture
(data/archs.json).

    archs_expected.py TINY_MODEL_TOOL OUT.json

Needs torch, transformers and gguf; the test does not, it reads the file.  The models are those of
tests/engine/tiny_model.c: random numbers, so every scale, norm, bias and rotation matters.  Where
transformers keeps a weight in another form than GGUF does (rows of q and k permuted for pairwise
rotation, norm weights without their 1, matrices fused), it is put back first.
"""
import json
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers as T
from gguf import GGUFReader

TOKENS = [(i * 37 + 11) % 300 for i in range(40)]
ROPE = {"rope_type": "default", "rope_theta": 10000.0}
GELU = "gelu_pytorch_tanh"
CONFIGS = {
    "gemma2": (T.Gemma2Config, dict(query_pre_attn_scalar=8, sliding_window=16,
                                    attn_logit_softcapping=2.0, final_logit_softcapping=3.0,
                                    hidden_activation=GELU)),
    "gemma3": (T.Gemma3TextConfig, dict(query_pre_attn_scalar=8, sliding_window=16,
                                        hidden_activation=GELU, rope_parameters={
                                            "full_attention": {**ROPE, "rope_theta": 1e6},
                                            "sliding_attention": ROPE})),
    "gemma": (T.GemmaConfig, dict(hidden_activation=GELU, hidden_act=GELU)),
    "granite": (T.GraniteConfig, dict(embedding_multiplier=6.0, residual_multiplier=0.5,
                                      attention_multiplier=0.25, logits_scaling=3.0)),
    "llama": (T.LlamaConfig, {}),
    "phi3": (T.Phi3Config, dict(sliding_window=None)),
    "qwen2": (T.Qwen2Config, {}),
    "qwen3": (T.Qwen3Config, {}),
    "smollm3": (T.SmolLM3Config, dict(no_rope_layer_interval=4)),
    "starcoder2": (T.Starcoder2Config, dict(norm_epsilon=1e-5, use_bias=True, hidden_act=GELU,
                                            sliding_window=None)),
}
NAMES = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_qkv": "self_attn.qkv_proj", "attn_output": "self_attn.o_proj",
    "attn_norm": "input_layernorm", "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm", "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}
OTHER_NAMES = {
    "gemma2": {"post_attention_norm": "post_attention_layernorm",
               "ffn_norm": "pre_feedforward_layernorm",
               "post_ffw_norm": "post_feedforward_layernorm"},
    "phi3": {"ffn_up": "mlp.gate_up_proj"},
    "starcoder2": {"ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"},
}
OTHER_NAMES["gemma3"] = OTHER_NAMES["gemma2"]
PERMUTED = ("granite", "llama", "smollm3")
TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}


def pairs_to_halves(w, heads):
    return w.reshape(heads, -1, 2, w.shape[-1]).swapaxes(1, 2).reshape(w.shape)


def weight_of(arch, stem, w):
    if arch in PERMUTED and stem == "attn_q":
        return pairs_to_halves(w, 4)
    if arch in PERMUTED and stem == "attn_k":
        return pairs_to_halves(w, 2)
    if arch.startswith("gemma") and "norm" in stem:
        return w - 1
    return w


def state_of(arch, path):
    names = {**NAMES, **OTHER_NAMES.get(arch, {})}
    state, vocab = {}, 0
    for t in GGUFReader(path).tensors:
        w = np.array(t.data, np.float32)
        parts = t.name.split(".")
        stem, kind = parts[-2:]
        w = weight_of(arch, stem, w)
        if len(parts) == 2:
            name = TOP[stem]
        else:
            name = f"model.layers.{parts[1]}.{names[stem]}"
        vocab = w.shape[0] if stem == "token_embd" else vocab
        state[f"{name}.{kind}"] = torch.from_numpy(np.ascontiguousarray(w))
    return state, vocab


def logits_of(arch, path):
    state, vocab = state_of(arch, path)
    kind, extra = CONFIGS[arch]
    settings = dict(vocab_size=vocab, hidden_size=32, intermediate_size=64, num_hidden_layers=7,
                    num_attention_heads=4, num_key_value_heads=2, head_dim=8, pad_token_id=0,
                    rms_norm_eps=1e-5, max_position_embeddings=256, tie_word_embeddings=True,
                    rope_parameters=ROPE)
    settings.update(extra)
    model = T.AutoModelForCausalLM.from_config(kind(**settings), dtype=torch.float32,
                                               attn_implementation="eager").eval()
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    with torch.no_grad():
        return model(torch.tensor(TOKENS)[None]).logits[0].double().numpy()


def main():
    tool, out = sys.argv[1:]
    found = {}
    for arch in CONFIGS:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/{arch}.gguf"
            subprocess.run([tool, arch, path], check=True)
            logits = logits_of(arch, path)
        rows = [0, 1, 15, 16, 17, 39]
        found[arch] = {"vocab": logits.shape[1], "largest": round(float(np.abs(logits).max()), 5),
                       "rows": {str(r): [round(float(v), 5) for v in logits[r][::8]] for r in rows}}
    with open(out, "w", encoding="utf-8") as f:
        lines = [f"{json.dumps(arch)}: {json.dumps(found[arch])}" for arch in sorted(found)]
        f.write('{"tokens": %s,\n"every": 8,\n"archs": {\n%s\n}}\n'
                % (json.dumps(TOKENS), ",\n".join(lines)))


if __name__ == "__main__":
    main()
