#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the portable program wants of the system: the C library, and no other."""
import os
import re
import subprocess
import unittest

PROGRAM = os.path.join(os.environ["INLINED_BUILD"], "inlined")
ALLOWED = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def readelf(option):
    return subprocess.run(["readelf", "-W", option, PROGRAM], check=True, capture_output=True,
                          text=True).stdout


class Portable(unittest.TestCase):
    def test_it_wants_only_the_c_library(self):
        wanted = set(re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("-d")))
        self.assertIn("libc.so.6", wanted)
        self.assertEqual(wanted - ALLOWED, set())

    def test_it_looks_for_no_library_where_it_was_built(self):
        self.assertNotRegex(readelf("-d"), r"R(UN)?PATH")


if __name__ == "__main__":
    unittest.main(verbosity=2)
