#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Model files at the edges, written by the `gguf` package: split files, a vocabulary of 262,144
tokens, and a model that is larger than memory.

Each has a defined outcome: the same logits from the parts as from the whole (and from llama.cpp's
reading of the parts), text, and one sentence.
"""
import os
import subprocess
import sys
import tempfile
import unittest

import archs_made
import truth

try:
    import gguf
    import numpy as np
except ImportError as missing:
    truth.skip(f"this python has no {missing.name}; ./bootstrap test installs it")

DIM, FFN, HEADS = 32, 64, 4
PARTS = 3
RNG = np.random.default_rng(5)


def begin(path, tokens, **options):
    """A llama with a byte vocabulary and filler."""
    w = gguf.GGUFWriter(path, "llama", **options)
    w.add_context_length(512)
    w.add_embedding_length(DIM)
    w.add_feed_forward_length(FFN)
    w.add_head_count(HEADS)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list([archs_made.spelled(b) for b in range(256)] +
                     [f"<more {i}>" for i in range(tokens - 256)])
    w.add_token_types([1] * tokens)
    w.add_token_merges(["a b"])
    w.add_eos_token_id(tokens - 1)
    return w


def shapes(layers, tokens, ffn=FFN):
    yield "token_embd.weight", (tokens, DIM)
    for i in range(layers):
        for stem, shape in (("attn_norm", (DIM,)), ("attn_q", (DIM, DIM)), ("attn_k", (DIM, DIM)),
                            ("attn_v", (DIM, DIM)), ("attn_output", (DIM, DIM)),
                            ("ffn_norm", (DIM,)), ("ffn_gate", (ffn, DIM)), ("ffn_up", (ffn, DIM)),
                            ("ffn_down", (DIM, ffn))):
            yield f"blk.{i}.{stem}.weight", shape
    yield "output_norm.weight", (DIM,)


def write_model(path, tokens, **options):
    w = begin(path, tokens, **options)
    w.add_block_count(2)
    for name, shape in shapes(2, tokens):
        noise = RNG.standard_normal(shape).astype(np.float32)
        w.add_tensor(name, 1 + 0.1 * noise if len(shape) == 1 else 0.25 * noise)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def logits(path, vocab):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "logits")
        tokens = list(b"def split(text):\n    return text.split()\n")
        subprocess.run([truth.program("tests/truth_logits"), path, "ref", "16", out], check=True,
                       input=",".join(map(str, tokens)) + "\n", text=True,
                       stdout=subprocess.DEVNULL)
        return tokens, np.fromfile(out, "<f4").reshape(-1, vocab)


def generate(path):
    return subprocess.run([truth.program(), "generate", "--model", path, "--prompt", "def f(",
                           "-n", "4"], capture_output=True, text=True, check=False, timeout=120)


class Files(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)

    def path(self, name):
        return os.path.join(self.scratch.name, name)

    def test_parts_are_the_whole(self):
        global RNG
        vocab = 300
        for name, options in (("whole.gguf", {}), ("parts.gguf", {"split_max_tensors": 8})):
            RNG = np.random.default_rng(6)
            write_model(self.path(name), vocab, **options)
        parts = sorted(f for f in os.listdir(self.scratch.name) if f.startswith("parts-"))
        self.assertEqual(parts, [f"parts-0000{i}-of-0000{PARTS}.gguf" for i in (1, 2, 3)])
        first = self.path(parts[0])
        tokens, whole = logits(self.path("whole.gguf"), vocab)
        _, split = logits(first, vocab)
        np.testing.assert_array_equal(whole, split)
        ids = [list(range(vocab))] * len(tokens)
        try:
            theirs = np.array(truth.llama_rows([tokens], [ids], first)[0])
        except truth.Absent as absent:
            print(f"without llama.cpp: {absent}")
        else:
            x = split.astype(np.float64)
            ours = x - np.log(np.exp(x).sum(1, keepdims=True))
            self.assertLess(float(np.abs(ours - theirs).max()), 0.02)
        os.remove(self.path(parts[1]))
        done = generate(first)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(parts[1], done.stderr)

    def test_a_vocabulary_of_262144_tokens(self):
        path = self.path("wide.gguf")
        write_model(path, 1 << 18)
        done = generate(path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.strip())

    def test_a_model_larger_than_memory(self):
        # The tensors are a hole in the file: 512 layers of three matrices of 128 MB.
        path, layers, ffn = self.path("large.gguf"), 512, 1 << 20
        w = begin(path, 300)
        w.add_block_count(layers)
        size = 0
        for name, shape in shapes(layers, 300, ffn):
            size += int(np.prod(shape)) * 4
            w.add_tensor_info(name, shape, np.dtype(np.float32), int(np.prod(shape)) * 4)
        w.kv_data[0]["llama.feed_forward_length"].value = ffn
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_ti_data_to_file()
        w.close()
        os.truncate(path, os.path.getsize(path) + size + 4096)
        done = generate(path)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"needs \d{6} MB .*but \d+ MB are available; use a smaller")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)


if __name__ == "__main__":
    try:
        truth.program()
        truth.program("tests/truth_logits")
    except truth.Absent as absent:
        truth.skip(str(absent))
    sys.exit(unittest.main(verbosity=2))
