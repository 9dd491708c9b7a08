#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every architecture against `transformers`: logits of a small random model, within 1e-3 relative.

    test_archs.py TINY_MODEL_TOOL TRUTH_LOGITS

The expected numbers are in data/archs.json (archs_expected.py wrote them).  The reference runs
twice, row by row and in chunks of 16; the CPU's fast path once, with a wider bound, because it may
round activations.
"""
import array
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
WAYS = [("ref", "1", 1e-3), ("ref", "16", 1e-3), ("cpu", "16", 5e-3)]


def run(tool, path, device, rows, tokens, folder):
    out = os.path.join(folder, "logits")
    line = ",".join(map(str, tokens)) + "\n"
    subprocess.run([tool, path, device, rows, out], input=line, text=True, check=True,
                   stdout=subprocess.DEVNULL)
    found = array.array("f")
    with open(out, "rb") as f:
        found.frombytes(f.read())
    return found


def check(arch, want, expected, tiny, tool):
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "m.gguf")
        subprocess.run([tiny, arch, path], check=True)
        for device, rows, bound in WAYS:
            got = run(tool, path, device, rows, expected["tokens"], folder)
            vocab, largest = want["vocab"], want["largest"]
            assert len(got) == vocab * len(expected["tokens"]), "wrong number of logits"
            error = 0
            for row, values in want["rows"].items():
                ours = got[int(row) * vocab:(int(row) + 1) * vocab:expected["every"]]
                error = max(error, max(abs(a - b) for a, b in zip(ours, values)) / largest)
            good = error <= bound
            print(f"{arch:12} {device} rows={rows:3} worst={error:.1e} {'ok' if good else 'WRONG'}")
            worst += not good
    return worst


def main():
    tiny, tool = sys.argv[1:]
    with open(os.path.join(HERE, "data/archs.json"), encoding="utf-8") as f:
        expected = json.load(f)
    wrong = sum(check(arch, want, expected, tiny, tool)
                for arch, want in expected["archs"].items())
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
