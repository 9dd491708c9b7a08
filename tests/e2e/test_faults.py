#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One allocation of the daemon has no memory, wherever in a session that is: the daemon goes on, or
it ends with one sentence and another one takes over.  The editor notices nothing, but for -32801 on
what was asked just then.

Every run takes some allocations of a session at even distances; INLINED_FAULTS says how many (16).
"""
import os
import re
import shutil
import time
import unittest

import lsp_case
import lsp_client

FAULTS = int(os.environ.get("INLINED_FAULTS", "16"))
LIBRARY = os.path.join(os.path.abspath(lsp_case.BUILD), "tests", "fail_alloc.so")
TEXT = "def add(first, second):\n    return first + second\n\n\n" \
       "def sub(first, second):\n    return "
END = {"line": 5, "character": 11}
# How a daemon may die of it, in its log: our sentence, that of a library, a failed assertion.
LAST_WORDS = re.compile(r"out of memory|tree-sitter failed to \w+|inlined: bug: .*rc == 0")


class Faults(lsp_case.Case):
    def setUp(self):
        super().setUp()
        self.model, why = lsp_case.find_model()
        if not self.model:
            self.skipTest(why)
        if not os.path.isfile(LIBRARY):
            self.skipTest("sanitizers have an allocator of their own; the release build runs this")

    def answered(self, client, method, params=None):
        """Asked again while it falls into the pause; every question is answered once."""
        for _ in range(100):
            key = client.request(method, params, check=False)
            answer = client.wait(key)
            self.assertEqual(client.answer_counts[key], 1)
            if "result" in answer:
                return answer["result"]
            self.assertIn(answer["error"]["code"], (-32801, -32803, -32603), answer)
            time.sleep(0.02)
        self.fail(f"{method} is never answered")

    def session(self, at, runtime, mark):
        """A session as of a person; gives what the daemon's log says."""
        os.mkdir(runtime, 0o700)
        env = {"XDG_RUNTIME_DIR": runtime, "LD_PRELOAD": LIBRARY, "FAIL_ALLOC_AT": str(at),
               "FAIL_ALLOC_MARK": mark, "XDG_CACHE_HOME": os.path.join(self.folder, "cache")}
        client = lsp_client.Client([lsp_case.PROGRAM, "--stdio"], env=env, settings={
            "model": self.model, **lsp_case.QUICK})
        self.clients.append(client)
        client.initialize()
        client.open("file:///a.py", TEXT)
        end = time.monotonic() + 60
        while self.answered(client, "inlined/status")["state"] != "ready":
            self.assertLess(time.monotonic(), end, "the model is never ready")
            time.sleep(0.02)
        text = TEXT
        for version in range(2, 8):
            text += "xy"[version % 2]
            client.change("file:///a.py", version, {
                "range": {"start": {"line": 5, "character": 9 + version},
                          "end": {"line": 5, "character": 9 + version}}, "text": text[-1]})
            if version % 3 == 0:
                self.answered(client, "textDocument/inlineCompletion", client.completion_params(
                    "file:///a.py", {"line": 5, "character": 10 + version}))
        self.answered(client, "textDocument/codeAction", {
            "textDocument": {"uri": "file:///a.py"}, "context": {"diagnostics": []},
            "range": {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}})
        self.answered(client, "inlined/daemon")
        said = self.answered(client, "inlined/context/explain", {
            "textDocument": {"uri": "file:///a.py"}, "position": {"line": 5, "character": 17}})
        self.assertEqual(said["prefix"] + said["suffix"], text)
        self.assertEqual(client.close(), 0)
        told = [n["params"]["message"] for n in client.notifications
                if n["method"] == "window/showMessage" and n["params"]["type"] == 1]
        trouble = client.stderr()
        self.clients.remove(client)
        client.kill()
        self.assertEqual(lsp_case.end_daemons(runtime), [])
        with open(os.path.join(runtime, "inlined", "daemon.log"), encoding="utf-8",
                  errors="replace") as f:
            return f.read(), trouble, told

    def test_one_allocation_fails(self):
        runtime, mark = os.path.join(self.folder, "r"), os.path.join(self.folder, "mark")
        self.session(0, runtime, mark)
        with open(mark, encoding="ascii") as f:
            count = int(f.read())
        self.assertGreater(count, 1000)
        lived = died = 0
        for number in range(FAULTS):
            at = 1 + number * count // FAULTS
            with self.subTest(allocation=at):
                shutil.rmtree(runtime)
                os.unlink(mark)
                log, trouble, told = self.session(at, runtime, mark)
                ends = re.findall(r"signal=(\d+)", trouble)
                lived, died = lived + (not ends), died + bool(ends)
                # 6: it said why and gave up.  Never 11: nobody looks at memory that is not there.
                self.assertLessEqual(set(ends), {"6"}, f"{trouble}\n{log[-1500:]}")
                if ends:
                    self.assertRegex(log, LAST_WORDS)
                self.assertLessEqual(len(told), 1, told)
        print(f"\n{count} allocations, {FAULTS} of them failed: {lived} times the daemon went on, "
              f"{died} times another one took over")


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    lsp_case.main()
