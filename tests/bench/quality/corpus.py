# SPDX-License-Identifier: Apache-2.0
"""Places in real changes: lines that people added between consecutive releases of npm and PyPI
packages (corpus.json; all MIT).  npm and pip fetch them at run time into the cache.

The state of a file is the older release with all earlier hunks of the same pair applied and the
lines of this hunk above the target line typed; the target line itself is typed up to a pause.
Pauses are where a person could look up: the start of the line, the start of each word, and two
characters into each word of five or more.
"""
import difflib
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tarfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
ENDS = {".py": "python", ".js": "javascript", ".ts": "typescript"}
SKIPPED = re.compile(r"(^|/)(dist|build|vendor|node_modules|fixtures?|_vendor|generated|min)(/|\.)|"
                     r"lock|\.min\.|configValidator|error-serializer|/wasm|version")
HUNKS_PER_FILE = 3
LINES_PER_HUNK = 2
FILE_LINES = 2000


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.path.join(base, "inlined", "bench", "packages")
    os.makedirs(folder, exist_ok=True)
    return folder


def fetch(registry, name, version):
    """Path of the package's archive."""
    folder = os.path.join(cache_folder(), f"{name.replace('/', '_')}-{version}")
    if not os.path.isdir(folder):
        os.makedirs(folder + ".new", exist_ok=True)
        command = ["npm", "pack", "--silent", f"{name}@{version}"] if registry == "npm" else \
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:",
             "--disable-pip-version-check", f"{name}=={version}"]
        subprocess.run(command, cwd=folder + ".new", check=True, stdout=subprocess.DEVNULL)
        os.rename(folder + ".new", folder)
    return os.path.join(folder, os.listdir(folder)[0])


def read_files(archive):
    """{path: text} of the sources in an archive."""
    found = {}
    if archive.endswith(".whl"):
        with zipfile.ZipFile(archive) as z:
            members = [(n, z.read(n)) for n in z.namelist() if not n.endswith("/")]
    else:
        with tarfile.open(archive) as t:
            members = [(m.name.split("/", 1)[-1], t.extractfile(m).read())
                       for m in t.getmembers() if m.isfile()]
    for path, data in members:
        if os.path.splitext(path)[1] not in ENDS or SKIPPED.search(path):
            continue
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if text.count("\n") < FILE_LINES and "\r" not in text:
            found[path] = text
    return found


def words(lines):
    return sorted(re.findall(r"\w+", "\n".join(lines)))


def hunks(old, new):
    """(line of the state, lines to type, state's lines) of each added piece, in order."""
    a, b = old.splitlines(), new.splitlines()
    state, shift = list(a), 0
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        added = b[j1:j2]
        del state[i1 + shift:i2 + shift]
        if 1 <= len(added) <= 8 and words(a[i1:i2]) != words(added):
            yield i1 + shift, added, list(state)
        state[i1 + shift:i1 + shift] = added
        shift += len(added) - (i2 - i1)


def pauses(line):
    """Offsets in a line where somebody may look up."""
    start = len(line) - len(line.lstrip())
    found = {start}
    for word in re.finditer(r"\w+", line):
        found.add(word.start())
        if len(word.group()) >= 5:
            found.add(word.start() + 2)
    return sorted(found)


def targets(registry, name, older, newer):
    """Target lines of one pair of releases."""
    before = read_files(fetch(registry, name, older))
    after = read_files(fetch(registry, name, newer))
    for path in sorted(after):
        if path not in before or before[path] == after[path]:
            continue
        rng = random.Random(f"{name} {newer} {path}")
        all_hunks = list(hunks(before[path], after[path]))
        chosen = rng.sample(all_hunks, min(HUNKS_PER_FILE, len(all_hunks)))
        for at, added, state in chosen:
            wanted = [i for i, line in enumerate(added) if len(re.findall(r"\w", line)) >= 4]
            for i in sorted(rng.sample(wanted, min(LINES_PER_HUNK, len(wanted)))):
                yield {"package": name, "version": newer, "path": path,
                       "language": ENDS[os.path.splitext(path)[1]],
                       "before": "".join(line + "\n" for line in state[:at] + added[:i]),
                       "line": added[i],
                       # what is typed after this line, then what stands there already
                       "next": added[i + 1:],
                       "after": "".join("\n" + line for line in state[at:]) + "\n"}


def load(count=None, seed=1):
    """Target lines in a random order that is the same everywhere; packages take turns."""
    with open(os.path.join(HERE, "corpus.json"), encoding="utf-8") as f:
        packages = json.load(f)
    with open(__file__, "rb") as f:
        key = hashlib.sha256(f.read() + json.dumps([packages, seed]).encode()).hexdigest()[:16]
    kept = os.path.join(cache_folder(), "..", f"targets-{key}.json")
    if not os.path.exists(kept):
        with open(kept + ".new", "w", encoding="utf-8") as f:
            json.dump(make(packages, seed), f)
        os.rename(kept + ".new", kept)
    with open(kept, encoding="utf-8") as f:
        return json.load(f)[:count]


def make(packages, seed):
    by_package = []
    for registry, names in packages.items():
        for name, versions in names.items():
            found = [t for a, b in zip(versions, versions[1:])
                     for t in targets(registry, name, a, b)]
            random.Random(f"{seed} {name}").shuffle(found)
            by_package.append(found)
    turns = max(map(len, by_package))
    mixed = [found[i] for i in range(turns) for found in by_package if i < len(found)]
    return mixed


if __name__ == "__main__":
    lines = load()
    for package in sorted({t["package"] for t in lines}):
        mine = [t for t in lines if t["package"] == package]
        print(package, len(mine), "lines,", len({(t['version'], t['path']) for t in mine}),
              "files,", sum(len(pauses(t["line"])) for t in mine), "pauses")
