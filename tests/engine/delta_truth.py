#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our C against the reference implementation, byte for byte: a delta made and applied on random
models
of several types, and (with the base at hand) the model that we ship.

    delta_truth.py INLINED REFERENCE.py SHIPPED.delta.gguf [BASE.gguf]
"""
import os
import subprocess
import sys
import tempfile

try:
    import gguf
    import numpy as np
except ImportError as missing:
    print("SKIP: needs the Python packages gguf and numpy:", missing)
    sys.exit(77)

Q = gguf.GGMLQuantizationType


def write(path, seed, spread, name, kind):
    rng = np.random.default_rng(seed)
    w = gguf.GGUFWriter(path, "llama")
    w.add_name(name)
    w.add_array("tokenizer.ggml.tokens", ["a", "b", name])
    if spread:
        w.add_uint32("tokenizer.ggml.fim_pre_token_id", 8)
    base = np.random.default_rng(7)
    for tensor, shape in (("token_embd.weight", (40, 576)), ("blk.0.ffn_up.weight", (64, 192))):
        x = base.standard_normal(shape, dtype=np.float32) * np.float32(0.05)
        x = x + rng.standard_normal(shape, dtype=np.float32) * np.float32(spread)
        if kind == Q.F32:
            w.add_tensor(tensor, x)
        else:
            w.add_tensor(tensor, gguf.quants.quantize(x, kind), raw_dtype=kind)
    w.add_tensor("output_norm.weight", rng.standard_normal(576).astype(np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def same(a, b, what):
    with open(a, "rb") as x, open(b, "rb") as y:
        if x.read() != y.read():
            sys.exit("%s differ: %s, %s" % (what, a, b))
    print("identical:", what)


def main(inlined, reference, shipped, base=None):
    def ours(*words):
        subprocess.run([inlined, "models", "delta", *words], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def theirs(*words):
        subprocess.run([sys.executable, reference, *words], check=True, stdout=subprocess.DEVNULL)

    with tempfile.TemporaryDirectory() as d:
        p = lambda name: os.path.join(d, name)
        for kind in (Q.F32, Q.Q8_0, Q.Q4_1, Q.F16):
            write(p("base.gguf"), 1, 0, "base", kind)
            write(p("trained.gguf"), 2, 0.004, "trained", Q.F32)
            ours("make", p("base.gguf"), p("trained.gguf"), p("a.gguf"), "--source", "random",
                 "--rows", "0,3,39")
            theirs("make", p("base.gguf"), p("trained.gguf"), p("b.gguf"), "--source", "random",
                   "--rows", "0,3,39")
            same(p("a.gguf"), p("b.gguf"), "deltas over %s" % kind.name)
            ours("apply", p("base.gguf"), p("a.gguf"), p("c.gguf"))
            theirs("apply", p("base.gguf"), p("b.gguf"), p("d.gguf"))
            same(p("c.gguf"), p("d.gguf"), "results over %s" % kind.name)
        if not base or not os.path.exists(base):
            print("SKIP of the shipped model: its base is not there (inlined models pull)")
            return
        ours("apply", base, shipped, p("e.gguf"))
        theirs("apply", base, shipped, p("f.gguf"))
        same(p("e.gguf"), p("f.gguf"), "the shipped model")


main(*sys.argv[1:])
