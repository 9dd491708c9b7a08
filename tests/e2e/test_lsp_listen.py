#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One daemon, several editors on a local socket: they share the model and nothing else."""
import json
import os
import signal
import socket
import stat
import subprocess
import tempfile
import time

import lsp_case
from lsp_client import SocketClient

TEXT = "def add(first, second):\n    return first + second\n\n\n" \
       "def multiply(first, second):\n    return "
END = {"line": 5, "character": 11}


class Daemon(lsp_case.Case):
    """A daemon on a socket of its own."""
    def setUp(self):
        super().setUp()
        self.socket_path = os.path.join(self.folder, "socket")
        self.daemon = None
        # a file: a pipe that nobody reads would stop the daemon when it is full
        self.errors = tempfile.TemporaryFile()

    def tearDown(self):
        super().tearDown()
        if self.daemon:
            self.daemon.kill()
            self.daemon.wait()
        self.errors.close()

    def listen(self, settings, *more):
        config = self.path("config.json", json.dumps(settings).encode())
        self.daemon = subprocess.Popen(
            [lsp_case.PROGRAM, "--listen", self.socket_path, "--config", config, *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors)
        end = time.monotonic() + 60
        while not self.answers():
            self.assertIsNone(self.daemon.poll(), "the daemon ended")
            self.assertLess(time.monotonic(), end, "no socket after 60 s")
            time.sleep(0.02)

    def answers(self):
        """Whether it listens: the file is there a moment earlier."""
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.socket_path) == 0

    def editor(self, settings=None):
        client = SocketClient(self.socket_path, model=lsp_case.PROTOCOL, settings=settings or {})
        self.clients.append(client)
        client.initialize()
        return client

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.wait(20), 0)
        self.assertFalse(os.path.exists(self.socket_path), "the socket stays behind")


class Listen(Daemon):
    def test_editors_come_and_go(self):
        self.listen({"model": self.folder + "/absent.gguf"})
        self.assertEqual(stat.S_IMODE(os.stat(self.socket_path).st_mode) & 0o077, 0)
        one, two, three = self.editor(), self.editor(), self.editor()
        one.open("file:///a.py", TEXT)
        two.open("file:///a.py", "other")
        one.kill()
        self.clients.remove(one)
        three.send_bytes(b"no frame at all\r\n\r\n")
        three.wait_exit()
        self.assertEqual(two.complete("file:///a.py", {"line": 0, "character": 5}), [])
        two.close()
        four = self.editor()
        four.close()
        self.stop()

    def test_editors_share_the_model(self):
        path, why = lsp_case.find_model()
        if not path:
            self.skipTest(why)
        settings = {"model": path, **lsp_case.QUICK}
        self.listen(settings)
        editors = [self.editor(settings) for _ in range(3)]
        for number, client in enumerate(editors):
            lsp_case.wait_ready(client)
            client.open(f"file:///{number}.py", TEXT)
        keys = [(c, c.request("textDocument/inlineCompletion",
                              c.completion_params(f"file:///{n}.py", END)))
                for n, c in enumerate(editors)]
        texts = {c.wait(key)["result"]["items"][0]["insertText"] for c, key in keys}
        self.assertEqual(len(texts), 1, texts)
        for client in editors:
            client.close()
        self.stop()

    def test_two_editors_change_the_same_file(self):
        """Each has its own text of it, and is answered about that."""
        path, why = lsp_case.find_model()
        if not path:
            self.skipTest(why)
        settings = {"model": path, **lsp_case.QUICK}
        self.listen(settings)
        editors = [self.editor(settings) for _ in range(2)]
        uri, zero = "file:///same.py", {"line": 0, "character": 0}
        for client in editors:
            lsp_case.wait_ready(client)
            client.open(uri, TEXT)
        for version in range(2, 12):
            for number, client in enumerate(editors):
                client.change(uri, version, {"range": {"start": zero, "end": zero},
                                             "text": f"# editor {number}\n" * (number + 1)})
        keys = [(number, c, c.request("textDocument/inlineCompletion", c.completion_params(
            uri, {"line": END["line"] + 10 * (number + 1), "character": END["character"]})))
            for number, c in enumerate(editors)]
        for number, client, key in keys:
            item = client.wait(key)["result"]["items"][0]
            self.assertEqual(item["range"]["start"]["line"], END["line"] + 10 * (number + 1))
            self.assertIn("first", item["insertText"])
        for client in editors:
            client.close()
        self.stop()

    def test_a_socket_that_is_in_use(self):
        self.listen({"model": self.folder + "/absent.gguf"})
        second = subprocess.run([lsp_case.PROGRAM, "--listen", self.socket_path],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=30, check=False)
        self.assertEqual(second.returncode, 1)
        self.assert_sentence(second.stderr.strip().splitlines()[-1])
        self.editor().close()
        self.stop()


if __name__ == "__main__":
    lsp_case.main()
