#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""inlined mcp serve: prompts, resources, commands that speak; both eras, both transports.

The commands are ../conformance/server.json's and the hostile ones of this file.
"""
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BUILD = os.path.abspath(os.environ.get("INLINED_BUILD", "build"))
PROGRAM = os.path.join(BUILD, "inlined")
HERE = os.path.dirname(os.path.abspath(__file__))
META = "io.modelcontextprotocol/"
ACCEPT = "application/json, text/event-stream"
ABLE = {"elicitation": {}, "sampling": {}, "roots": {}}

BAD = """import json, sys, time
hello = sys.stdin.readline()
what = sys.argv[1]
def say(line):
    print(line, flush=True)
if what == "nonsense": say("hello")
if what == "unknown": say('{"what": 1}')
if what == "deep": say("[" * 4000)
if what == "long": say('{"content": {"type": "text", "text": "' + "x" * (9 << 20) + '"}}')
if what == "block": say('{"content": {"type": "video", "data": "x"}}')
if what == "base64": say('{"content": {"type": "image", "data": "no!", "mimeType": "i"}}')
if what == "method": say('{"ask": {"a": {"method": "tools/list"}}}')
if what == "none": say('{"ask": {}}')
if what == "error": say('{"error": "it went wrong\\u001b[31m"}')
if what == "exit": sys.exit("the last words")
if what == "flood":
    while True: say('{"log": "emergency", "data": "' + "y" * 1000 + '"}')
if what == "asks":
    say('{"ask": {"a": {"method": "roots/list"}}}')
    say(json.dumps({"content": {"type": "text", "text": sys.stdin.readline()}}))
if what == "leaves":
    say('{"ask": {"a": {"method": "roots/list"}}}')
if what == "escape":
    say('{"content": {"type": "text", "text": "a\\u001b[31mb\\u202ec"}}')
if what == "sum":
    say('{"structured": {"sum": 5}}')
    say('{"content": {"type": "text", "text": "5"}}')
"""


def declared():
    with open(os.path.join(HERE, "conformance", "server.json"), encoding="utf-8") as f:
        root = json.load(f)
    for name in ("nonsense", "unknown", "deep", "long", "block", "base64", "method", "none",
                 "error", "exit", "flood", "asks", "leaves", "escape", "sum"):
        root["tools"][name] = {"description": name, "argv": ["python3", "bad.py", name],
                               "speaks": True, "schema": {"type": "object"}, "timeoutMs": 10000,
                               "outputSchema": {"type": "object"}}
    root["resources"]["test://outside"] = {"file": "../secret"}
    root["resources"]["test://missing"] = {"file": "missing"}
    root["resourceTemplates"]["doc://{page}"] = {"file": "${page}.md", "mimeType": "text/markdown"}
    return root


class Base(unittest.TestCase):

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="inlined-speak-")
        self.addCleanup(shutil.rmtree, self.home)
        self.work = os.path.join(self.home, "work")
        shutil.copytree(os.path.join(HERE, "conformance"), self.work)
        for name, text in (("bad.py", BAD), ("server.json", json.dumps(declared())),
                           ("page.md", "# Page\n"), ("../secret", "canary")):
            with open(os.path.join(self.work, name), "w", encoding="utf-8") as f:
                f.write(text)
        self.env = {"HOME": self.home, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
                    "PYTHONDONTWRITEBYTECODE": "1"}

    def launch(self, *words, **pipes):
        server = subprocess.Popen([PROGRAM, "mcp", "serve", *words, "--file", "server.json"],
                                  cwd=self.work, env=self.env, text=True, **pipes)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        return server


class Lines(Base):
    """Standard input and output."""

    def setUp(self):
        super().setUp()
        self.server = self.launch(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.server.stdout.close)
        self.last = 0

    def send(self, **message):
        self.server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.server.stdin.flush()

    def read(self):
        return json.loads(self.server.stdout.readline())

    def begin(self, **capabilities):
        return self.ask("initialize", protocolVersion="2025-11-25", clientInfo={},
                        capabilities=capabilities)["result"]

    def ask(self, method, **params):
        self.last += 1
        self.send(id=self.last, method=method, params=params)
        answer = self.read()
        self.assertEqual(answer.get("id"), self.last, answer)
        return answer

    def modern(self, method, capabilities=None, meta=None, **params):
        return self.ask(method, **params, _meta={
            META + "protocolVersion": "2026-07-28", META + "clientCapabilities": capabilities or {},
            **(meta or {})})

    def call(self, name, **arguments):
        return self.ask("tools/call", name=name, arguments=arguments)

    def finish(self):
        self.server.stdin.close()
        self.assertEqual(self.server.stdout.read(), "")
        self.assertEqual(self.server.wait(20), 0)

    def test_lists(self):
        told = self.begin()["capabilities"]
        self.assertEqual(sorted(told), ["completions", "logging", "prompts", "resources", "tools"])
        self.assertTrue(told["resources"]["subscribe"])
        prompts = {p["name"]: p for p in self.ask("prompts/list")["result"]["prompts"]}
        self.assertEqual([a["required"] for a in
                          prompts["test_prompt_with_arguments"]["arguments"]], [True, True])
        self.assertNotIn("values", prompts["test_prompt_with_arguments"]["arguments"][0])
        uris = [r["uri"] for r in self.ask("resources/list")["result"]["resources"]]
        self.assertIn("test://static-text", uris)
        listed = self.ask("resources/templates/list")["result"]["resourceTemplates"]
        self.assertEqual(listed[0]["uriTemplate"], "test://template/{id}/data")
        self.finish()

    def test_prompts(self):
        said = self.ask("prompts/get", name="test_prompt_with_arguments",
                        arguments={"arg1": "${arg2}", "arg2": "b"})["result"]["messages"]
        self.assertEqual(said[0]["content"]["text"],
                         "Prompt with arguments: arg1='${arg2}', arg2='b'")
        for arguments in ({}, {"arg1": "a"}, {"arg1": 1, "arg2": "b"}):
            self.assertIn("error", self.ask("prompts/get", name="test_prompt_with_arguments",
                                            arguments=arguments))
        said = self.ask("prompts/get", name="test_prompt_with_image")["result"]["messages"]
        self.assertEqual([m["content"]["type"] for m in said], ["image", "text"])
        self.assertEqual(self.ask("prompts/get", name="no")["error"]["code"], -32602)
        self.finish()

    def test_resources(self):
        def read(uri):
            return self.ask("resources/read", uri=uri)
        got = read("test://static-binary")["result"]["contents"][0]
        self.assertEqual((got["uri"], got["mimeType"], got["blob"][:8]),
                         ("test://static-binary", "image/png", "iVBORw0K"))
        self.assertEqual(read("doc://page")["result"]["contents"],
                         [{"uri": "doc://page", "mimeType": "text/markdown", "text": "# Page\n"}])
        got = read("test://template/4%222/data")["result"]["contents"][0]
        self.assertIn('4"2', got["text"])
        for uri in ("test://outside", "test://missing", "doc://..%2F..%2Fsecret", "doc://none",
                    "doc://%2Fetc%2Fpasswd"):
            told = read(uri)
            self.assertEqual(told["error"]["code"], -32603, uri)
            self.assertNotIn("canary", json.dumps(told))
        told = read("no://such")
        self.assertEqual((told["error"]["code"], told["error"]["data"]),
                         (-32002, {"uri": "no://such"}))
        told = self.modern("resources/read", uri="no://such")
        self.assertEqual(told["error"]["code"], -32602)
        self.finish()

    def test_completion(self):
        def complete(ref, name, value):
            return self.ask("completion/complete", ref=ref,
                            argument={"name": name, "value": value})["result"]["completion"]
        prompt = {"type": "ref/prompt", "name": "test_prompt_with_arguments"}
        self.assertEqual(complete(prompt, "arg1", "TEST"),
                         {"values": ["testValue1", "testing"], "total": 2, "hasMore": False})
        self.assertEqual(complete(prompt, "arg2", "")["values"], [])
        template = {"type": "ref/resource", "uri": "test://template/{id}/data"}
        self.assertEqual(complete(template, "id", "124")["values"], ["124"])
        none = {"type": "ref/prompt", "name": "x"}
        self.assertIn("error", self.ask("completion/complete", ref=none,
                                        argument={"name": "a", "value": ""}))
        self.finish()

    def test_tells(self):
        """Progress only for whom asked for it; logs from the level on that was asked for."""
        self.begin()
        self.call("test_tool_with_progress")
        self.call("test_tool_with_logging")  # warning and above until it says otherwise
        self.assertEqual(self.ask("logging/setLevel", level="debug")["result"], {})
        self.assertIn("error", self.ask("logging/setLevel", level="loud"))
        self.send(id="p", method="tools/call", params={
            "name": "test_tool_with_progress", "_meta": {"progressToken": 7}})
        told = [self.read() for _ in range(4)]
        self.assertEqual([t["params"] for t in told[:3]], [
            {"progress": n, "total": 100, "progressToken": 7} for n in (0, 50, 100)])
        self.assertEqual(told[3]["id"], "p")
        self.send(id="l", method="tools/call", params={"name": "test_tool_with_logging"})
        told = [self.read() for _ in range(4)]
        self.assertEqual((told[0]["params"]["level"], told[0]["params"]["logger"]),
                         ("info", "test_tool_with_logging"))
        self.assertIn("result", self.modern("tools/call", name="test_tool_with_logging"))
        self.finish()

    def test_asks(self):
        """The older way: requests of ours, answered in any order, refused, cancelled, or not."""
        self.begin(**ABLE)
        self.send(id="a", method="tools/call",
                  params={"name": "test_input_required_result_multiple_inputs"})
        asked = {m["method"]: m for m in (self.read() for _ in range(3))}
        self.send(id=asked["roots/list"]["id"], result={"roots": []})
        self.send(id=asked["sampling/createMessage"]["id"], result={"content": {}})
        self.send(id=asked["elicitation/create"]["id"],
                  result={"action": "accept", "content": {"name": "A"}})
        self.assertIn("user_name", self.read()["result"]["content"][0]["text"])
        # An answer that is not what was asked for; a refusal; neither ends the server.
        for answer in ({"result": {"action": "accept", "content": {"name": 5}}}, {"result": {}},
                       {"error": {"code": -1, "message": "no"}}):
            form = "test_input_required_result_elicitation"
            self.send(id="b", method="tools/call",
                      params={"name": "asks" if "error" in answer else form})
            self.send(id=self.read()["id"], **answer)
            told = self.read()
            self.assertEqual(told["id"], "b")
            if "error" in answer:
                self.assertIn("the host has refused: no", told["result"]["content"][0]["text"])
            else:
                self.assertTrue(told["result"]["isError"])
        self.send(id="c", method="tools/call", params={"name": "asks"})
        late = self.read()["id"]
        self.send(method="notifications/cancelled", params={"requestId": "c"})
        self.send(id=late, result={"roots": []})
        self.assertEqual(self.ask("ping")["result"], {})
        self.send(id="d", method="tools/call", params={"name": "asks"})
        self.read()
        self.server.stdin.close()
        self.assertIn("the host has gone", self.server.stdout.readline())
        self.assertEqual(self.server.wait(20), 0)

    def test_asks_of_one_who_cannot(self):
        self.begin()
        told = self.call("test_missing_capability")
        self.assertEqual(told["error"]["data"], {"requiredCapabilities": {"sampling": {}}})
        told = self.modern("tools/call", name="test_missing_capability")
        self.assertEqual(told["error"]["code"], -32021)
        self.finish()

    def test_rounds(self):
        """2026-07-28: a call that asks is put aside; its token is good once, for this call."""
        name = "test_input_required_result_multi_round"

        def go(**params):
            return self.modern("tools/call", ABLE, name=params.pop("name", name), **params)
        first = go()["result"]
        self.assertEqual((first["resultType"], list(first["inputRequests"])),
                         ("input_required", ["step1"]))
        yes = {"step1": {"action": "accept", "content": {"name": "Ann"}}}
        state = first["requestState"]
        other = state[:-1] + ("A" if state[-1] != "A" else "B")
        for wrong in ({"name": "asks"}, {"arguments": {"x": 1}}, {"requestState": other},
                      {"inputResponses": {"step1": {"action": "perhaps"}}},
                      {"inputResponses": {"step1": {"action": "accept", "content": {}}}},
                      {"inputResponses": []}, {"requestState": 5}):
            told = go(**{"inputResponses": yes, "requestState": state, **wrong})
            self.assertEqual(told["error"]["code"], -32602, wrong)
        again = go(requestState=state)["result"]  # without answers: asked again, under a new token
        self.assertEqual(list(again["inputRequests"]), ["step1"])
        self.assertEqual(go(inputResponses=yes, requestState=state)["error"]["code"], -32602)
        second = go(inputResponses=yes, requestState=again["requestState"])["result"]
        self.assertEqual(list(second["inputRequests"]), ["step2"])
        done = go(requestState=second["requestState"], inputResponses={
            "step2": {"action": "accept", "content": {"color": "blue"}}})["result"]
        self.assertEqual((done["resultType"], done["content"][0]["text"]),
                         ("complete", "Ann likes blue"))
        # One of three: the others are asked for again.
        many = "test_input_required_result_multiple_inputs"
        first = go(name=many)["result"]
        rest = go(name=many, requestState=first["requestState"],
                  inputResponses={"client_roots": {"roots": []}})["result"]
        self.assertEqual(sorted(rest["inputRequests"]), ["greeting", "user_name"])
        self.finish()

    def test_parked_calls_are_bounded(self):
        states = [self.modern("tools/call", ABLE, name="asks")["result"]["requestState"]
                  for _ in range(34)]
        told = [self.modern("tools/call", ABLE, name="asks", requestState=s,
                            inputResponses={"a": {"roots": []}}) for s in (states[0], states[-1])]
        self.assertEqual(told[0]["error"]["code"], -32602)
        self.assertIn("answers", told[1]["result"]["content"][0]["text"])
        self.finish()

    def test_structured_and_cleaned(self):
        self.assertEqual(self.call("sum")["result"]["structuredContent"], {"sum": 5})
        self.assertEqual(self.call("escape")["result"]["content"][0]["text"], "abc")
        self.finish()

    def test_commands_that_err(self):
        self.begin(**ABLE)
        for name, word in (("nonsense", "no JSON object"), ("unknown", "means nothing"),
                           ("deep", "no JSON object"), ("long", "too long"), ("block", "\"video\""),
                           ("base64", "not what MCP knows"), ("method", "cannot be asked"),
                           ("none", "one to eight"), ("error", "it went wrong"),
                           ("exit", "the last words")):
            told = self.call(name)["result"]
            self.assertTrue(told["isError"], name)
            self.assertIn(word, told["content"][0]["text"])
            self.assertNotIn("\x1b", told["content"][0]["text"])
        self.send(id="q", method="tools/call", params={"name": "leaves"})
        self.read()  # it asks, and goes without waiting for the answer
        self.assertEqual(self.read()["id"], "q")
        # One that never stops talking is heard until it is cancelled; the next call is answered.
        self.send(id="f", method="tools/call", params={"name": "flood"})
        for _ in range(100):
            self.assertEqual(self.read()["method"], "notifications/message")
        self.send(method="notifications/cancelled", params={"requestId": "f"})
        self.send(id="z", method="ping")
        while self.read().get("id") != "z":
            pass
        self.finish()

    def test_news(self):
        path = os.path.join(self.work, "watched.txt")

        def change(text):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        uri = "test://watched-resource"
        self.assertEqual(self.ask("resources/subscribe", uri=uri)["result"], {})
        self.assertIn("error", self.ask("resources/subscribe", uri="no://such"))
        time.sleep(1.2)
        change("once")
        self.assertEqual(self.read()["params"], {"uri": uri})
        self.assertEqual(self.ask("resources/unsubscribe", uri=uri)["result"], {})
        self.send(id="s", method="subscriptions/listen", params={
            "_meta": {META + "protocolVersion": "2026-07-28", META + "clientCapabilities": {}},
            "notifications": {"resourceSubscriptions": [uri, "no://such"]}})
        told = self.read()["params"]
        self.assertEqual(told["notifications"], {"resourceSubscriptions": [uri]})
        self.assertEqual(told["_meta"][META + "subscriptionId"], "s")
        time.sleep(1.2)
        change("twice, and longer")
        told = self.read()
        self.assertEqual((told["method"], told["params"]["_meta"][META + "subscriptionId"]),
                         ("notifications/resources/updated", "s"))
        self.send(method="notifications/cancelled", params={"requestId": "s"})
        change("thrice")
        self.assertEqual(self.ask("ping")["result"], {})
        self.finish()


class Http(Base):

    def setUp(self):
        super().setUp()
        self.server = self.launch("0", stderr=subprocess.PIPE)
        self.addCleanup(self.server.stderr.close)
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)/mcp", self.server.stderr.readline())[1])
        self.session = None

    def open(self, message, method="POST", **headers):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.addCleanup(link.close)
        own = {"Mcp-Session-Id": self.session} if self.session else {}
        link.request(method, "/mcp", json.dumps(message) if message else None, {
            "Content-Type": "application/json", "Accept": ACCEPT, **own, **headers})
        answer = link.getresponse()
        self.addCleanup(answer.close)
        return answer

    def post(self, message, **headers):
        answer = self.open(message, **headers)
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def begin(self, **capabilities):
        answer = self.open({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {}}})
        answer.read()
        self.session = answer.headers["Mcp-Session-Id"]
        self.assertRegex(self.session, r"^[\w-]{32}$")

    def event(self, answer):
        while True:
            line = answer.readline().decode()
            if line.startswith("data: "):
                return json.loads(line[6:])
            self.assertNotEqual(line, "", "the stream has ended")

    def call(self, name, **more):
        return {"jsonrpc": "2.0", "id": more.pop("id", 5), "method": "tools/call",
                "params": {"name": name, **more}}

    def is_alive(self):
        self.assertEqual(self.post({"jsonrpc": "2.0", "id": 9, "method": "ping"})[0], 200)

    def test_stream_and_answer(self):
        """Two sessions ask at the same time; each answer finds its question."""
        streams = []
        self.begin(**ABLE)
        other = self.session
        for n in range(2):
            self.session = None
            self.begin(**ABLE)
            streams.append((self.session, self.open(self.call("asks", id=n))))
        for n, (session, stream) in reversed(list(enumerate(streams))):
            self.assertEqual(stream.headers["Content-Type"], "text/event-stream")
            asked = self.event(stream)
            self.session = other  # somebody else's answer is nobody's
            reply = {"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": [{"uri": "no"}]}}
            self.assertEqual(self.post(reply)[0], 202)
            self.session = session
            reply["result"] = {"roots": [{"uri": f"yes{n}"}]}
            self.assertEqual(self.post(reply), (202, None))
            told = self.event(stream)
            self.assertIn(f"yes{n}", told["result"]["content"][0]["text"])
            self.assertEqual(stream.read().strip(), b"")

    def test_cancel_and_end(self):
        self.begin(**ABLE)
        stream = self.open(self.call("asks", id="x"))
        self.event(stream)
        self.assertEqual(self.post({"jsonrpc": "2.0", "method": "notifications/cancelled",
                                    "params": {"requestId": "x"}})[0], 202)
        self.assertEqual(stream.read().strip(), b"")
        news = self.open(None, "GET")
        self.assertEqual(news.status, 200)
        self.assertEqual(self.open(None, "GET").status, 409)
        self.assertEqual(self.open(None, "DELETE").status, 204)
        news.read()  # it ends
        self.assertEqual(self.post({"jsonrpc": "2.0", "id": 1, "method": "ping"})[0], 404)
        self.session = None
        self.assertEqual(self.open(None, "GET").status, 405)
        self.is_alive()

    def test_news(self):
        self.begin()
        uri = "test://watched-resource"
        news = self.open(None, "GET")
        self.assertEqual(self.post({"jsonrpc": "2.0", "id": 1, "method": "resources/subscribe",
                                    "params": {"uri": uri}})[1]["result"], {})
        time.sleep(1.2)
        with open(os.path.join(self.work, "watched.txt"), "w", encoding="utf-8") as f:
            f.write("changed")
        self.assertEqual(self.event(news)["params"], {"uri": uri})

    def test_host_that_takes_one_answer(self):
        """Without an Accept for events there is neither a stream nor a question."""
        self.begin(**ABLE)
        status, told = self.post(self.call("test_tool_with_progress", _meta={"progressToken": 1}),
                                 Accept="application/json")
        self.assertEqual((status, told["id"]), (200, 5))
        status, told = self.post(self.call("asks"), Accept="application/json")
        self.assertEqual(told["error"]["data"], {"requiredCapabilities": {"roots": {}}})

    def test_hanging_up(self):
        """The newest revision: it cancels.  The older ones: it does not."""
        mark = os.path.join(self.work, "mark")
        with open(os.path.join(self.work, "server.json"), "w", encoding="utf-8") as f:
            json.dump({"tools": {"wait": {
                "description": "waits", "schema": {"type": "object"},
                "argv": ["sh", "-c", f"echo $$ > {mark}; sleep 4; echo ended >> {mark}"]}}}, f)
        server = self.launch("0", stderr=subprocess.PIPE)
        self.addCleanup(server.stderr.close)
        self.port = int(re.search(r":(\d+)/mcp", server.stderr.readline())[1])
        envelope = {META + "protocolVersion": "2026-07-28", META + "clientCapabilities": {}}
        for meta, ends in (({"_meta": envelope}, False), ({}, True)):
            body = json.dumps(self.call("wait", **meta))
            head = ("" if ends else "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
                    "Mcp-Name: wait\r\n")
            link = socket.create_connection(("127.0.0.1", self.port))
            link.sendall((f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
                          f"\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}").encode())
            while not os.path.exists(mark):
                time.sleep(0.05)
            link.close()
            time.sleep(6)
            with open(mark, encoding="utf-8") as f:
                self.assertEqual("ended" in f.read(), ends)
            os.remove(mark)

    def test_sessions_are_bounded(self):
        self.begin()
        first = self.session
        for _ in range(64):
            self.session = None
            self.begin()
        last, self.session = self.session, first
        self.assertEqual(self.post({"jsonrpc": "2.0", "id": 1, "method": "ping"})[0], 404)
        self.session = last
        self.is_alive()

    def test_bodies_are_bounded(self):
        link = socket.create_connection(("127.0.0.1", self.port))
        link.sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                     b"Content-Length: 9000000\r\n\r\n")
        self.assertIn(b" 413 ", link.recv(100))
        link.close()
        link = socket.create_connection(("127.0.0.1", self.port))
        link.sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(9):
                link.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
            link.sendall(b"0\r\n\r\n")
            self.assertIn(b" 413 ", link.recv(100))
        except OSError:
            pass  # it has hung up
        link.close()
        self.is_alive()

    def test_bytes_that_are_no_http(self):
        for junk in (b"\0" * 1000, b"GET\r\n\r\n", b"POST /mcp HTTP/9.9\r\n\r\n", b"\xff" * 65536,
                     b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                     b"POST /mcp HTTP/1.1\r\n" + b"A: b\r\n" * 20000 + b"\r\n",
                     b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"):
            link = socket.create_connection(("127.0.0.1", self.port), timeout=20)
            try:
                link.sendall(junk)
                link.shutdown(socket.SHUT_WR)
                while link.recv(65536):
                    pass
            except OSError:
                pass
            link.close()
        for head in ({"Mcp-Session-Id": "x" * 5000}, {"Mcp-Session-Id": "../../x"},
                     {"Last-Event-ID": "1"}):
            self.assertIn(self.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, **head)[0],
                          (200, 404))
        self.is_alive()

    def test_all_connections_taken(self):
        """Those who say nothing, or do not finish, are let go for those who ask."""
        idle = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(200)]
        for n, link in enumerate(idle):
            try:
                link.sendall(b"POST /mcp HTTP/1.1\r\nHost: local"[:n % 40])
            except OSError:
                pass  # it was let go
        self.is_alive()
        for link in idle:
            link.close()

    def test_many_at_once(self):
        self.begin(**ABLE)
        done = []

        def work(n):
            for k in range(10):
                status, told = self.post(self.call("test_simple_text", id=n * 100 + k))
                done.append((status, told["id"]))
        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(done), [(200, n * 100 + k) for n in range(8) for k in range(10)])


if __name__ == "__main__":
    if not os.path.exists(PROGRAM):
        print("no program at " + BUILD)
        sys.exit(1)
    unittest.main()
