#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each exact refactoring that is possible in a sample is done; its own tests must still pass.

The samples print "good" at their end when all their checks hold.  With --go also the one in Go.
"""
import os
import shutil
import subprocess
import sys
import tempfile

BUILD = os.environ["INLINED_BUILD"]
HERE = os.path.dirname(os.path.abspath(__file__))
TOOL = os.path.join(BUILD, "tests", "refactor_tool")


def run_python(path):
    return [[sys.executable, "-B", path]]


def run_c(path):
    return [["cc", "-w", "-O0", "-o", path + ".out", path], [path + ".out"]]


def run_go(path):
    return [["go", "run", path]]


def passes(commands):
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            return False, done.stderr[-600:]
    return done.stdout.strip() == "good", done.stdout[-200:]


def check(sample, commands, least):
    source = os.path.join(HERE, "..", "data", "refactor", sample)
    good, why = passes(run_c_copy(source) if sample.endswith(".c") else commands(source))
    if not good:
        sys.exit("%s fails as it is: %s" % (sample, why))
    counts = {}
    with tempfile.TemporaryDirectory() as folder:
        lines = subprocess.run([TOOL, source, folder], capture_output=True, text=True,
                               check=True).stdout.split("\n")
        for line in filter(None, lines):
            number, kind, name = line.split(" ")
            counts[kind] = counts.get(kind, 0) + 1
            path = os.path.join(folder, number + os.path.splitext(sample)[1])
            good, why = passes(commands(path))
            if not good:
                with open(path, encoding="utf-8") as file:
                    sys.exit("%s: %s %s breaks it: %s\n%s" % (sample, kind, name, why, file.read()))
    print(sample, counts)
    for kind, n in least.items():
        if counts.get(kind, 0) < n:
            sys.exit("%s: only %d of kind %s" % (sample, counts.get(kind, 0), kind))


def run_c_copy(source):
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "sample.c")
    with open(source, encoding="utf-8") as file, open(path, "w", encoding="utf-8") as copy:
        copy.write(file.read())
    return run_c(path)


if not os.path.exists(TOOL):
    sys.exit("there is no " + TOOL)
check("bank.py", run_python, {"variable": 20, "function": 50, "inline": 1})
check("queue.c", run_c, {"variable": 8, "function": 12, "inline": 1})
# Go is on few machines, and each run of it takes as long as ten of C: all of them with --go.
if "--go" in sys.argv and shutil.which("go"):
    check("store.go", run_go, {"variable": 20, "function": 20, "inline": 1})
elif "--go" in sys.argv:
    sys.exit("there is no go")
