#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Text sync and positions: what the daemon has is what the editor has, in every encoding.

The daemon never shows its copy of a text, so the tests compare suggestions: a document that came to
its text through random incremental edits must get the same suggestion at the same place as a
document that was opened with that text.
"""
import os
import random
import unittest

import lsp_case
import lsp_client

ALPHABET = ["a", "x1", " ", "\n", "\r\n", "(", ")", "é", "日本", "😀", "\t", "def f():\n", "\\", "\""]
CODE = '''# 😀 smile, 日本語, é
NAMES = {"😀": "smile", "日本": "japan"}


def add(first, second):
    """Adds 😀 two numbers 日本."""
    return first + second


def label(name):
    text = "😀 日本 é" + na|
    return text
'''


class Encodings(lsp_case.Case):
    def test_negotiation(self):
        for offered, chosen in ((None, ("utf-16",)), ([], ("utf-16",)), (["utf-8"], ("utf-8",)),
                                (["utf-16"], ("utf-16",)), (["utf-16", "utf-8"], None),
                                (["utf-32"], ("utf-32", "utf-16")), (["utf-7"], ("utf-16",))):
            client = self.start()
            general = {} if offered is None else {"general": {"positionEncodings": offered}}
            client.initialize({**general})
            wanted = chosen or offered
            self.assertIn(client.encoding, wanted, offered)
            self.assertEqual(client.close(), 0)

    def test_the_same_suggestion_in_every_encoding(self):
        path, why = lsp_case.find_model()
        if not path:
            self.skipTest(why)
        at = CODE.index("|")
        text = CODE[:at] + CODE[at + 1:]
        seen = {}
        for encoding in ("utf-8", "utf-16", "utf-32"):
            client = self.start({"model": path, **lsp_case.QUICK})
            client.settings = {"model": path, **lsp_case.QUICK}
            client.initialize({"general": {"positionEncodings": [encoding]},
                               "workspace": {"configuration": True}})
            lsp_case.wait_ready(client)
            client.open("file:///a.py", text)
            position = client.position(text, at)
            items = client.complete("file:///a.py", position)
            self.assertEqual(len(items), 1)
            self.assertEqual(items[0]["range"]["start"]["line"], position["line"])
            self.assertLessEqual(items[0]["range"]["start"]["character"], position["character"])
            self.assertGreaterEqual(items[0]["range"]["end"]["character"], position["character"])
            seen[client.encoding] = items[0]["insertText"]
            self.assertEqual(client.close(), 0)
        print(f"\n{seen}")
        self.assertGreaterEqual(len(seen), 2)
        self.assertEqual(len(set(seen.values())), 1, seen)


def random_edit(text, rng):
    """(start offset, end offset, replacement), never inside a CRLF."""
    def offset():
        while True:
            at = rng.randint(0, len(text))
            if text[at - 1:at + 1] != "\r\n":
                return at
    start = offset()
    end = start
    if rng.random() < 0.4:
        end = max(start, min(len(text), start + rng.randint(0, 12)))
        while text[end - 1:end + 1] == "\r\n":
            end += 1
    new = "".join(rng.choice(ALPHABET) for _ in range(rng.randint(0, 3)))
    # A replacement must not glue a CR to an LF: editors never send that.
    if text[start - 1:start] == "\r" or (new + text[end:end + 1])[-2:] == "\r\n":
        new = new.replace("\r", "")
    return start, end, new


class Incremental(lsp_case.ModelCase):
    # The syntax gate has a brake of time: on a busy machine it judges one of two same texts.
    settings = {"completion": {**lsp_case.QUICK["completion"], "filtersOff": ["syntax"]}}
    encodings = ("utf-16",)
    capabilities = {**lsp_client.CAPABILITIES, "general": {"positionEncodings": ["utf-16"]}}

    def ranged(self, text, start, end):
        return {"start": self.client.position(text, start), "end": self.client.position(text, end)}

    def tail_suggestion(self, uri, text):
        """The suggestion at the end of the document."""
        items = self.client.complete(uri, self.client.position(text, len(text)))
        return [i["insertText"] for i in items]

    def test_random_edits_against_a_naive_model(self):
        seed = int(os.environ.get("INLINED_SEED", "0")) or random.randrange(1, 1 << 30)
        print(f"\nseed {seed} (INLINED_SEED={seed} repeats it)")
        rng = random.Random(seed)
        answers = 0
        for _ in range(6):
            text = CODE.replace("|", "me")
            uri = self.new_uri()
            self.client.open(uri, text)
            version = 1
            for _ in range(25):
                changes = []
                for _ in range(rng.randint(1, 4)):
                    start, end, new = random_edit(text, rng)
                    changes.append({"range": self.ranged(text, start, end), "text": new})
                    text = text[:start] + new + text[end:]
                version += 1
                self.client.change(uri, version, *changes)
            # The same known tail on both: the model sees what was edited before it.
            tail = "\n\n\ndef multiply(first, second):\n    return "
            end = self.client.position(text, len(text))
            self.client.change(uri, version + 1, {"range": {"start": end, "end": end},
                                                  "text": tail})
            text += tail
            other = self.new_uri()
            self.client.open(other, text)
            edited, fresh = self.tail_suggestion(uri, text), self.tail_suggestion(other, text)
            self.assertEqual(edited, fresh, repr(text))
            answers += len(edited)
        self.assertGreater(answers, 0, "the comparison never had a suggestion to compare")

    def test_the_whole_text_replaced(self):
        uri = self.new_uri(".c")
        self.client.open(uri, "int wrong;\n", "c")
        text = "int min(int a, int b) {\n    return a < b ? a : b;\n}\n\n" \
               "int max(int a, int b) {\n    return "
        self.client.change(uri, 2, {"text": text})
        other = self.new_uri(".c")
        self.client.open(other, text, "c")
        self.assertEqual(self.tail_suggestion(uri, text), self.tail_suggestion(other, text))

    def test_reopened_documents_forget_the_old_text(self):
        uri = self.new_uri()
        self.client.open(uri, "old = 1\n" * 30)
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        text = CODE[:CODE.index("|")] + "me\n    return "
        self.client.open(uri, text)
        other = self.new_uri()
        self.client.open(other, text)
        self.assertEqual(self.tail_suggestion(uri, text), self.tail_suggestion(other, text))


if __name__ == "__main__":
    lsp_case.main()
