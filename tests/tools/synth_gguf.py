#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a GGUF with the shapes of a Qwen2.5 model, a real tokenizer and random weights.

    synth_gguf.py VOCAB.gguf PRESET QUANTISATION OUT.gguf

PRESET is qwen2.5-0.5b, -1.5b, -3b or -7b; QUANTISATION is f16, q8_0, q4_0, q5_0, q6_k or q4_k_m.
VOCAB.gguf is llama.cpp's models/ggml-vocab-qwen2.gguf.  No trained model of these sizes can be
fetched by the tests, and arithmetic does not ask where numbers come from: speed, memory and the
distance between two engines are measured on these.

Rows that hold no whole blocks of 256 (896 wide) get what llama.cpp's quantiser gives them: Q5_0 for
Q4_K and Q8_0 for Q6_K.  The same arguments write the same bytes.  Needs numpy and gguf.
"""
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind

PRESETS = {  # layers, width, heads, KV heads, width of the feed-forward part, tied embeddings
    "qwen2.5-0.5b": (24, 896, 14, 2, 4864, True),
    "qwen2.5-1.5b": (28, 1536, 12, 2, 8960, True),
    "qwen2.5-3b": (36, 2048, 16, 2, 11008, True),
    "qwen2.5-7b": (28, 3584, 28, 4, 18944, False),
}
MIXES = {  # most matrices, and those that llama.cpp keeps finer
    "f16": (Kind.F16, Kind.F16), "q8_0": (Kind.Q8_0, Kind.Q8_0), "q4_0": (Kind.Q4_0, Kind.Q4_0),
    "q5_0": (Kind.Q5_0, Kind.Q5_0), "q6_k": (Kind.Q6_K, Kind.Q6_K),
    "q4_k_m": (Kind.Q4_K, Kind.Q6_K),
}
FALLBACK = {Kind.Q4_K: Kind.Q5_0, Kind.Q6_K: Kind.Q8_0}
DEVIATION = 0.02
# Scale fields of a block, and what they are so that random codes give weights of DEVIATION.
SCALES = {
    Kind.Q8_0: [(slice(0, 2), DEVIATION / 74)],
    Kind.Q4_0: [(slice(0, 2), DEVIATION / 4.6)],
    Kind.Q5_0: [(slice(0, 2), DEVIATION / 9.2)],
    Kind.Q4_K: [(slice(0, 2), DEVIATION / 4.6 / 32), (slice(2, 4), DEVIATION * 7.5 / 4.6 / 32)],
    Kind.Q6_K: [(slice(-2, None), DEVIATION / 18 / 74)],
}
FIM = (("fim_pre", 151659), ("fim_mid", 151660), ("fim_suf", 151661), ("fim_pad", 151662),
       ("fim_rep", 151663), ("fim_sep", 151664))  # Qwen2.5-Coder's; padding in plain vocabularies
# So that they can be asked for actions too: ChatML, as Qwen2.5's instruct models have it.
CHAT = ("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
RNG_SEED = 1234


def half(value):
    return np.frombuffer(np.float16(value).tobytes(), np.uint8)


def centre(raw, kind):
    """The lowest code becomes the one for 0: a mean that is not 0 adds up over a row, and then the
    model is sure of one token everywhere."""
    if kind == Kind.Q4_0:
        codes = raw[:, 2:]
        codes[codes & 15 == 0] |= 8
        codes[codes >> 4 == 0] |= 128
    if kind == Kind.Q5_0:
        high = np.unpackbits(raw[:, 2:6], axis=1, bitorder="little")
        nibbles = np.concatenate([raw[:, 6:] & 15, raw[:, 6:] >> 4], axis=1)
        high[(high == 0) & (nibbles == 0)] = 1
        raw[:, 2:6] = np.packbits(high, axis=1, bitorder="little")


def matrix(rng, rows, cols, kind):
    if kind == Kind.F16:
        return (rng.standard_normal((rows, cols), np.float32) * DEVIATION).astype(np.float16)
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    raw = rng.integers(0, 256, (rows * cols // elements, size), np.uint8)
    for field, value in SCALES[kind]:
        raw[:, field] = half(value)
    centre(raw, kind)
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
    for name, token in FIM:
        if token < len(tokens):
            writer.add_uint32(f"tokenizer.ggml.{name}_token_id", token)
    return len(tokens)


def is_finer(layer, layers):
    """Where a mix keeps attn_v and ffn_down finer: both ends and every third layer."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def shapes(preset, low, high, vocab):
    """(name, rows, columns, kind) of every matrix."""
    layers, dim, heads, kv_heads, ffn, tied = preset
    kv = dim // heads * kv_heads
    yield "token_embd.weight", vocab, dim, high if tied else low
    if not tied:
        yield "output.weight", vocab, dim, high
    for i in range(layers):
        fine = high if is_finer(i, layers) else low
        for stem, rows, cols, kind in (
                ("attn_q", dim, dim, low), ("attn_k", kv, dim, low), ("attn_v", kv, dim, fine),
                ("attn_output", dim, dim, low), ("ffn_gate", ffn, dim, low),
                ("ffn_up", ffn, dim, low), ("ffn_down", dim, ffn, fine)):
            yield f"blk.{i}.{stem}.weight", rows, cols, kind


def add_vectors(rng, writer, preset):
    layers, dim, heads, kv_heads, _, _ = preset
    kv = dim // heads * kv_heads
    for i in range(layers):
        for stem in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{i}.{stem}.weight", np.ones(dim, np.float32))
        for stem, width in (("attn_q", dim), ("attn_k", kv), ("attn_v", kv)):
            noise = rng.standard_normal(width).astype(np.float32) * np.float32(DEVIATION)
            writer.add_tensor(f"blk.{i}.{stem}.bias", noise)
    writer.add_tensor("output_norm.weight", np.ones(dim, np.float32))


def add_shape(writer, preset):
    layers, dim, heads, kv_heads, ffn, _ = preset
    writer.add_context_length(32768)
    writer.add_embedding_length(dim)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(ffn)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)


def write(vocab, name, mix, out):
    preset, rng = PRESETS[name], np.random.default_rng(RNG_SEED)
    w = gguf.GGUFWriter(out, "qwen2")
    w.add_name(f"synthetic {name} {mix}")
    w.add_chat_template(CHAT)
    add_shape(w, preset)
    tokens = copy_tokenizer(gguf.GGUFReader(vocab), w)
    for tensor, rows, cols, kind in shapes(preset, *MIXES[mix], tokens):
        if kind != Kind.F16 and cols % gguf.GGML_QUANT_SIZES[kind][0]:
            kind = FALLBACK[kind]
        w.add_tensor(tensor, matrix(rng, rows, cols, kind), raw_dtype=kind)
    add_vectors(rng, w, preset)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    if len(sys.argv) != 5 or sys.argv[2] not in PRESETS or sys.argv[3] not in MIXES:
        sys.exit(__doc__)
    write(*sys.argv[1:])
