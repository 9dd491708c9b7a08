#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Extractions by the syntax tree that a real model names: the name is the model's, all
else is the tree's, and without an answer in time the rule's name stands."""
import os
import time

import lsp_case
import lsp_client

TEXT = ("def bill(items, rate):\n"
        "    total = 0\n"
        "    for item in items:\n"
        "        total += item.price * item.count\n"
        "    return total * (1 + rate / 100)\n")
BY_MODEL = " (syntax tree, named by the model)"
TAKES = {"workspace": {"applyEdit": True, "workspaceEdit": {
             "documentChanges": True, "changeAnnotationSupport": {}}},
         "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}},
                        "dataSupport": True, "resolveSupport": {"properties": ["edit"]}}}


def changed(text, edits):
    """`text` with the edits made; it is ASCII."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def at(place):
        return starts[place["line"]] + place["character"]
    for e in sorted(edits, key=lambda e: at(e["range"]["start"]), reverse=True):
        text = text[:at(e["range"]["start"])] + e["newText"] + text[at(e["range"]["end"]):]
    return text


class Names(lsp_case.Case):
    def setUp(self):
        super().setUp()
        model, why = lsp_case.find_model()  # ours only completes, its base also chats
        if not model:
            self.skipTest(why)
        self.client = self.start({"model": model})
        self.client.settings = {"model": model}
        self.client.initialize({**lsp_client.CAPABILITIES, "workspace": {
            **lsp_client.CAPABILITIES.get("workspace", {}), **TAKES["workspace"]},
            "textDocument": {**lsp_client.CAPABILITIES["textDocument"],
                             "codeAction": TAKES["codeAction"]}})
        self.uri = "file://" + os.path.join(self.folder, "bill.py")
        self.client.open(self.uri, TEXT)
        self.client.complete(self.uri, {"line": 4, "character": 4}, timeout=240)  # loads the model

    def offered(self, title, start, end):
        """The action, as soon as the menu has it: it needs a model that is loaded."""
        place = {"start": dict(zip(("line", "character"), start)),
                 "end": dict(zip(("line", "character"), end))}
        until = time.monotonic() + 120
        while True:
            menu = self.client.call("textDocument/codeAction", {
                "textDocument": {"uri": self.uri}, "range": place,
                "context": {"diagnostics": [], "only": ["refactor.extract"]}})
            for action in menu:
                if action["title"] == title:
                    return action
            self.assertLess(time.monotonic(), until, [a["title"] for a in menu])
            time.sleep(0.1)

    def named(self, action):
        """The action's edit with a name of the model's, and that name.  On a machine that is busy
        the rule's name may have come first: then it is asked again."""
        for _ in range(20):
            edit = self.client.call("codeAction/resolve", action, timeout=120)["edit"]
            note = edit["changeAnnotations"]["inlined"]
            self.assertFalse(note["needsConfirmation"])
            name = note["label"].rsplit(" ", 1)[1]
            self.assertTrue(name.isidentifier(), name)
            if "named by" in note["description"]:
                return edit["documentChanges"][0]["edits"], name
            self.assertEqual(note["description"], "by the syntax tree")
        return self.fail("the model never named it")

    def test_a_variable(self):
        action = self.offered("Extract variable" + BY_MODEL, (4, 20), (4, 34))
        edits, name = self.named(action)
        self.assertEqual(changed(TEXT, edits), TEXT.replace(
            "    return total * (1 + rate / 100)\n",
            f"    {name} = 1 + rate / 100\n    return total * ({name})\n"))
        self.assertEqual(self.client.close(), 0)

    def test_a_function(self):
        action = self.offered("Extract function" + BY_MODEL, (1, 4), (3, 40))
        edits, name = self.named(action)
        self.assertEqual(changed(TEXT, edits), (
            f"def {name}(items):\n    total = 0\n    for item in items:\n"
            "        total += item.price * item.count\n    return total\n\n\n"
            f"def bill(items, rate):\n    total = {name}(items)\n"
            "    return total * (1 + rate / 100)\n"))
        self.assertEqual(self.client.close(), 0)


if __name__ == "__main__":
    lsp_case.main()
