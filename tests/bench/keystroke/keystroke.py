#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Types real code into the daemon as a person does, and measures every answer.

    tests/bench/keystroke/keystroke.py [--models NAME,...] [--paces wait,1,2] [--peer] [--out DIR]

Each session opens a file of about 300 lines (of packages that npm and pip fetch), takes some 240
characters out of its middle and types them again.  Every key is a didChange and then a
textDocument/inlineCompletion, with no debounce.  Paces: `wait` types the next key when the answer
is there, which measures every key; 1 is human speed (log-normal gaps, median 150 ms, longer ones
before a new word; seeded); 2 is twice as fast.  With --peer the first keys of each session go to
llama-server by llama.vim's rules, too (`wait` only), on the last model's file.

Writes keys.csv (a row for each key), summary.csv and keys.svg to DIR and a table to stdout.
What the daemon reused and computed comes from its log line of each answer.
"""
import argparse
import csv
import os
import random
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..", "..")
sys.path[:0] = [os.path.join(HERE, "..", "measure"), os.path.join(HERE, "..", "quality"),
                os.path.join(TOP, "tests", "e2e")]
import bench_venv  # noqa: E402
import corpus  # noqa: E402
import curves  # noqa: E402
import lsp_client  # noqa: E402
from intervals import percentile  # noqa: E402

PACKAGES = (("pypi", "textual", "8.2.8"), ("npm", "fastify", "5.12.8"), ("pypi", "mcp", "2.3.0"))
METHOD = "textDocument/inlineCompletion"
AUTOMATIC = 2  # LSP's InlineCompletionTriggerKind
LATE_MS = 20  # an answer that crosses the next key on the wire is not stale
FIELDS = ["run", "session", "key", "gap_ms", "outcome", "ms", "cached", "shown", "stale", "reused",
          "prefilled", "decoded", "daemon", "queue", "context", "prefill", "decode", "post"]


# ---- what is typed ------------------------------------------------------------------------------

def sessions(count, characters):
    """(path, language, before, typed, after) of files of 280 to 340 lines; packages take turns."""
    found = []
    for registry, name, version in PACKAGES:
        files = corpus.read_files(corpus.fetch(registry, name, version))
        fitting = [p for p in sorted(files) if 280 <= files[p].count("\n") <= 340]
        random.Random(name).shuffle(fitting)
        found.append([(p, files[p]) for p in fitting])
    turns = [files[i] for i in range(max(map(len, found))) for files in found if i < len(files)]
    for path, text in turns[:count]:
        start = text.index("\n", len(text) // 2) + 1
        while text[start] in " \n":
            start += 1
        end = text.index("\n", start + characters)
        yield (path, corpus.ENDS[os.path.splitext(path)[1]], text[:start], text[start:end],
               text[end:])


def gaps(typed, pace, seed):
    """Seconds before each key."""
    rng = random.Random(seed)
    for i, c in enumerate(typed):
        gap = rng.lognormvariate(-1.9, 0.45)  # median 150 ms, 95 % below 315 ms
        if i and not typed[i - 1].isalnum() and c.isalnum():
            gap *= 1.5
        yield gap / pace


# ---- ours ---------------------------------------------------------------------------------------

class Editor(lsp_client.Client):
    """Stamps each answer when it is read."""

    def __init__(self, *args, **more):
        self.arrivals = {}
        super().__init__(*args, **more)

    def _receive(self, message):
        if "method" not in message:
            self.arrivals[message.get("id")] = time.monotonic()
        super()._receive(message)


def type_session(editor, number, session, pace):
    """Rows of one session; `id` in a row is the request's.  Pace 0 waits for each answer."""
    path, language, before, typed, after = session
    uri = f"file:///bench/{number}/{path}"
    editor.open(uri, before + after, language)
    rows, due = [], time.monotonic()
    line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
    for i, (gap, c) in enumerate(zip(gaps(typed, pace or 1, number), typed)):
        due += gap
        if pace:
            time.sleep(max(0, due - time.monotonic()))
        at = {"line": line, "character": column}
        changed = time.monotonic()
        editor.change(uri, i + 2, {"range": {"start": at, "end": at}, "text": c})
        line, column = (line + 1, 0) if c == "\n" else (line, column + 1)
        sent = time.monotonic()
        key = editor.request(METHOD, editor.completion_params(
            uri, {"line": line, "character": column}, AUTOMATIC))
        rows.append({"id": key, "session": number, "key": i, "gap_ms": round(gap * 1000, 1),
                     "changed": changed, "at": (line, column), "sent": sent})
        if not pace:
            editor.wait(key)
    for row in rows:
        editor.wait(row["id"])
    editor.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    judge(editor, rows)
    return rows


def judge(editor, rows):
    """Outcome, time, and whether an answer was for another text than the one it met."""
    for row, following in zip(rows, rows[1:] + [None]):
        answer = editor.answers[row["id"]]
        row["arrived"] = editor.arrivals[row["id"]]
        row["ms"] = (row["arrived"] - row["sent"]) * 1000
        row["outcome"] = "dropped" if "error" in answer else "answered"
        result = answer.get("result") or {}
        items = result["items"] if isinstance(result, dict) and result else []
        row["shown"] = int(bool(items))
        late = following and (row["arrived"] - following["changed"]) * 1000 > LATE_MS
        starts = [i["range"]["start"] for i in items if i.get("range")]
        wrong = any((s["line"], s["character"]) != row["at"] for s in starts)
        row["stale"] = int(bool(items and (late or wrong)))


def add_log(rows, log):
    """The daemon's own figures: one log line for each answer, in the order of the answers."""
    lines = [x for x in log.splitlines() if f"request method={METHOD} " in x]
    if len(lines) != len(rows):
        raise RuntimeError(f"{len(lines)} answers in the log, {len(rows)} requests")
    for row, line in zip(sorted(rows, key=lambda r: r["arrived"]), lines):
        row.update({k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)\b", line)},
                   ms=row["ms"], daemon=float(re.search(r" ms=([\d.]+)", line).group(1)))


def measure_ours(args, model, pace, chosen):
    settings = {"completion": {"multiline": "never"}}
    rows = []
    with tempfile.NamedTemporaryFile("r", suffix=".log") as log:
        editor = Editor([os.path.join(args.build, "inlined"), "--no-daemon", "--model", model,
                         "--log-file", log.name, "--log-level", "info"], settings=settings)
        try:
            editor.initialize()
            editor.wait_notification("inlined/status", lambda p: p["state"] == "ready")
            for i, session in enumerate(chosen):
                rows += type_session(editor, i, session, pace)
            editor.close()
        finally:
            editor.kill()
        add_log(rows, log.read())
    return rows


# ---- the peer -----------------------------------------------------------------------------------

def measure_peer(args, model, chosen):
    import llama_vim
    path = subprocess.run([os.path.join(args.build, "inlined"), "models", "path", model],
                          check=True, capture_output=True, text=True).stdout.strip()
    plugin = llama_vim.Plugin(llama_vim.Server(path, args.peer_threads))
    rows = []
    for number, (_, _, before, typed, after) in enumerate(chosen):
        for i in range(min(len(typed), args.peer_keys)):
            hits, asked, start = plugin.hits, plugin.asked, time.monotonic()
            text = plugin.ask(before + typed[:i + 1], after)
            row = {"session": number, "key": i, "gap_ms": 0, "outcome": "answered", "stale": 0,
                   "ms": (time.monotonic() - start) * 1000, "shown": int(text is not None)}
            if plugin.hits > hits:
                row["cached"] = 1
            elif plugin.asked > asked:
                t = plugin.timings
                row.update(prefilled=t["prompt_n"], reused=t.get("cache_n", 0),
                           decoded=t["predicted_n"], prefill=t["prompt_ms"],
                           decode=t["predicted_ms"])
            rows.append(row)
    return rows


# ---- the report ---------------------------------------------------------------------------------

def summary(run, rows):
    """One row of the table.  `fresh`: the model was asked, and the file was known already."""
    answered = [r for r in rows if r["outcome"] == "answered"]
    cached = [r["ms"] for r in answered if r.get("cached")]
    asked = [r for r in answered if "prefilled" in r]
    cold = [r["ms"] for r in asked if r["key"] == 0]
    fresh = [r for r in asked if r["key"] > 0]
    ms = [r["ms"] for r in fresh]
    prefilled, reused = (sum(r[k] for r in fresh) for k in ("prefilled", "reused"))
    n = max(len(fresh), 1)
    table = {"run": run, "keys": len(rows), "answered": len(answered),
             "dropped": len(rows) - len(answered), "stale": sum(r["stale"] for r in rows),
             "from cache %": 100 * len(cached) / max(len(answered), 1), "fresh": len(ms)}
    every = [r["ms"] for r in answered]
    for name, values in (("fresh", ms), ("cache", cached), ("answered", every), ("cold", cold)):
        for share in (0.5, 0.95, 0.99):
            table[f"{name} p{share * 100:.0f} ms"] = percentile(values, share)
    for part in ("daemon", "queue", "context", "prefill", "decode", "post"):
        table[f"fresh mean {part} ms"] = sum(r.get(part, 0) for r in fresh) / n
    table |= {"tokens computed a key": prefilled / n, "tokens reused a key": reused / n,
              "recomputed %": 100 * prefilled / max(prefilled + reused, 1),
              "tokens decoded": sum(r["decoded"] for r in fresh) / n}
    return {k: round(v, 2) if isinstance(v, float) else v for k, v in table.items()}


def write(args, runs):
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "keys.csv"), "w", newline="", encoding="utf-8") as f:
        sheet = csv.DictWriter(f, FIELDS, restval="", extrasaction="ignore")
        sheet.writeheader()
        for run, rows in runs.items():
            sheet.writerows({**row, "run": run, "ms": round(row["ms"], 2)} for row in rows)
    table = [summary(run, rows) for run, rows in runs.items()]
    with open(os.path.join(args.out, "summary.csv"), "w", newline="", encoding="utf-8") as f:
        sheet = csv.DictWriter(f, list(table[0]))
        sheet.writeheader()
        sheet.writerows(table)
    with open(os.path.join(args.out, "keys.svg"), "w", encoding="utf-8") as f:
        f.write(curves.svg("Answers while typing", {
            run: [r["ms"] for r in rows if r["outcome"] == "answered"]
            for run, rows in runs.items()}))
    return table


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default=os.path.join(TOP, "build"))
    p.add_argument("--models", default="smollm2-135m-instruct,inlined-fim-135m")
    p.add_argument("--paces", default="wait,1,2")
    p.add_argument("--sessions", type=int, default=3)
    p.add_argument("--characters", type=int, default=240)
    p.add_argument("--peer", action="store_true", help="llama-server by llama.vim's rules, too")
    p.add_argument("--peer-keys", type=int, default=15, help="of each session")
    p.add_argument("--peer-threads", type=int, default=2)
    p.add_argument("--out", default=os.path.join(TOP, "build", "bench", "keystroke"))
    args = p.parse_args()
    if args.peer:
        bench_venv.enter()
    chosen = list(sessions(args.sessions, args.characters))
    runs, models = {}, args.models.split(",")
    for model in models:
        for pace in args.paces.split(","):
            runs[f"{model} {pace}"] = measure_ours(args, model, float(pace.replace("wait", "0")),
                                                   chosen)
            write(args, runs)
    if args.peer:
        runs[f"llama.vim {models[-1]}"] = measure_peer(args, models[-1], chosen)
    table = write(args, runs)
    for key in table[0]:
        print(f"{key:24}", *(f"{str(row[key])[-28:]:>28}" for row in table))


if __name__ == "__main__":
    main()
