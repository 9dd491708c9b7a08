#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a prompt is made of, as inlined/context/explain tells it: the branch's changes, what other
tools say, folders that come and go, and what must stay out.  No model is needed for any of it."""
import os
import shutil
import subprocess
import time

import lsp_case
import lsp_client

SETTINGS = {"context": {"crossFile": "on", "index": False}}
MAIN = "def total(prices):\n    return sum(prices)\n\n\ntax = total(\n"


class Context(lsp_case.Case):
    def setUp(self):
        super().setUp()
        self.root = os.path.join(self.folder, "project")
        os.mkdir(self.root)

    def serve(self, settings=None, folders=None):
        settings = {"model": os.path.join(self.folder, "absent.gguf"), **(settings or SETTINGS)}
        client = self.start(settings)
        client.settings = settings
        folders = [self.root] if folders is None else folders
        client.initialize(workspaceFolders=[
            {"uri": f"file://{f}", "name": os.path.basename(f)} for f in folders])
        return client

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return f"file://{path}"

    def explain(self, client, uri, line=4, character=12):
        return client.call("inlined/context/explain", {
            "textDocument": {"uri": uri}, "position": {"line": line, "character": character}})

    def chunks(self, client, uri, why, **at):
        return [c for c in self.explain(client, uri, **at)["chunks"] if c["why"] == why]

    def wait_for(self, look, good, what):
        """Until `good` of what `look` gives: git is asked every two seconds."""
        end = time.monotonic() + 60
        while not good(found := look()):
            self.assertLess(time.monotonic(), end, f"{what}: {found}")
            time.sleep(0.2)
        return found

    # -- what the menu of actions takes from the index

    def test_imports_and_includes_of_the_index(self):
        """A name that the index knows: the menu has the line that brings it, once."""
        self.write("lib/stock.h", "#pragma once\nint stock_count(int shelf) { return shelf; }\n")
        self.write("shop/stock.py", "def stock_count(shelf):\n    return shelf\n")
        client = self.start({"context": {"index": True}},
                            env={**os.environ, "XDG_CACHE_HOME": os.path.join(self.folder, "cache"),
                                 "HOME": self.folder})
        client.settings = {"context": {"index": True},
                           "model": os.path.join(self.folder, "absent.gguf")}
        literals = {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}
        client.initialize({**lsp_client.CAPABILITIES, "textDocument": {
            **lsp_client.CAPABILITIES["textDocument"], "codeAction": literals}},
            workspaceFolders=[{"uri": f"file://{self.root}", "name": "project"}])

        def menu(uri, line, character):
            place = {"line": line, "character": character}
            found = client.call("textDocument/codeAction", {
                "textDocument": {"uri": uri}, "range": {"start": place, "end": place},
                "context": {"diagnostics": [], "only": ["quickfix"]}})
            return [(a["title"], a["edit"]["changes"][uri][0]["newText"]) for a in found]

        uri = self.write("main.c", "")
        client.open(uri, "#include <stdio.h>\n\nint f(void) { return stock_count(3); }\n", "c")
        found = self.wait_for(lambda: menu(uri, 2, 24), bool, "the index")
        self.assertEqual(found, [("Include lib/stock.h for stock_count (syntax tree)",
                                  '#include "lib/stock.h"\n')])
        client.change(uri, 2, {"range": {"start": {"line": 1, "character": 0},
                                         "end": {"line": 1, "character": 0}},
                               "text": '#include "lib/stock.h"\n'})
        self.assertEqual(menu(uri, 3, 24), [])
        uri = self.write("main.py", "")
        client.open(uri, "print(stock_count(3))\n")
        found = self.wait_for(lambda: menu(uri, 0, 8), bool, "the index")
        self.assertEqual(found, [("Import stock_count from shop.stock (syntax tree)",
                                  "from shop.stock import stock_count\n")])
        self.assertEqual(client.close(), 0)

    def test_imports_of_modules(self):
        """For the name at the cursor, and for names that other servers call unknown."""
        self.write("web/prices.ts", "export function priceOf(id: number): number {\n"
                                    "  return id;\n}\nfunction hiddenPrice() {\n  return 1;\n}\n"
                                    "class Basket {\n}\nexport default Basket;\n")
        self.write("web/tools.js", "const sumOf = (a, b) => a + b;\n"
                                   "function meanOf(a) {\n  return a;\n}\n"
                                   "export {\n  sumOf as sum,\n  meanOf,\n};\n")
        self.write("go.mod", "// a module\nmodule example.org/shop\n\ngo 1.22\n")
        self.write("internal/stock/stock.go", "// Package stock counts.\npackage stock\n\n"
                                              "func Count(shelf int) int {\n\treturn shelf\n}\n")
        self.write("lib/shelf.h", "#pragma once\nint shelf_count(int shelf) { return shelf; }\n")
        self.write("shop/stock.py", "def stock_count(shelf):\n    return shelf\n")
        client = self.start({"context": {"index": True}},
                            env={**os.environ, "XDG_CACHE_HOME": os.path.join(self.folder, "cache"),
                                 "HOME": self.folder})
        client.settings = {"context": {"index": True},
                           "model": os.path.join(self.folder, "absent.gguf")}
        literals = {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}
        client.initialize({**lsp_client.CAPABILITIES, "textDocument": {
            **lsp_client.CAPABILITIES["textDocument"], "codeAction": literals}},
            workspaceFolders=[{"uri": f"file://{self.root}", "name": "project"}])

        def menu(uri, line, character, message=None):
            place = {"line": line, "character": character}
            around = {"start": place, "end": place}
            problems = [{"range": around, "message": message}] if message else []
            found = client.call("textDocument/codeAction", {
                "textDocument": {"uri": uri}, "range": around,
                "context": {"diagnostics": problems, "only": ["quickfix"]}})
            return [(a["title"], a["edit"]["changes"][uri][0]["newText"],
                     len(a.get("diagnostics", []))) for a in found if "edit" in a]

        uri = self.write("web/pages/cart.ts", "")
        client.open(uri, "const a = priceOf(3);\nconst b = hiddenPrice();\n"
                         "const c = new Basket();\n", "typescript")
        found = self.wait_for(lambda: menu(uri, 0, 12), bool, "the index")
        price = ("Import priceOf from ../prices (syntax tree)",
                 'import { priceOf } from "../prices";\n')
        self.assertEqual(found, [(*price, 0)])
        self.assertEqual(menu(uri, 0, 10, "Cannot find name 'priceOf'."), [(*price, 1)])
        self.assertEqual(menu(uri, 1, 12), [])
        self.assertEqual(menu(uri, 2, 16), [
            ("Import Basket from ../prices (syntax tree)", 'import Basket from "../prices";\n', 0)])
        uri = self.write("web/main.js", "")
        client.open(uri, "meanOf(1);\nsumOf(1, 2);\npriceOf(1);\n", "javascript")
        found = self.wait_for(lambda: menu(uri, 0, 0, "'meanOf' is not defined."), bool,
                              "the index")  # which has read another file first, perhaps
        self.assertEqual(found, [
            ("Import meanOf from ./tools.js (syntax tree)",
             'import { meanOf } from "./tools.js";\n', 1)])
        self.assertEqual(menu(uri, 1, 2), [])  # exported under another name
        self.assertEqual(menu(uri, 2, 2), [])  # TypeScript
        uri = self.write("cmd/main.go", "")
        client.open(uri, "package main\n\nfunc main() {\n\tprintln(stock.Count(1))\n}\n", "go")
        stock = ("Import example.org/shop/internal/stock for stock.Count (syntax tree)",
                 '\nimport "example.org/shop/internal/stock"\n')
        found = self.wait_for(lambda: menu(uri, 3, 11), bool, "the index")
        self.assertEqual(found, [(*stock, 0)])
        self.assertEqual(menu(uri, 3, 17), [(*stock, 0)])
        self.assertEqual(menu(uri, 3, 9, "undefined: stock"), [(*stock, 1)])
        client.change(uri, 2, {"range": {"start": {"line": 3, "character": 9},
                                         "end": {"line": 3, "character": 14}}, "text": "stack"})
        self.assertEqual(menu(uri, 3, 11), [])  # no package of that name has a Count
        uri = self.write("main.c", "")
        client.open(uri, "int f(void) { return shelf_count(3); }\n", "c")
        for said in ("use of undeclared identifier 'shelf_count'",
                     "call to undeclared function 'shelf_count'; ISO",
                     "implicit declaration of function \u2018shelf_count\u2019"):
            found = self.wait_for(lambda: menu(uri, 0, 0, said), bool, "the index")
            self.assertEqual(found, [("Include lib/shelf.h for shelf_count (syntax tree)",
                                      '#include "lib/shelf.h"\n', 1)])
        uri = self.write("main.py", "")
        client.open(uri, "print(stock_count(3))\n")
        for said in ('"stock_count" is not defined', "Undefined name `stock_count`",
                     "undefined name 'stock_count'", 'Name "stock_count" is not defined',
                     "Undefined variable 'stock_count'"):
            found = self.wait_for(lambda: menu(uri, 0, 0, said), bool, "the index")
            self.assertEqual(found, [("Import stock_count from shop.stock (syntax tree)",
                                      "from shop.stock import stock_count\n", 1)])
        self.assertEqual(client.close(), 0)

    # -- explain itself

    def test_explain_says_what_went_in_and_what_it_cost(self):
        client = self.serve()
        uri = self.write("src/main.py", MAIN)
        text = "def prices_of(order):\n    total = 0\n" \
               "    for price in order.prices:\n        total += price\n"
        client.open(self.write("src/prices.py", text), text)
        client.open(uri, "# the key: AKIAIOSFODNN7EXAMPLQ\n" + MAIN)
        answer = self.explain(client, uri, line=5)
        self.assertEqual(answer["reason"], "")
        self.assertEqual(answer["path"], "src/main.py")
        self.assertEqual(answer["scope"], "code")
        self.assertEqual(answer["secrets_masked"], 1)
        self.assertNotIn("AKIA", answer["prefix"])
        self.assertTrue(answer["prefix"].endswith("tax = total("))
        self.assertEqual(answer["prefix_bytes"], len(answer["prefix"]))
        self.assertGreaterEqual(answer["ms"], 0)
        self.assertEqual([s["name"] for s in answer["sections"]],
                         ["diff", "recent", "open", "definitions", "diagnostics", "edits"])
        (piece,) = [c for c in answer["chunks"] if c["why"] == "open"]
        self.assertEqual(piece["path"], "src/prices.py")
        self.assertGreater(piece["score"], 0)
        self.assertEqual(piece["bytes"], len(piece["text"]))
        used = next(s for s in answer["sections"] if s["name"] == "open")
        self.assertEqual((used["used"], used["found"]), (1, 1))
        # It stays as it was chosen, and refuses with the reason of a completion.
        self.assertFalse(self.explain(client, uri, line=5)["chosen_anew"])
        env = self.write(".env", "TOKEN=1\n")
        client.open(env, "TOKEN=1\n", "plaintext")
        hidden = self.explain(client, env, line=0, character=3)
        self.assertEqual((hidden["reason"], hidden["prefix"]), ("denied-file", ""))
        for params in ({}, {"textDocument": {"uri": "file:///no"},
                            "position": {"line": 0, "character": 0}}):
            with self.assertRaises(lsp_client.LspError) as caught:
                client.call("inlined/context/explain", params, check=False)
            self.assertEqual(caught.exception.code, -32602)
        self.assert_alive(client)

    def test_paths_follow_the_folders(self):
        client = self.serve(folders=[self.folder])
        uri = self.write("src/main.py", MAIN)
        client.open(uri, MAIN)
        self.assertEqual(self.explain(client, uri)["path"], "project/src/main.py")
        folder = {"uri": f"file://{self.root}", "name": "project"}
        client.notify("workspace/didChangeWorkspaceFolders",
                      {"event": {"added": [folder], "removed": []}})
        self.assertEqual(self.explain(client, uri)["path"], "src/main.py")
        client.notify("workspace/didChangeWorkspaceFolders",
                      {"event": {"added": [], "removed": [folder]}})
        self.assertEqual(self.explain(client, uri)["path"], "project/src/main.py")
        self.assert_alive(client)

    # -- what other tools say

    def test_diagnostics_near_the_cursor(self):
        client = self.serve()
        uri = self.write("main.py", MAIN)
        client.open(uri, MAIN)

        def at(line):
            return {"start": {"line": line, "character": 0}, "end": {"line": line, "character": 3}}
        client.notify("inlined/diagnostics", {"uri": uri, "diagnostics": [
            {"range": at(4), "severity": 1, "message": "'(' was never\nclosed", "source": "x"},
            {"range": at(1), "severity": 3, "message": "only information"},
            {"range": at(1), "severity": 2, "message": "ours", "source": "inlined"}]})
        found = self.chunks(client, uri, "diagnostics")
        self.assertEqual([c["text"] for c in found],
                         ["tax = total(\n^ error: '(' was never closed\n"])
        # A new list replaces the old one.
        client.change(uri, 2, {"range": at(4), "text": "TAX"})
        client.notify("inlined/diagnostics", {"uri": uri, "diagnostics": [
            {"range": at(4), "message": "TAX is not defined"}]})
        self.assertEqual([c["text"] for c in self.chunks(client, uri, "diagnostics")],
                         ["TAX = total(\n^ error: TAX is not defined\n"])
        client.notify("inlined/diagnostics", {"uri": uri, "diagnostics": []})
        self.assertEqual(self.chunks(client, uri, "diagnostics"), [])
        # Many, wrong ones, and such of documents that are not open or hidden do no harm.
        client.notify("inlined/diagnostics", {"uri": uri, "diagnostics": [
            {"range": at(i), "message": "m" * 2000} for i in range(3000)]})
        client.send_wrong({"jsonrpc": "2.0", "method": "inlined/diagnostics", "params": {
            "uri": uri, "diagnostics": [7, {}, {"range": 3, "message": 4},
                                        {"range": at(4), "message": "kept"}]}})
        client.send_wrong({"jsonrpc": "2.0", "method": "inlined/diagnostics", "params": []})
        self.assertIn("kept", str(self.chunks(client, uri, "diagnostics")))
        env = self.write(".env", "A=1\n")
        client.open(env, "A=1\n", "plaintext")
        client.notify("inlined/diagnostics", {"uri": env, "diagnostics": [
            {"range": at(0), "message": "secret words"}]})
        client.notify("inlined/diagnostics", {"uri": "file:///no", "diagnostics": []})
        self.assert_alive(client)

    # -- the branch

    def git(self, *arguments):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
                       cwd=self.root, check=True, capture_output=True)

    def branch_text(self, client, uri):
        return "".join(f"{c['path']}: {c['text']}" for c in self.chunks(client, uri, "diff"))

    def make_branches(self):
        if not shutil.which("git"):
            self.skipTest("git is not installed here: apt-get install git")
        self.git("init", "-q", "-b", "main")
        self.write("prices.py", "def prices_of(order):\n    return order.prices\n")
        self.write(".env", "TOKEN=1\n")
        uri = self.write("main.py", MAIN)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "one")
        self.git("checkout", "-q", "-b", "feature")
        self.write("prices.py", "def prices_of(order, currency):\n    return order.prices\n")
        self.write(".env", "TOKEN=verysecret\n")
        self.git("commit", "-q", "-a", "-m", "two")
        return uri

    def test_the_branch(self):
        uri = self.make_branches()
        client = self.serve()
        client.open(uri, MAIN)
        expected = "prices.py: -def prices_of(order):\n+def prices_of(order, currency):\n"
        self.wait_for(lambda: self.branch_text(client, uri), lambda t: t == expected, "branch")
        # A save: the work tree counts.
        other = self.write("prices.py", "def prices_of(order, money):\n    return order.prices\n")
        client.notify("textDocument/didSave", {"textDocument": {"uri": other}})
        self.wait_for(lambda: self.branch_text(client, uri),
                      lambda t: "+def prices_of(order, money)" in t, "save")
        # Another branch under us: nobody tells, HEAD does.
        self.git("checkout", "-q", "-f", "main")
        self.wait_for(lambda: self.branch_text(client, uri), lambda t: t == "", "checkout")
        self.assert_alive(client)

    def test_no_branch_where_it_is_off_or_there_is_no_git(self):
        uri = self.make_branches()
        plain = self.start(SETTINGS | {"model": os.path.join(self.folder, "absent.gguf")},
                           env={"PATH": self.folder})
        plain.initialize(workspaceFolders=[{"uri": f"file://{self.root}", "name": "p"}])
        off = self.serve({"context": {**SETTINGS["context"], "crossFileOff": ["diff"]}})
        for client in (plain, off):
            client.open(uri, MAIN)
        time.sleep(5)  # two ticks
        for client in (plain, off):
            self.assertEqual(self.branch_text(client, uri), "")
            self.assert_alive(client)


if __name__ == "__main__":
    lsp_case.main()
