#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`inlined complete` and textDocument/inlineCompletion are one path: same place, same answer."""
import json
import os
import subprocess
import unittest

import lsp_case
from test_lsp_completion import C, GO, PYTHON, TYPESCRIPT

CASES = {
    "python": (".py", PYTHON),
    "c": (".c", C),
    "typescript": (".ts", TYPESCRIPT),
    "go": (".go", GO),
    "half a word": (".c", C.replace("return |", "ret|")),
    "wide characters": (".py", "# naïve 日本語 🙂\nname = 'é🙂'\nprint(|"),
    "in a comment": (".py", "def add(a, b):\n    # add the tw|\n    return a + b\n"),
    "end of a call": (".py", "import os\n\nprint(os.getcwd()|)\n"),
}


class Same(lsp_case.ModelCase):
    def command(self, text, suffix):
        at = text.index("|")
        path = os.path.join(self.folder, "same" + suffix)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text[:at] + text[at + 1:])
        line = text.count("\n", 0, at) + 1
        column = at - (text.rfind("\n", 0, at) + 1) + 1
        done = subprocess.run(
            [os.path.abspath(lsp_case.PROGRAM), "complete", f"{path}:{line}:{column}",
             "--json", "--config", self.config], cwd="/usr",
            capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_same_answer(self):
        shown = 0
        for name, (suffix, text) in CASES.items():
            with self.subTest(name):
                answer = self.command(text, suffix)
                items, _ = self.complete_at(text, "", suffix)
                self.assertEqual([answer["text"]] if answer["shown"] else [],
                                 [i["insertText"] for i in items], answer["reason"])
                shown += answer["shown"]
        self.assertGreaterEqual(shown, 5, "nearly nothing was suggested: nothing was compared")


if __name__ == "__main__":
    unittest.main()
