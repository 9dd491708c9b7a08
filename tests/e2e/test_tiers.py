#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several models in one daemon, as editors and people at the command line see them: loading and
unloading beside typing, what serves instead of what is missing, and what `status` says.  The large
tier is played by a link to the plain base: another path, so another model."""
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import unittest

import lsp_case
import test_lsp_listen
from lsp_client import SocketClient

TEXT = "def add(first, second):\n    return first + second\n\n\n" \
       "def multiply(first, second):\n    return "
END = {"line": 5, "character": 11}


class TwoTiers(test_lsp_listen.Daemon):
    """A daemon whose small and large tier are two files."""
    def setUp(self):
        super().setUp()
        small, why = lsp_case.find_model()
        if not small:
            self.skipTest(why)
        self.small, self.large = small, os.path.join(self.folder, "large.gguf")
        shutil.copyfile(small, self.large)
        self.settings = {"tiers": {"small": {"model": self.small}, "large": {"model": self.large}},
                         **lsp_case.QUICK}

    def ask(self, *words, code=0):
        done = subprocess.run([lsp_case.PROGRAM, *words, "--socket", self.socket_path],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        if code:
            self.assert_sentence(done.stderr.strip())
        return json.loads(done.stdout) if "--json" in words else done.stdout

    def models(self):
        return {m["path"]: m for m in self.ask("status", "--json")["models"]}

    def ready(self):
        client = self.editor(self.settings)
        lsp_case.wait_ready(client)
        client.open("file:///a.py", TEXT)
        return client


class Tiers(TwoTiers):
    def test_load_use_unload(self):
        self.listen(self.settings)
        client = self.ready()
        self.assertEqual(list(self.models()), [self.small])
        self.assertIn("large: large.gguf is ready", self.ask("models", "load", "large"))
        both = self.models()
        self.assertEqual([m["state"] for m in both.values()], ["ready", "ready"])
        self.assertTrue(all(m["memory"]["weights"] > 50e6 for m in both.values()))
        self.ask("models", "unload", "large")
        self.assertEqual(self.models()[self.large]["state"], "absent")
        self.ask("models", "unload", "large", code=1)
        self.ask("models", "unload", "huge", code=1)
        self.ask("models", "use", "medium", self.folder + "/no.gguf", code=1)
        self.ask("models", "use", "small", self.large)
        text = client.complete("file:///a.py", END)
        self.assertEqual(len(text), 1)
        state = self.ask("status", "--json")
        self.assertEqual(state["tiers"][0]["model"], self.large)
        jobs = {m["path"]: m.get("jobs", 0) for m in state["models"]}
        self.assertGreater(jobs[self.large], 0)
        self.assertGreater(state["suggestions"]["asked"], 0)
        self.ask("models", "use", "small", "")
        self.assertEqual(self.ask("status", "--json")["tiers"][0]["model"], self.small)
        self.assertIn("tiers", self.ask("status"))
        client.close()
        self.stop()

    def test_typing_goes_on_beside_loads(self):
        self.listen(self.settings)
        client = self.ready()
        over, loads = threading.Event(), []

        def load_all_the_time():
            while not over.is_set():
                loads.append(self.ask("models", "load", "large"))
                loads.append(self.ask("models", "unload", "large"))

        thread = threading.Thread(target=load_all_the_time)
        thread.start()
        try:
            for number in range(20):
                line = f"x{number} = "
                client.change("file:///a.py", number + 2, {"text": TEXT + line})
                position = {"line": 5, "character": 11 + len(line)}
                self.assertLessEqual(len(client.complete("file:///a.py", position)), 1)
        finally:
            over.set()
            thread.join()
        self.assertGreater(len(loads), 1)
        state = self.models()[self.small]
        self.assertEqual((state["state"], state["failed"]), ("ready", 0))
        client.close()
        self.stop()

    def maps(self):
        with open(f"/proc/{self.daemon.pid}/maps", encoding="utf-8", errors="replace") as f:
            return f.read()

    def anonymous_mb(self):
        with open(f"/proc/{self.daemon.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("RssAnon:")) / 1024

    def nothing_half_loaded(self, before):
        """Neither the file nor what was made of it is in the daemon; the small model serves on."""
        end = time.monotonic() + 60
        while self.large in self.maps() or self.anonymous_mb() > before + 30:
            self.assertLess(time.monotonic(), end, "something of it stays")
            time.sleep(0.05)
        self.assertNotIn(self.models()[self.large]["state"], ("loading", "ready"))
        self.assertEqual(self.models()[self.small]["state"], "ready")

    def test_an_editor_cancels_a_load(self):
        self.settings["roles"] = {"review": "large", "explain": "large"}
        self.listen(self.settings)
        client = self.ready()
        before = self.anonymous_mb()

        def cancel(params):
            client.notify("window/workDoneProgress/cancel", {"token": params["token"]})
        client.handlers["window/workDoneProgress/create"] = cancel
        for _ in range(50):  # it may be quicker than we are
            client.call("inlined/models", {"action": "load", "tier": "large"})
            self.wait_loaded()
            state = self.models()[self.large]
            if state["state"] == "failed":
                break
            self.ask("models", "unload", "large")
        self.assertIn("was cancelled", state["error"])
        self.nothing_half_loaded(before)
        self.assertLessEqual(len(client.complete("file:///a.py", END)), 1)
        self.assertEqual(self.models()[self.large]["state"], "failed")
        client.handlers["window/workDoneProgress/create"] = lambda p: None
        self.assertIn("is ready", self.ask("models", "load", "large"))  # a person's word
        client.close()
        self.stop()

    def wait_loaded(self):
        end = time.monotonic() + 60
        while self.models()[self.large]["state"] == "loading":
            self.assertLess(time.monotonic(), end, "it loads for ever")

    def test_control_c_gives_a_load_up(self):
        self.listen(self.settings)
        client = self.ready()
        before = self.anonymous_mb()
        for _ in range(50):
            load = subprocess.Popen(
                [lsp_case.PROGRAM, "models", "load", "large", "--socket", self.socket_path],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            end = time.monotonic() + 60
            while load.poll() is None and self.models().get(self.large, {}).get(
                    "state") != "loading" and time.monotonic() < end:
                pass
            load.send_signal(signal.SIGINT)
            said = load.communicate(timeout=60)
            if load.returncode:
                break
            self.ask("models", "unload", "large")  # it was quicker than we are
        self.assertEqual(load.returncode, 1, said)
        self.assert_sentence(said[1].strip())
        self.assertIn("given up", said[1])
        self.nothing_half_loaded(before)
        client.close()
        self.stop()

    def test_a_damaged_file_leaves_nothing(self):
        with open(self.large, "r+b") as f:
            f.truncate(os.path.getsize(self.large) // 2)
        self.listen(self.settings)
        client = self.ready()
        before = self.anonymous_mb()
        for _ in range(3):
            self.ask("models", "load", "large", code=1)
            self.nothing_half_loaded(before)
        client.close()
        self.stop()

    def test_the_nearest_tier_serves_and_it_is_said_once(self):
        os.unlink(self.large)
        self.settings["roles"] = {"completion": "large"}
        self.listen(self.settings)
        client = self.ready()
        for number in range(3):
            client.change("file:///a.py", number + 2, {"text": TEXT + " " * number})
            self.assertLessEqual(len(client.complete("file:///a.py", END)), 1)
        self.assertGreater(self.models()[self.small]["jobs"], 0)
        with client.changed:
            told = [n["params"]["message"] for n in client.notifications
                    if n["method"] == "window/showMessage"]
        self.assertEqual(len(told), 1, told)
        self.assertIn("large.gguf", told[0])
        client.close()
        self.stop()

    def test_no_daemon(self):
        self.ask("status", code=1)
        self.ask("models", "load", "small", code=1)


class Status(TwoTiers):
    """What `inlined status --json` says is what was done."""
    KINDS = {
        "": {"version": str, "pid": int, "uptimeSeconds": int, "clients": int, "connections": int,
             "device": dict, "hostMemoryAvailable": int, "tiers": list, "models": list,
             "mcpServers": dict, "mcpCalls": dict, "suggestions": dict, "loads": int,
             "failedLoads": int},
        "device": {"name": str, "why": str, "memory": int, "freeAtStart": int},
        "suggestions": {"asked": int, "withoutModel": int},
        "mcpCalls": dict.fromkeys(("calls", "errors", "timeouts", "cancelled", "fromCache",
                                   "starts", "exits"), int),
        "tier": {"tier": str, "model": str, "why": str, "roles": list},
        "model": {"name": str, "path": str, "state": str, "idleSeconds": int, "backend": str,
                  "backendWhy": str, "quantisation": str, "onGpu": bool, "contextTokens": int,
                  "loadMs": float, "memory": dict, "queue": int, "sequences": int,
                  "cachedTokens": int, "tokensPerSecond": dict, "tokensPerSecondMinute": dict,
                  "speed": float, "reusedShare": float, "tokens": dict, "jobs": int,
                  "failed": int, "cancelled": int, "late": int},
        "memory": {"weights": int, "context": int, "work": int},
        "tokens": {"read": int, "written": int, "reused": int},
        "rate": {"read": float, "written": float},
    }

    def kinds(self, what, name):
        """Exactly these keys, each of its kind; no number is below zero."""
        expected = self.KINDS[name]
        self.assertEqual(what.keys(), expected.keys())
        for key, kind in expected.items():
            self.assertIsInstance(what[key], (int, float) if kind is float else kind, key)
            self.assertNotEqual((kind in (int, float), isinstance(what[key], bool)), (True, True))
            if kind in (int, float):
                self.assertGreaterEqual(what[key], 0, key)

    def status_now(self):
        state = self.ask("status", "--json")
        self.kinds(state, "")
        for key in ("device", "suggestions", "mcpCalls"):
            self.kinds(state[key], key)
        for tier in state["tiers"]:
            self.kinds(tier, "tier")
        model, = state["models"]
        self.kinds(model, "model")
        for key in ("memory", "tokens"):
            self.kinds(model[key], key)
        for key in ("tokensPerSecond", "tokensPerSecondMinute"):
            self.kinds(model[key], "rate")
        return state, model

    def when_idle(self):
        end = time.monotonic() + 120
        while True:
            state, model = self.status_now()
            if not model["queue"]:
                return state, model
            self.assertLess(time.monotonic(), end, model)
            time.sleep(0.05)

    def complete_other(self, client, number):
        """Another text each time, from its beginning; gives what is suggested at its end."""
        lines = f"# number {number}\n" + TEXT
        client.change("file:///a.py", number + 100, {"text": lines})
        return client.complete("file:///a.py", {**END, "line": END["line"] + 1})

    def test_counts(self):
        self.settings["completion"] = {**self.settings["completion"], "speculate": False}
        self.listen(self.settings)
        client = self.ready()
        before, none = self.status_now()
        self.assertEqual((before["pid"], before["loads"], before["failedLoads"]),
                         (self.daemon.pid, 1, 0))
        self.assertEqual((none["state"], none["path"]), ("ready", self.small))
        self.assertEqual(set(none["tokens"].values()), {0})
        self.assertEqual(before["suggestions"], {"asked": 0, "withoutModel": 0})
        self.assertGreater(none["memory"]["weights"], 50e6)
        self.assertGreater(min(none["memory"]["context"], none["contextTokens"], none["loadMs"],
                               before["hostMemoryAvailable"]), 0)
        start = time.monotonic()
        for number in range(3):
            self.complete_other(client, number)
        text = client.complete("file:///a.py", {**END, "line": END["line"] + 1})  # as before
        state, model = self.when_idle()
        self.assertEqual(state["suggestions"]["asked"], 4, text)
        self.assertEqual(state["suggestions"]["withoutModel"], 1)
        self.assertEqual((model["jobs"], model["failed"], model["cancelled"], model["late"]),
                         (3, 0, 0, 0))
        tokens = model["tokens"]
        self.assertGreater(tokens["read"], 20)
        self.assertGreater(tokens["written"], 0)
        self.assertLessEqual(tokens["written"], 3 * 24)
        share = tokens["reused"] / (tokens["read"] + tokens["reused"])
        self.assertAlmostEqual(model["reusedShare"], share, delta=0.002)
        self.assertGreater(min(model["sequences"], model["cachedTokens"], model["speed"]), 0)
        for key in ("read", "written"):  # rounded to tenths: six tokens a minute
            told = 60 * model["tokensPerSecondMinute"][key]
            self.assertLessEqual(told, tokens[key] + 6)
            self.assertLessEqual(model["tokensPerSecond"][key] * 2, tokens[key] + 1)
            if time.monotonic() - start < 50:  # nothing of it is older than a minute
                self.assertGreaterEqual(told, tokens[key] - 6)
        self.what_was_given_up(client, model)
        client.close()
        self.stop()

    def long_text(self, number):
        """More than one step of the model reads it, each in more than a millisecond."""
        return "".join(f"value_{n} = {n * 7919 % 1000 + number}\n" for n in range(300))

    def what_was_given_up(self, client, before):
        """Taken back by the editor; and begun too late for its deadline."""
        client.open("file:///b.py", "")
        for version in range(2, 60):  # it may be quicker than we are
            client.change("file:///b.py", version, {"text": self.long_text(version)})
            key = client.request("textDocument/inlineCompletion", client.completion_params(
                "file:///b.py", {"line": 300, "character": 0}))
            while not client.has_answer(key):
                if client.call("inlined/daemon")["models"][0]["queue"]:
                    client.notify("$/cancelRequest", {"id": key})
                    break
            client.wait(key)
            _, model = self.when_idle()
            if model["cancelled"]:
                break
        self.assertGreater(model["cancelled"], 0)
        self.assertEqual((model["late"], model["failed"]), (0, 0))
        hurried = {**self.settings["completion"], "deadlineMs": 1}
        other = self.editor({**self.settings, "completion": hurried})
        other.open("file:///b.py", "")
        for version in range(2, 60):  # its settings come a moment after it
            other.change("file:///b.py", version, {"text": self.long_text(version + 100)})
            text = other.complete("file:///b.py", {"line": 300, "character": 0})
            state, model = self.when_idle()
            if model["late"]:
                break
        self.assertEqual(text, [])
        self.assertEqual((model["late"], model["failed"]), (1, 0))
        self.assertGreaterEqual(model["jobs"], before["jobs"] + 2)
        self.assertEqual(state["clients"], 3)  # and this question's own
        other.close()


class Requests(test_lsp_listen.Daemon):
    def test_the_same_as_requests(self):
        self.listen({"model": self.folder + "/absent.gguf"})
        client = SocketClient(self.socket_path, model=lsp_case.PROTOCOL, settings={})
        self.clients.append(client)
        client.initialize()
        state = client.call("inlined/daemon")
        self.assertEqual([t["tier"] for t in state["tiers"]], ["small", "medium", "large"])
        self.assertEqual(state["clients"], 1)
        answer = client.call("inlined/models", {"action": "load", "tier": "small"})
        self.assertEqual(answer["state"], "failed")
        self.assert_sentence(answer["error"])
        for wrong in ({"action": "load"}, {"action": "dance", "tier": "small"}, {}, {"tier": 3}):
            code = lsp_case.lsp_client.error_code(client, "inlined/models", wrong)
            self.assertEqual(code, -32602)
        client.close()
        self.stop()


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    lsp_case.main()
