#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What sharing one daemon costs and saves, against one process for each window:

    relay.py BUILD [--windows 4] [--requests 2000]

Latency: round trips of a small request (inlined/status).  Memory: proportional set size of every
process, with the model in use in each window.  Start: from the process' start to its first
suggestion, with no daemon, with one that has the model, and for a process of its own.
"""
import argparse
import os
import signal
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../e2e"))
import lsp_case  # noqa: E402
import lsp_client  # noqa: E402

TEXT = "def add(first, second):\n    return first + second\n\n\n" \
       "def multiply(first, second):\n    return "
END = {"line": 5, "character": 11}
SETTINGS = lsp_case.QUICK


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:")) / 1024


def window(program, env, *arguments):
    client = lsp_client.Client([program, *arguments], env=env, settings=SETTINGS)
    client.initialize()
    return client


def first_suggestion(program, env, *arguments):
    start = time.monotonic()
    client = window(program, env, *arguments)
    client.open("file:///a.py", TEXT)
    while not client.complete("file:///a.py", END):
        time.sleep(0.01)
    return client, time.monotonic() - start


def round_trips(client, n):
    times = []
    for _ in range(n):
        start = time.perf_counter()
        client.call("inlined/status")
        times.append((time.perf_counter() - start) * 1e6)
    times.sort()
    return statistics.median(times), times[len(times) * 95 // 100]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--requests", type=int, default=2000)
    a = parser.parse_args()
    program = os.path.join(a.build, "inlined")
    with tempfile.TemporaryDirectory() as folder:
        env = {"XDG_RUNTIME_DIR": folder}
        alone, own = zip(*(first_suggestion(program, env, "--no-daemon") for _ in range(a.windows)))
        stdio = round_trips(alone[0], a.requests)
        apart = sum(pss(c.process.pid) for c in alone)
        for client in alone:
            client.close()
        shared, starts = zip(*(first_suggestion(program, env, "--stdio")
                               for _ in range(a.windows)))
        attach = round_trips(shared[0], a.requests)
        daemon = shared[0].call("inlined/daemon")["pid"]
        proxies = [pss(c.process.pid) for c in shared]
        together = pss(daemon) + sum(proxies)
        for client in shared:
            client.close()
        os.kill(daemon, signal.SIGTERM)
        print(f"round trip, us: --no-daemon p50 {stdio[0]:.0f} p95 {stdio[1]:.0f}, "
              f"--stdio p50 {attach[0]:.0f} p95 {attach[1]:.0f}, "
              f"added p50 {attach[0] - stdio[0]:.0f}")
        print(f"memory of {a.windows} windows, MB: apart {apart:.0f}, together {together:.0f} "
              f"(a proxy {statistics.median(proxies):.1f})")
        print(f"start to first suggestion, s: own process {statistics.median(own):.2f}, "
              f"no daemon yet {starts[0]:.2f}, daemon there {statistics.median(starts[1:]):.2f}")


if __name__ == "__main__":
    main()
