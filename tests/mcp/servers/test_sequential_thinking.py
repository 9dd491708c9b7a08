#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official sequential-thinking server, on node and on bun: loud on standard error."""
import json
import unittest

from server_case import BUN, NODE, ServerCase, need, npm

SCRIPT = npm("@modelcontextprotocol/server-sequential-thinking/dist/index.js")


class SequentialThinking(ServerCase):
    def on(self, runtime):
        self.configure(thinking={"command": runtime, "args": [SCRIPT]})
        self.assertEqual(self.look("thinking")["tools"], 1)
        said = json.loads(self.call("thinking", "sequentialthinking", thought="First, look.",
                                    thoughtNumber=1, totalThoughts=2, nextThoughtNeeded=True))
        self.assertEqual(said["thoughtNumber"], 1)
        self.assertTrue(said["nextThoughtNeeded"])
        self.assertIn("tool-error", self.call("thinking", "sequentialthinking", code=1,
                                              thought="x", thoughtNumber="many"))

    def test_node(self):
        self.on(NODE)

    def test_bun(self):
        self.on(BUN)


if __name__ == "__main__":
    need(SCRIPT, BUN)
    unittest.main()
