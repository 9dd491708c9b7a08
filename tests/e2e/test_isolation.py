#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Editors on one daemon know nothing of one another, and one that floods, stalls or sends garbage
does not slow the others."""
import itertools
import json
import os
import random
import socket
import sys
import threading
import time

import lsp_case
import test_lsp_listen
import test_lsp_tools
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

    def model(self):
        path, why = lsp_case.find_model()
        if not path:
            self.skipTest(why)
        return path

    def test_an_approved_server_is_started_for_whoever_approved_it(self):
        """The other window was asked, too, and said no; what was said for ever is the user's, so
        that a window that comes later is not asked."""
        self.listen({"model": self.folder + "/absent.gguf"})
        root = self.project("one", "first")
        with open(os.path.join(root, ".mcp.json"), "w", encoding="utf-8") as f:
            json.dump({"mcpServers": {"first": {
                "command": sys.executable, "args": ["-c", test_lsp_tools.Slow.SCRIPT, "/"]}}}, f)
        b = self.client(root, answer="No")
        self.assertEqual(self.servers(b, "first"), {"first": "untrusted"})
        a = self.client(root, answer="Start it")
        self.wait_server(a, "first", "ready")
        self.assertEqual(self.servers(b, "first"), {"first": "untrusted"})
        self.assertEqual((len(a.asked), len(b.asked)), (1, 1))
        c = self.client(root, answer="No")
        self.wait_server(c, "first", "ready")
        self.assertEqual(c.asked, [])
        other = self.project("two", "first")  # the same name, another command
        d = self.client(other, answer="No")
        self.assertEqual(self.servers(d, "first"), {"first": "untrusted"})
        for client in (a, b, c, d):
            client.close()
        self.stop()

    def wait_server(self, client, name, wanted):
        end = time.monotonic() + 60
        while True:
            state = {s["name"]: s["state"] for s in client.call("inlined/tools")["servers"]}
            if state.get(name) == wanted:
                return
            self.assertLess(time.monotonic(), end, state)
            time.sleep(0.05)

    def deletes(self, client):
        """Has the model call delete_entities; gives how often the person was asked."""
        before = len(client.asked)
        for words, question in itertools.product(test_lsp_tools.Called.WORDS,
                                                 test_lsp_tools.Called.QUESTIONS):
            test_lsp_tools.ask_for_call(client, "file:///a.py", "inlined__delete_entities",
                                        "entityNames", (question, words))
            if len(client.asked) > before:
                break
        return len(client.asked) - before

    def test_an_allowed_tool_is_allowed_to_whoever_was_asked(self):
        model = self.model()
        memory = os.path.join(self.folder, "memory.jsonl")
        names = sorted({w for words in test_lsp_tools.Called.WORDS for w in words})
        with open(memory, "w", encoding="utf-8") as f:
            for name in names:
                f.write(json.dumps({"type": "entity", "name": name, "entityType": "thing",
                                    "observations": []}) + "\n")
        os.environ["MEMORY_FILE_PATH"] = memory
        settings = {"model": model, "mcp": {"builtInTools": ["delete_entities"]},
                    "actions": {"maxTokens": 48}}
        self.listen(settings)
        a, b = (self.client(self.folder, settings, answer) for answer in ("Allow once", "No"))
        for client in (a, b):
            self.wait_server(client, "inlined", "ready")
            client.open("file:///a.py", "def load(path):\n    return path\n")
        self.assertGreaterEqual(self.deletes(a), 1)
        with open(memory, encoding="utf-8") as f:
            left = f.read()
        self.assertLess(left.count("\n"), len(names), "A's call was let through")
        self.assertGreaterEqual(self.deletes(b), 1)  # the same call, and its own question
        with open(memory, encoding="utf-8") as f:
            self.assertEqual(f.read(), left, "what A allowed was done for B")
        for client in (a, b):
            client.close()
        self.stop()

    def suggestions(self, client):
        return client.call("inlined/daemon")["suggestions"]

    def test_what_was_suggested_to_one_is_not_served_to_another(self):
        """Same path, same text: the model writes it again.  Another text: its own suggestion.
        Settings that make the file private: none, and nothing of it in any prompt."""
        model = self.model()
        settings = {"model": model, **lsp_case.QUICK}
        self.listen(settings)
        root = os.path.join(self.folder, "root")
        os.makedirs(root)
        uri = f"file://{root}/a.py"
        private = {**settings, "privacy": {"denyGlobs": ["a.py"]}}
        a, b, c, d = (self.client(root, own) for own in (settings, settings, settings, private))
        lsp_case.wait_ready(a)
        for client in (a, b, d):
            client.open(uri, TEXT)
        c.open(uri, TEXT.replace("multiply", "subtract").replace("add", "join"))
        end = test_lsp_listen.END
        first = a.complete(uri, end)
        before = self.suggestions(a)["withoutModel"]
        self.assertEqual(a.complete(uri, end), first)
        self.assertEqual(self.suggestions(a)["withoutModel"], before + 1)  # it is kept, for A
        for client in (b, c):
            self.assertEqual(len(client.complete(uri, end)), 1)
            self.assertEqual(self.suggestions(a)["withoutModel"], before + 1)
        self.assertEqual(d.complete(uri, end), [])
        self.assertEqual(d.call("textDocument/hover", {
            "textDocument": {"uri": uri}, "position": {"line": 0, "character": 5}}), None)
        for client in (a, b, c, d):
            client.close()
        self.stop()

    def test_what_one_types_is_in_nothing_of_the_other(self):
        """Two windows on one folder: hovers and prompts are about the window's own text, else about
        what is saved, also for definitions in other files (the index of symbols is one for all)."""
        settings = {"model": self.folder + "/absent.gguf", "context": {"crossFile": "on"}}
        self.listen(settings)
        root = os.path.join(self.folder, "root")
        self.path("root/lib.py", b"def saved_one(a):\n    return a\n")
        a, b = self.client(root, settings), self.client(root, settings)
        lib, main = f"file://{root}/lib.py", f"file://{root}/main.py"
        a.open(lib, "def unsaved_one(plan):\n    return plan\n")
        text = "x = unsaved_one(1)\ny = saved_one(2)\n"
        for client in (a, b):
            client.open(main, text)
        self.wait_hover(a, main, 0, "unsaved_one(plan)")
        self.wait_hover(b, main, 1, "saved_one(a)")
        self.assertEqual(self.hover(b, main, 0), "")
        self.assertEqual(self.hover(a, main, 1), "")  # in A it is there no longer
        end = {"textDocument": {"uri": main}, "position": {"line": 2, "character": 0}}
        seen = {c: json.dumps(c.call("inlined/context/explain", end)) for c in (a, b)}
        self.assertIn("def unsaved_one(plan)", seen[a])
        self.assertNotIn("plan", seen[b])
        self.assertIn("def saved_one(a)", seen[b])
        for client in (a, b):
            client.close()
        self.stop()

    def hover(self, client, uri, line):
        answer = client.call("textDocument/hover", {
            "textDocument": {"uri": uri}, "position": {"line": line, "character": 6}})
        return json.dumps(answer["contents"]) if answer else ""

    def wait_hover(self, client, uri, line, wanted):
        """Until the index has read it."""
        end = time.monotonic() + 60
        while wanted not in self.hover(client, uri, line):
            self.assertLess(time.monotonic(), end, self.hover(client, uri, line))
            time.sleep(0.05)

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
