# SPDX-License-Identifier: Apache-2.0
"""What transformers computes in f32 on a card for lists of token ids of a Qwen2 GGUF.

    reference.py MODEL.gguf OUT < prompts        (one a line, ids with commas between them)

The weights are dequantised by the `gguf` package.  OUT gets the f32 logits of every position, as
tests/truth/logits_tool.c writes them.  Needs torch, transformers, gguf.
"""
import sys

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from transformers import Qwen2Config, Qwen2ForCausalLM

STEMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
         "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj"}
WHOLE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def config_of(reader):
    def number(key):
        return reader.get_field("qwen2." + key).contents()
    theta = number("rope.freq_base")
    return Qwen2Config(
        vocab_size=len(reader.get_field("tokenizer.ggml.tokens").contents()),
        hidden_size=number("embedding_length"), num_hidden_layers=number("block_count"),
        intermediate_size=number("feed_forward_length"),
        num_attention_heads=number("attention.head_count"),
        num_key_value_heads=number("attention.head_count_kv"),
        rms_norm_eps=number("attention.layer_norm_rms_epsilon"),
        max_position_embeddings=number("context_length"),
        rope_parameters={"rope_type": "default", "rope_theta": theta}, rope_theta=theta,
        tie_word_embeddings="output.weight" not in {t.name for t in reader.tensors})


def name_of(name):
    *block, stem, kind = name.split(".")
    if block:
        return f"model.layers.{block[1]}.{STEMS[stem]}.{kind}"
    return f"{WHOLE[stem]}.{kind}"


def open_model(path):
    reader = GGUFReader(path)
    config = config_of(reader)
    with torch.device("meta"):
        model = Qwen2ForCausalLM(config)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    state = {name_of(t.name): torch.from_numpy(
        dequantize(t.data, t.tensor_type).astype(np.float32)).to(device) for t in reader.tensors}
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model = model.to_empty(device=device).float()
    model.load_state_dict(state, strict=True)
    # What is no weight was left empty by the meta device: the frequencies of the rotation.
    model.model.rotary_emb = type(model.model.rotary_emb)(config).to(device)
    return model.eval(), device


def main():
    torch.backends.cuda.matmul.allow_tf32 = False
    model, device = open_model(sys.argv[1])
    with open(sys.argv[2], "wb") as out, torch.inference_mode():
        for line in sys.stdin:
            ids = torch.tensor([[int(i) for i in line.split(",")]], device=device)
            out.write(model(ids).logits[0].float().cpu().numpy().tobytes())


if __name__ == "__main__":
    main()
