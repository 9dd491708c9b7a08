#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""programs_of.py BUILD REGEX: what has to be built for the tests of these names, a target a line.

BUILD is configured, and need not be built: ctest knows no command of a program that is not there
yet, so the commands are read where CMake wrote them.  A script may start any program that is not
itself a test, so all of those are named: then the inputs that unchanged.py sees are those of a
whole build, too.  Exits 1, with a sentence on stderr, when no test has such a name.
"""
import glob
import json
import os
import re
import subprocess
import sys

# What no script starts unless its test's command names it.
OF_TESTS = re.compile(r"tests/test_.*|fuzz/.*|bench/.*")
ADD_TEST = re.compile(r"(?m)^add_test\((?:\[=*\[)?([^\]\s]+)(?:\]=*\])? (.*)\)$")


def names(build, regex):
    """The tests that ctest itself would run, whose regular expressions are not Python's."""
    told = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1", "-R", regex],
                          capture_output=True, text=True, check=True).stdout
    return {t["name"] for t in json.loads(told)["tests"]}


def commands(build):
    """The words of each test's command, by the test's name."""
    found = {}
    for path in glob.glob(os.path.join(build, "**", "CTestTestfile.cmake"), recursive=True):
        with open(path, encoding="utf-8") as f:
            for name, words in ADD_TEST.findall(f.read()):
                found[name] = re.findall(r'"([^"]*)"', words)
    return found


def programs(build):
    """Every program that the build makes, and every library that is loaded, relative to it."""
    told = subprocess.run(["ninja", "-C", build, "-t", "targets", "all"], capture_output=True,
                          text=True, check=True).stdout
    return set(re.findall(r"(?m)^(\S+): \w+_(?:EXECUTABLE|MODULE_LIBRARY)_LINKER__", told))


def programs_of(build, regex):
    wanted = names(build, regex)
    if not wanted:
        return []
    made, words_of = programs(build), commands(build)
    named = {os.path.relpath(w, build) for n in wanted for w in words_of.get(n, ())
             if w.startswith(build + "/")}
    return sorted(made & named | {p for p in made if not OF_TESTS.fullmatch(p)})


def main():
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    build = os.path.abspath(sys.argv[1])
    found = programs_of(build, sys.argv[2])
    if not found:
        print(f"no test's name matches '{sys.argv[2]}': ctest --test-dir {build} -N lists them",
              file=sys.stderr)
        return 1
    print("\n".join(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
