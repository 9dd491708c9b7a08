#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Redis server (PyPI) against a real Redis of the test's own, also one that dies.

The program that the slot is named after, rag-redis, cannot be fetched; what is odd in its replies
is reproduced by a small server here and must be tolerated.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import unittest

from server_case import SERVERS, ServerCase, need

PROGRAM = os.path.join(SERVERS, "redis/bin/redis-mcp-server")
REDIS = shutil.which("redis-server") or ""

# Its handshake: protocol 2024-11-05, "prompts": null, list_changed with an underscore.
ODD_SERVER = r"""
import json, sys
for line in sys.stdin:
    m = json.loads(line)
    r = {"initialize": {"protocolVersion": "2024-11-05",
             "serverInfo": {"name": "rag-redis-mcp-server", "version": "0.1.0"},
             "capabilities": {"tools": {"list_changed": False}, "prompts": None,
                              "resources": {"list_changed": False, "subscribe": False}}},
         "tools/list": {"tools": [{"name": "health_check", "description": "Is it there?",
             "inputSchema": {"type": "object", "properties": {}}}], "nextCursor": None},
         "resources/list": {"resources": []},
         "tools/call": {"content": [{"type": "text", "text": "healthy"}], "isError": None}
         }.get(m.get("method"))
    if "id" in m:
        print(json.dumps({"jsonrpc": "2.0", "id": m["id"],
                          **({"result": r} if r is not None else
                             {"error": {"code": -32601, "message": "no"}})}), flush=True)
"""


class RagRedis(ServerCase):
    def start_redis(self):
        with socket.socket() as free:  # the server takes a URL with a port only
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        redis = subprocess.Popen(
            [REDIS, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", self.home],
            stdout=subprocess.DEVNULL)
        self.addCleanup(redis.wait)
        self.addCleanup(redis.kill)
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return redis, port
            except OSError:
                self.assertLess(time.monotonic(), end, "redis did not start")
                time.sleep(0.02)

    def test_redis(self):
        redis, port = self.start_redis()
        self.configure(redis={"command": PROGRAM,
                              "args": ["--url", f"redis://127.0.0.1:{port}/0"]})
        self.assertEqual(self.look("redis")["tools"], 53)
        self.call("redis", "set", key="chunk:1", value="a ring buffer has two indices")
        self.assertIn("two indices", self.call("redis", "get", key="chunk:1"))
        self.call("redis", "hset", name="doc", key="path", value="ring.c")
        self.assertIn("ring.c", self.call("redis", "hgetall", name="doc"))
        self.call("redis", "delete", key="chunk:1")
        self.assertIn("does not exist", self.call("redis", "get", key="chunk:1"))
        redis.kill()
        redis.wait()
        said = self.call("redis", "get", key="doc")
        self.assertIn("rror", said, "the tool says that it cannot reach Redis")

    def test_rag_redis(self):
        script = self.file("odd.py", ODD_SERVER)
        self.configure(rag={"command": sys.executable, "args": [script]})
        server = self.look("rag")
        self.assertEqual((server["protocol"], server["tools"]), ("2024-11-05", 1))
        self.assertEqual(self.call("rag", "health_check").strip(), "healthy")


if __name__ == "__main__":
    need(PROGRAM, REDIS)
    unittest.main()
