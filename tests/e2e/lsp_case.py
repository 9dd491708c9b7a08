# SPDX-License-Identifier: Apache-2.0
"""What the LSP tests share: the daemon, the model, temporary folders, and the final judgement.

A Case fails when any message of either side broke the protocol, unless it was sent with
send_wrong() or send_bytes().  Tests of the real model share one daemon per class (ModelCase).
"""
import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import lsp_client
import metamodel

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("INLINED_BUILD") or os.path.join(HERE, "../../build")
PROGRAM = os.path.join(BUILD, "inlined")
BASE = "smollm2-135m-instruct"  # prefix only: the plain base of the default model
# Tests may run beside compilers: no time budget, and few tokens instead.
# Unsure suggestions are shown, too: tests are about the way of a suggestion, not about its worth.
QUICK = {"completion": {"timeBudgetMs": 0, "deadlineMs": 0, "maxTokens": 24, "candidates": 1,
                        "confidence": 0, "cutBelow": 0}}


def daemons_of(runtime):
    """Process ids of the daemons that were started with this XDG_RUNTIME_DIR."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
            with open(f"/proc/{pid}/environ", "rb") as f:
                environment = f.read().split(b"\0")
        except OSError:
            continue  # it ended, or is another user's
        if b"--listen" in words and f"XDG_RUNTIME_DIR={runtime}".encode() in environment:
            found.append(int(pid))
    return found


def end_daemons(runtime):
    """Ends them; gives those that stay all the same."""
    for pid in daemons_of(runtime):
        os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 20
    while daemons_of(runtime) and time.monotonic() < end:
        time.sleep(0.02)
    return daemons_of(runtime)


def own_runtime():
    """No test sees the daemon of the person who runs it, nor that of a test beside it."""
    folder = tempfile.mkdtemp(prefix="inlined-run-")
    os.environ["XDG_RUNTIME_DIR"] = folder

    def tidy():
        end_daemons(folder)
        shutil.rmtree(folder, ignore_errors=True)
    atexit.register(tidy)


own_runtime()


def find_model(name=BASE):
    """Path of a real model or None, and why.  INLINED_MODEL stands for the plain base."""
    path = os.environ.get("INLINED_MODEL") if name == BASE else None
    if path:
        return (path, "") if os.path.isfile(path) else (None, f"INLINED_MODEL={path} is no file")
    answer = subprocess.run([PROGRAM, "models", "path", name], capture_output=True, text=True,
                            check=False)
    path = answer.stdout.strip()
    if answer.returncode == 0 and os.path.isfile(path):
        return path, ""
    return None, f"no model here; fetch it with: build/inlined models pull {name}"


def load_model_of_protocol():
    model = metamodel.load()
    return model and metamodel.extend(model, os.path.join(HERE, "inlined_schema.json"))


PROTOCOL = load_model_of_protocol()


class Case(unittest.TestCase):
    """Starts daemons with start(); each is judged and ended in tearDown."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="inlined-test-")
        self.clients = []

    def tearDown(self):
        violations = [v for c in self.clients for v in c.violations]
        for client in self.clients:
            client.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.assertEqual(violations, [], "messages that break the protocol")

    def path(self, name, content=b""):
        full = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as f:
            f.write(content)
        return full

    def start(self, settings=None, arguments=(), env=None):
        """A daemon whose --config is `settings`; by default its model is missing."""
        if settings is None:
            settings = {"model": os.path.join(self.folder, "absent.gguf")}
        config = self.path(f"config{len(self.clients)}.json", json.dumps(settings).encode())
        client = lsp_client.Client([PROGRAM, "--no-daemon", "--config", config, *arguments],
                                   model=PROTOCOL, env=env)
        self.clients.append(client)
        return client

    def assert_alive(self, client):
        """It still answers, and ends as it should."""
        with self.assertRaises(lsp_client.LspError) as caught:
            key = client.request("inlined/nothing", {}, check=False)
            answer = client.wait(key)
            if "error" in answer:
                raise lsp_client.LspError("inlined/nothing", answer["error"])
        self.assertEqual(caught.exception.code, -32601)
        self.assertEqual(client.close(), 0)

    def assert_sentence(self, text):
        self.assertGreater(len(text.split()), 3, text)
        self.assertNotIn("\n", text.strip())


class ModelCase(unittest.TestCase):
    """One daemon with the real model for the whole class: cls.client."""
    settings = QUICK
    capabilities = None
    options = None  # initializationOptions
    model_name = BASE

    @classmethod
    def setUpClass(cls):
        path, why = find_model(cls.model_name)
        if not path:
            raise unittest.SkipTest(why)
        cls.folder = tempfile.mkdtemp(prefix="inlined-test-")
        cls.config = os.path.join(cls.folder, "config.json")
        with open(cls.config, "w", encoding="utf-8") as f:
            json.dump({"model": path, **cls.settings}, f)
        cls.model_path = path
        cls.client = lsp_client.Client([PROGRAM, "--no-daemon", "--config", cls.config],
                                       model=PROTOCOL, settings={"model": path, **cls.settings})
        cls.client.initialize(cls.capabilities, initializationOptions=cls.options)
        wait_ready(cls.client)
        cls.uri_count = 0

    @classmethod
    def tearDownClass(cls):
        violations = list(cls.client.violations)
        try:
            code = cls.client.close()
        finally:
            cls.client.kill()
            shutil.rmtree(cls.folder, ignore_errors=True)
        if violations or code != 0:
            raise AssertionError(f"exit code {code}; protocol: {violations}")

    def new_uri(self, suffix=".py"):
        type(self).uri_count += 1
        return f"file://{self.folder}/doc{self.uri_count}{suffix}"

    def complete_at(self, text, language="python", suffix=".py", trigger=1):
        """Opens `text` with the cursor at its `|` mark, completes, closes: (items, position)."""
        at = text.index("|")
        text = text[:at] + text[at + 1:]
        uri = self.new_uri(suffix)
        self.client.open(uri, text, language)
        position = self.client.position(text, at)
        items = self.client.complete(uri, position, trigger)
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        return items, position


def wait_ready(client, timeout=lsp_client.TIMEOUT_S):
    """Until the model is loaded, by the daemon's own word."""
    params = client.wait_notification(
        "inlined/status", lambda p: p["state"] in ("ready", "error"), timeout)
    if params["state"] != "ready":
        raise AssertionError(f"the model was not loaded: {params}")
    return params


def last_status(client):
    with client.changed:
        found = [n["params"] for n in client.notifications if n["method"] == "inlined/status"]
    return found[-1] if found else None


def main():
    """Runs the tests of the calling file; 77 (and the reason) when none of them can run."""
    if PROTOCOL is None:
        print("SKIP: the npm package vscode-languageserver-protocol is nowhere; "
              "bootstrap test fetches it (by hand: npm ci in tests/peers)")
        sys.exit(77)
    if not os.access(PROGRAM, os.X_OK):
        print(f"SKIP: {PROGRAM} is not built")
        sys.exit(77)
    result = unittest.main(exit=False, verbosity=2).result
    for test, reason in result.skipped:
        print(f"SKIP: {test}: {reason}")
    if not result.wasSuccessful():
        sys.exit(1)
    ran = result.testsRun - len([s for s in result.skipped if "setUpClass" not in str(s[0])])
    sys.exit(77 if result.skipped and ran == 0 else 0)
