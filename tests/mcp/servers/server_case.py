# SPDX-License-Identifier: Apache-2.0
"""What the tests of real MCP servers share: a private home and project, `inlined mcp` as the host.

Nothing but loopback is used: where the system permits it the test runs in a network namespace that
has nothing else (and in which port 80 is its own).  Every program ends within the test's 60
seconds, and a server that is not installed is a skip that says why.
"""
import fcntl
import http.server
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

BUILD = os.environ.get("INLINED_BUILD", "build")
NPM = os.environ.get("INLINED_MCP_NPM", "")
PYTHON = os.environ.get("INLINED_MCP_PYTHON", "")
SERVERS = os.environ.get("INLINED_MCP_SERVERS", "")  # one virtual environment each
NODE = os.environ.get("INLINED_NODE", "node")
ISOLATED = "INLINED_TEST_ISOLATED"
BUN = os.path.join(NPM, "@oven/bun-linux-x64-baseline/bin/bun")


def npm(path):
    return os.path.join(NPM, path)


def need(*paths):
    """Ends the program with ctest's word for a skip when one of them is not there; else cuts the
    test off from every network but loopback."""
    for path in paths:
        if not path or not os.path.exists(path):
            print(f"skipped: {path or 'a server'} is not there; ./bootstrap test installs it")
            sys.exit(77)
    if ISOLATED in os.environ:
        with socket.socket() as s:  # SIOCSIFFLAGS: up, running
            fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 0x41))
        return
    apart = ["unshare", "--map-root-user", "--net"]
    try:
        possible = subprocess.run([*apart, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        possible = None
    if possible and possible.returncode == 0:
        os.execvpe(apart[0], [*apart, sys.executable, "-B", *sys.argv],
                   {**os.environ, ISOLATED: "1"})
    print("no network namespace may be made here: the system's network is used")


class Stub(http.server.ThreadingHTTPServer):
    """Answers from a table of {"GET /path": (status, content type, text)}; keeps what was asked."""

    def __init__(self, table, address="127.0.0.1", port=0):
        self.table, self.asked = table, []
        super().__init__((address, port), StubHandler)
        self.url = f"http://{address}:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class StubHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        path = self.path.split("?")[0]
        self.server.asked.append({"line": f"{self.command} {path}", "body": body,
                                  "authorization": self.headers.get("Authorization", "")})
        status, kind, text = self.server.table.get(
            f"{self.command} {path}", (404, "application/json", '{"message": "Not Found"}'))
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-RateLimit-Remaining", "0" if status == 403 else "4999")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = answer

    def log_message(self, *words):
        pass


class ServerCase(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="inlined-mcp-")
        self.project = os.path.join(self.home, "project")
        os.mkdir(self.project)
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        # Without node on PATH: a Python server must not fetch anything with it.
        self.env = {"HOME": self.home, "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8",
                    "CI": "true"}
        self.config = os.path.join(self.home, "mcp.json")

    def file(self, name, text):
        path = os.path.join(self.project, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def configure(self, **servers):
        with open(self.config, "w", encoding="utf-8") as f:
            json.dump({"mcpServers": servers}, f)

    def inlined(self, *words, code=0, text=None):
        done = subprocess.run(
            [os.path.join(BUILD, "inlined"), "mcp", *words, "--file", self.config],
            cwd=self.project, env=self.env, capture_output=True, text=True, timeout=60, input=text,
            check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def look(self, name):
        """What the doctor finds of one server: it must be ready."""
        found = json.loads(self.inlined("doctor", name, "--json").stdout)["servers"]
        server = next(s for s in found if s["name"] == name)
        self.assertEqual(server["state"], "ready", server)
        print(f"{name}: {server['tools']} tools, protocol {server['protocol']}, "
              f"ready in {server.get('ready_ms', 0):.0f} ms")
        return server

    def call(self, server, tool, code=0, **arguments):
        """The text of a tool's answer."""
        done = self.inlined("call", server, tool, "-", text=json.dumps(arguments), code=code)
        return done.stdout if code == 0 else done.stdout + done.stderr
