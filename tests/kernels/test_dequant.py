#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""k_dequant against the gguf package, bit by bit, on random bytes, for every type of blocks.h.

    tests/kernels/test_dequant.py PATH/dequant_tool

Exit 77 (skipped) when the interpreter has no gguf package.
"""
import subprocess
import sys

try:
    import numpy as np
    import gguf
    from gguf import quants
except ImportError as missing:
    print(f"SKIP: this python has no {missing.name}; set INLINED_PYTHON to one that has gguf")
    sys.exit(77)

BLOCKS = 300
SCALES = {  # offsets of the binary16 fields, which get moderate values in half of the blocks
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82],
    "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0],
    "MXFP4": [], "F32": [], "F16": [], "BF16": [],
}


def random_blocks(rng, name, size):
    raw = rng.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
    for at in SCALES[name]:
        half = rng.normal(0, 0.1, BLOCKS // 2).astype(np.float16)
        raw[:BLOCKS // 2, at:at + 2] = half.view(np.uint8).reshape(-1, 2)
    return raw


def expected(number, name, raw):
    if name == "F32":
        return raw.view(np.float32).ravel()
    if name == "F16":
        return raw.view(np.float16).astype(np.float32).ravel()
    return quants.dequantize(raw, gguf.GGMLQuantizationType(number)).ravel()


def check(tool, rng, number, name, block, size):
    raw = random_blocks(rng, name, size)
    run = subprocess.run([tool, str(number), str(BLOCKS * block)], input=raw.tobytes(),
                         capture_output=True, check=True)
    ours = np.frombuffer(run.stdout, dtype=np.uint32)
    with np.errstate(all="ignore"):
        want = expected(number, name, raw.copy())
    nan = np.isnan(want)
    same = np.where(nan, np.isnan(ours.view(np.float32)), ours == want.view(np.uint32))
    print(f"{name:7s} {ours.size} elements, {int((~same).sum())} differ")
    return bool(same.all()) and ours.size == BLOCKS * block


def main():
    tool = sys.argv[1]
    listing = subprocess.run([tool, "-"], capture_output=True, check=True, text=True).stdout
    listed = [line.split(" ", 3) for line in listing.splitlines()]
    called = {int(number): name for number, _, _, name in listed}
    rows = [(n, name, block, size) for n, block, size, name in listed if block != "0"]
    names = {row[1] for row in rows}
    if names != set(SCALES):
        print(f"the type table lists {sorted(names)}, the test knows {sorted(SCALES)}")
        return 1
    wrong = [t for t in gguf.GGMLQuantizationType if called[int(t)] != t.name]
    print(f"{len(gguf.GGMLQuantizationType)} types have a name, {len(wrong)} another one than ours")
    if wrong:
        return 1
    rng = np.random.default_rng(7)
    ok = [check(tool, rng, int(n), name, int(b), int(s)) for n, name, b, s in rows]
    return 0 if all(ok) else 1


sys.exit(main())
