#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official memory server, on node and on bun: what is created is found, stays, and goes."""
import json
import unittest

from server_case import BUN, NODE, ServerCase, need, npm

SCRIPT = npm("@modelcontextprotocol/server-memory/dist/index.js")


class Memory(ServerCase):
    def on(self, runtime):
        self.configure(memory={"command": runtime, "args": [SCRIPT],
                               "env": {"MEMORY_FILE_PATH": self.file("memory.jsonl", "")}})
        self.assertEqual(self.look("memory")["tools"], 9)
        self.call("memory", "create_entities", entities=[
            {"name": "ring", "entityType": "buffer", "observations": ["holds 4096 bytes"]},
            {"name": "reader", "entityType": "thread", "observations": []}])
        self.call("memory", "create_relations", relations=[
            {"from": "reader", "to": "ring", "relationType": "drains"}])
        # Another process: it was written to the file.
        found = json.loads(self.call("memory", "search_nodes", query="4096"))
        self.assertEqual([e["name"] for e in found["entities"]], ["ring"])
        graph = json.loads(self.call("memory", "read_graph"))
        self.assertEqual(len(graph["entities"]), 2)
        self.assertEqual(graph["relations"][0]["relationType"], "drains")
        self.call("memory", "delete_entities", entityNames=["ring"])
        graph = json.loads(self.call("memory", "read_graph"))
        self.assertEqual([e["name"] for e in graph["entities"]], ["reader"])
        self.assertEqual(graph["relations"], [])
        self.assertIn("tool-error", self.call("memory", "create_entities", code=1, entities=7))

    def test_node(self):
        self.on(NODE)

    def test_bun(self):
        self.on(BUN)


if __name__ == "__main__":
    need(SCRIPT, BUN)
    unittest.main()
