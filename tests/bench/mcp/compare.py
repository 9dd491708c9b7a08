#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""inlined's MCP host and the official TypeScript client on the same servers, in turns.

    compare.py [ROUNDS]

Each round starts each server once with each client and makes 200 calls one after the other; the
table has medians over the rounds.  INLINED_BUILD, INLINED_NODE and INLINED_MCP_NPM as for the
tests.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(os.environ.get("INLINED_BUILD", "build"))
NODE = os.environ.get("INLINED_NODE", "node")
NPM = os.environ["INLINED_MCP_NPM"]
HERE = os.path.dirname(os.path.abspath(__file__))
CALLS = 200


def servers(home):
    official = os.path.join(NPM, "@modelcontextprotocol")
    return {"memory": ("read_graph", [NODE, official + "/server-memory/dist/index.js"]),
            "filesystem": ("list_allowed_directories",
                           [NODE, official + "/server-filesystem/dist/index.js", home]),
            "time (Go)": ("current_time", [os.path.join(NPM, "mcp-time-linux-x64/bin/mcp-time")])}


def quantile(values, part):
    return sorted(values)[min(int(part * len(values)), len(values) - 1)]


def ours(home, name, command, env):
    path = os.path.join(home, "mcp.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"mcpServers": {name: {"command": command[0], "args": command[1:]}}}, f)
    words = [os.path.join(BUILD, "inlined"), "mcp", "bench", "--json", "--file", path]
    done = subprocess.run(words, cwd=home, env=env, capture_output=True, text=True, check=True)
    s = json.loads(done.stdout)["servers"][0]
    return s["start_ms"], s["p50_us"] / 1000, s["p95_us"] / 1000


def theirs(home, tool, command, env):
    done = subprocess.run([NODE, os.path.join(HERE, "sdk.mjs"), NPM, tool, str(CALLS), *command],
                          cwd=home, env=env, capture_output=True, text=True, check=True)
    r = json.loads(done.stdout)
    return r["start"], quantile(r["times"], 0.5), quantile(r["times"], 0.95)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print("server,client,start_ms,p50_ms,p95_ms")
    with tempfile.TemporaryDirectory(prefix="inlined-bench-") as home:
        env = {"HOME": home, "PATH": os.environ["PATH"]}
        for name, (tool, command) in servers(home).items():
            got = {"inlined": [], "typescript": []}
            for _ in range(rounds):
                got["inlined"].append(ours(home, name, command, env))
                got["typescript"].append(theirs(home, tool, command, env))
            for client, rows in got.items():
                middle = [statistics.median(column) for column in zip(*rows)]
                print(f"{name},{client},{middle[0]:.0f},{middle[1]:.3f},{middle[2]:.3f}",
                      flush=True)


if __name__ == "__main__":
    main()
