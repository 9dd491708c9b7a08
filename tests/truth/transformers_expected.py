#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what Hugging Face `transformers` computes for lists of token ids.

    transformers_expected.py MODEL.gguf OUT.json < [[id, ...], ...]

Needs torch, transformers and gguf.
The GGUF's weights are dequantised to f32 by the `gguf` package and put into a LlamaForCausalLM on
the CPU.  In a llama GGUF the rows of q and k are permuted for pairwise rotation (2i, 2i+1), while
transformers rotates halves (i, i + n/2), so they are put back first.
OUT gets per prompt and position the best ids, ids spread over the vocabulary, their logits, and the
logarithm of the sum of exponentials.
"""
import json
import sys

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from transformers import LlamaConfig, LlamaForCausalLM

TOP, SPREAD = 20, 20
NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
    "attn_norm.weight": "input_layernorm.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
}


def field(reader, key, default=None):
    found = reader.get_field(key)
    return default if found is None else found.contents()


def config_of(reader, tied):
    def number(key, default=None):
        return field(reader, "llama." + key, default)
    return LlamaConfig(
        vocab_size=len(field(reader, "tokenizer.ggml.tokens")),
        hidden_size=number("embedding_length"), num_hidden_layers=number("block_count"),
        intermediate_size=number("feed_forward_length"),
        num_attention_heads=number("attention.head_count"),
        num_key_value_heads=number("attention.head_count_kv"),
        rms_norm_eps=number("attention.layer_norm_rms_epsilon"),
        max_position_embeddings=number("context_length"),
        rope_theta=number("rope.freq_base", 10000.0), tie_word_embeddings=tied)


def unpermute(rows, heads):
    count, width = rows.shape
    pairs = rows.reshape(heads, count // heads // 2, 2, width)
    return pairs.swapaxes(1, 2).reshape(count, width)


def weights_of(reader, config):
    state = {}
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        name = tensor.name
        if name.startswith("blk."):
            _, layer, rest = name.split(".", 2)
            if rest == "attn_q.weight":
                values = unpermute(values, config.num_attention_heads)
            elif rest == "attn_k.weight":
                values = unpermute(values, config.num_key_value_heads)
            name = f"model.layers.{layer}.{NAMES[rest]}"
        elif name in NAMES:
            name = NAMES[name]
        else:
            continue
        state[name] = torch.from_numpy(np.ascontiguousarray(values))
    return state


def load(path):
    reader = GGUFReader(path)
    tied = not any(t.name == "output.weight" for t in reader.tensors)
    config = config_of(reader, tied)
    model = LlamaForCausalLM(config).to(torch.float32).eval()
    state = weights_of(reader, config)
    missing, unexpected = model.load_state_dict(state, strict=False)
    missing = [m for m in missing if not (tied and m == "lm_head.weight")]
    assert not missing and not unexpected, (missing, unexpected)
    if tied:
        model.tie_weights()
    return model


def row_facts(logits, position):
    top = np.argsort(-logits, kind="stable")[:TOP].tolist()
    spread = [(position * 7919 + i * 104729) % len(logits) for i in range(SPREAD)]
    ids = list(dict.fromkeys(top + spread))
    wide = logits.astype(np.float64)
    highest = wide.max()
    return {"ids": ids, "logits": [round(float(wide[i]), 5) for i in ids],
            "lse": round(float(highest + np.log(np.exp(wide - highest).sum())), 5)}


def main():
    model_path, out_path = sys.argv[1:]
    torch.set_num_threads(2)
    model = load(model_path)
    results = []
    for ids in json.load(sys.stdin):
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0].numpy()
        results.append([row_facts(row, p) for p, row in enumerate(logits)])
    with open(out_path, "w", encoding="utf-8") as f:
        json.dump(results, f)


if __name__ == "__main__":
    main()
