#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several models on one card, as a daemon with editors has them:

    residency.py BUILD --small A.gguf --medium B.gguf --large C.gguf [--device cuda] [--seconds 20]

  resident   all three loaded; where each is, its memory by the daemon's word and the card's
  typing     ghost text every 300 ms: alone, beside a review on the large tier, beside loads of the
             medium one; the bound is twice the idle p95
  eviction   a budget with room for two: the large tier goes for the medium one and comes back from
             the page cache, with its last sequence; how long, and how much of a prompt it has not
             to read again
  cpu        a budget with room for the small one alone: the large tier runs on the CPU
  share      gpuShare 0 for the large tier: small on the card, large on the CPU, at once

The medium and the large model must answer questions; those of tests/tools/synth_gguf.py do, in
their way.

Prints Markdown; exits 1 when something is not where it should be or the bound does not hold.
--device cpu runs the same on main memory, to try the script (its first and last part are left out).
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../e2e"))
import lsp_client  # noqa: E402

LINES = "def add(first, second):\n    return first + second\n\n\n" * 12
ROLES = {"completion": "small", "actions": "medium", "review": "large", "explain": "large"}
failures = []


def check(fine, what):
    print(f"- {'ok' if fine else 'FAILED'}: {what}")
    if not fine:
        failures.append(what)


class Daemon:
    """One daemon on a socket of its own, and one editor."""

    def __init__(self, args, memory=None, tiers=None):
        self.folder = tempfile.mkdtemp(prefix="inlined-gpu-")
        own = tiers or {}
        self.settings = {
            "tiers": {t: {"model": os.path.abspath(getattr(args, t)), "contextTokens": 4096,
                          **own.get(t, {})} for t in ("small", "medium", "large")},
            "roles": ROLES, "memory": memory or {},
            "completion": {"timeBudgetMs": 0, "maxTokens": 24, "candidates": 1, "confidence": 0,
                           "cutBelow": 0},
            "actions": {"maxTokens": 256}}
        config = os.path.join(self.folder, "config.json")
        with open(config, "w", encoding="utf-8") as f:
            json.dump(self.settings, f)
        self.socket = os.path.join(self.folder, "s")
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        environment = {**os.environ, "XDG_RUNTIME_DIR": self.folder}
        self.process = subprocess.Popen(
            [os.path.join(args.build, "inlined"), "--listen", self.socket, "--config", config,
             "--device", args.device, "--log-level", "info"], stdout=subprocess.DEVNULL,
            stderr=self.log, env=environment)
        until(lambda: os.path.exists(self.socket), "a socket", 120)
        self.client = self.editor()

    def editor(self):
        client = lsp_client.SocketClient(self.socket, settings=self.settings)
        client.initialize()
        return client

    def status(self):
        return self.client.call("inlined/daemon")

    def model(self, tier):
        path = self.settings["tiers"][tier]["model"]
        found = [m for m in self.status()["models"] if m["path"] == path]
        return found[0] if found else {"state": "absent"}

    def load(self, tier):
        """Seconds until it is ready; an error of the daemon is raised."""
        start = time.monotonic()

        def ready():
            self.client.call("inlined/models", {"action": "load", "tier": tier})
            state = self.model(tier)
            if state["state"] == "failed":
                raise RuntimeError(state["error"])
            return state["state"] == "ready"
        until(ready, f"the {tier} tier", 600)
        return time.monotonic() - start

    def end(self):
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def until(question, what, seconds):
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            raise RuntimeError(f"no {what} within {seconds} s")
        time.sleep(0.05)


def megabytes(model):
    return sum(model.get("memory", {}).values()) / 1e6


def used_on_card():
    if not shutil.which("nvidia-smi"):
        return 0.0
    done = subprocess.run(["nvidia-smi", "--query-gpu=memory.used",
                           "--format=csv,noheader,nounits"], capture_output=True,
                          text=True, check=False)
    return float(done.stdout.split()[0]) if done.returncode == 0 else 0.0


def type_away(client, seconds):
    """Milliseconds from a key to its answer."""
    client.open("file:///a.py", LINES)
    times, version, text, until_ = [], 1, "", time.monotonic() + seconds
    while time.monotonic() < until_:
        start = time.monotonic()
        text = text + "abcdef "[version % 7] if len(text) < 30 else "x"
        version += 1
        client.change("file:///a.py", version, {"text": LINES + text})
        client.complete("file:///a.py", {"line": 48, "character": len(text)})
        times.append((time.monotonic() - start) * 1e3)
        time.sleep(max(0.0, 0.3 - (time.monotonic() - start)))
    client.notify("textDocument/didClose", {"textDocument": {"uri": "file:///a.py"}})
    times.sort()
    return times[len(times) // 2], times[len(times) * 95 // 100]


def review_all_the_time(daemon, stop, done):
    client = daemon.editor()
    client.open("file:///r.py", LINES)
    while not stop.is_set():
        client.wait(client.request("workspace/executeCommand", {
            "command": "inlined.action", "arguments": [{
                "action": "explain", "uri": "file:///r.py", "version": 1,
                "range": {"start": {"line": 0, "character": 0},
                          "end": {"line": 40, "character": 0}}}]}, check=False), 600)
        done.append(time.monotonic())
    client.close()


def load_all_the_time(daemon, stop, done):
    client = daemon.editor()
    while not stop.is_set():
        client.call("inlined/models", {"action": "load", "tier": "medium"})
        until(lambda: daemon.model("medium")["state"] == "ready", "the medium tier", 600)
        client.wait(client.request("inlined/models", {"action": "unload", "tier": "medium"}))
        done.append(time.monotonic())
    client.close()


def typing(daemon, seconds):
    print("\n| beside it | p50 ms | p95 ms | done meanwhile |\n|---|---|---|---|")
    idle = type_away(daemon.client, seconds)
    print(f"| nothing | {idle[0]:.0f} | {idle[1]:.0f} | |")
    for name, work in (("explanations on the large tier", review_all_the_time),
                       ("loads of the medium tier", load_all_the_time)):
        stop, done = threading.Event(), []
        thread = threading.Thread(target=work, args=(daemon, stop, done))
        thread.start()
        time.sleep(0.5)
        beside = type_away(daemon.client, seconds)
        stop.set()
        thread.join()
        print(f"| {name} | {beside[0]:.0f} | {beside[1]:.0f} | {len(done)} |")
        if work == review_all_the_time:
            review = beside
    print()
    check(review[1] <= 2 * idle[1],
          f"ghost text p95 beside a large tier's work {review[1]:.0f} ms, idle {idle[1]:.0f} ms "
          "(at most twice)")


def explain_once(daemon):
    """Seconds of an explanation on the large tier."""
    start = time.monotonic()
    daemon.client.open("file:///e.py", LINES)
    key = daemon.client.request("workspace/executeCommand", {
        "command": "inlined.action", "arguments": [{
            "action": "explain", "uri": "file:///e.py", "version": 1,
            "range": {"start": {"line": 0, "character": 0}, "end": {"line": 30, "character": 0}}}]},
        check=False)
    daemon.client.wait(key, 600)
    until(lambda: not daemon.model("large")["queue"], "end of the job", 60)  # and is counted
    daemon.client.notify("textDocument/didClose", {"textDocument": {"uri": "file:///e.py"}})
    return time.monotonic() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    for tier in ("small", "medium", "large"):
        parser.add_argument(f"--{tier}", required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=20)
    args = parser.parse_args()
    card = args.device == "cuda"
    budget = "deviceMb" if card else "hostMb"

    before = used_on_card()
    daemon = Daemon(args)
    device = daemon.status()["device"]
    print(f"Device: {device['name']}, {device['memory'] / 1e9:.1f} GB, {device['why']}\n")
    print("| tier | model | type | where | load s | memory MB |\n|---|---|---|---|---|---|")
    sizes = {}
    for tier in ("small", "medium", "large"):
        seconds = daemon.load(tier)
        m = daemon.model(tier)
        sizes[tier] = megabytes(m)
        print(f"| {tier} | {m['name']} | {m['quantisation']} | {'GPU' if m['onGpu'] else 'CPU'} | "
              f"{seconds:.1f} | {sizes[tier]:.0f} |")
    print()
    states = {t: daemon.model(t) for t in sizes}
    check(all(m["state"] == "ready" for m in states.values()), "three models are resident at once")
    if card:
        check(all(m["onGpu"] for m in states.values()), "all of them on the card")
        print(f"- the card's memory in use grew by {used_on_card() - before:.0f} MB, the daemon's "
              f"sum is {sum(sizes.values()):.0f} MB (decimal)")
    typing(daemon, args.seconds)
    daemon.end()
    if card:
        time.sleep(2)
        check(used_on_card() <= before + 64, "the memory is back after the daemon's end")

    two = sizes["small"] + sizes["large"] + sizes["medium"] / 2
    daemon = Daemon(args, {budget: int(two / 1.048576)},
                    {t: {"gpuShare": 100} for t in sizes} if card else None)
    daemon.load("small")
    daemon.load("large")
    cold = explain_once(daemon)
    time.sleep(6)  # what was used within five seconds stays
    daemon.load("medium")
    check(daemon.model("large")["state"] == "absent", "the large tier went for the medium one")
    check(daemon.model("small")["state"] == "ready", "typing's model stayed")
    time.sleep(6)
    back = daemon.load("large")
    check(daemon.model("medium")["state"] == "absent", "and the medium one for the large")
    warm = explain_once(daemon)
    m = daemon.model("large")
    check(m.get("tokens", {}).get("reused", 0) > 100,
          f"back in {back:.1f} s; of its prompts {m.get('tokens')} tokens; an explanation took "
          f"{cold:.1f} s, and {warm:.1f} s after it came back")
    daemon.end()

    if card:
        daemon = Daemon(args, {budget: int((sizes["small"] * 1.1 + 64) / 1.048576)})
        daemon.load("small")
        daemon.load("large")
        check(daemon.model("small")["onGpu"] and not daemon.model("large")["onGpu"],
              "without room on the card the large tier runs on the CPU")
        daemon.end()
        daemon = Daemon(args, None, {"large": {"gpuShare": 0}})
        daemon.load("small")
        daemon.load("large")
        check(daemon.model("small")["onGpu"] and not daemon.model("large")["onGpu"],
              "gpuShare 0: small on the card, large on the CPU")
        explain_once(daemon)
        check(daemon.model("large")["jobs"] > 0, "and it answers there")
        daemon.end()
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
