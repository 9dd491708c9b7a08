#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Style as a test: what the compiler does not enforce of the house style is enforced here.

    tests/tidy.py [--root DIR] [--report]     check the tree; exit 1 when something is wrong
    tests/tidy.py --list                      the rules, one sentence each

Every finding is `path:line: rule: sentence`.  --report prints them and exits 0.
Rules are functions that take a Source and yield (line, rule, sentence); they see the C code with
comments and strings blanked (same offsets), so a brace in a string cannot confuse them.
"""
import argparse
import os
import re
import subprocess
import sys

# ---- the tables ---------------------------------------------------------------------------------

# Which module may include which.  `base` is engine/base.
USES = {
    "base": {"base"},
    "registry": {"registry", "engine", "base"},
    "kernels": {"kernels", "base"},
    "engine": {"engine", "kernels", "base"},
    "context": {"context", "base"},
    "mcp": {"mcp", "base"},
    "lsp": {"lsp", "mcp", "context", "engine", "registry", "kernels", "base"},
}
# What the others may include of a module (everything of base is public).
PUBLIC = {
    "registry": {"engine/registry.h"},
    "kernels": {"kernels/kernels.h", "kernels/blocks.h"},
    "engine": {"engine/engine.h", "engine/chat.h", "engine/gguf.h", "engine/grammar.h",
               "engine/tokenizer.h", "engine/delta.h", "engine/inspect.h", "engine/registry.h"},
    "context": {"context/context.h", "context/change.h", "context/hidden.h", "context/refactor.h",
                "context/symbols.h"},
    "mcp": {"mcp/mcp.h", "mcp/config.h", "mcp/export.h", "mcp/rpc.h", "mcp/frame.h",
            "mcp/process.h", "mcp/state_file.h", "mcp/own.h", "mcp/serve.h",
            "mcp/serve_http.h", "mcp/http_pages.h"},
    "lsp": set(),
}
# Third-party headers: which modules may see them.
THIRD_PARTY = [
    (re.compile(r"^(uv|uv/.*)\.h$"), {"lsp", "mcp", "engine"}),
    (re.compile(r"^(cjson/)?cJSON\.h$"), {"lsp", "mcp", "registry"}),
    (re.compile(r"^zip\.h$"), {"registry"}),
    (re.compile(r"^tree_sitter/"), {"context"}),
    (re.compile(r"^sqlite3\.h$"), {"context"}),
    (re.compile(r"^microhttpd\.h$"), {"mcp"}),
    (re.compile(r"^curl/"), {"mcp", "registry"}),
    (re.compile(r"^(cuda|cublas|nvrtc)"), {"kernels"}),
]
FILE_LINES = 900
HEADER_LINES = 300
FUNCTION_LINES = 70
SHORT_LINES = 120  # files for which a header comment of one line is enough
FUNCTION_LINES_TAGGED = 100  # after a comment with "tidy: table"
PARAMETERS = 7
PARAMETERS_CUDA = 10  # a kernel and its launcher pass buffers one by one
NESTING = 4
COLUMNS = 100
# Shell, CMake, Lua and TypeScript, and tables (between clang-format off and on).
COLUMNS_WIDE = 120
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "misc"}
# Identifiers that C files must not call, and where they may be.
ALLOC = {"malloc", "calloc", "realloc", "strdup", "strndup"}
OWN_ALLOC = {"engine/base/mem.c", "engine/base/log.c"}
BANNED_CALLS = {
    "strcpy": "use strbuf or snprintf", "strcat": "use strbuf", "strncpy": "use strbuf",
    "sprintf": "use snprintf or strbuf", "vsprintf": "use vsnprintf", "strtok": "use str_split",
    "gets": "use a bounded read", "atoi": "use str_to_i64", "atol": "use str_to_i64",
    "alloca": "use an arena", "assert": "use ASSERT",
    "cJSON_GetObjectItem": "use cJSON_GetObjectItemCaseSensitive",
}
STDOUT_CALLS = {"printf", "puts", "putchar", "vprintf"}
C_ENDS = (".c", ".h", ".cu", ".cuh")
SPDX = "SPDX-License-Identifier: Apache-2.0"
SPDX_ENDS = C_ENDS + (".py", ".sh", ".cmake", ".lua", ".ts", ".js", ".mjs", ".scm")
TEXT_ENDS = SPDX_ENDS + (".md", ".json", ".yml", ".yaml", ".txt", ".toml", ".in", ".vim")
DATA_FOLDERS = ("tests/fuzz/corpus/", "tests/data/", "tests/demo/", "tests/truth/data/")
# Pieces of paths that exist on one machine only.  Written in halves: this file is checked too.
LEAKS = [re.compile(a + b) for a, b in (
    (r"(?<![\w.])/wo", r"rk/(main|wt|shared|\.library)"), (r"\.\./sha", r"red"), (r"shared/fi", r"eld"),
    (r"/tmp/ve", r"nv"), (r"/tmp/m", r"/"), (r"\"resol", r"ved\"\s*:\s*\"http"),
)]


# ---- sources ------------------------------------------------------------------------------------

class Source:
    """One file: its text, and for C the code without comments and strings, and its functions."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        self.is_c = path.endswith(C_ENDS)
        self.module = module_of(path)
        self.comments = []  # (first line, last line, text)
        self.code = ""
        self.line_comments = []
        self.functions = []
        if self.is_c:
            self._strip()
            self._find_functions()

    def line_at(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def _strip(self):
        pattern = re.compile(
            r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)

        def blank(match):
            piece = match.group(0)
            if piece.startswith("//"):
                self.line_comments.append(self.line_at(match.start()))
            elif piece.startswith("/*"):
                first = self.line_at(match.start())
                self.comments.append((first, first + piece.count("\n"), piece))
            else:
                return piece[0] + " " * (len(piece) - 2) + piece[-1]
            return re.sub(r"[^\n]", " ", piece)

        self.code = pattern.sub(blank, self.text)

    def _flat(self):
        """The code without directives, and without the #else halves, so that braces balance."""
        out, skip, depth = [], [], 0
        continued = False
        for line in self.code.split("\n"):
            directive = continued or re.match(r"\s*#", line)
            if directive and not continued:
                word = re.match(r"\s*#\s*(\w*)", line).group(1)
                if word in ("if", "ifdef", "ifndef"):
                    depth += 1
                elif word in ("else", "elif") and (not skip or skip[-1] != depth):
                    skip.append(depth)
                elif word == "endif":
                    if skip and skip[-1] == depth:
                        skip.pop()
                    depth -= 1
            continued = bool(directive) and line.endswith("\\")
            out.append(" " * len(line) if directive or skip else line)
        flat = "\n".join(out)
        return re.sub(r'extern\s+" *"\s*\{', lambda m: re.sub(r"[^\n]", " ", m.group(0)), flat)

    def _find_functions(self):
        flat, depth, start = self._flat(), 0, None
        deepest = 0
        for i, ch in enumerate(flat):
            if ch == "{":
                if depth == 0 and flat[:i].rstrip().endswith(")"):
                    start, deepest = i, 0
                depth += 1
                deepest = max(deepest, depth - 1)
            elif ch == "}":
                depth = max(0, depth - 1)
                if depth == 0 and start is not None:
                    name, parameters, head = head_of(flat, start)
                    first = self.line_at(head)
                    self.functions.append({
                        "name": name, "first": first, "last": self.line_at(i),
                        "parameters": parameters, "nesting": deepest})
                    start = None


def head_of(flat, brace):
    """Name, parameter count and start offset of the function whose body opens at `brace`."""
    end = flat.rindex(")", 0, brace)
    depth, i = 0, end
    commas = 0
    while i >= 0:
        if flat[i] == ")":
            depth += 1
        elif flat[i] == "(":
            depth -= 1
            if depth == 0:
                break
        elif flat[i] == "," and depth == 1:
            commas += 1
        i -= 1
    inside = flat[i + 1:end].strip()
    count = 0 if inside in ("", "void") else commas + 1
    before = flat[:max(i, 0)].rstrip()
    name = re.search(r"(\w+)$", before)
    head = max(before.rfind(";"), before.rfind("}")) + 1
    head += len(flat[head:]) - len(flat[head:].lstrip())
    return (name.group(1) if name else "?"), count, head


def module_of(path):
    if path.startswith("engine/base/"):
        return "base"
    if path.startswith("engine/registry"):  # its own library below the engine: base, cJSON, libzip
        return "registry"
    top = path.split("/", 1)[0]
    return top if top in USES or top in ("tests", "editors") else ""


def read_tree(root):
    try:
        listing = subprocess.run(
            ["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"],
            capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        listing = walk(root)
    for path in sorted(set(filter(None, listing))):
        full = os.path.join(root, path)
        if not os.path.isfile(full) or os.path.islink(full):
            continue
        with open(full, "rb") as f:
            data = f.read()
        if is_text(path, data):
            yield Source(path, data.decode("utf-8", "replace"))


def walk(root):
    for folder, names, files in os.walk(root):
        names[:] = [n for n in names if not n.startswith((".git", "build"))
                    and n not in ("node_modules", "__pycache__")]
        for name in files:
            yield os.path.relpath(os.path.join(folder, name), root)


def is_text(path, data):
    if path.startswith("tests/fuzz/corpus/") or b"\0" in data[:4096]:
        return False
    return path.endswith(TEXT_ENDS) or data.startswith(b"#!") or "." not in path.split("/")[-1]


# ---- rules --------------------------------------------------------------------------------------

def rule_include(s):
    """Includes follow the module table: outside a module only public headers; own header first."""
    if not s.is_c:
        return
    seen = []
    for number, line in enumerate(s.lines, 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        seen.append(match.group(2))
        if match.group(1) == "<":
            yield from third_party(s, number, match.group(2))
        else:
            yield from ours(s, number, match.group(2))
    own = re.sub(r"\.(c|cu)$", ".h", s.path)
    if own != s.path and own in seen and seen[0] != own:
        yield 1, "include", f"the file's own header {own} comes first"
    if s.path.endswith((".h", ".cuh")) and "#pragma once" not in s.text \
            and not any(re.search(r"Included\s", text) for _, _, text in s.comments[:2]):
        yield 1, "include", "a header has #pragma once, or says by whom it is Included many times"


def ours(s, number, name):
    target = module_of(name)
    if "/" not in name or not target:
        yield number, "include", f"\"{name}\": paths start at the repository's root"
    elif s.module in USES and target not in USES[s.module]:
        yield number, "include", f"{s.module} may not include {name} (of {target})"
    elif s.module in USES and target != s.module and target in PUBLIC \
            and name not in PUBLIC[target]:
        yield number, "include", f"{name} is private to {target}"


def third_party(s, number, name):
    for pattern, modules in THIRD_PARTY:
        if pattern.match(name) and s.module in USES and s.module not in modules:
            yield number, "include", f"<{name}> may be used in {', '.join(sorted(modules))} only"


def rule_size(s):
    """Files, headers, functions, parameters and nesting stay below their hard limits."""
    if is_generated(s):
        return
    if not s.is_c and not s.path.endswith((".py", ".lua", ".ts")):
        return
    count = len(s.lines) - 1
    limit = HEADER_LINES if s.path.endswith(".h") else FILE_LINES
    if count > limit:
        yield count, "size", f"{count} lines; a file of this kind has at most {limit}"
    for f in s.functions:
        length = f["last"] - f["first"] + 1
        tagged = has_tag(s, f["first"], "tidy: table")
        cuda = s.path.endswith((".cu", ".cuh"))
        most = FUNCTION_LINES_TAGGED if tagged or cuda else FUNCTION_LINES
        if length > most:
            yield f["first"], "size", f"{f['name']} has {length} lines, more than {most}"
        most = PARAMETERS_CUDA if cuda else PARAMETERS
        if f["parameters"] > most and not has_tag(s, f["first"], "tidy: parameters"):
            yield f["first"], "size", \
                f"{f['name']} has {f['parameters']} parameters, more than {most}"
        if f["nesting"] > NESTING:
            yield f["first"], "size", f"{f['name']} nests {f['nesting']} deep, more than {NESTING}"


def has_tag(s, first, tag):
    return any(last in (first - 1, first) and tag in text for _, last, text in s.comments)


def is_generated(s):
    return any("Generated by" in text for _, _, text in s.comments[:2])


def rule_line(s):
    """At most 100 columns, no trailing blanks, no tabs in C, one newline at the end of the file."""
    if s.path.startswith(DATA_FOLDERS) or is_generated(s):
        return
    coded = s.path.endswith(SPDX_ENDS) or s.path.endswith("CMakeLists.txt")
    wide = s.path.endswith((".sh", ".cmake", "CMakeLists.txt", ".lua", ".ts", ".mjs"))
    table = False
    for number, line in enumerate(s.lines, 1):
        table = (table or "clang-format off" in line) and "clang-format on" not in line
        most = COLUMNS_WIDE if wide or table else COLUMNS
        if coded and len(line) > most:
            yield number, "line", f"{len(line)} columns, more than {most}"
        if line.endswith("\r"):
            yield number, "line", "ends in CR"
        elif line != line.rstrip() and not s.path.endswith(".md"):
            yield number, "line", "trailing blanks"
        if s.is_c and "\t" in line:
            yield number, "line", "a tab"
    if s.text and (not s.text.endswith("\n") or s.text.endswith("\n\n")):
        yield len(s.lines), "line", "the file ends in exactly one newline"


def rule_header(s):
    """Every source starts with its SPDX line; each .c and public header says what it is."""
    base = s.path.split("/")[-1]
    if not s.path.endswith(SPDX_ENDS) and base != "CMakeLists.txt":
        return
    if s.path.startswith(DATA_FOLDERS):
        return
    first = 1 if s.lines[0].startswith("#!") else 0
    if s.is_c and s.lines[0] != f"/* {SPDX} */":
        yield 1, "header", f"the first line is /* {SPDX} */"
    elif not s.is_c and SPDX not in "\n".join(s.lines[first:first + 1]):
        yield first + 1, "header", f"the first line (after #!) has {SPDX}"
    public = any(s.path in headers for headers in PUBLIC.values()) or s.module == "base"
    if s.is_c and (s.path.endswith((".c", ".cu")) or public):
        told = [c for c in s.comments if 2 <= c[0] <= 4]
        if not told:
            yield 2, "header", "after the SPDX line a comment says what the file is and owns"
        elif s.module in USES and s.path.endswith((".c", ".cu")) \
                and told[0][1] == told[0][0] and len(s.lines) > SHORT_LINES:
            yield 2, "header", "the header comment says what, which thread and which invariants"


def rule_comment(s):
    """C has only /* */ comments; TODO, FIXME and XXX carry an issue; no code in comments."""
    for number in s.line_comments:
        yield number, "comment", "// is not used in C; write /* */"
    todo = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))")
    if s.path in ("tests/tidy.py", "tests/tidy/test_tidy.py") or s.path.endswith(".md"):
        return
    for number, line in enumerate(s.lines, 1):
        if todo.search(line) and not s.path.startswith(DATA_FOLDERS):
            yield number, "comment", "a TODO names its issue: TODO(#12)"
    for first, _, text in s.comments:
        if re.search(r"^[ */]*((if|for|while) ?\(|return\b)[^.]*[;{]\s*(\*/)?$", text, re.M) \
                and "e.g." not in text and "tidy: sketch" not in text:
            yield first, "comment", "commented-out code (a sketch carries `tidy: sketch`)"


def rule_call(s):
    """Banned functions, allocation outside base/mem.c, and stdout outside the command line."""
    if not s.is_c or s.path == "engine/base/banned.h":
        return
    for match in re.finditer(r"(?<![\w.>#])(\w+)\s*\(", s.code):
        name = match.group(1)
        number = s.line_at(match.start())
        if s.lines[number - 1].lstrip().startswith("#"):
            continue
        if name in BANNED_CALLS and not s.path.endswith((".cu", ".cuh")):
            yield number, "call", f"{name} is banned: {BANNED_CALLS[name]}"
        elif name in ALLOC and s.module in USES and s.path not in OWN_ALLOC \
                and not s.path.endswith((".cu", ".cuh")):
            yield number, "call", f"{name}: use the xmalloc family (engine/base/mem.h)"
        elif name in STDOUT_CALLS and s.module in USES and not may_print(s.path):
            yield number, "call", f"{name}: stdout belongs to the protocol; log or return text"


def may_print(path):
    return bool(re.match(r"lsp/(main|cli|command|cmd|doctor)\w*\.c$", path)) \
        or path.startswith("kernels/lab/")


def rule_state(s):
    """No mutable static state (the logger, thread-local scratch and ASSERT hooks excepted)."""
    if not s.is_c or s.module not in USES or s.path in ("engine/base/log.c", "engine/base/mem.c"):
        return
    pattern = re.compile(r"^\s*static\s+(?!const\b|inline\b|_Thread_local\b|_Noreturn\b|"
                         r"thread_local\b|__)([^;={(]*)(=|;)", re.M)
    for match in pattern.finditer(s.code):
        kind = match.group(1)
        if re.search(r"\bconst\b|_Thread_local", kind) or "(" in kind:
            continue
        yield s.line_at(match.start(1)), "state", f"mutable static state: {kind.strip()}"


def rule_name(s):
    """Files are nouns: no utils, helpers, common or manager."""
    stem = s.path.split("/")[-1].split(".")[0].lower()
    if s.path.endswith(SPDX_ENDS) and set(re.split(r"[_\-]", stem)) & VAGUE_NAMES \
            and not s.path.endswith(".cuh"):
        yield 1, "name", f"{stem} says nothing; name the thing that the file is about"
    for match in re.finditer(r"\btypedef\b[^;{]*?\b(\w+_t)\s*;|\}\s*(\w+_t)\s*;", s.code, re.M):
        name = match.group(1) or match.group(2)
        yield s.line_at(match.end()), "name", f"{name}: names that end in _t belong to POSIX"
    if s.is_c and s.path != "engine/base/limits.h":
        for match in re.finditer(r"^\s*#\s*define\s+(LIMIT_\w+)", s.code, re.M):
            yield s.line_at(match.start(1)), "name", \
                f"{match.group(1)}: limits live in engine/base/limits.h"


def rule_table(s):
    """Method tables (and any after a `tidy: sorted` comment) are sorted by their first string."""
    if not s.path.endswith(".c"):
        return
    row = re.compile(r'^\s*\{\s*(?:\.\w+\s*=\s*)?(?:STR\()?"([^"]*)"')
    opening = re.compile(r"\[[^\]]*\]\s*=\s*\{\s*(/\*.*\*/)?\s*$")
    number = 0
    while number < len(s.lines):
        if not opening.search(s.lines[number]):
            number += 1
            continue
        first, keys = number, []
        number += 1
        while number < len(s.lines) and not s.lines[number].startswith("}"):
            match = row.match(s.lines[number])
            if match:
                keys.append((number + 1, match.group(1)))
            number += 1
        above = "\n".join(s.lines[max(0, first - 4):first + 1])
        methods = s.module in ("lsp", "mcp") and any(
            re.match(r"(\$|textDocument|workspace|window|notifications|tools)/", k)
            for _, k in keys)
        if len(keys) > 1 and (methods or "tidy: sorted" in above):
            for (_, a), (where, b) in zip(keys, keys[1:]):
                if a.encode() >= b.encode():
                    yield where, "table", f"\"{b}\" stands after \"{a}\""


def rule_leak(s):
    """Nothing refers to paths of one machine or to a package host."""
    for number, line in enumerate(s.lines, 1):
        for pattern in LEAKS:
            match = pattern.search(line)
            if match:
                yield number, "leak", f"`{match.group(0)}` means nothing on another machine"


RULES = [rule_include, rule_size, rule_line, rule_header, rule_comment, rule_call, rule_state,
         rule_name, rule_table, rule_leak]


def rule_orphan(sources):
    """Each .c of a module and of the tests is named in a CMakeLists.txt."""
    lists = "\n".join(s.text for s in sources if s.path.endswith("CMakeLists.txt"))
    words = set(re.findall(r"\w+", lists))
    for s in sources:
        stem = s.path.split("/")[-1][:-2]
        built = s.module in USES or s.module == "tests"
        if built and s.path.endswith(".c") and "/lab/" not in s.path \
                and not s.path.startswith(DATA_FOLDERS) and stem not in words \
                and re.sub(r"^(test|fuzz)_", "", stem) not in words:
            yield s.path, 1, "orphan", "no CMakeLists.txt names this file"


# ---- main ---------------------------------------------------------------------------------------

def check(sources):
    findings = []
    for s in sources:
        for rule in RULES:
            findings += [(s.path, *f) for f in rule(s)]
    findings += list(rule_orphan(sources))
    return findings


def main():
    parser = argparse.ArgumentParser(description="style as a test")
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--root", default=here)
    parser.add_argument("--report", action="store_true", help="print, but exit 0")
    parser.add_argument("--list", action="store_true", help="print the rules")
    arguments = parser.parse_args()
    if arguments.list:
        for rule in RULES + [rule_orphan]:
            print(f"{rule.__name__[5:]:8} {rule.__doc__}")
        return 0
    sources = list(read_tree(arguments.root))
    findings = check(sources)
    for path, line, rule, sentence in findings:
        print(f"{path}:{line}: {rule}: {sentence}")
    print(f"tidy: {len(sources)} files, {len(findings)} findings")
    return 1 if findings and not arguments.report else 0


if __name__ == "__main__":
    sys.exit(main())
