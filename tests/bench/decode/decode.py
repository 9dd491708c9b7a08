#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ours against llama.cpp: the same file, the same threads, alternating in one run.

    tests/bench/decode/decode.py MODEL.gguf ... [--threads 2] [--runs 5] [--prefill 512]
        [--decode 64] [--depth 0] [--variants auto] [--busy] [--out FOLDER]

llama.cpp is the build of the npm package that the tests use, called through its C interface from
llama_cpp.c, so that no binding is in between, with and without flash attention; --variants zen4,
haswell compares its builds for other processors as well ("auto": what it takes by itself).  A
figure of theirs is the best of these medians.  --busy keeps every core busy with another load and
says what that does to 64 tokens and what they do to the load.

Needs the built bench_decode_ours (INLINED_BUILD, default build/), cc, and the folder of npm
packages that ./bootstrap test fetches (INLINED_PEERS, default: the one the build was told).
Results go to stdout and, with --out, into DATE-decode-MACHINE.csv and .svg there, in place of older
ones of the same model.
"""
import argparse
import datetime
import hashlib
import multiprocessing
import os
import pathlib
import platform
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

import plot

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[2]
BUILD = pathlib.Path(os.environ.get("INLINED_BUILD", TOP / "build"))
COLUMNS = "model,what,figure,value,spread,unit"
PAUSE = 0.2  # seconds between two runs: their threads spin for a while after their work


class Runner:
    """One process that has loaded the model; see runner.h for what it understands."""

    def __init__(self, label, command):
        self.label = label
        self.process = subprocess.Popen([str(word) for word in command], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        answer = self.process.stdout.readline()
        if not answer.startswith("ready "):
            sys.exit(f"decode.py: {label} did not start: {shlex.join(map(str, command))}")
        self.description = answer[len("ready "):].strip()
        self.prefill, self.decode = [], []

    def ask(self, *words):
        """The two times that an order is answered with, in seconds."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if len(answer) != 2:
            sys.exit(f"decode.py: {self.label} ended in the middle of a run")
        return float(answer[0]), float(answer[1])

    def run(self, depth, prefill, decode):
        return self.ask("run", depth, prefill, decode)

    def measure(self, depth, prefill, decode):
        seconds = self.run(depth, prefill, decode)
        self.prefill.append(prefill / seconds[0])
        self.decode.append(decode / seconds[1])

    def peak_mb(self):
        """The most memory it ever had, and what of it now is its own (not the mapped file)."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return [int(re.search(rf"{key}:\s+(\d+)", text).group(1)) / 1024
                for key in ("VmHWM", "RssAnon")]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# ---- llama.cpp ----------------------------------------------------------------------------------

def peers_folder():
    if os.environ.get("INLINED_PEERS"):
        return pathlib.Path(os.environ["INLINED_PEERS"])
    cache = (BUILD / "CMakeCache.txt").read_text()
    match = re.search(r"^INLINED_PEERS:PATH=(.+)$", cache, re.M)
    if not match:
        sys.exit("decode.py: no npm packages: run ./bootstrap test, or set INLINED_PEERS")
    return pathlib.Path(match.group(1))


def build_peer(folder):
    """Compiles llama_cpp.c against the headers in the package's own git bundle.  Returns program
    and folder of the libraries."""
    peers = peers_folder()
    libraries = peers / "@node-llama-cpp/linux-x64/bins/linux-x64"
    bundle = peers / "node-llama-cpp/llama/gitRelease.bundle"
    git = ["git", f"--git-dir={folder}/bundle.git"]
    subprocess.run(["git", "clone", "-q", "--bare", bundle, f"{folder}/bundle.git"], check=True)
    subprocess.run([*git, f"--work-tree={folder}", "checkout", "-q", "HEAD", "--", "include",
                    "ggml/include"], check=True)
    program = f"{folder}/llama_cpp"
    shared = [next(libraries.glob(f"lib{name}*.so"))
              for name in ("llama.v", "ggml.v", "ggml-base")]
    subprocess.run(["cc", "-O2", f"-I{folder}/include", f"-I{folder}/ggml/include", f"-I{TOP}",
                    HERE / "llama_cpp.c", "-o", program, *shared, f"-Wl,-rpath,{libraries}"],
                   check=True)
    return program, libraries


def open_runners(model, args, peer):
    program, libraries = peer
    runners = [Runner("ours", [BUILD / "bench/bench_decode_ours", model, args.threads])]
    for variant in args.variants.split(","):
        for flash in ("1", "0"):
            cpu = [] if variant == "auto" else [variant]
            runners.append(Runner(f"llama.cpp {variant} flash={flash}",
                                  [program, model, args.threads, flash, libraries, *cpu]))
    return runners


# ---- beside another load ------------------------------------------------------------------------

def spin(count, stop):
    """A load: hashes, and counts them where the parent can see it."""
    block = bytes(65536)
    while not stop.value:
        hashlib.sha256(block).digest()
        count.value += 1


class Load:
    """One busy process per core."""

    def __init__(self, cores):
        self.stop = multiprocessing.RawValue("b", 0)
        self.counts = [multiprocessing.RawValue("q", 0) for _ in range(cores)]
        self.processes = [multiprocessing.Process(target=spin, args=(c, self.stop), daemon=True)
                          for c in self.counts]
        for process in self.processes:
            process.start()
        time.sleep(0.3)

    def speed_during(self, work):
        """Hashes per second while `work` runs, and what it returned."""
        before, start = sum(c.value for c in self.counts), time.monotonic()
        result = work()
        return (sum(c.value for c in self.counts) - before) / (time.monotonic() - start), result

    def close(self):
        self.stop.value = 1
        for process in self.processes:
            process.join()


def measure_busy(runners, args):
    """Rows of (name, idle seconds, busy seconds, factor, share of the load's speed kept)."""
    def decode(runner):
        return runner.run(0, 64, args.decode)[1]

    def medians(values):
        return statistics.median(values)

    idle = {r: medians(decode(r) for _ in range(args.runs)) for r in runners}
    load = Load(os.cpu_count())
    alone = medians(load.speed_during(lambda: time.sleep(1))[0] for _ in range(3))
    rows = []
    for runner in runners:
        # one run of a spinning peer takes minutes: one is enough to know
        runs = args.runs if runner.label == "ours" else 1
        got = [load.speed_during(lambda: decode(runner)) for _ in range(runs)]
        busy, kept = medians(g[1] for g in got), medians(g[0] for g in got) / alone
        rows.append((runner.label, idle[runner], busy, busy / idle[runner], kept))
    load.close()
    return rows


# ---- one model ----------------------------------------------------------------------------------

def spread(values):
    return f"{min(values):.1f}-{max(values):.1f}"


def compare(model, args, peer):
    runners = open_runners(model, args, peer)
    result = {"model": pathlib.Path(model).stem, "file_mb": os.path.getsize(model) / 1e6,
              "ours": runners[0].description, "theirs": runners[1].description, "rows": []}
    if args.busy:
        result["busy"] = measure_busy(runners[:2], args)
    for _ in range(0 if args.busy else args.runs):
        for runner in runners:
            runner.measure(args.depth, args.prefill, args.decode)
            time.sleep(PAUSE)
    for runner in runners:
        peak, own = runner.peak_mb()
        if not args.busy:
            result["rows"].append((runner.label, runner.prefill, runner.decode, peak, own))
        runner.close()
    return result


def best(result, column, pick=max):
    """Ours, and the best of theirs."""
    def value(row):
        return row[column] if column > 2 else statistics.median(row[column])
    return value(result["rows"][0]), pick(value(row) for row in result["rows"][1:])


def report(result, args, lines):
    model = result["model"]
    for label, prefill, decode, peak, own in result["rows"]:
        lines.append(f"{model},{label},prefill {args.prefill} @{args.depth},"
                     f"{statistics.median(prefill):.1f},{spread(prefill)},t/s")
        lines.append(f"{model},{label},decode {args.decode} @{args.depth + args.prefill},"
                     f"{statistics.median(decode):.1f},{spread(decode)},t/s")
        lines.append(f"{model},{label},peak memory,{peak:.0f},own {own:.0f},MB")
    if result["rows"]:
        for column, name in enumerate(("prefill", "decode", "peak memory"), 1):
            ours, theirs = best(result, column, min if column == 3 else max)
            lines.append(f"{model},ratio,{name},{ours / theirs:.2f},,x")
    for label, idle, busy, factor, kept in result.get("busy", []):
        lines.append(f"{model},{label},decode {args.decode} idle,{idle:.3f},,s")
        lines.append(f"{model},{label},decode {args.decode} beside a load on every core,"
                     f"{busy:.3f},{factor:.1f} x idle,s")
        lines.append(f"{model},{label},speed that the load keeps,{kept:.2f},,of alone")


# ---- all of it ----------------------------------------------------------------------------------

def machine():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
        return re.search(r"model name\s*:\s*(.+)", text).group(1)
    except (OSError, AttributeError):
        return platform.processor() or platform.machine()


def merged(path, model, lines):
    """The file's lines with this model's replaced by new ones; comments belong to their model."""
    old = path.read_text().splitlines() if path.exists() else []
    kept = [line for line in old if not line.startswith((f"{model},", f"# {model}: ", COLUMNS))]
    return [COLUMNS, *kept, *lines]


def draw(lines, title):
    """A group of bars per model and figure, relative to llama.cpp, from the file's lines."""
    cells = [line.split(",") for line in lines if not line.startswith("#")]
    groups = []
    for model, what, figure, ratio, *_ in cells:
        if what != "ratio" or figure == "peak memory":
            continue
        values = [(w, float(value)) for m, w, f, value, *_ in cells
                  if m == model and f.startswith(figure + " ")]
        ours = next(value for what, value in values if what == "ours")
        theirs = max(value for what, value in values if what != "ours")
        groups.append(plot.Group(f"{model}: {figure}", [
            plot.Bar("inlined", float(ratio), f"{ours:.0f} t/s  ({ratio}x)"),
            plot.Bar("llama.cpp", 1, f"{theirs:.0f} t/s")]))
    return plot.bars(title, groups)


def write(result, args, lines):
    slug = re.sub(r"[^a-z0-9]+", "-", machine().lower()).strip("-")
    kind = "busy" if args.busy else "decode"
    path = args.out / f"{datetime.date.today().isoformat()}-{kind}-{slug}.csv"
    lines = merged(path, result["model"], lines)
    args.out.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    if not args.busy:
        title = f"Tokens per second, {args.threads} threads, {machine()}"
        path.with_suffix(".svg").write_text(draw(lines, title))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+")
    for name, default in (("threads", 2), ("runs", 5), ("prefill", 512), ("decode", 64),
                          ("depth", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--variants", default="auto")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    options = shlex.join(w for w in sys.argv[1:] if w not in args.models)
    with tempfile.TemporaryDirectory() as folder:
        peer = build_peer(folder)
        for model in args.models:
            result = compare(model, args, peer)
            lines = [f"# {result['model']}: {machine()}, {os.cpu_count()} cores, "
                     f"{datetime.datetime.now():%Y-%m-%d %H:%M}; decode.py {options} "
                     f"{pathlib.Path(model).name}; ours: {result['ours']}; "
                     f"theirs: {result['theirs']}; medians of {args.runs} alternating runs"]
            report(result, args, lines)
            print("\n".join(lines), flush=True)
            if args.out:
                write(result, args, lines)


if __name__ == "__main__":
    main()
