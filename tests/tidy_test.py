#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Self-test of tests/tidy.py: each rule finds what it is for, and leaves clean code alone."""
import unittest

import tidy

HEAD = "/* SPDX-License-Identifier: Apache-2.0 */\n/* What it is.\n * Thread: any. */\n"


def rules_found(path, text):
    source = tidy.Source(path, text)
    return {f[1] for rule in tidy.RULES for f in rule(source)}


def c_found(body, path="context/scope.c"):
    return rules_found(path, HEAD + body)


CLEAN = HEAD + '''#include "context/scope.h"

#include <stdint.h>
#include <tree_sitter/api.h>

#include "context/context.h"
#include "engine/base/str.h"

static const char *const names[] = {"a // b", "{ /* not a comment"};

#ifdef A
int scope_depth(const char *s, int n) {
#else
int scope_depth(const char *s) {
    int n = 1;
#endif
    for (int i = 0; i < n; i++) {
        if (s[i] == '{') return i;
    }
    return 0;
}
'''


class Rules(unittest.TestCase):
    def test_clean_code_has_no_finding(self):
        self.assertEqual(rules_found("context/scope.c", CLEAN), set())

    def test_includes_against_the_table(self):
        self.assertIn("include", c_found('#include "engine/engine.h"\n'))
        self.assertIn("include", c_found('#include "lsp/server.h"\n', "mcp/rpc.c"))
        self.assertIn("include", c_found('#include "context/document.h"\n', "lsp/server.c"))
        self.assertIn("include", c_found('#include "scope.h"\n'))
        self.assertIn("include", c_found("#include <uv.h>\n"))
        self.assertIn("include", c_found("#include <cjson/cJSON.h>\n", "engine/engine.c"))
        self.assertIn("include", c_found("#include <cJSON.h>\n", "engine/engine.c"))
        self.assertNotIn("include", c_found("#include <uv.h>\n", "lsp/loop.c"))
        self.assertNotIn("include", c_found('#include "context/context.h"\n', "lsp/server.c"))

    def test_own_header_first_and_pragma_once(self):
        self.assertIn("include", c_found('#include <stdio.h>\n#include "context/scope.h"\n'))
        self.assertIn("include", c_found("int a(void);\n", "context/scope.h"))
        self.assertNotIn("include", c_found("#pragma once\nint a(void);\n", "context/scope.h"))

    def test_sizes(self):
        long_function = "void f(void) {\n" + "    g();\n" * 69 + "}\n"
        self.assertIn("size", c_found(long_function))
        self.assertNotIn("size", c_found("void f(void) {\n" + "    g();\n" * 68 + "}\n"))
        self.assertNotIn("size", c_found("/* tidy: table */\n" + long_function))
        self.assertIn("size", c_found("int a;\n" * 900))
        self.assertIn("size", c_found("#pragma once\n" + "int a(void);\n" * 300, "mcp/mcp.h"))
        many = "int f(int a, int b, int c, int d, int e, int g, int h, int i) {\n}\n"
        self.assertIn("size", c_found(many))
        self.assertNotIn("size", c_found(many.replace(", int i", "")))
        deep = "void f(void) {\n" + "if (a) {\n" * 5 + "}\n" * 5 + "}\n"
        self.assertIn("size", c_found(deep))
        self.assertNotIn("size", c_found("void f(void) {\n" + "if (a) {\n" * 4 + "}\n" * 5))

    def test_lines(self):
        self.assertIn("line", c_found("int " + "a" * 100 + ";\n"))
        self.assertIn("line", c_found("int a; \n"))
        self.assertIn("line", c_found("\tint a;\n"))
        self.assertIn("line", c_found("int a;\r\n"))
        self.assertIn("line", c_found("int a;"))
        self.assertIn("line", c_found("int a;\n\n"))

    def test_header(self):
        self.assertIn("header", rules_found("lsp/main.c", "int main(void) {\n}\n"))
        no_comment = "/* SPDX-License-Identifier: Apache-2.0 */\n\n\n\nint a;\n"
        self.assertIn("header", rules_found("lsp/main.c", no_comment))
        self.assertIn("header", rules_found("tests/x.py", "#!/usr/bin/env python3\nimport os\n"))

    def test_comments(self):
        self.assertIn("comment", c_found("int a; // b\n"))
        self.assertNotIn("comment", c_found('const char *a = "http://b";\n'))
        self.assertIn("comment", c_found("/* TO" + "DO later */\n"))
        self.assertNotIn("comment", c_found("/* TO" + "DO(#12): later */\n"))
        self.assertIn("comment", c_found("/* if (a) return b; */\n"))
        self.assertNotIn("comment", c_found("/* Returns false if it ends; */\n"))

    def test_calls(self):
        self.assertIn("call", c_found("void f(void) {\n    atoi(a);\n}\n"))
        self.assertIn("call", c_found("void f(void) {\n    x = malloc(1);\n}\n"))
        self.assertNotIn("call", c_found("void f(void) {\n    x = xmalloc(1);\n}\n"))
        self.assertNotIn("call", c_found("/* malloc(3) */\nint f(void);\n"))
        self.assertIn("call", c_found('void f(void) {\n    printf("a");\n}\n', "lsp/server.c"))
        self.assertNotIn("call", c_found('void f(void) {\n    printf("a");\n}\n', "lsp/cli.c"))

    def test_state(self):
        self.assertIn("state", c_found("static int count;\n"))
        self.assertIn("state", c_found("void f(void) {\n    static int n = 0;\n}\n"))
        self.assertNotIn("state", c_found("static const int count = 1;\n"))
        self.assertNotIn("state", c_found('static const char *const names[] = {"a"};\n'))
        self.assertNotIn("state", c_found("static int f(int a);\n"))
        self.assertNotIn("state", c_found("static int f(int a) {\n    return a;\n}\n"))

    def test_names(self):
        self.assertIn("name", c_found("int a;\n", "lsp/json_utils.c"))
        self.assertIn("name", c_found("typedef struct { int a; } thing_t;\n"))
        self.assertIn("name", c_found("typedef struct {\n    int a;\n} thing_t;\n"))
        self.assertIn("name", c_found("#define LIMIT_X 3\n"))

    def test_sorted_tables(self):
        rows = ('static const method methods[] = {\n    {"initialize", a},\n'
                '    {"textDocument/didOpen", b},\n    {"exit", c},\n};\n')
        self.assertIn("table", c_found(rows, "lsp/server.c"))
        good = rows.replace('    {"exit", c},\n', "")
        self.assertNotIn("table", c_found(good, "lsp/server.c"))
        other = '/* tidy: sorted */\nstatic const x xs[] = {\n    {"b", 1},\n    {"a", 2},\n};\n'
        self.assertIn("table", c_found(other))
        self.assertNotIn("table", c_found(other.replace("tidy: sorted", "any order")))

    def test_leaks(self):
        self.assertIn("leak", rules_found("docs/a.md", "see /wo" + "rk/main\n"))
        self.assertIn("leak", rules_found("docs/a.md", "see ../sha" + "red/x\n"))
        self.assertIn("leak", rules_found("p-lock.json", '"resol' + 'ved": "https://r.x/a"\n'))
        self.assertNotIn("leak", rules_found("docs/a.md", "network/a and work/b\n"))

    def test_orphans(self):
        lists = tidy.Source("lsp/CMakeLists.txt", "module(lsp SOURCES server.c)\n")
        known = tidy.Source("lsp/server.c", HEAD)
        lost = tidy.Source("lsp/lost.c", HEAD)
        found = list(tidy.rule_orphan([lists, known, lost]))
        self.assertEqual([f[0] for f in found], ["lsp/lost.c"])


if __name__ == "__main__":
    unittest.main()
