#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every architecture against `transformers` and llama.cpp, over 1,024 positions of code as bytes.

    test_archs.py TRUTH_LOGITS

The models are those of archs_made.py, made once and kept in the cache.  For each:

1. our reference gives transformers' logits within 1e-4 of the largest, in chunks, and row by row
   over the first two prompts;
2. llama.cpp reads the same F32 file and agrees;
3. with Q8_0 matrices, our fast path is no further from our reference than llama.cpp is (mean
   and 99 % of |delta log p| over the ten best; the maximum, one number of 10,240, may be a tenth
   above llama.cpp's, whose own changes with the processor), and its choice differs only where the
   reference's two best are within 0.3.  A mixture of experts is no continuous function: where two
   experts are nearly level, any rounding may take the other one, and the choice says nothing.
   There the mean and the 99 % are compared.
"""
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile

import archs_made
import truth

try:
    import numpy as np
except ImportError:
    truth.skip("this python has no numpy")

VOCAB, TOP, FEW = archs_made.VOCAB, 10, 2
TORCH_PINS = os.path.join(truth.HERE, "../requirements-torch.txt")
MIXTURES = ("mixtral", "qwen3moe", "deepseek2", "deepseek2-old")
# With its Q8_0 matrices llama.cpp's own result for this old layout is far from its F32 one.
UNSTEADY_PEER = ("deepseek2-old",)


def models_folder(*sizes):
    """Where archs_made.py's files are; made when they are not.  sizes: its arguments."""
    code = os.path.join(truth.HERE, "data", "code.json")
    sources = [archs_made.__file__, code, TORCH_PINS]
    key = hashlib.sha256("".join(map(truth.digest, sources)).encode()).hexdigest()[:16]
    folder = os.path.join(truth.cache_folder(), "-".join(["archs", key, *sizes]))
    if os.path.isdir(folder):
        return folder
    for package in ("torch", "transformers", "gguf"):
        if importlib.util.find_spec(package) is None:
            truth.skip(f"the models are not in the cache and this python has no {package} to make "
                       "them with: ./bootstrap test installs it (unless INLINED_TORCH=0)")
    fresh = tempfile.mkdtemp(dir=truth.cache_folder())
    subprocess.run([sys.executable, archs_made.__file__, fresh, *sizes], check=True)
    try:
        os.rename(fresh, folder)
    except OSError:
        shutil.rmtree(fresh)  # another run was first
    return folder


def log_softmax(x):
    x = x.astype(np.float64)
    x -= x.max(1, keepdims=True)
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def ours(tool, path, device, rows, prompts):
    lines = "".join(",".join(map(str, p)) + "\n" for p in prompts)
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "logits")
        done = subprocess.run([tool, path, device, str(rows), out], input=lines, text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{path}: {done.stderr.strip()}")
        return np.fromfile(out, "<f4").reshape(-1, VOCAB)


def best(logs):
    return np.argsort(-logs, 1, kind="stable")[:, :TOP]


def errors(logs, reference):
    ids = best(reference)
    return np.abs(np.take_along_axis(logs, ids, 1) - np.take_along_axis(reference, ids, 1)).ravel()


def figures(e):
    return float(e.mean()), float(np.quantile(e, 0.99)), float(e.max())


class Check:
    """Judges one case after the other; `wrong` collects sentences."""

    def __init__(self, tool, folder):
        self.tool, self.folder, self.wrong, self.lines = tool, folder, [], []

    def demand(self, good, sentence):
        if not good:
            self.wrong.append(sentence)

    def path(self, case, kind=""):
        return os.path.join(self.folder, f"{case}{kind}.gguf")

    def transformers(self, case):
        """Returns the reference's log-probabilities of the F32 file."""
        want = np.fromfile(os.path.join(self.folder, f"{case}.logits"), "<f4").reshape(-1, VOCAB)
        worst, prompts = 0, archs_made.prompts()
        for rows, count in ((1, FEW), (48, len(prompts))):
            got = ours(self.tool, self.path(case), "ref", rows, prompts[:count])
            off = np.abs(got - want[:len(got)]).max() / np.abs(want).max()
            worst = max(worst, float(off))
        self.demand(worst < 1e-4, f"{case}: {worst:.1e} from transformers")
        return worst, log_softmax(got)

    def coded(self, case, device):
        path = self.path(case, "-q8")
        return log_softmax(ours(self.tool, path, device, 64, archs_made.prompts()))

    def peer(self, case, reference, theirs):
        middle = float(np.median(errors(theirs, reference)))
        self.demand(middle < 3e-3, f"{case}: llama.cpp is {middle:.1e} away")
        return middle

    def fast(self, case, reference, mine, theirs):
        a, b = figures(errors(mine, reference)), figures(errors(theirs, reference))
        changed = mine.argmax(1) != reference.argmax(1)
        two = np.sort(reference, 1)[changed]
        gap = float((two[:, -1] - two[:, -2]).max()) if changed.any() else 0.0
        self.demand(a[0] <= b[0], f"{case}: mean {a[0]:.2e} against {b[0]:.2e}")
        self.demand(a[1] <= b[1], f"{case}: 99 % {a[1]:.2e} against {b[1]:.2e}")
        if case not in MIXTURES:
            self.demand(a[2] <= 1.1 * b[2], f"{case}: max {a[2]:.2e} against {b[2]:.2e}")
            self.demand(gap <= 0.3, f"{case}: another choice where two are {gap:.2f} apart")
        return [*a, *b, gap]


def llama(check, references):
    """{(case, kind): log-probabilities, NaN where nobody asked}; None without llama.cpp."""
    prompts = archs_made.prompts()
    orders = []
    for (case, kind), logs in references.items():
        ids = best(logs).reshape(len(prompts), -1, TOP)
        count = FEW if kind == "" else len(prompts)
        orders.append({"model": check.path(case, kind), "prompts": [
            {"tokens": p, "ask": a.tolist()} for p, a in zip(prompts[:count], ids)]})
    found = {}
    for (key, logs), result in zip(references.items(), truth.llama_orders(orders), strict=True):
        if isinstance(result, dict):
            sys.exit(f"llama.cpp does not load {key}: {result['error']}")
        values = np.concatenate([np.array(rows) for rows in result])
        whole = np.full((len(values), VOCAB), np.nan)
        np.put_along_axis(whole, best(logs)[:len(values)], values, 1)
        found[key] = whole
    return found


def judge(tool, folder):
    """{"rows": of the table, "wrong": sentences}"""
    check = Check(tool, folder)
    relative, references = {}, {}
    for case in archs_made.CASES:
        relative[case], references[case, ""] = check.transformers(case)
        references[case, "-q8"] = check.coded(case, "ref")
    try:
        theirs = llama(check, references)
    except truth.Absent as absent:
        print(f"without llama.cpp: {absent}")
        theirs = None
    rows = []
    for case in archs_made.CASES:
        line = [case, relative[case]]
        if theirs:
            mine = check.coded(case, "cpu")
            plain, coded = theirs[case, ""], theirs[case, "-q8"]
            line.append(check.peer(case, references[case, ""][:len(plain)], plain))
            if case not in UNSTEADY_PEER:
                line += check.fast(case, references[case, "-q8"], mine, coded)
        rows.append(line + ["-"] * (10 - len(line)))
    return {"rows": rows, "wrong": check.wrong}


def main():
    tool, folder = sys.argv[1], models_folder()
    parts = [truth.digest(tool), folder, os.environ.get("INLINED_PEERS", ""),
             *map(truth.digest, (__file__, truth.__file__))]
    found = truth.cached(parts, lambda: judge(tool, folder))
    truth.table(["case", "ref/hf", "llama", "ours: mean", "99 %", "max", "llama.cpp: mean", "99 %",
                 "max", "gap"], found["rows"])
    print("\n".join(found["wrong"]) or f"{len(found['rows'])} cases right")
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
