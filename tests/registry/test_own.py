#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`inlined models add` and `rm`: people's own files get a name and lose it; what is not ours stays.

    test_own.py TINY_GGUF_TOOL         (which writes small models of any architecture)
"""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(os.environ.get("INLINED_BUILD", "build")).resolve()
BIN = BUILD / "inlined"
TOOL = sys.argv.pop(1) if len(sys.argv) > 1 else str(BUILD / "tests/tiny_gguf_tool")
KEYS = {"name", "architecture", "tier", "parameters", "quantisation", "bytes", "sha256", "licence",
        "fim", "context_tokens", "memory_bytes", "note", "file", "state", "part_bytes", "present",
        "added"}


class Own(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="inlined-own-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.models = self.folder / "data" / "inlined" / "models"
        self.file = self.folder / "My Model (v2).gguf"
        subprocess.run([TOOL, "qwen2", self.file], check=True, stdout=subprocess.DEVNULL)

    def run_models(self, *words):
        env = dict(os.environ, XDG_DATA_HOME=str(self.folder / "data"),
                   XDG_CONFIG_HOME=str(self.folder / "config"))
        return subprocess.run([BIN, "models", *words], env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=120)

    def json(self, *words):
        done = self.run_models(*words, "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.count("\n"), 1)
        return json.loads(done.stdout)

    def failed(self, code, says, *words):
        done = self.run_models(*words)
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(says, done.stderr)

    def entry(self, name):
        return next((m for m in self.json("list")["models"] if m["name"] == name), None)

    def test_added_used_and_forgotten(self):
        digest = hashlib.sha256(self.file.read_bytes()).hexdigest()
        answer = self.json("add", str(self.file))
        name = "my-model--v2-"
        self.assertEqual(set(answer), KEYS | {"path", "title", "chat_template", "missing"})
        self.assertEqual((answer["name"], answer["sha256"], answer["architecture"],
                          answer["tier"], answer["fim"], answer["state"], answer["added"]),
                         (name, digest, "qwen2", "tiny", "none", "present", True))
        self.assertTrue(any("fill-in-the-middle" in m for m in answer["missing"]), answer)
        self.assertGreater(answer["memory_bytes"], answer["bytes"])
        self.assertEqual(os.path.realpath(answer["path"]), str(self.file))
        self.assertEqual({k: self.entry(name)[k] for k in KEYS}, {k: answer[k] for k in KEYS})
        self.assertEqual(set(self.entry("inlined-fim-135m")), KEYS)
        self.assertEqual(self.run_models("verify", name).returncode, 0)
        self.assertFalse(self.json("pull", name)["fetched"])
        with open(self.file, "r+b") as f:
            f.seek(-1, os.SEEK_END)
            f.write(b"X")
        self.failed(1, "wrong SHA-256", "verify", name)
        self.assertEqual(self.json("rm", name),
                         {"name": name, "freed_bytes": 0, "forgotten": True})
        self.assertTrue(self.file.exists())
        self.assertFalse(os.path.lexists(answer["path"]))
        self.assertIsNone(self.entry(name))

    def test_names(self):
        self.run_models("add", str(self.file), "mine")
        self.failed(2, "there is a model called mine already", "add", str(self.file), "mine")
        self.failed(2, "a name has letters", "add", str(self.file), "../mine")
        self.failed(2, "a name has letters", "add", str(self.file), "Mine")
        self.failed(2, "already", "add", str(self.file), "inlined-fim-135m")
        self.failed(2, "models add needs", "add")
        self.failed(2, "models rm needs", "rm")
        self.failed(1, "did you mean mine?", "rm", "mina")
        shutil.rmtree(self.file, ignore_errors=True)

    def test_files_that_cannot_be_models(self):
        self.failed(1, "no model file", "add", "/no/such.gguf")
        bad = self.folder / "bad.gguf"
        bad.write_bytes(b"GGUF" + bytes(100))
        self.failed(1, str(bad), "add", str(bad))
        text = self.file.read_bytes().replace(b"qwen2", b"zzzz2")
        bad.write_bytes(text)
        self.failed(1, "zzzz2", "add", str(bad))
        self.assertFalse((self.models / "added.json").exists())

    def test_what_is_not_ours_stays(self):
        self.failed(2, "is yours to remove", "rm", str(self.file))
        self.failed(1, "is not here", "rm", "inlined-fim-135m")
        self.models.mkdir(parents=True)
        link = self.models / "inlined-fim-135m-q8_0.gguf"
        link.symlink_to(self.file)
        self.failed(2, "was not put there by this program", "rm", "inlined-fim-135m")
        self.assertTrue(link.is_symlink())
        link.unlink()
        link.write_bytes(b"half")  # damaged: ours to remove
        part = self.models / ".inlined-fim-135m@0123456789abcdef.part"
        part.write_bytes(b"a part")
        self.assertEqual(self.json("rm", "inlined-fim-135m")["freed_bytes"], 10)
        self.assertFalse(link.exists() or part.exists())

    def test_several_at_once(self):
        names = [f"m{i}" for i in range(6)]
        env = dict(os.environ, XDG_DATA_HOME=str(self.folder / "data"))
        children = [subprocess.Popen([BIN, "models", "add", str(self.file), n], env=env,
                                     stdout=subprocess.DEVNULL) for n in names]
        self.assertEqual([c.wait(timeout=60) for c in children], [0] * 6)
        self.assertTrue(all(self.entry(n) for n in names))

    def test_a_list_that_was_spoiled(self):
        self.models.mkdir(parents=True)
        (self.models / "added.json").write_text('{"models":[{"name":"../x"}]}')
        self.failed(1, "added.json: models[0]", "list")


if __name__ == "__main__":
    unittest.main(verbosity=1)
