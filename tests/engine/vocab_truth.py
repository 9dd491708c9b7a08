#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our ids against the published test vectors of llama.cpp's vocabularies.

    vocab_truth.py TOKENIZE_TOOL [LLAMA_CPP_FOLDER]

The folder (a clone; nothing of it is committed here) has models/ggml-vocab-NAME.gguf with .inp,
texts between separator lines, and .out, a line of ids for each.  Without a folder the clone is made
in the build folder, from the git bundle that the npm package node-llama-cpp carries
(INLINED_PEERS).  Every text of every pair must give exactly those ids, by the rules of encoding
without BOS and with special tokens as plain text.
"""
import os
import pathlib
import shutil
import struct
import subprocess
import sys

SEPARATOR = "\n__ggml_vocab_test__\n"
FAMILIES_MIN = 15
SKIP = 77


def clone_from_peers():
    """A folder with the bundle's models/, or an empty string."""
    peers, build = os.environ.get("INLINED_PEERS", ""), os.environ.get("INLINED_BUILD", "")
    bundle = pathlib.Path(peers, "node-llama-cpp/llama/gitRelease.bundle")
    if not peers or not build or not bundle.exists():
        return ""
    folder = pathlib.Path(build, "llama-vocab")
    if not folder.is_dir():
        fresh = pathlib.Path(build, f"llama-vocab-{os.getpid()}")  # two tests may want it at once
        subprocess.run(["git", "clone", "-q", "--no-checkout", bundle, fresh], check=True)
        subprocess.run(["git", "-C", fresh, "checkout", "-q", "HEAD", "--", "models"], check=True)
        shutil.rmtree(fresh / ".git")
        try:
            fresh.rename(folder)
        except OSError:
            shutil.rmtree(fresh)  # the other was first
    return str(folder)


def encode(tool, model, texts):
    frames = b"".join(struct.pack("<I", len(t)) + t for t in (s.encode() for s in texts))
    done = subprocess.run([tool, str(model), "--frames"], input=frames, capture_output=True,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode(errors="replace").strip())
    return [[int(i) for i in line.split()] for line in done.stdout.decode().split("\n")[:-1]]


def check(tool, model):
    texts = pathlib.Path(f"{model}.inp").read_bytes().decode().split(SEPARATOR)
    lines = pathlib.Path(f"{model}.out").read_bytes().decode().split("\n")
    wanted = [[int(i) for i in line.split()] for line in lines][:len(texts)]
    got = encode(tool, model, texts)
    bad = [(t, w, g) for t, w, g in zip(texts, wanted, got) if w != g]
    print(f"{model.name}: {len(texts) - len(bad)} of {len(texts)} texts right")
    for text, want, have in bad[:3]:
        print(f"  {text!r}\n    wanted {want}\n    have   {have}")
    return not bad and len(got) == len(wanted) == len(texts)


def main():
    tool, folder = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    folder = folder or clone_from_peers()
    models = sorted(p.with_suffix("") for p in pathlib.Path(folder).glob("models/*.gguf.inp"))
    if not folder or not models:
        print("SKIP: no llama.cpp vocabularies; configure with -DINLINED_LLAMA_CPP=CLONE, or with "
              "-DINLINED_PEERS=node_modules of tests/peers")
        return SKIP
    results = []
    for model in models:
        try:
            results.append(check(tool, model))
        except RuntimeError as e:
            print(f"{model.name}: {e}")
            results.append(False)
    print(f"{sum(results)} of {len(results)} vocabularies right")
    return 0 if all(results) and len(results) >= FAMILIES_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
