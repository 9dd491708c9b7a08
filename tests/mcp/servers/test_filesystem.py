#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official filesystem server, on node and on bun: all inside its folder, nothing outside."""
import os
import unittest

from server_case import BUN, NODE, ServerCase, need, npm

SCRIPT = npm("@modelcontextprotocol/server-filesystem/dist/index.js")


class Filesystem(ServerCase):
    def on(self, runtime):
        self.configure(files={"command": runtime, "args": [SCRIPT, self.project]})
        self.assertEqual(self.look("files")["tools"], 14)
        path = self.file("src/a.txt", "one\ntwo\n")
        self.assertEqual(self.call("files", "read_text_file", path=path).strip(), "one\ntwo")
        self.assertIn("[DIR] src", self.call("files", "list_directory", path=self.project))
        self.call("files", "write_file", path=os.path.join(self.project, "b.txt"), content="b")
        with open(os.path.join(self.project, "b.txt"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "b")
        self.call("files", "edit_file", path=path,
                  edits=[{"oldText": "two", "newText": "three"}])
        with open(path, encoding="utf-8") as f:
            self.assertEqual(f.read(), "one\nthree\n")
        found = self.call("files", "search_files", path=self.project, pattern="**/*.txt")
        self.assertEqual(len(found.split()), 2)
        os.symlink("/etc", os.path.join(self.project, "way-out"))
        for bad in ("/etc/passwd", os.path.join(self.project, "way-out/passwd"),
                    os.path.join(self.project, "../../../etc/passwd")):
            said = self.call("files", "read_text_file", code=1, path=bad)
            self.assertIn("tool-error", said)
            self.assertNotIn("root:", said)

    def test_node(self):
        self.on(NODE)

    def test_bun(self):
        self.on(BUN)


if __name__ == "__main__":
    need(SCRIPT, BUN)
    unittest.main()
