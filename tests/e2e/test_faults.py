#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One allocation of the daemon has no memory, wherever in a session that is: the daemon goes on, or
it ends with one sentence and another one takes over.  The editor notices nothing, but for -32801 on
what was asked just then, or one thing that did not work.

A session is scripted: typing, menus, hovers, actions, tools of an MCP server, git, the index of
symbols, a second model, the pages of --health.  A first run lists every place of the program (and
of its libraries) that allocates in it, as fail_alloc.c tells them apart; in each further run the
first allocation of one of them fails.  INLINED_FAULTS says how many places are taken (16); "all"
takes every one, "2/8" the second eighth of them, on INLINED_FAULTS_JOBS threads (2).  Which ones a
short run takes depends on the program alone: the same build takes the same ones, the next build
others."""
import concurrent.futures
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
import unittest

import lsp_case
import lsp_client

FAULTS = os.environ.get("INLINED_FAULTS", "16")
JOBS = int(os.environ.get("INLINED_FAULTS_JOBS", "2"))
TESTS = os.path.join(os.path.abspath(lsp_case.BUILD), "tests")
LIBRARY = os.path.join(TESTS, "fail_alloc.so")
CHAT = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "
TEXT = "def add(first, second):\n    return first + second\n\n\n" \
       "def sub(first, second):\n    return "
# How a daemon may die of it, in its log: our sentence, that of a library, a failed assertion.
LAST_WORDS = re.compile(r"out of memory|tree-sitter failed to \w+|inlined: bug: .*rc == 0")
AGAIN = (-32801, -32800)  # the text, or the daemon, is another one now


def git(folder, *words):
    subprocess.run(["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *words],
                   check=True, capture_output=True, timeout=60)


class Session:
    """A session as of a person, in a folder of its own."""

    def __init__(self, test, folder, site):
        self.test, self.folder, self.site = test, folder, site
        self.mark = os.path.join(folder, "mark")
        self.runtime, self.health = os.path.join(folder, "r"), os.path.join(folder, "h")
        self.project = os.path.join(folder, "project")
        for name in (self.runtime, self.project):
            os.makedirs(name, 0o700)
        small, large = (os.path.join(test.folder, f"{n}.gguf") for n in ("small", "large"))
        self.settings = {"tiers": {"small": {"model": small}, "large": {"model": large}},
                         "actions": {"maxTokens": 16}, **lsp_case.QUICK}
        self.settings["completion"] = {**self.settings["completion"], "maxTokens": 8, "menu": True}
        self.write("project/b.py", "def known(a):\n    return a\n\n\nclass Thing:\n    pass\n")
        self.write("project/c.c", "#include <stdio.h>\nint f(int a) { return a; }\n")
        self.write("project/.gitignore", "*.o\n")
        git(self.project, "init", "-q")
        git(self.project, "add", ".")
        git(self.project, "commit", "-qm", "one")
        server = {"command": os.path.abspath(lsp_case.PROGRAM), "args": ["mcp", "serve"],
                  "x-host": {"trust": True, "allow": ["search_nodes"]}}
        self.write("config/inlined/mcp.json", json.dumps({"mcpServers": {"own": server}}))
        env = {"XDG_RUNTIME_DIR": self.runtime, "LD_PRELOAD": LIBRARY, "HOME": folder,
               "FAIL_ALLOC_SITE": site, "FAIL_ALLOC_MARK": self.mark}
        for name in ("cache", "config", "state"):
            env[f"XDG_{name.upper()}_HOME"] = os.path.join(folder, name)
        self.client = lsp_client.Client(
            [lsp_case.PROGRAM, "--stdio", "--log-level", "info", "--health", self.health],
            env=env, settings=self.settings)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def ask(self, method, params=None, result=False):
        """One answer to each question, which is asked again while it falls into the pause.  What it
        says may be an error, unless `result`."""
        for _ in range(100):
            key = self.client.request(method, params, check=False)
            answer = self.client.wait(key)
            self.test.assertEqual(self.client.answer_counts[key], 1)
            error = answer.get("error")
            if not error:
                return answer["result"]
            self.test.assertIn(error["code"], (*AGAIN, -32803, -32603, -32602), answer)
            if error["code"] not in AGAIN and not result:
                return None
            time.sleep(0.02)
        return self.test.fail(f"{method} is never answered")

    def until_ready(self):
        end = time.monotonic() + 90
        while self.ask("inlined/status", result=True)["state"] != "ready":
            self.test.assertLess(time.monotonic(), end, "the model is never ready")
            time.sleep(0.02)

    def until_tools(self):
        """Not for ever: what does not start for want of memory is failed."""
        for _ in range(100):
            said = self.ask("inlined/tools", result=True)
            states = {s["state"] for s in said["servers"]}
            if states & {"ready", "failed", "broken", "error"}:
                break
            time.sleep(0.02)

    def pages(self):
        for path in ("/healthz", "/metrics", "/status"):
            connection = http.client.HTTPConnection("localhost", timeout=10)
            try:
                connection.sock = socket.socket(socket.AF_UNIX)
                connection.sock.settimeout(10)
                connection.sock.connect(self.health)
                connection.request("GET", path)
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                pass  # the daemon died of it, or has no pages; that is seen elsewhere
            finally:
                connection.close()

    def action(self, name, uri):
        place = {"line": 0, "character": 5}
        self.ask("workspace/executeCommand", {"command": "inlined.action", "arguments": [
            {"action": name, "uri": uri, "range": {"start": place, "end": place}}]})

    def run(self):
        """Gives the text that there is in the end."""
        client, uri = self.client, f"file://{self.project}/a.py"
        client.initialize(workspaceFolders=[{"uri": f"file://{self.project}", "name": "p"}])
        client.open(uri, TEXT)
        self.until_ready()
        text, place = TEXT, {"textDocument": {"uri": uri}, "position": {"line": 4, "character": 5}}
        for version in range(2, 8):
            text += "xy"[version % 2]
            client.change(uri, version, {
                "range": {"start": {"line": 5, "character": 9 + version},
                          "end": {"line": 5, "character": 9 + version}}, "text": text[-1]})
            if version % 3 == 0:
                end = {"line": 5, "character": 10 + version}
                self.ask("textDocument/inlineCompletion", client.completion_params(uri, end))
                self.ask("textDocument/completion", {**place, "position": end})
        client.notify("inlined/diagnostics", {"uri": uri, "diagnostics": []})
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        self.ask("textDocument/hover", place)
        self.ask("textDocument/diagnostic", {"textDocument": {"uri": uri}})
        both = {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}
        self.ask("textDocument/codeAction", {
            "textDocument": {"uri": uri}, "context": {"diagnostics": []}, "range": both})
        self.until_tools()
        for name in ("explain", "document", "reviewChanges"):
            self.action(name, uri)
        client.notify("workspace/didChangeWatchedFiles", {"changes": [
            {"uri": f"file://{self.project}/b.py", "type": 2}]})
        client.notify("workspace/didChangeConfiguration", {"settings": None})
        self.ask("inlined/models", {"action": "load", "tier": "large"})
        self.ask("inlined/models", {"action": "unload", "tier": "large"})
        self.pages()
        client.open(f"file://{self.project}/c.c", "int f(int a) {\n    return ", "c")
        self.ask("textDocument/inlineCompletion", client.completion_params(
            f"file://{self.project}/c.c", {"line": 1, "character": 11}))
        client.notify("textDocument/didClose", {
            "textDocument": {"uri": f"file://{self.project}/c.c"}})
        self.ask("inlined/daemon", result=True)
        self.until_ready()
        said = self.ask("inlined/context/explain", {
            "textDocument": {"uri": uri}, "position": {"line": 5, "character": 17}}, result=True)
        self.test.assertEqual(said["prefix"] + said["suffix"], text)
        self.test.assertEqual(client.close(), 0)

    def end(self):
        """(the daemons' log, how often one died by which signal, errors that the person saw)"""
        told = [n["params"]["message"] for n in self.client.notifications
                if n["method"] == "window/showMessage" and n["params"]["type"] == 1]
        trouble = self.client.stderr()
        self.client.kill()
        left = lsp_case.end_daemons(self.runtime)
        with open(os.path.join(self.runtime, "inlined", "daemon.log"), encoding="utf-8",
                  errors="replace") as f:
            log = f.read()
        self.test.assertEqual(left, [])
        return log, re.findall(r"signal=(\d+)", trouble), told


class Faults(lsp_case.Case):
    def setUp(self):
        super().setUp()
        if not os.path.isfile(LIBRARY):
            self.skipTest("sanitizers have an allocator of their own; the release build runs this")
        for name in ("small", "large"):
            subprocess.run([os.path.join(TESTS, "tiny_gguf_tool"), "llama",
                            os.path.join(self.folder, f"{name}.gguf"), CHAT], check=True,
                           timeout=60)

    def one(self, number, site):
        """What became of the daemon: "lived", "died", "not met"; None and why it is wrong."""
        folder = os.path.join(self.folder, str(number))
        session = Session(self, folder, site)
        try:
            try:
                session.run()
            finally:
                log, ends, told = session.end()
            # 6: it said why and gave up.  Never 11: nobody looks at memory that is not there.
            if ends:
                self.assertLessEqual(set(ends), {"6"}, log[-1500:])
                self.assertRegex(log, LAST_WORDS)
            self.assertLessEqual(len(told), 1, told)
            with open(session.mark, encoding="ascii") as f:
                lines = f.read().splitlines()
            if not lines and not ends:  # it died when the editor had gone already
                self.assertRegex(log, LAST_WORDS)
            return ("died" if not lines else "lived" if lines[0] == "failed" else "not met",
                    lines[1:])
        except Exception as error:  # the others are looked at, too
            return None, f"{type(error).__name__}: {error}"
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def chosen(self, sites):
        if FAULTS == "all":
            return sites
        if "/" in FAULTS:
            part, parts = map(int, FAULTS.split("/"))
            return [site for site in sites if int(site[:8], 16) % parts == part - 1]
        with open(lsp_case.PROGRAM, "rb") as f:
            seed = hashlib.sha256(f.read()).hexdigest()
        order = sorted(sites, key=lambda site: hashlib.sha256((seed + site).encode()).digest())
        return order[:int(FAULTS)]

    def test_one_allocation_fails(self):
        became, listed = self.one("first", "0")
        self.assertEqual(became, "not met", listed)
        frames = {line.split()[0]: line for line in listed}
        self.assertGreater(len(frames), 500)
        counts = {"lived": 0, "died": 0, "not met": 0}
        sites, wrong, start = self.chosen(sorted(frames)), [], time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            for site, (became, why) in zip(sites, pool.map(self.one, range(len(sites)), sites)):
                if became:
                    counts[became] += 1
                else:
                    wrong.append(f"{frames[site]}\n{why}")
                    print(f"\nFAILED {wrong[-1]}", flush=True)
        print(f"\n{sum(int(line.split()[1]) for line in listed)} allocations at {len(frames)} "
              f"places, {len(sites)} of them failed in {time.monotonic() - start:.0f} s: "
              f"{counts['lived']} times the daemon went on, {counts['died']} times another one "
              f"took over, {counts['not met']} were not met again")
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    lsp_case.main()
