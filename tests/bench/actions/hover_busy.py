#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a hover takes while nothing else goes on, and while the engine works with all cores.

    tests/bench/actions/hover_busy.py [--rounds N] [--model FILE] [SOURCE...]

A real daemon of its own with the default model; time from the request to its answer through the
pipe, this client's share included.  Busy: a review of the file and an explanation are always under
way, and before each hover a key is typed, so that the tree is never fresh.  The limit is 20 ms.
Prints CSV.
"""
import argparse
import json
import os
import re
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "../../..")
sys.path.insert(0, os.path.join(HERE, "../../e2e"))
import lsp_client  # noqa: E402

BUILD = os.environ.get("INLINED_BUILD", os.path.join(TOP, "build"))
LANGUAGES = {".py": "python", ".c": "c", ".h": "c", ".go": "go", ".ts": "typescript"}
NAME = re.compile(r"\b[A-Za-z_][A-Za-z_0-9]{2,}\b")


class Bench:
    def __init__(self, source, model, folder):
        with open(source, encoding="utf-8") as f:
            self.text = f.read()
        self.uri = "file://" + os.path.abspath(source)
        config = os.path.join(folder, "settings.json")
        settings = {"hover": "full", **({"model": model} if model else {})}
        with open(config, "w", encoding="utf-8") as f:
            json.dump(settings, f)
        self.client = lsp_client.Client([os.path.join(BUILD, "inlined"), "--no-daemon", "--config",
                                         config])
        self.client.initialize({"workspace": {"applyEdit": True},
                                "experimental": {"inlined": {"status": True}}})
        self.client.open(self.uri, self.text, LANGUAGES[os.path.splitext(source)[1]])
        self.version, self.work = 1, []
        lines = self.text.split("\n")
        self.names = [(i, m.start()) for i, line in enumerate(lines) for m in NAME.finditer(line)]

    def key(self):
        """A blank at the end of the file and away again."""
        last = self.text.count("\n")
        column = len(self.text.rsplit("\n", 1)[-1].encode("utf-16-le")) // 2
        for typed in (" ", ""):
            self.version += 1
            self.client.change(self.uri, self.version, {"range": {
                "start": {"line": last, "character": column},
                "end": {"line": last, "character": column + (0 if typed else 1)}}, "text": typed})

    def keep_busy(self):
        """An explanation goes on while the text changes; a review does not, and begins again."""
        self.work = [k for k in self.work if not self.client.has_answer(k)]
        line, column = self.names[len(self.names) // 2]
        place = {"line": line, "character": column}
        while len(self.work) < 4:
            action = ("explain", "reviewFile")[len(self.work) % 2]
            self.work.append(self.client.request("workspace/executeCommand", {
                "command": "inlined.action", "arguments": [
                    {"action": action, "uri": self.uri, "range": {"start": place, "end": place}}]}))

    def hover(self, number):
        line, column = self.names[number * 7919 % len(self.names)]
        before = time.perf_counter()
        self.client.call("textDocument/hover", {"textDocument": {"uri": self.uri},
                                                "position": {"line": line, "character": column}})
        return (time.perf_counter() - before) * 1000


def percentile(values, share):
    return values[min(int(len(values) * share), len(values) - 1)]


def main():
    parser = argparse.ArgumentParser(description="hovers beside a busy engine")
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--model", help="a GGUF file; else the default model")
    parser.add_argument("source", nargs="*", default=[os.path.join(TOP, "engine/worker.c"),
                                                      os.path.join(TOP, "context/refactor.c")])
    options = parser.parse_args()
    print("file,engine,hovers,p50_ms,p95_ms,p99_ms,worst_ms,over_20_ms")
    for source in options.source:
        with tempfile.TemporaryDirectory(prefix="inlined-bench-") as folder:
            bench = Bench(source, options.model, folder)
            try:
                bench.client.wait_notification("inlined/status",
                                               lambda p: p["state"] in ("ready", "error"), 120)
                for state in ("idle", "busy"):
                    taken = []
                    for i in range(options.rounds):
                        if state == "busy":
                            bench.keep_busy()
                        bench.key()
                        time.sleep(0.02)  # as fast as a hand can
                        taken.append(bench.hover(i))
                    taken.sort()
                    numbers = [percentile(taken, s) for s in (0.5, 0.95, 0.99, 1)]
                    print(",".join([os.path.basename(source), state, str(len(taken)),
                                    *(f"{n:.2f}" for n in numbers),
                                    str(sum(t > 20 for t in taken))]), flush=True)
            finally:
                bench.client.kill()


if __name__ == "__main__":
    main()
