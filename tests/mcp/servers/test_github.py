#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GitHub's own server (Go) and the archived one of npm, with stubs of the REST and GraphQL API."""
import json
import os
import unittest

from server_case import NODE, SERVERS, ServerCase, Stub, need, npm

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


if __name__ == "__main__":
    need(PROGRAM, OLD)
    unittest.main()
