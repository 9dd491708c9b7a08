#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hard days: huge files, odd text, bursts, many documents, files and branches that change on disk,
clocks that jump, signals at any moment.  The daemon answers everything once and lives, or ends
as it should."""
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import time

import lsp_case
import lsp_client

TAIL = "def add(first, second):\n    return first + second\n\n\n" \
       "def multiply(first, second):\n    return "


class Hard(lsp_case.ModelCase):
    capabilities = {**lsp_client.CAPABILITIES, "general": {"positionEncodings": ["utf-16"]}}

    # -- large

    def responsive(self, what, limit=2.0):
        start = time.monotonic()
        self.client.call("inlined/status")
        took = time.monotonic() - start
        print(f"\n{what}: the next answer came after {took * 1000:.0f} ms")
        self.assertLess(took, limit)

    def test_a_hundred_thousand_lines(self):
        head = "".join(f"value_{i} = {i}\n" for i in range(100_000))
        uri = self.new_uri()
        self.client.open(uri, head + "\n\n" + TAIL)
        self.responsive("100,000 lines opened")
        for version, line in enumerate((0, 50_000, 99_999), 2):
            at = {"line": line, "character": 0}
            self.client.change(uri, version, {"range": {"start": at, "end": at}, "text": "x = 1\n"})
        self.responsive("three edits")
        end = self.client.position(TAIL, len(TAIL))
        cursor = {"line": 100_005 + end["line"], "character": end["character"]}
        items = self.client.complete(uri, cursor, 2)
        self.assertEqual(len(items), 1, lsp_case.last_status(self.client))
        self.assertIn("first", items[0]["insertText"])
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def test_a_line_of_five_megabytes(self):
        uri = self.new_uri(".js")
        line = "var a = [" + "1234567, " * (5_000_000 // 9) + "]"
        self.client.open(uri, line + "\nlet b = ", "javascript")
        self.responsive("a line of 5 MB opened")
        for version in range(2, 22):
            at = {"line": 0, "character": 250_000 * (version - 2) + 9}
            self.client.change(uri, version, {"range": {"start": at, "end": at}, "text": "7"})
            self.client.complete(uri, at, 2)
        self.assertEqual(self.client.complete(uri, {"line": 0, "character": 4_000_000}, 1), [])
        self.assertEqual(lsp_case.last_status(self.client)["reason"], "line-too-long")
        self.client.complete(uri, {"line": 1, "character": 8}, 2)
        self.responsive("edits in a line of 5 MB")
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    # -- odd text: what stands before it must not move the place where the suggestion goes

    def expect_same(self, prefix_json, lines, units, edit=None):
        """`prefix_json` is JSON text for what stands before TAIL: `lines` line ends, and `units`
        UTF-16 units in the last line."""
        uri = self.new_uri()
        body = json.dumps({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {
            "textDocument": {"uri": uri, "languageId": "python", "version": 1, "text": "@@"}}})
        text = prefix_json + json.dumps(TAIL)[1:-1]
        data = body.replace("@@", text).encode()
        self.client.send_bytes(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        if edit:
            self.client.change(uri, 2, edit)
        end = self.client.position(TAIL, len(TAIL))
        column = end["character"] + (units if end["line"] == 0 else 0)
        cursor = {"line": end["line"] + lines, "character": column}
        items = self.client.complete(uri, cursor, 2)
        self.assertEqual(len(items), 1, lsp_case.last_status(self.client))
        self.assertEqual(items[0]["range"], {"start": cursor, "end": cursor})
        self.assertIn("first", items[0]["insertText"])

    def test_lone_surrogates(self):
        self.expect_same(r"# \ud83d and \udc00\ud83d x\n", 1, 0)
        # Behind them on their line positions still count one unit each.
        here = {"line": 0, "character": 10}
        self.expect_same(r"a = '\ud83d\udc00\ud83d'; b\n", 1, 0, {
            "range": {"start": {"line": 0, "character": 8}, "end": here}, "text": "'"})

    def test_mixed_line_ends(self):
        self.expect_same(r"a = 1\r\nb = 2\rc = 3\n\r\n\rd = 4\n", 6, 0)
        self.expect_same(r"a = 1\rb\r\n\n", 3, 0, {
            "range": {"start": {"line": 1, "character": 1}, "end": {"line": 1, "character": 1}},
            "text": " = 2"})

    def test_tabs_and_text_that_runs_to_the_left(self):
        self.expect_same("s = 'שלום עולם'\\t# مرحبا\\n\\n", 2, 0)
        self.expect_same("x = '\U0001F468\u200D\U0001F469\u200D\U0001F467'\\n\u0007\\n"
                         .replace("\u0007", "\\u0007"), 2, 0)

    # -- many

    def test_ten_thousand_requests_in_a_burst(self):
        uris = [self.new_uri() for _ in range(10)]
        for uri in uris:
            self.client.open(uri, TAIL)
        position = self.client.position(TAIL, len(TAIL))
        start = time.monotonic()
        keys = [self.client.request("textDocument/inlineCompletion", self.client.completion_params(
            uris[i % 10], position, 2)) for i in range(10_000)]
        for key in keys:
            answer = self.client.wait(key)
            self.assertTrue("result" in answer or answer["error"]["code"] == -32800, answer)
        print(f"\n10,000 requests answered in {time.monotonic() - start:.1f} s")
        self.assertEqual({self.client.answer_counts[k] for k in keys}, {1})
        for key in keys[-10:]:
            self.assertEqual(len(self.client.wait(key)["result"]["items"]), 1)

    def test_five_hundred_documents(self):
        def resident():
            with open(f"/proc/{self.client.process.pid}/statm", encoding="ascii") as f:
                return int(f.read().split()[1]) * resource.getpagesize() / 1e6

        uris = [self.new_uri() for _ in range(500)]
        before = resident()
        for number, uri in enumerate(uris):
            self.client.open(uri, f"number = {number}\n" * 400 + TAIL)
        position = self.client.position("\n" * 400 + TAIL, 400 + len(TAIL))
        for uri in random.Random(5).sample(uris, 6):
            self.assertEqual(len(self.client.complete(uri, position, 2)), 1)
        print(f"\n500 documents take {resident() - before:.0f} MB")
        for uri in uris:
            self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        self.assertEqual(self.client.complete(uris[7], position, 2), [])

    # -- the editor's text counts, whatever happens to the files

    def git(self, *arguments):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
                       cwd=self.folder, check=True, capture_output=True)

    def test_files_change_and_another_branch_is_checked_out(self):
        if not shutil.which("git"):
            self.skipTest("git is not installed here: apt-get install git")
        paths = [os.path.join(self.folder, f"m{i}.py") for i in range(8)]
        self.git("init", "-q")
        for branch in ("one", "two"):
            for path in paths:
                with open(path, "w", encoding="utf-8") as f:
                    f.write(f"# branch {branch}\n" + TAIL)
            self.git("checkout", "-q", "-b", branch)
            self.git("add", "m0.py", *[os.path.basename(p) for p in paths])
            self.git("commit", "-q", "-m", branch)
        folder = {"uri": f"file://{self.folder}", "name": "w"}
        self.client.notify("workspace/didChangeWorkspaceFolders",
                           {"event": {"added": [folder], "removed": []}})
        uris = [f"file://{path}" for path in paths]
        for uri in uris:
            self.client.open(uri, TAIL)
        position = self.client.position(TAIL, len(TAIL))
        for number in range(6):
            key = self.client.request("textDocument/inlineCompletion",
                                      self.client.completion_params(uris[number], position, 2))
            self.git("checkout", "-q", ("one", "two")[number % 2])
            self.client.notify("workspace/didChangeWatchedFiles", {"changes": [
                {"uri": uri, "type": 2} for uri in uris]})
            if number == 3:
                os.unlink(paths[number])
                os.mkdir(paths[number])
                self.client.notify("workspace/didChangeWatchedFiles", {"changes": [
                    {"uri": uris[number], "type": 3}]})
                self.client.notify("textDocument/didSave", {"textDocument": {"uri": uris[number]}})
                os.rmdir(paths[number])
            answer = self.client.wait(key)
            self.assertEqual(len(answer["result"]["items"]), 1, lsp_case.last_status(self.client))
            item = answer["result"]["items"][0]
            self.assertEqual(item["range"]["start"], position)
            self.assertIn("first", item["insertText"])


class Trouble(lsp_case.Case):
    def setUp(self):
        super().setUp()
        self.model, why = lsp_case.find_model()
        if not self.model:
            self.skipTest(why)
        self.settings = {"model": self.model, **lsp_case.QUICK}

    def test_clocks_that_jump(self):
        library = os.path.join(lsp_case.BUILD, "tests", "clock_jump.so")
        client = self.start(self.settings, env={"LD_PRELOAD": library})
        client.settings = self.settings
        client.initialize()
        lsp_case.wait_ready(client)
        text = TAIL
        client.open("file:///a.py", text)
        for version in range(2, 22):
            client.complete("file:///a.py", client.position(text, len(text)), 2)
            at = client.position(text, len(text))
            client.change("file:///a.py", version,
                          {"range": {"start": at, "end": at}, "text": "x"})
            text += "x"
        self.assert_alive(client)

    def test_terminated_at_any_moment(self):
        rng = random.Random(11)
        text = "value = 1\n" * 300 + TAIL
        for moment in range(8):
            client = self.start(self.settings)
            client.settings = self.settings
            client.initialize()
            client.open("file:///a.py", text)
            position = client.position(text, len(text))
            keys = []
            end = time.monotonic() + rng.uniform(0, 1.2)
            while time.monotonic() < end:
                keys.append(client.request("textDocument/inlineCompletion",
                                           client.completion_params("file:///a.py", position, 2)))
                time.sleep(0.05)
            client.process.send_signal((signal.SIGTERM, signal.SIGINT)[moment % 2])
            start = time.monotonic()
            self.assertEqual(client.wait_exit(), 1, client.stderr())
            self.assertLess(time.monotonic() - start, 5)
            self.assertLessEqual({client.answer_counts.get(k, 0) for k in keys}, {0, 1})

    def test_killed_and_started_again_on_the_same_socket(self):
        path = os.path.join(self.folder, "socket")
        config = self.path("config.json", b'{"model": "/absent.gguf"}')
        for _ in range(2):
            daemon = subprocess.Popen([lsp_case.PROGRAM, "--listen", path, "--config", config],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            try:
                client = self.connect(path)
                client.initialize()
                self.assertEqual(client.call("inlined/status")["state"] in ("error", "starting"),
                                 True)
                daemon.kill()
                client.wait_exit()
                client.violations.clear()  # that the connection broke off
            finally:
                daemon.kill()
                daemon.wait()
            self.assertTrue(os.path.exists(path), "a killed daemon leaves its socket")

    def connect(self, path):
        end = time.monotonic() + 20
        while True:
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(path) == 0:
                    break
            self.assertLess(time.monotonic(), end, "nobody listens after 20 s")
            time.sleep(0.02)
        client = lsp_client.SocketClient(path, model=lsp_case.PROTOCOL)
        self.clients.append(client)
        return client

    def test_too_little_memory_for_the_model(self):
        program = lsp_case.PROGRAM
        config = self.path("small.json", json.dumps(self.settings).encode())
        client = lsp_client.Client(
            ["sh", "-c", f"ulimit -v 200000; exec {program} --no-daemon --config {config}"],
            model=lsp_case.PROTOCOL, settings=self.settings)
        self.clients.append(client)
        try:
            client.initialize()
            status = client.wait_notification(
                "inlined/status", lambda p: p["state"] in ("error", "ready"), 30)
            print(f"\n200 MB of address space: {status['message']}")
            self.assert_sentence(status["message"])
            self.assert_alive(client)
        except lsp_client.Gone:
            # Running out in the middle of something ends it, with a word about it.
            self.assertIn("memory", client.stderr())


if __name__ == "__main__":
    lsp_case.main()
