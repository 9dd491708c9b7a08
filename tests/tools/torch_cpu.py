#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes an installed CUDA build of torch importable without the CUDA packages, for CPU use only.

    torch_cpu.py PYTHON

The index carries torch for x86-64 only as a CUDA build whose libraries name a dozen CUDA libraries
(6 GB when installed).  On a machine without a GPU none of their functions is ever called, but the
loader wants every symbol.  So for each missing library a stub is compiled here: every symbol that
torch's own libraries want from it, with its version, all pointing at abort().
"""
import collections
import glob
import os
import re
import subprocess
import sys
import tempfile

NEEDED = re.compile(r"\(NEEDED\).*\[(.*)\]")
# "  12: 0000000000000000 0 FUNC GLOBAL DEFAULT UND cudaFree@libcudart.so.13 (9)"
UNDEFINED = re.compile(r"\s(NOTYPE|FUNC|OBJECT)\s+(GLOBAL|WEAK)\s+\S+\s+UND\s+"
                       r"(\S+?)(?:@+(\S+))?(?:\s|$)")
CUDA = re.compile(r"^lib(cu|nv|nccl)")
# Called while loading, so it must be the real one (3 MB).
REAL = {"libcudart.so.12", "libcudart.so.13"}
FOREIGN = re.compile(r"_?_?(cu[A-Zdbfs]|nv|nccl)")


def readelf(flag, path):
    return subprocess.run(["readelf", flag, "-W", path], check=True, capture_output=True,
                          text=True).stdout.splitlines()


def version_owners(path):
    """{version: library} of what one file wants with a version."""
    owners, library = {}, ""
    for line in readelf("-V", path):
        if m := re.search(r"File: (\S+)", line):
            library = m.group(1)
        elif m := re.search(r"Name: (\S+)", line):
            owners[m.group(1)] = library
    return owners


def wanted(folder):
    """{library: {version or "": symbols}} of what is missing in torch's folder of libraries."""
    files = [p for p in glob.glob(folder + "/*.so*") if not CUDA.match(os.path.basename(p))]
    missing, bare = collections.defaultdict(lambda: collections.defaultdict(set)), set()
    for path in files:
        libs = {m.group(1) for line in readelf("-d", path) if (m := NEEDED.search(line))}
        libs = {name for name in libs if CUDA.match(name) and name not in REAL}
        owners = version_owners(path)
        for name in libs:
            missing[name][""].update()
        for line in readelf("--dyn-syms", path):
            m = UNDEFINED.search(line)
            if not m:
                continue
            symbol, version = m.group(3), m.group(4)
            if version is None and FOREIGN.match(symbol):
                bare.add(symbol)
            elif owners.get(version) in libs:
                missing[owners[version]][version].add(symbol)
    # A symbol without a version may come from anywhere; the first stub gives them all.
    if missing:
        missing[sorted(missing)[0]][""].update(bare)
    return missing


def write_stub(folder, name, symbols):
    with tempfile.TemporaryDirectory() as tmp:
        source, script = os.path.join(tmp, "stub.S"), os.path.join(tmp, "stub.map")
        names = sorted(set().union(*symbols.values()))
        with open(source, "w", encoding="ascii") as f:
            f.write('.section .note.GNU-stack,"",@progbits\n.text\n')
            f.write("".join(f".globl {s}\n.type {s},@function\n{s}:\n" for s in names))
            f.write("jmp abort@PLT\n")
        with open(script, "w", encoding="ascii") as f:
            for version, of in symbols.items():
                if version:
                    f.write(f"{version} {{ global: {' '.join(s + ';' for s in sorted(of))} }};\n")
        # A script without versions is no script.
        extra = [f"-Wl,--version-script={script}"] if any(symbols) else []
        subprocess.run(["gcc", "-shared", "-o", os.path.join(folder, name),
                        f"-Wl,-soname,{name}", *extra, source], check=True)


def main():
    python = sys.argv[1]
    where = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_paths()['platlib'])"], check=True,
        capture_output=True, text=True).stdout.strip()
    folder = os.path.join(where, "torch", "lib")
    libs = wanted(folder)
    for name, symbols in libs.items():
        write_stub(folder, name, symbols)
        print(f"{name}: {sum(len(s) for s in symbols.values())} symbols")
    subprocess.run([python, "-c", "import torch; a = torch.eye(4); assert (a @ a).sum() == 4; "
                    "print('torch', torch.__version__, 'on the CPU')"], check=True)


if __name__ == "__main__":
    main()
