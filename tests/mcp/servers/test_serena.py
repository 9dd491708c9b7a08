#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Serena, with a language server that the test installs for it: a symbol is found where it is."""
import os
import unittest

from server_case import NODE, SERVERS, ServerCase, need, npm

PROGRAM = os.path.join(SERVERS, "serena/bin/serena")
PYRIGHT = npm("pyright/langserver.index.js")
CONFIG = """
projects: []
gui_log_window: false
web_dashboard: false
web_dashboard_open_on_launch: false
ls_specific_settings:
  python:
    ls_path: {}
"""


class Serena(ServerCase):
    def test_symbol(self):
        self.file("ring.py", "class Ring:\n    def push(self, x):\n        return x\n")
        self.file("use.py", "from ring import Ring\n\nr = Ring()\nr.push(1)\n")
        server = os.path.join(self.home, "pyright-langserver")
        with open(server, "w", encoding="utf-8") as f:
            f.write(f'#!/bin/sh\nexec "{NODE}" "{PYRIGHT}" "$@"\n')
        os.chmod(server, 0o755)
        home = os.path.join(self.home, "serena")
        os.mkdir(home)
        with open(os.path.join(home, "serena_config.yml"), "w", encoding="utf-8") as f:
            f.write(CONFIG.format(server))
        self.configure(serena={
            "command": PROGRAM,
            "args": ["start-mcp-server", "--project", self.project, "--context", "ide",
                     "--agent-interface", "tools", "--enable-web-dashboard", "false",
                     "--open-web-dashboard", "false", "--enable-gui-log-window", "false"],
            "env": {"SERENA_HOME": home, "SERENA_USAGE_REPORTING": "false"}})
        self.assertGreater(self.look("serena")["tools"], 10)
        said = self.call("serena", "find_symbol", name_path_pattern="Ring/push")
        self.assertIn("ring.py", said)
        self.assertIn("Ring/push", said)


if __name__ == "__main__":
    need(PROGRAM, PYRIGHT)
    unittest.main()
