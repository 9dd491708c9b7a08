#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The default model, made out of base and delta, is a plain GGUF: llama.cpp loads it and agrees.

The prompt has the form that the model was trained on (file, suffix, prefix).  llama.cpp's
log-probabilities of our reference's best tokens and of the text's own next tokens are those of our
reference, as closely as for the base model; and both choose the same next token where the two best
are not nearly even.
"""
import unittest

import truth

NAME = "inlined-fim-135m"
TEXT = ("<file_sep>src/inventory.py\n<issue_start><issue_comment>\n    return total\n<issue_closed>"
        "def total_value(items):\n    total = 0\n    for item in items:\n        total += item.")
NEARLY_EVEN = 0.3


class DefaultModel(unittest.TestCase):
    def test_llama_cpp_agrees(self):
        model = truth.model_path(NAME)
        tokens = truth.tokenize(NAME, TEXT)
        self.assertEqual([t for t in tokens if t in (5, 8, 9, 10)], [5, 8, 9, 10])
        asks = [tokens[p + 1:p + 2] for p in range(len(tokens))]
        ours = truth.our_rows("ref", 64, [tokens], [asks], model)[0]
        asks = [list(dict.fromkeys(row["top"] + ask)) for row, ask in zip(ours, asks)]
        try:
            theirs = truth.llama_rows([tokens], [asks], model)[0]
        except truth.Absent as absent:
            self.skipTest(str(absent))
        deltas = []
        for row, ids, logs in zip(ours, asks, theirs, strict=True):
            facts = {i: row["logits"][str(i)] - row["lse"] for i in ids}
            deltas += [abs(facts[i] - log) for i, log in zip(ids, logs)]
            first, second = row["top"][:2]
            if facts[first] - facts[second] > NEARLY_EVEN:
                self.assertEqual(ids[max(range(len(ids)), key=logs.__getitem__)], first)
        print(f"\nllama.cpp against our reference over {len(tokens)} positions: |delta log p| "
              f"mean {sum(deltas) / len(deltas):.3f}, max {max(deltas):.3f}")
        self.assertLess(sum(deltas) / len(deltas), 0.1)


if __name__ == "__main__":
    try:
        truth.model_path(NAME)
        truth.program("tests/truth_logits")
    except truth.Absent as missing:
        truth.skip(str(missing))
    unittest.main(verbosity=2)
