#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input: each ends in one clear sentence or a protocol error, and the daemon lives; where the
stream itself is broken it ends with a non-zero code and a sentence on stderr."""
import json
import os
import struct
import unittest

import lsp_case
from lsp_client import CAPABILITIES, Client, error_code

URI = "file:///bad.py"
POSITION = {"line": 0, "character": 1}


def frame(body):
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


class Framing(lsp_case.Case):
    """The stream has lost its frame: nothing after it can be trusted."""

    def assert_ends(self, data):
        client = self.start()
        client.initialize()
        client.send_bytes(data)
        self.assertNotEqual(client.wait_exit(15), 0)
        self.assert_sentence(client.stderr().strip().splitlines()[-1])

    def test_no_number(self):
        self.assert_ends(b"Content-Length: many\r\n\r\n{}")

    def test_negative_length(self):
        self.assert_ends(b"Content-Length: -5\r\n\r\n{}")

    def test_length_that_overflows(self):
        self.assert_ends(b"Content-Length: 99999999999999999999999\r\n\r\n{}")

    def test_length_beyond_the_limit(self):
        self.assert_ends(b"Content-Length: 4000000000\r\n\r\n{}")

    def test_no_length(self):
        self.assert_ends(b"Content-Type: text\r\n\r\n{}")

    def test_garbage(self):
        self.assert_ends(b"\x00\xff\xfehello\r\n\r\n" * 3)

    def test_header_without_end(self):
        self.assert_ends(b"X-Long: " + b"a" * 100000)

    def test_json_without_headers(self):
        self.assert_ends(b'{"jsonrpc":"2.0","id":1,"method":"shutdown"}\n' * 200)

    def test_other_headers_are_fine(self):
        client = self.start()
        client.initialize()
        body = b'{"jsonrpc":"2.0","method":"$/nothing"}'
        client.send_bytes(b"content-length: %d\r\nContent-Type: application/vscode-jsonrpc; "
                          b"charset=utf-8\r\n\r\n" % len(body) + body)
        self.assert_alive(client)


class Messages(lsp_case.Case):
    """Whole frames with wrong content: the daemon answers (or ignores) and lives."""

    def setUp(self):
        super().setUp()
        self.client = self.start()
        self.client.initialize()

    def wait_error_without_id(self, code):
        answer = self.client.wait(None)
        self.assertEqual(answer["error"]["code"], code)

    def test_no_json(self):
        self.client.send_bytes(frame(b"{]"))
        self.wait_error_without_id(-32700)
        self.assert_alive(self.client)

    def test_empty_body(self):
        self.client.send_bytes(frame(b""))
        self.wait_error_without_id(-32700)
        self.assert_alive(self.client)

    def test_nesting_without_end(self):
        self.client.send_bytes(frame(b"[" * 100000))
        self.client.wait(None)
        self.assert_alive(self.client)

    def test_no_request(self):
        for body in (b"42", b"null", b'"text"', b"{}", b"[]", b'{"jsonrpc":"2.0"}',
                     b'{"jsonrpc":"2.0","id":1,"method":7}',
                     b'{"jsonrpc":"2.0","id":{},"method":"shutdown"}'):
            self.client.send_bytes(frame(body))
        self.client.wait(None)
        self.assert_alive(self.client)
        # The request whose method is a number is answered by its id, which nobody registered.
        self.client.violations = [v for v in self.client.violations if "no open request" not in v]

    def test_answers_that_nobody_asked_for(self):
        for body in (b'{"jsonrpc":"2.0","id":99,"result":null}',
                     b'{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"a"}}',
                     b'{"jsonrpc":"2.0","id":null,"result":1}'):
            self.client.send_bytes(frame(body))
        self.assert_alive(self.client)

    def test_unknown_methods(self):
        for method in ("textDocument/nothing", "", "$/nothing", "shutdown ", "a" * 5000):
            key = self.client.request(method, {}, check=False)
            self.assertEqual(self.client.wait(key)["error"]["code"], -32601, method[:30])
            self.client.send_wrong({"jsonrpc": "2.0", "method": method, "params": {}})
        self.assert_alive(self.client)

    def test_params_of_the_wrong_kind(self):
        self.client.open(URI, "x = 1\n")
        good = self.client.completion_params(URI, POSITION)
        for change in ({"position": None}, {"position": "x"}, {"position": {"line": "0"}},
                       {"position": {"line": -1, "character": 0}},
                       {"position": {"line": 1.5, "character": 0}},
                       {"textDocument": {}}, {"textDocument": 3}, {"textDocument": {"uri": 5}}):
            key = self.client.request("textDocument/inlineCompletion", {**good, **change},
                                      check=False)
            error = self.client.wait(key).get("error")
            self.assertIsNotNone(error, change)
            self.assertEqual(error["code"], -32602, change)
            self.assert_sentence(error["message"])
        for params in ([], [1], "x", 5, None):
            key = self.client.request("textDocument/inlineCompletion", params, check=False)
            self.assertIn(self.client.wait(key)["error"]["code"], (-32600, -32602), params)
        self.assert_alive(self.client)

    def test_notifications_of_the_wrong_kind(self):
        for method, params in (
                ("textDocument/didOpen", {}), ("textDocument/didOpen", {"textDocument": {}}),
                ("textDocument/didOpen", {"textDocument": {"uri": 1, "text": 2}}),
                ("textDocument/didChange", None), ("textDocument/didChange", {"x": 1}),
                ("textDocument/didChange", {"textDocument": {"uri": URI, "version": 1},
                                            "contentChanges": {"text": "no array"}}),
                ("textDocument/didClose", {"textDocument": None}),
                ("workspace/didChangeConfiguration", {"settings": 5}),
                ("workspace/didChangeWorkspaceFolders", {"event": {"added": 1}}),
                ("$/cancelRequest", {}), ("$/cancelRequest", {"id": {}}),
                ("$/cancelRequest", {"id": 12345}), ("$/progress", {"token": []})):
            self.client.send_wrong({"jsonrpc": "2.0", "method": method, "params": params})
        self.assert_alive(self.client)

    def test_invalid_utf8(self):
        body = (b'{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":'
                b'"file:///bad.py","languageId":"python","version":1,"text":"a\xff\xc3(\xed\xa0\x80'
                b'\xf5\x80 = 1\\nb = "}}}')
        self.client.send_bytes(frame(body))
        self.client.complete(URI, {"line": 1, "character": 4})
        self.assert_alive(self.client)

    def test_escapes_that_are_no_characters(self):
        body = (b'{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":'
                b'"file:///bad.py","languageId":"python","version":1,"text":"a\\ud800b\\u0000c = 1'
                b'\\nb = "}}}')
        self.client.send_bytes(frame(body))
        self.client.complete(URI, {"line": 1, "character": 4})
        self.assert_alive(self.client)


class Documents(lsp_case.Case):
    def setUp(self):
        super().setUp()
        self.client = self.start()
        self.client.initialize()

    def test_documents_that_are_not_open(self):
        client = self.client
        client.change("file:///unknown", 2, {"text": "a"})
        client.notify("textDocument/didClose", {"textDocument": {"uri": "file:///unknown"}})
        client.notify("textDocument/didSave", {"textDocument": {"uri": "file:///unknown"}})
        key = client.request("textDocument/inlineCompletion",
                             client.completion_params("file:///unknown", POSITION))
        answer = client.wait(key)
        self.assertTrue(answer.get("result") == {"items": []} or "error" in answer)
        self.assert_alive(client)

    def test_positions_out_of_range(self):
        self.client.open(URI, "x = 1\ny")
        for line, character in ((0, 6), (0, 2 ** 31 - 1), (1, 2), (2, 0), (99999, 0),
                                (2 ** 31 - 1, 2 ** 31 - 1)):
            for item in self.client.complete(URI, {"line": line, "character": character}):
                self.assertLessEqual(item["range"]["start"]["line"], 1)
        self.assert_alive(self.client)

    def test_changes_out_of_range(self):
        self.client.open(URI, "x = 1\ny")

        def at(line, character):
            return {"line": line, "character": character}
        for version, (start, end) in enumerate((
                (at(9, 9), at(10, 0)), (at(0, 5), at(0, 2)), (at(1, 0), at(0, 0)),
                (at(0, 0), at(2 ** 31 - 1, 2 ** 31 - 1))), 2):
            self.client.change(URI, version, {"range": {"start": start, "end": end}, "text": "z"})
        self.client.complete(URI, POSITION)
        self.assert_alive(self.client)

    def test_versions_that_go_backwards_and_double_open(self):
        self.client.open(URI, "x = 1\n", version=10)
        self.client.change(URI, 3, {"text": "y = 2\n"})
        self.client.change(URI, 3, {"text": "y = 3\n"})
        self.client.open(URI, "z = 4\n", version=1)
        self.client.complete(URI, POSITION)
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        self.assert_alive(self.client)

    def test_large_and_long(self):
        client = self.client
        client.open("file:///long.py", "x = '" + "a" * 3_000_000 + "'\ny = ")
        client.complete("file:///long.py", {"line": 0, "character": 2_000_000})
        client.complete("file:///long.py", {"line": 1, "character": 4})
        client.open("file:///tall.py", "x = 1\n" * 200_000)
        client.complete("file:///tall.py", {"line": 199_999, "character": 5})
        self.assert_alive(client)

    def test_strange_uris(self):
        for number, uri in enumerate(("untitled:Untitled-1", "file:///a%20b/%ff%00.py",
                                      "vscode-notebook-cell:/a#W1", "x:",
                                      "file:///" + "d/" * 3000)):
            self.client.open(uri, "x = \n", version=number)
            self.client.complete(uri, {"line": 0, "character": 4})
        self.assert_alive(self.client)


class Burst(lsp_case.Case):
    def test_a_thousand_requests_at_once(self):
        client = self.start()
        client.initialize()
        client.open(URI, "x = 1\n" * 50)
        keys = []
        for number in range(1000):
            params = client.completion_params(URI, {"line": number % 50, "character": number % 6})
            keys.append(client.request("textDocument/inlineCompletion", params))
            if number % 3 == 0:
                client.notify("$/cancelRequest", {"id": keys[-1]})
            if number % 7 == 0:
                client.change(URI, number + 2, {
                    "range": {"start": POSITION, "end": POSITION}, "text": " "})
        for key in keys:
            answer = client.wait(key)
            self.assertTrue("result" in answer or answer["error"]["code"] in
                            (-32800, -32801, -32803), answer)
        self.assert_alive(client)
        self.assertEqual({client.answer_counts[k] for k in keys}, {1})


def gguf_header(tensors=0, keys=0, version=3, magic=b"GGUF"):
    return magic + struct.pack("<IQQ", version, tensors, keys)


def gguf_text(text):
    return struct.pack("<Q", len(text)) + text


def key_text(key, value):
    return gguf_text(key) + struct.pack("<I", 8) + gguf_text(value)


LYING = {
    "empty": b"",
    "magic": gguf_header(magic=b"GGML"),
    "version": gguf_header(version=77),
    "half-header": gguf_header()[:11],
    "many-tensors": gguf_header(tensors=2 ** 62),
    "many-keys": gguf_header(keys=2 ** 62),
    "long-key": gguf_header(keys=1) + struct.pack("<Q", 2 ** 63 - 1) + b"abc",
    "long-value": gguf_header(keys=1) + gguf_text(b"general.name") + struct.pack("<IQ", 8, 2 ** 60),
    "long-array": gguf_header(keys=1) + gguf_text(b"a.b") + struct.pack("<IIQ", 9, 8, 2 ** 61),
    "array-in-array": gguf_header(keys=1) + gguf_text(b"a.b")
    + struct.pack("<IIQ", 9, 9, 1) * 40000,
    "unknown-type": gguf_header(keys=1) + gguf_text(b"a.b") + struct.pack("<I", 99),
    "no-architecture": gguf_header() + b"\0" * 64,
    "other-architecture": gguf_header(keys=1) + key_text(b"general.architecture", b"no such"),
    "tensor-overflow": gguf_header(tensors=1, keys=1)
    + key_text(b"general.architecture", b"llama") + gguf_text(b"token_embd.weight")
    + struct.pack("<IQQIQ", 2, 2 ** 33, 2 ** 33, 0, 0),
    "tensor-outside": gguf_header(tensors=1, keys=1)
    + key_text(b"general.architecture", b"llama") + gguf_text(b"token_embd.weight")
    + struct.pack("<IQQIQ", 2, 64, 64, 0, 2 ** 40),
    "five-dimensions": gguf_header(tensors=1) + gguf_text(b"t") + struct.pack("<I", 5),
    "text": b"<!DOCTYPE html><html>not a model</html>",
}


class Models(lsp_case.Case):
    """A model that cannot be loaded: one sentence, no suggestions, and the daemon lives."""

    def assert_refused(self, path, word=None, env=None):
        client = self.start({"model": path} if path else {}, env=env)
        client.initialize()
        client.open(URI, "x = 1\n")
        self.assertEqual(client.complete(URI, {"line": 0, "character": 5}), [])
        message = client.wait_notification("window/showMessage", timeout=30)
        self.assert_sentence(message["message"])
        if word:
            self.assertIn(word, message["message"])
        status = client.wait_notification("inlined/status", lambda p: p.get("message"))
        self.assertNotEqual(status["state"], "ready")
        self.assert_alive(client)

    def test_missing(self):
        self.assert_refused("/nowhere/model.gguf", "/nowhere/model.gguf")

    def test_unknown_name(self):
        self.assert_refused("no-such-model", "no-such-model")

    def test_a_folder(self):
        self.assert_refused(self.folder)

    def test_default_model_not_fetched(self):
        env = {"XDG_DATA_HOME": os.path.join(self.folder, "data"), "HOME": self.folder}
        self.assert_refused(None, "inlined models pull", env)

    def test_lying_headers(self):
        for name, content in LYING.items():
            with self.subTest(name):
                self.assert_refused(self.path(f"{name}.gguf", content), name)

    def test_half_downloaded(self):
        real, why = lsp_case.find_model()
        if not real:
            self.skipTest(why)
        with open(real, "rb") as f:
            whole = f.read()
        for part in (100, 5000, 1 << 20, len(whole) // 2, len(whole) - 1):
            with self.subTest(part):
                self.assert_refused(self.path("half.gguf", whole[:part]), "half.gguf")

    def test_damaged(self):
        real, why = lsp_case.find_model()
        if not real:
            self.skipTest(why)
        with open(real, "rb") as f:
            whole = bytearray(f.read())
        at = whole.index(b"llama.block_count") + len(b"llama.block_count") + 4
        for blocks in (0, 31, 2 ** 31 - 1, 2 ** 32 - 1):
            with self.subTest(blocks):
                whole[at:at + 4] = struct.pack("<I", blocks)
                self.assert_refused(self.path("damaged.gguf", bytes(whole)), "damaged.gguf")


class Configuration(lsp_case.Case):
    """A wrong value is one sentence and the default; the daemon works on."""

    def with_settings(self, settings):
        client = Client([lsp_case.PROGRAM, "--no-daemon", "--config",
                         self.path("config.json", json.dumps(
                             {"model": self.folder + "/absent.gguf"}).encode())],
                        model=lsp_case.PROTOCOL, settings=settings)
        self.clients.append(client)
        client.initialize(CAPABILITIES)
        client.wait_for(lambda: any(m["method"] == "workspace/configuration"
                                    for m in client.server_requests), "workspace/configuration")
        return client

    def assert_complains(self, settings, word):
        client = self.with_settings(settings)
        message = client.wait_notification(
            "window/showMessage", lambda p: word in p["message"], timeout=30)
        self.assert_sentence(message["message"])
        client.open(URI, "x = 1\n")
        client.complete(URI, POSITION)
        self.assert_alive(client)

    def test_wrong_kinds(self):
        self.assert_complains({"enable": "yes"}, "enable")
        self.assert_complains({"completion": {"maxTokens": "many"}}, "maxTokens")
        self.assert_complains({"completion": {"maxTokens": 1.5}}, "maxTokens")
        self.assert_complains({"completion": 7}, "completion")

    def test_out_of_range(self):
        self.assert_complains({"completion": {"maxTokens": 0}}, "maxTokens")
        self.assert_complains({"completion": {"maxTokens": 1e300}}, "maxTokens")
        self.assert_complains({"completion": {"debounceMs": -1}}, "debounceMs")
        self.assert_complains({"completion": {"multiline": "sometimes"}}, "multiline")
        self.assert_complains({"completion": {"disabledLanguages": ["a", 5]}}, "disabledLanguages")

    def test_unknown_names(self):
        self.assert_complains({"completion": {"maxToken": 5}}, "maxToken")
        self.assert_complains({"enabled": True}, "enabled")

    def test_no_object(self):
        for settings in (None, [], "text", 5, {}):
            client = self.with_settings(settings)
            client.open(URI, "x = 1\n")
            client.complete(URI, POSITION)
            self.assert_alive(client)

    def test_client_that_refuses(self):
        client = self.start()
        del client.handlers["workspace/configuration"]
        client.initialize()
        client.open(URI, "x = 1\n")
        self.assertIsNone(error_code(client, "textDocument/inlineCompletion",
                                     client.completion_params(URI, POSITION)))
        self.assert_alive(client)


if __name__ == "__main__":
    lsp_case.main()
