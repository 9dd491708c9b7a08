#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job, seen from an editor: open real files, ask for an inline completion, show it.

    demo.py --server build/inlined [--svg FILE] [--colour auto|always|never]

Starts `inlined --no-daemon`, opens one small file in each of four languages, asks
textDocument/inlineCompletion where code is missing, draws the code with the ghost text at the
cursor, and tells the model, the backend and where the time went.  Then one keystroke of the
suggestion is typed and asked for again (the suggestion is still right, the model is not asked), and
the suggestion is accepted and the next line asked for (what the model has seen is reused).

Last a line that needs a definition of another file is completed, without that file and with it.

Exit code 0 when at least one language got ghost text and the definition was used, 1 otherwise, 2
for wrong usage.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from editor import Editor, EditorError  # noqa: E402
from screen import Screen  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
# File, LSP language, the end of the text before the cursor (unique in the file).  The files are
# whole; the demo opens them without the rest of that line, as if it were being written.
SAMPLES = [
    ("inventory.py", "python", "    total = 0.0\n    for item in items:\n        total += "),
    ("string_list.c", "c", "if (strcmp(list->items[i], "),
    ("cart.ts", "typescript", "filter((l) => l.product !== "),
    ("config.go", "go", "json.Unmarshal(data, &c); err != nil {\n\t\treturn "),
]
# A line that cannot be right without the definition in the other file, and what it needs of it.
OTHER_FILE = ("project/remind.py", "python", "    invoices = store.fetch_", "overdue")
LOOK_SECONDS = 0.5  # a person reads what is suggested before accepting it
INDEX_SECONDS = 20
LINES_BEFORE, LINES_AFTER = 5, 2
TIMES = ("queue", "context", "prefill", "decode", "post")


def unfinished(text, needle):
    """The text without what follows `needle` on its line, and that place (line, UTF-16 column)."""
    at = text.index(needle) + len(needle)
    assert text.count(needle) == 1, needle
    line = text.count("\n", 0, at)
    start = text.rfind("\n", 0, at) + 1
    return (text[:at] + text[text.index("\n", at):], line,
            len(text[start:at].encode("utf-16-le")) // 2)


def draw_code(screen, text, line, column, ghost):
    """The lines around the cursor, with the ghost text where the editor would show it."""
    lines = text.split("\n")
    ghost_lines = ghost.split("\n") if ghost else [""]
    for n in range(max(0, line - LINES_BEFORE), min(len(lines), line + LINES_AFTER + 1)):
        code = lines[n]
        if n != line:
            screen.line(("number", f"{n + 1:4} "), ("code", expand(code)))
            continue
        head, tail = code[:column], code[column:]
        spans = [("number", f"{n + 1:4} "), ("code", expand(head)), ("cursor", "▏"),
                 ("ghost", ghost_lines[0])]
        if len(ghost_lines) == 1:
            screen.line(*spans, ("code", tail))
            continue
        screen.line(*spans)
        for extra in ghost_lines[1:-1]:
            screen.line(("number", "     "), ("ghost", expand(extra)))
        screen.line(("number", "     "), ("ghost", expand(ghost_lines[-1])), ("code", tail))


def indent_of(code):
    return code[:len(code) - len(code.lstrip())]


def moved(line, column, text):
    """Where the cursor is after `text` was typed at that place (UTF-16)."""
    last = text[text.rfind("\n") + 1:]
    units = len(last.encode("utf-16-le")) // 2
    return (line + text.count("\n"), units) if "\n" in text else (line, column + units)


def expand(code):
    return code.replace("\t", "    ")


def ms(value):
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def draw_times(screen, label, answer):
    """One line: the total, and its parts."""
    cost = answer.cost
    total = [("label", f"     {label}: "), ("value", f"{ms(answer.seen_ms)} ms")]
    if "prefill" not in cost:
        screen.line(*total, ("text", "  (the model was not asked)"))
        return
    parts = []
    for name in TIMES:
        part = f"{name} {ms(cost.get(name, 0))}"
        if name == "prefill":
            part += f" ({cost.get('reused', 0):.0f} reused, {cost.get('prefilled', 0):.0f} new)"
        if name == "decode":
            part += f" ({cost.get('decoded', 0):.0f} tokens)"
        parts.append(part)
    screen.line(*total, ("text", " = " + " + ".join(parts)))


def show(editor, screen, name, language, needle):
    """Completes one sample; true when there was ghost text."""
    path = os.path.join(HERE, "samples", name)
    with open(path, encoding="utf-8") as f:
        text, line, column = unfinished(f.read(), needle)
    doc = editor.open(path, language, text)
    answer = editor.complete(doc, line, column, invoked=True)
    screen.line(("title", f"{language}  "), ("label", os.path.relpath(path)),
                ("label", f":{line + 1}:{column + 1}"))
    draw_code(screen, text, line, column, answer.text)
    if not answer.text:
        screen.line(("warn", f"     nothing to suggest: {answer.reason or 'no reason given'}"))
    draw_times(screen, "asked", answer)
    if answer.text and not answer.text.startswith("\n"):
        editor.type(doc, line, column, answer.text[0])
        after = editor.complete(doc, line, column + 1, invoked=False)
        draw_times(screen, f"typed {answer.text[0]!r}", after)
        time.sleep(LOOK_SECONDS)
        rest = answer.text[1:] + "\n" + indent_of(text.split("\n")[line])
        editor.type(doc, line, column + 1, rest)
        after = editor.complete(doc, *moved(line, column + 1, rest), invoked=False)
        draw_times(screen, "accepted, next line", after)
    editor.close(doc)
    screen.line()
    return bool(answer.text)


def show_other_file(editor, screen):
    """The same line without and with definitions of other files; true when they made it right."""
    name, language, needle, want = OTHER_FILE
    path = os.path.join(HERE, "samples", name)
    with open(path, encoding="utf-8") as f:
        text, line, column = unfinished(f.read(), needle)
    screen.line(("title", "another file's definition  "), ("label", os.path.relpath(path)))
    right = False
    for setting in ("off", "on"):
        editor.configure({"context": {"crossFile": setting}, "completion": {"candidates": 1}})
        doc = editor.open(path, language, text)
        end, pieces = time.monotonic() + INDEX_SECONDS, []
        while setting == "on" and not pieces and time.monotonic() < end:
            chunks = editor.explain(doc, line, column)["chunks"]
            pieces = [c for c in chunks if c["why"] == "definitions"]
            time.sleep(0.05)
        answer = editor.complete(doc, line, column, invoked=True)
        right = answer.text.startswith(want)
        draw_code(screen, text, line, column, answer.text)
        seen = ", ".join(f"{c['path']} ({c['bytes']} bytes, score {c['score']:.2f})"
                         for c in pieces) or "this file only"
        screen.line(("label", f"     crossFile {setting}: "), ("text", f"the model saw {seen}"))
        editor.close(doc)
    screen.line()
    return right


def run(options):
    screen = Screen(options.colour)
    began = time.monotonic()
    good = 0
    with Editor(options.server, options.log) as editor:
        editor.start(os.path.dirname(HERE))
        editor.wait_ready(lambda what: screen.passing(what))
        ready = time.monotonic() - began
        for sample in SAMPLES:
            good += show(editor, screen, *sample)
        right = show_other_file(editor, screen)
        screen.line(("label", "model "), ("value", editor.model or "unknown"),
                    ("label", "  backend "), ("value", editor.backend or "unknown"),
                    ("label", f"  ready after {ready:.1f} s, {good} of {len(SAMPLES)} completed"))
    if options.svg:
        screen.write_svg(options.svg, "inlined")
        print(f"picture: {options.svg}")
    return 0 if good and right else 1


def main():
    top = os.path.dirname(os.path.dirname(HERE))
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--server", default=os.path.join(top, "build", "inlined"))
    p.add_argument("--svg", metavar="FILE", help="also draw the terminal's picture into FILE")
    p.add_argument("--colour", choices=("auto", "always", "never"), default="auto")
    p.add_argument("--log", default=os.path.join(top, "build", "demo.log"),
                   help="where the server's stderr goes")
    options = p.parse_args()
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    try:
        sys.exit(run(options))
    except EditorError as e:
        print(f"demo: {e}", file=sys.stderr)
        with open(options.log, encoding="utf-8", errors="replace") as f:
            for line in f.readlines()[-20:]:
                print(f"     | {line.rstrip()}", file=sys.stderr)
        print(f"  what to do: run `{options.server} doctor`", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
