# SPDX-License-Identifier: Apache-2.0
"""A person types into the middle of a file: our daemon over LSP and llama-server, in turns by key.

6,000 characters of C++ stand before the cursor and 2,400 after it; each key asks for 24 tokens,
greedily.  Both see the same text, both keep what they can from the key before.
"""
import pathlib
import re
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "e2e"), str(HERE.parent / "measure")]
import lsp_client  # noqa: E402
from intervals import percentile  # noqa: E402

BEFORE, AFTER, TOKENS, KEYS = 6000, 2400, 24, 40
METHOD = "textDocument/inlineCompletion"
SETTINGS = {"completion": {"maxTokens": TOKENS, "multiline": "always", "confidence": 0,
                           "cutBelow": 0},
            "context": {"prefixBytes": BEFORE + KEYS, "suffixBytes": AFTER, "crossFile": "off",
                        "index": False}}


class Ours:
    def __init__(self, program, model, text):
        self.log = tempfile.NamedTemporaryFile("r", suffix=".log")
        self.client = lsp_client.Client(
            [program, "--no-daemon", "--model", model, "--device", "cuda", "--log-file",
             self.log.name, "--log-level", "info"], settings=SETTINGS)
        self.client.initialize()
        self.client.wait_notification("inlined/status", lambda p: p["state"] == "ready")
        self.uri, self.version = "file:///bench/file.cpp", 1
        self.client.open(self.uri, text, "cpp")

    def ask(self, line, column, typed):
        """Seconds from sending the key and the request to the answer."""
        self.version += 1
        at = {"line": line, "character": column}
        start = time.monotonic()
        self.client.change(self.uri, self.version, {"range": {"start": at, "end": at},
                                                    "text": typed})
        key = self.client.request(METHOD, self.client.completion_params(
            self.uri, {"line": line, "character": column + 1}, 2))
        self.client.wait(key)
        return time.monotonic() - start

    def close(self):
        """What the daemon says of its own answers: lists by name."""
        self.client.close()
        self.client.kill()
        found = {}
        for line in self.log.read().splitlines():
            if f"request method={METHOD} " in line:
                for name, value in re.findall(r"(\w+)=([\d.]+)\b", line):
                    found.setdefault(name, []).append(float(value))
        return found


def measure(program, model, server, text):
    """{name: figure} in milliseconds."""
    end = text.index(";\n", BEFORE) + 2  # a new line, as after Enter
    before, typed, after = text[end - BEFORE:end] + "    ", [], "\n" + text[end:end + AFTER]
    line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
    ours = Ours(program, model, before + after)
    mine, theirs, computed = [], [], []
    for i in range(KEYS):
        typed.append("abcdefghijklmnopqrstuvwxyz"[i * 7 % 26])
        mine.append(ours.ask(line, column + i, typed[-1]) * 1e3)
        seconds, timings = server.ask(before + "".join(typed), after, TOKENS)
        theirs.append(seconds * 1e3)
        computed.append((timings["prompt_n"], timings["predicted_n"]))
    log = ours.close()
    if len(log.get("decoded", [])) != KEYS:
        raise RuntimeError(f"the model was asked for {len(log.get('decoded', []))} of {KEYS} keys")
    table = {"ours cold": mine[0], "theirs cold": theirs[0]}
    for name, values in (("ours", mine[1:]), ("theirs", theirs[1:])):
        table[f"{name} p50"] = statistics.median(values)
        table[f"{name} p95"] = percentile(values, 0.95)
    for name in ("prefilled", "reused", "decoded", "queue", "context", "prefill", "decode", "post"):
        if name in log:
            table[f"ours mean {name}"] = statistics.mean(log[name][1:])
    table["theirs mean prefilled"] = statistics.mean(c[0] for c in computed[1:])
    table["theirs mean decoded"] = statistics.mean(c[1] for c in computed[1:])
    return table
