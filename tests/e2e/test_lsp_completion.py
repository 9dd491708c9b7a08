#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Completions of the real model through the protocol: languages, shapes, cancel, type-through."""
import time
import unittest

import lsp_case
import lsp_client

PYTHON = '''import os


def read_lines(path):
    """All lines of a file without their ends."""
    with open(path, encoding="utf-8") as stream:
        return [line.rstrip("\\n") for line in stream]


def write_lines(path, lines):
    """Writes lines to a file."""
    with open(path, "w", encoding="utf-8") as |
'''
C = '''#include <stdio.h>

int max(int a, int b) {
    return a > b ? a : b;
}

int min(int a, int b) {
    return |
}
'''
TYPESCRIPT = '''export interface Point {
  x: number;
  y: number;
}

export function add(a: Point, b: Point): Point {
  return { x: a.x + b.x, y: a.y + b.y };
}

export function subtract(a: Point, b: Point): Point {
  return |
}
'''
GO = '''package stack

type Stack struct {
\titems []int
}

func (s *Stack) Push(item int) {
\ts.items = append(s.items, item)
}

func (s *Stack) Len() int {
\treturn |
}
'''


class Completion(lsp_case.ModelCase):
    def check_items(self, items, position):
        for item in items:
            self.assertTrue(item["insertText"])
            self.assertNotIn("\r", item["insertText"])
            start, end = item["range"]["start"], item["range"]["end"]
            self.assertEqual((start["line"], end["line"]), (position["line"],) * 2)
            self.assertLessEqual(start["character"], position["character"])
            self.assertGreaterEqual(end["character"], position["character"])

    def suggestion(self, text, language, suffix):
        items, position = self.complete_at(text, language, suffix)
        self.check_items(items, position)
        self.assertEqual(len(items), 1, lsp_case.last_status(self.client))
        print(f"\n{language}: {items[0]['insertText']!r}")
        return items[0]["insertText"]

    def test_python(self):
        self.assertIn("stream", self.suggestion(PYTHON, "python", ".py"))

    def test_c(self):
        self.assertIn("? a : b", self.suggestion(C, "c", ".c"))

    def test_typescript(self):
        self.assertIn("a.x - b.x", self.suggestion(TYPESCRIPT, "typescript", ".ts"))

    def test_go(self):
        self.assertIn("len(s.items)", self.suggestion(GO, "go", ".go"))

    def test_an_unknown_language_is_plain_text(self):
        items, position = self.complete_at("one two three four five six seven |", "klingon", ".kl")
        self.check_items(items, position)

    def test_half_a_word_is_healed(self):
        text = C.replace("return |", "ret|")
        self.assertTrue(self.suggestion(text, "c", ".c").startswith("urn "))

    def test_crlf_document(self):
        unix, _ = self.complete_at(C, "c", ".c")
        items, position = self.complete_at(C.replace("\n", "\r\n"), "c", ".c")
        self.check_items(items, position)
        self.assertEqual([i["insertText"] for i in items], [i["insertText"] for i in unix])

    def test_selected_item_of_the_menu(self):
        at = C.index("|")
        text = C[:at] + "a" + C[at + 1:]
        uri = self.new_uri(".c")
        self.client.open(uri, text, "c")
        start = self.client.position(text, at)
        cursor = self.client.position(text, at + 1)
        params = self.client.completion_params(uri, cursor, 2)
        params["context"]["selectedCompletionInfo"] = {
            "range": {"start": start, "end": cursor}, "text": "a <"}
        items = self.client.call("textDocument/inlineCompletion", params)["items"]
        for item in items:
            self.assertTrue(item["insertText"].startswith("a <"), item)
            self.assertEqual(item["range"], {"start": start, "end": cursor})

    def test_same_question_same_answer(self):
        first, _ = self.complete_at(GO, "go", ".go")
        second, _ = self.complete_at(GO, "go", ".go")
        self.assertEqual(first[0]["insertText"], second[0]["insertText"])

    def test_accepting_is_a_command_that_the_server_knows(self):
        items, _ = self.complete_at(GO, "go", ".go")
        command = items[0].get("command")
        if command is None:
            self.skipTest("items carry no command")
        known = self.client.capabilities["executeCommandProvider"]["commands"]
        self.assertIn(command["command"], known)
        self.client.call("workspace/executeCommand", {
            "command": command["command"], "arguments": command.get("arguments", [])})


class FillInTheMiddle(Completion):
    """The same with the default model, which also reads what stands after the cursor."""
    model_name = "default"

    def test_what_follows_decides(self):
        """One prefix, two suffixes: the name is the one that the rest of the file needs."""
        for name, use in (("json", "json.loads(path)"), ("os", "os.listdir(path)")):
            text = f"import |\n\n\ndef load(path):\n    return {use}\n"
            self.assertEqual(self.suggestion(text, "python", ".py"), name)

    def test_a_block_is_not_asked_for(self):
        """It was trained on single lines; the setting "always" alone overrules that."""
        text = "class Shelf:\n    def total(self, items):\n        |\n\n\ndef other():\n    pass\n"
        items, position = self.complete_at(text, trigger=2)
        self.check_items(items, position)
        self.assertEqual(len(items), 1, lsp_case.last_status(self.client))
        self.assertNotIn("\n", items[0]["insertText"])


class TypeThrough(lsp_case.ModelCase):
    def test_typing_along_gives_the_rest_byte_by_byte(self):
        at = GO.index("|")
        text = GO[:at] + GO[at + 1:]
        uri = self.new_uri(".go")
        self.client.open(uri, text, "go")
        position = self.client.position(text, at)
        whole = self.client.complete(uri, position, 2)[0]["insertText"]
        slowest = 0.0
        for typed in range(1, min(len(whole), 10)):
            here = self.client.position(text, at)
            here["character"] += typed - 1
            self.client.change(uri, typed + 1, {"range": {"start": here, "end": here},
                                                "text": whole[typed - 1]})
            here = {**here, "character": here["character"] + 1}
            start = time.monotonic()
            items = self.client.complete(uri, here, 2)
            slowest = max(slowest, time.monotonic() - start)
            self.assertEqual(items[0]["insertText"], whole[typed:])
            self.assertEqual(items[0]["range"], {"start": here, "end": here})
        # Deleting back is answered from what was shown, too.
        for typed in range(min(len(whole), 10) - 2, -1, -1):
            start = {**position, "character": position["character"] + typed}
            end = {**start, "character": start["character"] + 1}
            self.client.change(uri, 100 - typed, {"range": {"start": start, "end": end},
                                                  "text": ""})
            items = self.client.complete(uri, start, 2)
            self.assertEqual(items[0]["insertText"], whole[typed:])
        print(f"\nslowest answer while typing along: {slowest * 1000:.1f} ms")
        self.assertLess(slowest, 0.5, "typing along must not ask the model")


class Ahead(lsp_case.ModelCase):
    """Candidates, the menu, and what is known before it is asked."""
    settings = {"completion": {"timeBudgetMs": 0, "deadlineMs": 0, "maxTokens": 24, "menu": True}}
    capabilities = {**lsp_client.CAPABILITIES, "textDocument": {
        **lsp_client.CAPABILITIES["textDocument"],
        "completion": {"dynamicRegistration": False}}}

    def test_several_when_asked_by_hand(self):
        items, _ = self.complete_at(GO, "go", ".go", trigger=1)
        texts = [item["insertText"] for item in items]
        print(f"\ncandidates: {texts}")
        self.assertGreaterEqual(len(texts), 1)
        self.assertEqual(len(set(texts)), len(texts))
        alone, _ = self.complete_at(GO, "go", ".go", trigger=2)
        self.assertEqual([item["insertText"] for item in alone], texts[:1])

    def test_menu(self):
        self.assertIn("completionProvider", self.client.capabilities)
        text = C.replace("return |", "return a ")
        at = C.index("|") + 2
        uri = self.new_uri(".c")
        self.client.open(uri, text, "c")
        position = self.client.position(text, at)
        result = self.client.call("textDocument/completion", {
            "textDocument": {"uri": uri}, "position": position, "context": {"triggerKind": 1}})
        self.assertTrue(result["isIncomplete"])
        self.assertEqual(len(result["items"]), 1, lsp_case.last_status(self.client))
        edit = result["items"][0]["textEdit"]
        self.assertEqual(edit["range"]["end"], position)
        ghost = self.client.complete(uri, position, 2)[0]
        self.assertTrue(edit["newText"].endswith(ghost["insertText"]))

    def test_accepted_text_is_continued_from_the_cache(self):
        at = GO.index("|")
        text = GO[:at] + GO[at + 1:]
        uri = self.new_uri(".go")
        self.client.open(uri, text, "go")
        position = self.client.position(text, at)
        shown = self.client.complete(uri, position, 2)[0]["insertText"]
        self.client.change(uri, 2, {"range": {"start": position, "end": position}, "text": shown})
        text = text[:at] + shown + text[at:]
        after = self.client.position(text, at + len(shown))
        # Whether the look ahead was taken over or came first, a fresh daemon says the same.
        first = self.client.complete(uri, after, 2)
        again = self.client.complete(uri, after, 2)
        self.assertEqual([i["insertText"] for i in first], [i["insertText"] for i in again])
        other = self.new_uri(".go")
        self.client.open(other, text, "go")
        fresh = self.client.complete(other, after, 2)
        self.assertEqual([i["insertText"] for i in first], [i["insertText"] for i in fresh])


class Copilot(lsp_case.ModelCase):
    """A client that speaks Copilot's extensions, on a cell of a notebook."""
    capabilities = {**lsp_client.CAPABILITIES, "notebookDocument": {"synchronization": {}}}

    options = {"editorPluginInfo": {"name": "test", "version": "1"}}

    def test_a_cell_shown_and_accepted_in_two_pieces(self):
        client, cell = self.client, "vscode-notebook-cell:/w/a.ipynb#W0"
        self.assertIn("notebookDocumentSync", client.capabilities)
        client.wait_notification("didChangeStatus", lambda p: p["kind"] == "Normal", 10)
        at = PYTHON.index("|")
        text = PYTHON[:at] + PYTHON[at + 1:]
        notebook = {"uri": "file:///w/a.ipynb", "notebookType": "jupyter-notebook", "version": 1,
                    "cells": [{"kind": 2, "document": cell}]}
        client.notify("notebookDocument/didOpen", {
            "notebookDocument": notebook, "cellTextDocuments": [
                {"uri": cell, "languageId": "python", "version": 1, "text": text}]})
        position = client.position(text, at)
        item = client.complete(cell, position, 2)[0]
        client.notify("textDocument/didShowCompletion", {"item": item})
        before = client.call("inlined/status")["counts"]
        rest = item["insertText"]
        cut = max(rest.find(" "), rest.find("("), 1)
        for version, piece in enumerate((rest[:cut], rest[cut:]), 2):
            here = client.position(text, at)
            client.notify("notebookDocument/didChange", {
                "notebookDocument": {"uri": notebook["uri"], "version": version},
                "change": {"cells": {"textContent": [{
                    "document": {"uri": cell, "version": version},
                    "changes": [{"range": {"start": here, "end": here}, "text": piece}]}]}}})
            text, at = text[:at] + piece + text[at:], at + len(piece)
        client.notify("textDocument/didPartiallyAcceptCompletion",
                      {"item": item, "acceptedLength": cut})
        client.call("workspace/executeCommand", {
            "command": item["command"]["command"], "arguments": item["command"]["arguments"]})
        after = client.call("inlined/status")["counts"]
        self.assertEqual([after[k] - before[k] for k in ("shown", "accepted", "acceptedPartly")],
                         [0, 1, 1])
        client.notify("notebookDocument/didClose", {
            "notebookDocument": {"uri": notebook["uri"]}, "cellTextDocuments": [{"uri": cell}]})
        self.assertEqual(client.complete(cell, position, 2), [])


class Ordering(lsp_case.ModelCase):
    """Cancelled and overtaken requests; a long prompt makes sure that the model is busy."""
    settings = {"completion": {"timeBudgetMs": 0, "deadlineMs": 0, "maxTokens": 200,
                               "multiline": "always", "candidates": 1}}

    def long_document(self):
        body = "".join(f"def function_{i}(a, b):\n    return a * {i} + b\n\n\n"
                       for i in range(self.uri_count * 1000, self.uri_count * 1000 + 150))
        return body + "def last(values):\n    total = 0\n    for value in values:\n        "

    def start_long(self):
        text = self.long_document()
        uri = self.new_uri()
        self.client.open(uri, text)
        position = self.client.position(text, len(text))
        key = self.client.request("textDocument/inlineCompletion",
                                  self.client.completion_params(uri, position, 2))
        return uri, position, key

    def test_cancel(self):
        _, _, key = self.start_long()
        time.sleep(0.2)
        self.assertFalse(self.client.has_answer(key), "the prompt is not long enough to cancel")
        start = time.monotonic()
        self.client.notify("$/cancelRequest", {"id": key})
        answer = self.client.wait(key)
        took = time.monotonic() - start
        print(f"\ncancelled after {took * 1000:.0f} ms")
        self.assertEqual(answer["error"]["code"], -32800)
        self.assertLess(took, 2)
        # And the engine is free again: far sooner than the long prompt would have taken.
        start = time.monotonic()
        self.complete_at("total = 0\nfor value in [1, 2]:\n    total |")
        print(f"the next completion took {(time.monotonic() - start) * 1000:.0f} ms")
        self.assertLess(time.monotonic() - start, 20)

    def test_superseded(self):
        uri, position, first = self.start_long()
        second = self.client.request("textDocument/inlineCompletion",
                                     self.client.completion_params(uri, position, 2))
        overtaken = self.client.wait(first, 5)
        self.assertEqual(overtaken["error"]["code"], -32800)
        self.client.notify("$/cancelRequest", {"id": second})
        self.client.wait(second)

    def test_overtaken_by_typing(self):
        uri, position, first = self.start_long()
        self.client.change(uri, 2, {"range": {"start": position, "end": position}, "text": "t"})
        here = {**position, "character": position["character"] + 1}
        second = self.client.request("textDocument/inlineCompletion",
                                     self.client.completion_params(uri, here, 2))
        self.assertEqual(self.client.wait(first, 5)["error"]["code"], -32800)
        self.assertIn("result", self.client.wait(second))

    def test_closed_while_it_runs(self):
        uri, _, key = self.start_long()
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        answer = self.client.wait(key, 30)
        self.assertTrue(answer.get("result") == {"items": []} or "error" in answer)

    def test_a_burst_with_the_real_model(self):
        text = self.long_document()
        uri = self.new_uri()
        self.client.open(uri, text)
        position = self.client.position(text, len(text))
        keys = [self.client.request("textDocument/inlineCompletion",
                                    self.client.completion_params(uri, position, 2))
                for _ in range(200)]
        for key in keys[:-1]:
            answer = self.client.wait(key)
            self.assertTrue("result" in answer or answer["error"]["code"] == -32800)
        self.assertIn("result", self.client.wait(keys[-1]))
        self.assertEqual({self.client.answer_counts[k] for k in keys}, {1})


class Status(lsp_case.ModelCase):
    """Whenever nothing is suggested there is a reason."""

    def assert_reason(self, text, language="python", trigger=2):
        with self.client.changed:
            before = len(self.client.notifications)
        items, _ = self.complete_at(text, language, trigger=trigger)
        self.assertEqual(items, [])
        params = self.client.wait_notification(
            "inlined/status", lambda p: p.get("reason"), 10, since=before)
        self.assertRegex(params["reason"], r"^[a-z][a-z-]*$")
        print(f"\nreason: {params['reason']}")
        return params

    def test_inside_a_word(self):
        self.assert_reason("value = 1\nval|ue = 2\n")

    def test_disabled_language(self):
        client = lsp_client.Client([lsp_case.PROGRAM, "--no-daemon", "--config", self.config],
                                   model=lsp_case.PROTOCOL,
                                   settings={"completion": {"disabledLanguages": ["python"]}})
        try:
            client.initialize()
            lsp_case.wait_ready(client)
            client.open("file:///a.py", "x = 1\ny = ")
            self.assertEqual(client.complete("file:///a.py", {"line": 1, "character": 4}), [])
            client.wait_notification("inlined/status", lambda p: p.get("reason"), 10)
            self.assertEqual(client.close(), 0)
            self.assertEqual(client.violations, [])
        finally:
            client.kill()

    def test_ready_names_model_and_backend(self):
        ready = self.client.wait_notification("inlined/status", lambda p: p["state"] == "ready")
        self.assertTrue(ready["model"])
        self.assertTrue(ready["backend"])


class Loading(lsp_case.Case):
    def test_progress_while_the_model_loads(self):
        path, why = lsp_case.find_model()
        if not path:
            self.skipTest(why)
        client = self.start({"model": path, **lsp_case.QUICK})
        client.settings = {"model": path, **lsp_case.QUICK}
        client.initialize()
        client.open("file:///a.py", "x = 1\ny = ")
        early = client.request("textDocument/inlineCompletion", client.completion_params(
            "file:///a.py", {"line": 1, "character": 4}))
        lsp_case.wait_ready(client)
        client.wait_for(lambda: [m for m in client.notifications if m["method"] == "$/progress"
                                 and m["params"]["value"]["kind"] == "end"], "end of progress")
        created = [m["params"]["token"] for m in client.server_requests
                   if m["method"] == "window/workDoneProgress/create"]
        self.assertEqual(len(created), 1)
        kinds = [m["params"]["value"]["kind"] for m in client.notifications
                 if m["method"] == "$/progress" and m["params"]["token"] == created[0]]
        self.assertEqual((kinds[0], kinds[-1]), ("begin", "end"))
        # What was asked meanwhile is answered with nothing, or waited for: never with an error.
        self.assertIn("result", client.wait(early))
        self.assertEqual(client.close(), 0)

    def test_shutdown_while_the_model_loads(self):
        path, why = lsp_case.find_model()
        if not path:
            self.skipTest(why)
        client = self.start({"model": path})
        client.initialize()
        self.assertEqual(client.close(), 0)


if __name__ == "__main__":
    lsp_case.main()
