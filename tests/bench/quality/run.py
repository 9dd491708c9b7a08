#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks at every pause of every target line (corpus.py) and keeps what came, one JSON line each.

    tests/bench/quality/run.py --out DIR [--lines 200] [--configs fim,base,...] [--seconds 150]
    tests/bench/quality/run.py --out DIR --again OLD     what OLD holds, through today's filters

Runs in rounds of a few lines, each round with every configuration, so that whenever it is stopped
all have answered the same places; goes on where it was.  --seconds ends it after the piece of work
that runs then (exit 75: not finished).  report.py reads DIR.  Nothing here is timed.
"""
import argparse
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "measure")]
import bench_venv  # noqa: E402
import corpus  # noqa: E402
import replay  # noqa: E402

TOP = os.path.join(HERE, "..", "..", "..")
FIM, BASE = "inlined-fim-135m", "smollm2-135m-instruct"
# Everything is shown, and judged in report.py.
ALL = {"confidence": 0, "cutBelow": 0, "maxTokens": 96, "timeBudgetMs": 0}
# name: (model, settings); "peer": llama-server with llama.vim's rules; "-lsp": the daemon as an
# editor has it, over its protocol, with what it ships and without a time budget (nothing is timed).
CONFIGS = {
    "fim": (FIM, {"completion": ALL}),
    "base": (BASE, {"completion": ALL}),
    "peer": (FIM, None),
    "fim-lsp": (FIM, {"completion": {"timeBudgetMs": 0}}),
    "base-lsp": (BASE, {"completion": {"timeBudgetMs": 0}}),
    "fim-psm": (FIM, {"completion": ALL, "context": {"order": "psm"}}),
    "fim-unhealed": (FIM, {"completion": {**ALL, "healing": False}}),
    "base-unhealed": (BASE, {"completion": {**ALL, "healing": False}}),
    "fim-prefix": (FIM, {"completion": ALL, "context": {"order": "prefix"}}),
    "fim-suffix-256": (FIM, {"completion": ALL, "context": {"suffixBytes": 256}}),
    "fim-suffix-2048": (FIM, {"completion": ALL, "context": {"suffixBytes": 2048}}),
    "fim-prefix-1500": (FIM, {"completion": ALL, "context": {"prefixBytes": 1500}}),
    "base-line": (BASE, {"completion": {**ALL, "multiline": "never"}}),
}
ROUND_LINES = 20


class Ours:
    def __init__(self, build, model, settings, threads):
        self.settings = settings
        self.process = subprocess.Popen(
            [os.path.join(build, "bench", "quality_ask"), model, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def ask(self, path, before, after, kept=None):
        question = {"id": 0, "path": path, "text": before + after,
                    "offset": len(before.encode()), "settings": self.settings, **(kept or {})}
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"quality_ask ended with {self.process.wait()}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Editor:
    """The daemon over LSP: a document is opened, typed into, and asked about as editors do."""

    def __init__(self, build, model, settings, threads):
        sys.path.insert(0, os.path.join(TOP, "tests", "e2e"))
        import lsp_client
        settings = {**settings, "engine": {"threads": threads}}
        self.client = lsp_client.Client(
            [os.path.join(build, "inlined"), "--no-daemon", "--model", model], settings=settings)
        self.client.initialize()
        self.client.wait_notification("inlined/status", lambda p: p["state"] == "ready", 600)
        self.number, self.open = 0, None  # (path, before, after) as the daemon has them

    def show(self, path, before, after):
        client, was = self.client, self.open
        if was and was[0] == path and was[2] == after and before.startswith(was[1]):
            at = client.position(was[1], len(was[1]))
            self.version += 1
            client.change(self.uri, self.version,
                          {"range": {"start": at, "end": at}, "text": before[len(was[1]):]})
        else:
            if was:
                client.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})
            self.number, self.version = self.number + 1, 1
            self.uri = f"file:///bench/{self.number}/{path}"
            client.open(self.uri, before + after, corpus.ENDS[os.path.splitext(path)[1]])
        self.open = (path, before, after)

    def ask(self, path, before, after):
        self.show(path, before, after)
        start = time.monotonic()
        items = self.client.complete(self.uri, self.client.position(before, len(before)), 2, 900)
        answer = {"shown": bool(items), "reason": "" if items else "nothing"}
        if items:
            answer.update(text=items[0]["insertText"], swallows=0)
        return {"with": {"all": answer}, "ms": (time.monotonic() - start) * 1000}

    def close(self):
        self.client.close()
        self.client.kill()


KEPT = ("raw", "tokens", "logprob_mean", "logprob_min", "finish", "shape")


def filter_again(args, targets):
    """The texts that a model wrote in an earlier run, judged by the filters of this build."""
    for name in sorted(os.listdir(args.again)):  # who has no "raw" is copied
        if not name.endswith(".jsonl"):
            continue
        asker = Ours(args.build, "-", {}, 1)
        with open(os.path.join(args.again, name), encoding="utf-8") as f, \
                open(os.path.join(args.out, name), "w", encoding="utf-8") as out:
            for row in map(json.loads, f):
                t = targets[row["line"]]
                for a in row["answers"]:
                    if "raw" in a:
                        kept = {key: a[key] for key in KEPT if key in a}
                        a["with"] = asker.ask(t["path"], t["before"] + t["line"][:a["at"]],
                                              t["after"], kept)["with"]
                out.write(json.dumps(row) + "\n")
        asker.close()


class Peer:
    server = None

    def __init__(self, build, model, _, threads):
        import llama_vim
        path = subprocess.run([os.path.join(build, "inlined"), "models", "path", model],
                              check=True, capture_output=True, text=True).stdout.strip()
        Peer.server = Peer.server or llama_vim.Server(path, threads)
        self.plugin = llama_vim.Plugin(Peer.server)

    def ask(self, path, before, after):
        start = time.monotonic()
        text = self.plugin.ask(before, after)
        with_all = {"shown": text is not None, "reason": "" if text else "discarded"}
        if text is not None:
            with_all.update(text=text, swallows=0)
        return {"with": {"all": with_all}, "ms": (time.monotonic() - start) * 1000,
                "timings": self.plugin.timings}

    def close(self):
        pass


def done_count(path):
    if not os.path.exists(path):
        return 0
    with open(path, encoding="utf-8") as f:
        return sum(1 for _ in f)


def ask_line(asker, t, once):
    """Ours is asked at every pause, so that any rule can be judged later.  The peer, whose rules
    stand, is asked only where its user would be (`once`): not while a text stays on the screen."""
    answers = []

    def ask(pause):
        answer = asker.ask(t["path"], t["before"] + t["line"][:pause["at"]], t["after"])
        answers.append({**pause, **answer})
        return answer["with"]["all"].get("text")
    pauses = [{"at": at} for at in corpus.pauses(t["line"])]
    if once:
        replay.play(t["line"], pauses, ask)
    else:
        for pause in pauses:
            ask(pause)
    return answers


def run_round(args, name, targets, first, out):
    """Lines first.. of `targets` that the file does not have yet; one JSON line per target line."""
    model, settings = CONFIGS[name]
    kind = Peer if settings is None else Editor if name.endswith("-lsp") else Ours
    asker = kind(args.build, model, settings, args.threads)
    try:
        for index in range(first, min(first + ROUND_LINES, len(targets))):
            if index < done_count(out):
                continue
            t = targets[index]
            answers = ask_line(asker, t, kind is not Ours)
            row = {"line": index, "package": t["package"], "version": t["version"],
                   "path": t["path"], "language": t["language"], "text": t["line"],
                   "next": t["next"], "answers": answers}
            with open(out, "a", encoding="utf-8") as f:
                f.write(json.dumps(row) + "\n")
            if time.monotonic() > args.end:
                sys.exit(75)
    finally:
        asker.close()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default=os.path.join(TOP, "build"))
    p.add_argument("--out", required=True)
    p.add_argument("--lines", type=int, default=200)
    p.add_argument("--configs", default=",".join(CONFIGS))
    p.add_argument("--seconds", type=float, default=1e9)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--again", help="a folder of an earlier run")
    args = p.parse_args()
    args.end = time.monotonic() + args.seconds
    names = args.configs.split(",")
    if "peer" in names:
        bench_venv.enter()
    os.makedirs(args.out, exist_ok=True)
    targets = corpus.load(None if args.again else args.lines)
    if args.again:
        filter_again(args, targets)
        return
    for first in range(0, len(targets), ROUND_LINES):
        for name in names:
            out = os.path.join(args.out, name + ".jsonl")
            if done_count(out) < min(first + ROUND_LINES, len(targets)):
                run_round(args, name, targets, first, out)


if __name__ == "__main__":
    main()
