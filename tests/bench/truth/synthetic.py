# SPDX-License-Identifier: Apache-2.0
"""Writes a GGUF with the shapes and the tokenizer of Qwen2.5-0.5B and random weights.

    synthetic.py VOCAB.gguf QUANTISATION OUT.gguf

No trained model of this size can be fetched here, and arithmetic does not ask where numbers come
from.  VOCAB.gguf is llama.cpp's models/ggml-vocab-qwen2.gguf.  QUANTISATION is q8_0, q5_0, q6_k or
q4_k_m.  Rows of 896 elements hold no blocks of 256, so q4_k_m and q6_k are what llama.cpp's
quantiser makes of such a model: Q5_0 for Q4_K and Q8_0 for Q6_K there, and the K types where rows
allow them (ffn_down, 4864 wide).
Needs numpy and gguf.
"""
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind

LAYERS, DIM, HEADS, KV_HEADS, FFN = 24, 896, 14, 2, 4864
DEVIATION = 0.02
FALLBACK = {Kind.Q4_K: Kind.Q5_0, Kind.Q6_K: Kind.Q8_0}
MIXES = {  # most matrices, and those that llama.cpp keeps finer
    "q8_0": (Kind.Q8_0, Kind.Q8_0), "q5_0": (Kind.Q5_0, Kind.Q5_0),
    "q6_k": (Kind.Q6_K, Kind.Q6_K), "q4_k_m": (Kind.Q4_K, Kind.Q6_K),
}
RNG = np.random.default_rng(1234)


def half(value):
    return np.frombuffer(np.float16(value).tobytes(), np.uint8)


def blocks(rows, cols, kind):
    """Random codes under scales that give weights of about DEVIATION."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    raw = RNG.integers(0, 256, (rows * cols // elements, size), np.uint8)
    if kind == Kind.Q8_0:
        raw[:, :2] = half(DEVIATION / 74)
    elif kind == Kind.Q5_0:
        raw[:, :2] = half(DEVIATION / 9.2)
    elif kind == Kind.Q4_K:
        raw[:, :2] = half(DEVIATION / 4.6 / 32)
        raw[:, 2:4] = half(DEVIATION * 7.5 / 4.6 / 32)
    else:
        raw[:, -2:] = half(DEVIATION / 18 / 74)
    return raw.reshape(rows, -1)


def copy_tokenizer(reader, writer):
    """Returns the number of tokens."""
    field = {name: reader.get_field("tokenizer.ggml." + name)
             for name in ("model", "pre", "tokens", "merges", "token_type", "eos_token_id",
                          "bos_token_id")}
    writer.add_tokenizer_model(field["model"].contents())
    writer.add_tokenizer_pre(field["pre"].contents())
    tokens = field["tokens"].contents()
    writer.add_token_list(tokens)
    writer.add_token_types(field["token_type"].contents())
    writer.add_token_merges(field["merges"].contents())
    writer.add_eos_token_id(field["eos_token_id"].contents())
    writer.add_bos_token_id(field["bos_token_id"].contents())
    return len(tokens)


def is_finer(layer):
    """Where a mix keeps attn_v and ffn_down finer: both ends and every third layer."""
    eighth = LAYERS // 8
    return layer < eighth or layer >= 7 * eighth or (layer - eighth) % 3 == 2


def shapes(low, high, vocab):
    """(name, rows, columns, kind) of every matrix."""
    kv = DIM // HEADS * KV_HEADS
    yield "token_embd.weight", vocab, DIM, high
    for i in range(LAYERS):
        fine = high if is_finer(i) else low
        for stem, rows, cols, kind in (
                ("attn_q", DIM, DIM, low), ("attn_k", kv, DIM, low), ("attn_v", kv, DIM, fine),
                ("attn_output", DIM, DIM, low), ("ffn_gate", FFN, DIM, low),
                ("ffn_up", FFN, DIM, low), ("ffn_down", DIM, FFN, fine)):
            yield f"blk.{i}.{stem}.weight", rows, cols, kind


def add_vectors(writer):
    kv = DIM // HEADS * KV_HEADS
    for i in range(LAYERS):
        for stem in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{i}.{stem}.weight", np.ones(DIM, np.float32))
        for stem, width in (("attn_q", DIM), ("attn_k", kv), ("attn_v", kv)):
            noise = RNG.standard_normal(width).astype(np.float32) * np.float32(DEVIATION)
            writer.add_tensor(f"blk.{i}.{stem}.bias", noise)
    writer.add_tensor("output_norm.weight", np.ones(DIM, np.float32))


def write(vocab, mix, out):
    w = gguf.GGUFWriter(out, "qwen2")
    w.add_name(f"synthetic 0.5B {mix}")
    w.add_context_length(32768)
    w.add_embedding_length(DIM)
    w.add_block_count(LAYERS)
    w.add_feed_forward_length(FFN)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KV_HEADS)
    w.add_rope_freq_base(1e6)
    w.add_layer_norm_rms_eps(1e-6)
    tokens = copy_tokenizer(gguf.GGUFReader(vocab), w)
    for name, rows, cols, kind in shapes(*MIXES[mix], tokens):
        kind = kind if cols % gguf.GGML_QUANT_SIZES[kind][0] == 0 else FALLBACK[kind]
        w.add_tensor(name, blocks(rows, cols, kind), raw_dtype=kind)
    add_vectors(w)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    write(*sys.argv[1:])
