#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""inlined mcp login and what follows: tokens are kept for this user only, renewed without a person,
bound to their issuer, and forgotten; hostile authorization servers get nothing."""
import http.server
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

BUILD = os.environ.get("INLINED_BUILD", "build")
SECRET = "canary-token"


class Site(http.server.ThreadingHTTPServer):
    """An MCP server and its authorization server on one port."""
    daemon_threads = True

    def __init__(self, **how):
        super().__init__(("127.0.0.1", 0), Handler)
        self.how, self.seen, self.number, self.valid = how, [], 0, set()
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, body=None, **headers):
        data = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        site, path = self.server, self.path.split("?")[0]
        site.seen.append("GET " + path)
        if path == "/.well-known/oauth-protected-resource/mcp":
            self.send(200, {"resource": site.origin + "/mcp",
                            "authorization_servers": [site.how.get("issuer", site.origin)]})
        elif path == "/.well-known/oauth-authorization-server":
            body = {"issuer": site.origin, "authorization_endpoint": site.origin + "/authorize",
                    "token_endpoint": site.origin + "/token",
                    "registration_endpoint": site.origin + "/register",
                    "code_challenge_methods_supported": ["S256"],
                    "token_endpoint_auth_methods_supported": ["none"],
                    "scopes_supported": ["offline_access"]}
            body.update(site.how.get("metadata", {}))
            self.send(200, {k: v for k, v in body.items() if v is not None})
        elif path == "/authorize":
            q = dict(urllib.parse.parse_qsl(self.path.split("?")[1]))
            back = q["redirect_uri"] + "?" + urllib.parse.urlencode(
                {"code": "c", "state": site.how.get("state", q["state"])})
            self.send(302, None, Location=back)
        else:
            self.send(404)

    def grant(self, body):
        site = self.server
        site.number += 1
        token = f"{SECRET}-{site.number}"
        site.valid = {token}
        site.seen.append("token " + body["grant_type"])
        self.send(200, {"access_token": token, "token_type": "bearer",
                        "refresh_token": f"{SECRET}-refresh"})

    def do_POST(self):
        site = self.server
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/register":
            site.seen.append("register")
            self.send(201, {"client_id": "me"})
            return
        if self.path == "/token":
            body = dict(urllib.parse.parse_qsl(text))
            if body["grant_type"] == "refresh_token" and site.how.get("no_refresh"):
                self.send(400, {"error": "invalid_grant"})
            else:
                self.grant(body)
            return
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in site.valid:
            site.seen.append("refused")
            self.send(401, {"error": "invalid_token"}, WWW_Authenticate="Bearer")
            return
        message = json.loads(text)
        method = message.get("method")
        if "id" not in message:
            self.send(202)
        elif method == "initialize":
            self.send(200, {"jsonrpc": "2.0", "id": message["id"], "result": {
                "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "site", "version": "1"}}})
        elif method in ("tools/list", "tools/call"):
            body = ({"tools": [{"name": "look", "inputSchema": {"type": "object"}}]}
                    if method == "tools/list" else {"content": [{"type": "text", "text": "seen"}]})
            self.send(200, {"jsonrpc": "2.0", "id": message["id"], "result": body})
        else:
            self.send(200, {"jsonrpc": "2.0", "id": message["id"],
                            "error": {"code": -32601, "message": "no"}})


class Logins(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="inlined-oauth-")
        self.home = self.dir.name
        self.tokens = os.path.join(self.home, ".local/state/inlined/mcp/tokens.json")

    def tearDown(self):
        self.dir.cleanup()

    def configure(self, site, **extra):
        entry = {"url": site.origin + "/mcp", **extra}
        with open(os.path.join(self.home, "mcp.json"), "w", encoding="utf-8") as f:
            json.dump({"mcpServers": {"site": entry}}, f)

    def start(self, *args):
        return subprocess.Popen(
            [os.path.join(os.path.abspath(BUILD), "inlined"), "mcp", *args, "--file", "mcp.json"],
            cwd=self.home, env={"PATH": os.environ["PATH"], "HOME": self.home},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run_mcp(self, *args):
        p = self.start(*args)
        out, problem = p.communicate(timeout=40)
        self.assertNotIn(SECRET, out + problem)
        return p.returncode, out, problem

    def login(self, visit=True):
        """Goes where the program says; what a browser shows, and how the program ends."""
        p = self.start("login", "site")
        page, lines = None, []
        for line in p.stderr:
            lines.append(line)
            found = re.match(r"\s+(http://\S+)$", line)
            if found and visit and page is None:
                try:
                    with urllib.request.urlopen(found.group(1), timeout=20) as answer:
                        page = answer.read().decode()
                except urllib.error.HTTPError as e:
                    page = f"{e.code} " + e.read().decode()
                if page.startswith("400"):
                    p.terminate()
        out = p.stdout.read()
        p.stdout.close()
        p.stderr.close()
        p.wait(40)
        self.assertNotIn(SECRET, out + "".join(lines))
        return p.returncode, out, "".join(lines), page

    def test_login_is_kept_renewed_and_forgotten(self):
        site = Site()
        self.configure(site)
        code, _, problem = self.run_mcp("test")
        self.assertEqual(code, 2)
        code, out, problem, page = self.login()
        self.assertEqual(code, 0, problem)
        self.assertIn("close this page", page)
        self.assertIn("1 tools", out)
        self.assertEqual(stat.S_IMODE(os.stat(self.tokens).st_mode), 0o600)
        with open(self.tokens, encoding="utf-8") as f:
            self.assertEqual(list(json.load(f)["issuers"]), [site.origin])
        site.seen.clear()
        code, out, problem = self.run_mcp("call", "site", "look")
        self.assertEqual((code, out), (0, "seen\n"), problem)
        self.assertFalse([s for s in site.seen if s != "GET /mcp"], "a kept token is enough")
        site.valid = set()  # it has expired
        code, out, problem = self.run_mcp("call", "site", "look")
        self.assertEqual((code, out), (0, "seen\n"), problem)
        self.assertIn("token refresh_token", site.seen)
        self.assertNotIn("register", site.seen)
        self.run_mcp("forget", "site")
        with open(self.tokens, encoding="utf-8") as f:
            self.assertNotIn(SECRET, f.read())
        self.assertEqual(self.run_mcp("test")[0], 2)

    def test_expired_for_good_asks_again(self):
        site = Site(no_refresh=True)
        self.configure(site)
        self.assertEqual(self.login()[0], 0)
        site.valid = set()
        code, out, problem = self.run_mcp("test", "site")
        self.assertEqual(code, 2)
        self.assertIn("inlined mcp login site", out + problem)
        self.assertEqual(self.login()[0], 0)
        self.assertEqual(site.seen.count("register"), 1, "the client is still known")

    def test_other_state_is_not_taken(self):
        site = Site(state="guessed")
        self.configure(site)
        code, _, _, page = self.login()
        self.assertIn("not the login", page)
        self.assertNotEqual(code, 0)
        self.assertFalse(os.path.exists(self.tokens) and SECRET in open(self.tokens).read())

    def test_hostile_issuers(self):
        cases = [({"issuer": "http://issuer.example"}, "https"),
                 ({"metadata": {"issuer": "http://127.0.0.1:1"}}, "speaks of"),
                 ({"metadata": {"code_challenge_methods_supported": ["plain"]}}, "PKCE"),
                 ({"metadata": {"token_endpoint": "http://tokens.example/"}}, "not an https"),
                 ({"metadata": {"token_endpoint": "file:///etc/passwd"}}, "not an https"),
                 ({"metadata": {"registration_endpoint": None}}, "clientId")]
        for how, sentence in cases:
            with self.subTest(how=how):
                site = Site(**how)
                self.configure(site)
                code, out, problem, _ = self.login()
                self.assertEqual(code, 1)
                self.assertIn(sentence, out + problem)
                self.assertFalse([s for s in site.seen if s.startswith("token")])

    def test_written_header_stays_the_only_way(self):
        site = Site()
        self.configure(site, headers={"Authorization": "Bearer wrong"})
        code, out, problem = self.run_mcp("test", "site")
        self.assertEqual(code, 2)
        self.assertIn("Authorization", out + problem)
        self.assertFalse([s for s in site.seen if "well-known" in s])

    def test_nobody_logs_in_and_interrupts(self):
        site = Site()
        self.configure(site)
        p = self.start("login", "site")
        for line in p.stderr:
            if "Waiting" in line:
                break
        began = time.monotonic()
        p.send_signal(2)
        p.communicate(timeout=20)
        self.assertLess(time.monotonic() - began, 5)


if __name__ == "__main__":
    sys.exit(unittest.main())
