# SPDX-License-Identifier: Apache-2.0
"""A person types into the middle of a file: our daemon over LSP and llama-server, in turns by key.

6,000 characters of C++ stand before the cursor and 2,400 after it; each key asks for 24 tokens,
greedily.  All see the same text and keep what they can from the key before; llama-server cuts it to
some 2,000 tokens, of which 510 are behind the cursor.  Ours is asked in three ways (WAYS), each a
daemon of its own.  None looks ahead between keys: that would be work on the card while another
answers.
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
COMPLETION = {"maxTokens": TOKENS, "multiline": "always", "confidence": 0, "cutBelow": 0,
              "speculate": False}
CONTEXT = {"crossFile": "off", "index": False}
ALL = {"prefixBytes": BEFORE + 2 * KEYS, "suffixBytes": AFTER}
# How much of the text goes into the prompt, and in which order: {name: settings}.
WAYS = {"chosen": {},
        "all, suffix first": {**ALL, "order": "spm"},
        "as llama-server's": {**ALL, "suffixBytes": 1700, "order": "psm"}}
JUDGED = ("chosen", "all, suffix first")  # the third computes the suffix again at each key


class Ours:
    def __init__(self, program, model, text, way):
        self.log = tempfile.NamedTemporaryFile("r", suffix=".log")
        self.client = lsp_client.Client(
            [program, "--no-daemon", "--model", model, "--device", "cuda", "--log-file",
             self.log.name, "--log-level", "info"],
            settings={"completion": COMPLETION, "context": {**CONTEXT, **WAYS[way]}})
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
        """What the daemon says of its answers, one {name: figure} each; empty: known already."""
        self.client.close()
        self.client.kill()
        return [{name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)\b", line)
                 if "decoded=" in line}
                for line in self.log.read().splitlines() if f"request method={METHOD} " in line]


def table(mine, theirs, computed, log):
    """{name: figure}, in milliseconds, of one way, over the keys that asked its model: where a key
    is what the last answer began with, its end is known."""
    asked = [i for i in range(1, KEYS) if log[i]]
    found = {"keys": len(asked), "ours cold": mine[0], "theirs cold": theirs[0]}
    for name, values in (("ours", [mine[i] for i in asked]), ("theirs", theirs[1:])):
        found[f"{name} p50"] = statistics.median(values)
        found[f"{name} p95"] = percentile(values, 0.95)
    found["ratio"] = found["theirs p50"] / found["ours p50"]
    for name in ("prefilled", "reused", "decoded", "queue", "context", "prefill", "decode", "post"):
        found[f"ours mean {name}"] = statistics.mean(log[i][name] for i in asked)
    found["theirs mean prefilled"] = statistics.mean(c[0] for c in computed[1:])
    found["theirs mean decoded"] = statistics.mean(c[1] for c in computed[1:])
    return found


def measure(program, model, server, text):
    """{way: {name: figure}}"""
    end = text.index(";\n", BEFORE) + 2  # a new line, as after Enter
    before, typed, after = text[end - BEFORE:end] + "    ", [], "\n" + text[end:end + AFTER]
    line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
    ours = {way: Ours(program, model, before + after, way) for way in WAYS}
    mine, theirs, computed = {way: [] for way in WAYS}, [], []
    for i in range(KEYS):
        typed.append("abcdefghijklmnopqrstuvwxyz"[i * 7 % 26])
        for way, client in ours.items():
            mine[way].append(client.ask(line, column + i, typed[-1]) * 1e3)
        seconds, timings = server.ask(before + "".join(typed), after, TOKENS)
        theirs.append(seconds * 1e3)
        computed.append((timings["prompt_n"], timings["predicted_n"]))
    found = {}
    for way, client in ours.items():
        log = client.close()
        if len(log) != KEYS or sum(map(bool, log)) < KEYS / 2:
            raise RuntimeError(f"{way}: the model was asked {sum(map(bool, log))} times by {KEYS} "
                               f"keys, {len(log)} of which the log has")
        found[way] = table(mine[way], theirs, computed, log)
    return found
