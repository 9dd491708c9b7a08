# SPDX-License-Identifier: Apache-2.0
"""What the truth tests share: the model, the programs, and rows of log-probabilities.

A Row is what is known of one position: {id: log p} for the ids that were asked.  Runs are cached
under $INLINED_CACHE/truth, keyed by the bytes of everything that they depend on (model, program,
prompts), so that a second run takes a second.
"""
import hashlib
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print("SKIP: this python has no numpy; ./bootstrap test installs it")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("INLINED_BUILD") or os.path.join(HERE, "../../build")
TOP = 10
BASE = "smollm2-135m-instruct"


class Absent(Exception):
    """Something that the test needs is not here; the text says what and how to get it."""


def skip(reason):
    """The end of a test that cannot run here."""
    print(f"SKIP: {reason}")
    sys.exit(77)


def cache_folder():
    base = os.environ.get("INLINED_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "inlined")
    folder = os.path.join(base, "truth")
    os.makedirs(folder, exist_ok=True)
    return folder


def program(name="inlined"):
    path = os.path.join(BUILD, name)
    if not os.access(path, os.X_OK):
        raise Absent(f"{path} is not built")
    return path


def model_path(name=BASE):
    """A model's file: of the plain base INLINED_MODEL, else where `inlined models path` says."""
    path = os.environ.get("INLINED_MODEL") if name == BASE else None
    if not path:
        answer = subprocess.run([program(), "models", "path", name], capture_output=True,
                                text=True, check=False)
        path = answer.stdout.strip() if answer.returncode == 0 else ""
    if not path or not os.path.isfile(path):
        raise Absent(f"no model here; fetch it with: build/inlined models pull {name}"
                     + (" (or name a .gguf in INLINED_MODEL)" if name == BASE else ""))
    return path


def tokenize(name, text):
    """Token ids, special tokens by their spelling."""
    done = subprocess.run([program(), "tokenize", "-m", name, "--special", "--json", "-"],
                          input=text, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["tokens"]


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


def read_json(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def load_json(name):
    return read_json(os.path.join(HERE, "data", name))


def cached(parts, make):
    """make()'s JSON value, remembered for these parts (texts)."""
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    path = os.path.join(cache_folder(), key + ".json")
    if os.path.exists(path):
        return read_json(path)
    value = make()
    with tempfile.NamedTemporaryFile("w", dir=cache_folder(), delete=False) as f:
        json.dump(value, f)
    os.replace(f.name, path)
    return json.loads(json.dumps(value))


def row_facts(values, ask):
    highest = float(values.max())
    lse = highest + math.log(np.exp(values.astype(np.float64) - highest).sum())
    near = np.argpartition(-values, TOP)[:TOP]
    top = sorted(map(int, near), key=lambda i: (-values[i], i))
    return {"lse": lse, "top": top, "logits": {str(i): float(values[i]) for i in [*top, *ask]}}


def code_prompts(model, most=175):
    """The pieces of data/code.json as token ids of this model, each cut to `most`."""
    tool = program("tests/tokenize_tool")
    texts = [piece["text"].encode() for piece in load_json("code.json")]
    frames = b"".join(struct.pack("<I", len(t)) + t for t in texts)
    done = subprocess.run([tool, model, "--frames"], input=frames, capture_output=True, check=True)
    return [[int(i) for i in line.split()][:most] for line in done.stdout.decode().splitlines()]


def our_rows(device, rows, prompts, asks, model):
    """Facts of every position of every prompt from one of our backends."""
    tool = program("tests/truth_logits")

    def run():
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "logits")
            lines = "".join(",".join(map(str, p)) + "\n" for p in prompts)
            done = subprocess.run([tool, model, device, str(rows), out], input=lines, text=True,
                                  capture_output=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(done.stderr.strip())
            vocab = int(done.stdout.split()[0])
            found = []
            with open(out, "rb") as f:
                for prompt, ask in zip(prompts, asks):
                    facts = []
                    for wanted in ask:
                        facts.append(row_facts(np.fromfile(f, "<f4", vocab), wanted))
                    found.append(facts)
            return found
    key = [digest(tool), digest(model), device, str(rows), json.dumps(prompts), json.dumps(asks)]
    return cached(key, run)


def llama_orders(orders):
    """What llama_cpp.mjs answers to these orders; raises Absent without node or package."""
    peers = os.environ.get("INLINED_PEERS", "")
    package = os.path.join(peers, "node-llama-cpp", "package.json")
    if not peers or not os.path.isfile(package):
        raise Absent("llama.cpp is not here (npm package node-llama-cpp); bootstrap test "
                     "fetches it, or: npm ci in tests/peers, then INLINED_PEERS=.../node_modules")
    script = os.path.join(HERE, "llama_cpp.mjs")
    text = json.dumps(orders)

    def run():
        done = subprocess.run([os.environ.get("INLINED_NODE") or "node", script], input=text,
                              text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip()[-800:])
        return json.loads(done.stdout)
    return cached([digest(package), digest(script), *(digest(o["model"]) for o in orders), text],
                  run)


def llama_rows(prompts, asks, model):
    """Log-probabilities of the asked ids for each row of each prompt."""
    order = {"model": model, "prompts": [{"tokens": p, "ask": a} for p, a in zip(prompts, asks)]}
    found = llama_orders([order])[0]
    if isinstance(found, dict):
        raise RuntimeError(found["error"])
    return found


def table(head, rows):
    """Prints rows of texts and numbers under a head."""
    cells = [head] + [[f"{c:.3g}" if isinstance(c, float) else str(c) for c in r] for r in rows]
    widths = [max(len(r[i]) for r in cells) for i in range(len(head))]
    for r in cells:
        print("  ".join(c.ljust(w) if i == 0 else c.rjust(w)
                        for i, (c, w) in enumerate(zip(r, widths))))
