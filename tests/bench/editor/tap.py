#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands between an editor and the daemon, copies both ways, and writes down when what passed.

    tap.py LOG PROGRAM [ARG...]

LOG gets a line of JSON for each answered textDocument/inlineCompletion: `in` and `out` (nanoseconds
of the wall clock, when the whole question was read and the whole answer), `items`.  What the tap
itself takes counts as wire.
"""
import json
import os
import re
import subprocess
import sys
import threading
import time

METHOD = b'"textDocument/inlineCompletion"'


def frames(fd):
    """Each whole message of a stream with its header, as bytes."""
    data = b""
    while True:
        more = os.read(fd, 1 << 16)
        if not more:
            return
        data += more
        while (head := data.find(b"\r\n\r\n")) >= 0:
            size = int(re.search(rb"Content-Length: *(\d+)", data[:head]).group(1))
            end = head + 4 + size
            if len(data) < end:
                break
            yield data[:end]
            data = data[end:]


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def body(frame):
    return json.loads(frame[frame.index(b"\r\n\r\n"):])


def main():
    log = open(sys.argv[1], "a", buffering=1, encoding="utf-8")
    pipe = subprocess.PIPE
    daemon = subprocess.Popen(sys.argv[2:], stdin=pipe, stdout=pipe, bufsize=0)
    asked = {}

    def questions():
        for frame in frames(0):
            now = time.time_ns()
            write_all(daemon.stdin.fileno(), frame)
            if METHOD in frame:
                asked[body(frame).get("id")] = now
        daemon.stdin.close()

    threading.Thread(target=questions, daemon=True).start()
    for frame in frames(daemon.stdout.fileno()):
        now = time.time_ns()
        write_all(1, frame)
        message = body(frame)
        if "method" not in message and message.get("id") in asked:
            items = (message.get("result") or {}).get("items", [])
            log.write(json.dumps({"in": asked.pop(message["id"]), "out": now,
                                  "items": len(items)}) + "\n")
    sys.exit(daemon.wait())


if __name__ == "__main__":
    main()
