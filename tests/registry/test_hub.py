#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`inlined models pull` from a hub that drops, lies, stalls, redirects and refuses.

After each pull the models folder holds the right file, or none; what stays for the next pull is a
hidden part that nothing takes for the model.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import hub_server

BUILD = pathlib.Path(os.environ.get("INLINED_BUILD", "build")).resolve()
BIN = str(BUILD / "inlined")
DATA = bytes((i * 7 + (i >> 8)) & 255 for i in range(700_000))
TOKEN = "hf_secret"


class HubCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="inlined-hub-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.models = pathlib.Path(self.folder) / "inlined" / "models"
        self.file = self.models / "big.gguf"

    def serve(self, data=DATA, listed=True, **wishes):
        """Starts a hub and writes the user's list; `listed`: with size and SHA-256."""
        hub = hub_server.Hub(data, **wishes).__enter__()
        self.addCleanup(hub.__exit__)
        self.entry = {"name": "big", "file": "big.gguf", "fim": "none", "context_tokens": 99,
                      "sources": [{"kind": "hf", "repo": "Owner/Big-GGUF", "file": "sub/big.gguf"}]}
        if listed:
            self.entry.update(bytes=len(DATA), sha256=hub_server.hashlib.sha256(DATA).hexdigest())
        self.write_list(hub.url)
        return hub

    def write_list(self, endpoint):
        config = pathlib.Path(self.folder) / "config" / "inlined"
        config.mkdir(parents=True, exist_ok=True)
        (config / "models.json").write_text(
            json.dumps({"endpoint": endpoint, "models": [self.entry]}))

    def environment(self, **more):
        env = {k: v for k, v in os.environ.items()
               if not k.lower().endswith("_proxy") and not k.startswith("HF_")}
        return {**env, "XDG_DATA_HOME": self.folder, "INLINED_STALL_S": "1",
                "XDG_CONFIG_HOME": os.path.join(self.folder, "config"), **more}

    def start(self, *words, **env):
        return subprocess.Popen([BIN, "models", *words], env=self.environment(**env),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def pull(self, **env):
        child = self.start("pull", "big", "--json", **env)
        out, errors = child.communicate(timeout=60)
        return child.returncode, out, errors

    def said(self, *words):
        """What a command says on stderr."""
        return self.start(*words).communicate(timeout=60)[1]

    def parts(self):
        return sorted(self.models.glob(".*.part"))

    def good(self, hub, **env):
        code, out, errors = self.pull(**env)
        self.assertEqual(code, 0, errors)
        self.assertEqual(self.file.read_bytes(), hub.data)
        self.assertEqual(self.parts(), [])
        return json.loads(out)

    def bad(self, says, part=0, code=1, **env):
        """It fails with one sentence; `part` bytes stay for the next try."""
        have, out, errors = self.pull(**env)
        self.assertEqual((have, out), (code, ""), errors)
        last = errors.strip().split("\n")[-1]
        self.assertTrue(last.startswith("inlined: "), errors)
        self.assertIn(says, last)
        self.assertNotIn(TOKEN, errors)
        self.assertFalse(self.file.exists())
        self.assertEqual([p.stat().st_size for p in self.parts()], [part] if part else [])
        listed = subprocess.run([BIN, "models", "path", "big", "--json"], capture_output=True,
                                env=self.environment(), check=True)
        self.assertFalse(json.loads(listed.stdout)["present"])
        return last


class Whole(HubCase):
    def test_fetched_checked_and_found(self):
        hub = self.serve()
        self.assertTrue(self.good(hub)["fetched"])
        self.assertEqual([r["method"] for r in hub.log], ["HEAD", "GET", "GET"])
        self.assertEqual(hub.log[0]["path"], "/Owner/Big-GGUF/resolve/main/sub/big.gguf")
        self.assertFalse(self.good(hub)["fetched"], "it is there")
        self.assertEqual(len(hub.log), 3)

    def test_the_hub_names_the_checksum_and_it_is_recorded(self):
        hub = self.serve(listed=False)
        self.assertEqual(self.good(hub)["sha256"], hub.sha256)
        record = self.models / "big.gguf.sha256"
        self.assertIn("c0ffee", record.read_text())
        subprocess.run(["sha256sum", "-c", record.name], cwd=self.models, check=True,
                       capture_output=True)
        self.assertIn("SHA-256 right", self.said("verify", "big"))
        with open(self.file, "r+b") as f:
            f.write(b"X")
        self.assertIn("wrong SHA-256", self.said("verify", "big"))
        self.assertTrue(self.good(hub)["fetched"], "mended")
        record.unlink()
        self.assertIn("its record is missing", self.said("verify", "big"))

    def test_a_mirror_that_knows_neither_head_nor_redirects(self):
        self.good(self.serve(direct=True, no_head=True, linked=False))

    def test_endpoint_from_the_environment_wins(self):
        hub = self.serve()
        self.write_list("http://127.0.0.1:9")
        self.good(hub, HF_ENDPOINT=hub.url + "/")
        os.remove(self.file)
        self.bad("no address", code=2, HF_ENDPOINT="ftp://x")

    def test_progress_with_time_left(self):
        self.serve(rate=500_000)
        code, _, errors = self.pull()
        self.assertEqual(code, 0)
        self.assertIn("fetching big", errors)
        self.assertRegex(errors, r"\d+ s left")


class Token(HubCase):
    def test_only_the_endpoint_sees_it(self):
        hub = self.serve(redirects=2)
        self.good(hub, HF_TOKEN=TOKEN)
        own, other = (s.server_port for s in hub.servers)
        self.assertEqual({r["token"] for r in hub.log if r["port"] == own}, {f"Bearer {TOKEN}"})
        self.assertEqual({r["token"] for r in hub.log if r["port"] == other}, {None})

    def test_none_without_one(self):
        hub = self.serve()
        self.good(hub)
        self.assertEqual({r["token"] for r in hub.log}, {None})

    def test_gated(self):
        hub = self.serve(head_code=[401])
        self.bad("HF_TOKEN")
        hub.plan = hub_server.Plan(head_code=[403], headers={"X-Error-Code": "GatedRepo"})
        self.assertIn("/Owner/Big-GGUF", self.bad("accept its licence", HF_TOKEN=TOKEN))
        hub.plan = hub_server.Plan(head_code=[401])
        self.bad("does not take HF_TOKEN", HF_TOKEN=TOKEN)
        self.bad("something else than a token", code=2, HF_TOKEN="a b")


class Trouble(HubCase):
    def test_dropped_and_resumed(self):
        hub = self.serve(cut=[200_000, 1, 300_000])
        self.good(hub)
        self.assertEqual([r["range"] for r in hub.gets()],
                         [None, "bytes=200000-", "bytes=200001-", "bytes=500001-"])

    def test_a_part_is_taken_up_by_the_next_pull(self):
        hub = self.serve(cut=[250_000] + [0] * 9)
        self.bad("goes on where it stopped", part=250_000)
        listed = json.loads(subprocess.run(
            [BIN, "models", "list", "--json"], capture_output=True, env=self.environment(),
            check=True).stdout)
        big = next(m for m in listed["models"] if m["name"] == "big")
        self.assertEqual((big["state"], big["part_bytes"]), ("partial", 250_000))
        hub.plan, hub.log[:] = hub_server.Plan(), []
        self.good(hub)
        self.assertEqual([r["range"] for r in hub.gets()], ["bytes=250000-"])

    def test_a_server_that_does_not_resume(self):
        hub = self.serve(cut=[400_000], ranges=False)
        self.good(hub)
        self.assertEqual(len(hub.gets()), 2)

    def test_a_server_that_never_gets_further(self):
        hub = self.serve(cut=[1000] * 50, ranges=False)
        self.bad("broke again and again", part=1000)
        self.assertLess(len(hub.gets()), 10)

    def test_a_range_that_was_not_asked_for(self):
        hub = self.serve(cut=[100_000], range_shift=5)
        self.good(hub)  # from the start
        self.assertEqual([r["range"] for r in hub.gets()], [None, "bytes=100000-", None])

    def test_a_part_of_another_version_is_not_used(self):
        self.models.mkdir(parents=True)
        (self.models / ".big@0000000000000000.part").write_bytes(b"old" * 1000)
        (self.models / ".big2@0000000000000000.part").write_bytes(b"another model's")
        hub = self.serve()
        code, _, errors = self.pull()
        self.assertEqual((code, self.file.read_bytes()), (0, hub.data), errors)
        self.assertEqual([p.name for p in self.parts()], [".big2@0000000000000000.part"])

    def test_a_part_that_was_damaged(self):
        hub = self.serve(cut=[250_000] + [0] * 9)
        self.bad("goes on", part=250_000)
        with open(self.parts()[0], "r+b") as f:
            f.write(b"X")
        hub.plan = hub_server.Plan()
        self.bad("wrong SHA-256")
        self.good(hub)

    def test_wrong_lengths(self):
        hub = self.serve(length_shift=10)
        self.bad("700010 bytes of sub/big.gguf instead of 700000")
        hub.plan = hub_server.Plan(length_shift=10, chunked=True)
        self.bad("instead of 700000")
        hub.plan = hub_server.Plan(size_shift=3)
        self.bad("another file than the list promises")
        hub.plan = hub_server.Plan(cut=[600_000] + [0] * 9, chunked=True)
        self.bad("connection broke", part=600_000)

    def test_wrong_hash(self):
        hub = self.serve(flip=650_000)
        self.bad("wrong SHA-256")
        hub.plan = hub_server.Plan()
        self.good(hub)

    def test_replaced_on_the_hub(self):
        self.serve(data=DATA[::-1])
        self.bad("it was replaced there")

    def test_no_checksum_anywhere(self):
        self.serve(listed=False, linked=False)
        self.bad("inlined models add FILE")

    def test_refusals(self):
        hub = self.serve(head_code=[404])
        self.bad("no file sub/big.gguf in Owner/Big-GGUF")
        hub.plan = hub_server.Plan(head_code=[418])
        self.bad("error 418")
        hub.plan = hub_server.Plan(get_code=[404])
        self.bad("no file")
        hub.plan = hub_server.Plan(redirects=50)
        self.bad("redirects without end")
        hub.plan = hub_server.Plan(storage="file:///etc/passwd")
        self.bad("redirect")

    def test_busy_servers(self):
        hub = self.serve(head_code=[503, 502], get_code=[500, 0, 503], cut=[5000])
        self.good(hub)
        os.remove(self.file)
        hub.plan = hub_server.Plan(head_code=[429], headers={"Retry-After": "1"})
        start = time.monotonic()
        self.good(hub)
        self.assertGreater(time.monotonic() - start, 0.9)
        os.remove(self.file)
        hub.plan = hub_server.Plan(head_code=[429], headers={"Retry-After": "7200"})
        self.bad("in 7200 seconds")

    def test_stalled(self):
        hub = self.serve(stall=[30, 30])
        start = time.monotonic()
        code, _, errors = self.pull()
        self.assertEqual(code, 0, errors)  # each try brings its first piece
        self.assertEqual(len(hub.gets()), 3)
        self.assertLess(time.monotonic() - start, 30)

    def test_slow_is_not_stalled(self):
        hub = self.serve(rate=350_000)
        self.good(hub)
        self.assertEqual(len(hub.gets()), 1)

    def test_nobody_there(self):
        self.serve()
        self.write_list("http://127.0.0.1:9")
        self.bad("was not reached")


class Local(HubCase):
    def test_cancel_keeps_the_part(self):
        hub = self.serve(rate=200_000)
        child = self.start("pull", "big")
        deadline = time.monotonic() + 20
        while not any(p.stat().st_size for p in self.parts()) and time.monotonic() < deadline:
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        start = time.monotonic()
        out, errors = child.communicate(timeout=20)
        self.assertLess(time.monotonic() - start, 2)
        self.assertEqual((child.returncode, out), (1, ""))
        self.assertIn("cancelled", errors)
        self.assertEqual(len(self.parts()), 1)
        hub.plan = hub_server.Plan()
        self.good(hub)
        self.assertTrue(hub.gets()[-1]["range"])

    def test_two_processes(self):
        hub = self.serve(rate=400_000)
        first = self.start("pull", "big")
        while not self.parts():
            time.sleep(0.02)
        second = self.start("pull", "big", "--json")
        out, errors = second.communicate(timeout=30)
        self.assertEqual((first.wait(), second.returncode), (0, 0), errors)
        first.communicate()
        self.assertIn("waiting for another process", errors)
        self.assertFalse(json.loads(out)["fetched"])
        self.assertEqual(len(hub.gets()), 1)

    def test_disk_full(self):
        if os.geteuid() != 0:
            self.skipTest("only root may mount a small disk")
        hub = self.serve()
        disk = self.models.parent
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)],
                                 capture_output=True, check=False)
        if mounted.returncode:
            self.skipTest("cannot mount: " + mounted.stderr.decode().strip())
        try:
            self.bad("the disk is full")
            self.assertEqual(hub.gets(), [], "known before anything was fetched")
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    def test_disk_full_on_the_way(self):
        self.serve()
        limited = ["prlimit", "--fsize=300000", "sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\"", BIN]
        done = subprocess.run([*limited, "models", "pull", "big"], env=self.environment(),
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the disk is full", done.stderr)
        self.assertFalse(self.file.exists())
        self.assertEqual([p.stat().st_size for p in self.parts()], [300000])


if __name__ == "__main__":
    unittest.main(verbosity=1)
