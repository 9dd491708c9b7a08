#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""inlined mcp serve: our own tools in both eras, through our own host, and with a hostile peer."""
import http.client
import json
import os
import re
import signal
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = os.path.abspath(os.environ.get("INLINED_BUILD", "build"))
PROGRAM = os.path.join(BUILD, "inlined")
NPM = os.environ.get("INLINED_MCP_NPM", "")
META = "io.modelcontextprotocol/"
ENVELOPE = {META + "protocolVersion": "2026-07-28", META + "clientCapabilities": {}}

DECLARED = """{
  // a project's own tools
  "tools": {
    "count": {
      "description": "Counts the lines of files.",
      "argv": ["wc", "-l", "${files}"],
      "schema": {"type": "object", "required": ["files"], "properties": {
        "files": {"type": "array", "items": {"type": "string"}, "minItems": 1}}},
      "readOnly": true,
    },
    "say": {
      "description": "Says a text.", "argv": ["printf", "%s", "${text}"],
      "schema": {"type": "object", "properties": {"text": {"type": "string"}}},
    },
    "environment": {
      "description": "Shows the environment.", "argv": ["env"], "env": {"MARK": "yes"},
      "schema": {"type": "object"}, "readOnly": true,
    },
    "slow": {
      "description": "Takes its time, with a child.", "argv": ["sh", "-c", "sleep 61 & sleep 62"],
      "schema": {"type": "object"}, "timeoutMs": 300,
    },
  },
}
"""


class Serve(unittest.TestCase):

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="inlined-serve-")
        self.addCleanup(shutil.rmtree, self.home)
        self.work = os.path.join(self.home, "work")
        os.mkdir(self.work)
        self.env = {"HOME": self.home, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
                    "SECRET": "canary"}
        self.write("own.json", DECLARED)
        self.last = 0

    def write(self, name, text):
        with open(os.path.join(self.work, name), "w", encoding="utf-8") as f:
            f.write(text)

    def start(self, *words):
        self.server = subprocess.Popen(
            [PROGRAM, "mcp", "serve", *words], cwd=self.work, env=self.env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.server.stdout.close)
        self.addCleanup(self.server.wait)
        self.addCleanup(self.server.kill)

    def send(self, line):
        self.server.stdin.write(line + "\n")
        self.server.stdin.flush()

    def ask(self, method, **params):
        self.last += 1
        self.send(json.dumps({"jsonrpc": "2.0", "id": self.last, "method": method,
                              "params": params}))
        answer = json.loads(self.server.stdout.readline())
        self.assertEqual(answer["id"], self.last)
        return answer

    def call(self, tool, failed=False, **arguments):
        result = self.ask("tools/call", name=tool, arguments=arguments)["result"]
        self.assertEqual(result.get("isError", False), failed, result)
        return result["content"][0]["text"]

    def finish(self):
        self.server.stdin.close()
        self.assertEqual(self.server.stdout.read(), "")
        self.assertEqual(self.server.wait(20), 0)

    def test_legacy(self):
        self.start()
        for wanted, given in (("2024-11-05",) * 2, ("2025-11-25",) * 2,
                              ("2019-01-01", "2025-11-25")):
            result = self.ask("initialize", protocolVersion=wanted, capabilities={},
                              clientInfo={"name": "t", "version": "1"})["result"]
            self.assertEqual(result["protocolVersion"], given)
            self.assertEqual(result["capabilities"], {"tools": {}, "logging": {}})
        self.send('{"jsonrpc":"2.0","method":"notifications/initialized"}')
        self.assertEqual(self.ask("ping")["result"], {})
        tools = {t["name"]: t for t in self.ask("tools/list")["result"]["tools"]}
        self.assertEqual(len(tools), 21)
        self.assertTrue(tools["read_file"]["annotations"]["readOnlyHint"])
        self.assertFalse(tools["delete_entities"]["annotations"]["readOnlyHint"])
        self.assertEqual(self.ask("tools/list", cursor="x")["error"]["code"], -32602)
        self.assertEqual(self.ask("resources/list")["error"]["code"], -32601)
        self.assertEqual(self.ask("tools/call", name="no")["error"]["code"], -32602)
        self.assertIn("is missing", self.call("read_file", failed=True))
        self.finish()

    def test_modern(self):
        self.start()
        found = self.ask("server/discover", _meta=ENVELOPE)["result"]
        self.assertEqual((found["supportedVersions"], found["resultType"]),
                         (["2026-07-28"], "complete"))
        self.assertEqual(found["_meta"][META + "serverInfo"]["name"], "inlined")
        listed = self.ask("tools/list", _meta=ENVELOPE)["result"]
        self.assertEqual((listed["resultType"], listed["cacheScope"]), ("complete", "private"))
        self.assertGreater(listed["ttlMs"], 0)
        told = self.ask("tools/call", _meta=ENVELOPE, name="list_directory", arguments={})["result"]
        self.assertEqual(told["resultType"], "complete")
        self.assertIn("own.json", told["content"][0]["text"])
        refused = self.ask("tools/list", _meta={**ENVELOPE, META + "protocolVersion": "2031-01-01"})
        self.assertEqual(refused["error"]["code"], -32022)
        self.assertEqual(refused["error"]["data"]["supported"], ["2026-07-28"])
        lacking = {META + "protocolVersion": "2026-07-28"}
        self.assertEqual(self.ask("tools/list", _meta=lacking)["error"]["code"], -32602)
        self.assertEqual(self.ask("initialize", _meta=ENVELOPE)["error"]["code"], -32601)
        self.finish()

    def test_files_and_time(self):
        self.write("a.c", "one\ntwo\nthree\n")
        os.symlink("/etc", os.path.join(self.work, "out"))
        self.start()
        self.assertEqual(self.call("read_file", path="a.c", first_line=2, lines=1), "two\n")
        self.assertEqual(self.call("read_file", path=os.path.join(self.work, "a.c")),
                         "one\ntwo\nthree\n")
        self.assertIn("a.c:3: three", self.call("search_files", text="THREE", ignore_case=True))
        for path in ("/etc/passwd", "out/passwd", "../../etc/passwd"):
            self.assertNotIn("root:", self.call("read_file", failed=True, path=path))
        self.assertIn("outside", self.call("list_directory", failed=True, path="out"))
        self.assertIn("2026-07-01T21:00:00+09:00", self.call(
            "convert_time", time="2026-07-01 12:00", **{"from": "UTC", "to": "Asia/Tokyo"}))
        self.assertRegex(self.call("current_time", timezone="UTC"), r"^20\d\d-.*\+00:00 ")
        self.assertIn("no time zone", self.call("current_time", failed=True, timezone="No/Where"))
        self.finish()

    def test_hidden(self):
        """What the privacy rules hide comes out of no tool, under no name, and of no commit."""
        secret = "canary" + "-7f3a"
        for folder in ("keys", "sub/deep", "secrets"):
            os.makedirs(os.path.join(self.work, folder))
        hidden = (".env", "keys/a.txt", "sub/deep/b.txt", "sub/c.log", "secrets/x.txt")
        for name in hidden + ("a.txt", "sub/d.txt", "odd \t\"name.txt"):
            self.write(name, f"{name} {secret} one\n")
        self.write(".inlinedignore", "keys/\n")
        self.write(".gitignore", "*.log\n")
        self.write("sub/.gitignore", "deep/\n")
        os.symlink(".env", os.path.join(self.work, "harmless.txt"))
        os.symlink("keys", os.path.join(self.work, "open"))
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", self.work]
        message = "diff --git a/a.txt b/a.txt"
        for words in (["init", "-q", "-b", "main"], ["add", "-f", "."], ["commit", "-qm", message]):
            subprocess.run(git + words, check=True, env=self.env)
        for pair in ("color.ui=always", "color.diff=always", "diff.noprefix=true",
                     "diff.renames=copies", "format.pretty=raw", "status.relativePaths=false"):
            subprocess.run([*git, "config", *pair.split("=")], check=True, env=self.env)
        blob = subprocess.run([*git, "rev-parse", "HEAD:.env"], check=True, text=True, env=self.env,
                              stdout=subprocess.PIPE).stdout.strip()
        for name in hidden + ("a.txt",):
            self.write(name, f"{name} {secret} two\n")
        private = os.path.join(self.work, "secrets")
        os.rename(os.path.join(private, "x.txt"), os.path.join(private, "y.txt"))
        self.start()
        for path in hidden[:4] + ("harmless.txt", "open/a.txt", "sub/../.env", "./keys/a.txt",
                                  ".git/config", self.work + "/.env"):
            self.assertIn("hidden by the", self.call("read_file", failed=True, path=path))
        for path in ("keys", "open", ".git"):
            self.assertIn("hidden", self.call("list_directory", failed=True, path=path))
        self.assertIn(secret, self.call("read_file", path="a.txt"))
        listed = self.call("list_directory")
        self.assertIn("a.txt  ", listed)
        for name in (".env", "keys", ".git/", "harmless"):
            self.assertNotIn(name, listed)
        self.assertEqual(self.call("list_directory", path="secrets"), "")
        found = self.call("search_files", text=secret)
        self.assertEqual(sorted(line.split(":")[0] for line in found.splitlines()),
                         ["a.txt", 'odd \t"name.txt', "sub/d.txt"])
        shown = [self.call("git_diff"), self.call("git_diff", revision="HEAD"),
                 self.call("git_show", revision="HEAD"), self.call("git_status")]
        for text in shown:
            self.assertIn("a.txt", text)
            for name in hidden + ("secrets/y.txt",):
                self.assertNotIn(name, text)
        self.assertEqual(shown[0].count("diff --git"), 1)
        self.assertIn("(changes of 5 hidden files are left out)", shown[0])
        self.assertIn("+a.txt " + secret + " two", shown[1])
        self.assertIn("name.txt", shown[2])
        self.assertIn(" M a.txt", shown[3])
        for tool, arguments in (("git_show", {"revision": blob}), ("git_diff", {"revision": blob}),
                                ("git_diff", {"revision": blob, "path": "a.txt"}),
                                ("git_log", {"count": 3, "path": ".env"}),
                                ("git_diff", {"path": "../x"}),
                                ("git_diff", {"path": "keys/a.txt"}),
                                ("git_diff", {"revision": blob + ".." + blob})):
            self.assertNotIn(secret, self.call(tool, failed=True, **arguments))
        self.write(".inlinedignore", "a.txt\n")  # counts from the next call on
        self.assertIn("hidden", self.call("read_file", failed=True, path="a.txt"))
        self.assertNotIn("a.txt ", self.call("git_diff", revision="HEAD"))
        self.write("sub/.gitignore", "")
        self.assertIn("two", self.call("read_file", path="sub/deep/b.txt"))
        self.write("d.py", 'token = "ghp_' + "a1B2" * 9 + '"\n')
        self.assertEqual(self.call("read_file", path="d.py"), 'token = "REDACTED"\n')
        self.finish()

    def test_symbols(self):
        self.write("a.c", "struct point { int x; };\n\nint add_points(int a, int b) {\n"
                   "    return a + b;\n}\n")
        self.write(".env", "int secret_canary(void) { return 1; }\n")
        self.write("hidden.c", "int hidden_canary(void) { return 1; }\n")
        self.write(".inlinedignore", "hidden.c\n")
        self.start()
        found = self.call("find_symbol", name="add_points")
        self.assertRegex(found, r"^a\.c:3: function .*add_points")
        for name in ("hidden_canary", "secret_canary", "none"):
            self.assertIn("nothing of that name", self.call("find_symbol", name=name))
        self.assertIn("is missing", self.call("find_symbol", failed=True))
        listed = self.call("list_symbols", path="./a.c")
        self.assertRegex(listed, r"^1: type struct point.*\n3: function int add_points")
        for path in ("hidden.c", ".env", "../a.c", "/etc/passwd", "none.c"):
            self.assertIn("no definitions", self.call("list_symbols", path=path))
        self.finish()

    def test_diagnostics(self):
        """Without an editor: what the grammar says of one file."""
        self.write("a.py", "def good():\n    return (1\n\n\ndef bad(:\n    pass\n")
        self.write("b.py", "x = 1\n")
        self.write("hidden.py", "def bad(:\n")
        self.write(".inlinedignore", "hidden.py\n")
        self.start()
        self.assertRegex(self.call("diagnostics", path="a.py"), r"^a\.py:\d: syntax: ")
        self.assertIn("nothing is wrong", self.call("diagnostics", path="b.py"))
        self.assertIn("no document is open", self.call("diagnostics"))
        self.assertIn("hidden by the", self.call("diagnostics", failed=True, path="hidden.py"))
        for path in ("../a.py", "none.py"):
            self.assertNotIn("syntax", self.call("diagnostics", failed=True, path=path))
        self.finish()

    def test_git(self):
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", self.work]
        subprocess.run([*git, "init", "-q", "-b", "main"], check=True, env=self.env)
        self.write("a.c", "one\n")
        subprocess.run([*git, "add", "a.c"], check=True, env=self.env)
        subprocess.run([*git, "commit", "-qm", "first step"], check=True, env=self.env)
        self.write("a.c", "two\n")
        # What a repository's own settings would run, must not run.
        ran = os.path.join(self.home, "ran")
        for key in ("core.fsmonitor", "diff.external", "core.pager"):
            subprocess.run([*git, "config", key, f"touch {ran}"], check=True, env=self.env)
        self.start()
        self.assertIn(" M a.c", self.call("git_status"))
        self.assertIn("+two", self.call("git_diff", path="a.c"))
        self.assertIn("first step", self.call("git_log", count=3))
        self.assertIn("+one", self.call("git_show", revision="HEAD"))
        self.assertIn("not what its schema", self.call("git_show", failed=True, revision="a b"))
        for word in ("--help", "--output=x", "-O"):
            self.assertIn("not what its schema", self.call("git_show", failed=True, revision=word))
        self.assertFalse(os.path.exists(ran))
        self.finish()

    def test_declared(self):
        self.write("a.c", "one\n")
        self.start("--file", "own.json")
        self.assertIn("1 a.c", self.call("count", files=["a.c"]))
        self.assertIn("may not begin with -", self.call("count", failed=True, files=["--help"]))
        self.assertIn("not what its schema", self.call("count", failed=True, files=[]))
        said = "$(id); `id` > x & \"q\" ä\n"
        self.assertEqual(self.call("say", text=said), said)
        seen = self.call("environment")
        self.assertIn("MARK=yes", seen)
        self.assertNotIn("canary", seen)
        self.assertIn("exited with code 1", self.call("count", failed=True, files=["none"]))
        begun = time.monotonic()
        self.assertIn("more than 300 ms", self.call("slow", failed=True))
        self.assertLess(time.monotonic() - begun, 5)
        # A cancelled call gets no answer, and the next one is not kept waiting.
        self.send('{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":"slow"}}')
        self.send('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"c"}}')
        self.assertEqual(self.call("say", text="x"), "x")
        self.finish()
        left = subprocess.run(["pgrep", "-f", "^sleep 6[12]$"], capture_output=True, check=False)
        self.assertEqual(left.stdout, b"")

    def test_declared_wrong(self):
        for text, word in (('{"tools": {\n "x": }}', "own.json:2:"), ("{}", "no object"),
                           (DECLARED.replace('["env"]', '"env"'), "needs \"argv\""),
                           (DECLARED.replace('"count"', '"read_file"'), "two tools read_file")):
            self.write("own.json", text)
            done = subprocess.run([PROGRAM, "mcp", "serve", "--file", "own.json"], cwd=self.work,
                                  env=self.env, capture_output=True, text=True, check=False,
                                  stdin=subprocess.DEVNULL)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(word, done.stderr)

    def test_hostile(self):
        """Bytes that are no message are refused, and the next message is answered."""
        self.start()
        for line in ("nonsense", '{"jsonrpc":"2.0","id":1}', "[" * 5000,
                     '{"id":{},"method":"ping"}'):
            self.send(line)
            self.assertIn("error", json.loads(self.server.stdout.readline()))
        self.assertEqual(self.ask("ping")["result"], {})
        for _ in range(50):
            self.send('{"jsonrpc":"2.0","id":0,"method":"tools/call","params":'
                      '{"name":"list_directory"}}')
        for _ in range(50):
            self.assertIn("result", json.loads(self.server.stdout.readline()))
        self.finish()

    def start_http(self, **env):
        server = subprocess.Popen([PROGRAM, "mcp", "serve", "0", "--file", "own.json"],
                                  cwd=self.work, env={**self.env, **env}, stderr=subprocess.PIPE,
                                  text=True)
        self.addCleanup(server.stderr.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)/mcp", server.stderr.readline())[1])
        return server

    def post(self, message, path="/mcp", method="POST", **headers):
        """(status, answer): of one request on a connection of its own."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        body = message if isinstance(message, str) else json.dumps(message, indent=1)
        link.request(method, path, body, {"Content-Type": "application/json",
                                          **{k.replace("_", "-"): v for k, v in headers.items()}})
        answer = link.getresponse()
        text = answer.read()
        link.close()
        return answer.status, json.loads(text) if text else None

    def test_http(self):
        server = self.start_http()
        status, told = self.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {}}})
        self.assertEqual((status, told["result"]["protocolVersion"]), (200, "2025-06-18"))
        self.assertEqual(self.post({"jsonrpc": "2.0", "method": "notifications/initialized"}),
                         (202, None))
        status, told = self.post({"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {
            "name": "say", "arguments": {"text": "ä\n"}}}, MCP_Protocol_Version="2025-06-18")
        self.assertEqual((status, told["id"], told["result"]["content"][0]["text"]),
                         (200, "a", "ä\n"))
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        for wrong, headers in ((403, {"Host": "evil.example"}), (403, {"Origin": "http://evil.x"}),
                               (403, {"Host": "localhost.evil.x"}), (404, {"path": "/"}),
                               (405, {"method": "GET"}), (405, {"method": "DELETE"}),
                               (415, {"Content_Type": "text/plain"}),
                               (400, {"MCP_Protocol_Version": "1999-01-01"})):
            self.assertEqual(self.post(ping, **headers)[0], wrong, headers)
        self.assertEqual(self.post(ping, Origin="http://localhost:1")[0], 200)
        self.assertEqual(self.post("nonsense")[0], 400)
        self.assertEqual(self.post("[" * 5000)[0], 400)
        server.send_signal(signal.SIGTERM)
        self.assertEqual(server.wait(20), 0)

    def test_http_modern(self):
        self.start_http(INLINED_MCP_TOKEN="t0ken")
        head = {"MCP_Protocol_Version": "2026-07-28", "Authorization": "Bearer t0ken"}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "_meta": ENVELOPE, "name": "slow", "arguments": {}}}
        self.assertEqual(self.post(message)[0], 401)
        self.assertEqual(self.post(message, Authorization="Bearer t0keN")[0], 401)
        status, told = self.post(message, Mcp_Method="tools/call", Mcp_Name="slow", **head)
        self.assertEqual((status, told["result"]["isError"]), (200, True))
        status, told = self.post(message, Mcp_Method="tools/call", Mcp_Name="say", **head)
        self.assertEqual((status, told["error"]["code"]), (400, -32020))
        message["method"] = "no/such"
        self.assertEqual(self.post(message, Mcp_Method="no/such", **head)[0], 404)

    def test_through_our_host(self):
        config = os.path.join(self.home, "mcp.json")
        for era, protocol in (("legacy", "2025-11-25"), ("modern", "2026-07-28")):
            with open(config, "w", encoding="utf-8") as f:
                json.dump({"mcpServers": {"own": {"command": PROGRAM, "args": ["mcp", "serve"],
                                                  "x-host": {"era": era}}}}, f)
            done = subprocess.run([PROGRAM, "mcp", "doctor", "--json", "--file", config],
                                  cwd=self.work, env=self.env, capture_output=True, text=True,
                                  timeout=60, check=False)
            server = json.loads(done.stdout)["servers"][0]
            self.assertEqual((server["state"], server["protocol"], server["tools"],
                              server["errors"], server["oddities"]),
                             ("ready", protocol, 21, 0, ""))
            self.assertEqual(server["calls"], 20)
        self.start_http()
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"mcpServers": {"own": {"url": f"http://127.0.0.1:{self.port}/mcp"}}}, f)
        done = subprocess.run([PROGRAM, "mcp", "doctor", "--json", "--file", config], cwd=self.work,
                              env=self.env, capture_output=True, text=True, timeout=60, check=False)
        server = json.loads(done.stdout)["servers"][0]
        self.assertEqual((server["state"], server["protocol"], server["calls"], server["errors"]),
                         ("ready", "2026-07-28", 20, 0))

    def test_shared_memory(self):
        """The official memory server and we read what the other has written."""
        script = os.path.join(NPM, "@modelcontextprotocol/server-memory/dist/index.js")
        if not os.path.exists(script):
            self.skipTest("INLINED_MCP_NPM names no folder; ./bootstrap test fetches the server")
        store = os.path.join(self.home, "memory.jsonl")
        self.env["MEMORY_FILE_PATH"] = store
        config = os.path.join(self.home, "mcp.json")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"mcpServers": {"memory": {
                "command": os.environ.get("INLINED_NODE", "node"), "args": [script],
                "env": {"MEMORY_FILE_PATH": store}}}}, f)

        def theirs(tool, arguments):
            return subprocess.run([PROGRAM, "mcp", "call", "memory", tool, json.dumps(arguments),
                                   "--file", config], cwd=self.work, env=self.env, check=True,
                                  capture_output=True, text=True, timeout=60).stdout
        theirs("create_entities", {"entities": [
            {"name": "Ann", "entityType": "person", "observations": ["likes C"]}]})
        self.start()
        self.assertEqual(json.loads(self.call("open_nodes", names=["Ann"]))["entities"][0]
                         ["observations"], ["likes C"])
        self.call("create_entities", entities=[
            {"name": "Bob", "entityType": "person", "observations": ["ä"]}])
        self.call("create_relations", relations=[
            {"from": "Ann", "to": "Bob", "relationType": "knows"}])
        self.finish()
        graph = json.loads(theirs("read_graph", {}))
        self.assertEqual([e["name"] for e in graph["entities"]], ["Ann", "Bob"])
        self.assertEqual(graph["entities"][1]["observations"], ["ä"])
        self.assertEqual(graph["relations"][0]["relationType"], "knows")


if __name__ == "__main__":
    if not os.path.exists(PROGRAM):
        print("no program at " + BUILD)
        sys.exit(1)
    unittest.main()
