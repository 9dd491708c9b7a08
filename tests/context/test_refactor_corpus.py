#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A variable that is extracted and inlined again leaves the syntax tree as it was, in real code.

    test_refactor_corpus.py DEPS              a sample of the packages that the tests use anyway
    test_refactor_corpus.py DEPS FOLDER...    all files below these folders; 200 places of each

DEPS is the folder of tree-sitter and its grammars.  The sample is chosen by size and name alone, so
that it is the same one wherever the packages are.  None of them is written in Go: our sample is
there for it, and by hand the folder of Go's own library.
"""
import os
import subprocess
import sys
import sysconfig
import time

BUILD = os.environ["INLINED_BUILD"]
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..")
TOOL = os.path.join(BUILD, "tests", "refactor_corpus")
ENDINGS = (".c", ".go", ".js", ".mjs", ".py", ".ts", ".tsx")
LEFT_OUT = ("site-packages", "dist-packages", "test")
AT_LEAST = {"c": 20, "go": 5, "javascript": 30, "python": 30, "typescript": 30}
LEAST, MOST = 4_000, 16_000  # bytes of a file


def files(folder, ending, count, everything=False):
    """Files with this ending, by name, evenly chosen."""
    found = []
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in LEFT_OUT)
        for name in sorted(names):
            path = os.path.join(at, name)
            if not name.endswith(ending) or name.endswith((".d.ts", ".min.js")):
                continue
            if os.path.islink(path):
                continue
            size = os.path.getsize(path)
            if everything and size < 1_000_000 or LEAST <= size <= MOST:
                found.append(path)
    if everything or len(found) <= count:
        return found
    return [found[i * len(found) // count] for i in range(count)]


def sample(deps):
    npm = os.environ.get("INLINED_MCP_NPM", "")
    chosen = files(deps, ".c", 20)
    chosen += files(sysconfig.get_paths()["purelib"], ".py", 12)
    chosen += [os.path.join(TOP, "tests", "data", "refactor", name)
               for name in ("bank.py", "queue.c", "store.go")]
    if npm:
        chosen += files(os.path.join(npm, "zod", "src"), ".ts", 10)
        chosen += files(npm, ".js", 12)
    else:
        print("INLINED_MCP_NPM is not set: no npm packages in the sample")
    return chosen


def main():
    if not os.path.exists(TOOL):
        sys.exit("there is no " + TOOL)
    deps, folders = sys.argv[1], sys.argv[2:]
    chosen, most = sample(deps), "8"
    if folders:
        chosen = [f for folder in folders for e in ENDINGS for f in files(folder, e, 0, True)]
        most = "200"
    started, bad, sums = time.monotonic(), [], {}
    for i in range(0, len(chosen), 20):
        done = subprocess.run([TOOL, most, *chosen[i:i + 20]], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            bad.append(f"exit status {done.returncode}: {done.stderr[-3000:]}")
        for line in done.stdout.splitlines():
            language, extracted, same, outside, _ = line.split(" ", 4)
            old = sums.get(language, (0, 0, 0, 0))
            sums[language] = (old[0] + 1, old[1] + int(extracted), old[2] + int(same),
                              old[3] + int(outside))
    for language, (n, extracted, same, outside) in sorted(sums.items()):
        print(f"{language}: {n} files, {extracted} variables extracted, {same} inlined to the same "
              f"tree, {outside} outside of functions or in broken files, where nothing is")
    print(f"{time.monotonic() - started:.1f} s")
    if bad:
        sys.exit("\n".join(bad))
    for language, least in ({} if folders else AT_LEAST).items():
        if sums.get(language, (0, 0, 0, 0))[2] < least:
            sys.exit(f"{language}: fewer than {least} round trips")


main()
