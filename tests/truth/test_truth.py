#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The arithmetic is true, over more than 1,000 teacher-forced positions of code:

1. Our scalar f32 reference gives the logits that transformers gives over the dequantised weights
   (transformers_expected.py, kept in the cache), within 1e-3 relative.
2. The fast path is no further from the reference than llama.cpp is (gate.py).
"""
import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest

import gate
import truth

RELATIVE = 1e-3
POSITIONS_MIN = 1000
try:
    MODEL = truth.model_path()
    truth.program("tests/truth_logits")
    PROMPTS = truth.code_prompts(MODEL)
    MISSING = None
except truth.Absent as absent:
    MISSING = str(absent)


def transformers_says():
    """[prompt][row] of transformers_expected.py; Absent when it is neither kept nor computable."""
    script = os.path.join(truth.HERE, "transformers_expected.py")
    pins = os.path.join(truth.HERE, "../requirements-torch.txt")

    def run():
        absent = [p for p in ("torch", "transformers", "gguf") if not importlib.util.find_spec(p)]
        if absent:
            raise truth.Absent(f"{', '.join(absent)} not installed; ./bootstrap test does it "
                               "(unless INLINED_TORCH=0)")
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "expected.json")
            subprocess.run([sys.executable, script, MODEL, out], input=truth.json.dumps(PROMPTS),
                           text=True, check=True, stdout=subprocess.DEVNULL)
            return truth.read_json(out)
    return truth.cached([*map(truth.digest, (script, pins, MODEL)), str(PROMPTS)], run)


def reference(expected):
    """Our reference's rows, asked for everything that the tests compare: it is run once."""
    asks = gate.next_asks(PROMPTS)
    for rows, ask in zip(expected or [], asks):
        for row, ids in zip(rows, ask, strict=True):
            ids += row["ids"]
    return truth.our_rows("ref", 192, PROMPTS, asks, MODEL)


class Truth(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.expected, cls.why_not = None, ""
        try:
            cls.expected = transformers_says()
        except truth.Absent as absent:
            cls.why_not = str(absent)
        cls.facts = reference(cls.expected)

    def test_enough_positions(self):
        self.assertGreaterEqual(sum(map(len, PROMPTS)), POSITIONS_MIN)

    def test_reference_is_transformers(self):
        if not self.expected:
            self.skipTest(self.why_not)
        lines, worst = [], 0.0
        for number, (wants, facts) in enumerate(
                zip(self.expected, self.facts, strict=True)):
            relative = []
            for want, got in zip(wants, facts, strict=True):
                scale = max(abs(v) for v in want["logits"])
                relative.append(max(abs(got["logits"][str(i)] - v) / scale
                                    for i, v in zip(want["ids"], want["logits"])))
                relative.append(abs(got["lse"] - want["lse"]) / scale)
            lines.append([number, sum(relative) / len(relative), max(relative)])
            worst = max(worst, max(relative))
        print("\nreference against transformers: relative difference of the logits")
        truth.table(["prompt", "mean", "max"], lines)
        self.assertLess(worst, RELATIVE)

    def test_reference_is_the_same_row_by_row(self):
        # Positions 0..7 one by one and in one step: the KV cache and the chunk agree.
        short = [p[:8] for p in PROMPTS]
        asks = [[[] for _ in p] for p in short]
        together = truth.our_rows("ref", 8, short, asks, MODEL)
        single = truth.our_rows("ref", 1, short, asks, MODEL)
        for one, other in zip(single, together):
            for a, b in zip(one, other):
                self.assertEqual(a["top"], b["top"])
                self.assertAlmostEqual(a["lse"], b["lse"], delta=1e-3)

    def test_fast_path_is_no_further_than_llama_cpp(self):
        try:
            peer, ours = gate.judge(MODEL, PROMPTS, self.facts)
        except truth.Absent as absent:
            self.skipTest(str(absent))
        print(f"\ndistance from the f32 reference over {sum(map(len, PROMPTS))} positions: "
              "|delta log p|")
        truth.table(gate.HEAD, [d.row() for d in (peer, *ours)])
        self.assertEqual(gate.findings(peer, ours), [])


if __name__ == "__main__":
    if MISSING:
        truth.skip(MISSING)
    unittest.main(verbosity=2)
