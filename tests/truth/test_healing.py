#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Token healing pays: the exact rest of the line at 20 cursors, with and without it.

The cursors (data/cursors.json, marked with a broken bar) stand inside words and indentation, where
a person's cursor stands while typing.  Both runs go through the engine with the same prompt, the
text before the cursor; only the `heal` flag differs.
"""
import json
import os
import subprocess
import tempfile
import unittest

import truth

MARK = "¦"
try:
    MODEL = truth.model_path()
    TOOL = truth.program("tests/truth_heal")
    MISSING = None
except truth.Absent as absent:
    MISSING = str(absent)


def cursors():
    for entry in truth.load_json("cursors.json"):
        before, after = entry["text"].split(MARK)
        yield entry["language"], before, after.split("\n")[0]


def run(way, places):
    """The engine's rest of the line at each place."""
    def make():
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for number, (_, before, _) in enumerate(places):
                files.append(os.path.join(folder, str(number)))
                with open(files[-1], "w", encoding="utf-8") as f:
                    f.write(before)
            done = subprocess.run([TOOL, MODEL, way, *files], capture_output=True, text=True,
                                  check=False)
            if done.returncode != 0:
                raise RuntimeError(done.stderr.strip())
            return [json.loads('"' + line.replace('"', '\\"') + '"')
                    for line in done.stdout.splitlines()]
    return truth.cached([truth.digest(TOOL), truth.digest(MODEL), way, json.dumps(places)], make)


class Healing(unittest.TestCase):
    def test_healing_wins(self):
        places = list(cursors())
        self.assertEqual(len(places), 20)
        plain, healed = run("plain", places), run("heal", places)
        self.assertEqual((len(plain), len(healed)), (20, 20))
        rows, scores = [], [0, 0]
        for (language, before, rest), a, b in zip(places, plain, healed):
            exact = [text.rstrip() == rest.rstrip() for text in (a, b)]
            scores = [s + e for s, e in zip(scores, exact)]
            line = before.split("\n")[-1] + MARK + rest
            rows.append([f"{language:3}{line.strip()[:44]}", "yes" if exact[0] else repr(a[:22]),
                         "yes" if exact[1] else repr(b[:22])])
        print()
        truth.table(["cursor", "plain", "healed"], rows)
        print(f"exact rest of the line: {scores[0]} of 20 without healing, {scores[1]} with it")
        self.assertGreater(scores[1], scores[0])


if __name__ == "__main__":
    if MISSING:
        truth.skip(MISSING)
    unittest.main(verbosity=2)
