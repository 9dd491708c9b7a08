#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The CUDA engine on this card: checked, timed, and compared with llama.cpp, in one call.

    tests/bench/gpu/run.py --llama SOURCES --out FOLDER [--build FOLDER] [--work FOLDER]
        [--only checks,truth,speed,keys,kernels] [--models 0.5b,1.5b,3b,7b] [--llama-built FOLDER]

SOURCES of llama.cpp: a folder, a .tar archive of one, or node-llama-cpp's llama/gitRelease.bundle.
It is built here (minutes); meanwhile the models with random weights are written, and the checks
run: every kernel against the scalar reference, the engine's own tests on the card, the sanitizer;
then our side of the truth over 1,000 positions of real code, against transformers in f32, and
Nsight Compute over the kernels of two models (the compiler has the processors, they the card).
Then nothing else runs: tokens per second in turns with llama.cpp, keystrokes over LSP in turns with
llama-server, and last llama.cpp's side of the truth.

FOLDER gets speed.csv, truth.csv, keys.csv, kernels.csv, the plot and report.md.  Needs nvcc, cmake,
ninja, cc, ncu, and a Python with numpy and gguf (and torch and transformers for the truth).
--build is a build of ours (default build/) with test_cuda, test_cuda_kernels, test_card,
test_together, truth_logits, tokenize_tool, bench_decode_ours, bench_engine, bench_gpu and inlined.
"""
import argparse
import concurrent.futures
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[2]
sys.path[:0] = [str(HERE), str(HERE.parent / "decode"), str(TOP / "tests/tools"),
                str(TOP / "tests/truth")]
import peer  # noqa: E402
import plot  # noqa: E402
from decode import Runner  # noqa: E402

MODELS = {"0.5b": "q8_0", "1.5b": "q4_k_m", "3b": "q4_k_m", "7b": "q4_k_m"}
TRUTH = ("0.5b", "1.5b")
# Floor and goal of the ratio: decode, prefill of 2,048.
GOALS = {"0.5b": (2.2, 3.5, 2.0, 4), "1.5b": (2.2, 3.5, 2.5, 4), "3b": (1.8, 2.7, 2.5, 4),
         "7b": (1.4, 1.8, 2.5, 4)}
COPY = 3.03e12  # bytes a second that an H100 copies, read and written
START = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - START:5.0f} s] {text}", flush=True)


class Bench:
    def __init__(self, args):
        self.args = args
        self.out, self.work = pathlib.Path(args.out), pathlib.Path(args.work)
        self.build = pathlib.Path(args.build)
        self.out.mkdir(parents=True, exist_ok=True)
        self.work.mkdir(parents=True, exist_ok=True)
        self.wrong, self.lines = [], []
        self.references, self.distances = {}, {}  # of the truth, by model; by model and way
        self.models = args.models.split(",")

    def path(self, model):
        return self.work / f"{model}-{MODELS[model]}.gguf"

    def note(self, text):
        """A line of the report."""
        self.lines.append(text)
        print(text, flush=True)

    def table(self, name, rows):
        with open(self.out / name, "w", newline="", encoding="utf-8") as f:
            sheet = csv.DictWriter(f, list(rows[0]))
            sheet.writeheader()
            sheet.writerows(rows)

    # ---- beside each other: sources, models, checks ------------------------------------------

    def write_model(self, model):
        tool = TOP / "tests/tools/synth_gguf.py"
        vocab = self.source / "models/ggml-vocab-qwen2.gguf"
        if not self.path(model).exists():
            subprocess.run([sys.executable, tool, vocab, f"qwen2.5-{model}", MODELS[model],
                            self.path(model)], check=True, stdout=subprocess.DEVNULL)
        say(f"model {model}")

    def check(self, name, command, env=None, limit=400):
        start = time.monotonic()
        try:
            done = subprocess.run([str(c) for c in command], env={**os.environ, **(env or {})},
                                  capture_output=True, text=True, timeout=limit, check=False)
            text, ok = done.stdout + done.stderr, done.returncode == 0
        except subprocess.TimeoutExpired as e:
            text, ok = str(e.stdout or ""), False
            text += f"\nstopped after {limit} s"
        (self.out / f"{name}.log").write_text(text)
        took = time.monotonic() - start
        self.note(f"| {name} | {'passed' if ok else 'FAILED'} | {took:.0f} s |")
        if not ok:
            self.wrong.append(f"{name} failed")
            print(text[-1500:])

    def checks_alone(self):
        """They look at what memory of the card is free."""
        tests = self.build / "tests"
        self.note("\n| check | | |\n|---|---|---|")
        self.check("test_cuda", [tests / "test_cuda"])
        self.check("test_cuda without cuBLAS", [tests / "test_cuda"], {"INLINED_CUBLAS": "none"})

    def checks(self):
        """[(name, command, environment)] of those that run beside each other."""
        tests, plain = self.build / "tests", {"INLINED_CUBLAS": "none"}
        sanitizer = ["compute-sanitizer", "--error-exitcode", "9", "--tool"]
        # cuBLAS's own kernels have barriers that racecheck does not follow: ours alone there.
        # torch's threads wait spinning, which would take the compiler's processors.
        return [("test_cuda_kernels, prompts", [tests / "test_cuda_kernels", "prompts"], {}),
                ("test_cuda_kernels, token kernel", [tests / "test_cuda_kernels", "token"], {}),
                ("test_cuda_kernels, launches", [tests / "test_cuda_kernels", "launches"], {}),
                ("test_card", [tests / "test_card"], {}),
                ("test_card without cuBLAS", [tests / "test_card"], plain),
                ("test_together", [tests / "test_together"], {}),
                ("every architecture against transformers",
                 [sys.executable, TOP / "tests/truth/test_archs_card.py", tests / "truth_logits"],
                 {"INLINED_CACHE": str(self.work), "OMP_NUM_THREADS": "2"}),
                ("memcheck", [*sanitizer, "memcheck", tests / "test_cuda", "tiny"], {}),
                ("racecheck", [*sanitizer, "racecheck", tests / "test_cuda", "tiny"], plain)]

    # ---- truth --------------------------------------------------------------------------------

    def logits(self, name, command, prompts):
        """Path of the f32 logits that a program writes for the prompts."""
        out = self.work / "logits" / name
        out.parent.mkdir(exist_ok=True)
        lines = "".join(",".join(map(str, p)) + "\n" for p in prompts)
        done = subprocess.run([str(c) for c in [*command, out]], input=lines, text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{name}: {done.stderr[-600:]}")
        return out

    def prompts_of(self, model):
        import truth as tools
        tools.BUILD = str(self.build)
        return tools.code_prompts(self.path(model), 175)

    def compare_ways(self, ways):
        """Runs {(model, way): command} and keeps how far each is from transformers."""
        def one(key):
            model, way = key
            prompts = self.prompts_of(model)
            file = self.logits(f"{model} {way}", ways[key], prompts)
            done = subprocess.run([sys.executable, HERE / "distance.py", self.references[model],
                                   file], input=json.dumps(prompts), text=True,
                                  capture_output=True, check=True)
            file.unlink()
            found = {"positions": sum(map(len, prompts)), **json.loads(done.stdout)}
            say(f"truth {model} {way}: {done.stdout.strip()}")
            return key, found
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            self.distances.update(pool.map(one, ways))

    def truth_models(self):
        return [m for m in TRUTH if m in self.models]

    def truth_of_ours(self, model):
        ours, path = self.build / "tests/truth_logits", self.path(model)
        self.references[model] = self.logits(
            f"{model} reference", [sys.executable, HERE / "reference.py", path],
            self.prompts_of(model))
        ways = {(model, f"ours, {way}"): [ours, path, "cuda", rows]
                for way, rows in (("prefill", 256), ("decode", 1), ("7 rows", 7))}
        if self.args.cpu:
            ways[model, "ours on the CPU"] = [ours, path, "cpu", 64]
        self.compare_ways(ways)

    def truth(self):
        theirs, rows = self.libraries / "llama_logits", []
        self.compare_ways({(model, f"llama.cpp, {way}"):
                           [theirs, self.path(model), self.libraries, rows]
                           for model in self.truth_models()
                           for way, rows in (("prefill", 256), ("decode", 1))})
        for (model, way), found in sorted(self.distances.items()):
            rows.append({"model": model, "way": way, **found})
        self.table("truth.csv", rows)
        for model in self.truth_models():
            for way in ("prefill", "decode"):
                mine, other = (self.distances[model, f"{who}, {way}"]
                               for who in ("ours", "llama.cpp"))
                for what in ("mean_best", "mean_next", "kl"):
                    if mine[what] > other[what] * 1.02:
                        self.wrong.append(f"truth {model} {way}: {what} {mine[what]:.3g}, "
                                          f"llama.cpp's {other[what]:.3g}")

    # ---- speed --------------------------------------------------------------------------------

    def speed_of(self, model):
        path, turns = self.path(model), self.args.turns
        ours = Runner("ours", [self.build / "bench/bench_decode_ours", path, "cuda", 2048])
        engine = Runner("engine", [self.build / "bench/bench_engine", path])
        theirs = Runner("llama.cpp", [self.libraries / "llama_cpp", path, "cuda", 1,
                                      self.libraries])
        many = Runner("llama.cpp", [self.libraries / "llama_cpp", path, "cuda", 1, self.libraries,
                                    "many"])
        bytes_read = os.path.getsize(path)
        figures = [("decode", 1, 0, 128), ("decode", 1, 2048, 128), ("prefill", 32, 0, 0),
                   ("prefill", 512, 0, 0), ("prefill", 2048, 0, 0), ("prefill", 2048, 2048, 0),
                   ("together", 2, 512, 64), ("together", 4, 512, 64), ("together", 8, 512, 64)]

        def once(runner, what, n, depth, steps):
            if what == "decode":
                return steps / runner.ask("run", depth, 1, steps)[1]
            if what == "prefill":
                return n / runner.ask("run", depth, n, 0)[0]
            return n * steps / runner.ask("many", n, depth, steps)[1]
        for what, n, depth, steps in figures:
            other = many if what == "together" else theirs
            sides = {"ours": ours, "engine": engine, "llama.cpp": other}
            if what == "together":
                del sides["engine"]
            values = {name: [] for name in sides}
            for turn in range(turns + 1):
                for name, runner in sides.items():
                    value = once(runner, what, n, depth, steps)
                    if turn:
                        values[name].append(value)
            mine, base = (statistics.median(values[k]) for k in ("ours", "llama.cpp"))
            share = mine * bytes_read / COPY if what == "decode" else 0
            whole = statistics.median(values.get("engine", [mine]))
            yield {"model": model, "figure": what, "n": n, "depth": depth, "ours": round(mine, 1),
                   "through_the_engine": round(whole, 1), "llama.cpp": round(base, 1),
                   "ratio": round(mine / base, 3), "engine_ratio": round(whole / base, 3),
                   "share_of_copy": round(share, 3),
                   "spread_ours": round((max(values["ours"]) - min(values["ours"])) / mine, 3)}
        loads = [r.ask("load")[1] for r in (ours, engine, theirs)]
        yield {"model": model, "figure": "load, s", "n": 1, "depth": 0, "ours": round(loads[0], 3),
               "through_the_engine": round(loads[1], 3), "llama.cpp": round(loads[2], 3),
               "ratio": round(loads[2] / loads[0], 3),
                   "engine_ratio": round(loads[2] / loads[1], 3),
               "share_of_copy": 0, "spread_ours": 0}
        for runner in (ours, engine, theirs, many):
            runner.close()

    def speed(self):
        rows, groups = [], []
        for model in self.models:
            for row in self.speed_of(model):
                rows.append(row)
                say("  ".join(f"{k} {v}" for k, v in row.items()))
            self.table("speed.csv", rows)
        self.note("\n| model | figure | kernels | engine | llama.cpp | ratio | engine's | floor | "
                  "goal |\n|" + "---|" * 9)
        for row in rows:
            floor, goal = self.goal(row)
            ratio = row["engine_ratio"] if row["figure"] == "prefill" else row["ratio"]
            met = "" if not floor else " met" if ratio >= floor else " **missed**"
            name = f"{row['figure']} {row['n']} at {row['depth']}"
            self.note(f"| {row['model']} {MODELS[row['model']]} | {name} | {row['ours']} | "
                      f"{row['through_the_engine']} | {row['llama.cpp']} | {row['ratio']} | "
                      f"{row['engine_ratio']} | {floor or ''}{met} | {goal or ''} |")
            if met.endswith("**missed**") and floor:
                self.wrong.append(f"{row['model']} {name}: {ratio} is under {floor}")
            if row["figure"] == "decode" and row["depth"] == 0:
                groups.append(plot.Group(f"{row['model']} {MODELS[row['model']]}", [
                    plot.Bar("inlined", row["ours"], f"{row['ours']:.0f} t/s"),
                    plot.Bar("llama.cpp", row["llama.cpp"], f"{row['llama.cpp']:.0f} t/s")]))
        (self.out / "decode.svg").write_text(plot.bars(f"Decode, one sequence, {card()}", groups))

    @staticmethod
    def goal(row):
        floors = GOALS[row["model"]]
        if row["figure"] == "decode" and row["depth"] == 0:
            return floors[0], floors[1]
        if row["figure"] == "prefill" and (row["n"], row["depth"]) == (2048, 0):
            return floors[2], floors[3]
        return (1.5, 0) if row["figure"] == "together" and row["n"] == 8 else (0, 0)

    # ---- keystrokes ---------------------------------------------------------------------------

    def keys(self):
        import keys
        text = (self.source / "src/llama-vocab.cpp").read_text(encoding="utf-8")[2000:]
        text = text.encode("ascii", "replace").decode()
        rows = []
        for model in (m for m in ("1.5b", "7b") if m in self.models):
            server = peer.Server(self.libraries, self.path(model), self.out / "llama-server.log")
            try:
                found = keys.measure(self.build / "inlined", str(self.path(model)), server, text)
            finally:
                server.close()
            for way, figures in found.items():
                rows.append({"model": model, "prompt": way,
                             **{k: round(v, 2) for k, v in figures.items()}})
                say(json.dumps(rows[-1]))
                if figures["ratio"] < 3 and way in keys.JUDGED:
                    self.wrong.append(f"keystroke {model}, {way}: p50 {figures['ours p50']:.1f} ms,"
                                      f" more than a third of llama-server's "
                                      f"{figures['theirs p50']:.1f}")
        self.note("\n| keystroke | " + " | ".join(list(rows[0])[1:]) + " |")
        self.note("|---" * len(rows[0]) + "|")
        for row in rows:
            self.note("| " + " | ".join(map(str, row.values())) + " |")
        self.table("keys.csv", rows)

    # ---- kernels ------------------------------------------------------------------------------

    def kernels(self):
        import kernels
        rows = []
        for model in (m for m in TRUTH if m in self.models):
            for token in (True, False):
                rows += kernels.profile(self.build / "bench/bench_gpu", model, COPY, token)
                say(f"kernels {model}: {len(rows)} so far")
        self.table("kernels.csv", rows)
        self.note("\n| model | way | kernel | us | share of copy | tensor cores |\n|" + "---|" * 6)
        for row in sorted(rows, key=lambda r: -r["us"])[:40]:
            self.note(f"| {row['model']} | {row['way']} | {row['kernel']} {row['grid']} | "
                      f"{row['us']} | {row['share_of_copy']} | {row['tensor_cores']} |")

    # ---- all ----------------------------------------------------------------------------------

    def beside_the_build(self, models, only):
        """What needs no llama.cpp; the profiler last, when nothing else uses the card."""
        if "checks" in only:
            self.checks_alone()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            jobs = [pool.submit(self.check, *one) for one in self.checks() if "checks" in only]
            for model in models:
                model.result()
            if "truth" in only:
                jobs += [pool.submit(self.part, f"our truth of {m}", self.truth_of_ours, m)
                         for m in self.truth_models()]
            for job in jobs:
                job.result()
        if "kernels" in only:
            self.part("kernels", self.kernels)

    def part(self, name, run, *args):
        try:
            run(*args)
        except Exception as e:  # the other parts are worth having
            self.wrong.append(f"{name}: {e!r}")
            say(f"{name} stopped: {e!r}")

    def run(self):
        only = self.args.only.split(",")
        self.source = peer.unpack(self.args.llama, self.work)
        self.note(f"# {card()}\n")
        needs_peer = {"truth", "speed", "keys"} & set(only)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            jobs = [pool.submit(self.write_model, m) for m in self.models]
            if needs_peer and not self.args.llama_built:
                built = pool.submit(peer.build, self.source, self.work, capability(),
                                    self.out / "llama-build.log")
            checked = pool.submit(self.beside_the_build, jobs[:], only)
            if needs_peer:
                self.libraries = pathlib.Path(self.args.llama_built or built.result())
                say("llama.cpp is built")
            for job in [*jobs, checked]:
                job.result()
        for part in ("speed", "keys", "truth"):
            if part in only:
                self.part(part, getattr(self, part))
        self.note("\n" + "\n".join(self.wrong or ["Everything passed."]))
        (self.out / "report.md").write_text("\n".join(self.lines) + "\n")
        say("done")
        return 1 if self.wrong else 0


def smi(what):
    return subprocess.run(["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader"],
                          capture_output=True, text=True, check=True).stdout.splitlines()[0].strip()


def card():
    return smi("name,driver_version")


def capability():
    return smi("compute_cap").replace(".", "")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--llama", required=True)
    p.add_argument("--llama-built", help="its folder of programs, when it is built already")
    p.add_argument("--out", required=True)
    p.add_argument("--build", default=TOP / "build")
    p.add_argument("--work", default="/tmp/inlined-gpu")
    p.add_argument("--only", default="checks,truth,speed,keys,kernels")
    p.add_argument("--models", default=",".join(MODELS))
    p.add_argument("--turns", type=int, default=3, help="of each figure; the median counts")
    p.add_argument("--cpu", action="store_true", help="the CPU backend in the truth, too")
    return Bench(p.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
