#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""inlined mcp over HTTP: servers that forget sessions, speak the old transport, refuse, redirect;
and the official test server in both of its HTTP transports."""
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BUILD = os.environ.get("INLINED_BUILD", "build")
NPM = os.environ.get("INLINED_MCP_NPM", "")
TOOL = {"name": "look", "inputSchema": {"type": "object"},
        "annotations": {"readOnlyHint": True, "openWorldHint": False}}


class Site(http.server.ThreadingHTTPServer):
    """One server with one way of behaving; remembers what it was asked."""
    daemon_threads = True

    def __init__(self, mode):
        super().__init__(("127.0.0.1", 0), Handler)
        self.mode, self.seen, self.sessions, self.calls = mode, [], set(), 0
        self.last, self.stream = 0, None
        self.url = f"http://127.0.0.1:{self.server_address[1]}/mcp"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, body=None, kind="application/json", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def error(self, status, code, text):
        self.send(status, {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": text}})

    def result(self, message):
        method = message["method"]
        if method == "initialize":
            body = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                    "serverInfo": {"name": "site", "version": "1"}}
        elif method == "tools/list":
            body = {"tools": [TOOL]}
        else:
            body = {"content": [{"type": "text", "text": "seen"}]}
        return {"jsonrpc": "2.0", "id": message["id"], "result": body}

    def do_DELETE(self):
        self.server.seen.append("DELETE")
        self.send(200)

    def do_GET(self):
        site = self.server
        site.seen.append("GET " + self.path)
        if site.mode != "old":
            self.send(405)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        site.stream = self.wfile  # before the client knows where to post
        self.wfile.write(b"event: endpoint\ndata: /post?x=1\n\n")
        self.wfile.flush()
        while not getattr(site, "done", False):
            time.sleep(0.05)

    def do_POST(self):
        site = self.server
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method = message.get("method", "answer")
        site.seen.append(method)
        if site.mode == "auth":
            self.send(401)
        elif site.mode == "redirect":
            self.send(307, Location="/elsewhere")
        elif site.mode == "old":
            self.old(message)
        elif method == "server/discover":
            self.error(400, -32000, "Bad Request: Server not initialized")
        elif "id" not in message:
            self.send(202)
        else:
            self.session(message)

    def old(self, message):
        if not self.path.startswith("/post"):
            self.send(405)
            return
        self.send(202)
        if "id" in message:
            data = json.dumps(self.result(message)).encode()
            self.server.stream.write(b"event: message\ndata: " + data + b"\n\n")
            self.server.stream.flush()

    def session(self, message):
        site = self.server
        if message["method"] == "initialize":
            site.last += 1
            site.sessions.add(str(site.last))
            self.send(200, self.result(message), Mcp_Session_Id=str(site.last))
            return
        if self.headers.get("Mcp-Session-Id") not in site.sessions:
            if site.mode == "forgets-400":
                self.error(400, -32000, "Bad Request: No valid session ID provided")
            else:
                self.send(404)
            return
        site.calls += message["method"] == "tools/call"
        if message["method"] == "tools/call" and site.mode == "drops":
            self.close_connection = True  # done, and not a word
            return
        if message["method"] == "tools/call" and site.mode == "mentions":
            self.send(400, {"jsonrpc": "2.0", "id": message["id"], "error": {
                "code": -32603, "message": "the session of the database has ended"}})
            return
        if site.calls == 5 and site.last == 1:
            site.sessions.clear()
        if site.mode == "events":
            text = json.dumps(self.result(message), indent=1).replace("\n", "\ndata: ")
            self.send(200, f"id: 1\ndata:\n\n: hello\nid: 2\ndata: {text}\n\n".encode(),
                      "text/event-stream; charset=utf-8")
        else:
            self.send(200, self.result(message))


class Http(unittest.TestCase):

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="inlined-http-")
        self.addCleanup(shutil.rmtree, self.home)

    def run_mcp(self, url, *words, code=0, **extras):
        path = os.path.join(self.home, "own.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"mcpServers": {"site": {"url": url, **extras}}}, f)
        done = subprocess.run(
            [os.path.join(BUILD, "inlined"), "mcp", *words, "--file", path], cwd=self.home,
            env={"HOME": self.home, "PATH": os.environ["PATH"]}, capture_output=True, text=True,
            timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def doctor(self, url, **extras):
        return json.loads(self.run_mcp(url, "doctor", "--json", **extras).stdout)["servers"][0]

    def site(self, mode):
        site = Site(mode)
        self.addCleanup(site.server_close)
        self.addCleanup(site.shutdown)
        self.addCleanup(setattr, site, "done", True)
        return site

    def test_sessions(self):
        """A forgotten session begins anew, and the call that found out is made again, once."""
        for mode in ("forgets-404", "forgets-400", "events"):
            site = self.site(mode)
            report = self.doctor(site.url, headers={"X-Key": "k"})
            self.assertEqual((report["state"], report["calls"], report["errors"]),
                             ("ready", 20, 0), mode)
            self.assertEqual(site.seen.count("initialize"), 2)
            self.assertEqual(site.seen.count("tools/call"), 21)
            self.assertEqual(site.seen.count("DELETE"), 1)
            self.assertEqual(report["protocol"], "2025-06-18")

    def test_not_again(self):
        """A call that may have had its effect is not made again: its connection, which had served
        others, ends without an answer; or its answer speaks of a session that is not ours."""
        for mode, says in (("drops", "may have had its effect"), ("mentions", "of the database")):
            site = self.site(mode)
            said = self.run_mcp(site.url, "call", "site", "look", code=1)
            self.assertIn(says, said.stdout + said.stderr)
            self.assertEqual(site.seen.count("tools/call"), 1, mode)

    def test_old_transport(self):
        """HTTP+SSE: found out by a refusal, or asked for."""
        site = self.site("old")
        self.assertEqual(self.doctor(site.url)["state"], "ready")
        self.assertEqual(site.seen[:3], ["server/discover", "initialize", "GET /mcp"])
        site = self.site("old")
        called = self.run_mcp(site.url, "call", "site", "look", type="sse")
        self.assertEqual(called.stdout, "seen\n")
        self.assertEqual(site.seen[0], "GET /mcp")

    def test_refusals(self):
        site = self.site("auth")
        self.assertIn("inlined mcp login site",
                      self.run_mcp(site.url, "test", code=2).stdout)
        site = self.site("redirect")
        self.run_mcp(site.url, "test", code=2, headers={"Authorization": "Bearer canary"})
        self.assertNotIn("GET /elsewhere", site.seen)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            closed = f"http://127.0.0.1:{s.getsockname()[1]}/"
        report = self.run_mcp(closed, "test", code=2).stdout
        self.assertIn("backoff", report)

    def test_everything(self):
        """The official server with everything, over both of its HTTP transports."""
        dist = os.path.join(NPM, "@modelcontextprotocol/server-everything/dist/index.js")
        if not os.path.exists(dist):
            self.skipTest("INLINED_MCP_NPM names no folder; ./bootstrap test fetches the server")
        for transport, path in (("streamableHttp", "mcp"), ("sse", "sse")):
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                port = s.getsockname()[1]
            server = subprocess.Popen(
                [os.environ.get("INLINED_NODE", "node"), dist, transport],
                env={"PORT": str(port), "PATH": os.environ["PATH"]}, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            self.addCleanup(server.wait)
            self.addCleanup(server.kill)
            for _ in range(200):
                with socket.socket() as s:
                    if s.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            url = f"http://127.0.0.1:{port}/{path}"
            answer = json.loads(self.run_mcp(
                url, "call", "site", "get-sum", '{"a":2,"b":40}', "--json",
                **({"type": "sse"} if path == "sse" else {})).stdout)
            self.assertEqual(answer["outcome"], "ok")
            self.assertIn("42", answer["result"]["content"][0]["text"])


if __name__ == "__main__":
    if not os.path.exists(os.path.join(BUILD, "inlined")):
        print("no program at " + BUILD)
        sys.exit(1)
    unittest.main()
