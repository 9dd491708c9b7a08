#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Editors on one daemon know nothing of one another, and one that floods, stalls or sends garbage
does not slow the others."""
import json
import os
import random
import socket
import threading
import time

import lsp_case
import test_lsp_listen
from lsp_client import SocketClient

WORST_S = 1.0  # of a small request beside all that, on a machine that does other things, too
TEXT = test_lsp_listen.TEXT


def framed(message):
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


class Isolation(test_lsp_listen.Daemon):
    def setUp(self):
        super().setUp()
        self.environment = dict(os.environ)
        os.environ["HOME"] = self.folder
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            os.environ[name] = os.path.join(self.folder, name)

    def tearDown(self):
        super().tearDown()
        os.environ.clear()
        os.environ.update(self.environment)

    def client(self, root=None, settings=None, answer=None):
        client = SocketClient(self.socket_path, model=lsp_case.PROTOCOL, settings=settings or {})
        self.clients.append(client)
        client.asked = []

        def ask(params):
            client.asked.append(params)
            return {"title": answer} if answer else None
        client.handlers["window/showMessageRequest"] = ask
        folders = [{"uri": "file://" + root, "name": "root"}] if root else None
        client.initialize(**({"workspaceFolders": folders} if folders else {}))
        return client

    def project(self, name, server):
        folder = os.path.join(self.folder, name)
        os.makedirs(folder)
        with open(os.path.join(folder, ".mcp.json"), "w", encoding="utf-8") as f:
            json.dump({"mcpServers": {server: {"command": "/bin/cat", "args": []}}}, f)
        return folder

    def servers(self, client, wanted):
        end = time.monotonic() + 20
        while True:
            state = {s["name"]: s["state"] for s in client.call("inlined/tools")["servers"]
                     if s["name"] != "inlined"}
            if state.keys() == {wanted} and client.asked:
                return state
            self.assertLess(time.monotonic(), end, state)
            time.sleep(0.05)

    def test_trust_and_workspaces(self):
        self.listen({"model": self.folder + "/absent.gguf"})
        one, two = self.project("one", "first"), self.project("two", "second")
        a, b, c = (self.client(root, answer="No") for root in (one, two, one))
        self.assertEqual(self.servers(a, "first"), {"first": "untrusted"})
        self.assertEqual(self.servers(b, "second"), {"second": "untrusted"})
        self.assertEqual(len(a.asked) + len(b.asked), 2)
        self.assertEqual(self.servers(c, "first"), {"first": "untrusted"})
        self.assertEqual(len(c.asked), 1, "what one refused is asked of the other")
        state = a.call("inlined/daemon")
        self.assertEqual(state["mcpServers"], {"untrusted": 3})
        self.assertEqual(set(state["mcpCalls"].values()), {0})
        for client in (a, b, c):
            client.close()
        self.stop()

    def test_settings_and_documents(self):
        model, why = lsp_case.find_model()
        if not model:
            self.skipTest(why)
        on, off = {"model": model, **lsp_case.QUICK}, {"model": model, "enable": False}
        self.listen({"model": model})
        a, b, c = self.client(settings=on), self.client(settings=off), self.client(settings=on)
        lsp_case.wait_ready(a)
        uri = "file:///a.py"
        for client in (a, b):
            client.open(uri, TEXT)
        c.open(uri, "x = 1\n")
        self.assertEqual(len(a.complete(uri, test_lsp_listen.END)), 1)
        self.assertEqual(b.complete(uri, test_lsp_listen.END), [])
        end = {"line": 1, "character": 0}
        seen = c.call("inlined/context/explain", {"textDocument": {"uri": uri}, "position": end})
        self.assertEqual(seen["prefix"] + seen["suffix"], "x = 1\n")
        self.assertNotIn("multiply", json.dumps(seen))  # nothing of the others' open documents
        counts = [x.call("inlined/status")["counts"] for x in (a, b, c)]
        self.assertGreater(sum(counts[0].values()), 0)
        self.assertEqual(sum(v for v in counts[2].values()), 0, counts)
        for client in (a, b, c):
            client.close()
        self.stop()

    def answer_times(self, client, seconds):
        times, until = [], time.monotonic() + seconds
        while time.monotonic() < until:
            start = time.monotonic()
            client.call("inlined/status")
            times.append(time.monotonic() - start)
            time.sleep(0.005)
        return sorted(times)

    def raw(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.socket_path)
        s.settimeout(0.2)
        return s

    def flood(self, stop):
        """As much as it takes, and never reads an answer."""
        s = self.raw()
        hello = framed({"jsonrpc": "2.0", "id": 0, "method": "initialize",
                        "params": {"processId": None, "rootUri": None, "capabilities": {}}})
        opened = framed({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {
            "textDocument": {"uri": "file:///f.py", "languageId": "python", "version": 1,
                             "text": TEXT * 50}}})
        asked = b"".join(framed({"jsonrpc": "2.0", "id": n, "method": "inlined/status"})
                         for n in range(1, 200))
        changed = framed({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {
            "textDocument": {"uri": "file:///f.py", "version": 2},
            "contentChanges": [{"text": TEXT * 50}]}})
        block = hello + framed({"jsonrpc": "2.0", "method": "initialized", "params": {}}) + opened
        try:
            while not stop.is_set():
                try:
                    sent = s.send(block)
                    block = block[sent:] or (asked + changed * 20)
                except socket.timeout:
                    pass
        except OSError:
            pass  # it was cut off: 64 MB of answers waited
        s.close()

    def stall(self, stop):
        """Half a message, and then nothing."""
        sockets = [self.raw() for _ in range(8)]
        for s in sockets:
            s.sendall(b"Content-Length: 100000\r\n\r\n{\"jsonrpc\":")
        stop.wait()
        for s in sockets:
            s.close()

    def garbage(self, stop):
        rng = random.Random(5)
        while not stop.is_set():
            s = self.raw()
            try:
                s.sendall(rng.choice((rng.randbytes(60000), framed([]) * 500, b"\r\n" * 5000,
                                      framed({"jsonrpc": "2.0", "id": 1, "method": "x" * 5000}),
                                      b"Content-Length: 99999999999\r\n\r\n")))
                s.recv(1000)
            except OSError:
                pass
            s.close()

    def test_a_bad_neighbour(self):
        self.listen({"model": self.folder + "/absent.gguf"})
        client = self.client()
        alone = self.answer_times(client, 1)
        for kind in (self.flood, self.stall, self.garbage):
            stop = threading.Event()
            thread = threading.Thread(target=kind, args=(stop,))
            thread.start()
            time.sleep(0.2)
            beside = self.answer_times(client, 2)
            stop.set()
            thread.join()
            p95 = beside[len(beside) * 95 // 100]
            print(f"\nbeside {kind.__name__}: p50 {beside[len(beside) // 2] * 1e3:.1f} ms, "
                  f"p95 {p95 * 1e3:.1f} ms (alone {alone[len(alone) // 2] * 1e3:.1f})", end="")
            self.assertLess(p95, WORST_S)
        print()
        client.close()
        self.stop()


if __name__ == "__main__":
    lsp_case.main()
