#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The truth gate over models that are too slow for the tests: a synthetic 0.5B, four quantisations.

    truth_bench.py VOCAB.gguf [--positions N] [--mix NAME] ... > table.md

Runs our scalar reference, our fast path and llama.cpp over the same code (gate.py of tests/truth),
prints a Markdown table and exits 1 when the gate finds something.  About ten minutes a quantisation
on one core.  VOCAB.gguf is llama.cpp's models/ggml-vocab-qwen2.gguf; INLINED_BUILD and
INLINED_PEERS as for the tests.
"""
import argparse
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("../../truth", "../../tools"):
    sys.path.insert(0, os.path.join(HERE, folder))

import gate  # noqa: E402
import synth_gguf  # noqa: E402
import truth  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vocab")
    parser.add_argument("--positions", type=int, default=1024)
    parser.add_argument("--mix", action="append", choices=list(synth_gguf.MIXES))
    options = parser.parse_args()
    wrong = []
    print("| model | positions |", " | ".join(gate.HEAD), "|")
    print("|---" * (2 + len(gate.HEAD)) + "|")
    for mix in options.mix or ("q8_0", "q4_k_m", "q5_0", "q6_k"):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, f"{mix}.gguf")
            synth_gguf.write(options.vocab, "qwen2.5-0.5b", mix, path)
            prompts = truth.code_prompts(path, options.positions // 6 + 1)
            peer, ours = gate.judge(path, prompts)
        count = sum(map(len, prompts))
        for d in (peer, *ours):
            cells = [f"{c:.3g}" if isinstance(c, float) else str(c) for c in d.row()]
            print("|", mix, "|", count, "|", " | ".join(cells), "|", flush=True)
        wrong += [f"{mix}: {w}" for w in gate.findings(peer, ours)]
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
