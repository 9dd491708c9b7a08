#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Python's fetch server and a page on loopback: read, cut, forbidden by robots.txt, and missing."""
import unittest

from server_case import PYTHON, ServerCase, Stub, need

PAGE = "<html><head><title>T</title></head><body><h1>Ring buffers</h1><p>Two indices " + \
       "and a mask. " * 200 + "</p></body></html>"


class Fetch(ServerCase):
    def setUp(self):
        super().setUp()
        self.web = Stub({"GET /robots.txt": (200, "text/plain",
                                           "User-agent: *\nDisallow: /private"),
                         "GET /page": (200, "text/html", PAGE),
                         "GET /private": (200, "text/html", PAGE)})
        self.addCleanup(self.web.server_close)
        self.addCleanup(self.web.shutdown)
        self.configure(fetch={"command": PYTHON,
                              "args": ["-m", "mcp_server_fetch", "--allow-private-ips"]})

    def test_fetch(self):
        self.assertEqual(self.look("fetch")["tools"], 1)
        said = self.call("fetch", "fetch", url=self.web.url + "/page", max_length=400)
        self.assertIn("Two indices and a mask", said)
        self.assertNotIn("<p>", said)
        self.assertLess(len(said), 1200)

    def test_refusals(self):
        said = self.call("fetch", "fetch", code=1, url=self.web.url + "/private")
        self.assertIn("robots", said)
        self.assertNotIn("GET /private", [a["line"] for a in self.web.asked])
        self.assertIn("404", self.call("fetch", "fetch", code=1, url=self.web.url + "/nothing"))


if __name__ == "__main__":
    need(PYTHON)
    unittest.main()
