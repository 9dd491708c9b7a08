#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""File operations by a Python server: list, read, write, append; in its folder only."""
import os
import unittest

from server_case import SERVERS, ServerCase, need

PROGRAM = os.path.join(SERVERS, "fileops/bin/filesystem-mcp")


class FileOps(ServerCase):
    def test_folder(self):
        self.configure(fileops={"command": PROGRAM, "args": [self.project]})
        self.assertEqual(self.look("fileops")["tools"], 4)
        path = self.file("notes/a.txt", "eins\n")
        self.assertIn("notes", self.call("fileops", "list_directory", path=self.project))
        self.assertIn("eins", self.call("fileops", "read_file", path=path))
        self.call("fileops", "write_file", path=path, content="zwei\n", append=True)
        with open(path, encoding="utf-8") as f:
            self.assertEqual(f.read(), "eins\nzwei\n")
        said = self.call("fileops", "read_file", code=1, path="/etc/passwd")
        self.assertIn("tool-error", said)
        self.assertNotIn("root:", said)


if __name__ == "__main__":
    need(PROGRAM)
    unittest.main()
