#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`inlined --stdio`: editors that share the user's daemon, which is started when it is not there,
started again when it is killed, and leaves when nobody is there."""
import json
import os
import random
import signal
import stat
import subprocess
import time

import lsp_case
import lsp_client


class Shared(lsp_case.Case):
    def setUp(self):
        super().setUp()
        self.runtime = os.path.join(self.folder, "run")
        os.mkdir(self.runtime, 0o700)
        # A short path: a socket's has 107 bytes at most.
        self.env = {"XDG_RUNTIME_DIR": self.runtime}
        self.config = {"model": os.path.join(self.folder, "absent.gguf")}

    def tearDown(self):
        super().tearDown()
        self.assertEqual(lsp_case.end_daemons(self.runtime), [], "a daemon stays behind")

    def daemons(self):
        return lsp_case.daemons_of(self.runtime)

    def start_editor(self, *more, settings=None):
        client = lsp_client.Client([lsp_case.PROGRAM, "--stdio", *more], model=lsp_case.PROTOCOL,
                                   env=self.env, settings=settings or self.config)
        self.clients.append(client)
        return client

    def editor(self, *more):
        client = self.start_editor(*more)
        client.initialize()
        return client

    def text_of(self, client, uri, end):
        """What the daemon has, by its own word: a small document is in its prompt as a whole."""
        answer = client.call("inlined/context/explain",
                             {"textDocument": {"uri": uri}, "position": end})
        return answer["prefix"] + answer["suffix"]

    def kill_daemon(self):
        pids = self.daemons()
        self.assertEqual(len(pids), 1)
        os.kill(pids[0], signal.SIGKILL)

    def answered(self, client):
        """A request, asked again while it falls into the pause."""
        while True:
            try:
                return client.call("inlined/status")
            except lsp_client.LspError as error:
                self.assertEqual(error.code, -32801)

    def test_two_editors_one_daemon(self):
        one, two = self.editor(), self.editor()
        self.assertEqual(len(self.daemons()), 1)
        state = one.call("inlined/daemon")
        self.assertEqual(state["clients"], 2)
        sockets = [n for n in os.listdir(os.path.join(self.runtime, "inlined"))
                   if n.startswith("d-") and "." not in n]
        mode = os.stat(os.path.join(self.runtime, "inlined", sockets[0])).st_mode
        self.assertEqual(stat.S_IMODE(mode) & 0o077, 0)
        one.open("file:///a.txt", "one's text", language="plaintext")
        two.open("file:///a.txt", "two's", language="plaintext")
        self.assertEqual(self.text_of(one, "file:///a.txt", {"line": 0, "character": 10}),
                         "one's text")
        self.assertEqual(self.text_of(two, "file:///a.txt", {"line": 0, "character": 5}), "two's")
        status = subprocess.run([lsp_case.PROGRAM, "status", "--json"], capture_output=True,
                                text=True, check=True, env={**os.environ, **self.env}, timeout=30)
        self.assertEqual(json.loads(status.stdout)["pid"], state["pid"])
        self.assertEqual(one.close(), 0)
        self.assertEqual(two.close(), 0)

    def test_many_start_at_once(self):
        clients = [self.start_editor() for _ in range(8)]
        for client in clients:
            client.initialize()
        self.assertEqual(len(self.daemons()), 1)
        for client in clients:
            self.assertEqual(client.close(), 0)

    def test_killed_and_started_again(self):
        client = self.editor()
        text = "".join(f"line {n} ä 😀\n" for n in range(5))
        client.open("file:///a.txt", text, language="plaintext")
        random.seed(3)
        pauses = []
        for kill in range(4):
            for number in range(250):
                at = random.randrange(5)
                client.change("file:///a.txt", kill * 250 + number + 2, {
                    "range": {"start": {"line": at, "character": 0},
                              "end": {"line": at, "character": 1}}, "text": random.choice("xyzuv")})
                if number == 125:
                    self.kill_daemon()
                    start = time.monotonic()
            self.answered(client)
            pauses.append(time.monotonic() - start)
        lines = []
        random.seed(3)
        kept = [list(f"line {n} ä 😀\n") for n in range(5)]
        for _ in range(1000):
            at = random.randrange(5)
            kept[at][0] = random.choice("xyzuv")
        lines = ["".join(line) for line in kept]
        self.assertEqual(self.text_of(client, "file:///a.txt", {"line": 5, "character": 0}),
                         "".join(lines))
        print(f"\npauses {', '.join(f'{p:.2f}' for p in pauses)} s")
        self.assertLess(max(pauses), 5)  # 2 s on a machine that does nothing else
        shown = [n for n in client.notifications if n["method"] == "window/showMessage"
                 and n["params"]["type"] == 1]
        self.assertEqual(shown, [])
        self.assertEqual(client.close(), 0)

    def test_a_question_of_the_shell_takes_the_daemon_that_runs(self):
        path = self.path("a.py", b"x = 1\n")
        ask = [lsp_case.PROGRAM, "explain", path]
        env = {**os.environ, **self.env, "XDG_DATA_HOME": self.folder, "HOME": self.folder}
        subprocess.run(ask, env=env, capture_output=True, timeout=60, check=False)
        self.assertEqual(self.daemons(), [], "a question starts no daemon")
        client = self.editor()
        before = client.call("inlined/daemon")["connections"]
        subprocess.run(ask, env=env, capture_output=True, timeout=60, check=False)
        self.assertEqual(client.call("inlined/daemon")["connections"], before + 1)
        self.assertEqual(client.close(), 0)

    def test_requests_of_the_dead_are_answered(self):
        client = self.editor()
        self.kill_daemon()
        keys = [client.request("inlined/status") for _ in range(50)]
        for key in keys:
            answer = client.wait(key)
            self.assertTrue("result" in answer or answer["error"]["code"] == -32801, answer)
        self.assertEqual({client.answer_counts[k] for k in keys}, {1})
        self.assertEqual(client.close(), 0)

    def test_five_crashes_end_it(self):
        client = self.editor()
        killed, end = set(), time.monotonic() + 40
        while client.process.poll() is None:
            self.assertLess(time.monotonic(), end, "it goes on")
            for pid in set(self.daemons()) - killed:
                time.sleep(0.3)  # it was connected to
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            time.sleep(0.01)
        self.assertEqual(len(killed), 5)
        self.assertEqual(client.wait_exit(20), 1)
        self.assertIn("daemon.log", client.stderr())
        self.assert_sentence(client.stderr().strip().splitlines()[-1])

    def test_the_daemon_leaves_when_nobody_is_there(self):
        client = self.editor("--idle-exit", "1")
        self.assertEqual(client.close(), 0)
        end = time.monotonic() + 15
        while self.daemons():
            self.assertLess(time.monotonic(), end, "the daemon stays")
            time.sleep(0.1)
        again = self.editor()
        self.assertEqual(again.close(), 0)

    def test_a_folder_that_others_can_read(self):
        os.mkdir(os.path.join(self.runtime, "inlined"), 0o755)
        os.chmod(os.path.join(self.runtime, "inlined"), 0o755)
        client = self.start_editor()
        self.assertEqual(client.wait_exit(20), 1)
        self.assertIn("not this user's alone", client.stderr())


if __name__ == "__main__":
    lsp_case.main()
