#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Self-test of the message check: it knows the whole protocol, and it rejects wrong messages."""
import copy
import os
import sys
import unittest

import metamodel
from protocol_check import CLIENT, SERVER, Checker

MODEL = metamodel.load()
HERE = os.path.dirname(os.path.abspath(__file__))


def names_in(kind, found):
    if isinstance(kind, dict):
        if kind.get("kind") == "reference":
            found.add(kind["name"])
        for value in kind.values():
            names_in(value, found)
    elif isinstance(kind, list):
        for value in kind:
            names_in(value, found)
    return found


COMPLETION = {
    "jsonrpc": "2.0", "id": 1, "method": "textDocument/inlineCompletion",
    "params": {"textDocument": {"uri": "file:///a.py"}, "position": {"line": 0, "character": 3},
               "context": {"triggerKind": 2}}}
ITEM = {"insertText": "x", "range": {"start": {"line": 0, "character": 3},
                                     "end": {"line": 0, "character": 3}}}


class Model(unittest.TestCase):
    """The meta model itself is whole; its counts are those of LSP 3.18."""

    def test_counts_of_the_specification(self):
        self.assertEqual(len(MODEL["requests"]), 69)
        self.assertEqual(len(MODEL["notifications"]), 26)
        self.assertGreater(len(MODEL["structures"]) + len(MODEL["typeAliases"]), 380)

    def test_every_name_that_a_message_reaches_is_defined(self):
        known = {x["name"] for key in ("structures", "typeAliases", "enumerations")
                 for x in MODEL.get(key, [])} | {"LSPAny", "LSPObject", "LSPArray"}
        todo = names_in(MODEL["requests"] + MODEL["notifications"], set())
        types = {x["name"]: x for key in ("structures", "typeAliases") for x in MODEL[key]}
        seen = set()
        while todo:
            name = todo.pop()
            self.assertIn(name, known)
            seen.add(name)
            todo |= names_in({k: v for k, v in types.get(name, {}).items() if k != "name"},
                             set()) - seen

    def test_our_own_messages_extend_it(self):
        model = metamodel.extend(copy.deepcopy(MODEL), os.path.join(HERE, "inlined_schema.json"))
        methods = {n["method"] for n in model["notifications"]}
        self.assertIn("inlined/status", methods)


class Messages(unittest.TestCase):
    def setUp(self):
        self.checker = Checker(MODEL)

    def good(self, message, direction=CLIENT):
        self.assertEqual(self.checker.check(message, direction), [])

    def bad(self, message, direction=CLIENT, sentence=""):
        errors = self.checker.check(message, direction)
        self.assertNotEqual(errors, [], f"accepted: {message}")
        self.assertIn(sentence, " ".join(errors))

    def changed(self, path, value):
        """A copy of COMPLETION with one member replaced (or removed: Ellipsis)."""
        message = copy.deepcopy(COMPLETION)
        at = message
        for name in path[:-1]:
            at = at[name]
        if value is ...:
            del at[path[-1]]
        else:
            at[path[-1]] = value
        return message

    def test_a_completion_and_its_answers(self):
        for result in ({"items": [ITEM]}, {"items": []}, [ITEM], None):
            self.good({**COMPLETION, "id": 5})
            self.good({"jsonrpc": "2.0", "id": 5, "result": result}, SERVER)

    def test_wrong_requests(self):
        for path, value, sentence in (
                (["jsonrpc"], "1.0", "jsonrpc"),
                (["params", "position", "line"], -1, "uinteger"),
                (["params", "position", "line"], 1.5, "uinteger"),
                (["params", "position", "line"], True, "uinteger"),
                (["params", "position", "character"], ..., "character is missing"),
                (["params", "context"], ..., "context is missing"),
                (["params", "context", "triggerKind"], 3, ""),
                (["params", "context", "triggerKind"], "1", ""),
                (["params", "textDocument", "uri"], "a.py", "DocumentUri"),
                (["params", "textDocumet"], {}, "nobody knows"),
                (["params"], ..., "params are missing"),
                (["id"], 1.5, "no integer or string"),
                (["id"], None, "no integer or string"),
                (["method"], "textDocument/inlineCompletions", "no such message"),
                (["extra"], 1, "no member extra")):
            self.checker = Checker(MODEL)
            self.bad(self.changed(path, value), sentence=sentence)

    def test_direction(self):
        self.bad(COMPLETION, SERVER, "other way")
        self.bad({"jsonrpc": "2.0", "method": "window/showMessage",
                  "params": {"type": 1, "message": "a"}}, CLIENT, "other way")
        self.good({"jsonrpc": "2.0", "method": "window/showMessage",
                   "params": {"type": 1, "message": "a"}}, SERVER)

    def test_wrong_results(self):
        no_text = {"range": ITEM["range"]}
        bad_range = {**ITEM, "range": {"start": {"line": 0, "character": 3}}}
        for result in ({"items": [no_text]}, {"items": [bad_range]}, {"items": None}, "x",
                       {"items": [{**ITEM, "insertTxt": "y"}]}, {"item": []}, {"items": [], "x": 1},
                       {"items": [{**ITEM, "command": {"title": "a"}}]}):
            self.checker = Checker(MODEL)
            self.good(COMPLETION)
            self.bad({"jsonrpc": "2.0", "id": 1, "result": result}, SERVER)

    def test_answers_fit_their_requests(self):
        self.bad({"jsonrpc": "2.0", "id": 9, "result": None}, SERVER, "no open request")
        self.good(COMPLETION)
        self.bad(COMPLETION, CLIENT, "in use")
        self.good({"jsonrpc": "2.0", "id": 1, "result": None}, SERVER)
        self.bad({"jsonrpc": "2.0", "id": 1, "result": None}, SERVER, "no open request")
        self.good({**COMPLETION, "id": "a"})
        self.bad({"jsonrpc": "2.0", "id": "a"}, SERVER, "exactly one")
        self.bad({"jsonrpc": "2.0", "id": "a", "result": 1,
                  "error": {"code": 1, "message": "a"}}, SERVER, "exactly one")

    def test_errors_are_a_code_and_a_sentence(self):
        for error in ({"code": "x", "message": "a"}, {"code": 1}, {"code": 1, "message": ""},
                      {"code": 1, "message": "a", "extra": 1}, "no"):
            self.checker = Checker(MODEL)
            self.good(COMPLETION)
            self.bad({"jsonrpc": "2.0", "id": 1, "error": error}, SERVER)
        self.good(COMPLETION)
        self.good({"jsonrpc": "2.0", "id": 1, "error": {"code": -32800, "message": "a"}}, SERVER)

    def test_initialize(self):
        self.good({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "processId": None, "rootUri": None, "capabilities": {
                "general": {"positionEncodings": ["utf-8"]}}}})
        capabilities = {"positionEncoding": "utf-8", "inlineCompletionProvider": True,
                        "textDocumentSync": {"openClose": True, "change": 2,
                                             "save": {"includeText": False}}}
        self.good({"jsonrpc": "2.0", "id": 1, "result": {
            "capabilities": capabilities, "serverInfo": {"name": "a"}}}, SERVER)
        for name, value in (("positionEncoding", 8), ("inlineCompletionProvider", "yes"),
                            ("textDocumentSync", {"openClose": 1}), ("textDocumentSync", 3),
                            ("inlineCompletionProvidr", True)):
            self.checker = Checker(MODEL)
            self.checker.check({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}},
                               CLIENT)
            self.bad({"jsonrpc": "2.0", "id": 1,
                      "result": {"capabilities": {**capabilities, name: value}}}, SERVER)

    def test_notifications(self):
        change = {"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {
            "textDocument": {"uri": "file:///a", "version": 2},
            "contentChanges": [{"range": ITEM["range"], "text": "a"}, {"text": "all"}]}}
        self.good(change)
        self.bad({**change, "result": 1})
        change["params"]["contentChanges"].append({"range": {}, "text": "a"})
        self.bad(change)
        self.bad({"jsonrpc": "2.0", "method": "exit", "params": {"a": 1}}, CLIENT, "no params")

    def test_progress_begins_once_and_ends(self):
        def progress(kind, **more):
            return {"jsonrpc": "2.0", "method": "$/progress",
                    "params": {"token": "t", "value": {"kind": kind, **more}}}
        self.bad(progress("report"), SERVER, "not begun")
        self.checker = Checker(MODEL)
        self.good(progress("begin", title="a", percentage=0), SERVER)
        self.bad(progress("begin", title="a"), SERVER, "twice")
        self.bad(progress("report", percentage=1.5), SERVER, "uinteger")
        self.bad(progress("begin"), SERVER, "title is missing")
        self.good(progress("end"), SERVER)
        self.bad(progress("end"), SERVER, "has ended")

    def test_enumerations_of_a_real_meta_model(self):
        model = {"requests": [], "structures": [], "typeAliases": [], "enumerations": [
            {"name": "E", "type": {"kind": "base", "name": "string"}, "values": [{"value": "a"}]},
            {"name": "F", "type": {"kind": "base", "name": "string"}, "values": [{"value": "a"}],
             "supportsCustomValues": True}],
            "notifications": [{"method": m, "params": {"kind": "reference", "name": m}}
                              for m in ("E", "F")]}
        self.checker = Checker(model)
        self.good({"jsonrpc": "2.0", "method": "E", "params": "a"})
        self.bad({"jsonrpc": "2.0", "method": "E", "params": "b"})
        self.good({"jsonrpc": "2.0", "method": "F", "params": "b"})
        self.bad({"jsonrpc": "2.0", "method": "F", "params": 1})


if __name__ == "__main__":
    if MODEL is None:
        print("SKIP: the npm package vscode-languageserver-protocol is nowhere; "
              "bootstrap test fetches it (by hand: npm ci in tests/peers)")
        sys.exit(77)
    unittest.main()
