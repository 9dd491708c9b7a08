#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sixteen clients typing on one daemon (two of them on the large tier), two reviewing with tools of
MCP servers that are killed again and again, one loading and unloading a third model at random.

Every request is answered once; in the end no descriptor, thread, child or file is left over; the
daemon's memory is what it was, and the suggestions' p95 is within its bound.  Both are measured
from the daemon's side:

memory  is its anonymous resident memory when nothing runs and one client is left, after a warm-up
        and at the end.  (Mapped files are the page cache's, and shrink as it likes.)
p95     is what the daemon's log says of its own work on textDocument/inlineCompletion, and is
        compared with the p95 of one client that is alone with the daemon just before and just
        after: among sixteen, nobody waits longer than sixteen turns.

INLINED_STRESS_SECONDS makes it longer than 10 s.  From 300 s on, for a machine that does nothing
else, the bounds are those of docs/TIERS.md: p95 at most 16 times that of one client, memory within
1 %.  A short run among other tests allows four times as much, and 5 % and 8 MB."""
import json
import os
import random
import re
import shutil
import signal
import threading
import time

import lsp_case
import test_lsp_listen
from lsp_client import SocketClient

SECONDS = float(os.environ.get("INLINED_STRESS_SECONDS", "10"))
SEED = os.environ.get("INLINED_SEED", "1")
LONG = SECONDS >= 300
TYPING, REVIEWING = 16, 2
TURNS = TYPING if LONG else 4 * TYPING
PAUSES_S = 0.2, 4.0  # at most, between two keys: some hurry, some think
LINES = "def add(first, second):\n    return first + second\n\n\n"
LOGGED = re.compile(r"request method=textDocument/inlineCompletion ms=(\d+\.\d) outcome=ok")


def p95(values):
    return sorted(values)[len(values) * 95 // 100]


class Stress(test_lsp_listen.Daemon):
    def setUp(self):
        super().setUp()
        small, why = lsp_case.find_model()
        if not small:
            self.skipTest(why)
        self.files = [small] + [os.path.join(self.folder, f"{n}.gguf") for n in range(2)]
        for path in self.files[1:]:
            shutil.copyfile(small, path)
        self.settings = {
            "tiers": {tier: {"model": path, "contextTokens": 2048}
                      for tier, path in zip(("small", "medium", "large"), self.files)},
            "actions": {"maxTokens": 64}, "mcp": {"enable": False}, **lsp_case.QUICK}
        self.settings["completion"] = {**self.settings["completion"], "maxTokens": 8}
        self.environment = dict(os.environ)
        self.home = os.path.join(self.folder, "home")
        os.environ["HOME"] = self.home
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            os.environ[name] = os.path.join(self.home, name)
        server = {"command": os.path.abspath(lsp_case.PROGRAM), "args": ["mcp", "serve"],
                  "x-host": {"trust": True, "allow": ["search_nodes"]}}
        self.path("home/XDG_CONFIG_HOME/inlined/mcp.json",
                  json.dumps({"mcpServers": {"own": server}}).encode())
        # The first call of search_nodes makes it, which may come before the warm-up's end or after.
        self.path("home/XDG_STATE_HOME/inlined/mcp/memory.jsonl.lock", b"")
        self.log = os.path.join(self.folder, "log")
        self.count = {"typed": 0, "reviewed": 0, "loads": 0, "killed": 0}
        self.lock = threading.Lock()

    def tearDown(self):
        super().tearDown()
        os.environ.clear()
        os.environ.update(self.environment)

    def add(self, what):
        with self.lock:
            self.count[what] += 1

    # -- what there is of the daemon

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.daemon.pid}/task"))

    def memory(self):
        with open(f"/proc/{self.daemon.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("RssAnon:")) * 1024

    def children(self):
        found, folder = [], f"/proc/{self.daemon.pid}/task"
        for task in os.listdir(folder):
            try:
                with open(f"{folder}/{task}/children", encoding="ascii") as f:
                    found += [int(pid) for pid in f.read().split()]
            except OSError:
                pass  # the thread ended
        return found

    def all_files(self):
        """But for the log, which may be moved aside, and for what the servers of the test remember
        (memory.jsonl and its lock), which come with their first call."""
        return sorted(os.path.join(folder, name) for top in (
            self.folder, os.environ["XDG_RUNTIME_DIR"]) for folder, _, names in os.walk(top)
            for name in names if not name.startswith(("log", "memory.jsonl")))

    def own_times(self, since=0):
        """What the daemon says of its suggestions since `since` (bytes of the log), in ms."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            f.seek(since if since <= os.path.getsize(self.log) else 0)
            return [float(found[1]) for found in map(LOGGED.search, f) if found]

    # -- clients

    def join(self, settings, checked):
        client = SocketClient(self.socket_path, model=lsp_case.PROTOCOL if checked else None,
                              settings=settings)
        self.clients.append(client)
        client.initialize()
        return client

    def leave(self, client, politely=True):
        """Each of its requests has one answer, when it stayed for them."""
        if politely:
            client.close()
            wrong = {key: client.answer_counts.get(key, 0) for key in range(1, client.next_id + 1)
                     if client.answer_counts.get(key, 0) != 1}
            assert not wrong, f"answers to requests: {wrong}"
        assert not client.violations, client.violations
        self.clients.remove(client)
        client.kill()

    def type_away(self, number, pauses, until):
        """One editor: types, asks at each key, sometimes takes a request back or leaves at once."""
        rng = random.Random(f"{SEED} {number}")
        settings = dict(self.settings, roles={"completion": "large" if number < 2 else "small"})
        while time.monotonic() < until:
            client, version, line = self.join(settings, number % 4 == 0), 1, ""
            pause = rng.choice(pauses)
            client.open("file:///a.py", LINES)
            for _ in range(rng.randrange(5, 40)):
                if time.monotonic() > until:
                    break
                line = line + rng.choice("abc =()") if len(line) < 30 else ""
                version += 1
                client.change("file:///a.py", version, {"text": LINES + line})
                key = client.request("textDocument/inlineCompletion", client.completion_params(
                    "file:///a.py", {"line": 4, "character": len(line)}, 2))
                if rng.random() < 0.2:
                    client.notify("$/cancelRequest", {"id": key})
                elif rng.random() < 0.7:
                    client.wait(key)
                self.add("typed")
                time.sleep(max(0, min(rng.random() * pause, until - time.monotonic())))
            for key in range(1, client.next_id + 1):
                answer = client.wait(key)
                assert "result" in answer or answer["error"]["code"] in (-32800, -32801), answer
            self.leave(client, rng.random() < 0.7)

    def review(self, number, until):
        """Asks for reviews and explanations, with servers of its own that somebody kills."""
        rng = random.Random(f"{SEED} review {number}")
        settings = dict(self.settings, mcp={"enable": True})
        while time.monotonic() < until:
            client, place = self.join(settings, True), {"line": 1, "character": 4}
            client.open("file:///b.py", LINES)
            for _ in range(rng.randrange(1, 6)):
                self.servers(client)
                key = client.request("workspace/executeCommand", {
                    "command": "inlined.action", "arguments": [{
                        "action": rng.choice(("review", "explain")), "uri": "file:///b.py",
                        "range": {"start": place, "end": place}}]})
                if rng.random() < 0.2:
                    client.notify("$/cancelRequest", {"id": key})
                answer = client.wait(key, SECONDS + 120)  # typing goes first, however long
                # A model this small finishes hardly any, and says so: -32803.
                assert "result" in answer or answer["error"]["code"] in (-32800, -32803), answer
                self.add("reviewed")
                if time.monotonic() > until:
                    break
            self.leave(client, rng.random() < 0.7)

    def servers(self, client):
        """States of its servers, when its settings have arrived; they start when they are asked
        for, but for one that died five times."""
        def states():
            return [s["state"] for s in client.call("inlined/tools")["servers"]]
        return self.wait_until(states, "the settings arrive")

    def load_and_unload(self, until):
        rng, client = random.Random(f"{SEED} load"), self.join(self.settings, True)
        while time.monotonic() < until:
            client.call("inlined/models", {"action": "load", "tier": "medium"})
            self.add("loads")
            time.sleep(rng.random() / 2)
            client.wait(client.request("inlined/models", {"action": "unload", "tier": "medium"}))
            time.sleep(rng.random() / 5)
        self.leave(client)

    def kill_servers(self, until):
        rng = random.Random(f"{SEED} kill")
        while time.monotonic() < until:
            time.sleep(0.1 + rng.random() / 4)
            servers = self.children()
            if not servers:
                continue
            try:
                os.kill(rng.choice(servers), signal.SIGKILL)
                self.add("killed")
            except ProcessLookupError:
                pass  # its editor left just now

    # -- the test

    def together(self, seconds, *work):
        """Each of work, (function, argument ...), on a thread until the time is over."""
        until, errors = time.monotonic() + seconds, []

        def guarded(function, *arguments):
            try:
                function(*arguments, until)
            except BaseException as error:  # shown by the test, not by the thread
                errors.append(error)

        threads = [threading.Thread(target=guarded, args=one) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    def storm(self, seconds):
        self.together(seconds, (self.load_and_unload,), (self.kill_servers,),
                      *((self.type_away, n, PAUSES_S) for n in range(TYPING)),
                      *((self.review, n) for n in range(REVIEWING)))

    def alone(self, seconds):
        """p95 of a client that has the daemon for itself."""
        since = os.path.getsize(self.log)
        self.together(seconds, (self.type_away, TYPING, (0,)))
        return p95(self.own_times(since))

    def wait_until(self, question, what):
        end = time.monotonic() + 60
        while True:
            value = question()
            if value:
                return value
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.1)

    def settled(self):
        """(descriptors, threads, files) and memory when one client is left, nothing runs, and the
        third model is out."""
        client = self.join(self.settings, True)
        client.wait(client.request("inlined/models", {"action": "unload", "tier": "medium"}))

        def quiet():
            state = client.call("inlined/daemon")
            return state if state["clients"] == 1 and not sum(
                m.get("queue", 0) for m in state["models"]) else None
        state = self.wait_until(quiet, "the daemon comes to rest")
        self.assertEqual([m["failed"] for m in state["models"] if m["state"] == "ready"], [0, 0])
        self.wait_until(lambda: not self.children(), "no child is left")
        before = [self.memory()]

        def still():
            before.append(self.memory())
            return abs(before[-1] - before[-2]) < 65536 and len(before) > 3
        self.wait_until(still, "its memory is what it is")
        self.leave(client)
        self.wait_until(lambda: not self.clients, "the last client is gone")
        time.sleep(0.2)
        return (self.descriptors(), self.threads(), self.all_files()), self.memory()

    def servers_come_back(self):
        """After all those deaths a new editor's server starts as ever."""
        client = self.join(dict(self.settings, mcp={"enable": True}), True)
        self.wait_until(lambda: self.servers(client) == ["ready"], "the server starts")
        self.leave(client)

    def test_many_clients(self):
        self.listen(self.settings, "--log-file", self.log, "--log-level", "info")
        self.storm(min(SECONDS * 0.3, 60))
        self.servers_come_back()
        left, memory = self.settled()
        alone, since = self.alone(min(SECONDS / 8, 20)), os.path.getsize(self.log)
        self.storm(SECONDS * 0.6 if not LONG else SECONDS)
        among = p95(self.own_times(since))
        alone = max(alone, self.alone(min(SECONDS / 8, 20)))
        self.servers_come_back()
        after, grown = self.settled()
        print(f"\n{', '.join(f'{n} {what}' for what, n in self.count.items())}; "
              f"p95 {among:.0f} ms among {TYPING}, {alone:.0f} ms alone; "
              f"{memory / 1e6:.1f} MB, then {grown / 1e6:.1f} MB")
        self.assertEqual(after, left)
        self.assertGreater(min(self.count[x] for x in ("reviewed", "loads", "killed")), 0)
        self.assertLess(grown, memory * 1.01 if LONG else memory * 1.05 + (8 << 20))
        self.assertLess(among, TURNS * alone)
        self.stop()


if __name__ == "__main__":
    lsp_case.main()
