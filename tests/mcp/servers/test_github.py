#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GitHub's own server (Go) and the archived one of npm, with stubs of the REST and GraphQL API."""
import json
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../e2e"))
import lsp_client  # noqa: E402
from server_case import BUILD, NODE, SERVERS, ServerCase, Stub, need, npm  # noqa: E402

PROGRAM = os.path.join(SERVERS, "go/github-mcp-server")
OLD = npm("@modelcontextprotocol/server-github/dist/index.js")

ISSUE = {"number": 7, "title": "The ring overflows", "state": "open", "body": "At 4096 bytes.",
         "html_url": "https://github.com/o/r/issues/7", "user": {"login": "ada", "id": 1},
         "id": 7, "node_id": "x", "url": "u", "labels": [], "assignees": [], "comments": 0,
         "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
         "repository_url": "u", "events_url": "u", "locked": False, "assignee": None,
         "milestone": None, "closed_at": None, "labels_url": "u", "comments_url": "u",
         "author_association": "OWNER"}
USER = {"login": "ada", "id": 1, "html_url": "https://github.com/ada"}
GRAPHQL = {"data": {"repository": {"issues": {
    "nodes": [{"number": 7, "title": ISSUE["title"], "body": ISSUE["body"], "state": "OPEN",
               "databaseId": 7, "author": {"login": "ada"}, "createdAt": ISSUE["created_at"],
               "updatedAt": ISSUE["updated_at"], "labels": {"nodes": []},
               "comments": {"totalCount": 0}}],
    "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": "",
                 "endCursor": ""}, "totalCount": 1}}}}


def text(value):
    return (200, "application/json", json.dumps(value))


class GitHub(ServerCase):
    def test_go(self):
        """GITHUB_HOST loses its port in this version, so the stub needs port 80 of a loopback."""
        try:
            stub = Stub({"GET /api/v3/user": text(USER),
                         "GET /api/v3/repos/o/r/issues/7": text(ISSUE),
                         "GET /api/v3/repos/o/r/issues/8": (404, "application/json",
                                                           '{"message": "Not Found"}'),
                         "GET /api/v3/repos/o/r/issues/9": (
                             403, "application/json", '{"message": "API rate limit exceeded"}'),
                         "POST /api/graphql": text(GRAPHQL)}, "127.0.0.9", 80)
        except OSError as e:
            self.skipTest(f"port 80 of 127.0.0.9 cannot be had: {e}")
        self.addCleanup(stub.server_close)
        self.addCleanup(stub.shutdown)
        self.configure(github={"command": PROGRAM, "args": ["stdio", "--read-only"],
                               "env": {"GITHUB_PERSONAL_ACCESS_TOKEN": "ghp_canary",
                                       "GITHUB_HOST": "http://127.0.0.9"}})
        self.assertGreater(self.look("github")["tools"], 10)
        self.assertIn("ada", self.call("github", "get_me"))
        self.assertEqual(stub.asked[-1]["authorization"], "Bearer ghp_canary")
        said = self.call("github", "issue_read", method="get", owner="o", repo="r", issue_number=7)
        self.assertIn("The ring overflows", said)
        said = self.call("github", "list_issues", owner="o", repo="r")
        self.assertIn("The ring overflows", said)
        self.assertEqual(stub.asked[-1]["line"], "POST /api/graphql")
        for number, word in ((8, "404"), (9, "rate limit")):
            said = self.call("github", "issue_read", code=1, method="get", owner="o", repo="r",
                             issue_number=number)
            self.assertIn(word, said)
            self.assertNotIn("canary", said)

    def test_npm(self):
        """The archived one has its host in its code: a preload sends it to the stub."""
        stub = Stub({"GET /repos/o/r/issues/7": text(ISSUE)})
        self.addCleanup(stub.server_close)
        self.addCleanup(stub.shutdown)
        preload = self.file("redirect.mjs", """
            import { createRequire } from 'node:module';
            const require = createRequire(process.env.OLD_SERVER);
            const to = (u) => String(u).replace('https://api.github.com', process.env.STUB);
            const real = globalThis.fetch;
            globalThis.fetch = (u, o) => real(to(u), o);
            """)
        self.configure(github={"command": NODE, "args": ["--import", preload, OLD],
                               "env": {"GITHUB_PERSONAL_ACCESS_TOKEN": "ghp_canary",
                                       "OLD_SERVER": OLD, "STUB": stub.url}})
        server = self.look("github")
        self.assertEqual((server["tools"], server["protocol"]), (26, "2024-11-05"))
        said = self.call("github", "get_issue", owner="o", repo="r", issue_number=7)
        self.assertIn("The ring overflows", said)
        self.assertIn("error", self.call("github", "get_issue", code=1, owner="o", repo="r",
                                         issue_number=8))

    # ---- look-ups before a model is asked ------------------------------------------------------

    def editor(self, servers, branch="main"):
        """The language server with these servers in the user's own file, in a repository o/r."""
        self.file(".git/HEAD", f"ref: refs/heads/{branch}\n")
        self.file(".git/config", '[remote "origin"]\n\turl = git@github.com:o/r.git\n')
        folders = ("config", "state", "cache")
        env = {**self.env, **{f"XDG_{f.upper()}_HOME": os.path.join(self.home, f) for f in folders}}
        os.makedirs(os.path.join(self.home, "config/inlined"), exist_ok=True)
        with open(os.path.join(self.home, "config/inlined/mcp.json"), "w", encoding="utf-8") as f:
            json.dump({"mcpServers": servers}, f)
        settings = os.path.join(self.home, "settings.json")
        with open(settings, "w", encoding="utf-8") as f:
            json.dump({"model": os.path.join(self.home, "absent.gguf")}, f)
        client = lsp_client.Client([os.path.join(BUILD, "inlined"), "--no-daemon", "--config",
                                    settings], env=env)
        self.addCleanup(client.kill)
        client.initialize({"workspace": {"applyEdit": True, "workspaceFolders": True}},
                          workspaceFolders=[{"uri": "file://" + self.project, "name": "project"}])
        end = time.monotonic() + 60
        while True:
            found = client.call("inlined/tools")["servers"]
            if found and all(s["state"] == "ready" for s in found):
                return client
            self.assertLess(time.monotonic(), end, found)
            time.sleep(0.1)

    def looked_up(self, client, action, name, text):
        """What was asked before the model, of which there is none: then it ends in a sentence."""
        uri = "file://" + self.file(name, text)
        client.open(uri, text)
        place = {"line": 1, "character": 5}
        for _ in range(10):  # a look-up has three seconds, which a busy machine may need
            with self.assertRaises(lsp_client.LspError) as caught:
                client.call("workspace/executeCommand", {"command": "inlined.action", "arguments": [
                    {"action": action, "uri": uri, "range": {"start": place, "end": place}}]})
            self.assertIn("absent.gguf", str(caught.exception))
            said = client.call("inlined/context/explain",
                               {"textDocument": {"uri": uri}, "position": place})["lookups"]
            if not any("timeout" in one["outcome"] for one in said):
                break
        return [(one["tool"], json.loads(one["arguments"]), one["outcome"], one["bytes"] > 20)
                for one in said]

    def test_looked_up(self):
        """Edits, reviews and explanations look up the issue that a comment or the branch names."""
        try:
            stub = Stub({"GET /api/v3/user": text(USER),
                         "GET /api/v3/repos/o/r/issues/7": text(ISSUE),
                         "GET /api/v3/repos/o/r/issues/31": text({**ISSUE, "number": 31})},
                        "127.0.0.10", 80)
        except OSError as e:
            self.skipTest(f"port 80 of 127.0.0.10 cannot be had: {e}")
        self.addCleanup(stub.server_close)
        self.addCleanup(stub.shutdown)
        server = {"command": PROGRAM, "args": ["stdio"],
                  "env": {"GITHUB_PERSONAL_ACCESS_TOKEN": "ghp_canary",
                          "GITHUB_HOST": "http://127.0.0.10"}}
        client = self.editor({"github": {**server, "x-host": {"trust": True,
                                                              "allow": ["issue_read"]}},
                              "nobody": server}, branch="fix/31-crash")
        code = "# The ring, see #7.\ndef push(a):\n    return a\n"
        for i, (action, issue) in enumerate((("improve", 7), ("review", 7), ("explain", 31),
                                             ("simplify", 31))):
            stub.asked.clear()
            plain = code if issue == 7 else code.replace(", see #7", "")
            said = self.looked_up(client, action, f"a{i}.py", plain)
            arguments = {"method": "get", "owner": "o", "repo": "r", "issue_number": issue}
            self.assertEqual(sorted(said), [
                ("github__issue_read", arguments, "ok", True),
                ("nobody__issue_read", arguments, "denied", False)], action)
            # An answer is kept for some seconds: the second of a kind need not ask GitHub.
            lines = {one["line"] for one in stub.asked}
            self.assertLessEqual(lines, {f"GET /api/v3/repos/o/r/issues/{issue}"})
            if i in (0, 2):
                self.assertTrue(lines, action)
                self.assertEqual(stub.asked[0]["authorization"], "Bearer ghp_canary")
        self.assertEqual(client.close(), 0)


if __name__ == "__main__":
    need(PROGRAM, OLD)
    unittest.main()
