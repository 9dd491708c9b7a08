#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two servers for the time, and the deprecated one that is named and refused."""
import datetime
import json
import unittest

from server_case import PYTHON, ServerCase, need, npm

PROGRAM = npm("mcp-time-linux-x64/bin/mcp-time")


class Time(ServerCase):
    def near(self, text):
        """An ISO time within a minute of ours."""
        when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        now = datetime.datetime.now(datetime.timezone.utc)
        self.assertLess(abs((when - now).total_seconds()), 60)

    def test_mcp_time(self):
        self.configure(time={"command": PROGRAM})
        server = self.look("time")
        self.assertEqual((server["tools"], server["protocol"]), (5, "2025-03-26"))
        self.near(self.call("time", "current_time", format="2006-01-02T15:04:05Z07:00",
                            timezone="UTC").strip())
        said = self.call("time", "convert_timezone", time="2026-01-02T03:04:05Z",
                         input_timezone="UTC", output_timezone="Asia/Tokyo")
        self.assertIn("12:04:05", said)
        self.assertIn("tool-error", self.call("time", "current_time", code=1,
                                              timezone="Nowhere/Else"))

    def test_python(self):
        self.configure(time={"command": PYTHON, "args": ["-m", "mcp_server_time",
                                                         "--local-timezone", "UTC"]})
        self.assertEqual(self.look("time")["tools"], 2)
        self.near(json.loads(self.call("time", "get_current_time", timezone="UTC"))["datetime"])
        said = json.loads(self.call("time", "convert_time", source_timezone="UTC",
                                    time="03:04", target_timezone="Asia/Tokyo"))
        self.assertIn("12:04", said["target"]["datetime"])

    def test_deprecated(self):
        """The name that old configurations have gives a sentence with what to use instead."""
        self.configure(time={"command": "npx",
                             "args": ["-y", "@modelcontextprotocol/server-time"]})
        self.assertIn("mcp-time", self.inlined("list").stdout)


if __name__ == "__main__":
    need(PROGRAM, PYTHON)
    unittest.main()
