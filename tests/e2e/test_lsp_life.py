#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Life cycle: initialize, registration, order of messages, exit codes, and editors that die."""
import os
import signal
import subprocess
import sys
import time
import unittest

import lsp_case
from lsp_client import CAPABILITIES, error_code

MINIMAL = {"processId": None, "rootUri": None, "capabilities": {}}


class Life(lsp_case.Case):
    def test_initialize_and_exit(self):
        client = self.start()
        result = client.initialize()
        capabilities = result["capabilities"]
        self.assertEqual(capabilities["positionEncoding"], "utf-8")
        sync = capabilities["textDocumentSync"]
        self.assertTrue(sync["openClose"])
        self.assertEqual(sync["change"], 2)
        self.assertTrue(capabilities["inlineCompletionProvider"])
        self.assertEqual(result["serverInfo"]["name"], "inlined")
        self.assertEqual(client.close(), 0)

    def test_minimal_client(self):
        client = self.start()
        result = client.call("initialize", MINIMAL)
        self.assertIn(result["capabilities"].get("positionEncoding", "utf-16"), ("utf-16",))
        client.notify("initialized", {})
        client.open("file:///a.py", "x = 1\n")
        self.assertEqual(client.complete("file:///a.py", {"line": 0, "character": 5}), [])
        self.assertEqual(client.close(), 0)
        asked = {m["method"] for m in client.server_requests}
        self.assertEqual(asked, set(), "it announced no capability to answer requests")

    def test_requests_before_initialize(self):
        client = self.start()
        for method, params in (("shutdown", None), ("textDocument/inlineCompletion",
                               client.completion_params("file:///a", {"line": 0, "character": 0}))):
            self.assertEqual(error_code(client, method, params), -32002)
        client.notify("textDocument/didOpen", {"textDocument": {
            "uri": "file:///a", "languageId": "c", "version": 1, "text": ""}})
        client.initialize()
        self.assertEqual(client.close(), 0)

    def test_second_initialize(self):
        client = self.start()
        client.initialize()
        self.assertEqual(error_code(client, "initialize", MINIMAL), -32600)
        self.assertEqual(client.close(), 0)

    def test_after_shutdown_only_exit(self):
        client = self.start()
        client.initialize()
        self.assertIsNone(client.call("shutdown"))
        self.assertEqual(error_code(client, "shutdown", None), -32600)
        client.notify("exit")
        self.assertEqual(client.wait_exit(), 0)

    def test_exit_without_shutdown(self):
        client = self.start()
        client.initialize()
        client.notify("exit")
        self.assertEqual(client.wait_exit(), 1)

    def test_exit_before_initialize(self):
        client = self.start()
        client.notify("exit")
        self.assertEqual(client.wait_exit(), 1)

    def test_ids_are_echoed_in_kind(self):
        client = self.start()
        client.initialize()
        for key in ("7", "a string", 0, -5, 2147483647):
            client.request("textDocument/inlineCompletion", client.completion_params(
                "file:///none", {"line": 0, "character": 0}), key=key)
            self.assertEqual(client.wait(key)["id"], key)
            self.assertIs(type(client.answers[key]["id"]), type(key))
        self.assertEqual(client.close(), 0)

    def test_dynamic_registration_where_announced(self):
        capabilities = {**CAPABILITIES, "textDocument": {
            "inlineCompletion": {"dynamicRegistration": True}}}
        client = self.start()
        client.initialize(capabilities)
        if client.capabilities.get("inlineCompletionProvider"):
            self.fail("registered statically although the client can do it dynamically")

        def registered():
            return [r for m in client.server_requests
                    if m["method"] == "client/registerCapability"
                    for r in m["params"]["registrations"]
                    if r["method"] == "textDocument/inlineCompletion"]
        found = client.wait_for(registered, "registration of inlineCompletion")
        self.assertEqual(len(found), 1)
        self.assertTrue(found[0]["registerOptions"]["documentSelector"])
        self.assertEqual(client.close(), 0)

    def test_nothing_but_frames_on_stdout_at_debug_level(self):
        client = self.start(arguments=["--log-level", "debug"])
        client.initialize()
        client.open("file:///a.py", "x = 1\n")
        client.complete("file:///a.py", {"line": 0, "character": 5})
        self.assertEqual(client.close(), 0)


class Dying(lsp_case.Case):
    def wait_gone(self, pid, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                    if f.read().rsplit(")", 1)[1].split()[0] == "Z":
                        return
            except OSError:
                return
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        self.fail(f"the daemon lives {seconds} s after its editor")

    def test_stdin_ends(self):
        client = self.start()
        client.initialize()
        client.end_input()
        self.assertEqual(client.wait_exit(), 1)

    def test_stdin_ends_at_once(self):
        client = self.start()
        client.end_input()
        self.assertEqual(client.wait_exit(), 1)

    def test_stdin_ends_inside_a_frame(self):
        client = self.start()
        client.initialize()
        client.send_bytes(b"Content-Length: 100\r\n\r\n{\"jsonrpc\"")
        client.end_input()
        self.assertNotEqual(client.wait_exit(), 0)
        self.assert_sentence(client.stderr().strip().splitlines()[-1])

    def test_stdout_is_closed(self):
        client = self.start()
        client.initialize()
        # close() would wait for the thread that reads: the descriptor becomes another file's, and
        # our end of the pipe is gone when that thread has had the next bytes.
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, client.process.stdout.fileno())
        os.close(null)
        for key in range(50):
            client.request("shutdown", key=f"k{key}", check=False)
        client.end_input()
        self.assertIsNotNone(client.process.wait(15))
        self.clients.remove(client)
        client.kill()

    def test_editor_is_killed(self):
        editor = subprocess.Popen(
            [sys.executable, "-c",
             "import subprocess, sys, time\n"
             "p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
             "print(p.pid, flush=True)\n"
             "time.sleep(600)", lsp_case.PROGRAM, "--no-daemon", "--config",
             self.path("config.json", b'{"model": "absent.gguf"}')],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        pid = int(editor.stdout.readline())
        time.sleep(0.3)
        editor.kill()
        editor.wait()
        editor.stdout.close()
        self.wait_gone(pid)

    def test_process_of_the_client_dies(self):
        parent = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        client = self.start()
        client.initialize()
        other = self.start()
        other.call("initialize", {**MINIMAL, "processId": parent.pid})
        other.notify("initialized", {})
        parent.kill()
        parent.wait()
        self.assertEqual(other.wait_exit(20), 1)
        self.assertIsNone(client.process.poll(), "the other daemon has another parent")
        self.assertEqual(client.close(), 0)

    def test_signal(self):
        client = self.start()
        client.initialize()
        client.process.terminate()
        self.assertEqual(client.wait_exit(), 1)


class CommandLine(unittest.TestCase):
    def run_it(self, *arguments):
        return subprocess.run([lsp_case.PROGRAM, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30, check=False)

    def test_wrong_option_is_wrong_usage(self):
        done = self.run_it("--stdoi")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, "")
        self.assertIn("--stdoi", done.stderr)

    def test_config_that_is_absent_or_no_json(self):
        done = self.run_it("--no-daemon", "--config", "/nowhere/config.json")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("/nowhere/config.json", done.stderr)


if __name__ == "__main__":
    lsp_case.main()
