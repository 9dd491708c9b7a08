#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""inlined ask, explain, review, edit with the real model: its words, but our form."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import lsp_case

RING = """class Ring:
    def __init__(self, size):
        self.items = [None] * size
        self.at = 0

    def push(self, x):
        self.items[self.at] = x
        self.at = (self.at + 1) % len(self.items)
        return x
"""


class Ask(unittest.TestCase):
    def setUp(self):
        self.model, why = lsp_case.find_model()
        if not self.model:
            self.skipTest(why)
        folder = tempfile.TemporaryDirectory(prefix="inlined-ask-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        with open(os.path.join(self.folder, "ring.py"), "w", encoding="utf-8") as f:
            f.write(RING)

    def run_it(self, *words, good=True):
        done = subprocess.run([lsp_case.PROGRAM, *words, "--model", self.model], cwd=self.folder,
                              capture_output=True, text=True, timeout=300, check=False,
                              stdin=subprocess.DEVNULL, env={**os.environ, "HOME": self.folder})
        if good:
            self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(self.folder, "ring.py"), encoding="utf-8") as f:
            self.assertEqual(f.read(), RING, "nothing is written to the file")
        self.assertNotIn("broke", done.stderr)
        return done

    def test_ask(self):
        """Some text, or (the model is small) the sentence that says why there is none."""
        done = self.run_it("ask", "ring.py:6-9", "What does push return?", "--json", good=False)
        if done.returncode == 0:
            self.assertGreater(len(json.loads(done.stdout)["text"]), 3)
        else:
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn("the model", done.stderr)

    def test_explain(self):
        """What is at a line is explained; the settings say how long that may be."""
        with open(os.path.join(self.folder, "few.json"), "w", encoding="utf-8") as f:
            json.dump({"actions": {"maxTokens": 48}}, f)
        said = json.loads(self.run_it("explain", "ring.py:6", "--config", "few.json",
                                      "--json").stdout)
        self.assertGreater(len(said["text"].strip()), 10)
        self.assertLess(len(said["text"]), 1000)

    def test_review(self):
        said = json.loads(self.run_it("review", "ring.py", "--json").stdout)
        for finding in said["findings"]:
            self.assertEqual(finding["source"], "inlined")
            self.assertLess(finding["range"]["start"]["line"], 9)

    def test_edit(self):
        """A patch that applies, or one sentence."""
        done = self.run_it("edit", "ring.py:6", "rename x to item", "--json", good=False)
        if done.returncode == 0:
            patch = json.loads(done.stdout)["patch"]
            checked = subprocess.run(["git", "apply", "--check", "-p0", "-"], input=patch,
                                     cwd=self.folder, text=True, capture_output=True, check=False)
            self.assertEqual(checked.returncode, 0, checked.stderr + patch)
        else:
            self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)

    def test_wrong(self):
        """Each ends in one sentence that says what."""
        for words, sentence in ((("explain", "nothing.py"), "nothing.py"),
                                (("explain", "ring.py:400"), "has 9 lines"),
                                (("ask", "ring.py"), "ask")):
            done = self.run_it(*words, good=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(sentence, done.stderr)


if __name__ == "__main__":
    sys.exit(unittest.main())
