#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The arithmetic is true: reference against transformers, fast path and llama.cpp against it.

1. Our scalar f32 reference gives the logits that transformers gives over the dequantised weights
   (data/transformers.json, made by transformers_expected.py), within 1e-3 relative.
2. The fast path is no further from the reference than llama.cpp is, in mean and maximum of
   |delta log p|, over the reference's best tokens and over the prompt's own next tokens.
Both over five code prompts of 64 tokens, teacher forced.
"""
import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest

import truth

RELATIVE = 1e-3
try:
    MODEL = truth.model_path()
    EXPECTED = truth.load_json("transformers.json")
    truth.program("tests/truth_logits")
    if truth.digest(MODEL) != EXPECTED["model_sha256"]:
        raise truth.Absent(f"{MODEL} is not the model that the expected values were made with")
    MISSING = None
except truth.Absent as absent:
    MISSING = str(absent)


def prompts():
    return [p["tokens"] for p in EXPECTED["prompts"]]


def reference(rows=64):
    asks = [[r["ids"] for r in p["rows"]] for p in EXPECTED["prompts"]]
    return truth.our_rows("ref", rows, prompts(), asks, MODEL)


def deltas(facts, asks, others):
    """|delta log p| of (best tokens, next tokens) between the reference and `others`."""
    best, following = [], []
    for tokens, rows, asked, theirs in zip(prompts(), facts, asks, others):
        for p, (row, ids, other) in enumerate(zip(rows, asked, theirs)):
            for i, value in zip(ids, other):
                delta = abs(row["logits"][str(i)] - row["lse"] - value)
                if i in row["top"]:
                    best.append(delta)
                if p + 1 < len(tokens) and i == tokens[p + 1]:
                    following.append(delta)
    return best, following


def figures(pair):
    return [f(d) for d in pair for f in (lambda x: sum(x) / len(x), max)]


class Truth(unittest.TestCase):
    def test_reference_is_transformers(self):
        lines, worst = [], 0.0
        for prompt, facts in zip(EXPECTED["prompts"], reference()):
            relative = []
            for want, got in zip(prompt["rows"], facts):
                scale = max(abs(v) for v in want["logits"])
                relative.append(max(abs(got["logits"][str(i)] - v) / scale
                                    for i, v in zip(want["ids"], want["logits"])))
                relative.append(abs(got["lse"] - want["lse"]) / scale)
            lines.append([prompt["name"], sum(relative) / len(relative), max(relative)])
            worst = max(worst, max(relative))
        print("\nreference against transformers: relative difference of the logits")
        truth.table(["prompt", "mean", "max"], lines)
        self.assertLess(worst, RELATIVE)

    def test_expected_values_are_what_transformers_gives(self):
        packages = ("torch", "transformers", "gguf", "numpy")
        absent = [p for p in packages if importlib.util.find_spec(p) is None]
        if absent:
            self.skipTest(f"not installed: {', '.join(absent)} (INLINED_TORCH=1 ./bootstrap test "
                          "installs them); the committed values are used as they are")
        script = os.path.join(truth.HERE, "transformers_expected.py")
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "expected.json")
            subprocess.run([sys.executable, script, MODEL,
                            os.path.join(truth.HERE, "data", "prompts.json"), out], check=True)
            made = truth.read_json(out)
        for old, new in zip(EXPECTED["prompts"], made["prompts"], strict=True):
            self.assertEqual(old["tokens"], new["tokens"])
            for a, b in zip(old["rows"], new["rows"], strict=True):
                known = dict(zip(b["ids"], b["logits"]))
                for i, value in zip(a["ids"], a["logits"]):
                    self.assertAlmostEqual(known.get(i, value), value, delta=0.01)

    def test_reference_is_the_same_row_by_row(self):
        # Positions 0..7 one by one and in one step: the KV cache and the chunk agree.
        short = [p[:8] for p in prompts()]
        asks = [[[] for _ in p] for p in short]
        together = truth.our_rows("ref", 8, short, asks, MODEL)
        single = truth.our_rows("ref", 1, short, asks, MODEL)
        for one, other in zip(single, together):
            for a, b in zip(one, other):
                self.assertEqual(a["top"], b["top"])
                self.assertAlmostEqual(a["lse"], b["lse"], delta=1e-3)

    def test_fast_path_is_no_further_than_llama_cpp(self):
        facts = reference()
        asks = [[list(dict.fromkeys(row["top"] + tokens[p + 1:p + 2]))
                 for p, row in enumerate(rows)] for tokens, rows in zip(prompts(), facts)]
        try:
            theirs = truth.llama_rows(prompts(), asks, MODEL)
        except truth.Absent as absent:
            self.skipTest(str(absent))
        llama = figures(deltas(facts, asks, theirs))
        lines, ours = [["llama.cpp"] + llama], {}
        for rows in (64, 1):
            got = truth.our_rows("cpu", rows, prompts(), asks, MODEL)
            logs = [[[row["logits"][str(i)] - row["lse"] for i in ids]
                     for row, ids in zip(r, a)] for r, a in zip(got, asks)]
            ours[rows] = figures(deltas(facts, asks, logs))
            lines.append([f"ours, {rows} rows a step"] + ours[rows])
        print("\ndistance from the f32 reference: |delta log p|")
        truth.table(["engine", "best: mean", "max", "next: mean", "max"], lines)
        for rows, numbers in ours.items():
            for what, mine, other in zip(("mean of best", "max of best", "mean of next",
                                          "max of next"), numbers, llama):
                self.assertLessEqual(mine, other, f"{what}, {rows} rows a step")


if __name__ == "__main__":
    if MISSING:
        truth.skip(MISSING)
    unittest.main(verbosity=2)
