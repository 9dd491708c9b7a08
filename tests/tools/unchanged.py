#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which slow tests need not run again, because they passed with exactly these inputs.

    unchanged.py plan STORE BUILD [CTEST ARGS]     before ctest: BUILD/unchanged/exclude is its -E
    unchanged.py passed STORE BUILD                after: reads BUILD/unchanged/junit.xml
    unchanged.py fuzz STORE BUILD SECONDS          BUILD/unchanged/targets names what has to run
    unchanged.py fuzzed STORE BUILD LOG            reads fuzz.sh's "fuzz ok NAME:"
    unchanged.py sources STORE NAME PATH...        exits 0 when unchanged; --passed: notes it
    unchanged.py audit BUILD [CTEST ARGS]          runs the tests under strace and names what they
                                                   read of the tree without it being an input
    unchanged.py why BUILD TEST                    the inputs of one test, a line each

A key is a hash over everything that could change a result: the command, the programs without their
debug information, the files of the tree that the test may read, the models, the fetched tools and
servers, the versions of all system packages, kernel, processor and environment (INLINED_*).  Tests
that took less than SLOW_S always run, so do all of them with INLINED_FORCE=1 or in CI, and none is
believed for longer than DAYS: some draw random numbers, and all depend on more than files.  `ctest`
by hand never skips; only bootstrap asks.
"""
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SLOW_S = 1.0
DAYS = 7
BIG = 32 << 20  # of a larger file outside of the tree, size and time stand for its bytes
# What goes into programs, and so into their hash.
COMPILED = (".c", ".h", ".cu", ".cuh")
MODULES = ("context", "engine", "kernels", "lsp", "mcp")
# Folders of tests/ that only their own tests read, unless READS says so.
OWN = ("base", "bench", "context", "e2e", "editors", "engine", "fuzz", "kernels", "lsp", "mcp",
       "registry", "tools", "truth")
# What no test reads unless READS says so.
UNREAD = ("docs/", "editors/", "tests/fuzz/corpus/", "README.md", "LICENSE", ".github/", ".ci/",
          "bootstrap", "CMakeLists.txt")
# What a test reads beyond the rest: its name, then prefixes.
READS = [
    (r"tidy|tidy_self", ("",)),
    (r"test_refactor", (*MODULES, "editors/vscode/", "tests/demo/", "tests/e2e/")),
    (r"(mcp|e2e|registry)_.*", ("tests/e2e/", "tests/mcp/", "docs/settings.schema.json")),
    (r"(editors|vscode)_.*", ("editors/", "tests/e2e/", "docs/", "LICENSE")),
    (r"e2e_daemon", ("editors/", "docs/", "LICENSE", "CMakeLists.txt")),  # installs it all
    (r"bootstrap_.*", ("bootstrap", "tests/editors/")),
]


def sha(*parts):
    h = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        h.update(len(data).to_bytes(8, "little") + data)
    return h.hexdigest()


def output(*command):
    done = subprocess.run(command, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else b""


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, text):
    """All of it or nothing: two clones share the store."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(path), delete=False) as f:
        f.write(text)
    os.replace(f.name, path)


# ---- what a file is -----------------------------------------------------------------------------

class Files:
    """Hashes of files, remembered by size and time between the runs of one build folder."""

    def __init__(self, build=None):
        self.path = build and os.path.join(build, "unchanged", "hashes.json")
        self.known = {}
        if self.path and os.path.exists(self.path):
            self.known = json.loads(read(self.path))

    def save(self):
        if self.path:
            write(self.path, json.dumps(self.known))

    def hash(self, path):
        try:
            st = os.stat(path)
        except OSError:
            return "absent"
        if st.st_size > BIG and not path.startswith(TOP):
            return f"{st.st_size} {st.st_mtime_ns}"
        mark = f"{st.st_size} {st.st_mtime_ns} {st.st_ino}"
        if self.known.get(path, ["", ""])[0] != mark:
            self.known[path] = [mark, sha(self.content(path))]
        return self.known[path][1]

    @staticmethod
    def content(path):
        """The bytes; of a program without debug information, which names the clone's folder."""
        data = read(path)
        if data[:4] != b"\x7fELF":
            return data
        with tempfile.TemporaryDirectory() as folder:
            # For a program of another processor objcopy fails, and removes what it was to write.
            to = os.path.join(folder, "program")
            done = subprocess.run(["objcopy", "-g", "-R", ".note.gnu.build-id", path, to],
                                  capture_output=True, check=False)
            return read(to) if done.returncode == 0 else data


def is_program(path):
    return os.path.isfile(path) and (os.access(path, os.X_OK) or path.endswith(".so"))


def tree_files():
    """What git knows or would add, relative to TOP; every file where there is no git."""
    names = output("git", "-C", TOP, "ls-files", "-z", "-co", "--exclude-standard")
    if names:
        return sorted({n.decode() for n in names.split(b"\0") if n})
    found = []
    for folder, folders, files in os.walk(TOP):
        folders[:] = [f for f in folders if not f.startswith((".git", "build", "node_modules"))]
        found += [os.path.relpath(os.path.join(folder, f), TOP) for f in files]
    return sorted(found)


# ---- what belongs to every test -----------------------------------------------------------------

def models():
    """Name, size and time of each model, of which tests read some."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    found = []
    for folder, _, files in os.walk(os.path.join(data, "inlined", "models")):
        for name in sorted(files):
            st = os.stat(os.path.join(folder, name))
            if st.st_size > 1 << 20:
                found.append(f"{name} {st.st_size} {st.st_mtime_ns}")
    return sorted(found)


def machine():
    """All outside of the tree; "" where packages cannot be listed: then nothing is skipped."""
    packages = output("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n")
    if not packages:
        return ""
    cpu = ""
    if os.path.exists("/proc/cpuinfo"):
        cpu = "".join(sorted(set(re.findall(r"(?m)^(?:model name|flags|Features)\s*:.*\n",
                                            read("/proc/cpuinfo").decode()))))
    driver = "/proc/driver/nvidia/version"
    settings = {k: v.replace(TOP, "@TOP") for k, v in os.environ.items()
                if (k.startswith(("INLINED_", "LC_")) or k in ("LANG", "TZ"))
                and k not in ("INLINED_FORCE", "INLINED_JOBS")}
    return sha(packages, cpu, platform.release(), os.cpu_count(), json.dumps(models()),
               json.dumps(settings, sort_keys=True),
               read(driver) if os.path.exists(driver) else b"")


def fetched_mark(path):
    """When the fetched folder around `path` was made, or "" outside of such folders."""
    while path not in ("/", ""):
        ok = os.path.join(path, ".ok")
        if os.path.exists(ok):
            return str(os.stat(ok).st_mtime_ns)
        path = os.path.dirname(path)
    return ""


# ---- a test's inputs ----------------------------------------------------------------------------

class Tests:
    """The tests of one build folder that ctest would run with these arguments."""

    def __init__(self, build, args=()):
        self.build = os.path.abspath(build)
        self.tests = self.listed(*args)
        self.files = Files(self.build)
        self.tree = tree_files()
        self.machine = machine()
        # Of all tests: a key must not depend on which others were chosen.
        own = {t["command"][0] for t in (self.listed() if args else self.tests)}
        folders = (self.build, os.path.join(self.build, "tests"))
        # What a script may start: all of the build's programs that are not themselves tests.
        self.programs = [p for folder in folders if os.path.isdir(folder)
                         for p in (os.path.join(folder, n) for n in sorted(os.listdir(folder)))
                         if is_program(p) and p not in own
                         and not os.path.basename(p).startswith(("test_", "sim_"))]

    def listed(self, *args):
        told = json.loads(output("ctest", "--test-dir", self.build, "--show-only=json-v1", *args)
                          or '{"tests": []}')
        return [t for t in told["tests"] if t.get("command")]

    def inputs(self, test):
        """Paths of the files whose bytes decide about this test."""
        command = test["command"]
        named = [os.path.join(TOP, a) if not os.path.isabs(a) else a for a in command]
        paths = [p for p in named if os.path.isfile(p)]
        for folder in (p for p in named if os.path.isdir(p) and self.relative(p)):
            paths += self.below(self.relative(folder) + "/")
        script = next((self.relative(p) for p in paths
                       if self.relative(p)), "")
        if script:
            paths += self.programs
        elif paths:
            compiled_in = read(paths[0])  # as HOSTILE_SERVER
            paths += [p for p in self.programs if p.encode() in compiled_in]
        paths += [os.path.join(TOP, f) for f in self.tree if self.reads(test["name"], script, f)]
        return sorted(set(paths))

    def relative(self, path):
        """A path relative to TOP, or "" outside of it and in build folders."""
        inside = path.startswith(TOP + "/") and not path.startswith(self.build + "/")
        return path[len(TOP) + 1:] if inside else ""

    def below(self, prefix):
        return [os.path.join(TOP, f) for f in self.tree if f.startswith(prefix)]

    @staticmethod
    def reads(name, script, path):
        more = [p for pattern, prefixes in READS if re.fullmatch(pattern, name) for p in prefixes]
        if path.startswith(tuple(more)):
            return True
        part = path.split("/")
        own = part[0] == "tests" and len(part) > 2 and part[1] in OWN
        compiled = path.endswith(COMPILED) and (part[0] in MODULES or own and len(part) == 3)
        if not script or compiled or path.startswith(UNREAD) or part[-1] == "CMakeLists.txt":
            return False
        return not own or script.startswith(f"tests/{part[1]}/")

    def key(self, test):
        parts = [self.machine, test["name"], os.path.relpath(self.build, TOP)]
        facts = json.dumps([test["command"], test.get("properties", [])], sort_keys=True)
        parts.append(facts.replace(TOP, "@TOP"))
        for word in re.findall(r'[^"=:;]*/[^"=:;]*', facts):
            parts.append(fetched_mark(word))
        for path in self.inputs(test):
            parts += [path.replace(TOP, "@TOP"), self.files.hash(path)]
        return sha(*parts)[:16]

    def keys(self):
        found = {t["name"]: self.key(t) for t in self.tests} if self.machine else {}
        self.files.save()
        return found


# ---- the store ----------------------------------------------------------------------------------

class Store:
    """A file for each key that passed: {"name", "date"}."""

    def __init__(self, folder):
        self.folder = folder

    def date(self, key):
        """When it passed, or None."""
        path = os.path.join(self.folder, key)
        try:
            if time.time() - os.stat(path).st_mtime < DAYS * 86400:
                return json.loads(read(path))["date"]
        except (OSError, ValueError, KeyError):
            pass
        return None

    def passed(self, name, key):
        date = time.strftime("%Y-%m-%d %H:%M")
        write(os.path.join(self.folder, key), json.dumps({"name": name, "date": date}))

    def forget_old(self):
        for name in os.listdir(self.folder) if os.path.isdir(self.folder) else []:
            path = os.path.join(self.folder, name)
            if time.time() - os.stat(path).st_mtime > DAYS * 86400:
                os.unlink(path)


def is_forced():
    return bool(os.environ.get("CI")) or os.environ.get("INLINED_FORCE", "0") not in ("", "0")


def still(store, keys):
    """The names that need not run, each told on a line."""
    if is_forced():
        print("     everything runs: INLINED_FORCE or CI is set")
        return []
    found = [(n, k, store.date(k)) for n, k in sorted(keys.items())]
    for name, key, date in found:
        if date:
            print(f"     unchanged since it passed on {date} ({key}): {name}")
    return [name for name, _, date in found if date]


def scratch(build, name):
    return os.path.join(build, "unchanged", name)


def plan(store, build, *args):
    keys = Tests(build, args).keys()
    skip = still(store, keys)
    write(scratch(build, "plan.json"), json.dumps({"keys": keys, "args": args}))
    write(scratch(build, "exclude"), "^(" + "|".join(skip) + ")$" if skip else "")
    write(scratch(build, "left"), str(len(keys) - len(skip)) if keys else "all")


def note(store, build, names, now):
    """Notes passes whose inputs are still what they were before the run."""
    before = json.loads(read(scratch(build, "plan.json")))["keys"]
    for name in names:
        if name in before and before[name] == now.get(name):
            store.passed(name, before[name])
    store.forget_old()


def passed(store, build):
    args = json.loads(read(scratch(build, "plan.json")))["args"]
    cases = xml.parse(scratch(build, "junit.xml")).getroot().iter("testcase")
    names = [c.get("name") for c in cases
             if c.get("status") == "run" and float(c.get("time") or 0) >= SLOW_S]
    note(store, build, names, Tests(build, args).keys() if names else {})


def fuzz_keys(build, seconds):
    files, facts, tree = Files(build), machine(), tree_files()
    found = {}
    for name in sorted(os.listdir(os.path.join(build, "fuzz"))) if facts else []:
        program = os.path.join(build, "fuzz", name)
        if is_program(program):
            seeds = [f for f in tree if f.startswith(f"tests/fuzz/corpus/{name}/")]
            found[name] = sha(facts, seconds, name, files.hash(program), *[
                x for f in seeds for x in (f, files.hash(os.path.join(TOP, f)))])[:16]
    files.save()
    return found


def fuzz(store, build, seconds):
    keys = fuzz_keys(build, seconds)
    skip = still(store, keys)
    names = [n for n in sorted(os.listdir(os.path.join(build, "fuzz")))
             if is_program(os.path.join(build, "fuzz", n)) and n not in skip]
    write(scratch(build, "plan.json"), json.dumps({"keys": keys, "seconds": seconds}))
    write(scratch(build, "targets"), "".join(n + "\n" for n in names))


def fuzzed(store, build, log):
    seconds = json.loads(read(scratch(build, "plan.json")))["seconds"]
    names = re.findall(r"(?m)^fuzz ok ([^:]*):", read(log).decode(errors="replace"))
    note(store, build, names, fuzz_keys(build, seconds))


def sources(store, name, *paths):
    """For a job of its own: its build is skipped, too, so its key is its sources."""
    note_it, files = "--passed" in paths, Files()
    wanted = [f for f in tree_files() if any(f == p or f.startswith(p + "/") for p in paths)]
    facts = machine()
    key = sha(facts, name, *[x for f in wanted for x in (f, files.hash(os.path.join(TOP, f)))])[:16]
    if note_it:
        store.passed(name, key)
    return 0 if note_it or facts and still(store, {name: key}) else 1


# ---- is that true? ------------------------------------------------------------------------------

def opened(trace):
    """Absolute paths of the files that a trace of strace -f -y opened or started."""
    text = read(trace).decode(errors="replace")
    found = set(re.findall(r"(?m)open(?:at)?\(.*\) = \d+<([^>]+)>$", text))
    found |= set(re.findall(r'(?m)execve\("([^"]+)".* = 0$', text))
    return {os.path.realpath(p) for p in found}


def audit(build, *args):
    all_of = Tests(build, args)
    bad = 0
    for test in all_of.tests:
        environment = dict(os.environ)
        for p in test.get("properties", []):
            if p["name"] == "ENVIRONMENT":
                environment.update(v.split("=", 1) for v in p["value"])
        trace = scratch(all_of.build, "trace")
        rc = subprocess.run(["strace", "-f", "-qq", "-y", "-o", trace, "-e",
                             "trace=open,openat,execve", *test["command"]], env=environment,
                            capture_output=True, check=False, cwd=all_of.build).returncode
        counted = set(map(os.path.realpath, all_of.inputs(test)))
        ours = [*(os.path.join(TOP, f) for f in all_of.tree), *all_of.programs]
        missing = sorted(opened(trace) & set(map(os.path.realpath, ours)) - counted)
        bad += bool(missing)
        print(f"{test['name']}: exit {rc}, " + ("complete" if not missing else "reads also"))
        for path in missing:
            print("    " + os.path.relpath(path, TOP))
    return 1 if bad else 0


def why(build, name):
    all_of = Tests(build, ["-R", f"^{name}$"])
    for test in all_of.tests:
        for path in all_of.inputs(test):
            print(all_of.files.hash(path)[:16], path)
        print("key", all_of.key(test))


def main():
    jobs = {"plan": plan, "passed": passed, "fuzz": fuzz, "fuzzed": fuzzed, "sources": sources}
    if len(sys.argv) >= 4 and sys.argv[1] in jobs:
        return jobs[sys.argv[1]](Store(sys.argv[2]), *sys.argv[3:])
    if len(sys.argv) >= 3 and sys.argv[1] in ("audit", "why"):
        return {"audit": audit, "why": why}[sys.argv[1]](*sys.argv[2:])
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
